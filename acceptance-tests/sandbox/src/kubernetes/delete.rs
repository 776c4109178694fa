//! Deletion: at once, or marked until finalizers, kubelets and dependents let go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::registry::Resource;
use super::status::Status;
use super::store::Store;
use super::value::{array, deleting, members, name, namespace, text, uid};

/// What a delete request asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Deletion {
    /// `Background`, `Foreground`, `Orphan`.
    pub propagation: String,
    pub grace: Option<i64>,
    pub uid: String,
    pub resource_version: String,
    pub dry_run: bool,
}

/// Deletes an object, or marks it when finalizers or a graceful stop hold it. True when it is gone at once.
///
/// # Errors
/// A failed precondition.
pub(super) fn delete(
    store: &mut Store,
    resource: &Resource,
    old: &Arc<Value>,
    deletion: &Deletion,
) -> Result<(Arc<Value>, bool), Status> {
    let (group, plural) = (&resource.group, &resource.plural);
    for (wanted, field) in [
        (&deletion.uid, "uid"),
        (&deletion.resource_version, "resourceVersion"),
    ] {
        let seen = text(&old["metadata"][field]);
        if !wanted.is_empty() && wanted != seen {
            let why = format!(
                "the {field} in the precondition ({wanted}) does not match the object's ({seen})"
            );
            return Err(Status::conflict(group, plural, name(old), &why));
        }
    }
    if resource.kind == "Namespace"
        && matches!(name(old), "default" | "kube-system" | "kube-public")
    {
        return Err(Status::forbidden(
            "",
            "namespaces",
            name(old),
            "this namespace may not be deleted",
        ));
    }
    if deletion.dry_run {
        return Ok((old.clone(), false));
    }
    let key = resource.key();
    let mut object = (**old).clone();
    if !deleting(old) {
        object["metadata"]["deletionTimestamp"] = json!(Store::now());
        object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    }
    let mut finalizers = array(&old["metadata"]["finalizers"]).to_vec();
    match deletion.propagation.as_str() {
        "Foreground" if !finalizers.contains(&json!("foregroundDeletion")) => {
            finalizers.push(json!("foregroundDeletion"));
        }
        "Orphan" => orphan(store, uid(old)),
        _ => {}
    }
    if !finalizers.is_empty() {
        object["metadata"]["finalizers"] = Value::Array(finalizers.clone());
    }
    let held = match resource.kind.as_str() {
        "Namespace" => {
            object["status"]["phase"] = json!("Terminating");
            true
        }
        "Pod" => {
            let grace = deletion
                .grace
                .or_else(|| old["spec"]["terminationGracePeriodSeconds"].as_i64())
                .unwrap_or(30);
            object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            let running = !text(&old["spec"]["nodeName"]).is_empty();
            (running && grace > 0) || !finalizers.is_empty()
        }
        _ => !finalizers.is_empty(),
    };
    if held {
        if let Some(generation) = old["metadata"]["generation"].as_i64()
            && !deleting(old)
        {
            object["metadata"]["generation"] = json!(generation + 1);
        }
        return Ok((store.put(&key, object), false));
    }
    store.remove(&key, namespace(old), name(old));
    Ok((Arc::new(object), true))
}

/// Dependents lose their reference to an owner that goes without them.
fn orphan(store: &mut Store, owner: &str) {
    for key in store.keys() {
        let dependents: Vec<Arc<Value>> = store
            .list(&key)
            .filter(|object| {
                array(&object["metadata"]["ownerReferences"])
                    .iter()
                    .any(|reference| text(&reference["uid"]) == owner)
            })
            .cloned()
            .collect();
        for dependent in dependents {
            let mut dependent = (*dependent).clone();
            if let Some(list) = dependent["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|reference| text(&reference["uid"]) != owner);
            }
            if array(&dependent["metadata"]["ownerReferences"]).is_empty() {
                members(&mut dependent["metadata"]).remove("ownerReferences");
            }
            store.put(&key, dependent);
        }
    }
}
