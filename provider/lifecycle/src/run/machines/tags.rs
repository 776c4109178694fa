//! Tags: who owns a machine, and whether its cluster was completed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use openiaas::VmId;
use product::{Path, Problem, VmTag};
use transport::CancellationToken;

use super::{FoundVm, Machines, TagSeen};
use crate::Error;

impl Machines {
    /// The tag of a VM, from memory once it was read.
    pub(super) async fn tag(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<TagSeen, Error> {
        if let Some(tag) = self.known.tag(id) {
            return Ok(TagSeen::Ours(tag));
        }
        let tags = self.read_tags(id, cancel).await?;
        let Some(value) = tags.get(VmTag::KEY) else {
            return Ok(TagSeen::None);
        };
        match VmTag::parse(value) {
            Ok(tag) => {
                self.known.set_tag(id, tag.clone());
                Ok(TagSeen::Ours(tag))
            }
            Err(_) => Ok(TagSeen::Unreadable(value.clone())),
        }
    }

    async fn read_tags(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, String>, Error> {
        let doing = Error::cloud(format!("read the tags of machine {id}"));
        let tags = self.cloud.tags(id, cancel).await.map_err(doing)?;
        let complete = tags.contains_key(VmTag::COMPLETION_KEY);
        self.known.set_complete(id, complete);
        Ok(tags)
    }

    /// Whether the completion tag is on a machine, asked now: it comes late, and another run may have written it.
    pub(crate) async fn is_complete(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let tags = self.read_tags(id, cancel).await?;
        Ok(tags.contains_key(VmTag::COMPLETION_KEY))
    }

    /// The same for a run that asked at its beginning: from then on only itself writes that tag.
    pub(crate) async fn seen_complete(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        match self.known.complete(id) {
            Some(complete) => Ok(complete),
            None => self.is_complete(id, cancel).await,
        }
    }

    /// Writes the completion tag.
    pub(crate) async fn complete(
        &self,
        first: &FoundVm,
        tag: &VmTag,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let birth = tag.birth.to_string();
        self.write_tag(&first.id, VmTag::COMPLETION_KEY, &birth, true, cancel)
            .await
    }

    /// Says whose a machine is. `new` is one that this process has just made, so that nobody else can have tagged it:
    /// then the platform's word is enough, once a first tag of this process was read back or when `proof` demands it.
    pub(super) async fn own(
        &self,
        id: &VmId,
        owner: &VmTag,
        new: bool,
        proof: bool,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let arrive = self.tags_arrive.swap(true, Ordering::SeqCst);
        let value = owner.to_string();
        let written = if new {
            let read_back = proof || !arrive;
            self.write_tag(id, VmTag::KEY, &value, read_back, cancel)
                .await
        } else {
            self.ensure_tag(id, VmTag::KEY, &value, cancel).await
        };
        if written.is_err() {
            self.tags_arrive.store(arrive, Ordering::SeqCst);
        }
        written?;
        self.known.set_tag(id, owner.clone());
        Ok(())
    }

    /// Writes a tag unless it is there, and reads it back.
    async fn ensure_tag(
        &self,
        id: &VmId,
        key: &str,
        value: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let present = self.read_tags(id, cancel).await?;
        match present.get(key) {
            Some(seen) => same_tag(id, key, value, Some(seen)),
            None => self.write_tag(id, key, value, true, cancel).await,
        }
    }

    /// Writes a tag that is not there; a lost answer is looked up, never replayed.
    async fn write_tag(
        &self,
        id: &VmId,
        key: &str,
        value: &str,
        read_back: bool,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("tag machine {id}"));
        let lost = match self.cloud.create_tag(id, key, value, cancel).await {
            Ok(()) => None,
            Err(error) if error.may_have_written() => Some(error),
            Err(error) => return Err(doing()(error)),
        };
        if lost.is_none() && !read_back {
            return Ok(());
        }
        let present = self.read_tags(id, cancel).await?;
        match (present.get(key), lost) {
            (None, Some(lost)) => Err(doing()(lost)),
            (seen, _) => same_tag(id, key, value, seen),
        }
    }

    /// Removes the tags of a machine that is gone: only then, since they are how it is found. The platform
    /// may have dropped them itself; what stays does no harm.
    pub(super) async fn forget_tags(&self, id: &VmId, cancel: &CancellationToken) {
        let Ok(tags) = self.cloud.tags(id, cancel).await else {
            return;
        };
        for key in [VmTag::COMPLETION_KEY, VmTag::KEY] {
            if tags.contains_key(key)
                && let Err(error) = self.cloud.delete_tag(id, key, cancel).await
            {
                tracing::debug!(%id, key, %error, "the tag of a removed machine stays");
            }
        }
    }
}

fn same_tag(id: &VmId, key: &str, value: &str, seen: Option<&String>) -> Result<(), Error> {
    if seen.is_some_and(|seen| seen == value) {
        return Ok(());
    }
    Err(Error::refused(
        Problem::error(Path::root(), "the tag of a machine is not what was written")
            .seen(format!("{key} = {seen:?} on machine {id}"))
            .allowed(format!("{key} = {value:?}"))
            .next("Check that the account has the right tag_write, and that nobody else tags this machine."),
    ))
}
