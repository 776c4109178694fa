//! The cluster: control plane, storage nodes, network.

mod desired;
mod observed;
mod planner;
#[cfg(test)]
mod tests;

pub(crate) use desired::node_labels;
pub use desired::{DesiredCluster, Infrastructure, MachineSpec, StorageNodes};
pub use observed::{ClusterNode, Etcd, NetworkSeen, ObservedCluster};
pub use planner::{deviations, drift, plan, plan_from_state};
