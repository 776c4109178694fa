//! From a manifest to objects that the API takes, with the marks of their release.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Error, ReleaseId};
use crate::cluster::{Discovery, ObjectRef};
use crate::render::{from_yaml_numbers, split};
use crate::yaml;

/// The label that every object of a release carries, with the value `Helm`.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The annotation with the release's name.
pub const RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// The annotation with the release's namespace.
pub const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// The annotation that keeps an object when the release loses it.
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// An object of a release.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) value: Value,
    /// With the namespace that applies; the name is empty when the server makes one.
    pub(super) reference: ObjectRef,
}

impl Object {
    /// `metadata.generateName`: a new object at every deployment.
    pub(super) fn generated(&self) -> bool {
        self.reference.name.is_empty()
    }
}

/// All objects of a manifest, lists taken apart, numbers as the API wants them.
pub(super) fn parse(manifest: &str) -> Result<Vec<Value>, Error> {
    let mut objects = Vec::new();
    for document in split(manifest) {
        let value = yaml::decode_one(document.as_bytes())
            .map_err(|error| Error::Manifest(error.to_string()))?;
        match value {
            Value::Null => {}
            Value::Object(_) => flatten(from_yaml_numbers(value), &mut objects),
            _ => return Err(Error::Manifest("a document is no object".into())),
        }
    }
    Ok(objects)
}

fn flatten(value: Value, objects: &mut Vec<Value>) {
    let list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Object(mut map) if list && map.get("items").is_some_and(Value::is_array) => {
            if let Some(Value::Array(items)) = map.remove("items") {
                for item in items {
                    flatten(item, objects);
                }
            }
        }
        other => objects.push(other),
    }
}

/// Which kinds live in namespaces: what the server says, and what CRDs of the manifest will add.
pub(super) struct Scopes {
    discovery: Arc<Discovery>,
    coming: Vec<(String, String, bool)>,
}

impl Scopes {
    pub(super) fn new(discovery: Arc<Discovery>, objects: &[Value]) -> Self {
        let text = |value: &Value, path: &str| {
            value
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let coming = objects
            .iter()
            .filter(|object| is_crd(object))
            .filter_map(|crd| {
                Some((
                    text(crd, "/spec/group")?,
                    text(crd, "/spec/names/kind")?,
                    text(crd, "/spec/scope")? == "Namespaced",
                ))
            })
            .collect();
        Self { discovery, coming }
    }

    fn namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        if let Some(resource) = self.discovery.find(api_version, kind) {
            return Some(resource.namespaced);
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.coming
            .iter()
            .find(|(own, name, _)| own == group && name == kind)
            .map(|&(.., namespaced)| namespaced)
    }
}

pub(super) fn is_crd(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition")
}

/// Fills in the namespace. `None` when the server does not know the kind.
pub(super) fn place(
    mut value: Value,
    id: &ReleaseId,
    scopes: &Scopes,
) -> Result<Option<Object>, Error> {
    let text = |value: &Value, path: &str| {
        let text = value.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let api_version = text(&value, "/apiVersion");
    let kind = text(&value, "/kind");
    let name = text(&value, "/metadata/name");
    if api_version.is_empty() || kind.is_empty() {
        return Err(Error::Manifest(format!(
            "Object 'Kind' or 'apiVersion' is missing in an object named {name:?}"
        )));
    }
    if name.is_empty() == text(&value, "/metadata/generateName").is_empty() {
        return Err(Error::Manifest(format!(
            "{kind} {name:?}: exactly one of metadata.name and metadata.generateName must be set"
        )));
    }
    let Some(namespaced) = scopes.namespaced(&api_version, &kind) else {
        return Ok(None);
    };
    let mut namespace = None;
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        if namespaced {
            let own = metadata.get("namespace").and_then(Value::as_str);
            let own = own.filter(|own| !own.is_empty()).unwrap_or(&id.namespace);
            namespace = Some(own.to_owned());
            metadata.insert("namespace".into(), own.into());
        } else {
            metadata.remove("namespace");
        }
    }
    Ok(Some(Object {
        value,
        reference: ObjectRef {
            api_version,
            kind,
            namespace,
            name,
        },
    }))
}

/// Puts the release's marks on an object.
pub(super) fn stamp(object: &mut Value, id: &ReleaseId) {
    let mut set = |table: &str, key: &str, text: &str| {
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            let map = metadata
                .entry(table)
                .or_insert_with(|| Value::Object(Map::new()));
            if !map.is_object() {
                *map = Value::Object(Map::new());
            }
            map[key] = text.into();
        }
    };
    set("labels", MANAGED_BY, "Helm");
    set("annotations", RELEASE_NAME, &id.name);
    set("annotations", RELEASE_NAMESPACE, &id.namespace);
}

