//! What a fresh control plane makes by itself, and Talos beside it: namespaces, roles, the API's own Service, CoreDNS.

use serde_json::{Value, json};

use super::settings::Settings;
use super::store::Store;
use super::write::{self, Options};

/// Creates the first objects.
pub(super) fn objects(store: &mut Store, settings: &Settings) {
    store.service_range = Some(settings.service_cidr);
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        add(
            store,
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }),
        );
    }
    roles(store);
    api_service(store, settings);
    api_services(store);
    core_dns(store, settings);
    for (name, value) in [
        ("system-cluster-critical", 2_000_000_000),
        ("system-node-critical", 2_000_001_000),
    ] {
        add(
            store,
            json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": { "name": name }, "value": value,
                "preemptionPolicy": "PreemptLowerPriority",
            }),
        );
    }
    let mut authentication = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "extension-apiserver-authentication", "namespace": "kube-system" },
        "data": { "client-ca-file": settings.ca.certificate_pem },
    });
    if let Some(pem) = &settings.aggregator_ca_pem {
        authentication["data"]["requestheader-client-ca-file"] = json!(pem);
        authentication["data"]["requestheader-allowed-names"] = json!("[\"front-proxy-client\"]");
    }
    add(store, authentication);
}

/// Creates an object as the control plane does; one that exists stays.
pub(super) fn add(store: &mut Store, object: Value) {
    if let Some(resource) = store.resource_of(&object) {
        // Refusals other than "exists" cannot happen: the objects are constants of this module.
        let _ = write::create(store, &resource, object, &Options::internal());
    }
}

fn roles(store: &mut Store) {
    let everything = json!([
        { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
        { "nonResourceURLs": ["*"], "verbs": ["*"] },
    ]);
    let read =
        json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"] }]);
    for (name, rules) in [
        ("cluster-admin", &everything),
        ("admin", &everything),
        ("edit", &everything),
        ("view", &read),
    ] {
        add(
            store,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": { "name": name, "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } },
                "rules": rules,
            }),
        );
    }
    for (name, group) in [
        ("cluster-admin", "system:masters"),
        ("system:nodes", "system:nodes"),
    ] {
        add(
            store,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": { "name": name, "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
            }),
        );
    }
}

/// The Service `kubernetes` and the addresses behind it.
fn api_service(store: &mut Store, settings: &Settings) {
    let first = settings
        .service_cidr
        .hosts()
        .next()
        .map(|address| address.to_string());
    let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
    add(
        store,
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
            "spec": {
                "clusterIP": first,
                "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": settings.api_port }],
            },
        }),
    );
    let addresses: Vec<Value> = settings
        .control_plane_addresses
        .iter()
        .map(|address| json!({ "ip": address.to_string() }))
        .collect();
    let mut endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": { "name": "kubernetes", "namespace": "default" },
    });
    if !addresses.is_empty() {
        endpoints["subsets"] = json!([{
            "addresses": addresses,
            "ports": [{ "name": "https", "port": settings.api_port, "protocol": "TCP" }],
        }]);
    }
    add(store, endpoints);
}

/// The registrations of the server's own groups.
fn api_services(store: &mut Store) {
    let mut versions: Vec<(String, String)> = store
        .resources()
        .map(|resource| (resource.group.clone(), resource.version.clone()))
        .collect();
    versions.dedup();
    for (group, version) in versions {
        let name = if group.is_empty() {
            format!("{version}.")
        } else {
            format!("{version}.{group}")
        };
        // The core group's name ends in a dot, which no other name may.
        if group.is_empty() {
            continue;
        }
        add(
            store,
            json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": { "name": name, "labels": { "kube-aggregator.kubernetes.io/automanaged": "onstart" } },
                "spec": { "group": group, "version": version, "groupPriorityMinimum": 17_000, "versionPriority": 15 },
            }),
        );
    }
}

fn core_dns(store: &mut Store, settings: &Settings) {
    for (_, object) in core_dns_objects(settings) {
        add(store, object);
    }
}

/// The name server as Talos installs it: each object with its resource.
pub(super) fn core_dns_objects(settings: &Settings) -> [(&'static str, Value); 4] {
    let tenth = settings
        .service_cidr
        .hosts()
        .nth(9)
        .map(|address| address.to_string());
    let labels = json!({
        "k8s-app": "kube-dns",
        "kubernetes.io/name": "CoreDNS",
    });
    let metadata =
        |name: &str| json!({ "name": name, "namespace": "kube-system", "labels": labels });
    [
        (
            "serviceaccounts",
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "coredns", "namespace": "kube-system" } }),
        ),
        (
            "configmaps",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "coredns", "namespace": "kube-system" },
                "data": { "Corefile": format!(".:53 {{\n    kubernetes {}\n    forward . /etc/resolv.conf\n}}\n", settings.dns_domain) },
            }),
        ),
        (
            "services",
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": metadata("kube-dns"),
                "spec": {
                    "clusterIP": tenth,
                    "selector": { "k8s-app": "kube-dns" },
                    "ports": [
                        { "name": "dns", "port": 53, "protocol": "UDP" },
                        { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
                        { "name": "metrics", "port": 9153, "protocol": "TCP" },
                    ],
                },
            }),
        ),
        (
            "deployments",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("coredns"),
                "spec": {
                    "replicas": 2,
                    "selector": { "matchLabels": { "k8s-app": "kube-dns" } },
                    "template": {
                        "metadata": { "labels": { "k8s-app": "kube-dns" } },
                        "spec": {
                            "serviceAccountName": "coredns",
                            "priorityClassName": "system-cluster-critical",
                            "tolerations": [
                                { "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" },
                                { "key": "node.cloudprovider.kubernetes.io/uninitialized", "operator": "Exists", "effect": "NoSchedule" },
                            ],
                            "nodeSelector": { "kubernetes.io/os": "linux" },
                            "containers": [{
                                "name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.13.2",
                                "ports": [{ "name": "dns", "containerPort": 53, "protocol": "UDP" }],
                            }],
                        },
                    },
                },
            }),
        ),
    ]
}
