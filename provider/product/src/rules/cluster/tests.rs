//! Each rule, with what breaks it.

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
