//! Wrong configurations are refused before anything is done, each with its place, what was seen, what is allowed; wrong
//! settings and a tenant that does not fit give one clear message and change nothing.

use std::fmt::Write as _;

use sandbox::admin::Inventory;
use serde_json::Value;
use suites::{Bench, Result};

/// The good configuration with one thing changed.
struct Case {
    /// The text of the good configuration that is replaced, and what replaces it.
    change: (&'static str, &'static str),
    /// Whether the run goes on.
    warning: bool,
    /// The diagnostic's summary, or a part of it.
    summary: &'static str,
    /// A text of the line it points at.
    line: &'static str,
    /// Texts of its detail: the value seen, what is allowed, what to do.
    detail: &'static [&'static str],
}

const GOOD: &str = include_str!("../../../examples/quickstart/main.tf");

/// The lines that say what kind of cluster it is.
const KIND: &str = r#"  identifier         = "alpha"
  topology           = "production"
  zones              = ["AZ05", "AZ06", "AZ07"]"#;
const ZONES: &str = "[\"AZ05\", \"AZ06\", \"AZ07\"]";
const RANGE: &str = "\"10.20.0.0/22\"";
/// A place in `network` for one attribute more.
const NETWORK: &str = "    gateway     =";
/// A place in the cluster for one attribute more.
const CLUSTER: &str = "  infrastructure =";
/// A place in the pool for one attribute more.
const POOL: &str = "  size    = 3";

const fn error(
    from: &'static str,
    to: &'static str,
    summary: &'static str,
    line: &'static str,
    detail: &'static [&'static str],
) -> Case {
    Case {
        change: (from, to),
        warning: false,
        summary,
        line,
        detail,
    }
}

