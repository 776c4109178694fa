//! Waiting: until objects are ready, until they are gone, until a hook has run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use transport::Clock;

use super::objects::describe;
use super::{Error, Readiness, ReleaseId, readiness};
use crate::cluster::{Cluster, ClusterError, ListQuery, ObjectRef};

/// Quick at first, then ever slower, as long as nothing moves.
struct Pace(Duration);

impl Pace {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(5);

    const fn new() -> Self {
        Self(Self::FIRST)
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 3 / 2).min(Self::LAST);
        now
    }
}

/// What a waiter needs.
#[derive(Clone, Copy)]
pub(super) struct Waiter<'a> {
    pub(super) cluster: &'a dyn Cluster,
    pub(super) clock: &'a dyn Clock,
    pub(super) id: &'a ReleaseId,
    pub(super) timeout: Duration,
    pub(super) cancel: &'a CancellationToken,
}

impl Waiter<'_> {
    /// Waits until every object is ready; one that fails ends the wait.
    pub(super) async fn ready(&self, objects: &[ObjectRef], jobs: bool) -> Result<(), Error> {
        let mut pending: BTreeMap<ObjectRef, String> = objects
            .iter()
            .map(|object| (object.clone(), String::new()))
            .collect();
        let start = self.clock.now();
        let mut pace = Pace::new();
        loop {
            let mut failed = Vec::new();
            for object in pending.keys().cloned().collect::<Vec<_>>() {
                let verdict = match self.get(&object).await? {
                    None => Readiness::Progressing("not found".into()),
                    Some(live) => readiness(&live, jobs),
                };
                match verdict {
                    Readiness::Ready => {
                        pending.remove(&object);
                        pace = Pace::new();
                    }
                    Readiness::Failed(why) => failed.push((object, why)),
                    Readiness::Progressing(why) => {
                        pending.insert(object, why);
                    }
                    Readiness::Terminating => {
                        pending.insert(object, "being deleted".into());
                    }
                }
            }
            let after = self.clock.now().saturating_duration_since(start);
            if !failed.is_empty() {
                return Err(self.not_ready(after, failed).await);
            }
            if pending.is_empty() {
                return Ok(());
            }
            let Some(left) = self.timeout.checked_sub(after).filter(|l| !l.is_zero()) else {
                return Err(self.not_ready(after, pending.into_iter().collect()).await);
            };
            let waiting: Vec<ObjectRef> = pending.keys().cloned().collect();
            self.pause(&waiting, pace.next().min(left)).await?;
        }
    }

    /// Waits until no object exists any more.
    pub(super) async fn gone(&self, objects: &[ObjectRef]) -> Result<(), Error> {
        let mut pending = objects.to_vec();
        let start = self.clock.now();
        let mut pace = Pace::new();
        loop {
            let mut left_over = Vec::new();
            for object in pending {
                match self.get(&object).await {
                    Ok(None) => {}
                    Ok(Some(_)) => left_over.push(object),
                    Err(error) => return Err(error),
                }
            }
            pending = left_over;
            if pending.is_empty() {
                return Ok(());
            }
            let after = self.clock.now().saturating_duration_since(start);
            let Some(left) = self.timeout.checked_sub(after).filter(|l| !l.is_zero()) else {
                let objects = pending
                    .iter()
                    .map(|object| format!("{}: still there", describe(object)))
                    .collect();
                return Err(Error::NotReady {
                    release: self.id.clone(),
                    after,
                    objects,
                });
            };
            self.pause(&pending, pace.next().min(left)).await?;
        }
    }

    /// Waits until a hook's object has run: a Job or Pod to its end, others not at all.
    pub(super) async fn ran(&self, object: &ObjectRef) -> Result<(), String> {
        if !matches!(object.kind.as_str(), "Job" | "Pod") {
            return Ok(());
        }
        let start = self.clock.now();
        let mut pace = Pace::new();
        loop {
            let live = self.get(object).await.map_err(|error| error.chain())?;
            match live.as_ref().map_or(End::Open, ending) {
                End::Good => return Ok(()),
                End::Bad(why) => return Err(why),
                End::Open => {}
            }
            let after = self.clock.now().saturating_duration_since(start);
            let Some(left) = self.timeout.checked_sub(after).filter(|l| !l.is_zero()) else {
                let causes = self.causes(live.as_ref()).await;
                return Err(format!(
                    "timed out waiting for the condition after {}s{causes}",
                    after.as_secs()
                ));
            };
            self.pause(std::slice::from_ref(object), pace.next().min(left))
                .await
                .map_err(|error| error.chain())?;
        }
    }

    async fn get(&self, object: &ObjectRef) -> Result<Option<Value>, Error> {
        match self.cluster.get(object, self.cancel).await {
            Ok(found) => Ok(found),
            // A kind that went away took its objects along.
            Err(ClusterError::UnknownKind { .. }) => Ok(None),
            Err(error) => Err(Error::cluster(self.id, format!("reading {object}"))(error)),
        }
    }

    async fn pause(&self, objects: &[ObjectRef], at_most: Duration) -> Result<(), Error> {
        // The clock decides when the time is up; the cluster may end the pause sooner.
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::Cancelled(self.id.clone())),
            outcome = self.cluster.changed(objects, at_most, self.cancel) => {
                outcome.map_err(Error::cluster(self.id, "waiting for changes"))
            }
            () = self.clock.sleep(at_most) => Ok(()),
        }
    }

    async fn not_ready(&self, after: Duration, pending: Vec<(ObjectRef, String)>) -> Error {
        let mut objects = Vec::new();
        for (object, why) in pending {
            let live = self.cluster.get(&object, self.cancel).await.ok().flatten();
            let causes = self.causes(live.as_ref()).await;
            objects.push(format!("{}: {why}{causes}", describe(&object)));
        }
        Error::NotReady {
            release: self.id.clone(),
            after,
            objects,
        }
    }

    /// Why the pods of a workload do not run, as far as they say so themselves, or why there are none.
    async fn causes(&self, workload: Option<&Value>) -> String {
        let Some(workload) = workload else {
            return String::new();
        };
        let mut reasons: Vec<String> = self
            .pods(workload)
            .await
            .iter()
            .flat_map(pod_reasons)
            .collect();
        reasons.sort();
        reasons.dedup();
        if reasons.is_empty() {
            reasons.extend(self.refused_pod(workload).await);
        }
        reasons.truncate(3);
        if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({})", reasons.join("; "))
        }
    }

    async fn pods(&self, workload: &Value) -> Vec<Value> {
        let selector = workload
            .pointer("/spec/selector/matchLabels")
            .and_then(Value::as_object);
        let Some(selector) = selector else {
            return Vec::new();
        };
        let labels: Vec<String> = selector
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        self.beside(workload, "Pod", labels.join(",")).await
    }

    /// Why a workload's controller could make no pod: admission or a quota refused it. Deployments say so in a condition,
    /// the others by an event alone.
    async fn refused_pod(&self, workload: &Value) -> Option<String> {
        let told = |text: &str| format!("pods cannot be made: {text}");
        let conditions = workload.pointer("/status/conditions");
        let failure = conditions
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|one| one["type"] == "ReplicaFailure" && one["status"] == "True");
        if let Some(failure) = failure {
            return failure["message"].as_str().map(told);
        }
        let uid = workload.pointer("/metadata/uid")?;
        let events = self.beside(workload, "Event", String::new()).await;
        events
            .iter()
            .filter(|event| {
                event["reason"] == "FailedCreate"
                    && event.pointer("/involvedObject/uid") == Some(uid)
            })
            .max_by_key(|event| event["lastTimestamp"].as_str().map(str::to_owned))
            .and_then(|event| event["message"].as_str())
            .map(told)
    }

    /// Objects of the core API in the namespace of another; none where they cannot be read.
    async fn beside(&self, object: &Value, kind: &str, labels: String) -> Vec<Value> {
        let query = ListQuery {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: object
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .map(str::to_owned),
            labels,
        };
        let found = self.cluster.list(&query, self.cancel).await;
        found.unwrap_or_default()
    }
}

