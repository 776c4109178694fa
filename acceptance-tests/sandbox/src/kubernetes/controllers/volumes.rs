//! Claims are bound at once to a volume made for them, if their class exists.

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
                    "claimRef": { "kind": "PersistentVolumeClaim", "namespace": namespace(&claim), "name": name(&claim), "uid": uid(&claim) },
                },
                "status": { "phase": "Bound" },
            }),
        );
        let mut object = (*claim).clone();
        object["spec"]["volumeName"] = json!(volume);
        members(&mut object["spec"])
            .entry("storageClassName")
            .or_insert(json!(name(&class)));
        let bound = state.store.put("persistentvolumeclaims", object);
        let status = json!({
            "phase": "Bound", "capacity": { "storage": size }, "accessModes": claim["spec"]["accessModes"],
        });
        put_status(&mut state.store, "persistentvolumeclaims", &bound, status);
    }
    for volume in all(&state.store, "persistentvolumes") {
        let claim = &volume["spec"]["claimRef"];
        let living = state
            .store
            .get(
                "persistentvolumeclaims",
                text(&claim["namespace"]),
                text(&claim["name"]),
            )
            .is_some_and(|found| uid(found) == text(&claim["uid"]));
        let ours = name(&volume).starts_with("pvc-");
        if ours && !living && text(&volume["spec"]["persistentVolumeReclaimPolicy"]) == "Delete" {
            state.store.remove("persistentvolumes", "", name(&volume));
        }
    }
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
