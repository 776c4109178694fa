//! The Kubernetes API and Helm behind [`Kubernetes`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ::kubernetes::{
    Client, ConfigMap, DrainOptions, Effect, FIELD_MANAGER, Freshness, LeaseGuard, LeaseHolder,
    LeaseOptions, Node, NodeChange, Snapshot,
};
use async_trait::async_trait;
use helm::release::{Note, Readiness, readiness};
use helm::{
    Cluster as _, ClusterError, DeleteOptions, ListQuery, ObjectRef, Releases, WriteOptions,
};
use product::{Taint, TaintEffect};
use serde_json::Value;
use transport::{CancellationToken, SharedClock, chain};

use super::charts::Charts;
use super::releases::installed;
use crate::addon::{DesiredAddon, ReleaseSeen};
use crate::error::Fault;
use crate::ports::{Deployment, InstalledRelease, Kubernetes, Look, Turn, TurnWanted, Turns};
use crate::seen::NodeSeen;

/// Where inputs are recorded.
const INPUTS_NAMESPACE: &str = "kube-system";
/// Annotations that record what the provider set on a node.
const OWNED_LABELS: &str = "managedk8s/owned-labels";
const OWNED_TAINTS: &str = "managedk8s/owned-taints";
/// Resources of one plan share one list of nodes.
const SHARED: Duration = Duration::from_millis(300);
/// A run that has not renewed its turn for as long is taken for dead; client-go's leader election has the
/// same figure.
const TURN_RENEWED_WITHIN: Duration = Duration::from_secs(15);
/// How long giving a turn back may take: it expires anyway.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// One cluster.
pub(super) struct KubernetesDoor {
    pub(super) client: Client,
    /// Answers reads from lists that resources of this process share.
    pub(super) snapshot: Snapshot,
    pub(super) clock: SharedClock,
    /// Releases as they are at this moment.
    pub(super) releases: Releases,
    /// Releases as the shared lists show them.
    pub(super) shared_releases: Releases,
    pub(super) charts: Charts,
}

impl KubernetesDoor {
    pub fn new(client: Client, snapshot: Snapshot, clock: SharedClock, charts: Charts) -> Self {
        Self {
            releases: Releases::new(Arc::new(client.clone()), clock.clone()),
            shared_releases: Releases::new(Arc::new(snapshot.clone()), clock.clone()),
            client,
            snapshot,
            clock,
            charts,
        }
    }
}

#[async_trait]
impl Turns for KubernetesDoor {
    async fn take_turn(
        &self,
        wanted: TurnWanted<'_>,
        waiting: &(dyn Fn(String) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Turn>, Fault> {
        let options = LeaseOptions {
            holder: wanted.runner.to_owned(),
            duration: TURN_RENEWED_WITHIN,
            limit: wanted.limit,
        };
        let told = |holder: &LeaseHolder| waiting(holder.to_string());
        let guard = self.client.acquire_lease(&options, &told, cancel).await;
        let guard = guard.map_err(client_fault("take the Lease kube-system/managedk8s"))?;
        Ok(Box::new(HeldTurn {
            guard,
            clock: self.clock.clone(),
        }))
    }
}

#[async_trait]
impl Kubernetes for KubernetesDoor {
    async fn alive(&self, cancel: &CancellationToken) -> Result<(), Fault> {
        match self.client.ready(cancel).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::Unreachable(
                "the API answers, but is not ready".to_owned(),
            )),
            Err(error) => Err(client_fault("ask the Kubernetes API whether it is ready")(
                error,
            )),
        }
    }

    async fn nodes(&self, cancel: &CancellationToken) -> Result<BTreeMap<String, NodeSeen>, Fault> {
        let nodes = self.client.nodes(Freshness::Within(SHARED), cancel).await;
        let nodes = nodes.map_err(client_fault("list the nodes"))?;
        Ok(nodes
            .iter()
            .map(|node| (node.name.clone(), node_seen(node)))
            .collect())
    }

    async fn set_node(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        taints: &BTreeSet<Taint>,
        seen: &NodeSeen,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let change = node_change(labels, taints, seen);
        self.client
            .change_node(name, &change, cancel)
            .await
            .map(drop)
            .map_err(client_fault(format!("set labels and taints of {name}")))
    }

    async fn drain(
        &self,
        name: &str,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let nodes = self
            .client
            .nodes(Freshness::Now, cancel)
            .await
            .map_err(client_fault("list the nodes"))?;
        let Some(node) = nodes.iter().find(|node| node.name == name) else {
            return Ok(());
        };
        let options = DrainOptions {
            limit,
            // The kubelet of a dead node never confirms that a pod is gone.
            give_up_on_terminating: (!node.ready).then_some(Duration::from_secs(30)),
        };
        self.client
            .drain(name, &options, cancel)
            .await
            .map(drop)
            .map_err(client_fault(format!("drain {name}")))
    }