/// Every rule of the product about the attributes that exist.
#[rustfmt::skip]
const CASES: &[Case] = &[
    error("\"alpha\"", "\"alphas\"", "identifier does not fit the topology", "identifier",
        &["\"alphas\"", "exactly 5 lower-case letters", "identifier_policy"]),
    error("\"alpha\"", "\"Alpha\"", "identifier does not fit the topology", "identifier",
        &["\"Alpha\"", "exactly 5 lower-case letters"]),
    error("\"production\"", "\"prod\"", "unknown topology", "topology", &["\"prod\"", "production", "devtest"]),
    error(ZONES, "[\"AZ05\", \"AZ06\"]", "number of zones does not fit the topology", "zones",
        &["2 zones", "exactly three zones"]),
    error(ZONES, "[\"AZ05\", \"AZ06\", \"AZ05\"]", "zone given twice", "zones", &["\"AZ05\"", "distinct zones"]),
    error(RANGE, "\"10.20.0.0/23\"", "node network is not a /22", "node_cidr", &["10.20.0.0/23", "22"]),
    error(RANGE, "\"10.20.1.0/22\"", "node network has bits set after its prefix", "node_cidr",
        &["10.20.1.0/22", "10.20.0.0/22"]),
    error(RANGE, "\"8.8.0.0/22\"", "node network is not private", "node_cidr",
        &["8.8.0.0/22", "10.0.0.0/8", "192.168.0.0/16"]),
    error(RANGE, "\"nodes\"", "node network is not an IPv4 network", "node_cidr", &["\"nodes\"", "10.20.0.0/22"]),
    error("10.20.3.254", "10.21.3.254", "gateway is not a host of the node network", "gateway",
        &["10.21.3.254", "10.20.0.0/22", "10.20.3.254"]),
    error("10.20.3.254", "10.20.0.21", "gateway has an address of the plan", "gateway",
        &["10.20.0.21", "cp-01", "10.20.3.254"]),
    error("10.20.3.254", "10.20.1.200", "gateway lies in a load balancer range", "gateway",
        &["10.20.1.200", "10.20.1.128"]),
    error(NETWORK, "    pod_cidr = \"10.20.0.0/16\"\n    gateway     =", "pod network overlaps the node network", "pod_cidr",
        &["10.20.0.0/16", "10.20.0.0/22"]),
    error(NETWORK, "    service_cidr = \"10.240.0.0/12\"\n    gateway     =", "service network overlaps the pod network",
        "service_cidr", &["10.240.0.0/12", "10.241.0.0/16"]),
    error(NETWORK, "    pod_cidr = \"10.241.0.0/20\"\n    gateway     =", "pod network is too small", "pod_cidr",
        &["10.241.0.0/20", "room for", "prefix length"]),
    error(NETWORK, "    service_cidr = \"10.95.0.0/12\"\n    gateway     =", "service network has bits set after its prefix",
        "service_cidr", &["10.95.0.0/12", "10.80.0.0/12"]),
    error(NETWORK, "    service_cidr = \"172.0.0.0/8\"\n    gateway     =", "service network has a wrong size", "service_cidr",
        &["172.0.0.0/8", "12"]),
    error(NETWORK, "    metallb = { internal_range = \"10.30.0.1-10.30.0.9\" }\n    gateway     =",
        "load balancer range leaves the node network", "internal_range", &["10.30.0.1", "10.20.0.0/22"]),
    error("nameservers = [\"10.20.3.253\"]", "nameservers = []", "no server given", "nameservers", &["empty"]),
    error("\"1.36\"", "\"1.32\"", "not in the embedded table", "kubernetes_version", &["1.32", "1.36"]),
    error("\"1.36\"", "\"latest\"", "not a version of Kubernetes", "kubernetes_version", &["\"latest\"", "1.36"]),
    error("\"1.13.9\"", "\"1.9.0\"", "release of Talos is not supported", "talos_version", &["1.9.0", "1.13"]),
    error("\"1.13.9\"", "\"v1.13.9\"", "not a release of Talos", "talos_version", &["v1.13.9", "without \"v\""]),
    error(CLUSTER, "  control_plane = { os_disk_gb = 20 }\n  infrastructure =", "is out of range", "os_disk_gb", &["20", "64"]),
    error(CLUSTER, "  storage = { ceph_gb_per_node = 100 }\n  infrastructure =", "is out of range", "ceph_gb_per_node",
        &["100", "500"]),
    error(CLUSTER, "  api = { strategy = \"bgp\" }\n  infrastructure =", "unknown strategy of the API", "strategy",
        &["\"bgp\"", "vip", "external"]),
    error(CLUSTER, "  api = { endpoint = \"api.example.com\" }\n  infrastructure =", "not the URL of an API", "endpoint",
        &["\"api.example.com\"", "https://", "port"]),
    error(CLUSTER, "  api = { endpoint = \"https://10.20.0.21:6443\" }\n  infrastructure =", "endpoint is not the virtual address",
        "endpoint", &["10.20.0.21", "https://10.20.0.20:6443", "external"]),
    error(CLUSTER, "  api = { strategy = \"external\" }\n  infrastructure =", "needs an endpoint", "api",
        &["load balancer"]),
    error(KIND, "  identifier = \"alpha\"\n  topology = \"devtest\"\n  zones = [\"AZ05\"]", "identifier does not fit the topology",
        "identifier", &["\"alpha\"", "exactly 6 lower-case letters"]),
    error(KIND, "  identifier = \"alphat\"\n  topology = \"devtest\"\n  zones = [\"AZ05\", \"AZ06\", \"AZ07\"]",
        "number of zones does not fit the topology", "zones", &["3 zones", "one zone"]),
    error(NETWORK, "    service_cidr = \"10.16.0.0/12\"\n    gateway     =", "service network overlaps the node network",
        "service_cidr", &["10.16.0.0/12", "10.20.0.0/22"]),
    error(NETWORK, "    metallb = { internal_range = \"10.20.1.1-10.20.1.200\" }\n    gateway     =",
        "load balancer ranges overlap", "metallb", &["10.20.1.200", "disjoint"]),
    error(CLUSTER, "  storage = { ceph_gb_per_node = 50000 }\n  infrastructure =", "is out of range", "ceph_gb_per_node",
        &["50000", "44000"]),
    error(CLUSTER, "  storage = { node = { vcpu = 8 } }\n  infrastructure =", "is out of range", "vcpu", &["8", "12 to 112"]),
    error(CLUSTER, "  storage = { node = { memory_gib = 16 } }\n  infrastructure =", "is out of range", "memory_gib",
        &["16", "24 to 1536"]),
    error(CLUSTER, "  storage = { node = { os_disk_gb = 40 } }\n  infrastructure =", "is out of range", "os_disk_gb",
        &["40", "64"]),
    error(POOL, "  size    = 251", "number of workers is out of range", "size", &["251", "250"]),
    error(POOL, "  size    = 3\n  vcpu = 113", "is out of range", "vcpu", &["113", "12 to 112"]),
    error(POOL, "  size    = 3\n  memory_gib = 16", "is out of range", "memory_gib", &["16", "24 to 1536"]),
    Case {
        warning: true,
        ..error(KIND, "  identifier = \"alphat\"\n  topology = \"devtest\"\n  zones = [\"AZ05\", \"AZ06\"]",
            "a second zone brings no availability", "zones", &["AZ05, AZ06", "one zone"])
    },
    Case {
        warning: true,
        ..error(ZONES, "[\"AZ05\", \"AZ06\", \"AZ09\"]", "zone is not known for this region", "zones", &["\"AZ09\"", "AZ07"])
    },
    Case {
        warning: true,
        ..error(CLUSTER, "  storage = { ceph_gb_per_node = 10000 }\n  infrastructure =",
            "memory of the storage nodes is small", "storage", &["24 GiB for 10000 GB", "128 GiB"])
    },
    error(POOL, "  size    = 3\n  min_size = 4", "min_size is above size", "min_size", &["4", "3"]),
    error(POOL, "  size    = 3\n  vcpu = 8", "is out of range", "vcpu", &["8", "12 to 112"]),
    error(POOL, "  size    = 3\n  memory_gib = 2048", "is out of range", "memory_gib", &["2048", "24 to 1536"]),
    error(POOL, "  size    = 3\n  os_disk_gb = 20", "is out of range", "os_disk_gb", &["20", "64"]),
    error(POOL, "  size    = 3\n  max_pods_per_node = 200", "is out of range", "max_pods_per_node", &["200", "110"]),
    error(POOL, "  size    = 3\n  labels = { \"no space\" = \"x\" }", "label key is not valid", "labels", &["no space", "letters"]),
    error(POOL, "  size    = 3\n  labels = { team = \"-\" }", "label value is not valid", "labels", &["\"-\"", "letters"]),
    error(POOL, "  size    = 3\n  labels = { \"topology.kubernetes.io/zone\" = \"AZ05\" }", "label is set by the provider",
        "labels", &["topology.kubernetes.io/zone"]),
    error(POOL, "  size    = 3\n  taints = [{ key = \"a\", value = \"b\", effect = \"Never\" }]", "not a taint",
        "taints", &["a=b:Never", "NoSchedule"]),
    error("name    = \"default\"", "name    = \"Default Pool\"", "pool name is not a short DNS label", "name", &["Default Pool", "lower-case"]),
    error("name       = \"metallb\"", "name       = \"traefik\"", "add-on is not in the catalogue", "name",
        &["\"traefik\"", "metallb", "chart and repository"]),
    error("name       = \"metallb\"", "name       = \"cilium\"", "the network belongs to the cluster", "name", &["\"cilium\"", "managedk8s_cluster"]),
    Case {
        warning: true,
        ..error(POOL, "  size    = 3\n  vcpu = 112", "worker fits only the largest blade", "vcpu", &["112"])
    },
];