/// What a live object lacks to belong to the release, in Helm's words; `None` when it does belong.
pub(super) fn foreign(object: &Value, id: &ReleaseId) -> Option<String> {
    let mut missing = Vec::new();
    for (table, what, key, wanted) in [
        ("labels", "label", MANAGED_BY, "Helm"),
        ("annotations", "annotation", RELEASE_NAME, &id.name),
        (
            "annotations",
            "annotation",
            RELEASE_NAMESPACE,
            &id.namespace,
        ),
    ] {
        let own = object
            .get("metadata")
            .and_then(|metadata| metadata.get(table))
            .and_then(|map| map.get(key))
            .and_then(Value::as_str);
        match own {
            None => missing.push(format!(
                "{what} validation error: missing key {key:?}: must be set to {wanted:?}"
            )),
            Some(own) if own != wanted => missing.push(format!(
                "{what} validation error: key {key:?} must equal {wanted:?}: current value is {own:?}"
            )),
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        None
    } else {
        Some(format!(
            "invalid ownership metadata; {}",
            missing.join("; ")
        ))
    }
}

/// Whether the object stays when its release loses it.
pub(super) fn kept(object: &Value) -> bool {
    object
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(RESOURCE_POLICY))
        .and_then(Value::as_str)
        .is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

/// `Deployment "web" in namespace "prod"`, as Helm names objects.
pub(super) fn describe(reference: &ObjectRef) -> String {
    format!(
        "{} {:?} in namespace {:?}",
        reference.kind,
        reference.name,
        reference.namespace.as_deref().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ApiResource;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn scopes(objects: &[Value]) -> Scopes {
        let resource = |kind: &str, namespaced| ApiResource {
            group: String::new(),
            version: "v1".into(),
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
            namespaced,
            verbs: BTreeSet::default(),
        };
        let discovery = Discovery {
            resources: vec![resource("ConfigMap", true), resource("Namespace", false)],
        };
        Scopes::new(Arc::new(discovery), objects)
    }

    #[test]
    fn namespaces_are_filled_in_by_scope() {
        let id = ReleaseId::new("prod", "site");
        let object = |kind: &str, metadata: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        let namespace = |value: Value| {
            place(value, &id, &scopes(&[]))
                .expect("a sound object")
                .expect("a known kind")
                .reference
                .namespace
        };
        assert_eq!(
            namespace(object("ConfigMap", json!({"name": "a"}))).as_deref(),
            Some("prod")
        );
        let own = object("ConfigMap", json!({"name": "a", "namespace": "b"}));
        assert_eq!(namespace(own).as_deref(), Some("b"));
        let wide = object("Namespace", json!({"name": "a", "namespace": "b"}));
        assert_eq!(namespace(wide), None);
        let unknown = object("Nothing", json!({"name": "a"}));
        assert!(
            place(unknown, &id, &scopes(&[]))
                .expect("a sound object")
                .is_none()
        );
        assert!(place(object("ConfigMap", json!({})), &id, &scopes(&[])).is_err());
    }

    #[test]
    fn a_kind_that_the_manifest_itself_defines_is_known() {
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"group": "example.com",
            "scope": "Cluster", "names": {"kind": "Thing"}}});
        let scopes = scopes(&[crd]);
        assert_eq!(scopes.namespaced("example.com/v1", "Thing"), Some(false));
        assert_eq!(scopes.namespaced("example.com/v1", "Other"), None);
    }

    #[test]
    fn stamped_objects_belong_to_their_release_and_no_other() {
        let id = ReleaseId::new("prod", "site");
        let mut object = json!({"metadata": {"name": "a", "labels": null}});
        assert!(foreign(&object, &id).is_some());
        stamp(&mut object, &id);
        assert_eq!(foreign(&object, &id), None);
        let other = foreign(&object, &ReleaseId::new("prod", "other")).expect("another release");
        assert_eq!(
            other,
            "invalid ownership metadata; annotation validation error: key \"meta.helm.sh/release-name\" must equal \"other\": current value is \"site\""
        );
    }
}
