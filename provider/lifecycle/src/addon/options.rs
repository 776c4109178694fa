//! How a release is handled: what changes nothing in the cluster by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How operations on a release behave. None of it is part of the add-on's fingerprint, except for the CRDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of helm's own, and they combine freely"
)]
pub struct ReleaseOptions {
    /// Waits for jobs to be complete, not only started.
    pub wait_for_jobs: bool,
    /// Whether hooks run.
    pub hooks: bool,
    /// After a failure: back to the last good revision, or gone if there is none.
    pub atomic: bool,
    /// After a failure: deletes the objects that the operation created.
    pub cleanup_on_fail: bool,
    /// Deletes and creates objects whose change the API refuses for an immutable field.
    pub force_update: bool,
    /// Takes over objects that exist without the release's marks.
    pub take_ownership: bool,
    /// Makes the namespace when it is missing.
    pub create_namespace: bool,
    /// Leaves `values.schema.json` alone.
    pub skip_schema_validation: bool,
    /// Revisions kept; 0 for all.
    pub max_history: u32,
    /// The revision's description instead of Helm's sentence.
    pub description: Option<String>,
    /// What happens to the CRDs of the chart's `crds/` folder.
    pub crds: CrdRules,
}

impl Default for ReleaseOptions {
    fn default() -> Self {
        Self {
            wait_for_jobs: false,
            hooks: true,
            atomic: false,
            cleanup_on_fail: false,
            force_update: false,
            take_ownership: false,
            create_namespace: true,
            skip_schema_validation: false,
            max_history: 10,
            description: None,
            crds: CrdRules::default(),
        }
    }
}

/// What happens to the CRDs of a chart's `crds/` folder. Those among its templates are objects like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrdRules {
    /// Missing ones are created.
    pub install: bool,
    /// Existing ones are brought to the chart's version, which Helm never does.
    pub upgrade: bool,
    /// They stay, with all objects of their kinds, when the add-on is destroyed.
    pub keep: bool,
}

impl Default for CrdRules {
    fn default() -> Self {
        Self {
            install: true,
            upgrade: true,
            keep: true,
        }
    }
}

/// What counts as drift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftRules {
    /// Whether live objects are compared at all.
    pub detect: bool,
    /// Whether an apply puts back what was found.
    pub repair: bool,
    /// Fields that are somebody else's.
    pub ignore: Vec<IgnoredFields>,
    /// Field managers whose changes are wanted.
    pub ignore_managers: Vec<String>,
}

impl Default for DriftRules {
    fn default() -> Self {
        Self {
            detect: true,
            repair: true,
            ignore: Vec::new(),
            ignore_managers: Vec::new(),
        }
    }
}

/// Fields of some objects that are somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredFields {
    /// Which objects; all of them when nothing is said.
    pub target: Target,
    /// Paths as in `drift`, with everything below them: `.spec.replicas`. Empty: the objects as a whole.
    pub fields: Vec<String>,
}

/// Selects objects: everything that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// The API group; the empty text is the core group.
    pub group: Option<String>,
    /// The version of the group.
    pub version: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The namespace, where the object names one or else the release's.
    pub namespace: Option<String>,
    /// Labels that the object has.
    pub labels: BTreeMap<String, String>,
}

impl Target {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an object of a release in `release_namespace` is meant.
    pub fn selects(&self, object: &serde_json::Value, release_namespace: &str) -> bool {
        let text = |path: &str| object.pointer(path).and_then(serde_json::Value::as_str);
        let (group, version) = split(text("/apiVersion").unwrap_or_default());
        let is = |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|w| w == seen);
        is(&self.group, group)
            && is(&self.version, version)
            && is(&self.kind, text("/kind").unwrap_or_default())
            && is(&self.name, text("/metadata/name").unwrap_or_default())
            && is(
                &self.namespace,
                text("/metadata/namespace").unwrap_or(release_namespace),
            )
            && self.labels.iter().all(|(key, value)| {
                object
                    .pointer("/metadata/labels")
                    .and_then(|labels| labels.get(key)?.as_str())
                    == Some(value)
            })
    }

    /// Whether an object is meant, by its reference alone: labels are left out.
    pub fn names(&self, object: &helm::ObjectRef) -> bool {
        let is = |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|w| w == seen);
        is(&self.group, object.group())
            && is(&self.version, object.version())
            && is(&self.kind, &object.kind)
            && is(&self.name, &object.name)
            && is(
                &self.namespace,
                object.namespace.as_deref().unwrap_or_default(),
            )
    }
}

fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl DriftRules {
    /// Whether a field of an object is left alone.
    pub fn ignores(&self, object: &helm::ObjectRef, field: &str) -> bool {
        self.ignore.iter().any(|rule| {
            rule.target.names(object)
                && (rule.fields.is_empty()
                    || rule.fields.iter().any(|ignored| {
                        field
                            .strip_prefix(dotted(ignored).as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                    }))
        })
    }

    /// Whether an object is left alone as a whole.
    pub fn ignores_object(&self, object: &helm::ObjectRef) -> bool {
        self.ignore
            .iter()
            .any(|rule| rule.fields.is_empty() && rule.target.names(object))
    }
}

/// A path as `drift` shows it; JSON pointers are taken too, as Argo CD and Flux write them.
pub fn dotted(path: &str) -> String {
    let Some(pointer) = path.strip_prefix('/') else {
        return path.to_owned();
    };
    pointer.split('/').fold(String::new(), |text, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) {
            format!("{text}[{step}]")
        } else if !step.is_empty() && step.chars().all(plain) {
            format!("{text}.{step}")
        } else {
            format!("{text}[{step:?}]")
        }
    })
}

#[cfg(test)]
mod tests {
    use helm::ObjectRef;
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_said_must_hold() {
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web"}}});
        let target = |change: fn(&mut Target)| {
            let mut target = Target::default();
            change(&mut target);
            target.selects(&web, "shop")
        };
        assert!(target(|_| ()));
        assert!(target(|t| t.kind = Some("Deployment".into())));
        assert!(!target(|t| t.kind = Some("Service".into())));
        assert!(target(|t| t.group = Some("apps".into())));
        assert!(!target(|t| t.group = Some(String::new())));
        assert!(target(|t| t.namespace = Some("shop".into())));
        assert!(!target(|t| t.namespace = Some("other".into())));
        assert!(target(|t| {
            t.labels.insert("app".into(), "web".into());
        }));
        assert!(!target(|t| {
            t.labels.insert("app".into(), "db".into());
        }));
    }

    #[test]
    fn ignored_fields_take_what_is_below_them() {
        let rules = DriftRules {
            ignore: vec![IgnoredFields {
                target: Target {
                    kind: Some("Deployment".into()),
                    ..Target::default()
                },
                fields: vec![
                    ".spec.replicas".into(),
                    "/spec/template/metadata/annotations".into(),
                ],
            }],
            ..DriftRules::default()
        };
        let web = ObjectRef::namespaced("apps/v1", "Deployment", "shop", "web");
        let service = ObjectRef::namespaced("v1", "Service", "shop", "web");
        assert!(rules.ignores(&web, ".spec.replicas"));
        assert!(rules.ignores(&web, ".spec.template.metadata.annotations[\"a/b\"]"));
        assert!(!rules.ignores(&web, ".spec.replicasX"));
        assert!(!rules.ignores(&service, ".spec.replicas"));
        assert!(!rules.ignores_object(&web));
    }

    #[test]
    fn pointers_become_the_paths_of_drift() {
        for (pointer, path) in [
            ("/spec/replicas", ".spec.replicas"),
            ("/spec/containers/0/image", ".spec.containers[0].image"),
            (
                "/metadata/annotations/a~1b",
                ".metadata.annotations[\"a/b\"]",
            ),
            (".spec.x", ".spec.x"),
        ] {
            assert_eq!(dotted(pointer), path);
        }
    }
}
