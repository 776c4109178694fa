//! Talos' own machinery as a judge; `acceptance-tests/oracles/talos` is the program. It is used
//! when `MANAGEDK8S_TALOS_ORACLE` (Talos 1.13) or `MANAGEDK8S_TALOS_ORACLE_1_12` names it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::access::TalosAccess;
use crate::{TalosRole, Validity};

struct Oracle {
    child: Child,
    requests: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Oracle {
    /// The oracle of a Talos minor, or a note on why the test judged nothing.
    fn start(variable: &str) -> Option<Self> {
        let Some(program) = std::env::var_os(variable) else {
            #[expect(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("skipped: {variable} does not name the oracle's program");
            }
            return None;
        };
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle starts");
        let requests = child.stdin.take().expect("a pipe");
        let verdicts = BufReader::new(child.stdout.take().expect("a pipe"));
        Some(Self {
            child,
            requests,
            verdicts,
        })
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("the oracle reads");
        let mut line = String::new();
        self.verdicts
            .read_line(&mut line)
            .expect("the oracle answers");
        serde_json::from_str(&line).expect("a verdict")
    }

    fn config(&mut self, request: &Value) -> String {
        let verdict = self.ask(request);
        assert_eq!(verdict["error"], Value::Null, "{}", request["op"]);
        verdict["config"]
            .as_str()
            .expect("a configuration")
            .to_owned()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(config: &MachineConfig) -> String {
    config.render().text.expose_secret().to_owned()
}

/// What the official generator does not know of, as the patch a user would write.
fn additions(cluster: &ClusterProfile, node: &NodeProfile) -> Vec<String> {
    let control_plane = node.role == MachineRole::ControlPlane;
    let subnets = "[10.20.0.0/22, \"!10.20.0.20/32\"]";
    let cluster_part = if control_plane {
        format!(
            "proxy: {{disabled: true, image: {{$patch: delete}}}}\n    etcd: {{advertisedSubnets: {subnets}}}"
        )
    } else {
        String::new()
    };
    let main = format!(
        "machine:
    install: {{$patch: delete}}
    kubelet:
        nodeIP: {{validSubnets: {subnets}}}
        extraArgs: {{rotate-server-certificates: \"true\"}}
        extraConfig: {{maxPods: 110}}
    time: {{servers: [10.20.3.253]}}
cluster:
    network:
        cni: {{name: none}}
        podSubnets: [10.241.0.0/16]
        serviceSubnets: [10.96.0.0/12]
    discovery: {{enabled: false, registries: {{$patch: delete}}}}
    {cluster_part}
---
apiVersion: v1alpha1
kind: HostnameConfig
auto: \"off\"
hostname: {}
---
apiVersion: v1alpha1
kind: LinkAliasConfig
name: net0
selector: {{match: 'mac(link.permanent_addr) == \"{}\"'}}
---
apiVersion: v1alpha1
kind: LinkConfig
name: net0
up: true
addresses: [{{address: {}/22}}]
routes: [{{gateway: 10.20.3.254}}]
---
apiVersion: v1alpha1
kind: ResolverConfig
nameservers: [{{address: 10.20.3.253}}]
",
        node.hostname, node.mac, node.address
    );
    let vip = cluster.vip.filter(|_| control_plane).map(|vip| {
        format!("apiVersion: v1alpha1\nkind: Layer2VIPConfig\nname: {vip}\nlink: net0\n")
    });
    [main].into_iter().chain(vip).collect()
}

fn judge(variable: &str, contracts: &[Contract]) {
    let Some(mut oracle) = Oracle::start(variable) else {
        return;
    };
    for contract in contracts.iter().copied() {
        let cluster = cluster(contract);
        let version = if contract == Contract::V1_12 {
            "1.35.4"
        } else {
            "1.36.3"
        };
        let mut nodes = [
            node(MachineRole::ControlPlane),
            node(MachineRole::Worker),
            storage_node(),
        ];
        for node in &mut nodes {
            node.kubernetes =
                ComponentVersions::all(KubernetesRelease::parse(version).expect("a release"));
        }
        for node in &nodes {
            let ours = text(&generate(&pki(), &cluster, node));
            let verdict = oracle.ask(&json!({"op": "validate", "mode": "cloud", "config": ours}));
            assert_eq!(verdict, json!({}), "{contract} {}", node.hostname);
        }
        let (mut rich_cluster, mut rich_node) = rich(contract);
        rich_node.kubernetes = nodes[0].kubernetes;
        rich_cluster.contract = contract;
        let ours = text(&generate(&pki(), &rich_cluster, &rich_node));
        for mode in ["cloud", "metal"] {
            let verdict = oracle.ask(&json!({"op": "validate", "mode": mode, "config": ours}));
            assert_eq!(verdict, json!({}), "{contract} every option, {mode}");
        }
        for node in &nodes[..2] {
            same_as_official(&mut oracle, &cluster, node, version);
        }
    }
}

fn same_as_official(
    oracle: &mut Oracle,
    cluster: &ClusterProfile,
    node: &NodeProfile,
    version: &str,
) {
    let ours = text(&generate(&pki(), cluster, node));
    let ours = oracle.config(&json!({"op": "canonical", "config": ours}));
    let official = oracle.config(&json!({
        "op": "generate",
        "secrets": pki().to_secrets_bundle(cluster.contract).expose_secret(),
        "type": node.role.as_str(),
        "name": cluster.name,
        "endpoint": cluster.endpoint,
        "kubernetes": version,
        "contract": cluster.contract.to_string(),
        "domain": cluster.cluster_domain,
        "sans": cluster.certificate_names,
        "patches": additions(cluster, node),
    }));
    let read = |text: &str| MachineConfig::parse(text).expect("a configuration");
    let differences = read(&official).differences(&read(&ours));
    assert_eq!(
        differences,
        Vec::<String>::new(),
        "{} {}",
        cluster.contract,
        node.hostname
    );
}

#[test]
fn talos_1_13_accepts_and_would_have_written_the_same() {
    judge(
        "MANAGEDK8S_TALOS_ORACLE",
        &[Contract::V1_12, Contract::V1_13],
    );
}

#[test]
fn talos_1_12_accepts_and_would_have_written_the_same() {
    judge("MANAGEDK8S_TALOS_ORACLE_1_12", &[Contract::V1_12]);
}

#[test]
fn talos_merges_patches_as_we_do() {
    let Some(mut oracle) = Oracle::start("MANAGEDK8S_TALOS_ORACLE") else {
        return;
    };
    let patches = [
        MERGE_PATCH,
        "machine: {certSANs: [a.example], sysctls: {a: \"1\"}, files: [{content: x, path: /var/y, op: create, permissions: 0o644}]}",
        "cluster: {apiServer: {auditPolicy: {$patch: delete}, extraArgs: {v: \"3\"}}}",
        "cluster: {apiServer: {admissionControl: [{name: PodSecurity, $patch: delete}]}}",
        "machine: {network: {interfaces: [{interface: eth1, addresses: [10.9.0.1/24], vlans: [{vlanId: 5, mtu: 1400}]}, {interface: eth1, mtu: 9000, vlans: [{vlanId: 5, addresses: [10.9.1.1/24]}, {vlanId: 6, addresses: [10.9.2.1/24]}]}]}}",
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: net0\nmtu: 9000\nroutes: [{destination: 10.8.0.0/16, gateway: 10.20.0.1}]\n",
        "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\nportSelector: {ports: [80], protocol: tcp}\ningress: [{subnet: 10.0.0.0/8}]\n",
        "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\nportSelector: {ports: [443]}\ningress: [{subnet: 10.1.0.0/16}]\n",
        "apiVersion: v1alpha1\nkind: ResolverConfig\nnameservers: [{address: 10.20.3.252}]\n",
        "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: x\nconfigFiles: [{content: a, mountPath: /a}]\nenvironment: [A=1]\n",
        "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: x\nconfigFiles: [{content: b, mountPath: /a}, {content: c, mountPath: /c}]\nenvironment: [B=1]\n",
    ];
    // One after the other, each on top of the ones before.
    let mut ours = base();
    let mut theirs = text(&ours);
    for text_of_patch in patches {
        ours = ours.patched([&patch(text_of_patch)]);
        theirs =
            oracle.config(&json!({"op": "patch", "config": theirs, "patches": [text_of_patch]}));
        let canonical = oracle.config(&json!({"op": "canonical", "config": text(&ours)}));
        let read = |text: &str| MachineConfig::parse(text).expect("a configuration");
        assert_eq!(
            read(&theirs).differences(&read(&canonical)),
            Vec::<String>::new(),
            "{text_of_patch}"
        );
    }
}

#[test]
fn talos_reads_our_secrets_and_talosconfig() {
    let Some(mut oracle) = Oracle::start("MANAGEDK8S_TALOS_ORACLE") else {
        return;
    };
    let pki = pki();
    let bundle = pki.to_secrets_bundle(Contract::V1_13);
    let verdict = oracle.ask(&json!({"op": "secrets", "secrets": bundle.expose_secret()}));
    assert_eq!(verdict, json!({}));
    let now = "2026-11-21T10:00:00Z".parse().expect("a time");
    let validity = Validity::starting(now, SignedDuration::from_mins(10)).expect("a validity");
    let credential = pki
        .talos_client(TalosRole::Admin, validity)
        .expect("minted");
    let endpoints = ["10.20.0.21".to_owned()];
    let access = TalosAccess {
        name: "alpha",
        endpoints: &endpoints,
        nodes: &endpoints,
        ca: &pki.ca_certificates().talos,
        proxy_url: Some("socks5://127.0.0.1:1080"),
    };
    let file = access.with_credential(&credential);
    let verdict = oracle.ask(&json!({"op": "talosconfig", "config": file.expose_secret()}));
    assert_eq!(verdict, json!({}));
}
