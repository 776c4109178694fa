//! The machine configuration of a node, and the network configuration beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use product::{NodeKey, PublicZone, Role, Taint, api_name};
use secret::SecretString;
use talos::ClusterPki;
use talos::config::{ClusterProfile, ComponentVersions, MachineRole, NodeProfile, generate};

use super::record::ClusterHandle;

/// What a node's configuration depends on beside its cluster.
pub(crate) struct NodeConfig {
    /// Which.
    pub node: NodeKey,
    /// Labels that never change: region, zone, role. Others are set through the API, since Talos would
    /// set again what a later configuration no longer has.
    pub labels: BTreeMap<String, String>,
    /// Taints it registers with.
    pub taints: Vec<Taint>,
    /// Pods it takes.
    pub max_pods: u16,
}

/// The configuration of a node: what its cloud-init drive carries.
pub(crate) fn machine_config(
    pki: &ClusterPki,
    cluster: &ClusterHandle,
    tenant: &str,
    wanted: NodeConfig,
) -> SecretString {
    let NodeConfig {
        node,
        labels,
        taints,
        max_pods,
    } = wanted;
    let profile = ClusterProfile {
        contract: cluster.contract,
        name: cluster.id.identifier.as_str().to_owned(),
        endpoint: cluster.endpoint.to_string(),
        certificate_names: certificate_names(cluster, &cluster.public_zone),
        cluster_domain: cluster.id.identifier.cluster_domain(),
        network: cluster.network.clone(),
        vip: cluster.virtual_address.then(|| cluster.network.vip()),
        max_pods,
        schedule_on_control_planes: false,
        discovery: false,
        control_plane_metrics: false,
        sysctls: BTreeMap::new(),
        registry_mirrors: BTreeMap::new(),
    };
    let profile_of_node = NodeProfile {
        role: match node.role {
            Role::ControlPlane => MachineRole::ControlPlane,
            Role::Storage | Role::Worker | Role::GitRunner => MachineRole::Worker,
        },
        hostname: node.name(&cluster.id.identifier),
        mac: node.mac(tenant, &cluster.id.identifier),
        address: cluster.network.address(node),
        kubernetes: ComponentVersions::all(cluster.kubernetes),
        labels,
        taints,
        volumes: Vec::new(),
        install: None,
    };
    generate(pki, &profile, &profile_of_node).render().text
}

/// VIP, DNS name and every control-plane address: whatever a client dials.
fn certificate_names(cluster: &ClusterHandle, zone: &PublicZone) -> Vec<String> {
    let mut names = vec![
        cluster.network.vip().to_string(),
        api_name(&cluster.id.identifier, zone),
    ];
    let endpoint = cluster.endpoint.host().to_owned();
    let members = cluster.control_plane_addresses();
    for name in std::iter::once(endpoint).chain(members.iter().map(ToString::to_string)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Static addressing for the NoCloud data source: what a node uses before it has read its configuration.
pub(crate) fn network_config(cluster: &ClusterHandle, tenant: &str, node: NodeKey) -> String {
    let plan = &cluster.network;
    let mut text = String::from("version: 1\nconfig:\n");
    let _ = writeln!(text, "- type: physical\n  name: eth0");
    let _ = writeln!(
        text,
        "  mac_address: \"{}\"",
        node.mac(tenant, &cluster.id.identifier)
    );
    let _ = writeln!(
        text,
        "  subnets:\n  - type: static\n    address: {}",
        plan.address(node)
    );
    let _ = writeln!(
        text,
        "    netmask: {}\n    gateway: {}",
        plan.node_network.net().netmask(),
        plan.gateway
    );
    if !plan.nameservers.is_empty() {
        let _ = writeln!(text, "- type: nameserver\n  address:");
        for server in &plan.nameservers {
            let _ = writeln!(text, "  - {server}");
        }
    }
    text
}