    async fn delete_node(&self, name: &str, cancel: &CancellationToken) -> Result<(), Fault> {
        self.client
            .delete_node(name, cancel)
            .await
            .map_err(client_fault(format!("remove the node {name}")))
    }

    async fn shared_inputs(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, Fault> {
        let reference =
            ObjectRef::namespaced("v1", "ConfigMap", INPUTS_NAMESPACE, &inputs_name(name));
        let map = self.snapshot.get(&reference, cancel).await;
        let map = map.map_err(call(format!("read the recorded inputs of {name}")))?;
        Ok(map.and_then(|map| serde_json::from_str(map.pointer("/data/inputs")?.as_str()?).ok()))
    }

    async fn inputs(&self, name: &str, cancel: &CancellationToken) -> Result<Option<Value>, Fault> {
        let map = self
            .client
            .config_map(INPUTS_NAMESPACE, &inputs_name(name), cancel)
            .await;
        let map = map.map_err(client_fault(format!("read the recorded inputs of {name}")))?;
        Ok(map.and_then(|map| serde_json::from_str(map.data.get("inputs")?).ok()))
    }

    async fn record_inputs(
        &self,
        name: &str,
        inputs: &Value,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let map = ConfigMap {
            labels: BTreeMap::from([(
                "app.kubernetes.io/managed-by".to_owned(),
                "managedk8s".to_owned(),
            )]),
            data: BTreeMap::from([("inputs".to_owned(), inputs.to_string())]),
        };
        self.client
            .write_config_map(INPUTS_NAMESPACE, &inputs_name(name), &map, cancel)
            .await
            .map_err(client_fault(format!("record the inputs of {name}")))
    }

    async fn forget_inputs(&self, name: &str, cancel: &CancellationToken) -> Result<(), Fault> {
        self.client
            .delete_config_map(INPUTS_NAMESPACE, &inputs_name(name), cancel)
            .await
            .map_err(client_fault(format!(
                "remove the recorded inputs of {name}"
            )))
    }

    async fn releases(&self, cancel: &CancellationToken) -> Result<Vec<InstalledRelease>, Fault> {
        let query = ListQuery {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: None,
            labels: "owner=helm".to_owned(),
        };
        let records = self
            .client
            .list(&query, cancel)
            .await
            .map_err(call("list the records of releases".to_owned()))?;
        Ok(installed(&records))
    }

    async fn release(
        &self,
        namespace: &str,
        name: &str,
        look: Look<'_>,
        cancel: &CancellationToken,
    ) -> Result<ReleaseSeen, Fault> {
        self.see_release(namespace, name, look, cancel).await
    }

    async fn deploy(
        &self,
        addon: &DesiredAddon,
        values: Option<&Value>,
        how: Deployment,
        cancel: &CancellationToken,
    ) -> Result<Vec<Note>, Fault> {
        self.deploy_release(addon, values, how, cancel).await
    }

    async fn uninstall(
        &self,
        addon: &DesiredAddon,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, Fault> {
        self.uninstall_release(addon, limit, cancel).await
    }

    async fn apply(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault> {
        // Kinds of a release that was just installed are new to the discovery.
        self.client.forget_discovery().await;
        for object in objects {
            self.client
                .apply(object, &ours(), cancel)
                .await
                .map_err(call(doing_to("apply", object)))?;
        }
        Ok(())
    }

    async fn applied(
        &self,
        objects: &[Value],
        shared: bool,
        cancel: &CancellationToken,
    ) -> Result<bool, Fault> {
        for object in objects {
            let Some(reference) = ObjectRef::of(object) else {
                return Ok(false);
            };
            let live = if shared {
                self.snapshot.get(&reference, cancel).await
            } else {
                self.client.get(&reference, cancel).await
            };
            let live = match live {
                Ok(live) => live,
                Err(ClusterError::UnknownKind { .. }) => return Ok(false),
                Err(error) => return Err(call(doing_to("read", object))(error)),
            };
            let Some(live) = live else { return Ok(false) };
            if readiness(&live, false) != Readiness::Ready || !holds(&live, object) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn delete(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault> {
        for object in objects.iter().rev() {
            let Some(reference) = ObjectRef::of(object) else {
                continue;
            };
            match self
                .client
                .delete(&reference, &DeleteOptions::default(), cancel)
                .await
            {
                // Their kind is gone, and they with it.
                Ok(_) | Err(ClusterError::UnknownKind { .. } | ClusterError::NotFound { .. }) => {}
                Err(error) => return Err(call(doing_to("delete", object))(error)),
            }
        }
        Ok(())
    }
}

/// The Lease, held.
struct HeldTurn {
    guard: LeaseGuard,
    clock: SharedClock,
}

#[async_trait]
impl Turn for HeldTurn {
    fn lost(&self) -> &CancellationToken {
        self.guard.lost()
    }

    async fn end(self: Box<Self>) {
        // An interrupted run gives its turn back, too.
        let cancel = CancellationToken::new();
        let release = self.guard.release(&cancel);
        match transport::within(self.clock.as_ref(), RELEASE_LIMIT, release).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "the Lease is left to expire"),
            None => tracing::debug!("the Lease is left to expire: no answer"),
        }
    }
}

/// Whether everything that is wanted is in what is there; defaults of the server beside it are fine.
fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| live.get(key).is_some_and(|live| holds(live, value))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| holds(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

fn inputs_name(name: &str) -> String {
    format!("managedk8s-{name}")
}

fn doing_to(verb: &str, object: &Value) -> String {
    match ObjectRef::of(object) {
        Some(reference) => format!("{verb} {reference}"),
        None => format!("{verb} an object without a name"),
    }
}

/// Objects beside releases are ours alone.
pub(super) fn ours() -> WriteOptions {
    WriteOptions {
        field_manager: FIELD_MANAGER.to_owned(),
        force: true,
        ..WriteOptions::default()
    }
}

fn node_seen(node: &Node) -> NodeSeen {
    let taints: BTreeSet<Taint> = node.taints.iter().filter_map(taint).collect();
    let recorded = |key: &str| -> Vec<String> {
        let text = node.annotations.get(key).map_or("", String::as_str);
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    NodeSeen {
        ready: node.ready,
        labels: node.labels.clone(),
        owned_labels: recorded(OWNED_LABELS).into_iter().collect(),
        owned_taints: recorded(OWNED_TAINTS)
            .iter()
            .filter_map(|text| Taint::parse_any(text))
            .collect(),
        taints,
    }
}

fn taint(taint: &::kubernetes::Taint) -> Option<Taint> {
    let effect = TaintEffect::parse(taint.effect.as_str()).ok()?;
    Some(Taint {
        key: taint.key.clone(),
        value: taint.value.clone(),
        effect,
    })
}

fn node_change(
    labels: &BTreeMap<String, String>,
    taints: &BTreeSet<Taint>,
    seen: &NodeSeen,
) -> NodeChange {
    let mut change = NodeChange::default();
    for key in seen
        .owned_labels
        .iter()
        .filter(|key| !labels.contains_key(*key))
    {
        change.labels.insert(key.clone(), None);
    }
    for (key, value) in labels {
        change.labels.insert(key.clone(), Some(value.clone()));
    }
    for old in seen.owned_taints.difference(taints) {
        change
            .without_taints
            .push((old.key.clone(), Effect::from(old.effect.as_str())));
    }
    change.taints = taints
        .iter()
        .map(|taint| ::kubernetes::Taint {
            key: taint.key.clone(),
            value: taint.value.clone(),
            effect: Effect::from(taint.effect.as_str()),
        })
        .collect();
    let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
    let texts: Vec<String> = taints.iter().map(ToString::to_string).collect();
    change
        .annotations
        .insert(OWNED_LABELS.to_owned(), Some(keys.join(",")));
    let texts = (!texts.is_empty()).then(|| texts.join(","));
    change.annotations.insert(OWNED_TAINTS.to_owned(), texts);
    change
}

pub(super) fn call(doing: String) -> impl FnOnce(ClusterError) -> Fault {
    move |error| match error {
        ClusterError::Cancelled => Fault::Cancelled,
        error @ ClusterError::Unreachable { .. } => Fault::Unreachable(chain(&error)),
        error => Fault::Failed {
            doing,
            source: Box::new(error),
        },
    }
}

fn client_fault(doing: impl Into<String>) -> impl FnOnce(::kubernetes::Error) -> Fault {
    let doing = doing.into();
    move |error| {
        if error.is_cancelled() {
            Fault::Cancelled
        } else if error.is_unreachable() {
            Fault::Unreachable(chain(&error))
        } else {
            Fault::Failed {
                doing,
                source: Box::new(error),
            }
        }
    }
}

pub(super) fn helm_fault(doing: String) -> impl FnOnce(helm::release::Error) -> Fault {
    move |error| match error {
        helm::release::Error::Cancelled(_) => Fault::Cancelled,
        helm::release::Error::Cluster { source, .. }
            if matches!(*source, ClusterError::Unreachable { .. }) =>
        {
            Fault::Unreachable(chain(source.as_ref()))
        }
        error => Fault::Failed {
            doing,
            source: Box::new(error),
        },
    }
}
