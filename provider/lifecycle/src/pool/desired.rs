//! What a worker pool should be.

use std::collections::{BTreeMap, BTreeSet};

use product::{
    DataDisks, MachineSize, NodeKey, POOL_LABEL, PoolName, Region, Role, Taint, Topology, Zones,
};
use serde::{Deserialize, Serialize};

use crate::cluster::{Infrastructure, MachineSpec};

/// A pool as the configuration asks for it, with the facts of its cluster that it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPool {
    /// The name.
    pub name: PoolName,
    /// How many workers.
    pub size: u16,
    /// Their size.
    pub machine: MachineSize,
    /// GB of Ceph on each of the cluster's first three workers in devtest; 0 in production.
    pub ceph_gb: u32,
    /// Labels of the configuration.
    pub labels: BTreeMap<String, String>,
    /// Taints of the configuration.
    pub taints: BTreeSet<Taint>,
    /// Pods a node takes.
    pub max_pods_per_node: u16,
    /// Minutes that a drain may take.
    pub drain_timeout_minutes: u32,
    /// The cluster's topology.
    pub topology: Topology,
    /// The cluster's region.
    pub region: Region,
    /// The cluster's zones.
    pub zones: Zones,
    /// What the tenant provides: that of the cluster, or the pool's own template.
    pub infrastructure: Infrastructure,
}

impl DesiredPool {
    /// A worker as it should be.
    pub fn machine(&self, index: u16) -> MachineSpec {
        let carries_ceph = index <= self.topology.storage_workers();
        let disks = if carries_ceph {
            // Checked when the configuration was: a capacity beyond the limit never gets here.
            DataDisks::split(self.ceph_gb).unwrap_or_default()
        } else {
            DataDisks::default()
        };
        MachineSpec {
            node: NodeKey::worker(index),
            zone: self.zones.of(index).clone(),
            size: self.machine,
            disks,
        }
    }

    /// All labels of a worker: the configuration's and the provider's own.
    pub fn labels(&self, index: u16) -> BTreeMap<String, String> {
        let mut labels =
            crate::cluster::node_labels(self.region, self.zones.of(index), Role::Worker);
        labels.insert(POOL_LABEL.to_owned(), self.name.as_str().to_owned());
        labels.extend(self.labels.clone());
        labels
    }
}
