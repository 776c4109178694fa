//! Values of the components under everything else: network, load balancer, certificates, metrics.

use serde_json::{Value, json};

use super::{ClusterFacts, Hubble};
use crate::offering::LoadBalancerMode;

/// The chart's own defaults.
pub(super) fn none(_: &ClusterFacts) -> Value {
    json!({})
}

/// No objects beside the release.
pub(super) fn no_objects(_: &ClusterFacts) -> Vec<Value> {
    Vec::new()
}

/// Cilium on Talos (Talos docs, deploying Cilium): no kube-proxy, the API through KubePrism, cgroups
/// mounted by Talos, no capability to load kernel modules.
pub(super) fn cilium(facts: &ClusterFacts) -> Value {
    let hubble = facts.hubble() == Hubble::On;
    json!({
        "cluster": { "name": facts.identifier.as_str() },
        "ipam": { "mode": "kubernetes" },
        "kubeProxyReplacement": true,
        "k8sServiceHost": "localhost",
        "k8sServicePort": 7445,
        "cgroup": { "autoMount": { "enabled": false }, "hostRoot": "/sys/fs/cgroup" },
        "securityContext": { "capabilities": {
            "ciliumAgent": [
                "CHOWN", "KILL", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "SYS_ADMIN", "SYS_RESOURCE",
                "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID",
            ],
            "cleanCiliumState": ["NET_ADMIN", "SYS_ADMIN", "SYS_RESOURCE"],
        } },
        // MetalLB owns LoadBalancer services.
        "defaultLBServiceIPAM": "none",
        "l2announcements": { "enabled": false },
        "bgpControlPlane": { "enabled": false },
        "operator": { "replicas": facts.replicas() },
        "gatewayAPI": {
            "enabled": facts.gateway_api,
            "enableAlpn": facts.gateway_api,
            "enableAppProtocol": facts.gateway_api,
            "gatewayClass": { "create": if facts.gateway_api { "true" } else { "auto" } },
        },
        "hubble": {
            "enabled": hubble,
            "peerService": { "clusterDomain": facts.identifier.cluster_domain() },
            // Certificates are derived from the cluster's key by us: a job or a random one would change on
            // every render.
            "tls": {
                "auto": { "enabled": false },
                "server": { "existingSecret": "hubble-server-certs" },
            },
            "relay": {
                "enabled": hubble,
                "replicas": 1,
                "tls": { "client": { "existingSecret": "hubble-relay-client-certs" } },
            },
            "ui": { "enabled": hubble, "replicas": 1 },
        },
    })
}

/// MetalLB: FRR only where BGP is spoken.
pub(super) fn metallb(facts: &ClusterFacts) -> Value {
    let bgp = facts.load_balancer == LoadBalancerMode::Bgp;
    json!({
        "frrk8s": { "enabled": bgp },
        "speaker": { "frr": { "enabled": false } },
    })
}

/// The two pools, each pinned to its services: an external address is given only to a service that
/// asks with `lb-type: external` (MLB-01, MLB-02, MLB-04).
pub(super) fn metallb_objects(facts: &ClusterFacts) -> Vec<Value> {
    let pool = |name: &str, range: crate::AddressRange, operator: &str| {
        json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": { "name": name, "namespace": "metallb-system" },
            "spec": {
                "addresses": [range.to_string()],
                "avoidBuggyIPs": true,
                "serviceAllocation": { "serviceSelectors": [
                    { "matchExpressions": [{ "key": "lb-type", "operator": operator, "values": ["external"] }] },
                ] },
            },
        })
    };
    let mut objects = vec![
        pool("external", facts.network.external_range, "In"),
        pool("internal", facts.network.internal_range, "NotIn"),
    ];
    if facts.load_balancer == LoadBalancerMode::L2 {
        objects.push(json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "L2Advertisement",
            "metadata": { "name": "managedk8s", "namespace": "metallb-system" },
            "spec": {
                "ipAddressPools": ["external", "internal"],
                "nodeSelectors": [{ "matchLabels": { crate::ROLE_LABEL: "wrk" } }],
            },
        }));
    }
    objects
}

/// cert-manager with its CRDs, kept when the release goes.
pub(super) fn cert_manager(_: &ClusterFacts) -> Value {
    json!({ "crds": { "enabled": true, "keep": true } })
}

/// KEDA, told the cluster's domain.
pub(super) fn keda(facts: &ClusterFacts) -> Value {
    json!({ "clusterDomain": facts.identifier.cluster_domain() })
}

/// The Rook operator; switching its CRDs off later would destroy the storage.
pub(super) fn rook_ceph(_: &ClusterFacts) -> Value {
    json!({
        "crds": { "enabled": true },
        "csi": { "installCsiOperator": true },
        "enableDiscoveryDaemon": false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::facts;
    use super::*;
    use crate::{Offering, Topology};

    #[test]
    fn replicas_follow_the_topology() {
        let replicas =
            |topology| cilium(&facts(Offering::Core, topology))["operator"]["replicas"].clone();
        assert_eq!(replicas(Topology::Production), json!(2));
        assert_eq!(replicas(Topology::DevTest), json!(1));
    }

    #[test]
    fn hubble_belongs_to_the_complete_offering() {
        let core = cilium(&facts(Offering::Core, Topology::Production));
        assert_eq!(core["hubble"]["enabled"], json!(false));
        let complete = cilium(&facts(Offering::Complete, Topology::Production));
        assert_eq!(complete["hubble"]["relay"]["enabled"], json!(true));
        assert_eq!(
            complete["hubble"]["peerService"]["clusterDomain"],
            json!("alpha-cluster.local")
        );
    }

    #[test]
    fn both_pools_are_pinned() {
        let objects = metallb_objects(&facts(Offering::Core, Topology::Production));
        assert_eq!(objects.len(), 3);
        for pool in &objects[..2] {
            assert!(pool["spec"]["serviceAllocation"]["serviceSelectors"][0].is_object());
        }
        assert_eq!(
            objects[1]["spec"]["addresses"],
            json!(["10.20.1.1-10.20.1.127"])
        );
    }
}
