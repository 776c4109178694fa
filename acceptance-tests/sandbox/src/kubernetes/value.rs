//! Small readings of JSON objects, so that a missing field is an empty one everywhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The text, or nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items, or none.
pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The integer, or zero.
pub(super) fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The object's members, made an object first if it is none.
pub(super) fn members(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

/// The items, made a list first if it is none.
pub(super) fn items(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("made a list just above"),
    }
}

/// Sets `key` unless it is there.
pub(super) fn default(object: &mut Value, key: &str, value: Value) {
    let map = members(object);
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_owned(), value);
    }
}

/// A name of an object.
pub(super) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// The namespace of an object; empty for cluster-wide ones.
pub(super) fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

/// The uid of an object.
pub(super) fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// True when deletion was asked for.
pub(super) fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// A map of texts: labels, annotations, node selectors.
pub(super) fn texts(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .map(|map| {
            map.iter()
                .map(|(key, value)| (key.clone(), text(value).to_owned()))
                .collect()
        })
        .unwrap_or_default()
}

/// The owner that controls the object: its uid.
pub(super) fn controller(object: &Value) -> Option<&str> {
    array(&object["metadata"]["ownerReferences"])
        .iter()
        .find(|owner| owner["controller"] == Value::Bool(true))
        .map(|owner| text(&owner["uid"]))
}

/// An owner reference that makes `owner` the controller.
pub(super) fn owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The condition of that type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    array(&object["status"]["conditions"])
        .iter()
        .find(|condition| text(&condition["type"]) == kind)
}

/// True when the condition of that type is `True`.
pub(super) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(&condition["status"]) == "True")
}

/// Sets a condition in `status`; its transition time changes only with its status.
pub(super) fn set_condition(
    status: &mut Value,
    kind: &str,
    value: bool,
    reason: &str,
    message: &str,
    now: &str,
) {
    let value = if value { "True" } else { "False" };
    let mut list = array(&status["conditions"]).to_vec();
    let fresh = |transition: Value| {
        json!({
            "type": kind, "status": value, "reason": reason, "message": message,
            "lastTransitionTime": transition,
        })
    };
    match list.iter_mut().find(|item| text(&item["type"]) == kind) {
        Some(item) => {
            let transition = if text(&item["status"]) == value {
                item["lastTransitionTime"].clone()
            } else {
                json!(now)
            };
            *item = fresh(transition);
        }
        None => list.push(fresh(json!(now))),
    }
    members(status).insert("conditions".to_owned(), Value::Array(list));
}

/// A short hash for names: 10 characters that need no escape and spell no word.
pub(super) fn hash(value: &Value) -> String {
    use sha2::{Digest as _, Sha256};
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(value.to_string().as_bytes());
    digest
        .iter()
        .take(10)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}

/// Five random characters of the alphabet of generated names.
pub(super) fn suffix() -> String {
    hash(&json!(uuid::Uuid::new_v4().to_string()))[..5].to_owned()
}
