//! Drift: what of a release's objects is no longer as the release made it.
//!
//! Each object is read; when every field of the release is as it was, that is all. Otherwise a
//! server-side apply as a dry run tells whether the difference is real (the server may only write
//! `1000m` as `1`) and who owns the field now. What controllers own is not drift; a field that a
//! person changed is, named with its manager.

use std::collections::BTreeMap;

use futures::stream;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fields::{partners, print};
use super::kstatus::{Readiness, readiness};
use super::managed_fields::Step;
use super::objects::{Object, Scopes, parse, place, stamp};
use super::theirs::owner;
use super::{Error, Release, Releases, Theirs};
use crate::cluster::{ClusterError, ObjectRef, WriteOptions};

/// Requests under way at once.
const PARALLEL: usize = 8;
/// Deviating objects that [`Drift::compact`] lists.
const LISTED: usize = 50;
/// Fields that it lists for one object.
const FIELDS: usize = 5;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftOptions {
    /// What is not drift.
    pub theirs: Theirs,
    /// Whether objects that are not ready (kstatus) are told too, jobs that have started being ready.
    pub health: bool,
}

/// One way in which an object deviates. No value is kept: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    /// The object is gone.
    Missing,
    /// A field differs.
    Field {
        /// `.spec.template.spec.containers[name="app"].image`
        path: String,
        /// Who owns it now; empty when nobody says.
        manager: String,
    },
    /// The server would not take the release's object any more.
    Refused(String),
    /// It is as the release made it, or not, and not ready.
    NotReady {
        /// What is missing.
        why: String,
        /// The nodes on which a DaemonSet should have an available pod and has none; 0 for other kinds.
        shortfall: usize,
    },
}

/// Every deviating object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// What deviates, by object.
    pub objects: BTreeMap<ObjectRef, Vec<Deviation>>,
}

impl Drift {
    /// Nothing deviates.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// For state: one line an object, at most fifty objects, then their number under the key `...`.
    pub fn compact(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = self
            .objects
            .iter()
            .take(LISTED)
            .map(|(object, deviations)| (object.to_string(), line(deviations)))
            .collect();
        if self.objects.len() > LISTED {
            let more = self.objects.len() - LISTED;
            all.insert("...".to_owned(), format!("{more} more objects"));
        }
        all
    }
}

fn line(deviations: &[Deviation]) -> String {
    let mut parts: Vec<String> = deviations
        .iter()
        .take(FIELDS)
        .map(|deviation| match deviation {
            Deviation::Missing => "missing".to_owned(),
            Deviation::Field { path, manager } if manager.is_empty() => format!("{path} changed"),
            Deviation::Field { path, manager } => format!("{path} changed by {manager}"),
            Deviation::Refused(why) => format!("refused by the server: {why}"),
            Deviation::NotReady { why, .. } => format!("not ready: {why}"),
        })
        .collect();
    if deviations.len() > FIELDS {
        parts.push(format!("{} more fields", deviations.len() - FIELDS));
    }
    parts.join(", ")
}

impl Releases {
    /// Compares a revision's objects with the live ones.
    ///
    /// # Errors
    ///
    /// Whatever the cluster answers besides "not found" and apply conflicts.
    pub async fn drift(
        &self,
        release: &Release,
        options: &DriftOptions,
        cancel: &CancellationToken,
    ) -> Result<Drift, Error> {
        let values = parse(&release.manifest)?;
        let discovery = self
            .cluster
            .discovery(cancel)
            .await
            .map_err(Error::cluster(
                &release.id,
                "reading what the cluster offers",
            ))?;
        let scopes = Scopes::new(discovery, &values);
        let mut objects = Vec::new();
        let mut drift = Drift::default();
        for value in values {
            let reference = ObjectRef::of(&value);
            match place(value, &release.id, &scopes)? {
                Some(mut object) if !object.generated() => {
                    stamp(&mut object.value, &release.id);
                    objects.push(object);
                }
                Some(_) => {}
                // The kind is gone, and its objects with it.
                None => {
                    if let Some(reference) = reference {
                        drift.objects.insert(reference, vec![Deviation::Missing]);
                    }
                }
            }
        }
        // Boxed before they are awaited, so that the whole future can move between threads.
        let checks: Vec<_> = objects
            .iter()
            .map(|object| self.check(release, object, options, cancel).boxed())
            .collect();
        let mut checks = stream::iter(checks).buffered(PARALLEL);
        let mut position = 0;
        while let Some(found) = checks.next().await {
            let found = found?;
            if !found.is_empty() {
                let reference = objects[position].reference.clone();
                drift.objects.insert(reference, found);
            }
            position += 1;
        }
        Ok(drift)
    }

