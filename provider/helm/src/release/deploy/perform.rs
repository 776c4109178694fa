//! One revision, from its record `pending-*` to its end, whatever that is.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use transport::within;

use super::basis;
use super::way::{Way, Work};
use crate::cluster::{ObjectRef, Propagation};
use crate::release::apply::Writer;
use crate::release::objects::Object;
use crate::release::{
    Error, Note, Options, Release, ReleaseId, Releases, Status, UninstallOptions, Wait, hooks,
};

/// How often a working process shows life.
const BEAT: Duration = Duration::from_secs(10);
/// The time to note a failure when the caller has already given up.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Releases {
    pub(super) async fn perform(
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
                // The one that was started from goes too, if it failed and none was in force: so does helm's upgrade, and
                // helm's rollback does not.
                let started_from = match work.way {
                    Way::Rollback(_) => None,
                    Way::Install | Way::Upgrade => basis(history).map(|basis| basis.revision),
                };
                let replaced = |old: &&Release| {
                    old.info.status == Status::Deployed
                        || (old.info.status == Status::Failed && started_from == Some(old.revision))
                };
                for old in history.iter().filter(replaced) {
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
        writer
            .apply_all(&work.target, &work.current, &work.created, work.migrate)
            .await?;
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
            writer.tell(Note::Left { why: left });
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
