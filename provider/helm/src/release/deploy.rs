//! Install, upgrade, rollback: three ways to a new revision.
//!
//! All share one procedure ([`Releases::perform`]): record `pending-*`, hooks before, objects, wait,
//! what vanished, hooks after, record `deployed`. While it runs the record shows signs of life, so
//! that a process which died is told from one that works.

mod before;
mod perform;
mod rendering;
mod takeover;
mod way;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::apply::Writer;
use super::codec::check_labels;
use super::objects::{Object, Scopes, parse, place, stamp};
use super::{Error, Info, Options, Release, ReleaseId, Releases, Status};
use crate::chart::Chart;
use crate::render;
use rendering::effective;
use way::{Way, Work};

impl Releases {
    /// Makes the cluster hold this chart with these values: installs, upgrades, repairs a failed
    /// revision by upgrading it, takes over one whose process died.
    ///
    /// # Errors
    ///
    /// Everything in [`Error`]. A failed revision is recorded as such; the next call goes on from it.
    pub async fn deploy(
        &self,
        id: &ReleaseId,
        chart: &Chart,
        values: &Map<String, Value>,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Release, Error> {
        if !render::valid_release_name(&id.name) {
            let error = render::Error::ReleaseName(id.name.clone());
            return Err(Error::Render(Box::new(error)));
        }
        check_labels(&options.labels)?;
        let history = self
            .settled(id, options.timeout, options.takeover_after, cancel)
            .await?;
        let basis = basis(&history);
        let way = way(&history);
        let values = effective(values, basis, options.values);
        let writer = self.writer(id, options, cancel);
        self.apply_crds(&writer, chart).await?;

        let revision = history.last().map_or(0, |last| last.revision) + 1;
        let rendered = self
            .render_with(
                id,
                chart,
                &values,
                revision,
                way == Way::Upgrade,
                options,
                cancel,
            )
            .await?;
        let now = self.store.now();
        let info = Info {
            first_deployed: basis.and_then(|b| b.info.first_deployed).or(Some(now)),
            last_deployed: Some(now),
            deleted: None,
            description: way.begun(),
            status: way.pending(),
            rollback_revision: 0,
            notes: String::new(),
        };
        let mut next = Release::new(id, revision, chart, values, &rendered, info);
        next.labels = basis.map(|b| b.labels.clone()).unwrap_or_default();
        next.labels.extend(options.labels.clone());
        options.stamp(&mut next);

        let mut work = self.work(&writer, way, basis, &next).await?;
        let fresh: Vec<&Object> = work
            .target
            .iter()
            .filter(|object| !object.generated())
            .filter(|object| {
                let same = |old: &Object| old.reference.same_object(&object.reference);
                !work.current.iter().any(same)
            })
            .collect();
        let operation = if way == Way::Install {
            "install"
        } else {
            "update"
        };
        let existing = writer.existing(&fresh, operation).await?;
        work.created = fresh
            .iter()
            .map(|object| object.reference.clone())
            .filter(|reference| !existing.contains(reference))
            .collect();
        if options.create_namespace {
            self.create_namespace(id, cancel).await?;
        }
        self.perform(&history, next, work, &writer).await
    }

    /// Brings an earlier revision back as a new one; without a number the one before the last.
    ///
    /// # Errors
    ///
    /// As [`Self::deploy`], and [`Error::NoRevision`].
    pub async fn rollback(
        &self,
        id: &ReleaseId,
        revision: Option<u32>,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Release, Error> {
        let history = self
            .settled(id, options.timeout, options.takeover_after, cancel)
            .await?;
        let Some(last) = history.last() else {
            return Err(Error::NotFound(id.clone()));
        };
        let revision = revision.unwrap_or_else(|| last.revision.saturating_sub(1));
        let Some(old) = history.iter().find(|old| old.revision == revision) else {
            return Err(Error::NoRevision {
                release: id.clone(),
                revision,
            });
        };
        let way = Way::Rollback(revision);
        let mut next = old.clone();
        next.revision = last.revision + 1;
        next.created_at = None;
        next.heartbeat = None;
        "ssa".clone_into(&mut next.apply_method);
        next.info = Info {
            first_deployed: last.info.first_deployed,
            last_deployed: Some(self.store.now()),
            deleted: None,
            description: way.begun(),
            status: way.pending(),
            rollback_revision: revision,
            notes: old.info.notes.clone(),
        };
        options.stamp(&mut next);
        let writer = self.writer(id, options, cancel);
        let work = self.work(&writer, way, Some(last), &next).await?;
        self.perform(&history, next, work, &writer).await
    }

    pub(super) fn writer<'a>(
        &'a self,
        id: &'a ReleaseId,
        options: &'a Options,
        cancel: &'a CancellationToken,
    ) -> Writer<'a> {
        Writer {
            cluster: &*self.cluster,
            clock: &*self.clock,
            id,
            options,
            notes: self.notes.as_ref(),
            cancel,
        }
    }

    async fn work(
        &self,
        writer: &Writer<'_>,
        way: Way,
        current: Option<&Release>,
        next: &Release,
    ) -> Result<Work, Error> {
        let target = self.build(writer, &next.manifest, true).await?;
        let current_objects = match current {
            Some(current) => self.build(writer, &current.manifest, false).await?,
            None => Vec::new(),
        };
        Ok(Work {
            way,
            current: current_objects,
            target,
            created: Vec::new(),
            migrate: current.is_some_and(|current| !current.server_side()),
        })
    }

    /// The objects of a manifest with namespaces and marks. Kinds that the server does not know are
    /// an error when `strict`, else left out.
    pub(super) async fn build(
        &self,
        writer: &Writer<'_>,
        manifest: &str,
        strict: bool,
    ) -> Result<Vec<Object>, Error> {
        let values = parse(manifest)?;
        let discovery = self
            .cluster
            .discovery(writer.cancel)
            .await
            .map_err(Error::cluster(writer.id, "reading what the cluster offers"))?;
        let scopes = Scopes::new(discovery, &values);
        let mut objects = Vec::new();
        let mut unknown = Vec::new();
        for value in values {
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            let (kind, api_version) = (text("kind"), text("apiVersion"));
            match place(value, writer.id, &scopes)? {
                Some(mut object) => {
                    stamp(&mut object.value, writer.id);
                    objects.push(object);
                }
                None if strict => {
                    let line = format!("no matches for kind {kind:?} in version {api_version:?}");
                    if !unknown.contains(&line) {
                        unknown.push(line);
                    }
                }
                None => {}
            }
        }
        if unknown.is_empty() {
            Ok(objects)
        } else {
            Err(Error::Manifest(format!(
                "{}; ensure CRDs are installed first",
                unknown.join(", ")
            )))
        }
    }
}

/// What was never there is installed, however often that was tried: hooks that failed have to run.
fn way(history: &[Release]) -> Way {
    let was_there =
        |release: &Release| matches!(release.info.status, Status::Deployed | Status::Superseded);
    if basis(history).is_some() && history.iter().any(was_there) {
        Way::Upgrade
    } else {
        Way::Install
    }
}

/// The revision whose objects are in the cluster: the one in force, else the last that was tried.
fn basis(history: &[Release]) -> Option<&Release> {
    let last = history.last()?;
    if last.info.status == Status::Uninstalled {
        return None;
    }
    history
        .iter()
        .rev()
        .find(|release| release.info.status == Status::Deployed)
        .or(Some(last))
}
