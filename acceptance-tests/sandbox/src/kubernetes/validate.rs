//! What the API refuses, as far as clients run into it.

use std::sync::Arc;

use serde_json::Value;

use super::registry::Resource;
use super::selector::Labels;
use super::status::{Cause, Status};
use super::value::{array, name, text};

/// True for a name of a DNS subdomain.
fn is_subdomain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// Checks an object that is about to be stored; `old` is what it replaces.
///
/// # Errors
/// 422 with a cause for each field.
pub(super) fn check(resource: &Resource, old: Option<&Value>, new: &Value) -> Result<(), Status> {
    let mut causes = Vec::new();
    if old.is_none() {
        object_name(resource, name(new), &mut causes);
    }
    metadata(new, &mut causes);
    if resource.custom {
        if let Some(schema) = &resource.schema {
            structural(schema, new, "", &mut causes);
        }
    } else {
        built_in(&resource.kind, new, &mut causes);
        if let Some(old) = old {
            changes(&resource.kind, old, new, &mut causes);
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(
        &resource.group,
        &resource.kind,
        name(new),
        &causes,
    ))
}

fn object_name(resource: &Resource, name: &str, causes: &mut Vec<Cause>) {
    let path_segment = resource.group == "rbac.authorization.k8s.io";
    let fine = if path_segment {
        !name.is_empty() && !name.contains(['/', '%']) && name != "." && name != ".."
    } else {
        is_subdomain(name)
    };
    if !fine {
        causes.push(Cause::invalid(
            "metadata.name",
            name,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
             and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ));
    }
}

fn metadata(object: &Value, causes: &mut Vec<Cause>) {
    let owners = array(&object["metadata"]["ownerReferences"]);
    let controllers = owners.iter().filter(|owner| owner["controller"] == true);
    if controllers.count() > 1 {
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            "",
            "Only one reference can have Controller set to true",
        ));
    }
    for field in ["labels", "annotations"] {
        let Some(map) = object["metadata"][field].as_object() else {
            continue;
        };
        for (key, value) in map {
            let path = format!("metadata.{field}");
            let bare = key.rsplit('/').next().unwrap_or_default();
            if bare.is_empty() || bare.len() > 63 {
                causes.push(Cause::invalid(
                    &path,
                    key,
                    "name part must be 1 to 63 characters",
                ));
            }
            let value = text(value);
            let label = field == "labels";
            let fine = value.len() <= 63
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !value.starts_with(['-', '_', '.'])
                && !value.ends_with(['-', '_', '.']);
            if label && !fine {
                causes.push(Cause::invalid(
                    &path,
                    value,
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
                     and must start and end with an alphanumeric character",
                ));
            }
        }
    }
}

fn built_in(kind: &str, object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            if !spec["selector"].is_object() {
                causes.push(Cause::required("spec.selector"));
            } else if !Labels::of(&spec["selector"])
                .matches(&spec["template"]["metadata"]["labels"])
            {
                causes.push(Cause {
                    reason: "FieldValueInvalid",
                    message: format!(
                        "Invalid value: {}: `selector` does not match template `labels`",
                        spec["template"]["metadata"]["labels"]
                    ),
                    field: "spec.template.metadata.labels".to_owned(),
                });
            }
            containers(&spec["template"]["spec"], "spec.template.spec", causes);
        }
        "Job" => containers(&spec["template"]["spec"], "spec.template.spec", causes),
        "Pod" => containers(spec, "spec", causes),
        "ConfigMap" | "Secret" => {
            if let Some(data) = object["data"].as_object() {
                for (key, value) in data {
                    if !value.is_string() {
                        let path = format!("data.{key}");
                        causes.push(Cause::invalid(
                            &path,
                            &value.to_string(),
                            "must be a string",
                        ));
                    }
                }
                let size: usize = data.values().map(|value| text(value).len()).sum();
                // Secrets are counted before base64.
                let size = if kind == "Secret" { size / 4 * 3 } else { size };
                if size > 1024 * 1024 {
                    causes.push(Cause {
                        reason: "FieldValueTooLong",
                        message: "Too long: may not be more than 1048576 bytes".to_owned(),
                        field: "data".to_owned(),
                    });
                }
            }
        }
        "Service" => {
            let headless = text(&spec["clusterIP"]) == "None";
            if array(&spec["ports"]).is_empty()
                && !headless
                && text(&spec["type"]) != "ExternalName"
            {
                causes.push(Cause::required("spec.ports"));
            }
        }
        "CustomResourceDefinition" => {
            let wanted = format!(
                "{}.{}",
                text(&spec["names"]["plural"]),
                text(&spec["group"])
            );
            if name(object) != wanted {
                causes.push(Cause::invalid(
                    "metadata.name",
                    name(object),
                    "must be spec.names.plural+\".\"+spec.group",
                ));
            }
        }
        "RoleBinding" | "ClusterRoleBinding" if text(&object["roleRef"]["name"]).is_empty() => {
            causes.push(Cause::required("roleRef.name"));
        }
        _ => {}
    }
}

