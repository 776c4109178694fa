//! Rules of a worker pool's attributes.

use super::{bounds, read};
use crate::labels::check_label;
use crate::{Path, PoolName, Problem, Taint, Topology, WorkerKind};

/// One taint as configured.
#[derive(Clone, Copy, Debug)]
pub struct TaintInput<'a> {
    /// `key`.
    pub key: &'a str,
    /// `value`, empty for none.
    pub value: &'a str,
    /// `effect`.
    pub effect: &'a str,
}

/// A pool's configuration as far as it is known, defaults filled in by the caller.
#[derive(Clone, Debug, Default)]
pub struct PoolInput<'a> {
    /// `name`.
    pub name: Option<&'a str>,
    /// `kind`.
    pub kind: Option<&'a str>,
    /// The topology of the handle.
    pub topology: Option<Topology>,
    /// `size`.
    pub size: Option<i64>,
    /// `min_size`.
    pub min_size: Option<i64>,
    /// `max_size`.
    pub max_size: Option<i64>,
    /// Workers of the cluster's other pools, when somebody counted them.
    pub other_workers: Option<i64>,
    /// `vcpu`.
    pub vcpu: Option<i64>,
    /// `memory_gib`.
    pub memory_gib: Option<i64>,
    /// `os_disk_gb`.
    pub os_disk_gb: Option<i64>,
    /// `ceph_gb`, the Ceph disk of the first three workers in devtest.
    pub ceph_gb: Option<i64>,
    /// `max_pods_per_node`.
    pub max_pods_per_node: Option<i64>,
    /// `labels`, each whose value is known.
    pub labels: Vec<(&'a str, &'a str)>,
    /// `taints`, each whose members are known.
    pub taints: Vec<TaintInput<'a>>,
}

/// Every rule of a pool whose inputs are known.
pub fn check_pool(input: &PoolInput<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    read(input.name, "name", &mut problems, PoolName::parse);
    let kind = read(input.kind, "kind", &mut problems, WorkerKind::parse);
    check_size(input, &mut problems);
    let vm = kind != Some(WorkerKind::BareMetal);
    if vm {
        problems.extend(bounds(
            input.vcpu,
            12..=112,
            Path::of("vcpu"),
            "number of processors",
            "",
        ));
        problems.extend(bounds(
            input.memory_gib,
            24..=1_536,
            Path::of("memory_gib"),
            "memory",
            " GiB",
        ));
        problems.extend(bounds(
            input.os_disk_gb,
            64..=2_000,
            Path::of("os_disk_gb"),
            "system disk",
            " GB",
        ));
        check_blade(input, &mut problems);
    } else {
        for (place, given) in [("vcpu", input.vcpu), ("memory_gib", input.memory_gib)] {
            if let Some(given) = given {
                problems.push(
                    Problem::error(Path::of(place), "a blade's size is fixed")
                        .seen(given)
                        .allowed("nothing, when kind is \"bare_metal\"")
                        .next("Remove the attribute."),
                );
            }
        }
    }
    problems.extend(bounds(
        input.max_pods_per_node,
        1..=110,
        Path::of("max_pods_per_node"),
        "number of pods",
        "",
    ));
    for (key, value) in &input.labels {
        let place = Path::of("labels");
        problems.extend(
            check_label(key, value)
                .into_iter()
                .map(|problem| problem.under(&place)),
        );
    }
    for (position, taint) in input.taints.iter().enumerate() {
        let text = format!("{}={}:{}", taint.key, taint.value, taint.effect);
        if let Err(problem) = Taint::parse(&text) {
            problems.push(problem.under(&Path::of("taints").index(position as u64)));
        }
    }
    problems
}

