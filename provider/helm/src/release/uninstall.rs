//! Removal of a release.

use tokio_util::sync::CancellationToken;

use super::apply::Writer;
use super::{Error, Options, Release, ReleaseId, Releases, Status, UninstallOptions, hooks};
use crate::cluster::ObjectRef;
use crate::render::HookEvent;

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uninstalled {
    /// Whether there was such a release.
    pub found: bool,
    /// The objects deleted.
    pub deleted: Vec<ObjectRef>,
    /// The objects left in place, each with the reason.
    pub left: Vec<String>,
}

impl Releases {
    /// Removes a release with its objects. One that does not exist is no error: the answer says so.
    ///
    /// Objects of the revision in force go too when a later one failed half-way.
    ///
    /// # Errors
    ///
    /// Hooks that fail, objects that do not go, and whatever the cluster answers. The records stay
    /// until everything else is done, so that the next call continues.
    pub async fn uninstall(
        &self,
        id: &ReleaseId,
        options: &UninstallOptions,
        cancel: &CancellationToken,
    ) -> Result<Uninstalled, Error> {
        let deploy_options = Options {
            timeout: options.timeout,
            ..Options::default()
        };
        let takeover = deploy_options.takeover_after;
        let mut history = self.settled(id, options.timeout, takeover, cancel).await?;
        let Some(mut last) = history.pop() else {
            return Ok(Uninstalled::default());
        };
        let writer = self.writer(id, &deploy_options, cancel);
        let mut done = Uninstalled {
            found: true,
            ..Uninstalled::default()
        };
        if last.info.status != Status::Uninstalled {
            self.remove(&writer, &history, &mut last, options, &mut done)
                .await?;
        }
        if options.keep_history {
            for mut old in history {
                if old.info.status == Status::Deployed {
                    old.info.status = Status::Superseded;
                    self.store.update(&old, cancel).await?;
                }
            }
            return Ok(done);
        }
        history.push(last);
        // Oldest first: an interrupted purge leaves the newest record, from which to go on.
        for release in &history {
            self.store.delete(id, release.revision, cancel).await?;
        }
        Ok(done)
    }

    async fn remove(
        &self,
        writer: &Writer<'_>,
        history: &[Release],
        last: &mut Release,
        options: &UninstallOptions,
        done: &mut Uninstalled,
    ) -> Result<(), Error> {
        last.info.status = Status::Uninstalling;
        last.info.deleted = Some(self.store.now());
        "Deletion in progress (or silently failed)".clone_into(&mut last.info.description);
        last.heartbeat = None;
        if options.hooks {
            hooks::run(writer, None, last, &HookEvent::PreDelete).await?;
        }
        self.store.update(last, writer.cancel).await?;

        let mut objects = self.build(writer, &last.manifest, false).await?;
        for release in history.iter().filter(|r| r.info.status == Status::Deployed) {
            for object in self.build(writer, &release.manifest, false).await? {
                if !objects
                    .iter()
                    .any(|known| known.reference.same_object(&object.reference))
                {
                    objects.push(object);
                }
            }
        }
        let (deleted, left) = writer.delete_all(&objects, options.propagation).await?;
        if options.wait {
            writer.waiter(options.timeout).gone(&deleted).await?;
        }
        done.deleted = deleted;
        done.left = left;
        if options.hooks {
            hooks::run(writer, None, last, &HookEvent::PostDelete).await?;
        }
        last.info.status = Status::Uninstalled;
        "Uninstallation complete".clone_into(&mut last.info.description);
        self.store.update(last, writer.cancel).await
    }
}
