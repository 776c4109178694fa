//! Sets of fields, as `managedFields` carries them ("Kubernetes docs", server-side apply, FieldsV1).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shape::{ListKind, Shapes, key_value};

/// A set of fields: a tree whose edges are `f:name`, `k:{...}` and `v:...`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The node itself is in the set.
    pub own: bool,
    pub children: BTreeMap<String, Fields>,
}

/// A way down the tree.
pub(super) type Path = Vec<String>;

/// Members of `metadata` that the server alone writes.
const SYSTEM: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Maps of the built-in kinds that are free in their keys and not atomic.
const FREE: &[&str] = &[
    "f:annotations",
    "f:binaryData",
    "f:data",
    "f:labels",
    "f:limits",
    "f:requests",
];

impl Fields {
    /// The fields of an object, without those that the server alone writes.
    pub fn of(object: &Value, shapes: &Shapes) -> Self {
        let mut set = Self::default();
        if let Value::Object(map) = object {
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("apiVersion" | "kind", _) => {}
                    ("metadata", Value::Object(metadata)) => {
                        let kept: Map<String, Value> = metadata
                            .iter()
                            .filter(|(name, _)| !SYSTEM.contains(&name.as_str()))
                            .map(|(name, value)| (name.clone(), value.clone()))
                            .collect();
                        if !kept.is_empty() {
                            let mut path = vec!["metadata".to_owned()];
                            let child = node(&Value::Object(kept), shapes, &mut path);
                            set.children.insert("f:metadata".to_owned(), child);
                        }
                    }
                    _ => {
                        let child = node(value, shapes, &mut vec![name.clone()]);
                        set.children.insert(format!("f:{name}"), child);
                    }
                }
            }
        }
        set
    }

    /// With the maps themselves: an update owns those that it makes. Of a custom kind all are meant, of others those that
    /// are free in their keys.
    pub fn with_maps(mut self, custom: bool) -> Self {
        for (edge, child) in &mut self.children {
            let leaf = child.children.is_empty();
            if !leaf && (custom && edge != "f:metadata" || FREE.contains(&edge.as_str())) {
                child.own = true;
            }
            *child = std::mem::take(child).with_maps(custom && edge != "f:metadata");
        }
        self
    }

    /// True when nothing is in the set.
    pub fn is_empty(&self) -> bool {
        !self.own && self.children.is_empty()
    }

    /// Every member of the set.
    pub fn paths(&self) -> Vec<Path> {
        fn walk(set: &Fields, at: &mut Path, out: &mut Vec<Path>) {
            if set.own {
                out.push(at.clone());
            }
            for (edge, child) in &set.children {
                at.push(edge.clone());
                walk(child, at, out);
                at.pop();
            }
        }
        let mut out = Vec::new();
        walk(self, &mut Vec::new(), &mut out);
        out
    }

    pub fn contains(&self, path: &[String]) -> bool {
        match path {
            [] => self.own,
            [edge, rest @ ..] => self
                .children
                .get(edge)
                .is_some_and(|child| child.contains(rest)),
        }
    }

    /// Whether the set goes on below a path.
    pub fn has_children(&self, path: &[String]) -> bool {
        match path {
            [] => !self.children.is_empty(),
            [edge, rest @ ..] => self
                .children
                .get(edge)
                .is_some_and(|child| child.has_children(rest)),
        }
    }

    pub fn insert(&mut self, path: &[String]) {
        match path {
            [] => self.own = true,
            [edge, rest @ ..] => self.children.entry(edge.clone()).or_default().insert(rest),
        }
    }

    pub fn remove(&mut self, path: &[String]) {
        match path {
            [] => self.own = false,
            [edge, rest @ ..] => {
                if let Some(child) = self.children.get_mut(edge) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.children.remove(edge);
                    }
                }
            }
        }
    }

    pub fn json(&self) -> Value {
        let mut map = Map::new();
        if self.own && !self.children.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        for (edge, child) in &self.children {
            map.insert(edge.clone(), child.json());
        }
        Value::Object(map)
    }

    /// Reads FieldsV1.
    pub fn parse(json: &Value) -> Self {
        let Some(map) = json.as_object() else {
            return Self::default();
        };
        let mut set = Self {
            own: map.is_empty() || map.contains_key("."),
            children: BTreeMap::new(),
        };
        for (edge, child) in map {
            if edge != "." {
                set.children.insert(edge.clone(), Self::parse(child));
            }
        }
        set
    }
}

