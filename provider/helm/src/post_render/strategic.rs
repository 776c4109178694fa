//! Strategic merge patches: like JSON merge patches, but lists of Kubernetes' own kinds merge element by
//! element. Which key tells the elements of a list apart is a fact of the Kubernetes API's types.

use serde_json::{Map, Value};

/// Lists that merge: the field, and the key of its elements; no key for lists of scalars.
const LISTS: &[(&str, Option<&str>)] = &[
    ("containers", Some("name")),
    ("initContainers", Some("name")),
    ("ephemeralContainers", Some("name")),
    ("env", Some("name")),
    ("volumes", Some("name")),
    ("volumeMounts", Some("mountPath")),
    ("volumeDevices", Some("devicePath")),
    ("imagePullSecrets", Some("name")),
    ("secrets", Some("name")),
    ("hostAliases", Some("ip")),
    ("topologySpreadConstraints", Some("topologyKey")),
    ("resourceClaims", Some("name")),
    ("schedulingGates", Some("name")),
    ("ownerReferences", Some("uid")),
    ("webhooks", Some("name")),
    ("validations", Some("expression")),
    ("conditions", Some("type")),
    ("finalizers", None),
    ("podCIDRs", None),
];

/// Groups whose lists merge; those of other groups are replaced, as for any kind without Go types.
fn native(object: &Value) -> bool {
    let api = object["apiVersion"].as_str().unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    matches!(
        group,
        "" | "apps"
            | "batch"
            | "autoscaling"
            | "policy"
            | "extensions"
            | "networking.k8s.io"
            | "rbac.authorization.k8s.io"
            | "storage.k8s.io"
            | "scheduling.k8s.io"
            | "admissionregistration.k8s.io"
            | "apiregistration.k8s.io"
            | "coordination.k8s.io"
            | "discovery.k8s.io"
            | "node.k8s.io"
            | "certificates.k8s.io"
    )
}

/// The object after the patch; `None` when the patch deletes it.
pub(super) fn merge(mut object: Value, patch: &Value) -> Result<Option<Value>, String> {
    let Value::Object(patch) = patch else {
        return Err("a strategic merge patch is a table".to_owned());
    };
    let keyed = native(&object);
    match directive(patch)? {
        Some("delete") => return Ok(None),
        Some("replace") => {
            return Err("a patch cannot replace a whole object".to_owned());
        }
        _ => {}
    }
    merge_maps(&mut object, patch, keyed)?;
    Ok(Some(object))
}

/// `$patch`.
fn directive(patch: &Map<String, Value>) -> Result<Option<&str>, String> {
    match patch.get("$patch") {
        None => Ok(None),
        Some(Value::String(word)) if matches!(word.as_str(), "delete" | "replace" | "merge") => {
            Ok(Some(word))
        }
        Some(_) => Err("$patch is none of delete, replace, merge".to_owned()),
    }
}

