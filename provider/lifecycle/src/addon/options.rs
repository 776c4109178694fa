//! How a release is handled: what changes nothing in the cluster by itself.

use helm::release::{FieldPath, Ignored, Theirs};
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
    /// Paths as in `drift`, with everything below them: `.spec.replicas`. An upgrade leaves them as they are. Empty: the
    /// objects as a whole are not compared.
    pub fields: Vec<String>,
}

/// Selects objects: everything that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// The API group; the empty text is the core group.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
}

impl DriftRules {
    /// What is somebody else's, in the words of releases. Paths that are none have been told before and are left out.
    pub fn theirs(&self) -> Theirs {
        let ignored = |rule: &IgnoredFields| {
            let fields: Vec<FieldPath> = rule
                .fields
                .iter()
                .filter_map(|field| FieldPath::parse(field))
                .collect();
            // Without its broken fields a rule would speak of whole objects.
            (fields.len() == rule.fields.len()).then(|| Ignored {
                group: rule.target.group.clone(),
                kind: rule.target.kind.clone(),
                name: rule.target.name.clone(),
                namespace: rule.target.namespace.clone(),
                fields,
            })
        };
        Theirs {
            ignored: self.ignore.iter().filter_map(ignored).collect(),
            managers: self.ignore_managers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_those_of_releases() {
        let rule = |fields: &[&str]| IgnoredFields {
            target: Target {
                kind: Some("Deployment".into()),
                ..Target::default()
            },
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let rules = DriftRules {
            ignore: vec![
                rule(&[".spec.replicas", "/spec/paused"]),
                rule(&["spec"]),
                rule(&[]),
            ],
            ignore_managers: vec!["mine".into()],
            ..DriftRules::default()
        };
        let theirs = rules.theirs();
        assert_eq!(theirs.managers, ["mine"]);
        let fields: Vec<usize> = theirs
            .ignored
            .iter()
            .map(|rule| rule.fields.len())
            .collect();
        assert_eq!(fields, [2, 0], "a path that is none makes no rule");
    }
}
