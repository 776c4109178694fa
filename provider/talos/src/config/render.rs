//! The configuration of one node, before patches.
//!
//! Key order is that of the official generator, so that the two can be read side by side.

use std::collections::BTreeMap;

use product::{Contract, KubernetesRelease};
use secret::SecretString;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    ClusterProfile, DataVolume, Install, MachineConfig, MachineRole, NodeProfile, VolumeUse,
};
use crate::pki::{Authority, ClusterPki, PrivateKey};
use crate::yaml::{Map, Yaml};

/// The name that the node's one interface is given, whatever the kernel calls it.
const LINK: &str = "net0";

/// The port of the API proxy on every node's loopback address.
const KUBE_PRISM_PORT: u16 = 7445;

/// The configuration of one node.
pub fn generate(pki: &ClusterPki, cluster: &ClusterProfile, node: &NodeProfile) -> MachineConfig {
    let main = Map::new()
        .with("version", "v1alpha1")
        .with("debug", false)
        .with("persist", true)
        .with("machine", machine(pki, cluster, node))
        .with("cluster", cluster_section(pki, cluster, node));
    let mut documents = vec![main];
    documents.extend(registries(&cluster.registry_mirrors));
    documents.push(
        document("HostnameConfig")
            .with("auto", "off")
            .with("hostname", node.hostname.as_str()),
    );
    documents.extend(network(cluster, node));
    documents.extend(node.volumes.iter().map(volume));
    MachineConfig { documents }
}

fn document(kind: &str) -> Map {
    Map::new().with("apiVersion", "v1alpha1").with("kind", kind)
}

fn machine(pki: &ClusterPki, cluster: &ClusterProfile, node: &NodeProfile) -> Map {
    let control_plane = node.role == MachineRole::ControlPlane;
    let mut map = Map::new()
        .with("type", node.role.as_str())
        .with("token", exposed(&pki.secrets.trustd_token))
        .with("ca", authority(&pki.talos, control_plane))
        .with("certSANs", texts(&cluster.certificate_names))
        .with("kubelet", kubelet(cluster, node));
    if cluster.contract == Contract::V1_12 {
        map.set("network", Map::new());
    }
    if let Some(install) = &node.install {
        map.set("install", install_section(install));
    }
    map.set(
        "time",
        Map::new().with("servers", texts(&cluster.network.ntp_servers)),
    );
    if !cluster.sysctls.is_empty() {
        map.set("sysctls", text_map(&cluster.sysctls));
    }
    map.set("features", features());
    let mut labels = node.labels.clone();
    if control_plane {
        labels.insert(
            "node.kubernetes.io/exclude-from-external-load-balancers".to_owned(),
            String::new(),
        );
    }
    if !labels.is_empty() {
        map.set("nodeLabels", text_map(&labels));
    }
    if !node.taints.is_empty() {
        map.set("nodeTaints", taints(node));
    }
    map
}

fn kubelet(cluster: &ClusterProfile, node: &NodeProfile) -> Map {
    Map::new()
        .with(
            "image",
            format!("ghcr.io/siderolabs/kubelet:v{}", node.kubernetes.kubelet),
        )
        // Serving certificates signed by the cluster's CA: metrics-server then verifies them.
        .with(
            "extraArgs",
            Map::new().with("rotate-server-certificates", "true"),
        )
        .with("extraConfig", Map::new().with("maxPods", cluster.max_pods))
        .with("defaultRuntimeSeccompProfileEnabled", true)
        .with(
            "nodeIP",
            Map::new().with("validSubnets", own_subnets(cluster)),
        )
        .with("disableManifestsDirectory", true)
}

/// Where kubelet and etcd find the node's own address: the node network without the VIP, which is
/// of another node tomorrow.
fn own_subnets(cluster: &ClusterProfile) -> Yaml {
    let mut subnets = vec![cluster.network.node_network.net().to_string()];
    subnets.extend(cluster.vip.map(|vip| format!("!{vip}/32")));
    subnets.into()
}

fn install_section(install: &Install) -> Map {
    Map::new()
        .with("disk", install.disk.as_str())
        .with_some("image", install.image.as_deref())
        .with("wipe", false)
        .with("grubUseUKICmdline", true)
}

