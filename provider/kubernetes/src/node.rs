//! Nodes: one list for all, labels, taints, cordon, removal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use helm::{Cluster as _, ClusterError, DeleteOptions, ObjectRef, Patch, WriteOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use transport::{CancellationToken, RoundsError};

use crate::{Client, Error, FIELD_MANAGER, kinds};

/// Attempts of a read-change-write that meets another writer.
const ATTEMPTS: u32 = 5;

/// How old a list may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Asked now.
    Now,
    /// Asked at most this long ago, and since then this client has sent no write: resources of one
    /// plan share one list.
    Within(Duration),
}

pub(crate) struct Kept {
    asked: Instant,
    writes: u64,
    nodes: Arc<Vec<Node>>,
}

/// A node, as far as the product reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its UID: another one means another node of the same name.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it takes no new pods.
    pub cordoned: bool,
    /// Whether the kubelet reports it ready.
    pub ready: bool,
    /// Why it is not ready, in the kubelet's words; empty when it is.
    pub reason: String,
    /// `v1.36.2`.
    pub kubelet_version: String,
    /// `Talos (v1.13.9)`.
    pub os_image: String,
    /// Internal addresses.
    pub addresses: Vec<String>,
    /// `xyz://...`, or empty.
    pub provider_id: String,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// They are not scheduled.
    NoSchedule,
    /// They are scheduled elsewhere if there is room.
    PreferNoSchedule,
    /// They are moved away.
    NoExecute,
    /// A word that this version does not know.
    Unknown(String),
}

