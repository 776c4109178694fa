//! The name of an object.

use std::fmt;

use serde_json::Value;

/// Names one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Group and version as in a manifest: `v1`, `apps/v1`.
    pub api_version: String,
    /// The kind: `Deployment`.
    pub kind: String,
    /// The namespace; `None` for objects of the whole cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object inside a namespace.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// An object of the whole cluster.
    pub fn cluster(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// The reference that `object` carries in its own metadata; `None` when `apiVersion`, `kind`
    /// or `metadata.name` is missing. The namespace is taken as written, so an object that relies
    /// on a default namespace must have it filled in before.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let metadata = object.get("metadata")?;
        Some(Self {
            api_version: object.get("apiVersion").and_then(text)?,
            kind: object.get("kind").and_then(text)?,
            namespace: metadata.get("namespace").and_then(text),
            name: metadata.get("name").and_then(text)?,
        })
    }

    /// The group without the version: `apps`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version without the group: `v1`.
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// Whether both name the same stored object whatever the version they are read in.
    pub fn same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectRef {
    /// `apps/v1 Deployment kube-system/coredns`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.api_version, self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_is_read_from_an_object_and_prints_with_its_namespace() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "speaker", "namespace": "lb"}});
        let reference = ObjectRef::of(&object).expect("the object is complete");
        assert_eq!(reference.to_string(), "apps/v1 Deployment lb/speaker");
        assert_eq!((reference.group(), reference.version()), ("apps", "v1"));
        assert_eq!(ObjectRef::of(&json!({"kind": "Pod"})), None);
    }

    #[test]
    fn the_same_object_in_another_version_is_the_same_object() {
        let v1 = ObjectRef::namespaced("autoscaling/v1", "HorizontalPodAutoscaler", "a", "x");
        let v2 = ObjectRef::namespaced("autoscaling/v2", "HorizontalPodAutoscaler", "a", "x");
        assert!(v1.same_object(&v2));
        assert!(!v1.same_object(&ObjectRef::namespaced(
            "v1",
            "HorizontalPodAutoscaler",
            "a",
            "x"
        )));
    }
}