fn features() -> Map {
    Map::new()
        .with("diskQuotaSupport", true)
        .with(
            "kubePrism",
            Map::new()
                .with("enabled", true)
                .with("port", KUBE_PRISM_PORT),
        )
        .with(
            "hostDNS",
            Map::new()
                .with("enabled", true)
                .with("forwardKubeDNSToHost", true),
        )
}

fn taints(node: &NodeProfile) -> Map {
    let mut map = Map::new();
    for taint in &node.taints {
        map.set(
            taint.key.as_str(),
            format!("{}:{}", taint.value, taint.effect.as_str()),
        );
    }
    map
}

fn cluster_section(pki: &ClusterPki, cluster: &ClusterProfile, node: &NodeProfile) -> Map {
    let control_plane = node.role == MachineRole::ControlPlane;
    let map = Map::new()
        .with("id", pki.secrets.cluster_id(cluster.contract))
        .with("secret", exposed(&pki.secrets.cluster_secret))
        .with(
            "controlPlane",
            Map::new().with("endpoint", cluster.endpoint.as_str()),
        )
        .with("clusterName", cluster.name.as_str())
        .with("network", cluster_network(cluster))
        .with("token", exposed(&pki.secrets.bootstrap_token));
    let discovery = discovery(cluster.discovery);
    if !control_plane {
        return map
            .with("ca", authority(&pki.kubernetes, false))
            .with("discovery", discovery);
    }
    let map = map
        .with(
            "secretboxEncryptionSecret",
            exposed(&pki.secrets.secretbox_key),
        )
        .with("ca", authority(&pki.kubernetes, true))
        .with("aggregatorCA", authority(&pki.aggregator, true))
        .with(
            "serviceAccount",
            Map::new().with("key", key(&pki.service_account)),
        )
        .with("apiServer", api_server(cluster, node))
        .with(
            "controllerManager",
            component(
                "kube-controller-manager",
                node.kubernetes.controller_manager,
                cluster.control_plane_metrics,
            ),
        )
        // Cilium replaces kube-proxy.
        .with("proxy", Map::new().with("disabled", true))
        .with(
            "scheduler",
            component(
                "kube-scheduler",
                node.kubernetes.scheduler,
                cluster.control_plane_metrics,
            ),
        )
        .with("discovery", discovery)
        .with("etcd", etcd(pki, cluster));
    if cluster.schedule_on_control_planes {
        map.with("allowSchedulingOnControlPlanes", true)
    } else {
        map
    }
}

fn cluster_network(cluster: &ClusterProfile) -> Map {
    Map::new()
        .with("cni", Map::new().with("name", "none"))
        .with("dnsDomain", cluster.cluster_domain.as_str())
        .with(
            "podSubnets",
            vec![cluster.network.pod_network.net().to_string()],
        )
        .with(
            "serviceSubnets",
            vec![cluster.network.service_network.net().to_string()],
        )
}

fn api_server(cluster: &ClusterProfile, node: &NodeProfile) -> Map {
    let defaults = Map::new()
        .with("enforce", "baseline")
        .with("enforce-version", "latest")
        .with("audit", "restricted")
        .with("audit-version", "latest")
        .with("warn", "restricted")
        .with("warn-version", "latest");
    let none = || Yaml::List(Vec::new());
    let exemptions = Map::new()
        .with("namespaces", vec!["kube-system"])
        .with("runtimeClasses", none())
        .with("usernames", none());
    let configuration = Map::new()
        .with(
            "apiVersion",
            "pod-security.admission.config.k8s.io/v1alpha1",
        )
        .with("kind", "PodSecurityConfiguration")
        .with("defaults", defaults)
        .with("exemptions", exemptions);
    let pod_security = Map::new()
        .with("name", "PodSecurity")
        .with("configuration", configuration);
    let audit = Map::new()
        .with("apiVersion", "audit.k8s.io/v1")
        .with("kind", "Policy")
        .with("rules", vec![Map::new().with("level", "Metadata")]);
    Map::new()
        .with("image", image("kube-apiserver", node.kubernetes.api_server))
        .with("certSANs", texts(&cluster.certificate_names))
        .with("admissionControl", vec![pod_security])
        .with("auditPolicy", audit)
}