impl Effect {
    /// The word as the API writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for Effect {
    fn from(text: &str) -> Self {
        match text {
            "NoSchedule" => Self::NoSchedule,
            "PreferNoSchedule" => Self::PreferNoSchedule,
            "NoExecute" => Self::NoExecute,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// Its effect.
    pub effect: Effect,
}

impl fmt::Display for Taint {
    /// `key=value:NoSchedule`, as kubectl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect.as_str())
    }
}

/// What to change of a node. Everything that is not named is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// Labels to set, or to remove (`None`).
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations to set, or to remove (`None`).
    pub annotations: BTreeMap<String, Option<String>>,
    /// Taints to have, each in the place of one with the same key and effect.
    pub taints: Vec<Taint>,
    /// Taints to be without, by key and effect.
    pub without_taints: Vec<(String, Effect)>,
    /// Cordon or uncordon.
    pub cordoned: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Metadata,
    spec: Spec,
    status: RawStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    uid: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Vec<RawTaint>,
    unschedulable: bool,
    #[serde(rename = "providerID")]
    provider_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawTaint {
    key: String,
    value: String,
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawStatus {
    conditions: Vec<Condition>,
    addresses: Vec<Address>,
    node_info: NodeInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeInfo {
    kubelet_version: String,
    os_image: String,
}

impl Node {
    fn read(value: Value) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_value(value).map_err(|error| Error::Decode {
            object: "a node".to_owned(),
            reason: error.to_string(),
        })?;
        let condition = raw
            .status
            .conditions
            .into_iter()
            .find(|it| it.kind == "Ready");
        let (ready, reason) = match condition {
            Some(condition) if condition.status == "True" => (true, String::new()),
            Some(condition) => (false, condition.message),
            None => (false, "the kubelet has not reported yet".to_owned()),
        };
        let internal = |address: &Address| address.kind == "InternalIP";
        let addresses = raw.status.addresses.into_iter().filter(internal);
        Ok(Self {
            name: raw.metadata.name,
            uid: raw.metadata.uid,
            labels: raw.metadata.labels,
            annotations: raw.metadata.annotations,
            taints: raw
                .spec
                .taints
                .into_iter()
                .map(|taint| Taint {
                    key: taint.key,
                    value: taint.value,
                    effect: Effect::from(taint.effect.as_str()),
                })
                .collect(),
            cordoned: raw.spec.unschedulable,
            ready,
            reason,
            kubelet_version: raw.status.node_info.kubelet_version,
            os_image: raw.status.node_info.os_image,
            addresses: addresses.map(|address| address.address).collect(),
            provider_id: raw.spec.provider_id,
        })
    }
}

impl NodeChange {
    /// Whether a node already is as this change wants it.
    pub fn is_done(&self, node: &Node) -> bool {
        let same = |wanted: &BTreeMap<String, Option<String>>, seen: &BTreeMap<String, String>| {
            wanted
                .iter()
                .all(|(key, value)| seen.get(key) == value.as_ref())
        };
        same(&self.labels, &node.labels)
            && same(&self.annotations, &node.annotations)
            && self.wanted_taints(node).is_none()
            && self.cordoned.is_none_or(|wanted| wanted == node.cordoned)
    }

    /// All taints after the change, unless they are there already.
    fn wanted_taints(&self, node: &Node) -> Option<Vec<Taint>> {
        let gone = |taint: &Taint| {
            let named = |key: &str, effect: &Effect| taint.key == key && taint.effect == *effect;
            self.without_taints
                .iter()
                .any(|(key, effect)| named(key, effect))
                || self.taints.iter().any(|new| named(&new.key, &new.effect))
        };
        let mut taints: Vec<_> = node.taints.iter().filter(|it| !gone(it)).cloned().collect();
        taints.extend(self.taints.iter().cloned());
        let set = |taints: &[Taint]| taints.iter().cloned().collect::<BTreeSet<_>>();
        (set(&taints) != set(&node.taints)).then_some(taints)
    }

    fn patch(&self, node: &Node, version: Option<&str>) -> Value {
        let mut patch = json!({"metadata": {}});
        if !self.labels.is_empty() {
            patch["metadata"]["labels"] = json!(self.labels);
        }
        if !self.annotations.is_empty() {
            patch["metadata"]["annotations"] = json!(self.annotations);
        }
        if let Some(cordoned) = self.cordoned {
            patch["spec"]["unschedulable"] = json!(cordoned);
        }
        if let Some(taints) = self.wanted_taints(node) {
            let taints: Vec<Value> = taints
                .iter()
                .map(|taint| {
                    let mut value = json!({"key": taint.key, "effect": taint.effect.as_str()});
                    if !taint.value.is_empty() {
                        value["value"] = json!(taint.value);
                    }
                    value
                })
                .collect();
            patch["spec"]["taints"] = json!(taints);
        }
        if let Some(version) = version {
            patch["metadata"]["resourceVersion"] = json!(version);
        }
        patch
    }
}

impl Client {
    /// All nodes, sorted by name, in one call.
    ///
    /// # Errors
    /// As every read.
    pub async fn nodes(
        &self,
        freshness: Freshness,
        cancel: &CancellationToken,
    ) -> Result<Arc<Vec<Node>>, Error> {
        let called = self.0.clock.now();
        let writes = self.0.writes.load(Ordering::SeqCst);
        if let (Freshness::Within(age), Some(kept)) =
            (freshness, self.0.kept_nodes.lock().await.as_ref())
        {
            let young = called.saturating_duration_since(kept.asked) <= age;
            if young && kept.writes == writes {
                return Ok(Arc::clone(&kept.nodes));
            }
        }
        let nodes = self.0.nodes.fresh(cancel, || self.list_nodes(cancel)).await;
        let nodes = nodes.map_err(out_of_round)?;
        *self.0.kept_nodes.lock().await = Some(Kept {
            asked: called,
            writes,
            nodes: Arc::clone(&nodes),
        });
        Ok(nodes)
    }

    async fn list_nodes(&self, cancel: &CancellationToken) -> Result<Arc<Vec<Node>>, Error> {
        let items = self
            .list_all(&kinds::builtin("v1", "Node"), None, &[], cancel)
            .await?;
        let mut nodes = items
            .into_iter()
            .map(Node::read)
            .collect::<Result<Vec<_>, _>>()?;
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Arc::new(nodes))
    }

    /// Waits until `done` says of the list of all nodes that it is as wanted; `done` answers with
    /// what is still missing, as a phrase. All waits of the process share the reads.
    ///
    /// # Errors
    /// [`Error::NotReached`] after `limit`, with `what` and what was missing last. A cluster that
    /// does not answer for a while does not end the wait.
    pub async fn wait_for_nodes(
        &self,
        what: &str,
        limit: Duration,
        cancel: &CancellationToken,
        mut done: impl FnMut(&[Node]) -> Result<(), String>,
    ) -> Result<Arc<Vec<Node>>, Error> {
        let clock = self.0.clock.as_ref();
        let start = clock.now();
        let mut before = String::new();
        let mut first = true;
        loop {
            let read = || self.list_nodes(cancel);
            let round = if first {
                self.0.nodes.fresh(cancel, read).await
            } else {
                self.0.nodes.paced(cancel, read).await
            };
            first = false;
            let last = match round.map_err(out_of_round) {
                Ok(nodes) => match done(&nodes) {
                    Ok(()) => return Ok(nodes),
                    Err(missing) => missing,
                },
                Err(Error::Call(ClusterError::Unreachable { source, .. })) => {
                    // The pace of the rounds knows only answers; this keeps the loop from spinning.
                    transport::pause(clock, Duration::from_secs(1), cancel).await?;
                    format!("the cluster does not answer: {source}")
                }
                Err(error) => return Err(error),
            };
            let elapsed = clock.now().saturating_duration_since(start);
            if elapsed >= limit {
                return Err(Error::NotReached {
                    what: what.to_owned(),
                    last,
                    elapsed,
                });
            }
            if !before.is_empty() && before != last {
                self.0.nodes.progressed().await;
            }
            before = last;
        }
    }

    /// Changes a node; nothing is written when it is already so. Returns whether something was.
    /// Taints of others are kept: the list is one field to the API, so it is read, changed, and
    /// written back under its resource version.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when there is no such node; those of reads and writes.
    pub async fn change_node(
        &self,
        name: &str,
        change: &NodeChange,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let object = ObjectRef::cluster("v1", "Node", name);
        let options = WriteOptions {
            field_manager: FIELD_MANAGER.to_owned(),
            ..WriteOptions::default()
        };
        let mut attempt = 0;
        loop {
            let value = self.read(&object, cancel).await?;
            let value = value.ok_or_else(|| ClusterError::NotFound {
                object: Box::new(object.clone()),
            })?;
            let version = value
                .pointer("/metadata/resourceVersion")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let node = Node::read(value)?;
            if change.is_done(&node) {
                return Ok(false);
            }
            let patch = Patch::Merge(change.patch(&node, version.as_deref()));
            attempt += 1;
            match self.patch(&object, &patch, &options, cancel).await {
                Ok(_) => return Ok(true),
                // Kubelets write their nodes all the time.
                Err(ClusterError::Stale { .. }) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Keeps new pods off a node, or lets them come again.
    ///
    /// # Errors
    /// As [`Self::change_node`].
    pub async fn cordon(
        &self,
        name: &str,
        cordoned: bool,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let change = NodeChange {
            cordoned: Some(cordoned),
            ..NodeChange::default()
        };
        self.change_node(name, &change, cancel).await
    }

    /// Removes a node object; nobody else does. One that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_node(&self, name: &str, cancel: &CancellationToken) -> Result<(), Error> {
        let object = ObjectRef::cluster("v1", "Node", name);
        self.delete(&object, &DeleteOptions::default(), cancel)
            .await?;
        Ok(())
    }
}

fn out_of_round(error: RoundsError<Error>) -> Error {
    match error {
        RoundsError::Cancelled => Error::Call(ClusterError::Cancelled),
        RoundsError::Read(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node::read(json!({
            "metadata": {"name": "alpha-w-1", "uid": "u", "labels": {"a": "1", "b": "2"}},
            "spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
                {"key": "role", "value": "x", "effect": "NoSchedule"}], "unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no CNI"}],
                "addresses": [{"type": "Hostname", "address": "alpha-w-1"},
                    {"type": "InternalIP", "address": "10.20.0.31"}],
                "nodeInfo": {"kubeletVersion": "v1.36.2", "osImage": "Talos (v1.13.9)"}},
        }))
        .expect("a node")
    }

