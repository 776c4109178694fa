use std::collections::BTreeMap;

use product::{
    Contract, KubernetesRelease, MacAddress, NetworkPlan, NetworkSettings, NodeNetwork, PodNetwork,
    ServiceNetwork, Taint,
};

use super::*;
use crate::pki::tests::pki;

mod oracle;

pub(super) fn cluster(contract: Contract) -> ClusterProfile {
    let network = NetworkPlan::new(NetworkSettings {
        node_network: NodeNetwork::parse("10.20.0.0/22").expect("a network"),
        gateway: "10.20.3.254".parse().expect("an address"),
        nameservers: vec!["10.20.3.253".parse().expect("an address")],
        ntp_servers: vec!["10.20.3.253".to_owned()],
        pod_network: PodNetwork::parse(PodNetwork::DEFAULT).expect("a network"),
        service_network: ServiceNetwork::parse(ServiceNetwork::DEFAULT).expect("a network"),
        internal_range: None,
        external_range: None,
    });
    ClusterProfile {
        contract,
        name: "alpha".to_owned(),
        endpoint: "https://10.20.0.20:6443".to_owned(),
        certificate_names: ["10.20.0.20", "alpha.mk.ms-cloud-temple.com", "10.20.0.21"]
            .map(str::to_owned)
            .to_vec(),
        cluster_domain: "alpha-cluster.local".to_owned(),
        vip: Some(network.vip()),
        network,
        max_pods: 110,
        schedule_on_control_planes: false,
        discovery: false,
        control_plane_metrics: false,
        sysctls: BTreeMap::new(),
        registry_mirrors: BTreeMap::new(),
    }
}

pub(super) fn node(role: MachineRole) -> NodeProfile {
    let version = KubernetesRelease::parse("1.36.3").expect("a release");
    NodeProfile {
        role,
        hostname: match role {
            MachineRole::ControlPlane => "alpha-cp-01".to_owned(),
            MachineRole::Worker => "alpha-wrk-01".to_owned(),
        },
        mac: MacAddress::parse("02:00:00:aa:bb:01").expect("a MAC address"),
        address: "10.20.0.21".parse().expect("an address"),
        kubernetes: ComponentVersions::all(version),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        volumes: Vec::new(),
        install: None,
    }
}

pub(super) fn storage_node() -> NodeProfile {
    let mut node = node(MachineRole::Worker);
    node.hostname = "alpha-ceph-01".to_owned();
    node.labels = BTreeMap::from([
        ("managedk8s/role".to_owned(), "storage".to_owned()),
        ("topology.kubernetes.io/zone".to_owned(), "AZ05".to_owned()),
    ]);
    node.taints = vec![Taint {
        key: "managedk8s/storage".to_owned(),
        value: String::new(),
        effect: product::TaintEffect::NoSchedule,
    }];
    node.volumes = vec![
        DataVolume {
            name: "osd".to_owned(),
            usage: VolumeUse::Raw,
            disk_larger_than_gb: 100,
            min_size_gb: 50,
        },
        DataVolume {
            name: "data".to_owned(),
            usage: VolumeUse::Mounted,
            disk_larger_than_gb: 20,
            min_size_gb: 10,
        },
    ];
    node
}

/// Every option at once.
pub(super) fn rich(contract: Contract) -> (ClusterProfile, NodeProfile) {
    let mut cluster = cluster(contract);
    cluster.schedule_on_control_planes = true;
    cluster.discovery = true;
    cluster.control_plane_metrics = true;
    cluster.sysctls = BTreeMap::from([("vm.max_map_count".to_owned(), "262144".to_owned())]);
    cluster.registry_mirrors = BTreeMap::from([(
        "docker.io".to_owned(),
        vec!["https://mirror.example".to_owned()],
    )]);
    let mut node = node(MachineRole::ControlPlane);
    node.install = Some(Install {
        disk: "/dev/xvda".to_owned(),
        image: Some("factory.talos.dev/nocloud-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.13.9".to_owned()),
    });
    (cluster, node)
}

