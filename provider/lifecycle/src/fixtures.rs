//! Desired states for tests.

use std::collections::{BTreeMap, BTreeSet};

use product::{
    Contract, Identifier, KubernetesRelease, LoadBalancerMode, MachineSize, NetworkPlan,
    NetworkSettings, NodeNetwork, Offering, PodNetwork, PoolName, PublicZone, Region, Role,
    ServiceNetwork, TalosVersion, Topology, Zones,
};

use crate::cluster::{DesiredCluster, Infrastructure, StorageNodes};
use crate::pool::DesiredPool;

pub(crate) fn zones(topology: Topology) -> Zones {
    let names: &[&str] = match topology {
        Topology::Production => &["AZ05", "AZ06", "AZ07"],
        Topology::DevTest => &["AZ05"],
    };
    Zones::parse(names, topology).expect("zones")
}

pub(crate) fn infrastructure() -> Infrastructure {
    Infrastructure {
        template: "talos-1.13".to_owned(),
        network: "cluster-vlan".to_owned(),
        backup_policy: "nobackup".to_owned(),
        storage_repository: None,
    }
}

pub(crate) fn cluster(topology: Topology) -> DesiredCluster {
    DesiredCluster {
        identifier: Identifier::parse_free("omega").expect("a label"),
        offering: Offering::Complete,
        topology,
        region: Region::Fr1,
        zones: zones(topology),
        kubernetes: KubernetesRelease::parse("1.36.3").expect("a release"),
        talos: TalosVersion::parse("1.13.9").expect("a release"),
        contract: Contract::V1_13,
        network: NetworkPlan::new(NetworkSettings {
            node_network: NodeNetwork::parse("10.20.0.0/22").expect("a /22"),
            gateway: "10.20.3.254".parse().expect("an address"),
            nameservers: vec!["10.20.3.253".parse().expect("an address")],
            ntp_servers: vec!["10.20.3.253".to_owned()],
            pod_network: PodNetwork::parse(PodNetwork::DEFAULT).expect("default"),
            service_network: ServiceNetwork::parse(ServiceNetwork::DEFAULT).expect("default"),
            internal_range: None,
            external_range: None,
        }),
        public_zone: PublicZone::parse("mk.example.org").expect("a zone"),
        load_balancer: LoadBalancerMode::L2,
        gateway_api: false,
        control_plane: MachineSize::of(Role::ControlPlane),
        storage: StorageNodes {
            count: topology.storage_nodes(),
            size: MachineSize::of(Role::Storage),
            ceph_gb_per_node: topology.minimum_ceph_gb(),
        },
        infrastructure: infrastructure(),
        endpoint: None,
        api_strategy: product::ApiStrategy::Vip,
        network_chart: "1.19.6".to_owned(),
    }
}

pub(crate) fn pool(size: u16) -> DesiredPool {
    DesiredPool {
        name: PoolName::parse("batch").expect("a label"),
        size,
        machine: MachineSize::of(Role::Worker),
        ceph_gb: 0,
        labels: BTreeMap::from([("team".to_owned(), "core".to_owned())]),
        taints: BTreeSet::new(),
        max_pods_per_node: 110,
        drain_timeout_minutes: 5,
        topology: Topology::Production,
        region: Region::Fr1,
        zones: zones(Topology::Production),
        infrastructure: infrastructure(),
    }
}
