//! Claims are bound at once to a volume made for them, if their class exists; volumes made by hand wait for a claim that
//! names them.

use serde_json::{Value, json};

use super::{all, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::bootstrap;
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{array, deleting, members, name, namespace, text, uid};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

pub(super) fn reconcile(state: &mut State) {
    for claim in all(&state.store, "persistentvolumeclaims") {
        if deleting(&claim) || text(&claim["status"]["phase"]) == "Bound" {
            continue;
        }
        if let Some(mut volume) = named(&state.store, &claim) {
            volume["spec"]["claimRef"] = reference(&claim);
            let class = text(&volume["spec"]["storageClassName"]).to_owned();
            let size = volume["spec"]["capacity"]["storage"].clone();
            let volume = state.store.put("persistentvolumes", volume);
            bind(&mut state.store, &claim, name(&volume), &class, &size);
            continue;
        }
        let Some(class) = class(&state.store, &claim) else {
            continue;
        };
        let later = text(&class["volumeBindingMode"]) == "WaitForFirstConsumer";
        if later && !used(&state.store, &claim) {
            continue;
        }
        let volume = format!("pvc-{}", uid(&claim));
        let size = claim["spec"]["resources"]["requests"]["storage"].clone();
        bootstrap::add(
            &mut state.store,
            json!({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": { "name": volume },
                "spec": {
                    "capacity": { "storage": size },
                    "accessModes": claim["spec"]["accessModes"],
                    "storageClassName": name(&class),
                    "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
                    "claimRef": reference(&claim),
                },
                "status": { "phase": "Bound" },
            }),
        );
        bind(&mut state.store, &claim, &volume, name(&class), &size);
    }
    for volume in all(&state.store, "persistentvolumes") {
        let claim = &volume["spec"]["claimRef"];
        let (space, claimed) = (text(&claim["namespace"]), text(&claim["name"]));
        let found = state.store.get("persistentvolumeclaims", space, claimed);
        let living = found.is_some_and(|found| uid(found) == text(&claim["uid"]));
        let ours = name(&volume).starts_with("pvc-");
        if ours && !living && text(&volume["spec"]["persistentVolumeReclaimPolicy"]) == "Delete" {
            state.store.remove("persistentvolumes", "", name(&volume));
            continue;
        }
        // A reference without uid is a reservation by hand.
        let phase = match (living, claim["uid"].is_string()) {
            (true, _) => "Bound",
            (false, true) => "Released",
            (false, false) => "Available",
        };
        let status = json!({ "phase": phase });
        put_status(&mut state.store, "persistentvolumes", &volume, status);
    }
}

/// The volume made by hand that a claim names, if it is free for it.
fn named(store: &Store, claim: &Value) -> Option<Value> {
    let volume = store.get("persistentvolumes", "", text(&claim["spec"]["volumeName"]))?;
    let holder = &volume["spec"]["claimRef"];
    let free = holder.is_null()
        || (text(&holder["namespace"]) == namespace(claim)
            && text(&holder["name"]) == name(claim)
            && holder["uid"].as_str().is_none_or(|held| held == uid(claim)));
    free.then(|| (**volume).clone())
}

fn reference(claim: &Value) -> Value {
    json!({ "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": namespace(claim), "name": name(claim), "uid": uid(claim) })
}

/// Writes a claim down as bound.
fn bind(store: &mut Store, claim: &Value, volume: &str, class: &str, size: &Value) {
    let mut object = claim.clone();
    object["spec"]["volumeName"] = json!(volume);
    members(&mut object["spec"])
        .entry("storageClassName")
        .or_insert(json!(class));
    let bound = store.put("persistentvolumeclaims", object);
    let status = json!({
        "phase": "Bound", "capacity": { "storage": size }, "accessModes": claim["spec"]["accessModes"],
    });
    put_status(store, "persistentvolumeclaims", &bound, status);
}

fn class(store: &Store, claim: &Value) -> Option<Value> {
    let classes = "storageclasses.storage.k8s.io";
    match claim["spec"]["storageClassName"].as_str() {
        Some("") => None,
        Some(wanted) => store
            .get(classes, "", wanted)
            .map(|class| (**class).clone()),
        None => store
            .list(classes)
            .find(|class| text(&class["metadata"]["annotations"][DEFAULT_CLASS]) == "true")
            .map(|class| (**class).clone()),
    }
}

fn used(store: &Store, claim: &Value) -> bool {
    store.list_in("pods", namespace(claim)).any(|pod| {
        array(&pod["spec"]["volumes"])
            .iter()
            .any(|volume| text(&volume["persistentVolumeClaim"]["claimName"]) == name(claim))
    })
}