/// What is wrong with the diagnostics of a case; `None` when they are as they should be.
fn complaint(case: &Case, diagnostics: &[Value]) -> Option<String> {
    let severity = if case.warning { "warning" } else { "error" };
    let wanted = case.summary.to_lowercase();
    let found = diagnostics.iter().find(|one| {
        let summary = one["summary"].as_str().unwrap_or_default().to_lowercase();
        one["severity"] == severity && summary.contains(&wanted)
    });
    let Some(one) = found else {
        return Some(format!("no {severity} {:?}", case.summary));
    };
    let detail = one["detail"].as_str().unwrap_or_default();
    for text in case.detail {
        if !detail.contains(text) {
            return Some(format!("no {text:?} in {detail:?}"));
        }
    }
    let code = one.pointer("/snippet/code").and_then(Value::as_str);
    if !code.is_some_and(|code| code.contains(case.line)) {
        return Some(format!("points at {code:?}, not at {:?}", case.line));
    }
    let errors = diagnostics
        .iter()
        .filter(|one| one["severity"] == "error")
        .count();
    let wanted = usize::from(!case.warning);
    (errors != wanted).then(|| format!("{errors} errors, wanted {wanted}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_speaks_before_anything_is_planned() -> Result {
    let bench = Bench::start().await?;
    bench.terraform.write("main.tf", GOOD)?;
    bench.terraform.init().await?;
    let mut complaints = String::new();
    for case in CASES {
        let (from, to) = case.change;
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?}");
        bench.terraform.write("main.tf", &GOOD.replace(from, to))?;
        let finished = bench.terraform.run(["validate", "-json"]).await?;
        let answer: Value = serde_json::from_str(&finished.stdout)?;
        let diagnostics = answer["diagnostics"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if let Some(complaint) = complaint(case, &diagnostics) {
            let seen: Vec<_> = diagnostics
                .iter()
                .map(|one| (one["summary"].to_string(), one["detail"].to_string()))
                .collect();
            let _ = writeln!(complaints, "{to}: {complaint}\n  of {seen:?}\n");
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_good_configuration_is_planned_without_a_word() -> Result {
    let bench = Bench::start().await?;
    bench.terraform.write("main.tf", GOOD)?;
    bench.terraform.init().await?;
    let text = bench.terraform.plan().await?.expect_code(2)?.words();
    assert!(
        text.contains("3 to add, 0 to change, 0 to destroy"),
        "{text}"
    );
    assert!(!text.contains("Warning"), "{text}");
    Ok(())
}

/// A value that is known only at plan, here from another resource, is checked there.
#[tokio::test(flavor = "multi_thread")]
async fn rules_speak_at_plan_as_well() -> Result {
    let bench = Bench::start().await?;
    let text = GOOD.replace(RANGE, "terraform_data.range.output")
        + "resource \"terraform_data\" \"range\" {\n  input = \"10.20.0.0/24\"\n}\n";
    bench.terraform.write("main.tf", &text)?;
    bench.terraform.init().await?;
    let first = [
        "apply",
        "-auto-approve",
        "-no-color",
        "-target=terraform_data.range",
    ];
    bench.terraform.run(first).await?.expect_code(0)?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    expect(&refused, &["node network is not a /22", "10.20.0.0/24"]);
    assert_unchanged(&bench, &Inventory::default()).await
}

/// What follows from the cluster is known at plan.
#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_a_topology_speak_at_plan() -> Result {
    let bench = Bench::start().await?;
    bench
        .terraform
        .write("main.tf", &GOOD.replace(POOL, "  size    = 101"))?;
    bench.terraform.init().await?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    expect(
        &refused,
        &[
            "number of workers is out of range",
            "101",
            "100",
            "size = 101",
        ],
    );
    Ok(())
}

/// What the offering leaves out is known at plan, from the cluster's handle.
#[tokio::test(flavor = "multi_thread")]
async fn an_addon_outside_the_offering_is_refused_at_plan() -> Result {
    let bench = Bench::start().await?;
    let text = GOOD
        .replace(CLUSTER, "  offering = \"core\"\n  infrastructure =")
        .replace("\"metallb\"", "\"kyverno\"");
    bench.terraform.write("main.tf", &text)?;
    bench.terraform.init().await?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    expect(
        &refused,
        &["add-on is not part of the offering", "kyverno", "core"],
    );
    Ok(())
}

/// Changes that replace a cluster are named in its plan; others that nothing can make in place are refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_is_named_and_what_cannot_change_is_refused() -> Result {
    const CLUSTER: &str = "managedk8s_cluster.dev";
    const PLACE: &str = "    gateway ";
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let before = bench.inventory().await?;
    for (from, to, path) in [
        ("\"alphat\"", "\"betaaa\"", "[\"identifier\"]"),
        (
            PLACE,
            "    pod_cidr = \"10.243.0.0/16\"\n    gateway ",
            "[\"network\",\"pod_cidr\"]",
        ),
        (
            PLACE,
            "    service_cidr = \"10.112.0.0/12\"\n    gateway ",
            "[\"network\",\"service_cidr\"]",
        ),
    ] {
        bench.edit("main.tf", from, to)?;
        let plan = bench.saved_plan("replacing").await?;
        let changes = plan["resource_changes"].as_array();
        let change = changes
            .into_iter()
            .flatten()
            .find(|change| change["address"] == CLUSTER)
            .ok_or("no change")?;
        let actions = &change["change"]["actions"];
        assert_eq!(*actions, serde_json::json!(["delete", "create"]), "{path}");
        let paths = change["change"]["replace_paths"].to_string();
        assert!(paths.contains(path), "{path}: {paths}");
        bench.edit("main.tf", to, from)?;
    }
    for (from, to, told) in [
        (
            PLACE,
            "    public_zone = \"k8s.example.org\"\n    gateway ",
            "network.public_zone",
        ),
        (
            "\"cluster-vlan\"",
            "\"other-vlan\"",
            "infrastructure.network",
        ),
        ("\"1.13.9\"", "\"1.13.8\"", "talos_version"),
    ] {
        bench.edit("main.tf", from, to)?;
        let refused = bench.terraform.plan().await?.expect_code(1)?.words();
        assert!(
            refused.contains(told) || refused.contains("cannot be changed"),
            "{told}: {refused}"
        );
        bench.edit("main.tf", to, from)?;
    }
    assert_unchanged(&bench, &before).await?;
    bench.expect_empty_plan().await
}

/// Machines, disks, tags and addresses are the same as before.
async fn assert_unchanged(bench: &Bench, before: &Inventory) -> Result {
    let after = bench.inventory().await?;
    assert_eq!(before.vms, after.vms);
    assert_eq!(before.disks, after.disks);
    assert_eq!(before.tags, after.tags);
    assert_eq!(before.addresses, after.addresses);
    Ok(())
}

/// The one error of an apply that must fail, in one line; nothing may have changed.
async fn refusal(bench: &Bench) -> Result<String> {
    let before = bench.inventory().await?;
    let finished = bench.terraform.apply().await?.expect_code(1)?;
    let text = finished.words();
    let errors = text.matches("Error: ").count();
    assert_eq!(errors, 1, "one clear message: {}", finished.text());
    assert!(!text.contains("panicked"), "{text}");
    assert_unchanged(bench, &before).await?;
    Ok(text)
}

fn expect(text: &str, wanted: &[&str]) {
    for part in wanted {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_refused() -> Result {
    let mut bench = Bench::with_example("quickstart").await?;
    bench.terraform.env("MANAGEDK8S_KEY", "c2hvcnQta2V5");
    let text = refusal(&bench).await?;
    expect(&text, &["key cannot be used", "MANAGEDK8S_KEY", "32"]);
    assert!(!text.contains("c2hvcnQta2V5"), "the value is told: {text}");
    bench.terraform.env("MANAGEDK8S_KEY", "");
    let text = refusal(&bench).await?;
    expect(&text, &["no key is set", "key generate", "MANAGEDK8S_KEY"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_than_the_clusters_is_refused() -> Result {
    let mut bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let before = bench.inventory().await?;
    let own = bench.key.clone();
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    bench.terraform.env("MANAGEDK8S_KEY", other);
    bench.admin().reset_calls().await?;
    let text = bench.terraform.plan().await?.expect_code(1)?.words();
    expect(&text, &["another key than", "MANAGEDK8S_KEY"]);
    let asked = bench.admin().calls().await?;
    assert!(asked.is_empty(), "refused before any call: {asked:?}");
    let handle = bench.attribute("managedk8s_cluster.dev", "handle").await?;
    let made_with = handle["key_fingerprint"].as_str().ok_or("no fingerprint")?;
    expect(&text, &[made_with, "fingerprint"]);
    assert!(!text.contains(other), "the value is told: {text}");
    assert_unchanged(&bench, &before).await?;
    bench.terraform.env("MANAGEDK8S_KEY", own);
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused() -> Result {
    let mut bench = Bench::with_example("quickstart").await?;
    bench
        .terraform
        .env("CLOUDTEMPLE_SECRET_ID", "not-the-secret");
    let text = refusal(&bench).await?;
    expect(
        &text,
        &[
            "cannot log in",
            "CLOUDTEMPLE_CLIENT_ID",
            "CLOUDTEMPLE_SECRET_ID",
        ],
    );
    assert!(
        !text.contains("not-the-secret"),
        "the secret is told: {text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_endpoint_is_named() -> Result {
    let mut bench = Bench::with_example("quickstart").await?;
    bench.terraform.env("CLOUDTEMPLE_HTTP_ADDR", "127.0.0.1:9");
    let text = refusal(&bench).await?;
    expect(&text, &["127.0.0.1:9", "CLOUDTEMPLE_HTTP_ADDR"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_missing_in_one_zone_is_named() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    bench.admin().remove_template("AZ06", "talos-1.13").await?;
    let text = refusal(&bench).await?;
    expect(&text, &["talos-1.13", "AZ06", "template"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_tenant_does_not_have_are_named() -> Result {
    for (good, bad) in [
        ("cluster-vlan", "no-vlan"),
        ("nobackup", "never"),
        ("AZ07", "AZ99"),
    ] {
        let bench = Bench::with_example("quickstart").await?;
        bench.edit("main.tf", good, bad)?;
        let text = refusal(&bench).await?;
        // What there is instead is listed.
        expect(&text, &[bad, good]);
    }
    Ok(())
}

/// A complete cluster that is missing from the state: the way to take it in is told, and nothing is touched.
#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_in_use_is_refused() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let state = bench.terraform.folder().join("terraform.tfstate");
    std::fs::rename(state, bench.folder().join("first.tfstate"))?;
    let text = refusal(&bench).await?;
    expect(&text, &["alphat", "import {", "managedk8s_cluster"]);
    Ok(())
}

/// Another cluster holds the addresses of this one's plan.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_named() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let state = bench.terraform.folder().join("terraform.tfstate");
    std::fs::rename(state, bench.folder().join("first.tfstate"))?;
    bench.edit("main.tf", "\"alphat\"", "\"betaaa\"")?;
    let text = refusal(&bench).await?;
    expect(
        &text,
        &[
            "addresses of the cluster are in use",
            "10.24.0.21, planned for cp-01, is held by machine alphat-cp-01 in zone AZ05",
            "10.24.0.20, planned for the Kubernetes API",
        ],
    );
    Ok(())
}

/// Machines that the cloud knows nothing about hold addresses of a new cluster, and of a new worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_on_an_address_is_named() -> Result {
    let mut bench = Bench::with_example("devtest").await?;
    let strangers = |strangers: Value| serde_json::json!({"strangers": strangers});
    let on = |address: &str, ports: &[u16]| strangers(serde_json::json!({address: ports}));
    bench.admin().set_behaviour(on("10.24.0.21", &[22])).await?;
    let text = refusal(&bench).await?;
    let held = "10.24.0.21, planned for cp-01, is held by a machine that answers on port 22";
    expect(&text, &["addresses of the cluster are in use", held]);

    bench
        .admin()
        .set_behaviour(strangers(serde_json::json!({})))
        .await?;
    bench.apply().await?;
    bench.edit("main.tf", "size    = 3", "size    = 4")?;
    bench
        .admin()
        .set_behaviour(on("10.24.0.54", &[443]))
        .await?;
    let text = refusal(&bench).await?;
    let held = "10.24.0.54, planned for wrk-04, is held by a machine that answers on port 443";
    expect(&text, &[held]);

    // Every port closed: only who can tell a refusal from silence sees it.
    bench.admin().set_behaviour(on("10.24.0.54", &[])).await?;
    let socks = bench.admin().addresses().await?.proxy_socks5;
    bench.terraform.env("MANAGEDK8S_PROXY_URL", socks);
    let text = refusal(&bench).await?;
    expect(&text, &["10.24.0.54", "refuses connections on port 22"]);

    bench
        .admin()
        .set_behaviour(strangers(serde_json::json!({})))
        .await?;
    bench.apply().await?;
    bench.expect_empty_plan().await
}