/// The text with secrets replaced by their length: what a reviewer may see.
fn shown(config: &MachineConfig) -> String {
    let text = config.render().text;
    text.expose_secret()
        .lines()
        .fold(String::new(), |shown, line| {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let secret = [
                "crt",
                "key",
                "token",
                "secret",
                "id",
                "secretboxEncryptionSecret",
            ];
            if secret.contains(&key.trim_start()) && !value.is_empty() && value != "\"\"" {
                shown + &format!("{key}: <{} characters>\n", value.len())
            } else {
                shown + line + "\n"
            }
        })
}

#[test]
fn control_plane_of_1_13() {
    let config = generate(
        &pki(),
        &cluster(Contract::V1_13),
        &node(MachineRole::ControlPlane),
    );
    insta::assert_snapshot!(shown(&config));
}

#[test]
fn worker_of_1_12() {
    let config = generate(
        &pki(),
        &cluster(Contract::V1_12),
        &node(MachineRole::Worker),
    );
    insta::assert_snapshot!(shown(&config));
}

#[test]
fn storage_node_of_1_14() {
    let config = generate(&pki(), &cluster(Contract::V1_14), &storage_node());
    insta::assert_snapshot!(shown(&config));
}

#[test]
fn control_plane_with_every_option() {
    let (cluster, node) = rich(Contract::V1_13);
    insta::assert_snapshot!(shown(&generate(&pki(), &cluster, &node)));
}

#[test]
fn workers_hold_no_secret_of_the_control_plane() {
    let config = generate(
        &pki(),
        &cluster(Contract::V1_13),
        &node(MachineRole::Worker),
    );
    let text = config.render().text;
    for authority in [
        &pki().talos,
        &pki().kubernetes,
        &pki().etcd,
        &pki().aggregator,
    ] {
        assert!(!text.expose_secret().contains(&key_text(authority.key())));
    }
    assert!(
        !text
            .expose_secret()
            .contains(pki().secrets.secretbox_key.expose_secret())
    );
}

fn key_text(key: &crate::pki::PrivateKey) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(key.to_pem().expose_secret())
}

#[test]
fn what_is_rendered_reads_back_and_hashes_the_same() {
    let config = generate(&pki(), &cluster(Contract::V1_13), &storage_node());
    let rendered = config.render();
    let read = MachineConfig::parse(rendered.text.expose_secret()).expect("a configuration");
    assert!(read == config);
    assert_eq!(read.render().hash, rendered.hash);
    assert_eq!(config.differences(&read), Vec::<String>::new());
}

fn patch(text: &str) -> Patch {
    match Patch::parse(text, Contract::V1_13) {
        Ok(patch) => patch,
        Err(problems) => panic!("{}", problems[0]),
    }
}

fn base() -> MachineConfig {
    generate(
        &pki(),
        &cluster(Contract::V1_13),
        &node(MachineRole::ControlPlane),
    )
}

