//! Emptying a node through the eviction API, which respects disruption budgets.

use std::collections::BTreeMap;
use std::time::Duration;

use helm::ClusterError;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use crate::client::Ask;
use crate::{Client, Error, kinds, query, status};

/// How to drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainOptions {
    /// The time for all of it.
    pub limit: Duration,
    /// Pods that have been terminating for longer than this are no longer waited for: the kubelet of
    /// a dead node never confirms. `None` waits for all.
    pub give_up_on_terminating: Option<Duration>,
}

/// A pod that is still on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why it is still there.
    pub reason: String,
}

/// What a drain did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Pods that were evicted by this call.
    pub evicted: usize,
    /// Pods that stay: those of DaemonSets and the kubelet's own.
    pub staying: usize,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    annotations: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
    deletion_timestamp: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    controller: bool,
}

impl Pod {
    /// Pods of DaemonSets come back at once, and mirror pods are the kubelet's.
    fn stays(&self) -> bool {
        let metadata = &self.metadata;
        metadata
            .annotations
            .contains_key("kubernetes.io/config.mirror")
            || metadata
                .owner_references
                .iter()
                .any(|owner| owner.controller && owner.kind == "DaemonSet")
    }
}

/// The answer to an eviction.
enum Eviction {
    Accepted,
    Gone,
    Blocked(String),
}

impl Client {
    /// Cordons a node and evicts its pods, again and again where a disruption budget does not allow
    /// it yet, until only those are left that stay. A node that does not exist is drained.
    ///
    /// # Errors
    /// [`Error::DrainTimeout`] with the pods that block; the node stays cordoned.
    pub async fn drain(
        &self,
        node: &str,
        options: &DrainOptions,
        cancel: &CancellationToken,
    ) -> Result<Drained, Error> {
        match self.cordon(node, true, cancel).await {
            Ok(_) => {}
            Err(Error::Call(ClusterError::NotFound { .. })) => return Ok(Drained::default()),
            Err(error) => return Err(error),
        }
        let drained = std::sync::Mutex::new(Drained::default());
        let look = || async {
            let pods = match self.pods_on(node, cancel).await {
                Ok(pods) => pods,
                Err(Error::Call(ClusterError::Unreachable { source, .. })) => {
                    return Ok(Probe::Pending(vec![Blocked {
                        namespace: String::new(),
                        name: String::new(),
                        reason: format!("the cluster does not answer: {source}"),
                    }]));
                }
                Err(error) => return Err(error),
            };
            let (staying, leaving): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(Pod::stays);
            let mut blocked = Vec::new();
            let mut evicted = 0;
            for pod in leaving {
                let reason = match pod.metadata.deletion_timestamp {
                    Some(since) if self.is_given_up(since, options) => continue,
                    Some(_) => "terminating".to_owned(),
                    None => match self.evict(&pod, cancel).await? {
                        Eviction::Gone => continue,
                        Eviction::Accepted => {
                            evicted += 1;
                            "terminating".to_owned()
                        }
                        Eviction::Blocked(reason) => reason,
                    },
                };
                blocked.push(Blocked {
                    namespace: pod.metadata.namespace,
                    name: pod.metadata.name,
                    reason,
                });
            }
            {
                let mut drained = drained
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                drained.evicted += evicted;
                drained.staying = staying.len();
            }
            Ok(if blocked.is_empty() {
                Probe::Ready(())
            } else {
                Probe::Pending(blocked)
            })
        };
        let clock = self.0.clock.as_ref();
        poll_until(clock, cancel, &mut Pace::new(), options.limit, look)
            .await
            .map_err(|error| match error {
                WaitError::Cancelled => Error::Call(ClusterError::Cancelled),
                WaitError::Look(error) => error,
                WaitError::Deadline { last, elapsed } => Error::DrainTimeout {
                    node: node.to_owned(),
                    blocked: last,
                    elapsed,
                },
            })?;
        Ok(drained
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn is_given_up(&self, since: Timestamp, options: &DrainOptions) -> bool {
        let Some(patience) = options.give_up_on_terminating else {
            return false;
        };
        let now = Timestamp::try_from(self.0.clock.wall()).unwrap_or(Timestamp::MAX);
        // The timestamp is the end of the grace period, so this is never too early.
        now.duration_since(since) > jiff::SignedDuration::try_from(patience).unwrap_or_default()
    }

    async fn pods_on(&self, node: &str, cancel: &CancellationToken) -> Result<Vec<Pod>, Error> {
        let selector = format!("spec.nodeName={node}");
        let pods = kinds::builtin("v1", "Pod");
        let items = self
            .list_all(&pods, None, &[("fieldSelector", &selector)], cancel)
            .await?;
        items
            .into_iter()
            .map(|item| {
                serde_json::from_value(item).map_err(|error| Error::Decode {
                    object: format!("a pod on node {node}"),
                    reason: error.to_string(),
                })
            })
            .collect()
    }

    async fn evict(&self, pod: &Pod, cancel: &CancellationToken) -> Result<Eviction, Error> {
        let metadata = &pod.metadata;
        let pods = kinds::builtin("v1", "Pod");
        let path = query::object(&pods, Some(&metadata.namespace), &metadata.name);
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata.name, "namespace": metadata.namespace},
            "deleteOptions": {"preconditions": {"uid": metadata.uid}},
        });
        let target = format!("pod {}/{}", metadata.namespace, metadata.name);
        let mut ask = Ask::write(
            "evict",
            Method::POST,
            format!("{path}/eviction"),
            &body,
            target,
        );
        ask.takes_429 = true;
        let answer = match self.send(&ask, cancel).await {
            Ok(answer) => answer,
            // Evicting again is harmless, and the next look tells what became of it.
            Err(ClusterError::Unreachable { source, .. }) => {
                return Ok(Eviction::Blocked(source.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        if answer.is_success() {
            return Ok(Eviction::Accepted);
        }
        let refusal = status::Status::read(&answer.body);
        Ok(match answer.status {
            // Gone, or another pod of that name by now.
            404 | 409 => Eviction::Gone,
            429 | 500..=599 => {
                let cause = refusal.details.causes.into_iter().next();
                let budget = cause
                    .map(|cause| cause.message)
                    .filter(|text| !text.is_empty());
                Eviction::Blocked(budget.unwrap_or(refusal.message))
            }
            _ => return Err(status::error(&ask, &answer, None).into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_and_mirrors_stay_and_others_leave() {
        let pod = |metadata: serde_json::Value| -> Pod {
            serde_json::from_value(json!({"metadata": metadata})).expect("a pod")
        };
        let owned =
            |kind: &str| pod(json!({"ownerReferences": [{"kind": kind, "controller": true}]}));
        assert!(owned("DaemonSet").stays());
        assert!(!owned("ReplicaSet").stays());
        assert!(pod(json!({"annotations": {"kubernetes.io/config.mirror": "x"}})).stays());
        assert!(!pod(json!({"deletionTimestamp": "2026-08-01T07:13:51Z"})).stays());
    }
}
