//! Who has which address.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{AddressRange, NodeNetwork, PodNetwork, ServiceNetwork};
use crate::{NodeKey, Path, Problem, Role, Topology};

/// The last worker whose address is in the first block; the next ones continue in the third (NET-09).
const LAST_WORKER_IN_FIRST_BLOCK: u16 = 204;

/// A machine and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// The machine.
    pub node: NodeKey,
    /// Its address.
    pub address: Ipv4Addr,
}

/// What a configuration says about the network, all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The cluster's /22.
    pub node_network: NodeNetwork,
    /// Default route of the nodes.
    pub gateway: Ipv4Addr,
    /// Name servers of the nodes.
    pub nameservers: Vec<Ipv4Addr>,
    /// Time servers of the nodes: names or addresses.
    pub ntp_servers: Vec<String>,
    /// Range of pods.
    pub pod_network: PodNetwork,
    /// Range of services.
    pub service_network: ServiceNetwork,
    /// Overrides the range of internal LoadBalancer addresses.
    pub internal_range: Option<AddressRange>,
    /// Overrides the range of external LoadBalancer addresses.
    pub external_range: Option<AddressRange>,
}

/// Every address of a cluster. Made from a configuration by [`NetworkPlan::new`]; part of the handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// The cluster's /22.
    pub node_network: NodeNetwork,
    /// Default route of the nodes.
    pub gateway: Ipv4Addr,
    /// Name servers of the nodes.
    pub nameservers: Vec<Ipv4Addr>,
    /// Time servers of the nodes.
    pub ntp_servers: Vec<String>,
    /// Range of pods.
    pub pod_network: PodNetwork,
    /// Range of services.
    pub service_network: ServiceNetwork,
    /// Internal LoadBalancer addresses.
    pub internal_range: AddressRange,
    /// External LoadBalancer addresses.
    pub external_range: AddressRange,
}

impl NetworkPlan {
    /// Completes the settings with the product's ranges. Rules are checked by [`Self::check`].
    pub fn new(settings: NetworkSettings) -> Self {
        let NetworkSettings {
            node_network,
            gateway,
            nameservers,
            ntp_servers,
            pod_network,
            service_network,
            internal_range,
            external_range,
        } = settings;
        let range = |first, last| AddressRange {
            first: node_network.at(1, first),
            last: node_network.at(1, last),
        };
        Self {
            node_network,
            gateway,
            nameservers,
            ntp_servers,
            pod_network,
            service_network,
            internal_range: internal_range.unwrap_or_else(|| range(1, 127)),
            external_range: external_range.unwrap_or_else(|| range(128, 254)),
        }
    }

    /// The address of a machine.
    pub fn address(&self, node: NodeKey) -> Ipv4Addr {
        node_address(self.node_network, node)
    }

    /// The virtual address of the Kubernetes API (NET-04).
    pub fn vip(&self) -> Ipv4Addr {
        self.node_network.at(0, 20)
    }

    /// The ingress `nginx-internal` (NET-12).
    pub fn ingress_internal(&self) -> Ipv4Addr {
        self.internal_range.first
    }

    /// The ingress `nginx-external` (NET-13).
    pub fn ingress_external(&self) -> Ipv4Addr {
        self.external_range.first
    }

    /// The ingress `nginx-external-secured` (NET-14): the second address of the external range.
    pub fn ingress_external_secured(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.external_range.first) + 1)
    }

    /// The rules of NET-01 to NET-18 and MLB-05; paths are those of the cluster's `network` object.
    pub fn check(&self, topology: Topology, storage_nodes: u16) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(check_disjoint(
            Some(self.node_network),
            Some(self.pod_network),
            Some(self.service_network),
        ));
        problems.extend(check_pod_size(self.pod_network, topology, storage_nodes));
        problems.extend(check_gateway(self.node_network, self.gateway, topology));
        for (position, server) in self.nameservers.iter().enumerate() {
            let place = Path::of("network.nameservers").index(position as u64);
            problems.extend(check_collision(
                self.node_network,
                *server,
                topology,
                place,
                "name server",
            ));
        }
        problems.extend(check_ranges(
            self.node_network,
            topology,
            self.internal_range,
            self.external_range,
        ));
        if self.external_range.contains(self.gateway) || self.internal_range.contains(self.gateway)
        {
            problems.push(
                Problem::error(
                    Path::of("network.gateway"),
                    "gateway lies in a load balancer range",
                )
                .seen(self.gateway)
                .allowed(format!(
                    "an address outside {} and {}",
                    self.internal_range, self.external_range
                ))
                .next("Change the gateway or the range."),
            );
        }
        problems
    }
}