fn containers(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let list = array(&spec["containers"]);
    if list.is_empty() {
        causes.push(Cause::required(&format!("{path}.containers")));
    }
    for (index, container) in list.iter().enumerate() {
        for field in ["name", "image"] {
            if text(&container[field]).is_empty() {
                causes.push(Cause::required(&format!(
                    "{path}.containers[{index}].{field}"
                )));
            }
        }
    }
}

/// Fields that must not change.
fn changes(kind: &str, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let mut same = |pointer: &str| {
        if old.pointer(pointer) != new.pointer(pointer) {
            let value = new.pointer(pointer).unwrap_or(&Value::Null);
            causes.push(Cause::immutable(&pointer[1..].replace('/', "."), value));
        }
    };
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => same("/spec/selector"),
        "StatefulSet" => {
            for field in [
                "selector",
                "serviceName",
                "volumeClaimTemplates",
                "podManagementPolicy",
            ] {
                same(&format!("/spec/{field}"));
            }
        }
        "Job" => {
            same("/spec/template");
            same("/spec/selector");
            same("/spec/completions");
        }
        "RoleBinding" | "ClusterRoleBinding" => same("/roleRef"),
        "Secret" => same("/type"),
        "StorageClass" => {
            for field in [
                "provisioner",
                "parameters",
                "reclaimPolicy",
                "volumeBindingMode",
            ] {
                same(&format!("/{field}"));
            }
        }
        "Service"
            if text(&old["spec"]["type"]) != "ExternalName"
                && text(&new["spec"]["type"]) != "ExternalName" =>
        {
            same("/spec/clusterIP");
        }
        "PersistentVolumeClaim" => {
            same("/spec/storageClassName");
            same("/spec/accessModes");
        }
        "Pod" => same("/spec/nodeName"),
        _ => {}
    }
    if matches!(kind, "Secret" | "ConfigMap")
        && old["immutable"] == Value::Bool(true)
        && (old["data"] != new["data"] || new["immutable"] != Value::Bool(true))
    {
        causes.push(Cause {
            reason: "FieldValueForbidden",
            message: "Forbidden: field is immutable when `immutable` is set".to_owned(),
            field: "data".to_owned(),
        });
    }
}

/// Types, required members, enumerations and bounds of a custom kind's schema.
fn structural(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let here = if path.is_empty() { "<root>" } else { path };
    if value.is_null() {
        return;
    }
    let wanted = text(&schema["type"]);
    let int_or_string = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    let fits = match wanted {
        _ if int_or_string => value.is_i64() || value.is_u64() || value.is_string(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    if !fits {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: {value}: {here} in body must be of type {wanted}"),
            field: here.to_owned(),
        });
        return;
    }
    if !array(&schema["enum"]).is_empty() && !array(&schema["enum"]).contains(value) {
        let allowed: Vec<String> = array(&schema["enum"])
            .iter()
            .map(Value::to_string)
            .collect();
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!(
                "Unsupported value: {value}: supported values: {}",
                allowed.join(", ")
            ),
            field: here.to_owned(),
        });
    }
    for (bound, below) in [("minimum", true), ("maximum", false)] {
        if let (Some(limit), Some(seen)) = (schema[bound].as_f64(), value.as_f64())
            && (if below { seen < limit } else { seen > limit })
        {
            causes.push(Cause::invalid(
                here,
                &value.to_string(),
                &format!("{bound} is {limit}"),
            ));
        }
    }
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    if let Some(map) = value.as_object() {
        for required in array(&schema["required"]) {
            if !map.contains_key(text(required)) {
                causes.push(Cause::required(&join(text(required))));
            }
        }
        for (name, value) in map {
            if path.is_empty() && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
                continue;
            }
            if let Some(schema) = schema["properties"].get(name).or_else(|| {
                schema
                    .get("additionalProperties")
                    .filter(|schema| schema.is_object())
            }) {
                structural(schema, value, &join(name), causes);
            }
        }
    }
    if let Some(list) = value.as_array() {
        for (index, item) in list.iter().enumerate() {
            structural(&schema["items"], item, &format!("{path}[{index}]"), causes);
        }
    }
}

/// Removes what a custom kind's schema does not know, and fills in its defaults.
pub(super) fn prune(schema: &Arc<Value>, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(schema, object, "", &mut unknown);
    unknown
}

fn walk(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true)
        && schema["properties"].is_null()
    {
        return;
    }
    match value {
        Value::Object(map) => {
            let keep = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
            let additional = &schema["additionalProperties"];
            if let Some(properties) = schema["properties"].as_object() {
                for (name, schema) in properties {
                    if !map.contains_key(name) && !schema["default"].is_null() {
                        map.insert(name.clone(), schema["default"].clone());
                    }
                }
            }
            let root = path.is_empty();
            map.retain(|name, value| {
                if root && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
                    return true;
                }
                let path = format!("{path}.{name}");
                if let Some(schema) = schema["properties"].get(name) {
                    walk(schema, value, &path, unknown);
                    true
                } else if additional.is_object() {
                    walk(additional, value, &path, unknown);
                    true
                } else if keep || *additional == Value::Bool(true) {
                    true
                } else {
                    unknown.push(path.trim_start_matches('.').to_owned());
                    false
                }
            });
        }
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}
