//! Machines and disks of the cluster's own nodes, and what Ceph makes of them.

use super::super::bounds;
use super::{ClusterInput, QuotasInput};
use crate::{
    DataDisks, MOST_DATA_DISKS, PLATFORM_RESERVED_GB, Path, Problem, Quotas, Topology,
    ceph_capacity, ceph_nodes, effective_iops, recommended_storage_memory_gib,
};

pub(super) fn check_machines(input: &ClusterInput<'_>, problems: &mut Vec<Problem>) {
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

pub(super) fn check_storage(
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