fn node(value: &Value, shapes: &Shapes, path: &mut Vec<String>) -> Fields {
    let leaf = || Fields {
        own: true,
        children: BTreeMap::new(),
    };
    match value {
        Value::Object(map) if !map.is_empty() && !shapes.atomic_map(path) => {
            let mut set = Fields::default();
            for (name, value) in map {
                path.push(name.clone());
                set.children
                    .insert(format!("f:{name}"), node(value, shapes, path));
                path.pop();
            }
            set
        }
        Value::Array(list) if !list.is_empty() => match shapes.list(path) {
            ListKind::Atomic => leaf(),
            ListKind::Set => {
                let mut set = Fields::default();
                for item in list {
                    set.children.insert(format!("v:{item}"), leaf());
                }
                set
            }
            ListKind::Keyed(keys) => {
                let mut set = Fields::default();
                for item in list {
                    let mut child = node(item, shapes, path);
                    child.own = true;
                    set.children.insert(key_edge(item, &keys), child);
                }
                set
            }
        },
        _ => leaf(),
    }
}

fn key_edge(item: &Value, keys: &[String]) -> String {
    // serde_json's maps may keep insertion order: the edge's members are sorted here.
    let sorted: BTreeMap<&String, Value> =
        keys.iter().map(|key| (key, key_value(item, key))).collect();
    format!("k:{}", json!(sorted))
}

/// The item of a list that an edge names.
fn position(list: &[Value], edge: &str) -> Option<usize> {
    if let Some(keys) = edge.strip_prefix("k:") {
        let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
        return list.iter().position(|item| {
            keys.iter()
                .all(|(key, value)| key_value(item, key) == *value)
        });
    }
    let wanted: Value = serde_json::from_str(edge.strip_prefix("v:")?).ok()?;
    list.iter().position(|item| *item == wanted)
}

/// The value at a path, if it is there.
pub(super) fn get<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, edge| {
        if let Some(name) = edge.strip_prefix("f:") {
            value.get(name)
        } else {
            let list = value.as_array()?;
            list.get(position(list, edge)?)
        }
    })
}

/// Takes the value at a path out, and the containers that are empty afterwards.
pub(super) fn take(value: &mut Value, path: &[String]) {
    let [edge, rest @ ..] = path else { return };
    if let Some(name) = edge.strip_prefix("f:") {
        let Some(map) = value.as_object_mut() else {
            return;
        };
        if rest.is_empty() {
            map.remove(name);
        } else if let Some(child) = map.get_mut(name) {
            take(child, rest);
            let empty = child.as_object().is_some_and(Map::is_empty)
                || child.as_array().is_some_and(Vec::is_empty);
            if empty {
                map.remove(name);
            }
        }
    } else if let Some(list) = value.as_array_mut()
        && let Some(index) = position(list, edge)
    {
        if rest.is_empty() {
            list.remove(index);
        } else {
            take(&mut list[index], rest);
        }
    }
}

/// A path in the words of a conflict: `.spec.template.spec.containers[name="web"].image`.
pub(super) fn display(path: &[String]) -> String {
    let mut out = String::new();
    for edge in path {
        if let Some(name) = edge.strip_prefix("f:") {
            out.push('.');
            out.push_str(name);
        } else if let Some(keys) = edge.strip_prefix("k:") {
            let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let told: Vec<String> = keys
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            out.push('[');
            out.push_str(&told.join(","));
            out.push(']');
        } else if let Some(value) = edge.strip_prefix("v:") {
            out.push_str("[=");
            out.push_str(value);
            out.push(']');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fields, display, get, take};
    use crate::kubernetes::shape::Shapes;

    fn deployment() -> serde_json::Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "a": "b" }, "finalizers": ["x/y"] },
            "spec": {
                "selector": { "matchLabels": { "app": "web" } },
                "template": { "spec": { "containers": [
                    { "name": "web", "image": "i", "ports": [{ "containerPort": 80 }], "args": ["-v"] }
                ] } },
            },
        })
    }

    #[test]
    fn fields_have_the_shape_of_the_api() {
        let set = Fields::of(&deployment(), &Shapes::BuiltIn("Deployment".to_owned()));
        assert_eq!(
            set.json(),
            json!({
                "f:metadata": { "f:labels": { "f:a": {} }, "f:finalizers": { "v:\"x/y\"": {} } },
                "f:spec": {
                    "f:selector": {},
                    "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"web\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                        "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
                            ".": {}, "f:containerPort": {}
                        } },
                    } } } },
                },
            })
        );
        assert_eq!(Fields::parse(&set.json()), set);
    }

    #[test]
    fn paths_lead_to_values_and_read_well() {
        let mut object = deployment();
        let set = Fields::of(&object, &Shapes::BuiltIn("Deployment".to_owned()));
        let image = set
            .paths()
            .into_iter()
            .find(|path| path.last().is_some_and(|edge| edge == "f:image"))
            .expect("the image is a field");
        assert_eq!(
            display(&image),
            ".spec.template.spec.containers[name=\"web\"].image"
        );
        assert_eq!(get(&object, &image), Some(&json!("i")));
        take(&mut object, &image);
        assert_eq!(get(&object, &image), None);
        assert!(Fields::default().is_empty());
    }
}
