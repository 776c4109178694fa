//! The scheduler: the emptiest node that fits ("Kubernetes docs", taints, affinity; resources are not counted).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Pass, all, events, pods};
use crate::kubernetes::api::State;
use crate::kubernetes::selector::Labels;
use crate::kubernetes::value::{
    array, condition, deleting, is_true, name, namespace, set_condition, text,
};

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    let waiting: Vec<_> = state
        .store
        .list("pods")
        .filter(|pod| text(&pod["spec"]["nodeName"]).is_empty() && pods::active(pod))
        // Another scheduler's pods wait for that one.
        .filter(|pod| text(&pod["spec"]["schedulerName"]) == "default-scheduler")
        .cloned()
        .collect();
    if waiting.is_empty() {
        return;
    }
    let nodes = all(&state.store, "nodes");
    let mut load: BTreeMap<String, usize> = BTreeMap::new();
    for pod in state.store.list("pods") {
        *load
            .entry(text(&pod["spec"]["nodeName"]).to_owned())
            .or_default() += 1;
    }
    for pod in waiting {
        let placed = place(state, &pod, &nodes, &load);
        let mut object = (*pod).clone();
        let status = &mut object["status"];
        if let Some(node) = placed {
            *load.entry(node.clone()).or_default() += 1;
            set_condition(status, "PodScheduled", true, "", "", &pass.stamp);
            object["spec"]["nodeName"] = json!(node);
        } else {
            let told = format!(
                "0/{} nodes are available: no node has the labels, taints and free neighbourhood that the pod asks for.",
                nodes.len()
            );
            if condition(&pod, "PodScheduled").is_some_and(|seen| text(&seen["message"]) == told) {
                continue;
            }
            set_condition(
                status,
                "PodScheduled",
                false,
                "Unschedulable",
                &told,
                &pass.stamp,
            );
            events::record(
                &mut state.store,
                &pod,
                true,
                "FailedScheduling",
                &told,
                &pass.stamp,
            );
        }
        state.store.put("pods", object);
    }
}

fn place(
    state: &State,
    pod: &Value,
    nodes: &[Arc<Value>],
    load: &BTreeMap<String, usize>,
) -> Option<String> {
    let spec = &pod["spec"];
    nodes
        .iter()
        .filter(|node| !deleting(node) && pods::selects(spec, node) && apart(state, pod, node))
        .filter(|node| {
            array(&node["spec"]["taints"]).iter().all(|taint| {
                text(&taint["effect"]) == "PreferNoSchedule" || pods::tolerates(spec, taint)
            })
        })
        .min_by_key(|node| {
            let siblings = siblings(state, pod, node);
            (
                !is_true(node, "Ready"),
                siblings,
                load.get(name(node)).copied().unwrap_or(0),
                name(node).to_owned(),
            )
        })
        .map(|node| name(node).to_owned())
}

/// Pods of the same controller on the node: spread before load.
fn siblings(state: &State, pod: &Value, node: &Value) -> usize {
    let owner = crate::kubernetes::value::controller(pod);
    state
        .store
        .list_in("pods", namespace(pod))
        .filter(|other| {
            text(&other["spec"]["nodeName"]) == name(node)
                && owner.is_some()
                && crate::kubernetes::value::controller(other) == owner
        })
        .count()
}

/// Required anti-affinity: no such neighbour in the same topology.
fn apart(state: &State, pod: &Value, node: &Value) -> bool {
    array(&pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"])
        .iter()
        .all(|term| {
            let selector = Labels::of(&term["labelSelector"]);
            let key = text(&term["topologyKey"]);
            let here = &node["metadata"]["labels"][key];
            !state.store.list_in("pods", namespace(pod)).any(|other| {
                let neighbour = text(&other["spec"]["nodeName"]);
                !neighbour.is_empty()
                    && pods::active(other)
                    && selector.matches(&other["metadata"]["labels"])
                    && state
                        .store
                        .get("nodes", "", neighbour)
                        .is_some_and(|neighbour| neighbour["metadata"]["labels"][key] == *here)
            })
        })
}
