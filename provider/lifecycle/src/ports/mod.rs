//! The narrow doors through which executors reach the world. The clients stand behind them; tests put
//! an in-memory world there.

mod cloud;
mod kubernetes;
mod nodes;

use std::net::Ipv4Addr;
use std::sync::Arc;

use talos::ClusterPki;

pub use cloud::{Cloud, ZoneResources};
pub use kubernetes::{Deployment, InstalledRelease, Kubernetes, Look, Turn, TurnWanted, Turns};
pub use nodes::{Bootstrapped, EtcdService, NodeLook, Nodes, Occupant, SnapshotTaken};

use crate::Error;

/// Makes the doors into one cluster from its PKI: client certificates are minted at use.
pub trait Access: Send + Sync {
    /// The machine API of the cluster's nodes.
    fn nodes(&self, pki: &ClusterPki) -> Result<Arc<dyn Nodes>, Error>;

    /// The Kubernetes API, dialled on the members themselves, never on the VIP.
    fn kubernetes(
        &self,
        pki: &ClusterPki,
        members: &[Ipv4Addr],
    ) -> Result<Arc<dyn Kubernetes>, Error>;
}