fn check_size(input: &PoolInput<'_>, problems: &mut Vec<Problem>) {
    let (least, most) = input.topology.map_or((1, 250), |topology| {
        let (least, most) = topology.worker_limits();
        (i64::from(least), i64::from(most))
    });
    for (place, size) in [
        ("size", input.size),
        ("min_size", input.min_size),
        ("max_size", input.max_size),
    ] {
        problems.extend(bounds(
            size,
            0..=most,
            Path::of(place),
            "number of workers",
            "",
        ));
    }
    let pairs = [
        ("min_size", input.min_size, "size", input.size),
        ("size", input.size, "max_size", input.max_size),
        ("min_size", input.min_size, "max_size", input.max_size),
    ];
    for (low_name, low, high_name, high) in pairs {
        // The outer pair says nothing new when the size between them is known.
        let inner = low_name == "min_size" && high_name == "max_size" && input.size.is_some();
        if let Some((low, high)) = low.zip(high)
            && low > high
            && !inner
        {
            problems.push(
                Problem::error(
                    Path::of(low_name),
                    format!("{low_name} is above {high_name}"),
                )
                .seen(format!("{low}, and {high_name} is {high}"))
                .allowed(format!("{high} or less"))
                .next("Change one of the two."),
            );
        }
    }
    let (Some(size), Some(others), Some(_)) = (input.size, input.other_workers, input.topology)
    else {
        return;
    };
    let total = size.saturating_add(others);
    if total < least || total > most {
        problems.push(
            Problem::error(
                Path::of("size"),
                "number of workers of the cluster is out of range",
            )
            .seen(format!("{size} here and {others} in other pools: {total}"))
            .allowed(format!("{least} to {most} workers in all pools together"))
            .next("Change the size of this pool or of another."),
        );
    } else if input.topology == Some(Topology::Production) && total % 3 != 0 {
        problems.push(
            Problem::warning(
                Path::of("size"),
                "workers are not spread evenly over the zones",
            )
            .seen(format!("{total} workers in three zones"))
            .allowed("any number; multiples of three are advised")
            .next("Grow by three when you can."),
        );
    }
}

fn check_blade(input: &PoolInput<'_>, problems: &mut Vec<Problem>) {
    // Beyond the largest blade the bounds have spoken already.
    let within = input.vcpu.is_none_or(|vcpu| vcpu <= 112)
        && input.memory_gib.is_none_or(|memory| memory <= 1_536);
    let large = input.vcpu.is_some_and(|vcpu| vcpu > 96)
        || input.memory_gib.is_some_and(|memory| memory > 768);
    if within && large {
        let seen = [
            input.vcpu.map(|vcpu| format!("{vcpu} processors")),
            input.memory_gib.map(|memory| format!("{memory} GiB")),
        ];
        problems.push(
            Problem::warning(Path::of("vcpu"), "worker fits only the largest blade")
                .seen(seen.into_iter().flatten().collect::<Vec<_>>().join(", "))
                .allowed(
                    "up to 112 processors and 1536 GiB; the hypervisor itself needs some memory",
                )
                .next("Check that every zone has such a blade."),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn good() -> PoolInput<'static> {
        PoolInput {
            name: Some("default"),
            kind: Some("vm"),
            topology: Some(Topology::Production),
            size: Some(3),
            min_size: Some(3),
            max_size: Some(9),
            other_workers: Some(0),
            vcpu: Some(12),
            memory_gib: Some(24),
            os_disk_gb: Some(64),
            max_pods_per_node: Some(110),
            labels: vec![("example.org/team", "core")],
            taints: vec![TaintInput {
                key: "gpu",
                value: "",
                effect: "NoSchedule",
            }],
            ..PoolInput::default()
        }
    }

    fn one(change: impl FnOnce(&mut PoolInput<'static>)) -> String {
        let mut input = good();
        change(&mut input);
        let problems = check_pool(&input);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        let level = if problems[0].severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        format!("{level} {}", problems[0].path)
    }

    #[test]
    fn a_good_pool_is_clean_and_nothing_known_says_nothing() {
        assert_eq!(check_pool(&good()), []);
        assert_eq!(check_pool(&PoolInput::default()), []);
    }

    #[test]
    fn each_rule_blames_its_own_attribute() {
        assert_eq!(one(|p| p.name = Some("Default")), "error name");
        assert_eq!(one(|p| p.size = Some(12)), "error size");
        assert_eq!(one(|p| p.min_size = Some(4)), "error min_size");
        assert_eq!(one(|p| p.size = Some(4)), "warning size");
        assert_eq!(one(|p| p.other_workers = Some(98)), "error size");
        assert_eq!(
            one(|p| {
                p.size = Some(2);
                p.min_size = Some(1);
            }),
            "error size"
        );
        assert_eq!(one(|p| p.vcpu = Some(11)), "error vcpu");
        assert_eq!(one(|p| p.vcpu = Some(100)), "warning vcpu");
        assert_eq!(
            one(|p| p.memory_gib = Some(1_537)),
            "error memory_gib".to_owned()
        );
        assert_eq!(
            one(|p| p.max_pods_per_node = Some(111)),
            "error max_pods_per_node"
        );
        assert_eq!(
            one(|p| p.labels = vec![("a b", "")]),
            "error labels[\"a b\"]"
        );
        assert_eq!(
            one(|p| p.taints = vec![TaintInput {
                key: "gpu",
                value: "",
                effect: "Never"
            }]),
            "error taints[0]"
        );
    }
}
