//! From several renderings to what is certain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::inputs::Inputs;
use super::probe::Outcome;
use super::{Entry, Node, Role, Unsettled};
use crate::render::{Rendered, from_yaml_numbers};
use crate::template::marks::{self, Marks};
use crate::yaml;

/// Kinds of Kubernetes itself that live outside of namespaces.
const CLUSTER_KINDS: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "GatewayClass",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
    "VolumeSnapshotClass",
    "ClusterIssuer",
    "ClusterPolicy",
];

/// What several renderings agree on.
pub(super) struct Settled {
    pub(super) objects: BTreeMap<String, Entry>,
    pub(super) unsettled: Option<Unsettled>,
}

/// An object of one rendering.
struct Found {
    role: Role,
    path: String,
    object: Value,
}

/// All objects of a rendering, for `lookup` to find.
pub(super) fn flatten(inputs: &Inputs<'_>, rendered: &Rendered) -> Vec<Value> {
    collect(inputs, rendered)
        .into_iter()
        .map(|found| found.object)
        .collect()
}

fn collect(inputs: &Inputs<'_>, rendered: &Rendered) -> Vec<Found> {
    let mut all = Vec::new();
    let mut add = |role: Role, path: &str, object: Value| {
        let mut parts = Vec::new();
        take_apart(from_yaml_numbers(object), &mut parts);
        all.extend(parts.into_iter().map(|object| Found {
            role,
            path: path.to_owned(),
            object,
        }));
    };
    if inputs.crds {
        for crd in &rendered.crds {
            // What is no YAML fails when it is applied; it has nothing to show.
            let documents = yaml::decode(&crd.content).unwrap_or_default();
            for object in documents {
                add(Role::Crd, &crd.path, object);
            }
        }
    }
    for manifest in &rendered.manifests {
        add(Role::Object, &manifest.path, manifest.object.clone());
    }
    if inputs.hooks {
        for hook in &rendered.hooks {
            add(Role::Hook, &hook.path, hook.object.clone());
        }
    }
    all
}

/// Takes lists of objects apart; documents that are no objects are left out.
fn take_apart(value: Value, objects: &mut Vec<Value>) {
    let list = value["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Object(mut map) if list && map.get("items").is_some_and(Value::is_array) => {
            if let Some(Value::Array(items)) = map.remove("items") {
                for item in items {
                    take_apart(item, objects);
                }
            }
        }
        object @ Value::Object(_) => objects.push(object),
        _ => {}
    }
}

pub(super) fn settle(inputs: &Inputs<'_>, all: &[Outcome]) -> Settled {
    let worlds: Vec<BTreeMap<String, Found>> = all
        .iter()
        .map(|outcome| by_key(inputs, &outcome.rendered))
        .collect();
    let mut templates: BTreeSet<String> = all
        .iter()
        .flat_map(|outcome| outcome.unsettled.iter().cloned())
        .collect();
    let keys: BTreeSet<&String> = worlds.iter().flat_map(BTreeMap::keys).collect();
    let mut objects = BTreeMap::new();
    for key in keys {
        let present: Vec<&Found> = worlds.iter().filter_map(|world| world.get(key)).collect();
        let Some(first) = present.first() else {
            continue;
        };
        if marks::in_bytes(key.as_bytes()).any() {
            templates.insert(first.path.clone());
            continue;
        }
        let uncertain = present.len() < worlds.len();
        let values: Vec<&Value> = present.iter().map(|found| &found.object).collect();
        let mut node = node(&values);
        if first.object["kind"] == "Secret" {
            mask(&mut node);
        }
        objects.insert(
            key.clone(),
            Entry {
                role: first.role,
                kind: first.object["kind"].as_str().unwrap_or_default().to_owned(),
                path: first.path.clone(),
                node,
                uncertain,
            },
        );
    }
    let unsettled = (!templates.is_empty()).then(|| Unsettled {
        reason: "what these templates make depends on values that are not known yet".to_owned(),
        templates: templates.into_iter().collect(),
    });
    Settled { objects, unsettled }
}