enum End {
    Open,
    Good,
    Bad(String),
}

fn ending(object: &Value) -> End {
    if object["kind"] == "Pod" {
        return match object.pointer("/status/phase").and_then(Value::as_str) {
            Some("Succeeded") => End::Good,
            Some("Failed") => End::Bad(format!("pod {} failed", name(object))),
            _ => End::Open,
        };
    }
    match readiness(object, true) {
        Readiness::Ready => End::Good,
        Readiness::Failed(why) => End::Bad(format!("job {} failed: {why}", name(object))),
        Readiness::Progressing(_) | Readiness::Terminating => End::Open,
    }
}

fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn pod_reasons(pod: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    for list in ["initContainerStatuses", "containerStatuses"] {
        let containers = pod.get("status").and_then(|status| status.get(list));
        for container in containers.and_then(Value::as_array).into_iter().flatten() {
            for state in ["waiting", "terminated"] {
                let Some(state) = container.get("state").and_then(|all| all.get(state)) else {
                    continue;
                };
                let text = |key: &str| state.get(key).and_then(Value::as_str).unwrap_or_default();
                if !matches!(
                    text("reason"),
                    "" | "Completed" | "PodInitializing" | "ContainerCreating"
                ) {
                    let container = container["name"].as_str().unwrap_or_default();
                    reasons.push(format!(
                        "container {container}: {} {}",
                        text("reason"),
                        text("message")
                    ));
                }
            }
        }
    }
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    for condition in conditions.into_iter().flatten() {
        if condition["type"] == "PodScheduled" && condition["status"] == "False" {
            let message = condition["message"].as_str().unwrap_or_default();
            reasons.push(format!("not scheduled: {message}"));
        }
    }
    reasons
}