/// The address of a machine in a network: NET-03, NET-05 to NET-07 and NET-09.
fn node_address(network: NodeNetwork, node: NodeKey) -> Ipv4Addr {
    let low = |base: u16| network.at(0, u8::try_from(base + node.index).unwrap_or(u8::MAX));
    match node.role {
        Role::GitRunner => network.at(0, 10),
        Role::ControlPlane => low(20),
        Role::Storage => low(40),
        Role::Worker if node.index <= LAST_WORKER_IN_FIRST_BLOCK => low(50),
        Role::Worker => {
            let host = node.index - LAST_WORKER_IN_FIRST_BLOCK;
            network.at(2, u8::try_from(host).unwrap_or(u8::MAX))
        }
    }
}

/// Every address the plan gives to a machine or to the API, with a word for it.
fn reserved(network: NodeNetwork, topology: Topology) -> Vec<(Ipv4Addr, String)> {
    let mut taken = vec![
        (network.at(0, 10), "the Git Runner".to_owned()),
        (network.at(0, 20), "the API".to_owned()),
    ];
    let mut give = |node: NodeKey| taken.push((node_address(network, node), node.to_string()));
    (1..=3).for_each(|index| give(NodeKey::control_plane(index)));
    // The storage addresses stay reserved in devtest, where nobody uses them: one plan for all.
    (1..=9).for_each(|index| give(NodeKey::storage(index)));
    (1..=topology.worker_limits().1).for_each(|index| give(NodeKey::worker(index)));
    taken
}

fn overlap(left: ipnet::Ipv4Net, right: ipnet::Ipv4Net) -> bool {
    left.contains(&right) || right.contains(&left)
}

/// Node, pod and service ranges are pairwise disjoint; each pair is checked once both are known.
pub(crate) fn check_disjoint(
    node: Option<NodeNetwork>,
    pod: Option<PodNetwork>,
    service: Option<ServiceNetwork>,
) -> Vec<Problem> {
    let node = node.map(|network| ("node network", "network.node_cidr", network.net()));
    let pod = pod.map(|network| ("pod network", "network.pod_cidr", network.net()));
    let service = service.map(|network| ("service network", "network.service_cidr", network.net()));
    [(pod, node), (service, node), (service, pod)]
        .into_iter()
        .filter_map(|(blamed, other)| blamed.zip(other))
        .filter(|((_, _, blamed), (_, _, other))| overlap(*blamed, *other))
        .map(|((what, place, blamed), (other_what, _, other))| {
            Problem::error(Path::of(place), format!("{what} overlaps the {other_what}"))
                .seen(format!("{blamed}, and the {other_what} is {other}"))
                .allowed(format!("a range outside {other}"))
                .next("Choose another range; it cannot change after the cluster exists.")
        })
        .collect()
}

/// The pod range holds one /24 for every node the topology may ever have.
pub(crate) fn check_pod_size(
    pods: PodNetwork,
    topology: Topology,
    storage_nodes: u16,
) -> Option<Problem> {
    let needed = u32::from(topology.most_nodes(storage_nodes));
    (pods.nodes() < needed).then(|| {
        let bits = needed.next_power_of_two().trailing_zeros() as u8;
        Problem::error(Path::of("network.pod_cidr"), "pod network is too small")
            .seen(format!(
                "{pods}, room for {} nodes of one /24 each",
                pods.nodes()
            ))
            .allowed(format!(
                "room for {needed} nodes: a prefix length of {} or less",
                PodNetwork::NODE_PREFIX - bits
            ))
            .next("Choose a wider range; it cannot change after the cluster exists.")
    })
}

