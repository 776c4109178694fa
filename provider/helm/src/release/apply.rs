//! Writing a release's objects: adoption, server-side apply kind by kind, removal.

use std::time::Duration;

use futures::stream;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use transport::Clock;

use super::managed_fields;
use super::objects::{Object, describe, foreign, is_crd, kept, stamp};
use super::wait::Waiter;
use super::{Error, Note, Notes, Options, ReleaseId};
use crate::cluster::{
    Cluster, ClusterError, DeleteOptions, Deleted, FieldCause, ObjectRef, Patch, Propagation,
    WriteOptions,
};
use crate::render::{UNINSTALL_ORDER, kind_order};

/// Requests under way at once for objects of one kind.
const PARALLEL: usize = 8;
/// How long CRDs may take to be served.
const CRD_TIMEOUT: Duration = Duration::from_mins(1);
/// What Helm makes of a timeout of nothing.
const NO_TIMEOUT: Duration = Duration::from_secs(30);

/// What writing needs.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) cluster: &'a dyn Cluster,
    pub(super) clock: &'a dyn Clock,
    pub(super) id: &'a ReleaseId,
    pub(super) options: &'a Options,
    pub(super) notes: Option<&'a Notes>,
    pub(super) cancel: &'a CancellationToken,
}

impl Writer<'_> {
    pub(super) fn tell(&self, note: Note) {
        tracing::info!(release = %self.id, "{note}");
        if let Some(notes) = self.notes {
            notes(note);
        }
    }

    pub(super) fn waiter(&self, timeout: Duration) -> Waiter<'_> {
        Waiter {
            cluster: self.cluster,
            clock: self.clock,
            id: self.id,
            timeout: if timeout.is_zero() {
                NO_TIMEOUT
            } else {
                timeout
            },
            cancel: self.cancel,
        }
    }

    /// Which of `objects` exist already; refused when one of them is not the release's.
    pub(super) async fn existing(
        &self,
        objects: &[&Object],
        operation: &'static str,
    ) -> Result<Vec<ObjectRef>, Error> {
        // Boxed before they are awaited: an adaptor over borrowed objects held across an await makes a
        // future that nobody can send to another thread.
        let mut reads = Vec::new();
        for object in objects.iter().filter(|object| !object.generated()) {
            let read = async move {
                let found = self.cluster.get(&object.reference, self.cancel).await;
                (&object.reference, found)
            };
            reads.push(read.boxed());
        }
        let found: Vec<_> = stream::iter(reads).buffered(PARALLEL).collect().await;
        let mut existing = Vec::new();
        let mut conflicts = Vec::new();
        for (reference, live) in found {
            match live {
                Ok(None) | Err(ClusterError::UnknownKind { .. }) => {}
                Ok(Some(live)) => match foreign(&live, self.id) {
                    Some(why) if !self.options.take_ownership => conflicts.push(format!(
                        "{} exists and cannot be imported into the current release: {why}",
                        describe(reference)
                    )),
                    _ => existing.push(reference.clone()),
                },
                Err(error) => {
                    let doing = format!(
                        "could not get information about the resource {}",
                        describe(reference)
                    );
                    return Err(Error::cluster(self.id, doing)(error));
                }
            }
        }
        if conflicts.is_empty() {
            Ok(existing)
        } else {
            Err(Error::NotOwned {
                operation,
                conflicts,
            })
        }
    }

    /// Applies objects in their order; objects of one kind side by side, the next kind after them. `fresh` ones are
    /// known not to exist. `before` are those of the last revision; `migrate`: it was written client-side.
    pub(super) async fn apply_all(
        &self,
        objects: &[Object],
        before: &[Object],
        fresh: &[ObjectRef],
        migrate: bool,
    ) -> Result<(), Error> {
        for run in objects.chunk_by(|a, b| a.reference.kind == b.reference.kind) {
            let writes: Vec<_> = run
                .iter()
                .map(|object| {
                    let fresh = fresh.contains(&object.reference);
                    let same = |old: &&Object| old.reference.same_object(&object.reference);
                    let before = before.iter().find(same).map(|old| &old.value);
                    self.apply(object, before, fresh, migrate).boxed()
                })
                .collect();
            let mut outcomes = stream::iter(writes).buffered(PARALLEL);
            while let Some(outcome) = outcomes.next().await {
                outcome?;
            }
            if run.iter().any(|object| is_crd(&object.value)) {
                self.crds_ready(run).await?;
            }
        }
        Ok(())
    }

    /// Waits until CRDs are served, so that objects of their kinds can follow.
    pub(super) async fn crds_ready(&self, crds: &[Object]) -> Result<(), Error> {
        let references: Vec<ObjectRef> = crds.iter().map(|crd| crd.reference.clone()).collect();
        self.waiter(CRD_TIMEOUT).ready(&references, false).await?;
        self.cluster.forget_discovery().await;
        Ok(())
    }

    async fn apply(
        &self,
        object: &Object,
        before: Option<&Value>,
        fresh: bool,
        migrate: bool,
    ) -> Result<(), Error> {
        let options = WriteOptions::default();
        let failed = |error| {
            let doing = format!("applying {}", describe(&object.reference));
            Error::cluster(self.id, doing)(error)
        };
        if object.generated() {
            let created = self.cluster.create(&object.value, &options, self.cancel);
            return created.await.map(drop).map_err(failed);
        }
        if migrate {
            self.migrate(&object.reference).await.map_err(failed)?;
        }
        let left = if fresh {
            None
        } else {
            self.leave(object, before).await.map_err(failed)?
        };
        let value = left.as_ref().unwrap_or(&object.value);
        match self.insist(&object.reference, value, options).await {
            Ok(()) => Ok(()),
            Err(ClusterError::Invalid { causes, .. }) if immutable(&causes) => {
                if !self.options.replace_immutable || holds_data(object) {
                    return Err(Error::Immutable {
                        object: Box::new(object.reference.clone()),
                        causes,
                    });
                }
                self.replace(object).await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The object without what is somebody else's in the cluster; `None` when all of it is ours.
    async fn leave(
        &self,
        object: &Object,
        before: Option<&Value>,
    ) -> Result<Option<Value>, ClusterError> {
        let live = match self.cluster.get(&object.reference, self.cancel).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(ClusterError::UnknownKind { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let theirs = &self.options.theirs;
        let mut left = theirs.leave(&object.reference, &object.value, before, &live);
        if let Some(left) = &mut left {
            // The marks of the release are nobody else's.
            stamp(left, self.id);
        }
        Ok(left)
    }

    /// Applies; fields of other managers are taken over where that is allowed, and told.
    async fn insist(
        &self,
        object: &ObjectRef,
        value: &Value,
        mut options: WriteOptions,
    ) -> Result<(), ClusterError> {
        match self.cluster.apply(value, &options, self.cancel).await {
            Err(ClusterError::Conflict { fields, .. }) if self.options.force_conflicts => {
                options.force = true;
                self.cluster.apply(value, &options, self.cancel).await?;
                self.tell(Note::TakenOver {
                    object: object.clone(),
                    fields,
                });
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// Deletes and creates: for changes that the API refuses in place.
    async fn replace(&self, object: &Object) -> Result<(), Error> {
        let doing = || format!("replacing {}", describe(&object.reference));
        self.tell(Note::Replaced {
            object: object.reference.clone(),
        });
        self.cluster
            .delete(&object.reference, &DeleteOptions::default(), self.cancel)
            .await
            .map_err(Error::cluster(self.id, doing()))?;
        self.waiter(self.options.timeout)
            .gone(std::slice::from_ref(&object.reference))
            .await?;
        self.cluster
            .apply(&object.value, &WriteOptions::default(), self.cancel)
            .await
            .map(drop)
            .map_err(Error::cluster(self.id, doing()))
    }

    async fn migrate(&self, reference: &ObjectRef) -> Result<(), ClusterError> {
        let Some(live) = self.cluster.get(reference, self.cancel).await? else {
            return Ok(());
        };
        let Some(fields) = managed_fields::migrated(&live) else {
            return Ok(());
        };
        let patch = Patch::Json(json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion",
                "value": live.pointer("/metadata/resourceVersion")},
        ]));
        let options = WriteOptions::default();
        self.cluster
            .patch(reference, &patch, &options, self.cancel)
            .await?;
        Ok(())
    }

    /// Deletes objects in the order of removal, except those that are kept or belong to someone
    /// else. Returns what was deleted and, in words, what was not.
    pub(super) async fn delete_all(
        &self,
        objects: &[Object],
        propagation: Propagation,
    ) -> Result<(Vec<ObjectRef>, Vec<String>), Error> {
        let mut ordered: Vec<&Object> = objects.iter().filter(|o| !o.generated()).collect();
        ordered.sort_by(|a, b| kind_order(UNINSTALL_ORDER, &a.reference.kind, &b.reference.kind));
        let mut deleted = Vec::new();
        let mut left = Vec::new();
        for run in ordered.chunk_by(|a, b| a.reference.kind == b.reference.kind) {
            let deletes: Vec<_> = run
                .iter()
                .map(|object| self.delete(object, propagation).boxed())
                .collect();
            let outcomes: Vec<_> = stream::iter(deletes).buffered(PARALLEL).collect().await;
            for (object, outcome) in run.iter().zip(outcomes) {
                match outcome? {
                    Fate::Deleted => deleted.push(object.reference.clone()),
                    Fate::Absent => {}
                    Fate::Left(why) => left.push(format!(
                        "[{}] {}: {why}",
                        object.reference.kind, object.reference.name
                    )),
                }
            }
        }
        Ok((deleted, left))
    }

    async fn delete(&self, object: &Object, propagation: Propagation) -> Result<Fate, Error> {
        if kept(&object.value) {
            return Ok(Fate::Left("kept due to the resource policy".into()));
        }
        let reference = &object.reference;
        let doing = || format!("deleting {}", describe(reference));
        let live = match self.cluster.get(reference, self.cancel).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(ClusterError::UnknownKind { .. }) => return Ok(Fate::Absent),
            Err(error) => return Err(Error::cluster(self.id, doing())(error)),
        };
        if kept(&live) {
            return Ok(Fate::Left("kept due to the resource policy".into()));
        }
        if foreign(&live, self.id).is_some() {
            return Ok(Fate::Left("not owned by this release".into()));
        }
        let options = DeleteOptions {
            propagation,
            uid: live
                .pointer("/metadata/uid")
                .and_then(Value::as_str)
                .map(str::to_owned),
            dry_run: false,
        };
        match self.cluster.delete(reference, &options, self.cancel).await {
            Ok(Deleted::Accepted) => Ok(Fate::Deleted),
            Ok(Deleted::Absent) | Err(ClusterError::Stale { .. }) => Ok(Fate::Absent),
            Err(error) => Err(Error::cluster(self.id, doing())(error)),
        }
    }
}

enum Fate {
    Deleted,
    Absent,
    Left(String),
}

/// The API has no reason word of its own for this: immutable fields are forbidden or invalid, and
/// only the text of an invalid one says why.
fn immutable(causes: &[FieldCause]) -> bool {
    const WORDS: &[&str] = &[
        "field is immutable",
        "cannot change roleRef",
        "may not change once set",
        "may not be changed",
    ];
    causes.iter().any(|cause| {
        let forbidden = cause.reason == "FieldValueForbidden";
        forbidden && (cause.field.starts_with("spec") || cause.message.contains("updates to "))
            || WORDS.iter().any(|words| cause.message.contains(words))
    })
}

/// Kinds that hold what cannot be made again: they are never deleted for a field's sake.
fn holds_data(object: &Object) -> bool {
    const KINDS: &[&str] = &[
        "CustomResourceDefinition",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
    ];
    KINDS.contains(&object.reference.kind.as_str()) || kept(&object.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutable_fields_are_known_by_what_servers_say() {
        let cause = |reason: &str, field: &str, message: &str| FieldCause {
            reason: reason.to_owned(),
            field: field.to_owned(),
            message: message.to_owned(),
        };
        for (cause, expected) in [
            (
                cause(
                    "FieldValueInvalid",
                    "spec.selector",
                    "Invalid value: ...: field is immutable",
                ),
                true,
            ),
            (
                cause(
                    "FieldValueForbidden",
                    "spec",
                    "Forbidden: updates to statefulset spec for fields other than ...",
                ),
                true,
            ),
            (
                cause(
                    "FieldValueForbidden",
                    "parameters",
                    "Forbidden: updates to parameters are forbidden.",
                ),
                true,
            ),
            (
                cause(
                    "FieldValueInvalid",
                    "roleRef",
                    "Invalid value: ...: cannot change roleRef",
                ),
                true,
            ),
            (
                cause("FieldValueForbidden", "metadata.name", "Forbidden: no"),
                false,
            ),
            (
                cause(
                    "FieldValueInvalid",
                    "spec.replicas",
                    "Invalid value: -1: must be greater than 0",
                ),
                false,
            ),
        ] {
            assert_eq!(
                immutable(std::slice::from_ref(&cause)),
                expected,
                "{cause:?}"
            );
        }
    }
}
