//! Nodes: registration, readiness, taints, what happens when one is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Pass, all, pods};
use crate::kubernetes::api::{Kubelet, State};
use crate::kubernetes::bootstrap;
use crate::kubernetes::settings::{NodeRegistration, NodeRole, Settings};
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{
    array, condition, controller, deleting, hash, is_true, items, members, name, owner_reference,
    set_condition, text, texts,
};

pub(in crate::kubernetes) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
pub(in crate::kubernetes) const MIRROR: &str = "kubernetes.io/config.mirror";
/// DaemonSets of CNIs that are known: a node with such a pod has a network.
pub(in crate::kubernetes) const AGENTS: &[&str] = &["cilium", "kube-flannel", "flannel"];
const STATIC: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

fn versioned(version: &str) -> String {
    format!("v{}", version.trim_start_matches('v'))
}

/// A kubelet reports: its Node is made, or follows what it says now.
pub(in crate::kubernetes) fn register(
    state: &mut State,
    node: &NodeRegistration,
    settings: &Settings,
) {
    state.kubelets.insert(node.name.clone(), Kubelet::Up);
    let version = state.version.clone();
    state.components.insert(node.name.clone(), version);
    let labels = labels(node);
    let old = state.store.get("nodes", "", &node.name).cloned();
    let mut object = match &old {
        Some(old) => (**old).clone(),
        None => json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": node.name, "labels": {} },
            "spec": {},
        }),
    };
    let target = members(&mut object["metadata"]["labels"]);
    for (key, value) in labels {
        target.insert(key, json!(value));
    }
    owned(&mut object, "labels", &node.labels);
    owned(&mut object, "annotations", &node.annotations);
    if old.is_none() {
        let range = free_range(state, settings);
        object["spec"]["podCIDR"] = json!(range);
        object["spec"]["podCIDRs"] = json!([range]);
    }
    if let Some(provider) = &node.provider_id {
        object["spec"]["providerID"] = json!(provider);
    }
    for taint in node.taints.iter().filter_map(|taint| parse_taint(taint)) {
        let list = items(&mut object["spec"]["taints"]);
        if !list
            .iter()
            .any(|seen| seen["key"] == taint["key"] && seen["effect"] == taint["effect"])
        {
            list.push(taint);
        }
    }
    fill_status(&mut object["status"], node);
    match old {
        Some(_) => {
            state.store.put("nodes", object);
        }
        None => bootstrap::add(&mut state.store, object),
    }
    lease(state, &node.name);
    if node.role == NodeRole::ControlPlane {
        static_pods(state, &node.name);
    }
}

/// The labels of a fresh Node.
pub(in crate::kubernetes) fn labels(node: &NodeRegistration) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = [
        ("kubernetes.io/hostname", node.name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", "amd64"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    if node.role == NodeRole::ControlPlane {
        labels.push((CONTROL_PLANE.to_owned(), String::new()));
    }
    labels.extend(node.labels.clone());
    labels
}

/// Sets what the machine configuration says and removes what it said before, remembered in an annotation
/// ("Talos docs", node labels and annotations).
pub(in crate::kubernetes) fn owned(
    object: &mut Value,
    field: &str,
    wanted: &BTreeMap<String, String>,
) {
    let memory = format!("talos.dev/owned-{field}");
    let before: Vec<String> = object["metadata"]["annotations"]
        .get(&memory)
        .and_then(|list| serde_json::from_str(text(list)).ok())
        .unwrap_or_default();
    if before.is_empty() && wanted.is_empty() {
        return;
    }
    let target = members(&mut object["metadata"][field]);
    target.retain(|key, _| wanted.contains_key(key) || !before.contains(key));
    for (key, value) in wanted {
        target.insert(key.clone(), json!(value));
    }
    let keys: Vec<&String> = wanted.keys().collect();
    members(&mut object["metadata"]["annotations"]).insert(memory, json!(json!(keys).to_string()));
}

/// `key=value:Effect`, `key:Effect`.
pub(in crate::kubernetes) fn parse_taint(text: &str) -> Option<Value> {
    let (head, effect) = text.rsplit_once(':')?;
    let (key, value) = head.split_once('=').unwrap_or((head, ""));
    let mut taint = json!({ "key": key, "effect": effect });
    if !value.is_empty() {
        taint["value"] = json!(value);
    }
    Some(taint)
}

