//! How lists and maps merge: by key, as a set, or as one value. The keys are those of the Kubernetes API
//! ("Kubernetes API reference", list types and patch merge keys); custom kinds say it in their schema.

use std::sync::Arc;

use serde_json::Value;

use super::registry::Resource;
use super::value::{array, text};

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Items identified by these members.
    Keyed(Vec<String>),
}

/// The shapes of one kind.
#[derive(Debug, Clone)]
pub(super) enum Shapes {
    /// A built-in kind.
    BuiltIn(String),
    /// A custom kind with its schema, if it has one.
    Custom(Option<Arc<Value>>),
}

/// Lists with keys in server-side apply: name of the field, keys.
const KEYED: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("env", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("volumes", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("hostAliases", &["ip"]),
    (
        "topologySpreadConstraints",
        &["topologyKey", "whenUnsatisfiable"],
    ),
    ("schedulingGates", &["name"]),
    ("resourceClaims", &["name"]),
    ("conditions", &["type"]),
    ("podIPs", &["ip"]),
    ("hostIPs", &["ip"]),
    ("webhooks", &["name"]),
    ("matchConditions", &["name"]),
    ("secrets", &["name"]),
];

/// Maps that are one value in server-side apply: label selectors and references.
const ATOMIC_MAPS: &[&str] = &[
    "selector",
    "labelSelector",
    "namespaceSelector",
    "objectSelector",
    "podSelector",
    "nodeSelector",
    "secretRef",
    "configMapRef",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "roleRef",
    "claimRef",
    "dataSource",
];

impl Shapes {
    /// The shapes of a resource's objects.
    pub fn of(resource: &Resource) -> Self {
        if resource.custom {
            Self::Custom(resource.schema.clone())
        } else {
            Self::BuiltIn(resource.kind.clone())
        }
    }

    /// How the list at `path` merges. The path holds member names only.
    pub fn list(&self, path: &[String]) -> ListKind {
        let last = path.last().map(String::as_str).unwrap_or_default();
        let keyed =
            |keys: &[&str]| ListKind::Keyed(keys.iter().map(|key| (*key).to_owned()).collect());
        if path.first().is_some_and(|first| first == "metadata") {
            return match last {
                "ownerReferences" => keyed(&["uid"]),
                "finalizers" => ListKind::Set,
                _ => ListKind::Atomic,
            };
        }
        match self {
            Self::BuiltIn(kind) => match last {
                "ports"
                    if path
                        .iter()
                        .any(|part| part.to_lowercase().ends_with("containers")) =>
                {
                    keyed(&["containerPort", "protocol"])
                }
                "ports" if kind == "Service" => keyed(&["port", "protocol"]),
                "addresses" if kind == "Node" => keyed(&["type"]),
                "podCIDRs" => ListKind::Set,
                "imagePullSecrets" if kind == "ServiceAccount" => ListKind::Atomic,
                _ => KEYED
                    .iter()
                    .find(|(field, _)| *field == last)
                    .map_or(ListKind::Atomic, |(_, keys)| keyed(keys)),
            },
            Self::Custom(schema) => {
                let Some(schema) = schema.as_deref().and_then(|schema| find(schema, path)) else {
                    return ListKind::Atomic;
                };
                match text(&schema["x-kubernetes-list-type"]) {
                    "map" => ListKind::Keyed(
                        array(&schema["x-kubernetes-list-map-keys"])
                            .iter()
                            .map(|key| text(key).to_owned())
                            .collect(),
                    ),
                    "set" => ListKind::Set,
                    _ => ListKind::Atomic,
                }
            }
        }
    }

    /// True when the map at `path` is one value.
    pub fn atomic_map(&self, path: &[String]) -> bool {
        match self {
            Self::BuiltIn(_) => path
                .last()
                .is_some_and(|last| ATOMIC_MAPS.contains(&last.as_str())),
            Self::Custom(schema) => schema
                .as_deref()
                .and_then(|schema| find(schema, path))
                .is_some_and(|schema| text(&schema["x-kubernetes-map-type"]) == "atomic"),
        }
    }

    /// The merge key of a list in a strategic merge patch; a built-in kind's only.
    pub fn strategic_key(&self, path: &[String]) -> Option<String> {
        let last = path.last().map(String::as_str).unwrap_or_default();
        match (self, last) {
            (Self::Custom(_), _) => None,
            (Self::BuiltIn(kind), "taints") if kind == "Node" => Some("key".to_owned()),
            _ => match self.list(path) {
                ListKind::Keyed(keys) => keys.into_iter().next(),
                _ => None,
            },
        }
    }
}

/// The schema of the value at `path`; items of lists and values of maps are stepped into.
fn find<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(schema, |schema, part| {
        let schema = match schema.get("items") {
            Some(items) => items,
            None => schema,
        };
        schema["properties"].get(part).or_else(|| {
            schema
                .get("additionalProperties")
                .filter(|value| value.is_object())
        })
    })
}

/// The value of a key member, with the API's default where it may be left out.
pub(super) fn key_value(item: &Value, key: &str) -> Value {
    match (&item[key], key) {
        (Value::Null, "protocol") => Value::String("TCP".to_owned()),
        (value, _) => value.clone(),
    }
}

/// True when two items of a list have the same identity.
pub(super) fn same_item(left: &Value, right: &Value, keys: &[String]) -> bool {
    keys.iter()
        .all(|key| key_value(left, key) == key_value(right, key))
}