fn component(name: &str, version: KubernetesRelease, metrics: bool) -> Map {
    let map = Map::new().with("image", image(name, version));
    if metrics {
        map.with("extraArgs", Map::new().with("bind-address", "0.0.0.0"))
    } else {
        map
    }
}

fn etcd(pki: &ClusterPki, cluster: &ClusterProfile) -> Map {
    let map = Map::new().with("ca", authority(&pki.etcd, true));
    // From 1.14 on etcd serves its metrics on a port of its own.
    let map = if cluster.control_plane_metrics && cluster.contract < Contract::V1_14 {
        map.with(
            "extraArgs",
            Map::new().with("listen-metrics-urls", "http://0.0.0.0:2381"),
        )
    } else {
        map
    };
    map.with("advertisedSubnets", own_subnets(cluster))
}

fn discovery(enabled: bool) -> Map {
    if !enabled {
        return Map::new().with("enabled", false);
    }
    Map::new().with("enabled", true).with(
        "registries",
        Map::new()
            .with("kubernetes", Map::new().with("disabled", true))
            .with("service", Map::new()),
    )
}

fn registries(mirrors: &BTreeMap<String, Vec<String>>) -> Vec<Map> {
    mirrors
        .iter()
        .map(|(host, urls)| {
            let endpoints: Vec<Map> = urls
                .iter()
                .map(|url| Map::new().with("url", url.as_str()))
                .collect();
            document("RegistryMirrorConfig")
                .with("name", host.as_str())
                .with("endpoints", endpoints)
                .with("skipFallback", true)
        })
        .collect()
}

fn network(cluster: &ClusterProfile, node: &NodeProfile) -> Vec<Map> {
    let plan = &cluster.network;
    let alias = document("LinkAliasConfig").with("name", LINK).with(
        "selector",
        Map::new().with(
            "match",
            format!("mac(link.permanent_addr) == \"{}\"", node.mac),
        ),
    );
    let prefix = plan.node_network.net().prefix_len();
    let link = document("LinkConfig")
        .with("name", LINK)
        .with("up", true)
        .with(
            "addresses",
            vec![Map::new().with("address", format!("{}/{prefix}", node.address))],
        )
        .with(
            "routes",
            vec![Map::new().with("gateway", plan.gateway.to_string())],
        );
    let nameservers: Vec<Map> = plan
        .nameservers
        .iter()
        .map(|address| Map::new().with("address", address.to_string()))
        .collect();
    let mut documents = vec![
        alias,
        link,
        document("ResolverConfig").with("nameservers", nameservers),
    ];
    if node.role == MachineRole::ControlPlane {
        documents.extend(cluster.vip.map(|vip| {
            document("Layer2VIPConfig")
                .with("name", vip.to_string())
                .with("link", LINK)
        }));
    }
    documents
}

fn volume(volume: &DataVolume) -> Map {
    let kind = match volume.usage {
        VolumeUse::Mounted => "UserVolumeConfig",
        VolumeUse::Raw => "RawVolumeConfig",
    };
    let selector = format!(
        "!system_disk && disk.size > {}u * GB",
        volume.disk_larger_than_gb
    );
    document(kind).with("name", volume.name.as_str()).with(
        "provisioning",
        Map::new()
            .with("diskSelector", Map::new().with("match", selector))
            .with("grow", true)
            .with("minSize", format!("{}GB", volume.min_size_gb)),
    )
}

fn image(name: &str, version: KubernetesRelease) -> String {
    format!("registry.k8s.io/{name}:v{version}")
}

/// Certificate and key as base64 of PEM; the key is empty where it must not be.
fn authority(authority: &Authority, with_key: bool) -> Map {
    let key = if with_key {
        key(authority.key())
    } else {
        String::new()
    };
    Map::new()
        .with("crt", STANDARD.encode(authority.certificate().to_pem()))
        .with("key", key)
}

fn key(key: &PrivateKey) -> String {
    STANDARD.encode(key.to_pem().expose_secret())
}

fn exposed(secret: &SecretString) -> &str {
    secret.expose_secret()
}

fn texts(items: &[String]) -> Yaml {
    items.to_vec().into()
}

fn text_map(items: &BTreeMap<String, String>) -> Map {
    let mut map = Map::new();
    for (key, value) in items {
        map.set(key.as_str(), value.as_str());
    }
    map
}
