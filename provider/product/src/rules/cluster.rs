//! Rules of a cluster's attributes.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use jiff::civil::Date;

use super::{bounds, read};
use crate::network::{check_api, check_disjoint, check_gateway, check_pod_size};
use crate::{
    AddressRange, ApiEndpoint, ApiStrategy, DataDisks, Exposure, Identifier, IdentifierPolicy,
    KubernetesRelease, KubernetesVersion, MOST_DATA_DISKS, NetworkPlan, NetworkSettings,
    NodeNetwork, Offering, PLATFORM_RESERVED_GB, Path, PodNetwork, Problem, PublicZone, Quotas,
    Region, ServiceNetwork, SupportPhase, TalosVersion, Topology, Zones, ceph_capacity, ceph_nodes,
    check_kubernetes_step, check_matrix, check_talos_step, effective_iops,
    recommended_storage_memory_gib, support_of,
};

/// What the state says about a cluster that exists.
#[derive(Clone, Debug, Default)]
pub struct PriorCluster {
    /// The release in state.
    pub kubernetes: Option<KubernetesRelease>,
    /// The release of Talos in state.
    pub talos: Option<TalosVersion>,
    /// GB of Ceph on each node.
    pub ceph_gb_per_node: Option<u32>,
    /// The offering in state.
    pub offering: Option<Offering>,
}

/// Quotas as configured, each when known.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuotasInput {
    /// `storage.quotas.block_gb`.
    pub block_gb: Option<i64>,
    /// `storage.quotas.block_norepl_gb`.
    pub block_norepl_gb: Option<i64>,
    /// `storage.quotas.file_gb`.
    pub file_gb: Option<i64>,
}

/// A cluster's configuration as far as it is known, defaults filled in by the caller.
#[derive(Clone, Debug, Default)]
pub struct ClusterInput<'a> {
    /// `identifier`.
    pub identifier: Option<&'a str>,
    /// `identifier_policy`.
    pub identifier_policy: Option<&'a str>,
    /// `offering`.
    pub offering: Option<&'a str>,
    /// `topology`.
    pub topology: Option<&'a str>,
    /// `region`.
    pub region: Option<&'a str>,
    /// `zones`, when every element is known.
    pub zones: Option<Vec<&'a str>>,
    /// `kubernetes_version`.
    pub kubernetes_version: Option<&'a str>,
    /// `talos_version`.
    pub talos_version: Option<&'a str>,
    /// `network.node_cidr`.
    pub node_cidr: Option<&'a str>,
    /// `network.gateway`.
    pub gateway: Option<&'a str>,
    /// `network.nameservers`, when every element is known.
    pub nameservers: Option<Vec<&'a str>>,
    /// `network.ntp_servers`, when every element is known.
    pub ntp_servers: Option<Vec<&'a str>>,
    /// `network.pod_cidr`.
    pub pod_cidr: Option<&'a str>,
    /// `network.service_cidr`.
    pub service_cidr: Option<&'a str>,
    /// `network.metallb.internal_range`.
    pub internal_range: Option<&'a str>,
    /// `network.metallb.external_range`.
    pub external_range: Option<&'a str>,
    /// `network.public_zone`.
    pub public_zone: Option<&'a str>,
    /// `api.strategy`, its default filled in.
    pub api_strategy: Option<&'a str>,
    /// `api.endpoint`: `Some(None)` when it is known to be absent.
    pub api_endpoint: Option<Option<&'a str>>,
    /// `network.exposure`.
    pub exposure: Option<&'a str>,
    /// `network.public_ipv4`, when every element is known; empty when not given.
    pub public_ipv4: Option<Vec<&'a str>>,
    /// `network.allowed_sources`, when every element is known.
    pub allowed_sources: Option<Vec<&'a str>>,
    /// `git_runner.disk_gb`.
    pub git_runner_disk_gb: Option<i64>,
    /// `control_plane.os_disk_gb`.
    pub control_plane_os_disk_gb: Option<i64>,
    /// `storage.ceph_gb_per_node`.
    pub ceph_gb_per_node: Option<i64>,
    /// `storage.node.count`.
    pub storage_nodes: Option<i64>,
    /// `storage.node.vcpu`.
    pub storage_vcpu: Option<i64>,
    /// `storage.node.memory_gib`.
    pub storage_memory_gib: Option<i64>,
    /// `storage.node.os_disk_gb`.
    pub storage_os_disk_gb: Option<i64>,
    /// `storage.platform_reserved_gb`.
    pub platform_reserved_gb: Option<i64>,
    /// `storage.iops_class`, only when the configuration sets it.
    pub iops_class: Option<i64>,
    /// `storage.quotas`.
    pub quotas: Option<QuotasInput>,
    /// `allow_offering_downgrade`.
    pub allow_offering_downgrade: Option<bool>,
    /// `allow_customer_admin`.
    pub allow_customer_admin: Option<bool>,
    /// What exists; `None` on create.
    pub prior: Option<PriorCluster>,
    /// The day, for rules about support windows; without it they are silent.
    pub today: Option<Date>,
}

