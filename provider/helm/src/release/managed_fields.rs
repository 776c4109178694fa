//! Field ownership: taking over from client-side writes, and finding who owns a field.

use serde_json::{Map, Value, json};

use crate::cluster::FIELD_MANAGER;

/// Turns what `helm` owns by old client-side writes into what it owns by server-side apply, so that
/// fields which a chart drops go away. `None` when there is nothing to turn.
pub(super) fn migrated(object: &Value) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let ours = |entry: &Value, operation: &str| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == operation
            && entry.get("subresource").is_none_or(|s| s == "")
    };
    if !entries.iter().any(|entry| ours(entry, "Update")) {
        return None;
    }
    let mut fields = Value::Object(Map::new());
    let mut template = None;
    let mut rest = Vec::new();
    for entry in entries {
        if ours(entry, "Update") || ours(entry, "Apply") {
            if let Some(own) = entry.get("fieldsV1") {
                unite(&mut fields, own);
            }
            template = Some(entry.clone());
        } else {
            rest.push(entry.clone());
        }
    }
    let mut entry = template?;
    entry["operation"] = json!("Apply");
    entry["fieldsV1"] = fields;
    rest.push(entry);
    Some(Value::Array(rest))
}

fn unite(into: &mut Value, other: &Value) {
    let (Value::Object(into), Value::Object(other)) = (into, other) else {
        return;
    };
    for (key, value) in other {
        match into.get_mut(key) {
            Some(own) => unite(own, value),
            None => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// One step of a path into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A field of an object.
    Field(&'a str),
    /// An element of a list, with the element itself to find its key.
    Element(usize, &'a Value),
}

/// The managers that own the field at `path`, the newest last.
pub(super) fn owners(object: &Value, path: &[Step<'_>]) -> Vec<(String, String)> {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let mut found: Vec<(&str, String, String)> = Vec::new();
    for entry in entries.into_iter().flatten() {
        let Some(fields) = entry.get("fieldsV1") else {
            continue;
        };
        if owns(fields, path) {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            found.push((
                text("time"),
                text("manager").to_owned(),
                text("subresource").to_owned(),
            ));
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(_, manager, subresource)| (manager, subresource))
        .collect()
}

fn owns(fields: &Value, path: &[Step<'_>]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let Value::Object(fields) = fields else {
        return false;
    };
    // An owner of a whole atomic field has nothing below it.
    if fields.keys().all(|key| key == ".") {
        return !fields.is_empty();
    }
    match first {
        Step::Field(name) => fields
            .get(&format!("f:{name}"))
            .is_some_and(|inner| is_leaf(inner) || owns(inner, rest)),
        Step::Element(index, element) => fields.iter().any(|(key, inner)| {
            let hit = if let Some(keys) = key.strip_prefix("k:") {
                has_keys(element, keys)
            } else if let Some(value) = key.strip_prefix("v:") {
                serde_json::from_str::<Value>(value).is_ok_and(|value| value == **element)
            } else {
                key.strip_prefix("i:")
                    .is_some_and(|i| i == index.to_string())
            };
            hit && (is_leaf(inner) || owns(inner, rest))
        }),
    }
}

fn is_leaf(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

fn has_keys(element: &Value, keys: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(keys).is_ok_and(|keys| {
        keys.iter()
            .all(|(key, value)| element.get(key) == Some(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_side_ownership_becomes_server_side() {
        let object = json!({"metadata": {"managedFields": [
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}}}},
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:b": {}}}},
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:c": {}}}},
        ]}});
        let after = migrated(&object).expect("an old entry");
        assert_eq!(after.as_array().map(Vec::len), Some(2));
        assert_eq!(after[1]["operation"], "Apply");
        assert_eq!(
            after[1]["fieldsV1"],
            json!({"f:spec": {"f:a": {}, "f:b": {}}})
        );
        let done = json!({"metadata": {"managedFields": after}});
        assert_eq!(migrated(&done), None);
    }

    #[test]
    fn owners_are_found_through_maps_and_keyed_lists() {
        let element = json!({"name": "app", "image": "x"});
        let object = json!({"metadata": {"managedFields": [
            {"manager": "helm", "time": "2", "fieldsV1": {"f:spec": {"f:containers": {
                "k:{\"name\":\"app\"}": {".": {}, "f:name": {}}}}}},
            {"manager": "kubectl-edit", "time": "3", "fieldsV1": {"f:spec": {"f:containers": {
                "k:{\"name\":\"app\"}": {"f:image": {}}}, "f:replicas": {}}}},
        ]}});
        let path = [
            Step::Field("spec"),
            Step::Field("containers"),
            Step::Element(0, &element),
            Step::Field("image"),
        ];
        let names = |path: &[Step<'_>]| -> Vec<String> {
            owners(&object, path)
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        assert_eq!(names(&path), ["kubectl-edit"]);
        assert_eq!(
            names(&[Step::Field("spec"), Step::Field("replicas")]),
            ["kubectl-edit"]
        );
        assert!(names(&[Step::Field("spec"), Step::Field("paused")]).is_empty());
    }
}