/// What a kubelet says of its machine.
pub(in crate::kubernetes) fn fill_status(status: &mut Value, node: &NodeRegistration) {
    let mut addresses: Vec<Value> = node
        .addresses
        .iter()
        .map(|address| json!({ "type": "InternalIP", "address": address.to_string() }))
        .collect();
    addresses.push(json!({ "type": "Hostname", "address": node.name }));
    let memory = format!("{}Ki", node.memory_bytes / 1024);
    let resources = json!({ "cpu": node.cpus.to_string(), "memory": memory, "pods": "110", "ephemeral-storage": "50Gi" });
    let status = members(status);
    status.insert("addresses".to_owned(), Value::Array(addresses));
    status.insert("capacity".to_owned(), resources.clone());
    status.insert("allocatable".to_owned(), resources);
    status.insert(
        "daemonEndpoints".to_owned(),
        json!({ "kubeletEndpoint": { "Port": 10250 } }),
    );
    status.insert(
        "nodeInfo".to_owned(),
        json!({
            "architecture": "amd64",
            "bootID": uuid::Uuid::new_v4().to_string(),
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.18.0-talos",
            "kubeProxyVersion": "",
            "kubeletVersion": versioned(&node.kubelet_version),
            "machineID": hash(&json!(node.name)),
            "operatingSystem": "linux",
            "osImage": node.os_image,
            "systemUUID": hash(&json!([node.name, "system"])),
        }),
    );
}

/// A /24 of the pod range that no node has; larger ranges only as far as needed.
fn free_range(state: &State, settings: &Settings) -> String {
    let taken: Vec<String> = state
        .store
        .list("nodes")
        .map(|node| text(&node["spec"]["podCIDR"]).to_owned())
        .collect();
    let wanted = if settings.pod_cidr.prefix_len() < 24 {
        24
    } else {
        settings.pod_cidr.prefix_len()
    };
    settings
        .pod_cidr
        .subnets(wanted)
        .ok()
        .and_then(|mut ranges| ranges.find(|range| !taken.contains(&range.to_string())))
        .map(|range| range.to_string())
        .unwrap_or_default()
}

fn lease(state: &mut State, node: &str) {
    let Some(owner) = state.store.get("nodes", "", node).cloned() else {
        return;
    };
    let mut reference = owner_reference(&owner);
    let members = members(&mut reference);
    members.remove("blockOwnerDeletion");
    members.remove("controller");
    bootstrap::add(
        &mut state.store,
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": node, "namespace": "kube-node-lease", "ownerReferences": [reference] },
            "spec": { "holderIdentity": node, "leaseDurationSeconds": 40 },
        }),
    );
}

/// The mirror pods that a kubelet makes for the static pods of a control-plane node.
pub(in crate::kubernetes) fn mirror_pods(node: &str, uid: &str, version: &str) -> Vec<Value> {
    let version = versioned(version);
    STATIC
        .iter()
        .map(|component| {
            let image = format!("registry.k8s.io/{component}:{version}");
            let digest = hash(&json!([component, image]));
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": format!("{component}-{node}"), "namespace": "kube-system",
                    "labels": { "tier": "control-plane", "k8s-app": component, "component": component },
                    "annotations": {
                        MIRROR: digest, "kubernetes.io/config.hash": digest, "kubernetes.io/config.source": "file",
                        "talos.dev/config-version": "1",
                    },
                    "ownerReferences": [{
                        "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": true,
                    }],
                },
                "spec": {
                    "nodeName": node, "hostNetwork": true, "priorityClassName": "system-cluster-critical",
                    "tolerations": [{ "operator": "Exists" }],
                    "containers": [{ "name": component, "image": image }],
                },
            })
        })
        .collect()
}

/// The mirror pods of a control-plane node. Those of another version are replaced.
fn static_pods(state: &mut State, node: &str) {
    let Some(owner) = state.store.get("nodes", "", node).cloned() else {
        return;
    };
    let version = state.components.get(node).unwrap_or(&state.version).clone();
    for pod in mirror_pods(node, text(&owner["metadata"]["uid"]), &version) {
        let pod_name = name(&pod).to_owned();
        if let Some(known) = state.store.get("pods", "kube-system", &pod_name) {
            let image = |pod: &Value| pod["spec"]["containers"][0]["image"].clone();
            if image(known) == image(&pod) && !deleting(known) {
                continue;
            }
            state.store.remove("pods", "kube-system", &pod_name);
        }
        bootstrap::add(&mut state.store, pod);
    }
}

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for node in all(&state.store, "nodes") {
        let kubelet = state
            .kubelets
            .get(name(&node))
            .copied()
            .unwrap_or(Kubelet::Gone);
        let ready = kubelet == Kubelet::Up && has_network(&state.store, name(&node));
        report(state, pass, &node, kubelet, ready);
        match kubelet {
            Kubelet::Up => {
                if texts(&node["metadata"]["labels"]).contains_key(CONTROL_PLANE) {
                    static_pods(state, name(&node));
                }
            }
            Kubelet::Down(since) => {
                let delay =
                    i64::try_from(state.delays.eviction.as_millis()).unwrap_or(i64::MAX / 2);
                if pass.due(since.saturating_add(delay)) {
                    evict(state, &node);
                }
            }
            Kubelet::Gone => evict(state, &node),
        }
    }
}