/// Every rule of a cluster whose inputs are known.
pub fn check_cluster(input: &ClusterInput<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let topology = read(input.topology, "topology", &mut problems, Topology::parse);
    let offering = read(input.offering, "offering", &mut problems, Offering::parse);
    check_names(input, topology, &mut problems);
    check_versions(input, topology, &mut problems);
    check_network(input, topology, &mut problems);
    check_exposure(input, offering, &mut problems);
    check_machines(input, &mut problems);
    check_storage(input, topology, &mut problems);
    check_offering(input, offering, &mut problems);
    problems
}

fn check_names(input: &ClusterInput<'_>, topology: Option<Topology>, problems: &mut Vec<Problem>) {
    let policy = read(
        input.identifier_policy,
        "identifier_policy",
        problems,
        IdentifierPolicy::parse,
    )
    .or(input
        .identifier_policy
        .is_none()
        .then_some(IdentifierPolicy::Strict));
    match (topology, policy) {
        (Some(topology), Some(policy)) => {
            read(input.identifier, "identifier", problems, |text| {
                Identifier::parse(text, topology, policy)
            });
        }
        // Without the topology only what holds for both is said.
        _ => {
            read(
                input.identifier,
                "identifier",
                problems,
                Identifier::parse_free,
            );
        }
    }
    let region = read(input.region, "region", problems, Region::parse);
    let Some((names, topology)) = input.zones.as_ref().zip(topology) else {
        return;
    };
    match Zones::parse(names, topology) {
        Err(problem) => problems.push(problem.under(&Path::of("zones"))),
        Ok(zones) => {
            if topology == Topology::DevTest && zones.as_slice().len() == 2 {
                problems.push(
                    Problem::warning(
                        Path::of("zones"),
                        "a second zone brings no availability in devtest",
                    )
                    .seen(names.join(", "))
                    .allowed("one zone; two are accepted")
                    .next("Remove one zone, or choose topology \"production\"."),
                );
            }
            let known = region.unwrap_or(Region::Fr1).zones();
            for (position, zone) in zones.as_slice().iter().enumerate() {
                if !known.contains(&zone.as_str()) {
                    problems.push(
                        Problem::warning(
                            Path::of("zones").index(position as u64),
                            "zone is not known for this region",
                        )
                        .seen(format!("{:?}", zone.as_str()))
                        .allowed(known.join(", "))
                        .next("Check the name; the API decides when the cluster is planned."),
                    );
                }
            }
        }
    }
}

fn check_versions(
    input: &ClusterInput<'_>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let kubernetes = read(
        input.kubernetes_version,
        "kubernetes_version",
        problems,
        KubernetesVersion::parse,
    );
    let talos = read(
        input.talos_version,
        "talos_version",
        problems,
        TalosVersion::parse,
    );
    let prior = input.prior.as_ref();
    if let (Some(talos), None) = (&talos, prior)
        && let Err(problem) = talos.contract()
    {
        problems.push(problem.under(&Path::of("talos_version")));
    }
    if let (Some(kubernetes), Some(talos)) = (&kubernetes, &talos) {
        problems.extend(check_matrix(
            talos,
            kubernetes.minor(),
            &Path::of("kubernetes_version"),
        ));
    }
    if let Some(kubernetes) = &kubernetes {
        check_kubernetes(kubernetes, prior, input.today, topology, problems);
    }
    if let Some((prior, talos)) = prior
        .and_then(|prior| prior.talos.as_ref())
        .zip(talos.as_ref())
    {
        problems.extend(check_talos_step(prior, talos, &Path::of("talos_version")));
    }
}

