//! The Kubernetes API of a cluster, and the releases in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use product::Taint;
use serde_json::Value;
use transport::CancellationToken;

use crate::addon::{DesiredAddon, ReleaseSeen};
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

/// The Kubernetes API.
#[async_trait]
pub trait Kubernetes: Send + Sync {
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

    /// What there is of a release, its objects compared with what it installed.
    async fn release(
        &self,
        namespace: &str,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<ReleaseSeen, Fault>;

    /// Installs, upgrades or repairs a release; makes its namespace with its labels first. The add-on's
    /// fingerprint is recorded with it. `secret_values` are merged last and kept nowhere else.
    async fn deploy(
        &self,
        addon: &DesiredAddon,
        secret_values: Option<&Value>,
        how: Deployment,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Uninstalls a release. One that is gone already is success.
    async fn uninstall(
        &self,
        namespace: &str,
        name: &str,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Applies objects, server-side.
    async fn apply(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault>;

    /// Whether objects are there as they would be applied.
    async fn applied(&self, objects: &[Value], cancel: &CancellationToken) -> Result<bool, Fault>;

    /// Deletes objects. Absent ones are success.
    async fn delete(&self, objects: &[Value], cancel: &CancellationToken) -> Result<(), Fault>;
}