/// True when a pod of a CNI runs there.
fn has_network(store: &Store, node: &str) -> bool {
    store.list_in("pods", "kube-system").any(|pod| {
        text(&pod["spec"]["nodeName"]) == node
            && is_true(pod, "Ready")
            && controller(pod).is_some_and(|owner| {
                AGENTS.iter().any(|set| {
                    store
                        .get("daemonsets.apps", "kube-system", set)
                        .is_some_and(|set| text(&set["metadata"]["uid"]) == owner)
                })
            })
    })
}

fn report(state: &mut State, pass: &Pass<'_>, node: &Arc<Value>, kubelet: Kubelet, ready: bool) {
    let mut object = (**node).clone();
    let status = &mut object["status"];
    let stamp = &pass.stamp;
    if kubelet == Kubelet::Up {
        for (kind, reason, told) in [
            (
                "MemoryPressure",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            (
                "DiskPressure",
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
            (
                "PIDPressure",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
        ] {
            set_condition(status, kind, false, reason, told, stamp);
        }
        if ready {
            set_condition(
                status,
                "NetworkUnavailable",
                false,
                "CiliumIsUp",
                "Cilium is running on this node",
                stamp,
            );
            set_condition(
                status,
                "Ready",
                true,
                "KubeletReady",
                "kubelet is posting ready status",
                stamp,
            );
        } else {
            let told = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
                        message:Network plugin returns error: cni plugin not initialized";
            set_condition(status, "Ready", false, "KubeletNotReady", told, stamp);
        }
    } else {
        for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
            unknown(status, kind, stamp);
        }
    }
    taints(&mut object, kubelet, ready);
    if object != **node {
        state.store.put("nodes", object);
    }
}

fn unknown(status: &mut Value, kind: &str, stamp: &str) {
    let seen = json!({ "status": status });
    if condition(&seen, kind).is_some_and(|seen| text(&seen["status"]) == "Unknown") {
        return;
    }
    set_condition(
        status,
        kind,
        false,
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
        stamp,
    );
    for item in items(&mut status["conditions"]) {
        if text(&item["type"]) == kind {
            item["status"] = json!("Unknown");
        }
    }
}

/// The taints that follow from a node's state.
fn taints(node: &mut Value, kubelet: Kubelet, ready: bool) {
    let lost = kubelet != Kubelet::Up;
    let cordoned = node["spec"]["unschedulable"] == Value::Bool(true);
    let wanted = [
        (
            "node.kubernetes.io/not-ready",
            "NoSchedule",
            !lost && !ready,
        ),
        ("node.kubernetes.io/not-ready", "NoExecute", !lost && !ready),
        ("node.kubernetes.io/unreachable", "NoSchedule", lost),
        ("node.kubernetes.io/unreachable", "NoExecute", lost),
        ("node.kubernetes.io/unschedulable", "NoSchedule", cordoned),
    ];
    let mut list = array(&node["spec"]["taints"]).to_vec();
    list.retain(|taint| {
        !wanted.iter().any(|(key, effect, wanted)| {
            !wanted && text(&taint["key"]) == *key && text(&taint["effect"]) == *effect
        })
    });
    for (key, effect, wanted) in wanted {
        let there = list
            .iter()
            .any(|taint| text(&taint["key"]) == key && text(&taint["effect"]) == effect);
        if wanted && !there {
            list.push(json!({ "key": key, "effect": effect }));
        }
    }
    let spec: &mut Map<String, Value> = members(&mut node["spec"]);
    if list.is_empty() {
        spec.remove("taints");
    } else {
        spec.insert("taints".to_owned(), Value::Array(list));
    }
}

/// Pods of a lost node are deleted; without a kubelet they stay Terminating.
fn evict(state: &mut State, node: &Value) {
    let unreachable = json!({ "key": "node.kubernetes.io/unreachable", "effect": "NoExecute" });
    let lost: Vec<_> = state
        .store
        .list("pods")
        .filter(|pod| {
            // Pods wait as long as their default toleration says, which the caller's delay stands for.
            let stays = pod["metadata"]["annotations"][MIRROR].is_string()
                || pods::tolerates(&pod["spec"], &unreachable);
            text(&pod["spec"]["nodeName"]) == name(node) && !deleting(pod) && !stays
        })
        .cloned()
        .collect();
    for pod in lost {
        pods::delete(&mut state.store, &pod);
    }
}
