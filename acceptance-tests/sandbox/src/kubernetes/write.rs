//! Create and update: what the API does between a request and the store.

use std::sync::Arc;

use serde_json::{Value, json};

use super::apply::{Writer, track_update};
use super::registry::Resource;
use super::shape::Shapes;
use super::status::Status;
use super::store::Store;
use super::value::{array, deleting, int, members, name, namespace, suffix, text, uid};
use super::{defaults, service, typed, validate};

/// How a write is to be done.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Field manager.
    pub manager: String,
    /// Nothing is stored.
    pub dry_run: bool,
    /// `Strict` refuses unknown fields.
    pub strict: bool,
    /// Empty for the object itself.
    pub subresource: String,
    /// Ownership was worked out already, by an apply.
    pub applied: bool,
}

impl Options {
    /// A write of the server's own controllers.
    pub fn internal() -> Self {
        Self {
            manager: "kube-controller-manager".to_owned(),
            dry_run: false,
            strict: false,
            subresource: String::new(),
            applied: false,
        }
    }
}

/// Kinds whose objects carry no generation.
const WITHOUT_GENERATION: &[&str] = &[
    "ConfigMap",
    "Secret",
    "Namespace",
    "Node",
    "ServiceAccount",
    "Service",
    "Endpoints",
    "Event",
    "Lease",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
];

fn writer<'a>(
    resource: &Resource,
    options: &'a Options,
    version: &'a str,
    now: &'a str,
) -> Writer<'a> {
    let _ = resource;
    Writer {
        manager: &options.manager,
        api_version: version,
        subresource: &options.subresource,
        force: false,
        now,
    }
}

/// Stores a new object.
///
/// # Errors
/// As the API: exists, namespace missing or terminating, invalid.
pub(super) fn create(
    store: &mut Store,
    resource: &Resource,
    mut object: Value,
    options: &Options,
) -> Result<Arc<Value>, Status> {
    let now = Store::now();
    let key = resource.key();
    let metadata = members(&mut object["metadata"]);
    if metadata
        .get("name")
        .is_none_or(|name| text(name).is_empty())
    {
        let Some(prefix) = metadata.get("generateName").and_then(Value::as_str) else {
            return Err(Status::invalid(
                &resource.group,
                &resource.kind,
                "",
                &[super::status::Cause {
                    reason: "FieldValueRequired",
                    message: "Required value: name or generateName is required".to_owned(),
                    field: "metadata.name".to_owned(),
                }],
            ));
        };
        let generated = format!("{prefix}{}", suffix());
        metadata.insert("name".to_owned(), json!(generated));
    }
    for key in [
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        metadata.remove(key);
    }
    metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(now));
    if !WITHOUT_GENERATION.contains(&resource.kind.as_str()) {
        metadata.insert("generation".to_owned(), json!(1));
    }
    if resource.namespaced {
        let home = namespace(&object);
        match store.get("namespaces", "", home) {
            None => return Err(Status::not_found("", "namespaces", home)),
            Some(found) if deleting(found) => {
                let why = format!(
                    "unable to create new content in namespace {home} because it is being terminated"
                );
                return Err(Status::forbidden(
                    &resource.group,
                    &resource.plural,
                    name(&object),
                    &why,
                ));
            }
            Some(_) => {}
        }
    }
    if store.get(&key, namespace(&object), name(&object)).is_some() {
        return Err(Status::already_exists(
            &resource.group,
            &resource.plural,
            name(&object),
        ));
    }
    if resource.status && resource.kind != "Node" && options.manager != "kube-controller-manager" {
        members(&mut object).remove("status");
    }
    settle(store, resource, None, &mut object, options)?;
    if !options.applied {
        let version = resource.api_version();
        let shapes = Shapes::of(resource);
        members(&mut object["metadata"]).remove("managedFields");
        let internal = options.manager == "kube-controller-manager";
        if !internal {
            track_update(
                &shapes,
                None,
                &mut object,
                &writer(resource, options, &version, &now),
            );
        }
    }
    first_status(resource, &mut object, &now);
    if options.dry_run {
        return Ok(Arc::new(object));
    }
    Ok(store.put(&key, object))
}

/// Unknown fields are refused where that was asked for.
fn strict(resource: &Resource, options: &Options, unknown: &[String]) -> Result<(), Status> {
    if !options.strict || unknown.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field \"{path}\""))
        .collect();
    Err(Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
        resource.kind,
        resource.version,
        resource.kind,
        told.join(", ")
    )))
}

/// Defaults, addresses, pruning, validation.
fn settle(
    store: &Store,
    resource: &Resource,
    old: Option<&Value>,
    object: &mut Value,
    options: &Options,
) -> Result<(), Status> {
    if resource.custom {
        if let Some(schema) = &resource.schema {
            let unknown = validate::prune(schema, object);
            strict(resource, options, &unknown)?;
        }
    } else {
        if options.manager != "kube-controller-manager" {
            strict(resource, options, &typed::prune(object))?;
        }
        if let (Some(old), "Service") = (old, resource.kind.as_str()) {
            service::keep(old, object);
        }
        defaults::fill(&resource.kind, object);
        if resource.kind == "Service" {
            service::allocate(store, object);
        }
    }
    validate::check(resource, old, object)
}