/// The gateway lies inside the /22 and no machine has its address (NET-16).
pub(crate) fn check_gateway(
    network: NodeNetwork,
    gateway: Ipv4Addr,
    topology: Topology,
) -> Option<Problem> {
    let place = Path::of("network.gateway");
    let net = network.net();
    if !net.contains(&gateway) || gateway == net.network() || gateway == net.broadcast() {
        return Some(
            Problem::error(place, "gateway is not a host of the node network")
                .seen(gateway)
                .allowed(format!(
                    "an address of {net}, neither the first nor the last"
                ))
                .next(format!("Write for example \"{}\".", network.at(3, 254))),
        );
    }
    check_collision(network, gateway, topology, place, "gateway")
}

fn check_collision(
    network: NodeNetwork,
    address: Ipv4Addr,
    topology: Topology,
    place: Path,
    what: &'static str,
) -> Option<Problem> {
    let (_, owner) = reserved(network, topology)
        .into_iter()
        .find(|(taken, _)| *taken == address)?;
    Some(
        Problem::error(place, format!("{what} has an address of the plan"))
            .seen(format!("{address}, the address of {owner}"))
            .allowed("an address that the plan leaves free, for example in the last /24")
            .next(format!("Write for example \"{}\".", network.at(3, 254))),
    )
}

/// The load balancer's ranges are inside the /22, disjoint, and hold no machine (MLB-05).
fn check_ranges(
    network: NodeNetwork,
    topology: Topology,
    internal: AddressRange,
    external: AddressRange,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let named = [
        ("network.metallb.internal_range", internal),
        ("network.metallb.external_range", external),
    ];
    for (place, range) in named {
        let net = network.net();
        if !net.contains(&range.first) || !net.contains(&range.last) {
            problems.push(
                Problem::error(
                    Path::of(place),
                    "load balancer range leaves the node network",
                )
                .seen(range)
                .allowed(format!("addresses of {net}"))
                .next("Choose a range inside the node network."),
            );
        } else if let Some((address, owner)) = reserved(network, topology)
            .into_iter()
            .find(|(taken, _)| range.contains(*taken))
        {
            problems.push(
                Problem::error(
                    Path::of(place),
                    "load balancer range holds a machine's address",
                )
                .seen(format!("{range} holds {address}, the address of {owner}"))
                .allowed("addresses that the plan gives to no machine")
                .next("Choose another range, or remove the attribute for the default."),
            );
        }
    }
    if external.first == external.last {
        problems.push(
            Problem::error(
                Path::of("network.metallb.external_range"),
                "external range is too small",
            )
            .seen(external)
            .allowed("two addresses or more: two ingresses live in it")
            .next("Widen the range."),
        );
    }
    if internal.overlaps(external) {
        problems.push(
            Problem::error(
                Path::of("network.metallb.external_range"),
                "load balancer ranges overlap",
            )
            .seen(format!("{external}, and the internal range is {internal}"))
            .allowed("disjoint ranges")
            .next("Move one of the two."),
        );
    }
    problems
}

