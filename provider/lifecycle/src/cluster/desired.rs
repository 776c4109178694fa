//! What a cluster should be: validated, all known, no secret.

use std::collections::{BTreeMap, BTreeSet};

use product::catalogue::ClusterFacts;
use product::{
    ApiEndpoint, ApiStrategy, Contract, DataDisks, Identifier, KubernetesRelease, LoadBalancerMode,
    MachineSize, NetworkPlan, NodeKey, Offering, PublicZone, REGION_LABEL, ROLE_LABEL, Region,
    Role, STORAGE_TAINT, Taint, TaintEffect, TalosVersion, Topology, ZONE_LABEL, Zone, Zones,
};
use serde::{Deserialize, Serialize};

/// Names of what the tenant provides; the same name is looked up in each zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Infrastructure {
    /// The template of every node.
    pub template: String,
    /// The network of every node.
    pub network: String,
    /// The backup policy of every machine; a machine without one cannot be started.
    pub backup_policy: String,
    /// The storage repository of data disks; the system disk's own when absent.
    pub storage_repository: Option<String>,
}

/// Dedicated storage nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageNodes {
    /// How many; none in devtest.
    pub count: u16,
    /// Their size.
    pub size: MachineSize,
    /// GB of Ceph on each of them, and on the first three workers in devtest.
    pub ceph_gb_per_node: u32,
}

/// One machine as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSpec {
    /// Which.
    pub node: NodeKey,
    /// Where.
    pub zone: Zone,
    /// Processor, memory, system disk.
    pub size: MachineSize,
    /// Data disks.
    pub disks: DataDisks,
}

/// A cluster as the configuration asks for it, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredCluster {
    /// The identifier.
    pub identifier: Identifier,
    /// The offering.
    pub offering: Offering,
    /// The topology.
    pub topology: Topology,
    /// The region.
    pub region: Region,
    /// The zones, in order.
    pub zones: Zones,
    /// The resolved release of Kubernetes.
    pub kubernetes: KubernetesRelease,
    /// The release of Talos.
    pub talos: TalosVersion,
    /// The form of machine configurations, pinned at create.
    pub contract: Contract,
    /// The address plan.
    pub network: NetworkPlan,
    /// The public DNS zone.
    pub public_zone: PublicZone,
    /// Who announces LoadBalancer addresses.
    pub load_balancer: LoadBalancerMode,
    /// Whether the network serves Gateway API.
    pub gateway_api: bool,
    /// Size of the control planes.
    pub control_plane: MachineSize,
    /// The storage nodes.
    pub storage: StorageNodes,
    /// What the tenant provides.
    pub infrastructure: Infrastructure,
    /// The URL of the API when it is not the virtual address of the plan.
    pub endpoint: Option<ApiEndpoint>,
    /// Who stands behind it.
    pub api_strategy: ApiStrategy,
    /// Version of the network's chart, pinned at create and raised with the configuration only.
    pub network_chart: String,
}

impl DesiredCluster {
    /// Every machine the cluster resource owns, in order: control planes, then storage nodes.
    pub fn machines(&self) -> Vec<MachineSpec> {
        let control_planes = (1..=self.topology.control_planes()).map(|index| MachineSpec {
            node: NodeKey::control_plane(index),
            zone: self.zones.of(index).clone(),
            size: self.control_plane,
            disks: DataDisks::default(),
        });
        // Checked when the configuration was: a capacity beyond the limit never gets here.
        let disks = DataDisks::split(self.storage.ceph_gb_per_node).unwrap_or_default();
        let storage = (1..=self.storage.count).map(|index| MachineSpec {
            node: NodeKey::storage(index),
            zone: self.zones.of(index).clone(),
            size: self.storage.size,
            disks: disks.clone(),
        });
        control_planes.chain(storage).collect()
    }

    /// The URL under which people and nodes find the API.
    pub fn api_endpoint(&self) -> ApiEndpoint {
        let vip = || ApiEndpoint::of_vip(self.network.vip());
        self.endpoint.clone().unwrap_or_else(vip)
    }

    /// The first control plane, whose tag is the birth.
    pub const fn first(&self) -> NodeKey {
        NodeKey::control_plane(1)
    }

    /// Labels the provider keeps on a node of the cluster.
    pub fn labels(&self, node: NodeKey) -> BTreeMap<String, String> {
        node_labels(self.region, self.zones.of(node.index), node.role)
    }

    /// Taints the provider keeps on a node of the cluster: storage nodes serve storage only. The control
    /// plane's own taint is Talos'.
    pub fn taints(&self, node: NodeKey) -> BTreeSet<Taint> {
        match node.role {
            Role::Storage => BTreeSet::from([Taint {
                key: STORAGE_TAINT.to_owned(),
                value: String::new(),
                effect: TaintEffect::NoSchedule,
            }]),
            Role::ControlPlane | Role::Worker | Role::GitRunner => BTreeSet::new(),
        }
    }

    /// The facts that charts are rendered from.
    pub fn facts(&self) -> ClusterFacts {
        ClusterFacts {
            identifier: self.identifier.clone(),
            offering: self.offering,
            topology: self.topology,
            region: self.region,
            zones: self.zones.clone(),
            kubernetes: self.kubernetes,
            network: self.network.clone(),
            public_zone: self.public_zone.clone(),
            load_balancer: self.load_balancer,
            gateway_api: self.gateway_api,
        }
    }
}

/// Region, zone and role: what every node of ours carries.
pub(crate) fn node_labels(region: Region, zone: &Zone, role: Role) -> BTreeMap<String, String> {
    BTreeMap::from([
        (REGION_LABEL.to_owned(), region.as_str().to_owned()),
        (ZONE_LABEL.to_owned(), zone.as_str().to_owned()),
        (ROLE_LABEL.to_owned(), role.as_str().to_owned()),
    ])
}
