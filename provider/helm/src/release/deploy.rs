//! Install, upgrade, rollback: three ways to a new revision.
//!
//! All share one procedure ([`Releases::perform`]): record `pending-*`, hooks before, objects, wait,
//! what vanished, hooks after, record `deployed`. While it runs the record shows signs of life, so
//! that a process which died is told from one that works.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use transport::{pause, within};

use super::apply::Writer;
use super::codec::check_labels;
use super::lookup::ClusterLookup;
use super::objects::{Object, Scopes, parse, place, stamp};
use super::{
    Busy, CrdPolicy, Error, Info, Options, Release, ReleaseId, Releases, Status, UninstallOptions,
    ValuesPolicy, Wait, hooks,
};
use crate::chart::Chart;
use crate::cluster::{ClusterError, ObjectRef, Propagation, WriteOptions};
use crate::render::{self, Capabilities, HookEvent, RenderOptions, Rendered};
use crate::values::merge_maps;

/// How often a working process shows life.
const BEAT: Duration = Duration::from_secs(10);
/// How long one of ours may be silent before it counts as dead.
const DEAD: Duration = Duration::from_secs(40);
/// The time to note a failure when the caller has already given up.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Which way a revision comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Install,
    Upgrade,
    Rollback(u32),
}

impl Way {
    const fn pending(self) -> Status {
        match self {
            Self::Install => Status::PendingInstall,
            Self::Upgrade => Status::PendingUpgrade,
            Self::Rollback(_) => Status::PendingRollback,
        }
    }

    const fn events(self) -> (HookEvent, HookEvent) {
        match self {
            Self::Install => (HookEvent::PreInstall, HookEvent::PostInstall),
            Self::Upgrade => (HookEvent::PreUpgrade, HookEvent::PostUpgrade),
            Self::Rollback(_) => (HookEvent::PreRollback, HookEvent::PostRollback),
        }
    }

    fn begun(self) -> String {
        match self {
            Self::Install => "Initial install underway".to_owned(),
            Self::Upgrade => "Preparing upgrade".to_owned(),
            Self::Rollback(revision) => format!("Rollback to {revision}"),
        }
    }

    fn done(self) -> String {
        match self {
            Self::Install => "Install complete".to_owned(),
            Self::Upgrade => "Upgrade complete".to_owned(),
            Self::Rollback(revision) => format!("Rollback to {revision}"),
        }
    }

    fn failed(self, name: &str, error: &Error) -> String {
        let what = match self {
            Self::Install => "Release",
            Self::Upgrade => "Upgrade",
            Self::Rollback(_) => "Rollback",
        };
        format!("{what} {name:?} failed: {}", error.chain())
    }
}

