//! Rules of a cluster's attributes.

mod network;
mod storage;
#[cfg(test)]
mod tests;
mod versions;

use jiff::civil::Date;

use self::network::{check_exposure, check_network};
use self::storage::{check_machines, check_storage};
use self::versions::check_versions;
use super::read;
use crate::{
    Identifier, IdentifierPolicy, KubernetesRelease, Offering, Path, Problem, Region, TalosVersion,
    Topology, Zones,
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