/// The objects by name. Names that are random get one that is not: the number of the object among
/// those of its kind and template.
fn by_key(inputs: &Inputs<'_>, rendered: &Rendered) -> BTreeMap<String, Found> {
    let found = collect(inputs, rendered);
    let scoped: BTreeSet<String> = found
        .iter()
        .filter(|found| {
            found.object["kind"] == "CustomResourceDefinition"
                && found.object["spec"]["scope"] == "Cluster"
        })
        .filter_map(|found| found.object["spec"]["names"]["kind"].as_str())
        .map(str::to_owned)
        .collect();
    let mut objects = BTreeMap::new();
    for found in found {
        let text = |pointer: &str| {
            let text = found.object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let kind = text("/kind");
        let cluster = CLUSTER_KINDS.contains(&kind.as_str()) || scoped.contains(&kind);
        let mut name = text("/metadata/name");
        if name.is_empty() {
            name = format!("{}*", text("/metadata/generateName"));
        }
        let place = if cluster {
            format!("{kind}/{name}")
        } else {
            let own = text("/metadata/namespace");
            let namespace = if own.is_empty() {
                &inputs.release.namespace
            } else {
                &own
            };
            format!("{kind}/{namespace}/{name}")
        };
        let mut key = place.clone();
        // The same kind and name in another API group, or as a hook too.
        let mut number = 2;
        while objects.contains_key(&key) {
            key = format!("{place} ({number})");
            number += 1;
        }
        objects.insert(key, found);
    }
    objects
}

/// What the values of all renderings agree on.
fn node(values: &[&Value]) -> Node {
    let Some((&first, rest)) = values.split_first() else {
        return Node::Unknown;
    };
    match first {
        Value::Object(_) if rest.iter().all(|value| value.is_object()) => {
            let keys: BTreeSet<&String> = values
                .iter()
                .filter_map(|value| value.as_object())
                .flat_map(|map| map.keys())
                .collect();
            let marked = keys.iter().fold(Marks::default(), |all, key| {
                all | marks::in_bytes(key.as_bytes())
            });
            if marked.any() {
                return stand_in(marked);
            }
            let member = |key: &String| {
                let present: Option<Vec<&Value>> =
                    values.iter().map(|value| value.get(key.as_str())).collect();
                present.map_or(Node::Unknown, |present| node(&present))
            };
            Node::Map(
                keys.into_iter()
                    .map(|key| (key.clone(), member(key)))
                    .collect(),
            )
        }
        Value::Array(items)
            if rest.iter().all(|value| {
                value
                    .as_array()
                    .is_some_and(|other| other.len() == items.len())
            }) =>
        {
            let element = |index: usize| {
                let elements: Vec<&Value> =
                    values.iter().filter_map(|value| value.get(index)).collect();
                node(&elements)
            };
            Node::List((0..items.len()).map(element).collect())
        }
        _ => {
            let marked = values
                .iter()
                .filter_map(|value| value.as_str())
                .fold(Marks::default(), |all, text| {
                    all | marks::in_bytes(text.as_bytes())
                });
            if marked.any() {
                stand_in(marked)
            } else if rest.iter().all(|value| *value == first) {
                Node::Leaf(first.clone())
            } else {
                Node::Unknown
            }
        }
    }
}

const fn stand_in(marks: Marks) -> Node {
    if marks.secret {
        Node::Masked(None)
    } else {
        Node::Unknown
    }
}

/// Masks the data of a Secret. What is not known stays so.
fn mask(node: &mut Node) {
    let Node::Map(map) = node else { return };
    for table in ["data", "stringData"] {
        if let Some(Node::Map(data)) = map.get_mut(table) {
            for value in data.values_mut() {
                if let Node::Leaf(leaf) = value {
                    *value = Node::Masked(Some(Sha256::digest(leaf.to_string()).into()));
                }
            }
        }
    }
}
