//! DaemonSets: one pod on each node that fits.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Pass, all, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::value::{array, deleting, hash, int, items, name, text};

const HASH: &str = "controller-revision-hash";

pub(super) fn reconcile(state: &mut State, _pass: &mut Pass<'_>) {
    let nodes = all(&state.store, "nodes");
    for set in all(&state.store, "daemonsets.apps") {
        if !deleting(&set) {
            one(state, &set, &nodes);
        }
    }
}

/// The template with the tolerations that every daemon has ("Kubernetes docs", DaemonSet).
fn template(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    let tolerations = items(&mut template["spec"]["tolerations"]);
    for (key, effect) in [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ] {
        tolerations.push(json!({ "key": key, "operator": "Exists", "effect": effect }));
    }
    if set["spec"]["template"]["spec"]["hostNetwork"] == Value::Bool(true) {
        items(&mut template["spec"]["tolerations"]).push(json!({
            "key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule",
        }));
    }
    template
}

fn one(state: &mut State, set: &Arc<Value>, nodes: &[Arc<Value>]) {
    let template = template(set);
    let revision = hash(&set["spec"]["template"]);
    // NotReady nodes are no obstacle: daemons are what makes them ready.
    let fits = |node: &Value| {
        pods::selects(&template["spec"], node)
            && array(&node["spec"]["taints"]).iter().all(|taint| {
                text(&taint["effect"]) == "PreferNoSchedule"
                    || text(&taint["key"]) == "node.kubernetes.io/not-ready"
                    || text(&taint["key"]) == "node.kubernetes.io/unreachable"
                    || pods::tolerates(&template["spec"], taint)
            })
    };
    let wanted: Vec<&str> = nodes
        .iter()
        .filter(|node| fits(node))
        .map(|node| name(node))
        .collect();
    let own = pods::of(&state.store, set);
    let on = |node: &str| {
        own.iter()
            .find(|pod| text(&pod["spec"]["nodeName"]) == node)
    };
    for node in &wanted {
        if on(node).is_none() {
            let prefix = format!("{}-", name(set));
            pods::create(
                &mut state.store,
                set,
                &template,
                &prefix,
                &[(HASH, revision.as_str())],
                Some(node),
            );
        }
    }
    for pod in &own {
        let ended = matches!(text(&pod["status"]["phase"]), "Failed" | "Succeeded");
        if ended || !wanted.contains(&text(&pod["spec"]["nodeName"])) {
            pods::delete(&mut state.store, pod);
        }
    }
    if text(&set["spec"]["updateStrategy"]["type"]) != "OnDelete" {
        let stale = |pod: &&Arc<Value>| text(&pod["metadata"]["labels"][HASH]) != revision;
        let ready = own.iter().filter(|pod| pods::ready(pod)).count();
        let mut room = (ready + 1).saturating_sub(wanted.len());
        for pod in own.iter().filter(stale).filter(|pod| !deleting(pod)) {
            if !pods::ready(pod) {
                pods::delete(&mut state.store, pod);
            } else if room > 0 {
                room -= 1;
                pods::delete(&mut state.store, pod);
            }
        }
    }
    report(state, set, wanted.len(), &revision);
}

fn report(state: &mut State, set: &Arc<Value>, wanted: usize, revision: &str) {
    let own: Vec<_> = pods::of(&state.store, set)
        .into_iter()
        .filter(|pod| pods::active(pod))
        .collect();
    let ready = own.iter().filter(|pod| pods::ready(pod)).count();
    let updated = own
        .iter()
        .filter(|pod| text(&pod["metadata"]["labels"][HASH]) == revision)
        .count();
    let mut status = json!({
        "observedGeneration": int(&set["metadata"]["generation"]),
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": own.len().min(wanted),
        "numberMisscheduled": 0,
        "numberReady": ready,
    });
    for (key, count) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", ready),
        ("numberUnavailable", wanted.saturating_sub(ready)),
    ] {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    put_status(&mut state.store, "daemonsets.apps", set, status);
}