    #[test]
    fn a_node_is_read() {
        let node = node();
        assert_eq!((node.ready, node.reason.as_str()), (false, "no CNI"));
        assert_eq!(node.addresses, ["10.20.0.31"]);
        assert_eq!(node.taints[1].to_string(), "role=x:NoSchedule");
        assert!(node.cordoned);
    }

    #[test]
    fn a_change_touches_only_what_it_names_and_keeps_the_taints_of_others() {
        let change = NodeChange {
            labels: BTreeMap::from([("a".into(), None), ("c".into(), Some("3".into()))]),
            taints: vec![Taint {
                key: "role".into(),
                value: "y".into(),
                effect: Effect::NoSchedule,
            }],
            ..NodeChange::default()
        };
        assert!(!change.is_done(&node()));
        assert_eq!(
            change.patch(&node(), Some("7")),
            json!({
                "metadata": {"labels": {"a": null, "c": "3"}, "resourceVersion": "7"},
                "spec": {"taints": [
                    {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
                    {"key": "role", "effect": "NoSchedule", "value": "y"}]},
            })
        );
    }

    #[test]
    fn what_is_so_already_is_done() {
        let change = NodeChange {
            labels: BTreeMap::from([("a".into(), Some("1".into())), ("z".into(), None)]),
            taints: vec![Taint {
                key: "role".into(),
                value: "x".into(),
                effect: Effect::NoSchedule,
            }],
            without_taints: vec![("other".into(), Effect::NoExecute)],
            cordoned: Some(true),
            ..NodeChange::default()
        };
        assert!(change.is_done(&node()));
    }
}