/// What a new revision does to the cluster.
struct Work {
    way: Way,
    current: Vec<Object>,
    target: Vec<Object>,
    /// Those of `target` that do not exist yet.
    created: Vec<ObjectRef>,
    /// The last revision was written client-side.
    migrate: bool,
}

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
        let way = if basis.is_some() {
            Way::Upgrade
        } else {
            Way::Install
        };
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
                basis.is_some(),
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

    /// Renders with what the live cluster says of itself, `lookup` included, and changes nothing.
    ///
    /// # Errors
    ///
    /// The cluster's and the chart's.
    pub async fn render(
        &self,
        id: &ReleaseId,
        chart: &Chart,
        values: &Map<String, Value>,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Rendered, Error> {
        let history = self.store.history(id, cancel).await?;
        let revision = history.last().map_or(0, |last| last.revision) + 1;
        let basis = basis(&history);
        let values = effective(values, basis, options.values);
        self.render_with(
            id,
            chart,
            &values,
            revision,
            basis.is_some(),
            options,
            cancel,
        )
        .await
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
        let writer = self.writer(id, options, cancel);
        let work = self.work(&writer, way, Some(last), &next).await?;
        self.perform(&history, next, work, &writer).await
    }

    fn writer<'a>(
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
            cancel,
        }
    }

    /// The history once nobody else works on the release: waits for a live process to finish, takes
    /// over from a dead one.
    pub(super) async fn settled(
        &self,
        id: &ReleaseId,
        timeout: Duration,
        takeover_after: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<Release>, Error> {
        let start = self.clock.now();
        loop {
            let mut history = self.store.history(id, cancel).await?;
            let Some(last) = history.last_mut().filter(|r| r.info.status.is_pending()) else {
                return Ok(history);
            };
            let (sign, limit) = match last.heartbeat {
                Some(beat) => (Some(beat), DEAD.min(takeover_after)),
                None => (last.info.last_deployed, takeover_after),
            };
            let silent = silence(sign, self.store.now());
            if silent >= limit {
                tracing::warn!(release = %id, revision = last.revision, "taking over a release whose process died");
                last.info.description = format!(
                    "interrupted: its process has not shown life for {}s",
                    silent.as_secs()
                );
                last.info.status = Status::Failed;
                last.heartbeat = None;
                self.store.update(last, cancel).await?;
                return Ok(history);
            }
            let waited = self.clock.now().saturating_duration_since(start);
            if waited >= timeout {
                return Err(Error::Busy(Box::new(Busy {
                    release: id.clone(),
                    revision: last.revision,
                    status: last.info.status.as_str().to_owned(),
                    since: last
                        .info
                        .last_deployed
                        .map(|time| time.to_string())
                        .unwrap_or_default(),
                    takeover: limit,
                    retry_in: limit.saturating_sub(silent),
                })));
            }
            let nap = Duration::from_secs(2).min(timeout.saturating_sub(waited));
            pause(&*self.clock, nap.max(Duration::from_millis(100)), cancel)
                .await
                .map_err(|_| Error::Cancelled(id.clone()))?;
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call per way, all of it needed"
    )]
    async fn render_with(
        &self,
        id: &ReleaseId,
        chart: &Chart,
        values: &Map<String, Value>,
        revision: u32,
        is_upgrade: bool,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Rendered, Error> {
        let version = self
            .cluster
            .version(cancel)
            .await
            .map_err(Error::cluster(id, "reading the cluster's version"))?;
        let discovery = self
            .cluster
            .discovery(cancel)
            .await
            .map_err(Error::cluster(id, "reading what the cluster offers"))?;
        let render_options = RenderOptions {
            release_name: id.name.clone(),
            namespace: id.namespace.clone(),
            revision,
            is_upgrade,
            values: values.clone(),
            capabilities: Capabilities::of_cluster(&version, &discovery),
            sub_notes: options.sub_notes,
            skip_schema: options.skip_schema,
            lookup: Some(Arc::new(ClusterLookup::new(
                self.cluster.clone(),
                cancel.clone(),
            ))),
            ..RenderOptions::default()
        };
        let chart = chart.clone();
        let work = tokio::task::spawn_blocking(move || render::render(&chart, &render_options));
        let mut rendered = match work.await {
            Ok(outcome) => outcome.map_err(|error| Error::Render(Box::new(error)))?,
            Err(error) => {
                let error = render::Error::Thread(error.to_string());
                return Err(Error::Render(Box::new(error)));
            }
        };
        if cancel.is_cancelled() {
            return Err(Error::Cancelled(id.clone()));
        }
        if let Some(post_render) = &self.post_render {
            post_render(&mut rendered).map_err(Error::Manifest)?;
        }
        Ok(rendered)
    }

    async fn apply_crds(&self, writer: &Writer<'_>, chart: &Chart) -> Result<(), Error> {
        let crds = chart.crds();
        if writer.options.crds == CrdPolicy::Skip || crds.is_empty() {
            return Ok(());
        }
        let discovery = self
            .cluster
            .discovery(writer.cancel)
            .await
            .map_err(Error::cluster(writer.id, "reading what the cluster offers"))?;
        let mut objects = Vec::new();
        for crd in crds {
            let values = parse(&String::from_utf8_lossy(&crd.content)).map_err(|error| {
                Error::Manifest(format!("failed to install CRD {}: {error}", crd.path))
            })?;
            let scopes = Scopes::new(discovery.clone(), &values);
            for value in values {
                objects.extend(place(value, writer.id, &scopes)?);
            }
        }
        let mut written = Vec::new();
        for object in objects {
            let doing = || format!("failed to install CRD {}", object.reference.name);
            let options = WriteOptions {
                // CRDs have many writers: operators, other releases, people. The chart's word counts.
                force: true,
                ..WriteOptions::default()
            };
            let outcome = match writer.options.crds {
                CrdPolicy::Skip => continue,
                CrdPolicy::Create => {
                    match self
                        .cluster
                        .create(&object.value, &options, writer.cancel)
                        .await
                    {
                        Err(ClusterError::AlreadyExists { .. }) => continue,
                        outcome => outcome,
                    }
                }
                CrdPolicy::CreateAndUpdate => {
                    self.cluster
                        .apply(&object.value, &options, writer.cancel)
                        .await
                }
            };
            outcome.map_err(Error::cluster(writer.id, doing()))?;
            written.push(object);
        }
        if written.is_empty() {
            return Ok(());
        }
        writer.crds_ready(&written).await
    }

    async fn create_namespace(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let namespace = ObjectRef::cluster("v1", "Namespace", &id.namespace);
        let doing = format!("creating namespace {}", id.namespace);
        match self.cluster.get(&namespace, cancel).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            // Who may not read namespaces may still be allowed to use this one.
            Err(ClusterError::Denied { .. }) => {}
            Err(error) => return Err(Error::cluster(id, doing)(error)),
        }
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": id.namespace, "labels": {"name": id.namespace}},
        });
        let options = WriteOptions::default();
        match self.cluster.create(&object, &options, cancel).await {
            Ok(_) | Err(ClusterError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(Error::cluster(id, doing)(error)),
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

    async fn perform(
        &self,
        history: &[Release],
        mut next: Release,
        work: Work,
        writer: &Writer<'_>,
    ) -> Result<Release, Error> {
        let (id, cancel) = (writer.id, writer.cancel);
        self.store
            .prune(history, writer.options.history_max, cancel)
            .await?;
        next.heartbeat = Some(self.store.now());
        self.store.create(&next, cancel).await?;
        tracing::info!(release = %id, revision = next.revision, objects = work.target.len(), "deploying a release");

        let revision = next.revision;
        let outcome = tokio::select! {
            outcome = self.steps(&mut next, &work, writer) => outcome,
            never = self.beats(id, revision, cancel) => match never {},
        };
        next.heartbeat = None;
        match outcome {
            Ok(()) => {
                for old in history.iter().filter(|r| r.info.status == Status::Deployed) {
                    let mut old = old.clone();
                    old.info.status = Status::Superseded;
                    // Helm, too, goes on when this fails: the newest revision decides. A record
                    // that was pruned must not come back.
                    let _ = self.store.update(&old, cancel).await;
                }
                next.info.status = Status::Deployed;
                let done = || work.way.done();
                next.info.description = writer.options.description.clone().unwrap_or_else(done);
                self.store.update(&next, cancel).await?;
                Ok(next)
            }
            Err(error) => {
                next.info.status = Status::Failed;
                next.info.description = work.way.failed(&id.name, &error);
                let words = CancellationToken::new();
                let noted = self.store.update(&next, &words);
                // The error itself matters more than the note about it.
                let _ = within(&*self.clock, LAST_WORDS, noted).await;
                if matches!(error, Error::Cancelled(_)) {
                    return Err(error);
                }
                Err(self.after_failure(history, work, writer, error).await)
            }
        }
    }

    async fn beats(
        &self,
        id: &ReleaseId,
        revision: u32,
        cancel: &CancellationToken,
    ) -> std::convert::Infallible {
        loop {
            self.clock.sleep(BEAT).await;
            self.store.beat(id, revision, cancel).await;
        }
    }

    async fn steps(
        &self,
        next: &mut Release,
        work: &Work,
        writer: &Writer<'_>,
    ) -> Result<(), Error> {
        let options = writer.options;
        let (before, after) = work.way.events();
        if options.hooks {
            hooks::run(writer, Some(&self.store), next, &before).await?;
        }
        writer.apply_all(&work.target, work.migrate).await?;
        let vanished: Vec<Object> = work
            .current
            .iter()
            .filter(|old| {
                let same = |new: &Object| new.reference.same_object(&old.reference);
                !work.target.iter().any(same)
            })
            .cloned()
            .collect();
        let (_, left) = writer
            .delete_all(&vanished, Propagation::Background)
            .await?;
        for left in left {
            tracing::info!(release = %writer.id, "object left in place: {left}");
        }
        let references: Vec<ObjectRef> = work
            .target
            .iter()
            .filter(|object| !object.generated())
            .map(|object| object.reference.clone())
            .collect();
        match options.wait {
            Wait::Hooks => {}
            wait @ (Wait::Ready | Wait::ReadyAndJobs) => {
                let jobs = wait == Wait::ReadyAndJobs;
                let waiter = writer.waiter(options.timeout);
                waiter.ready(&references, jobs).await?;
            }
        }
        if options.hooks {
            hooks::run(writer, Some(&self.store), next, &after).await?;
        }
        Ok(())
    }

    /// Tidies up and goes back, as the options ask; the error that comes out tells both.
    async fn after_failure(
        &self,
        history: &[Release],
        work: Work,
        writer: &Writer<'_>,
        error: Error,
    ) -> Error {
        let options = writer.options;
        if options.cleanup_on_failure {
            let created: Vec<Object> = work
                .target
                .into_iter()
                .filter(|object| work.created.contains(&object.reference))
                .collect();
            let cleaned = writer.delete_all(&created, Propagation::Background).await;
            if let Err(cleanup) = cleaned {
                tracing::warn!(release = %writer.id, "unable to cleanup resources: {}", cleanup.chain());
            }
        }
        if !options.rollback_on_failure || matches!(work.way, Way::Rollback(_)) {
            return error;
        }
        let good = history
            .iter()
            .rev()
            .find(|revision| matches!(revision.info.status, Status::Deployed | Status::Superseded));
        let back = match good {
            Some(good) => {
                let options = Options {
                    rollback_on_failure: false,
                    ..options.clone()
                };
                let back = self.rollback(writer.id, Some(good.revision), &options, writer.cancel);
                Box::pin(back).await.map(drop)
            }
            None => {
                let options = UninstallOptions {
                    timeout: options.timeout,
                    hooks: options.hooks,
                    ..UninstallOptions::default()
                };
                self.uninstall(writer.id, &options, writer.cancel)
                    .await
                    .map(drop)
            }
        };
        match back {
            Ok(()) => Error::RolledBack {
                release: writer.id.clone(),
                source: Box::new(error),
            },
            Err(rollback) => Error::RollbackFailed {
                release: writer.id.clone(),
                rollback: Box::new(rollback),
                source: Box::new(error),
            },
        }
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

fn silence(sign: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(sign) = sign else {
        return Duration::MAX;
    };
    Duration::try_from(now.duration_since(sign)).unwrap_or_default()
}

fn effective(
    values: &Map<String, Value>,
    basis: Option<&Release>,
    policy: ValuesPolicy,
) -> Map<String, Value> {
    match (policy, basis) {
        (ValuesPolicy::Reset, _) | (_, None) => values.clone(),
        (ValuesPolicy::KeepWhenEmpty, Some(basis)) if values.is_empty() => basis.config.clone(),
        (ValuesPolicy::KeepWhenEmpty, Some(_)) => values.clone(),
        (ValuesPolicy::ResetThenReuse, Some(basis)) => {
            let mut merged = basis.config.clone();
            merge_maps(&mut merged, values.clone());
            merged
        }
    }
}