fn check_kubernetes(
    version: &KubernetesVersion,
    prior: Option<&PriorCluster>,
    today: Option<Date>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let place = || Path::of("kubernetes_version");
    let running = prior.and_then(|prior| prior.kubernetes);
    let unchanged = running.is_some_and(|release| version.accepts(&release));
    if let (Some(running), false) = (running, unchanged) {
        match version.resolve() {
            Err(problem) => problems.push(problem.under(&place())),
            Ok(target) => {
                problems.extend(check_kubernetes_step(&running, &target, &place()));
                if target > running && topology == Some(Topology::DevTest) {
                    problems.push(
                        Problem::warning(
                            place(),
                            "the API stops while the control plane is upgraded",
                        )
                        .seen(format!("{running} to {target} with one control plane"))
                        .allowed("an interruption of minutes in devtest")
                        .next("Plan the change at a quiet time."),
                    );
                }
            }
        }
    } else if running.is_none()
        && let Err(problem) = version.resolve()
    {
        problems.push(problem.under(&place()));
    }
    let Some(support) = today.and_then(|today| support_of(version.minor(), today)) else {
        return;
    };
    let deadline = support.deadline.unwrap_or(support.upstream_ends);
    match (support.phase, unchanged) {
        (SupportPhase::Supported, _) => {}
        (SupportPhase::Ending | SupportPhase::Ended, true) => problems.push(
            Problem::warning(place(), "support of this Kubernetes minor ends")
                .seen(format!("{}, supported until {deadline}", version.minor()))
                .allowed("the three newest minors")
                .next("Upgrade by one minor."),
        ),
        // A step on the way up from an old cluster must stay possible.
        (SupportPhase::Ending | SupportPhase::Ended, false) if running.is_some() => problems.push(
            Problem::warning(place(), "support of this Kubernetes minor ends")
                .seen(format!("{}, supported until {deadline}", version.minor()))
                .allowed("the three newest minors")
                .next("Go on to the next minor after this upgrade."),
        ),
        (SupportPhase::Ending | SupportPhase::Ended | SupportPhase::Future, _) => problems.push(
            Problem::error(place(), "Kubernetes minor is not supported")
                .seen(version.minor())
                .allowed("one of the three newest released minors")
                .next("Choose a newer minor that the Talos release runs."),
        ),
    }
}

