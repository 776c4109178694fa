//! Pods of a controller: making them, counting them, choosing which ones go.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::kubernetes::delete::{self, Deletion};
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{
    array, controller, deleting, is_true, members, name, namespace, owner_reference, text, uid,
};
use crate::kubernetes::write::{self, Options};

/// The pods that `owner` controls, deleted ones too.
pub(super) fn of(store: &Store, owner: &Value) -> Vec<Arc<Value>> {
    store
        .list_in("pods", namespace(owner))
        .filter(|pod| controller(pod) == Some(uid(owner)))
        .cloned()
        .collect()
}

/// True for a pod that counts: not going, not ended.
pub(super) fn active(pod: &Value) -> bool {
    !deleting(pod) && !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// True for a pod that serves.
pub(super) fn ready(pod: &Value) -> bool {
    !deleting(pod) && is_true(pod, "Ready")
}

/// Makes a pod of `template`. `pod_name` is a whole name, or one that ends in `-` to be completed.
pub(super) fn create(
    store: &mut Store,
    owner: &Value,
    template: &Value,
    pod_name: &str,
    labels: &[(&str, &str)],
    node: Option<&str>,
) {
    let mut metadata =
        json!({ "namespace": namespace(owner), "ownerReferences": [owner_reference(owner)] });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    if pod_name.ends_with('-') {
        metadata["generateName"] = json!(pod_name);
    } else {
        metadata["name"] = json!(pod_name);
    }
    for (key, value) in labels {
        members(&mut metadata["labels"]).insert((*key).to_owned(), json!(value));
    }
    let mut spec = template["spec"].clone();
    if let Some(node) = node {
        spec["nodeName"] = json!(node);
    }
    if text(&spec["serviceAccountName"]).is_empty() {
        spec["serviceAccountName"] = json!("default");
    }
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
    if let Some(resource) = store.resource("", "v1", "pods") {
        // A refusal (namespace ending, name taken) is tried again at the next change.
        let _ = write::create(store, &resource, pod, &Options::internal());
    }
}

/// Deletes a pod gracefully.
pub(super) fn delete(store: &mut Store, pod: &Arc<Value>) {
    if let Some(resource) = store.resource("", "v1", "pods")
        && !deleting(pod)
    {
        let _ = delete::delete(store, &resource, pod, &Deletion::default());
    }
}

/// Sorts so that those to delete first come first: not scheduled, not ready, newest.
pub(super) fn by_worth(pods: &mut [Arc<Value>]) {
    pods.sort_by(|left, right| {
        let rank = |pod: &Value| (!text(&pod["spec"]["nodeName"]).is_empty(), ready(pod));
        rank(left)
            .cmp(&rank(right))
            .then_with(|| {
                text(&right["metadata"]["creationTimestamp"])
                    .cmp(text(&left["metadata"]["creationTimestamp"]))
            })
            .then_with(|| name(right).cmp(name(left)))
    });
}

/// True when the pod tolerates the taint.
pub(super) fn tolerates(spec: &Value, taint: &Value) -> bool {
    array(&spec["tolerations"]).iter().any(|toleration| {
        let effect = text(&toleration["effect"]);
        let key = text(&toleration["key"]);
        let exists = text(&toleration["operator"]) == "Exists";
        (effect.is_empty() || effect == text(&taint["effect"]))
            && (if key.is_empty() {
                exists
            } else {
                key == text(&taint["key"])
            })
            && (exists || text(&toleration["value"]) == text(&taint["value"]))
    })
}

/// True when the node's labels satisfy the pod's selector and required affinity.
pub(super) fn selects(spec: &Value, node: &Value) -> bool {
    use crate::kubernetes::selector::Labels;

    let labels = &node["metadata"]["labels"];
    if !Labels::of_map(&spec["nodeSelector"]).matches(labels) {
        return false;
    }
    let terms = array(
        &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"],
    );
    terms.is_empty()
        || terms.iter().any(|term| {
            let by_labels = Labels::of(&json!({ "matchExpressions": term["matchExpressions"] }))
                .matches(labels);
            let by_name = array(&term["matchFields"]).iter().all(|field| {
                array(&field["values"])
                    .iter()
                    .any(|value| text(value) == name(node))
            });
            by_labels && by_name
        })
}
