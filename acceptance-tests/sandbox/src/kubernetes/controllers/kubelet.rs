//! The kubelets: pods start, end and vanish on nodes that are up.
//!
//! The annotation `sandbox.managedk8s.io/outcome` of a pod chooses another end than the good one: `fail` (ends
//! in failure), `crash` (CrashLoopBackOff), `hang` (never ready), `image` (ImagePullBackOff).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Pass, events};
use crate::kubernetes::api::{Kubelet, State};
use crate::kubernetes::value::{
    array, deleting, is_true, name, namespace, set_condition, text, uid,
};

/// The annotation that chooses a pod's end.
const OUTCOME: &str = "sandbox.managedk8s.io/outcome";

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    let pods: Vec<_> = state
        .store
        .list("pods")
        .filter(|pod| !text(&pod["spec"]["nodeName"]).is_empty())
        .cloned()
        .collect();
    for pod in pods {
        one(state, pass, &pod);
    }
    if state.timers.len() > 10_000 {
        let known: std::collections::BTreeSet<String> = state
            .store
            .list("pods")
            .map(|pod| uid(pod).to_owned())
            .collect();
        state
            .timers
            .retain(|key, _| known.iter().any(|uid| key.starts_with(uid.as_str())));
    }
}

fn one(state: &mut State, pass: &mut Pass<'_>, pod: &Arc<Value>) {
    let node_name = text(&pod["spec"]["nodeName"]);
    let Some(node) = state.store.get("nodes", "", node_name).cloned() else {
        // The node is gone: so are its pods.
        state.store.remove("pods", namespace(pod), name(pod));
        return;
    };
    let up = state.kubelets.get(node_name) == Some(&Kubelet::Up);
    if !up {
        if is_true(pod, "Ready") {
            let mut object = (**pod).clone();
            set_condition(
                &mut object["status"],
                "Ready",
                false,
                "NodeNotReady",
                "",
                &pass.stamp,
            );
            state.store.put("pods", object);
        }
        return;
    }
    let key = |what: &str| format!("{}/{what}", uid(pod));
    if deleting(pod) {
        let after = state.delays.pod_stop;
        if pass.elapsed(state, key("stop"), after)
            && array(&pod["metadata"]["finalizers"]).is_empty()
        {
            state.store.remove("pods", namespace(pod), name(pod));
        }
        return;
    }
    let phase = text(&pod["status"]["phase"]);
    if matches!(phase, "Succeeded" | "Failed") {
        return;
    }
    let outcome = text(&pod["metadata"]["annotations"][OUTCOME]);
    let ends = !matches!(pod["spec"]["restartPolicy"].as_str(), None | Some("Always"));
    if phase == "Running" && is_true(pod, "Ready") {
        let after = state.delays.job_run;
        if ends && outcome != "hang" && pass.elapsed(state, key("run"), after) {
            let phase = if outcome == "fail" {
                "Failed"
            } else {
                "Succeeded"
            };
            finish(state, pass, pod, phase);
        }
        return;
    }
    let host = pod["spec"]["hostNetwork"] == Value::Bool(true);
    if !host && !is_true(&node, "Ready") {
        return;
    }
    let after = state.delays.pod_start;
    if pass.elapsed(state, key("start"), after) {
        start(state, pass, pod, &node, outcome);
    }
}

/// The state of each container in one of the ways that containers are.
fn containers(pod: &Value, ready: bool, how: &Value) -> Value {
    array(&pod["spec"]["containers"])
        .iter()
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": format!("sandbox/{}", text(&container["image"])),
                "containerID": format!("containerd://{}", crate::kubernetes::value::hash(&json!([uid(pod), container["name"]]))),
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": how,
            })
        })
        .collect()
}

fn start(state: &mut State, pass: &Pass<'_>, pod: &Arc<Value>, node: &Value, outcome: &str) {
    let mut object = (**pod).clone();
    let host_address = address(node);
    let address = if object["spec"]["hostNetwork"] == Value::Bool(true) {
        host_address.clone()
    } else {
        pod_address(state, node)
    };
    let (phase, ready, how) = match outcome {
        "crash" => (
            "Running",
            false,
            json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container" } }),
        ),
        "image" => (
            "Pending",
            false,
            json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } }),
        ),
        "hang" => (
            "Running",
            false,
            json!({ "running": { "startedAt": pass.stamp } }),
        ),
        _ => (
            "Running",
            true,
            json!({ "running": { "startedAt": pass.stamp } }),
        ),
    };
    if !ready {
        let (reason, told) = match outcome {
            "crash" => ("BackOff", "Back-off restarting failed container"),
            "image" => ("Failed", "Failed to pull image: not found"),
            _ => ("Unhealthy", "Readiness probe failed: no answer"),
        };
        events::record(&mut state.store, pod, true, reason, told, &pass.stamp);
    }
    let statuses = containers(pod, ready, &how);
    let status = &mut object["status"];
    status["phase"] = json!(phase);
    status["hostIP"] = json!(host_address);
    status["hostIPs"] = json!([{ "ip": host_address }]);
    if text(&status["podIP"]).is_empty() {
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{ "ip": address }]);
        status["startTime"] = json!(pass.stamp);
    }
    status["containerStatuses"] = statuses;
    let why = if ready { "" } else { "ContainersNotReady" };
    for (kind, value) in [
        ("PodReadyToStartContainers", true),
        ("Initialized", true),
        ("PodScheduled", true),
        ("ContainersReady", ready),
        ("Ready", ready),
    ] {
        set_condition(
            status,
            kind,
            value,
            if value { "" } else { why },
            "",
            &pass.stamp,
        );
    }
    state.store.put("pods", object);
}

fn finish(state: &mut State, pass: &Pass<'_>, pod: &Arc<Value>, phase: &str) {
    let mut object = (**pod).clone();
    let good = phase == "Succeeded";
    let (code, reason) = if good { (0, "Completed") } else { (1, "Error") };
    let how =
        json!({ "terminated": { "exitCode": code, "reason": reason, "finishedAt": pass.stamp } });
    let statuses = containers(pod, false, &how);
    let status = &mut object["status"];
    status["phase"] = json!(phase);
    status["containerStatuses"] = statuses;
    let why = if good { "PodCompleted" } else { "PodFailed" };
    for kind in ["ContainersReady", "Ready"] {
        set_condition(status, kind, false, why, "", &pass.stamp);
    }
    state.store.put("pods", object);
}

/// The node's internal address.
fn address(node: &Value) -> String {
    array(&node["status"]["addresses"])
        .iter()
        .find(|address| text(&address["type"]) == "InternalIP")
        .map(|address| text(&address["address"]).to_owned())
        .unwrap_or_default()
}

/// The first free address of the node's range.
fn pod_address(state: &State, node: &Value) -> String {
    let taken: std::collections::BTreeSet<&str> = state
        .store
        .list("pods")
        .map(|pod| text(&pod["status"]["podIP"]))
        .collect();
    text(&node["spec"]["podCIDR"])
        .parse::<ipnet::IpNet>()
        .ok()
        .and_then(|range| {
            range
                .hosts()
                .skip(1)
                .map(|address| address.to_string())
                .find(|address| !taken.contains(address.as_str()))
        })
        .unwrap_or_default()
}