/// The function `address_plan`: every address, so that firewall and DNS resources elsewhere can use the same arithmetic.
pub fn address_plan(network: NodeNetwork, topology: Topology, workers: u16) -> Vec<NodeAddress> {
    let keys = std::iter::once(NodeKey::git_runner())
        .chain((1..=topology.control_planes()).map(NodeKey::control_plane))
        .chain((1..=topology.storage_nodes()).map(NodeKey::storage))
        .chain((1..=workers).map(NodeKey::worker));
    keys.map(|node| NodeAddress {
        node,
        address: node_address(network, node),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn settings(gateway: &str) -> NetworkSettings {
        NetworkSettings {
            node_network: NodeNetwork::parse("10.20.0.0/22").expect("a /22"),
            gateway: gateway.parse().expect("an address"),
            nameservers: vec!["10.20.3.253".parse().expect("an address")],
            ntp_servers: vec!["10.20.3.253".to_owned()],
            pod_network: PodNetwork::parse(PodNetwork::DEFAULT).expect("default"),
            service_network: ServiceNetwork::parse(ServiceNetwork::DEFAULT).expect("default"),
            internal_range: None,
            external_range: None,
        }
    }

    #[test]
    fn the_plan_of_the_reference() {
        let plan = NetworkPlan::new(settings("10.20.3.254"));
        let at = |node| plan.address(node).to_string();
        assert_eq!(at(NodeKey::git_runner()), "10.20.0.10");
        assert_eq!(plan.vip().to_string(), "10.20.0.20");
        assert_eq!(at(NodeKey::control_plane(3)), "10.20.0.23");
        assert_eq!(at(NodeKey::storage(1)), "10.20.0.41");
        assert_eq!(at(NodeKey::worker(1)), "10.20.0.51");
        assert_eq!(at(NodeKey::worker(100)), "10.20.0.150");
        assert_eq!(at(NodeKey::worker(204)), "10.20.0.254");
        assert_eq!(at(NodeKey::worker(205)), "10.20.2.1");
        assert_eq!(at(NodeKey::worker(250)), "10.20.2.46");
        assert_eq!(plan.internal_range.to_string(), "10.20.1.1-10.20.1.127");
        assert_eq!(plan.ingress_external_secured().to_string(), "10.20.1.129");
        for topology in [Topology::Production, Topology::DevTest] {
            assert_eq!(plan.check(topology, topology.storage_nodes()), []);
        }
    }

    #[test]
    fn the_gateway_takes_no_address_of_the_plan() {
        for taken in [
            "10.20.0.10",
            "10.20.0.20",
            "10.20.0.22",
            "10.20.0.43",
            "10.20.0.60",
            "10.20.1.5",
            "10.20.0.0",
            "10.20.3.255",
            "10.21.0.1",
        ] {
            let problems = NetworkPlan::new(settings(taken)).check(Topology::Production, 3);
            assert_eq!(problems.len(), 1, "{taken}: {problems:?}");
            assert_eq!(problems[0].path.to_string(), "network.gateway");
        }
        // Free in production, where workers end at .150; a worker's in devtest.
        assert_eq!(
            NetworkPlan::new(settings("10.20.0.254")).check(Topology::Production, 3),
            []
        );
        assert_eq!(
            NetworkPlan::new(settings("10.20.0.254"))
                .check(Topology::DevTest, 0)
                .len(),
            1
        );
    }

    #[test]
    fn ranges_are_disjoint_and_big_enough() {
        let mut overlapping = settings("10.20.3.254");
        overlapping.pod_network = PodNetwork::parse("10.20.0.0/16").expect("canonical");
        let problems = NetworkPlan::new(overlapping).check(Topology::DevTest, 0);
        assert_eq!(problems[0].summary, "pod network overlaps the node network");
        let mut small = settings("10.20.3.254");
        small.pod_network = PodNetwork::parse("10.241.0.0/17").expect("canonical");
        assert_eq!(
            NetworkPlan::new(small.clone()).check(Topology::Production, 3),
            []
        );
        assert_eq!(
            NetworkPlan::new(small).check(Topology::DevTest, 0)[0].summary,
            "pod network is too small"
        );
    }

    #[test]
    fn load_balancer_ranges_hold_no_machine() {
        let mut wide = settings("10.20.3.254");
        wide.internal_range = AddressRange::parse("10.20.0.200-10.20.1.127").ok();
        assert_eq!(
            NetworkPlan::new(wide.clone()).check(Topology::Production, 3),
            []
        );
        assert_eq!(NetworkPlan::new(wide).check(Topology::DevTest, 0).len(), 1);
    }

    proptest! {
        #[test]
        fn no_two_machines_share_an_address(workers in 0u16..=250) {
            let network = NodeNetwork::parse("192.168.4.0/22").expect("a /22");
            for topology in [Topology::Production, Topology::DevTest] {
                let plan = address_plan(network, topology, workers);
                let distinct: BTreeSet<_> = plan.iter().map(|entry| entry.address).collect();
                prop_assert_eq!(distinct.len(), plan.len());
                prop_assert!(plan.iter().all(|entry| network.net().contains(&entry.address)));
            }
        }
    }
}
