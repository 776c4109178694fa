//! Networks, the API's endpoint, and who may reach it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::read;
use super::ClusterInput;
use crate::network::{check_api, check_disjoint, check_gateway, check_pod_size};
use crate::{
    AddressRange, ApiEndpoint, ApiStrategy, Exposure, NetworkPlan, NetworkSettings, NodeNetwork,
    Offering, Path, PodNetwork, Problem, PublicZone, ServiceNetwork, Topology,
};

pub(super) fn check_network(
    input: &ClusterInput<'_>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let node = read(
        input.node_cidr,
        "network.node_cidr",
        problems,
        NodeNetwork::parse,
    );
    let pods = read(
        input.pod_cidr,
        "network.pod_cidr",
        problems,
        PodNetwork::parse,
    );
    let services = read(
        input.service_cidr,
        "network.service_cidr",
        problems,
        ServiceNetwork::parse,
    );
    let gateway = read(input.gateway, "network.gateway", problems, address);
    let internal = read(
        input.internal_range,
        "network.metallb.internal_range",
        problems,
        AddressRange::parse,
    );
    let external = read(
        input.external_range,
        "network.metallb.external_range",
        problems,
        AddressRange::parse,
    );
    read(
        input.public_zone,
        "network.public_zone",
        problems,
        PublicZone::parse,
    );
    check_endpoint(input, node, problems);
    let nameservers = check_servers(
        input.nameservers.as_deref(),
        "network.nameservers",
        true,
        problems,
    );
    check_servers(
        input.ntp_servers.as_deref(),
        "network.ntp_servers",
        false,
        problems,
    );
    let storage = input
        .storage_nodes
        .and_then(|nodes| u16::try_from(nodes).ok());
    let storage_nodes = |topology: Topology| storage.unwrap_or(topology.storage_nodes());
    // With everything at hand the plan checks itself; before that, each rule by its own inputs.
    if let (
        Some(node_network),
        Some(pod_network),
        Some(service_network),
        Some(gateway),
        Some(topology),
    ) = (node, pods, services, gateway, topology)
    {
        let plan = NetworkPlan::new(NetworkSettings {
            node_network,
            gateway,
            nameservers,
            ntp_servers: Vec::new(),
            pod_network,
            service_network,
            internal_range: internal,
            external_range: external,
        });
        problems.extend(plan.check(topology, storage_nodes(topology)));
        return;
    }
    problems.extend(check_disjoint(node, pods, services));
    if let Some((pods, topology)) = pods.zip(topology) {
        problems.extend(check_pod_size(pods, topology, storage_nodes(topology)));
    }
    if let (Some(node), Some(gateway), Some(topology)) = (node, gateway, topology) {
        problems.extend(check_gateway(node, gateway, topology));
    }
}

fn check_endpoint(
    input: &ClusterInput<'_>,
    node: Option<NodeNetwork>,
    problems: &mut Vec<Problem>,
) {
    let strategy = read(
        input.api_strategy,
        "api.strategy",
        problems,
        ApiStrategy::parse,
    );
    let written = input.api_endpoint.flatten();
    let endpoint = read(written, "api.endpoint", problems, ApiEndpoint::parse);
    let settled = input.api_endpoint.is_some() && endpoint.is_some() == written.is_some();
    if let (Some(strategy), Some(node), true) = (strategy, node, settled) {
        problems.extend(check_api(strategy, endpoint.as_ref(), node));
    }
}

fn address(text: &str) -> crate::Checked<Ipv4Addr> {
    text.parse().map_err(|_| {
        Box::new(
            Problem::error(Path::root(), "not an IPv4 address")
                .seen(format!("{text:?}"))
                .allowed("four numbers with dots between")
                .next("Write for example \"10.20.3.254\"."),
        )
    })
}

/// At least one server; addresses only where `plain` is set, host names as well elsewhere.
fn check_servers(
    servers: Option<&[&str]>,
    place: &'static str,
    plain: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Ipv4Addr> {
    let Some(servers) = servers else {
        return Vec::new();
    };
    if servers.is_empty() {
        problems.push(
            Problem::error(Path::of(place), "no server given")
                .seen("an empty list")
                .allowed("one server or more")
                .next("Name a server that the nodes can reach."),
        );
    }
    let mut addresses = Vec::new();
    for (position, server) in servers.iter().enumerate() {
        let host = !server.is_empty()
            && server.len() <= 253
            && server
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        match address(server) {
            Ok(found) => addresses.push(found),
            Err(_) if !plain && host => {}
            Err(problem) => problems.push(problem.under(&Path::of(place).index(position as u64))),
        }
    }
    addresses
}

pub(super) fn check_exposure(
    input: &ClusterInput<'_>,
    offering: Option<Offering>,
    problems: &mut Vec<Problem>,
) {
    let exposure = read(
        input.exposure,
        "network.exposure",
        problems,
        Exposure::parse,
    );
    for (position, source) in input.allowed_sources.iter().flatten().enumerate() {
        let place = Path::of("network.allowed_sources").index(position as u64);
        match source.parse::<Ipv4Net>() {
            Err(_) => problems.push(
                Problem::error(place, "not an IPv4 network")
                    .seen(format!("{source:?}"))
                    .allowed("an address, '/' and a prefix length")
                    .next("Write for example \"198.51.100.0/24\"."),
            ),
            Ok(network) if network.prefix_len() == 0 => problems.push(
                Problem::error(place, "the allow-list admits everybody")
                    .seen(network)
                    .allowed("networks that are really yours")
                    .next(
                        "Name the source networks; the API shares this address with the consoles.",
                    ),
            ),
            Ok(network) if network.prefix_len() < 16 => problems.push(
                Problem::warning(place, "the allow-list is wide")
                    .seen(network)
                    .allowed("any network; /16 or narrower is usual")
                    .next("Narrow the network if you can."),
            ),
            Ok(_) => {}
        }
    }
    let (Some(Exposure::Public), Some(addresses), Some(offering)) =
        (exposure, &input.public_ipv4, offering)
    else {
        return;
    };
    let needed = match offering {
        Offering::Core => 1,
        Offering::Complete => 2,
    };
    if addresses.len() < needed {
        problems.push(
            Problem::error(Path::of("network.public_ipv4"), "too few public addresses")
                .seen(format!(
                    "{} for offering {:?}",
                    addresses.len(),
                    offering.as_str()
                ))
                .allowed(format!(
                    "{needed} or more when network.exposure is \"public\""
                ))
                .next("Name the public addresses, or set exposure = \"private\"."),
        );
    }
    for (position, text) in addresses.iter().enumerate() {
        if let Err(problem) = address(text) {
            problems.push(problem.under(&Path::of("network.public_ipv4").index(position as u64)));
        }
    }
}
