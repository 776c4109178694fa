//! All machines that are powered on.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::admin::{AddressView, NodeView};
use crate::world::World;

/// All machines of a sandbox.
#[derive(Debug)]
pub struct Nodes {
    prefix: u8,
}

impl Nodes {
    /// No machine yet; loopback addresses begin with `127.<prefix>`.
    pub fn new(prefix: u8) -> Self {
        Self { prefix }
    }

    /// Power came on.
    pub fn boot(&self, _world: &Arc<World>, _vm: &str) {}

    /// Power went off.
    pub fn kill(&self, _world: &Arc<World>, _vm: &str) {}

    /// The hypervisor asks the system to shut down; returns when it has.
    pub async fn shut_down(&self, _world: &Arc<World>, _vm: &str) {}

    /// Boots what was running when the state was written.
    pub fn resume(&self, _world: &Arc<World>) {}

    /// Waits until every machine has stopped.
    pub async fn stopped(&self) {}

    /// The loopback address behind a private one.
    pub fn loopback_of(&self, _world: &World, _address: Ipv4Addr) -> Option<Ipv4Addr> {
        let _ = self.prefix;
        None
    }

    /// Machines for the inventory.
    pub fn views(&self, _world: &World) -> Vec<NodeView> {
        Vec::new()
    }

    /// Addresses in use.
    pub fn addresses(&self, _world: &World) -> Vec<AddressView> {
        Vec::new()
    }

    /// The text on a console.
    pub fn console(&self, _vm: &str) -> String {
        String::new()
    }

    /// The objects of each Kubernetes cluster.
    pub fn kubernetes_snapshots(&self) -> Vec<(String, serde_json::Value)> {
        Vec::new()
    }
}