    async fn check(
        &self,
        release: &Release,
        object: &Object,
        options: &DriftOptions,
        cancel: &CancellationToken,
    ) -> Result<Vec<Deviation>, Error> {
        let reference = &object.reference;
        let live = match self.cluster.get(reference, cancel).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(ClusterError::UnknownKind { .. }) => {
                return Ok(vec![Deviation::Missing]);
            }
            Err(error) => {
                return Err(Error::cluster(&release.id, format!("reading {reference}"))(
                    error,
                ));
            }
        };
        let health = options.health.then(|| readiness(&live, false));
        let unready = match health {
            None | Some(Readiness::Ready) => None,
            Some(Readiness::Progressing(why) | Readiness::Failed(why)) => Some(why),
            Some(Readiness::Terminating) => Some("it is being deleted".to_owned()),
        };
        let shortfall = shortfall(&live);
        let unready: Vec<Deviation> = unready
            .map(|why| Deviation::NotReady { why, shortfall })
            .into_iter()
            .collect();
        if contains(&live, &object.value) {
            return Ok(unready);
        }
        let write = WriteOptions {
            dry_run: true,
            force: true,
            ..WriteOptions::default()
        };
        let target = match self.cluster.apply(&object.value, &write, cancel).await {
            Ok(target) => target,
            Err(ClusterError::Invalid {
                message, causes, ..
            }) => {
                let fields: Vec<String> = causes.into_iter().map(|cause| cause.field).collect();
                // The server's text quotes values; its fields do not.
                let why = if fields.is_empty() && object.reference.kind != "Secret" {
                    message
                } else {
                    fields.join(", ")
                };
                return Ok(vec![Deviation::Refused(why)]);
            }
            Err(error) => {
                let doing = format!("comparing {reference} by a dry run");
                return Err(Error::cluster(&release.id, doing)(error));
            }
        };
        let mut found = unready;
        let comparison = Comparison {
            theirs: &options.theirs,
            object: reference,
            root: &live,
        };
        comparison.run(&object.value, &live, &target, &[], &mut found);
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// Whether every field of `ours` is in `live` as it is.
fn contains(live: &Value, ours: &Value) -> bool {
    match (live, ours) {
        (Value::Object(live), Value::Object(ours)) => {
            ours.iter().all(|(key, ours)| match live.get(key) {
                Some(live) => contains(live, ours),
                None => empty(ours),
            })
        }
        (Value::Array(live), Value::Array(ours)) => {
            live.len() == ours.len()
                && live
                    .iter()
                    .zip(ours)
                    .all(|(live, ours)| contains(live, ours))
        }
        (Value::Number(live), Value::Number(ours)) => live.as_f64() == ours.as_f64(),
        _ => live == ours || (live.is_null() && empty(ours)),
    }
}

/// Servers leave out what says nothing.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(empty),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A DaemonSet's nodes without an available pod, by its status.
fn shortfall(live: &Value) -> usize {
    if live["kind"] != "DaemonSet" {
        return 0;
    }
    let number = |field: &str| {
        let number = live["status"][field].as_u64().unwrap_or_default();
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    number("desiredNumberScheduled").saturating_sub(number("numberAvailable"))
}

/// Finds where the live object and the one that an apply would make differ, as far as the release
/// speaks of it.
struct Comparison<'c> {
    theirs: &'c Theirs,
    object: &'c ObjectRef,
    /// The live object.
    root: &'c Value,
}

impl Comparison<'_> {
    fn run(
        &self,
        ours: &Value,
        live: &Value,
        target: &Value,
        path: &[Step<'_>],
        found: &mut Vec<Deviation>,
    ) {
        if live == target {
            return;
        }
        match (ours, live, target) {
            (Value::Object(ours), Value::Object(live), Value::Object(target)) => {
                for (key, ours) in ours {
                    let here = [path, &[Step::Field(key)]].concat();
                    let target = target.get(key).unwrap_or(&Value::Null);
                    match live.get(key) {
                        Some(live) => self.run(ours, live, target, &here, found),
                        None if empty(target) => {}
                        None => self.push(&here, String::new(), found),
                    }
                }
            }
            (Value::Array(ours), Value::Array(live), Value::Array(target)) => {
                let places = partners(ours, live).zip(partners(ours, target));
                let Some((in_live, in_target)) = places else {
                    return self.push(path, owner(self.root, path), found);
                };
                for (ours, (live_at, target_at)) in
                    ours.iter().zip(in_live.into_iter().zip(in_target))
                {
                    match (live_at, target_at) {
                        (Some(at), Some(target_at)) => {
                            let here = [path, &[Step::Element(at, &live[at])]].concat();
                            self.run(ours, &live[at], &target[target_at], &here, found);
                        }
                        (None, Some(target_at)) => {
                            let here = [path, &[Step::Element(target_at, ours)]].concat();
                            self.push(&here, String::new(), found);
                        }
                        (_, None) => {}
                    }
                }
            }
            _ => self.push(path, owner(self.root, path), found),
        }
    }

    fn push(&self, path: &[Step<'_>], manager: String, found: &mut Vec<Deviation>) {
        if !self.theirs.field(self.object, path, &manager) {
            found.push(Deviation::Field {
                path: print(path),
                manager,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(ours: &Value, live: &Value, target: &Value) -> Vec<Deviation> {
        let object = ObjectRef::namespaced("apps/v1", "Deployment", "shop", "web");
        let comparison = Comparison {
            theirs: &Theirs::default(),
            object: &object,
            root: live,
        };
        let mut found = Vec::new();
        comparison.run(ours, live, target, &[], &mut found);
        found
    }

    /// A sidecar that somebody injects is nobody's loss, and does not hide what else was changed.
    #[test]
    fn elements_of_others_are_no_drift() {
        let ours = json!({"containers": [{"name": "app", "image": "a"}, {"name": "log"}]});
        let live = json!({"containers": [{"name": "proxy"}, {"name": "app", "image": "b"}]});
        let target = json!({"containers": [{"name": "proxy"}, {"name": "app", "image": "a"}, {"name": "log"}]});
        let by = |path: &str| Deviation::Field {
            path: path.to_owned(),
            manager: String::new(),
        };
        assert_eq!(
            differences(&ours, &live, &target),
            [
                by(".containers[name=\"app\"].image"),
                by(".containers[name=\"log\"]")
            ]
        );
    }

    #[test]
    fn a_daemon_set_tells_how_many_nodes_it_lacks() {
        let status = json!({"desiredNumberScheduled": 5, "numberAvailable": 3});
        assert_eq!(
            shortfall(&json!({"kind": "DaemonSet", "status": status})),
            2
        );
        assert_eq!(
            shortfall(&json!({"kind": "Deployment", "status": status})),
            0
        );
        assert_eq!(shortfall(&json!({"kind": "DaemonSet"})), 0);
    }

    #[test]
    fn fields_of_others_are_no_drift() {
        let ours = json!({"spec": {"a": 1, "list": [{"name": "x"}]}});
        let live =
            json!({"spec": {"a": 1.0, "b": 2, "list": [{"name": "x", "more": 1}]}, "status": {}});
        assert!(contains(&live, &ours));
        assert!(!contains(&json!({"spec": {"a": 2}}), &ours));
    }

    #[test]
    fn a_field_changed_by_hand_is_named_with_its_manager() {
        let ours = json!({"spec": {"replicas": 1, "containers": [{"name": "app", "image": "a"}]}});
        let live = json!({"metadata": {"managedFields": [{"manager": "kubectl-edit", "fieldsV1": {
            "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}}}]},
            "spec": {"replicas": 3, "containers": [{"name": "app", "image": "b"}]}});
        let target =
            json!({"spec": {"replicas": 1, "containers": [{"name": "app", "image": "a"}]}});
        let by = |path: &str| Deviation::Field {
            path: path.to_owned(),
            manager: "kubectl-edit".to_owned(),
        };
        let mut found = differences(&ours, &live, &target);
        found.sort();
        assert_eq!(
            found,
            [
                by(".spec.containers[name=\"app\"].image"),
                by(".spec.replicas")
            ]
        );
    }

    #[test]
    fn what_the_server_only_writes_differently_is_no_drift() {
        let ours = json!({"cpu": "1000m"});
        let live = json!({"cpu": "1"});
        assert_eq!(differences(&ours, &live, &live), []);
        assert_eq!(differences(&ours, &json!({}), &json!({})), []);
        assert_eq!(differences(&ours, &json!({}), &live).len(), 1);
    }

    #[test]
    fn state_keeps_fifty_objects_and_then_a_number() {
        let drift = Drift {
            objects: (0..60)
                .map(|i| {
                    let object = ObjectRef::namespaced("v1", "ConfigMap", "a", &format!("{i:02}"));
                    (object, vec![Deviation::Missing])
                })
                .collect(),
        };
        let compact = drift.compact();
        assert_eq!(compact.len(), 51);
        assert_eq!(compact["..."], "10 more objects");
        assert_eq!(compact["v1 ConfigMap a/00"], "missing");
    }
}