fn check_network(
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

fn check_exposure(
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

fn check_machines(input: &ClusterInput<'_>, problems: &mut Vec<Problem>) {
    let checks = [
        (
            input.git_runner_disk_gb,
            30..=2_000,
            "git_runner.disk_gb",
            "Git Runner disk",
            " GB",
        ),
        (
            input.control_plane_os_disk_gb,
            64..=2_000,
            "control_plane.os_disk_gb",
            "system disk",
            " GB",
        ),
        (
            input.storage_os_disk_gb,
            64..=2_000,
            "storage.node.os_disk_gb",
            "system disk",
            " GB",
        ),
        (
            input.storage_vcpu,
            12..=112,
            "storage.node.vcpu",
            "number of processors",
            "",
        ),
        (
            input.storage_memory_gib,
            24..=1_536,
            "storage.node.memory_gib",
            "memory",
            " GiB",
        ),
    ];
    for (seen, allowed, place, what, unit) in checks {
        problems.extend(bounds(seen, allowed, Path::of(place), what, unit));
    }
}

fn check_storage(
    input: &ClusterInput<'_>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let place = || Path::of("storage.ceph_gb_per_node");
    check_storage_nodes(input, topology, problems);
    let Some((seen, topology)) = input.ceph_gb_per_node.zip(topology) else {
        return;
    };
    let most = i64::from(crate::LARGEST_DISK_GB) * MOST_DATA_DISKS as i64;
    let least = i64::from(topology.minimum_ceph_gb());
    if let Some(problem) = bounds(
        Some(seen),
        least..=most,
        place(),
        "Ceph capacity of a node",
        " GB",
    ) {
        problems.push(problem);
        return;
    }
    let Ok(gb) = u32::try_from(seen) else { return };
    if let Some(prior) = input
        .prior
        .as_ref()
        .and_then(|prior| prior.ceph_gb_per_node)
        && let Err(problem) = DataDisks::existing(vec![prior]).grow(gb)
    {
        problems.push(problem.under(&place()));
    }
    if let Some(memory) = input.storage_memory_gib
        && topology == Topology::Production
        && memory < i64::from(recommended_storage_memory_gib(gb))
    {
        problems.push(
            Problem::warning(
                Path::of("storage.node.memory_gib"),
                "memory of the storage nodes is small for their disks",
            )
            .seen(format!("{memory} GiB for {gb} GB of Ceph"))
            .allowed(format!(
                "{} GiB or more are advised",
                recommended_storage_memory_gib(gb)
            ))
            .next("Raise the memory."),
        );
    }
    if let Some(class) = input.iops_class.and_then(|class| u32::try_from(class).ok()) {
        check_iops(class, gb, problems);
    }
    check_quotas(input, topology, gb, problems);
}

fn check_storage_nodes(
    input: &ClusterInput<'_>,
    topology: Option<Topology>,
    problems: &mut Vec<Problem>,
) {
    let Some((nodes, topology)) = input.storage_nodes.zip(topology) else {
        return;
    };
    let allowed: &[i64] = match topology {
        Topology::Production => &[3, 6, 9],
        Topology::DevTest => &[0],
    };
    if !allowed.contains(&nodes) {
        problems.push(
            Problem::error(
                Path::of("storage.node.count"),
                "number of storage nodes does not fit the topology",
            )
            .seen(format!("{nodes} for topology {:?}", topology.as_str()))
            .allowed(match topology {
                Topology::Production => "3, 6 or 9: the same number in each zone",
                Topology::DevTest => "none: the first three workers carry the storage",
            })
            .next("Change the number, or remove the attribute for the default."),
        );
    }
}

fn check_iops(class: u32, disk_gb: u32, problems: &mut Vec<Problem>) {
    const CLASSES: [u32; 5] = [500, 1_500, 3_000, 7_500, 15_000];
    let place = || Path::of("storage.iops_class");
    if !CLASSES.contains(&class) {
        problems.push(
            Problem::error(place(), "unknown storage class")
                .seen(class)
                .allowed("500, 1500, 3000, 7500 or 15000 operations a second and TB")
                .next("Choose one of the classes."),
        );
        return;
    }
    let effective = effective_iops(class, disk_gb);
    if effective < 7_500 {
        problems.push(
            Problem::warning(place(), "storage is slower than the product promises")
                .seen(format!(
                    "{effective} operations a second for a disk of {disk_gb} GB"
                ))
                .allowed("7500 operations a second are advised")
                .next(
                    "Choose a faster class or a larger disk, unless the datastore pools its disks.",
                ),
        );
    }
}

fn check_quotas(
    input: &ClusterInput<'_>,
    topology: Topology,
    gb: u32,
    problems: &mut Vec<Problem>,
) {
    let Some(QuotasInput {
        block_gb,
        block_norepl_gb,
        file_gb,
    }) = input.quotas
    else {
        return;
    };
    let place = Path::of("storage.quotas");
    let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let (Some(block_gb), Some(block_norepl_gb), Some(file_gb)) =
        (number(block_gb), number(block_norepl_gb), number(file_gb))
    else {
        return;
    };
    let nodes = input
        .storage_nodes
        .and_then(|nodes| u16::try_from(nodes).ok())
        .unwrap_or(topology.storage_nodes());
    let reserved = input
        .platform_reserved_gb
        .and_then(|reserved| u32::try_from(reserved).ok())
        .unwrap_or(PLATFORM_RESERVED_GB);
    let capacity = ceph_capacity(gb, ceph_nodes(topology, nodes), reserved);
    let quotas = Quotas {
        block_gb,
        block_norepl_gb,
        file_gb,
    };
    problems.extend(quotas.check(capacity.customer_gb, &place));
}

fn check_offering(
    input: &ClusterInput<'_>,
    offering: Option<Offering>,
    problems: &mut Vec<Problem>,
) {
    let Some(offering) = offering else { return };
    let prior = input.prior.as_ref().and_then(|prior| prior.offering);
    if prior == Some(Offering::Complete)
        && offering == Offering::Core
        && input.allow_offering_downgrade != Some(true)
    {
        problems.push(
            Problem::error(
                Path::of("offering"),
                "the complete offering cannot be reduced by mistake",
            )
            .seen("\"complete\" to \"core\"")
            .allowed("only with allow_offering_downgrade = true")
            .next("It removes backup, policies and ingress; set the switch if you mean it."),
        );
    }
    let production = input.topology == Some(Topology::Production.as_str());
    if input.allow_customer_admin == Some(true) && production && offering == Offering::Complete {
        problems.push(
            Problem::warning(
                Path::of("allow_customer_admin"),
                "customer administrators in a managed perimeter",
            )
            .seen("true in production with the complete offering")
            .allowed("false is the product's rule; true is accepted as an opt-in")
            .next("Keep it only if the operation of this cluster is agreed to be yours."),
        );
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::Severity;

    fn good() -> ClusterInput<'static> {
        ClusterInput {
            identifier: Some("alpha"),
            identifier_policy: Some("strict"),
            offering: Some("complete"),
            topology: Some("production"),
            region: Some("fr1"),
            zones: Some(vec!["AZ05", "AZ06", "AZ07"]),
            kubernetes_version: Some("1.36"),
            talos_version: Some("1.13.9"),
            node_cidr: Some("10.20.0.0/22"),
            gateway: Some("10.20.3.254"),
            nameservers: Some(vec!["10.20.3.253"]),
            ntp_servers: Some(vec!["pool.example.org"]),
            pod_cidr: Some("10.241.0.0/16"),
            service_cidr: Some("10.96.0.0/12"),
            api_strategy: Some("vip"),
            api_endpoint: Some(None),
            exposure: Some("private"),
            ceph_gb_per_node: Some(500),
            storage_nodes: Some(3),
            storage_vcpu: Some(12),
            storage_memory_gib: Some(24),
            today: Some(date(2026, 11, 21)),
            ..ClusterInput::default()
        }
    }

    fn one(change: impl FnOnce(&mut ClusterInput<'static>)) -> (String, Severity) {
        let mut input = good();
        change(&mut input);
        let problems = check_cluster(&input);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        for text in [&problems[0].seen, &problems[0].allowed, &problems[0].next] {
            assert!(!text.is_empty(), "{problems:#?}");
        }
        (problems[0].path.to_string(), problems[0].severity)
    }

    #[test]
    fn the_example_of_the_readme_is_clean() {
        assert_eq!(check_cluster(&good()), []);
    }

    #[test]
    fn nothing_known_says_nothing() {
        assert_eq!(check_cluster(&ClusterInput::default()), []);
    }

    #[test]
    fn each_rule_blames_its_own_attribute() {
        let error = |path: &str| (path.to_owned(), Severity::Error);
        let warning = |path: &str| (path.to_owned(), Severity::Warning);
        assert_eq!(one(|c| c.identifier = Some("alphab")), error("identifier"));
        assert_eq!(one(|c| c.topology = Some("staging")), error("topology"));
        assert_eq!(
            one(|c| c.zones = Some(vec!["AZ05", "AZ06"])),
            error("zones")
        );
        assert_eq!(
            one(|c| c.zones = Some(vec!["AZ05", "AZ06", "AZ06"])),
            error("zones[2]")
        );
        assert_eq!(
            one(|c| c.zones = Some(vec!["AZ05", "AZ06", "AZ09"])),
            warning("zones[2]")
        );
        assert_eq!(
            one(|c| c.kubernetes_version = Some("1.37")),
            error("kubernetes_version")
        );
        assert_eq!(
            one(|c| c.kubernetes_version = Some("1.34")),
            error("kubernetes_version")
        );
        assert_eq!(
            one(|c| c.talos_version = Some("1.11.2")),
            error("talos_version")
        );
        assert_eq!(
            one(|c| c.node_cidr = Some("10.20.0.0/21")),
            error("network.node_cidr")
        );
        assert_eq!(
            one(|c| c.gateway = Some("10.20.0.20")),
            error("network.gateway")
        );
        assert_eq!(
            one(|c| c.nameservers = Some(vec!["dns.example.org"])),
            error("network.nameservers[0]")
        );
        assert_eq!(
            one(|c| c.ntp_servers = Some(vec![])),
            error("network.ntp_servers")
        );
        assert_eq!(
            one(|c| c.pod_cidr = Some("10.241.0.0/20")),
            error("network.pod_cidr")
        );
        assert_eq!(
            one(|c| c.service_cidr = Some("10.95.0.0/12")),
            error("network.service_cidr")
        );
        assert_eq!(one(|c| c.api_strategy = Some("bgp")), error("api.strategy"));
        assert_eq!(
            one(|c| c.api_endpoint = Some(Some("api.example.com"))),
            error("api.endpoint")
        );
        assert_eq!(
            one(|c| c.api_strategy = Some("external")),
            error("api.endpoint")
        );
        assert_eq!(
            one(|c| c.allowed_sources = Some(vec!["0.0.0.0/0"])),
            error("network.allowed_sources[0]")
        );
        assert_eq!(
            one(|c| c.allowed_sources = Some(vec!["10.0.0.0/8"])),
            warning("network.allowed_sources[0]")
        );
        assert_eq!(
            one(|c| c.git_runner_disk_gb = Some(29)),
            error("git_runner.disk_gb")
        );
        assert_eq!(
            one(|c| c.control_plane_os_disk_gb = Some(63)),
            error("control_plane.os_disk_gb")
        );
        assert_eq!(
            one(|c| c.ceph_gb_per_node = Some(499)),
            error("storage.ceph_gb_per_node")
        );
        assert_eq!(
            one(|c| c.ceph_gb_per_node = Some(44_001)),
            error("storage.ceph_gb_per_node")
        );
        assert_eq!(
            one(|c| c.ceph_gb_per_node = Some(10_000)),
            warning("storage.node.memory_gib")
        );
        assert_eq!(
            one(|c| c.storage_nodes = Some(4)),
            error("storage.node.count")
        );
        assert_eq!(
            one(|c| c.iops_class = Some(7_500)),
            warning("storage.iops_class")
        );
        assert_eq!(
            one(|c| {
                c.exposure = Some("public");
                c.public_ipv4 = Some(vec!["203.0.113.7"]);
            }),
            error("network.public_ipv4")
        );
        assert_eq!(
            one(|c| {
                c.quotas = Some(QuotasInput {
                    block_gb: Some(351),
                    block_norepl_gb: Some(0),
                    file_gb: Some(0),
                });
            }),
            error("storage.quotas")
        );
    }

    #[test]
    fn an_existing_cluster_moves_forward_only() {
        let prior = |kubernetes: &str, talos: &str| {
            Some(PriorCluster {
                kubernetes: KubernetesRelease::parse(kubernetes).ok(),
                talos: TalosVersion::parse(talos).ok(),
                ceph_gb_per_node: Some(500),
                offering: Some(Offering::Complete),
            })
        };
        let mut input = good();
        input.prior = prior("1.35.4", "1.13.9");
        assert_eq!(check_cluster(&input), []);
        assert_eq!(
            one(|c| c.prior = prior("1.36.9", "1.13.10")).0,
            "talos_version"
        );
        assert_eq!(
            one(|c| {
                c.prior = prior("1.34.1", "1.13.9");
            })
            .0,
            "kubernetes_version"
        );
        // An existing cluster on an old minor is warned, not refused.
        let (path, severity) = one(|c| {
            c.prior = prior("1.34.1", "1.13.9");
            c.kubernetes_version = Some("1.34");
        });
        assert_eq!(
            (path.as_str(), severity),
            ("kubernetes_version", Severity::Warning)
        );
        assert_eq!(
            one(|c| {
                c.prior = prior("1.36.3", "1.13.9");
                c.offering = Some("core");
            })
            .0,
            "offering"
        );
    }
}
