//! StatefulSets: numbered pods, one after the other.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Pass, all, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::bootstrap;
use crate::kubernetes::value::{array, deleting, hash, int, items, name, namespace, text};

const HASH: &str = "controller-revision-hash";

pub(super) fn reconcile(state: &mut State, _pass: &mut Pass<'_>) {
    for set in all(&state.store, "statefulsets.apps") {
        if !deleting(&set) {
            one(state, &set);
        }
    }
}

fn ordinal(pod: &Value) -> i64 {
    name(pod)
        .rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(-1)
}

fn one(state: &mut State, set: &Arc<Value>) {
    let spec = &set["spec"];
    let revision = format!("{}-{}", name(set), hash(&spec["template"]));
    let wanted = int(&spec["replicas"]);
    let parallel = text(&spec["podManagementPolicy"]) == "Parallel";
    let own = pods::of(&state.store, set);
    for number in 0..wanted {
        let found = own.iter().find(|pod| ordinal(pod) == number);
        match found {
            None => create(state, set, number, &revision),
            Some(pod) if pods::ready(pod) || parallel => continue,
            Some(_) => {}
        }
        if !parallel {
            break;
        }
    }
    let mut living: Vec<_> = own
        .iter()
        .filter(|pod| pods::active(pod))
        .cloned()
        .collect();
    living.sort_by_key(|pod| -ordinal(pod));
    if let Some(surplus) = living.iter().find(|pod| ordinal(pod) >= wanted) {
        pods::delete(&mut state.store, surplus);
    } else if text(&spec["updateStrategy"]["type"]) != "OnDelete"
        && own.len() == usize::try_from(wanted).unwrap_or(0)
        && living.iter().all(|pod| pods::ready(pod))
    {
        let partition = int(&spec["updateStrategy"]["rollingUpdate"]["partition"]);
        let stale = living.iter().find(|pod| {
            ordinal(pod) >= partition && text(&pod["metadata"]["labels"][HASH]) != revision
        });
        if let Some(stale) = stale {
            pods::delete(&mut state.store, stale);
        }
    }
    report(state, set, &revision);
}

fn create(state: &mut State, set: &Value, number: i64, revision: &str) {
    let pod_name = format!("{}-{number}", name(set));
    let mut template = set["spec"]["template"].clone();
    for claim in array(&set["spec"]["volumeClaimTemplates"]) {
        let claim_name = format!("{}-{pod_name}", name(claim));
        let mut object = claim.clone();
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("PersistentVolumeClaim");
        object["metadata"]["name"] = json!(claim_name);
        object["metadata"]["namespace"] = json!(namespace(set));
        bootstrap::add(&mut state.store, object);
        items(&mut template["spec"]["volumes"]).push(json!({
            "name": name(claim), "persistentVolumeClaim": { "claimName": claim_name },
        }));
    }
    let index = number.to_string();
    let labels = [
        (HASH, revision),
        ("apps.kubernetes.io/pod-index", index.as_str()),
        ("statefulset.kubernetes.io/pod-name", pod_name.as_str()),
    ];
    pods::create(&mut state.store, set, &template, &pod_name, &labels, None);
}

fn report(state: &mut State, set: &Arc<Value>, revision: &str) {
    let own: Vec<_> = pods::of(&state.store, set)
        .into_iter()
        .filter(|pod| pods::active(pod))
        .collect();
    let ready = own.iter().filter(|pod| pods::ready(pod)).count();
    let updated = own
        .iter()
        .filter(|pod| text(&pod["metadata"]["labels"][HASH]) == revision)
        .count();
    let before = text(&set["status"]["currentRevision"]);
    let done = updated == own.len();
    let current = if done || before.is_empty() {
        revision
    } else {
        before
    };
    let status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": own.len(),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": if done { updated } else { own.len() - updated },
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": revision,
        "collisionCount": 0,
    });
    put_status(&mut state.store, "statefulsets.apps", set, status);
}
