//! The Kubernetes API of a cluster, and the releases in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use helm::release::Note;
use product::Taint;
use serde_json::Value;
use transport::CancellationToken;

use crate::addon::{DesiredAddon, DriftRules, ReleaseSeen};
use crate::error::Fault;
use crate::seen::NodeSeen;

/// How a release is put into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// How long to wait for health; zero waits for hooks only.
    pub wait: Duration,
    /// Whether objects that exist without the release's marks are taken over.
    pub adopt: bool,
}

/// The cluster's one turn to disturb nodes, held among all processes and renewed until it ends. Dropped
/// without its end it expires.
#[async_trait]
pub trait Turn: Send + Sync {
    /// Fires when the turn is somebody else's: nothing that disturbs a node may begin then.
    fn lost(&self) -> &CancellationToken;

    /// Gives the turn to the next one. Whoever cannot be told sees it expire.
    async fn end(self: Box<Self>);
}

/// Who wants the turn to disturb nodes, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnWanted<'a> {
    /// The run's own name, unique among all runs.
    pub runner: &'a str,
    /// How long another run is waited for.
    pub limit: Duration,
}

/// Where turns are taken.
#[async_trait]
pub trait Turns: Send + Sync {
    /// Waits for the turn to disturb nodes: the Lease `kube-system/managedk8s`. `waiting` is told which run
    /// has it.
    async fn take_turn(
        &self,
        wanted: TurnWanted<'_>,
        waiting: &(dyn Fn(String) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Turn>, Fault>;
}

/// A release as its record names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What manages it, as recorded with it; empty when nothing does.
    pub owner: String,
}

/// How a release is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What counts as drift.
    pub drift: &'a DriftRules,
    /// Whether objects that are not ready are told.
    pub health: bool,
    /// Whether lists that resources of this process share will do, some seconds old.
    pub shared: bool,
}

/// The Kubernetes API.
#[async_trait]
pub trait Kubernetes: Turns {
    /// Whether the API answers.
    async fn alive(&self, cancel: &CancellationToken) -> Result<(), Fault>;

    /// Every node by name.
    async fn nodes(&self, cancel: &CancellationToken) -> Result<BTreeMap<String, NodeSeen>, Fault>;

    /// Makes these labels and taints the provider's own on a node, and takes back what it set before and
    /// is not wanted any more. `seen` is what the node had.
    async fn set_node(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        taints: &BTreeSet<Taint>,
        seen: &NodeSeen,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Cordons a node and evicts its pods, respecting disruption budgets; DaemonSets and static pods stay.
    /// A node that does not exist is drained.
    async fn drain(
        &self,
        name: &str,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Removes a node object. One that is gone already is success.
    async fn delete_node(&self, name: &str, cancel: &CancellationToken) -> Result<(), Fault>;

    /// The public inputs recorded under a name, from lists that resources of this process share.
    async fn shared_inputs(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, Fault>;

    /// The public inputs recorded under a name.
    async fn inputs(&self, name: &str, cancel: &CancellationToken) -> Result<Option<Value>, Fault>;

    /// Records public inputs under a name.
    async fn record_inputs(
        &self,
        name: &str,
        inputs: &Value,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Removes recorded inputs. Absent ones are success.
    async fn forget_inputs(&self, name: &str, cancel: &CancellationToken) -> Result<(), Fault>;

    /// Every release that is installed, uninstalled and superseded revisions left out. One list, no record is opened.
    async fn releases(&self, cancel: &CancellationToken) -> Result<Vec<InstalledRelease>, Fault>;

    /// What there is of a release, its objects compared with what it installed.
    async fn release(
        &self,
        namespace: &str,
        name: &str,
        look: Look<'_>,
        cancel: &CancellationToken,
    ) -> Result<ReleaseSeen, Fault>;

    /// Installs, upgrades or repairs a release; makes its namespace with its labels first. The add-on's
    /// fingerprint is recorded with it. `values`, when given, are those of the add-on with the write-only
    /// ones among them; they are kept nowhere but in Helm's own record. Answers what happened on the way.
    async fn deploy(
        &self,
        addon: &DesiredAddon,
        values: Option<&Value>,
        how: Deployment,
        cancel: &CancellationToken,
    ) -> Result<Vec<Note>, Fault>;

    /// Uninstalls a release, and the CRDs of its chart if that is declared. One that is gone already is
    /// success. Answers which objects stay, and why.
    async fn uninstall(
        &self,
        addon: &DesiredAddon,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, Fault>;

    /// Applies objects, server-side.
    async fn apply(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault>;

    /// Whether objects are there as they would be applied; `shared` as in [`Look::shared`].
    async fn applied(
        &self,
        objects: &[Value],
        shared: bool,
        cancel: &CancellationToken,
    ) -> Result<bool, Fault>;

    /// Deletes objects. Absent ones are success.
    async fn delete(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault>;
}
