//! JSON patch, merge patch and strategic merge patch.

use serde_json::{Map, Value};

use super::shape::{ListKind, Shapes};
use super::status::Status;
use super::value::{array, items, members, text};

/// RFC 6902.
pub(super) fn json_patch(object: &mut Value, body: &Value) -> Result<(), Status> {
    let patch: json_patch::Patch = serde_json::from_value(body.clone())
        .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
    json_patch::patch(object, &patch).map_err(|_| Status {
        code: http::StatusCode::UNPROCESSABLE_ENTITY,
        reason: "Invalid",
        message: "the server rejected our request due to an error in our request".to_owned(),
        details: serde_json::json!({}),
    })
}

/// RFC 7386.
pub(super) fn merge_patch(object: &mut Value, body: &Value) {
    json_patch::merge(object, body);
}

/// Kubernetes' own: lists of objects merge by key, directives start with `$`.
pub(super) fn strategic(object: &mut Value, body: &Value, shapes: &Shapes) {
    map(object, body, shapes, &mut Vec::new());
}

fn map(target: &mut Value, patch: &Value, shapes: &Shapes, path: &mut Vec<String>) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if patch
        .get("$patch")
        .is_some_and(|directive| text(directive) == "replace")
    {
        *target = Value::Object(plain(patch));
        return;
    }
    retain(target, patch);
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = array(value).to_vec();
            if let Some(list) = members(target).get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        path.push(name.clone());
        field(members(target), name, value, shapes, path);
        path.pop();
    }
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix("$setElementOrder/") {
            path.push(field.to_owned());
            order(members(target), field, array(value), shapes, path);
            path.pop();
        }
    }
}

/// `$retainKeys`: members that are not named go.
fn retain(target: &mut Value, patch: &Map<String, Value>) {
    if let Some(keys) = patch.get("$retainKeys") {
        let keys: Vec<&str> = array(keys).iter().map(text).collect();
        members(target).retain(|name, _| keys.contains(&name.as_str()));
    }
}

fn field(
    target: &mut Map<String, Value>,
    name: &str,
    value: &Value,
    shapes: &Shapes,
    path: &mut Vec<String>,
) {
    match value {
        Value::Null => {
            target.remove(name);
        }
        Value::Object(object) => {
            if object
                .get("$patch")
                .is_some_and(|directive| text(directive) == "delete")
            {
                target.remove(name);
                return;
            }
            let child = target
                .entry(name.to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            map(child, value, shapes, path);
        }
        Value::Array(list) => {
            let child = target.entry(name.to_owned()).or_insert(Value::Null);
            if let Some(key) = shapes.strategic_key(path) {
                keyed(items(child), list, &key, shapes, path);
            } else if shapes.list(path) == ListKind::Set {
                let child = items(child);
                for item in list {
                    if !child.contains(item) {
                        child.push(item.clone());
                    }
                }
            } else {
                *child = value.clone();
            }
        }
        _ => {
            target.insert(name.to_owned(), value.clone());
        }
    }
}

fn keyed(
    target: &mut Vec<Value>,
    patch: &[Value],
    key: &str,
    shapes: &Shapes,
    path: &mut Vec<String>,
) {
    if patch.iter().any(|item| text(&item["$patch"]) == "replace") {
        *target = patch
            .iter()
            .filter(|item| item["$patch"].is_null())
            .cloned()
            .collect();
        return;
    }
    for item in patch {
        let found = target.iter().position(|seen| seen[key] == item[key]);
        match (text(&item["$patch"]) == "delete", found) {
            (true, Some(index)) => {
                target.remove(index);
            }
            (true, None) => {}
            (false, Some(index)) => map(&mut target[index], item, shapes, path),
            (false, None) => target.push(
                item.as_object()
                    .map_or(item.clone(), |item| Value::Object(plain(item))),
            ),
        }
    }
}

fn order(
    target: &mut Map<String, Value>,
    field: &str,
    wanted: &[Value],
    shapes: &Shapes,
    path: &[String],
) {
    let Some(list) = target.get_mut(field).and_then(Value::as_array_mut) else {
        return;
    };
    let key = shapes.strategic_key(path);
    let place = |item: &Value| {
        wanted
            .iter()
            .position(|wanted| match &key {
                Some(key) => wanted[key] == item[key],
                None => wanted == item,
            })
            .unwrap_or(usize::MAX)
    };
    list.sort_by_key(place);
}

/// Without directives.
fn plain(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(name, value)| !name.starts_with('$') && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::strategic;
    use crate::kubernetes::shape::Shapes;

    #[test]
    fn lists_merge_by_key_and_directives_work() {
        let shapes = Shapes::BuiltIn("Pod".to_owned());
        let mut pod = json!({ "spec": {
            "containers": [{ "name": "a", "image": "1", "args": ["x"] }, { "name": "b" }],
            "nodeSelector": { "x": "y", "z": "w" },
        } });
        let patch = json!({ "spec": {
            "$setElementOrder/containers": [{ "name": "c" }, { "name": "a" }],
            "containers": [
                { "name": "a", "image": "2" },
                { "name": "b", "$patch": "delete" },
                { "name": "c", "image": "3" },
            ],
            "nodeSelector": { "x": null },
        } });
        strategic(&mut pod, &patch, &shapes);
        assert_eq!(
            pod,
            json!({ "spec": {
                "containers": [{ "name": "c", "image": "3" }, { "name": "a", "image": "2", "args": ["x"] }],
                "nodeSelector": { "z": "w" },
            } })
        );
    }

    #[test]
    fn taints_of_a_node_merge_by_key_and_tolerations_are_replaced() {
        let shapes = Shapes::BuiltIn("Node".to_owned());
        let mut node = json!({ "spec": { "taints": [{ "key": "a", "effect": "NoSchedule" }] } });
        strategic(
            &mut node,
            &json!({ "spec": { "taints": [{ "key": "b", "effect": "NoExecute" }] } }),
            &shapes,
        );
        assert_eq!(node["spec"]["taints"].as_array().map(Vec::len), Some(2));
        let shapes = Shapes::BuiltIn("Pod".to_owned());
        let mut pod = json!({ "spec": { "tolerations": [{ "key": "a" }] } });
        strategic(
            &mut pod,
            &json!({ "spec": { "tolerations": [{ "key": "b" }] } }),
            &shapes,
        );
        assert_eq!(pod["spec"]["tolerations"], json!([{ "key": "b" }]));
    }
}
