//! What is kept of a cluster: the public part that state, pools and add-ons work with.

use std::net::Ipv4Addr;

use product::{
    ApiEndpoint, ApiStrategy, ClusterId, Contract, KubernetesRelease, LoadBalancerMode,
    NetworkPlan, NodeKey, Offering, PublicZone, Region, TalosVersion, Topology, Zones,
};
use serde::{Deserialize, Serialize};
use talos::CaCertificates;

use crate::cluster::{DesiredCluster, Infrastructure};

/// Public CA certificates in PEM; only keys are derived again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCas {
    /// Of the Talos API.
    pub talos: String,
    /// Of the Kubernetes API.
    pub kubernetes: String,
    /// Of the front proxy.
    pub aggregator: String,
    /// Of etcd.
    pub etcd: String,
}

impl From<CaCertificates> for StoredCas {
    fn from(cas: CaCertificates) -> Self {
        let CaCertificates {
            talos,
            kubernetes,
            aggregator,
            etcd,
        } = cas;
        Self {
            talos,
            kubernetes,
            aggregator,
            etcd,
        }
    }
}

impl From<StoredCas> for CaCertificates {
    fn from(cas: StoredCas) -> Self {
        let StoredCas {
            talos,
            kubernetes,
            aggregator,
            etcd,
        } = cas;
        Self {
            talos,
            kubernetes,
            aggregator,
            etcd,
        }
    }
}

/// What identifies a cluster that was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Identifier and birth.
    pub id: ClusterId,
    /// The public name of the key it was made with.
    pub key_fingerprint: String,
    /// Its CA certificates.
    pub cas: StoredCas,
}

/// The computed object `handle`: all that pools, add-ons and ephemeral resources need. Public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHandle {
    /// Identifier and birth.
    pub id: ClusterId,
    /// The public name of the key.
    pub key_fingerprint: String,
    /// The CA certificates.
    pub cas: StoredCas,
    /// The offering.
    pub offering: Offering,
    /// The topology.
    pub topology: Topology,
    /// The region.
    pub region: Region,
    /// The zones.
    pub zones: Zones,
    /// The release of Kubernetes.
    pub kubernetes: KubernetesRelease,
    /// The release of Talos.
    pub talos: TalosVersion,
    /// The form of machine configurations.
    pub contract: Contract,
    /// The address plan.
    pub network: NetworkPlan,
    /// The public DNS zone.
    pub public_zone: PublicZone,
    /// Who announces LoadBalancer addresses.
    pub load_balancer: LoadBalancerMode,
    /// Whether the network serves Gateway API.
    pub gateway_api: bool,
    /// The URL of the API.
    pub endpoint: ApiEndpoint,
    /// Whether the control planes share the virtual address of the plan; workers never ask.
    pub virtual_address: bool,
    /// What the tenant provides.
    pub infrastructure: Infrastructure,
    /// GB of Ceph on each of the first three workers in devtest; 0 in production.
    pub worker_ceph_gb: u32,
}

impl ClusterHandle {
    /// The handle of a cluster.
    pub fn new(desired: &DesiredCluster, record: &ClusterRecord) -> Self {
        Self {
            id: record.id.clone(),
            key_fingerprint: record.key_fingerprint.clone(),
            cas: record.cas.clone(),
            offering: desired.offering,
            topology: desired.topology,
            region: desired.region,
            zones: desired.zones.clone(),
            kubernetes: desired.kubernetes,
            talos: desired.talos.clone(),
            contract: desired.contract,
            network: desired.network.clone(),
            public_zone: desired.public_zone.clone(),
            load_balancer: desired.load_balancer,
            gateway_api: desired.gateway_api,
            endpoint: desired.api_endpoint(),
            virtual_address: desired.api_strategy == ApiStrategy::Vip,
            infrastructure: desired.infrastructure.clone(),
            worker_ceph_gb: match desired.topology {
                Topology::Production => 0,
                Topology::DevTest => desired.storage.ceph_gb_per_node,
            },
        }
    }

    /// Addresses of the control planes: what the provider dials.
    pub fn control_plane_addresses(&self) -> Vec<Ipv4Addr> {
        (1..=self.topology.control_planes())
            .map(|index| self.network.address(NodeKey::control_plane(index)))
            .collect()
    }

    /// The facts that charts are rendered from.
    pub fn facts(&self) -> product::catalogue::ClusterFacts {
        product::catalogue::ClusterFacts {
            identifier: self.id.identifier.clone(),
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

/// What is recorded in the cluster itself, so that an import finds everything (design law 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCluster {
    /// Version of this form.
    pub schema: u32,
    /// What was desired.
    pub desired: DesiredCluster,
    /// What identifies it.
    pub record: ClusterRecord,
}

impl RecordedCluster {
    /// The version written.
    pub const SCHEMA: u32 = 1;
}