const MERGE_PATCH: &str = "machine:
    sysctls: {vm.max_map_count: \"262144\"}
    kubelet:
        nodeIP: {validSubnets: [10.9.0.0/24]}
        extraConfig: {maxPods: 0, imageGCHighThresholdPercent: 70}
    nodeLabels: {node.kubernetes.io/exclude-from-external-load-balancers: {$patch: delete}}
cluster:
    apiServer:
        certSANs: [extra.example]
        auditPolicy: {kind: Policy}
        admissionControl:
            - name: PodSecurity
              configuration: {exemptions: {namespaces: [rook-ceph]}}
            - name: Other
              configuration: {}
---
apiVersion: v1alpha1
kind: ResolverConfig
searchDomains: {domains: [example]}
---
apiVersion: v1alpha1
kind: UserVolumeConfig
name: data
---
apiVersion: v1alpha1
kind: Layer2VIPConfig
name: 10.20.0.20
$patch: delete
";

#[test]
fn patches_merge_by_talos_rules() {
    let patched = base().patched([&patch(MERGE_PATCH)]);
    assert_eq!(
        base().differences(&patched),
        [
            "Layer2VIPConfig/10.20.0.20",
            "ResolverConfig: searchDomains",
            "UserVolumeConfig/data",
            "cluster.apiServer.admissionControl",
            "cluster.apiServer.auditPolicy.apiVersion",
            "cluster.apiServer.auditPolicy.rules",
            "cluster.apiServer.certSANs",
            "machine.kubelet.extraConfig.imageGCHighThresholdPercent",
            "machine.kubelet.nodeIP.validSubnets",
            "machine.nodeLabels",
            "machine.sysctls",
        ]
    );
    let main = patched.main().expect("a main document");
    let api = main
        .get("cluster")
        .and_then(|cluster| cluster.at(&["apiServer"]));
    insta::assert_snapshot!(crate::yaml::to_text(api.expect("a section")));
}

fn problems(text: &str) -> String {
    Patch::parse(text, Contract::V1_13)
        .err()
        .map(|problems| {
            problems.iter().fold(String::new(), |text, problem| {
                text + &format!(
                    "{problem}

"
                )
            })
        })
        .unwrap_or_default()
}

#[test]
fn patches_that_cannot_be_are_refused_with_what_to_write() {
    let texts = [
        "a: [",
        "- op: add\n  path: /machine/env\n  value: {}",
        "just text",
        "machine: {typ: worker, token: x, kubelet: {image: y}}\nextra: 1",
        "machine: []",
        "cluster: {ca: {crt: a, key: \"******\"}}",
        "apiVersion: v1\nkind: ConfigMap",
        "apiVersion: v1alpha1\nkind: SysctlConfig\nparams: {}",
        "apiVersion: v1alpha1\nkind: KubeletConfig",
        "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: x",
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: net0\n$patch: delete",
    ];
    let all = texts.iter().fold(String::new(), |all, text| {
        all + &format!(
            "--- {text:?}
{}",
            problems(text)
        )
    });
    insta::assert_snapshot!(all);
}

#[test]
fn lists_of_arguments_are_younger_than_1_12() {
    let text = "cluster: {apiServer: {extraArgs: {a: [x, y]}}}";
    assert!(Patch::parse(text, Contract::V1_13).is_ok());
    let problems = Patch::parse(text, Contract::V1_12)
        .err()
        .unwrap_or_default();
    assert_eq!(problems[0].seen, "cluster.apiServer.extraArgs.a");
}

#[test]
fn an_empty_patch_changes_nothing_and_patches_name_what_they_touch() {
    let nothing = patch(
        "machine: {}\ncluster: {}\n---\napiVersion: v1alpha1\nkind: LinkConfig\nname: net0\n",
    );
    assert_eq!(nothing.outline(), ["v1alpha1", "LinkConfig/net0"]);
    assert!(base().patched([&nothing]) == base());
}

#[test]
fn comparison_looks_at_meaning_not_at_text() {
    let read = |text: &str| MachineConfig::parse(text).expect("a configuration");
    let left = read(
        "version: v1alpha1\nmachine: {type: worker, sysctls: {a: \"1\"}, network: {}, time: {bootTimeout: 168h}}\ncluster: {}\n",
    );
    let right = read(
        "cluster: {}\nmachine: {sysctls: {a: 1}, type: worker, time: {bootTimeout: 168h0m0s}, certSANs: []}\nversion: v1alpha1\n",
    );
    assert_eq!(left.differences(&right), Vec::<String>::new());
    let other = read("version: v1alpha1\nmachine: {type: controlplane}\ncluster: {}\n");
    assert_eq!(
        left.differences(&other),
        ["machine.sysctls", "machine.time", "machine.type"]
    );
}

#[test]
fn images_are_found_for_upgrades() {
    assert_eq!(
        base().image(&["machine", "kubelet", "image"]),
        Some("ghcr.io/siderolabs/kubelet:v1.36.3")
    );
    assert_eq!(base().image(&["cluster", "nothing", "image"]), None);
}