/// Merges `patch` into a table; anything else makes room for one.
fn merge_maps(target: &mut Value, patch: &Map<String, Value>, keyed: bool) -> Result<(), String> {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else {
        return Ok(());
    };
    if let Some(keep) = patch.get("$retainKeys") {
        let keep = texts(keep).ok_or("$retainKeys is a list of keys")?;
        map.retain(|key, _| keep.contains(&key.as_str()));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let Value::Array(gone) = value else {
                return Err(format!("{key} is a list"));
            };
            if let Some(Value::Array(items)) = map.get_mut(field) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with("$setElementOrder/") || key == "$patch" || key == "$retainKeys" {
            continue;
        }
        match value {
            Value::Null => {
                map.remove(key);
            }
            Value::Object(inner) => match directive(inner)? {
                Some("delete") => {
                    map.remove(key);
                }
                Some("replace") => {
                    map.insert(key.clone(), Value::Object(clean(inner)));
                }
                _ => {
                    let own = map.entry(key.clone()).or_insert(Value::Null);
                    merge_maps(own, inner, keyed)?;
                }
            },
            Value::Array(items) => {
                let own = map
                    .entry(key.clone())
                    .or_insert_with(|| Value::Array(Vec::new()));
                merge_lists(key, own, items, keyed)?;
            }
            scalar => {
                map.insert(key.clone(), scalar.clone());
            }
        }
    }
    Ok(())
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// A table without directives.
fn clean(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// How the elements of a list are told apart.
enum Way {
    Replace,
    Set,
    Keyed(&'static str),
}

fn way(field: &str, own: &[Value], patch: &[Value], keyed: bool) -> Way {
    if !keyed {
        return Way::Replace;
    }
    if field == "ports" {
        // Of a container or of a Service.
        let has = |key: &str| own.iter().chain(patch).any(|item| item.get(key).is_some());
        return Way::Keyed(if has("containerPort") {
            "containerPort"
        } else {
            "port"
        });
    }
    match LISTS.iter().find(|(name, _)| *name == field) {
        Some((_, Some(key))) => Way::Keyed(key),
        Some((_, None)) => Way::Set,
        None => Way::Replace,
    }
}

fn merge_lists(field: &str, own: &mut Value, patch: &[Value], keyed: bool) -> Result<(), String> {
    if !own.is_array() {
        *own = Value::Array(Vec::new());
    }
    let Value::Array(items) = own else {
        return Ok(());
    };
    let replace = patch.iter().any(|item| item["$patch"] == "replace");
    if replace {
        *items = patch
            .iter()
            .filter_map(|item| match item {
                Value::Object(map) => Some(clean(map))
                    .filter(|map| !map.is_empty())
                    .map(Value::Object),
                other => Some(other.clone()),
            })
            .collect();
        return Ok(());
    }
    match way(field, items, patch, keyed) {
        Way::Replace => {
            *items = patch.to_vec();
            Ok(())
        }
        Way::Set => {
            for item in patch {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
            Ok(())
        }
        Way::Keyed(key) => merge_keyed(field, key, items, patch, keyed),
    }
}

/// New elements come first, in the patch's order, as Kubernetes puts them.
fn merge_keyed(
    field: &str,
    key: &str,
    items: &mut Vec<Value>,
    patch: &[Value],
    keyed: bool,
) -> Result<(), String> {
    let mut fresh = Vec::new();
    for item in patch {
        let Value::Object(inner) = item else {
            return Err(format!("an element of {field} is a table"));
        };
        let Some(id) = inner.get(key) else {
            return Err(format!("an element of {field} has no {key:?}"));
        };
        let at = items.iter().position(|own| own.get(key) == Some(id));
        match (directive(inner)?, at) {
            (Some("delete"), Some(_)) => items.retain(|own| own.get(key) != Some(id)),
            (Some("delete"), None) => {}
            (_, Some(at)) => merge_maps(&mut items[at], inner, keyed)?,
            (_, None) => {
                let mut made = Value::Object(Map::new());
                merge_maps(&mut made, inner, keyed)?;
                fresh.push(made);
            }
        }
    }
    fresh.append(items);
    *items = fresh;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(containers: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers, "tolerations": [{"key": "a"}]}})
    }

    #[test]
    fn lists_merge_by_the_keys_of_the_api() {
        let object = pod(
            json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]),
        );
        let patch = json!({"spec": {
            "containers": [
                {"name": "c", "image": "3"},
                {"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "$patch": "delete"}]},
                {"name": "b", "$patch": "delete"},
            ],
            "tolerations": [{"key": "b"}],
            "nodeName": null,
        }});
        let merged = merge(object, &patch)
            .expect("a sound patch")
            .expect("an object");
        assert_eq!(
            merged["spec"],
            json!({
                "containers": [
                    {"name": "c", "image": "3"},
                    {"name": "a", "image": "1", "env": [{"name": "Y", "value": "2"}]},
                ],
                "tolerations": [{"key": "b"}],
            })
        );
    }

    #[test]
    fn directives_delete_replace_and_retain() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"finalizers": ["a", "b"]},
            "data": {"x": "1", "y": "2"}, "spec": {"strategy": {"type": "A", "rolling": 1}}});
        let patch = json!({
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]},
            "data": {"$patch": "replace", "z": "3"},
            "spec": {"strategy": {"$retainKeys": ["type"], "type": "B"}},
        });
        let merged = merge(object.clone(), &patch)
            .expect("a sound patch")
            .expect("an object");
        assert_eq!(merged["metadata"]["finalizers"], json!(["b", "c"]));
        assert_eq!(merged["data"], json!({"z": "3"}));
        assert_eq!(merged["spec"]["strategy"], json!({"type": "B"}));
        assert_eq!(merge(object, &json!({"$patch": "delete"})), Ok(None));
    }

    #[test]
    fn lists_of_other_kinds_are_replaced() {
        let object =
            json!({"apiVersion": "example.com/v1", "kind": "Thing", "containers": [{"name": "a"}]});
        let patch = json!({"containers": [{"name": "b"}]});
        let merged = merge(object, &patch)
            .expect("a sound patch")
            .expect("an object");
        assert_eq!(merged["containers"], json!([{"name": "b"}]));
    }

    #[test]
    fn ports_are_a_containers_or_a_services() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "name": "http"}]}});
        let patch = json!({"spec": {"ports": [{"port": 80, "nodePort": 30080}]}});
        let merged = merge(service, &patch)
            .expect("a sound patch")
            .expect("an object");
        assert_eq!(
            merged["spec"]["ports"],
            json!([{"port": 80, "name": "http", "nodePort": 30080}])
        );
        let error = merge(
            pod(json!([])),
            &json!({"spec": {"containers": [{"image": "x"}]}}),
        );
        assert_eq!(
            error,
            Err("an element of containers has no \"name\"".to_owned())
        );
    }
}