/// The status that objects of some kinds are born with.
fn first_status(resource: &Resource, object: &mut Value, now: &str) {
    match resource.kind.as_str() {
        "Pod" if object["status"]["phase"].is_null() => {
            object["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" });
        }
        "Namespace" => {
            object["status"] = json!({ "phase": "Active" });
            let name = object["metadata"]["name"].clone();
            members(&mut object["metadata"]["labels"])
                .insert("kubernetes.io/metadata.name".to_owned(), name);
        }
        "PersistentVolumeClaim" | "PersistentVolume" if object["status"].is_null() => {
            object["status"] = json!({ "phase": "Pending" });
        }
        "CustomResourceDefinition" => establish(object, now),
        _ => {}
    }
}

/// A definition is accepted and served at once.
fn establish(object: &mut Value, now: &str) {
    let stored: Vec<Value> = array(&object["spec"]["versions"])
        .iter()
        .filter(|version| version["storage"] == Value::Bool(true))
        .map(|version| version["name"].clone())
        .collect();
    let names = object["spec"]["names"].clone();
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": now,
        })
    };
    object["status"] = json!({
        "acceptedNames": names,
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}

/// Replaces an object. `object` holds the wanted state; metadata of the server's own and, outside of its
/// subresource, the status stay as they are.
///
/// # Errors
/// As the API: conflict, invalid.
pub(super) fn update(
    store: &mut Store,
    resource: &Resource,
    old: &Arc<Value>,
    mut object: Value,
    options: &Options,
) -> Result<Arc<Value>, Status> {
    let now = Store::now();
    let (group, plural) = (&resource.group, &resource.plural);
    let wanted = text(&object["metadata"]["resourceVersion"]);
    if !wanted.is_empty() && wanted != text(&old["metadata"]["resourceVersion"]) {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Status::conflict(group, plural, name(old), why));
    }
    let wanted = uid(&object);
    if !wanted.is_empty() && wanted != uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
            uid(old)
        );
        return Err(Status::conflict(group, plural, name(old), &why));
    }
    if options.subresource == "status" {
        let status = object["status"].clone();
        let fields = object["metadata"]["managedFields"].clone();
        object = (**old).clone();
        object["status"] = status;
        if options.applied {
            object["metadata"]["managedFields"] = fields;
        }
    } else if resource.status || resource.kind == "Pod" {
        let keep = old.get("status").cloned();
        let map = members(&mut object);
        match keep {
            Some(status) => map.insert("status".to_owned(), status),
            None => map.remove("status"),
        };
    }
    let metadata = members(&mut object["metadata"]);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
        "resourceVersion",
    ] {
        match old["metadata"].get(key) {
            Some(value) => metadata.insert(key.to_owned(), value.clone()),
            None => metadata.remove(key),
        };
    }
    settle(store, resource, Some(old), &mut object, options)?;
    if resource.kind == "Namespace" {
        let name = object["metadata"]["name"].clone();
        members(&mut object["metadata"]["labels"])
            .insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    if resource.kind == "CustomResourceDefinition" && options.subresource.is_empty() {
        let before = object["status"].clone();
        establish(&mut object, &now);
        let mut stored = array(&before["storedVersions"]).to_vec();
        for version in array(&object["status"]["storedVersions"]) {
            if !stored.contains(version) {
                stored.push(version.clone());
            }
        }
        if before["conditions"].is_array() {
            object["status"]["conditions"] = before["conditions"].clone();
        }
        object["status"]["storedVersions"] = Value::Array(stored);
    }
    if !options.applied {
        let internal = options.manager == "kube-controller-manager";
        if internal {
            object["metadata"]["managedFields"] = old["metadata"]["managedFields"].clone();
            if object["metadata"]["managedFields"].is_null() {
                members(&mut object["metadata"]).remove("managedFields");
            }
        } else {
            let shapes = Shapes::of(resource);
            let version = resource.api_version();
            track_update(
                &shapes,
                Some(old),
                &mut object,
                &writer(resource, options, &version, &now),
            );
        }
    }
    if object["metadata"].get("generation").is_some() && content(&object) != content(old) {
        object["metadata"]["generation"] = json!(int(&old["metadata"]["generation"]) + 1);
    }
    if options.dry_run {
        return Ok(Arc::new(object));
    }
    let done = deleting(&object)
        && array(&object["metadata"]["finalizers"]).is_empty()
        && !array(&old["metadata"]["finalizers"]).is_empty();
    if done && resource.kind != "Pod" && resource.kind != "Namespace" {
        store.remove(&resource.key(), namespace(old), name(old));
        return Ok(Arc::new(object));
    }
    Ok(store.put(&resource.key(), object))
}

/// What a generation counts changes of: everything but metadata and status.
fn content(object: &Value) -> serde_json::Map<String, Value> {
    let mut map = object.as_object().cloned().unwrap_or_default();
    for key in ["metadata", "status", "apiVersion", "kind"] {
        map.remove(key);
    }
    map
}
