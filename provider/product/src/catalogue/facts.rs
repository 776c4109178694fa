//! What the values of a chart may depend on.

use crate::offering::LoadBalancerMode;
use crate::{
    Identifier, KubernetesRelease, NetworkPlan, Offering, PublicZone, Region, Topology, Zones,
};

/// How much of Hubble is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hubble {
    /// Nothing.
    Off,
    /// Observation in the agents, relay and console.
    On,
}

/// The facts of a cluster: all public, all known at plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The identifier.
    pub identifier: Identifier,
    /// The offering.
    pub offering: Offering,
    /// The topology; replica counts follow it.
    pub topology: Topology,
    /// The region.
    pub region: Region,
    /// The zones.
    pub zones: Zones,
    /// The release of Kubernetes.
    pub kubernetes: KubernetesRelease,
    /// The address plan.
    pub network: NetworkPlan,
    /// The public DNS zone.
    pub public_zone: PublicZone,
    /// Who announces LoadBalancer addresses.
    pub load_balancer: LoadBalancerMode,
    /// Whether Cilium serves Gateway API; its CRDs must be there first.
    pub gateway_api: bool,
}

impl ClusterFacts {
    /// Replicas of a component that should survive the loss of a node.
    pub const fn replicas(&self) -> u16 {
        match self.topology {
            Topology::Production => 2,
            Topology::DevTest => 1,
        }
    }

    /// Hubble belongs to the complete offering (product reference, 1.2).
    pub const fn hubble(&self) -> Hubble {
        match self.offering {
            Offering::Core => Hubble::Off,
            Offering::Complete => Hubble::On,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::{NetworkSettings, NodeNetwork, PodNetwork, ServiceNetwork};

    use super::*;

    pub(crate) fn facts(offering: Offering, topology: Topology) -> ClusterFacts {
        let zones: &[&str] = match topology {
            Topology::Production => &["AZ05", "AZ06", "AZ07"],
            Topology::DevTest => &["AZ05"],
        };
        ClusterFacts {
            identifier: Identifier::parse_free("alpha").expect("a label"),
            offering,
            topology,
            region: Region::Fr1,
            zones: Zones::parse(zones, topology).expect("zones"),
            kubernetes: KubernetesRelease::parse("1.36.3").expect("a release"),
            network: NetworkPlan::new(NetworkSettings {
                node_network: NodeNetwork::parse("10.20.0.0/22").expect("a /22"),
                gateway: "10.20.3.254".parse().expect("an address"),
                nameservers: Vec::new(),
                ntp_servers: Vec::new(),
                pod_network: PodNetwork::parse(PodNetwork::DEFAULT).expect("default"),
                service_network: ServiceNetwork::parse(ServiceNetwork::DEFAULT).expect("default"),
                internal_range: None,
                external_range: None,
            }),
            public_zone: PublicZone::parse("mk.example.org").expect("a zone"),
            load_balancer: LoadBalancerMode::L2,
            gateway_api: false,
        }
    }
}
