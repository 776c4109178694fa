//! Deployments: one ReplicaSet a template, the newest one grows, the others shrink as it becomes ready.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Pass, all};
use crate::kubernetes::api::State;
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{
    controller, deleting, hash, int, members, name, namespace, owner_reference, set_condition,
    text, uid,
};
use crate::kubernetes::write::{self, Options};

const SETS: &str = "replicasets.apps";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for deployment in all(&state.store, "deployments.apps") {
        if !deleting(&deployment) {
            one(&mut state.store, &deployment, &pass.stamp);
        }
    }
}

fn sets_of(store: &Store, deployment: &Value) -> Vec<Arc<Value>> {
    store
        .list_in(SETS, namespace(deployment))
        .filter(|set| controller(set) == Some(uid(deployment)))
        .cloned()
        .collect()
}

fn revision(object: &Value) -> i64 {
    text(&object["metadata"]["annotations"][REVISION])
        .parse()
        .unwrap_or(0)
}

fn one(store: &mut Store, deployment: &Arc<Value>, stamp: &str) {
    let spec = &deployment["spec"];
    let hash = hash(&spec["template"]);
    let current_name = format!("{}-{hash}", name(deployment));
    let mut sets = sets_of(store, deployment);
    let paused = spec["paused"] == Value::Bool(true);
    let newest = sets.iter().map(|set| revision(set)).max().unwrap_or(0);
    let found = sets.iter().find(|set| name(set) == current_name).cloned();
    if found.is_none() && !paused {
        create_set(store, deployment, &hash, &current_name, newest + 1);
        sets = sets_of(store, deployment);
    } else if let Some(found) = &found
        && revision(found) < newest
    {
        // A rollback: the old set is the newest again.
        let mut set = (**found).clone();
        members(&mut set["metadata"]["annotations"])
            .insert(REVISION.to_owned(), json!((newest + 1).to_string()));
        store.put(SETS, set);
        sets = sets_of(store, deployment);
    }
    let wanted = int(&spec["replicas"]);
    let current = sets.iter().find(|set| name(set) == current_name).cloned();
    let others: Vec<_> = sets
        .iter()
        .filter(|set| name(set) != current_name)
        .cloned()
        .collect();
    if let Some(current) = &current {
        let recreate = text(&spec["strategy"]["type"]) == "Recreate";
        let old_pods: i64 = others
            .iter()
            .map(|set| int(&set["status"]["replicas"]))
            .sum();
        if !(recreate && old_pods > 0) {
            resize(store, current, wanted);
        }
        let ready = int(&current["status"]["readyReplicas"]);
        let mut room = if recreate { 0 } else { (wanted - ready).max(0) };
        for set in &others {
            let keep = int(&set["spec"]["replicas"]).min(room);
            room -= keep;
            resize(store, set, keep);
        }
        forget_old(store, &others, int(&spec["revisionHistoryLimit"]));
    }
    report(store, deployment, &current_name, stamp);
}

fn create_set(store: &mut Store, deployment: &Value, hash: &str, set_name: &str, revision: i64) {
    let spec = &deployment["spec"];
    let mut template = spec["template"].clone();
    members(&mut template["metadata"]["labels"])
        .insert("pod-template-hash".to_owned(), json!(hash));
    let mut selector = spec["selector"].clone();
    members(&mut selector["matchLabels"]).insert("pod-template-hash".to_owned(), json!(hash));
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": set_name,
            "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"],
            "annotations": { REVISION: revision.to_string() },
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": { "replicas": 0, "selector": selector, "template": template },
    });
    if let Some(resource) = store.resource("apps", "v1", "replicasets") {
        let _ = write::create(store, &resource, set, &Options::internal());
    }
}

fn resize(store: &mut Store, set: &Arc<Value>, replicas: i64) {
    let Some(now) = store.get(SETS, namespace(set), name(set)).cloned() else {
        return;
    };
    if int(&now["spec"]["replicas"]) != replicas {
        let mut object = (*now).clone();
        object["spec"]["replicas"] = json!(replicas);
        object["metadata"]["generation"] = json!(int(&now["metadata"]["generation"]) + 1);
        store.put(SETS, object);
    }
}

fn forget_old(store: &mut Store, others: &[Arc<Value>], limit: i64) {
    let mut empty: Vec<_> = others
        .iter()
        .filter(|set| int(&set["spec"]["replicas"]) == 0 && int(&set["status"]["replicas"]) == 0)
        .collect();
    empty.sort_by_key(|set| revision(set));
    let surplus = empty
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in &empty[..surplus] {
        store.remove(SETS, namespace(set), name(set));
    }
}

fn report(store: &mut Store, deployment: &Arc<Value>, current_name: &str, stamp: &str) {
    let sets = sets_of(store, deployment);
    let sum = |field: &str| -> i64 { sets.iter().map(|set| int(&set["status"][field])).sum() };
    let (total, ready) = (sum("replicas"), sum("readyReplicas"));
    let current = sets.iter().find(|set| name(set) == current_name);
    let updated = current.map_or(0, |set| int(&set["status"]["replicas"]));
    let wanted = int(&deployment["spec"]["replicas"]);
    let mut status = Value::Object(Map::new());
    if deployment["status"]["conditions"].is_array() {
        status["conditions"] = deployment["status"]["conditions"].clone();
    }
    status["observedGeneration"] = deployment["metadata"]["generation"].clone();
    for (key, count) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("unavailableReplicas", (wanted.max(total) - ready).max(0)),
    ] {
        if count > 0 {
            status[key] = json!(count);
        }
    }
    let unavailable = &deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"];
    let tolerated = match unavailable.as_i64() {
        Some(count) => count,
        None => {
            text(unavailable)
                .trim_end_matches('%')
                .parse::<i64>()
                .unwrap_or(0)
                * wanted
                / 100
        }
    };
    if ready >= wanted - tolerated {
        set_condition(
            &mut status,
            "Available",
            true,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            stamp,
        );
    } else {
        set_condition(
            &mut status,
            "Available",
            false,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            stamp,
        );
    }
    let complete = updated == wanted && total == wanted && ready == wanted;
    if complete {
        let told = format!("ReplicaSet \"{current_name}\" has successfully progressed.");
        set_condition(
            &mut status,
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            &told,
            stamp,
        );
    } else {
        let told = format!("ReplicaSet \"{current_name}\" is progressing.");
        set_condition(
            &mut status,
            "Progressing",
            true,
            "ReplicaSetUpdated",
            &told,
            stamp,
        );
    }
    let mut object = (**deployment).clone();
    object["status"] = status;
    if let Some(current) = current {
        members(&mut object["metadata"]["annotations"])
            .insert(REVISION.to_owned(), json!(revision(current).to_string()));
    }
    if object != **deployment {
        store.put("deployments.apps", object);
    }
}
