//! Patches of what a chart rendered, as they are configured.

use helm::post_render::{JsonPatch, Patch, PostRender, Target as Selector};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One patch of the rendered objects it selects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatchRule {
    /// Which objects and hooks. Nothing said: those that the patch itself names by kind and name.
    pub target: PatchTarget,
    /// An object: strategic merge. A list: JSON patch (RFC 6902).
    pub patch: Value,
}

/// Selects objects as kustomize does: texts are regular expressions for the whole of what they are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchTarget {
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
    /// `app=web,tier!=db`.
    pub label_selector: Option<String>,
    /// The same for annotations.
    pub annotation_selector: Option<String>,
}

impl PatchTarget {
    /// What a strategic patch says of itself.
    fn of(patch: &Value) -> Self {
        let exactly = |path: &str| {
            let text = patch.pointer(path).and_then(Value::as_str)?;
            Some(regex_text(text))
        };
        let api_version = patch.get("apiVersion").and_then(Value::as_str);
        let (group, version) = match api_version.map(|text| text.split_once('/')) {
            None => (None, None),
            Some(Some((group, version))) => (Some(regex_text(group)), Some(regex_text(version))),
            Some(None) => (Some(String::new()), api_version.map(regex_text)),
        };
        Self {
            group,
            version,
            kind: exactly("/kind"),
            name: exactly("/metadata/name"),
            namespace: exactly("/metadata/namespace"),
            label_selector: None,
            annotation_selector: None,
        }
    }

    fn selector(&self) -> Selector {
        let mut selector = Selector::default();
        type Setter = fn(Selector, String) -> Selector;
        let parts: [(&Option<String>, Setter); 7] = [
            (&self.group, |selector, text| selector.group(text)),
            (&self.version, |selector, text| selector.version(text)),
            (&self.kind, |selector, text| selector.kind(text)),
            (&self.name, |selector, text| selector.name(text)),
            (&self.namespace, |selector, text| selector.namespace(text)),
            (&self.label_selector, |selector, text| selector.labels(text)),
            (&self.annotation_selector, |selector, text| {
                selector.annotations(text)
            }),
        ];
        for (text, set) in parts {
            if let Some(text) = text {
                selector = set(selector, text.clone());
            }
        }
        selector
    }
}

/// A name as a regular expression: the dots of names are dots.
fn regex_text(text: &str) -> String {
    text.replace('.', "\\.")
}

impl PatchRule {
    /// The patch as it is run.
    ///
    /// # Errors
    ///
    /// What is no patch, or names no object, in a phrase.
    pub fn patch(&self) -> Result<Patch, String> {
        let nothing_said = self.target == PatchTarget::default();
        match &self.patch {
            Value::Array(_) if nothing_said => {
                Err("a JSON patch does not say which objects it is for: give a target".to_owned())
            }
            Value::Array(_) => {
                let operations = JsonPatch::read(&self.patch)?;
                Ok(Patch::json(self.target.selector(), operations))
            }
            Value::Object(_) => {
                let target = if nothing_said {
                    PatchTarget::of(&self.patch)
                } else {
                    self.target.clone()
                };
                if target == PatchTarget::default() {
                    return Err(
                        "the patch names no object: give a target, or kind and metadata.name in it"
                            .to_owned(),
                    );
                }
                Ok(Patch::strategic(target.selector(), self.patch.clone()))
            }
            _ => Err(
                "a patch is an object (strategic merge) or a list of operations (JSON patch)"
                    .to_owned(),
            ),
        }
    }
}

/// Patches in their order.
///
/// # Errors
///
/// The first that is none: its number from zero, and why.
pub fn post_render(rules: &[PatchRule]) -> Result<PostRender, (usize, String)> {
    rules
        .iter()
        .enumerate()
        .map(|(position, rule)| rule.patch().map_err(|why| (position, why)))
        .collect::<Result<Vec<_>, _>>()
        .map(PostRender::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(target: Value, patch: Value) -> PatchRule {
        PatchRule {
            target: serde_json::from_value(target).expect("a target"),
            patch,
        }
    }

    #[test]
    fn a_patch_without_a_target_is_for_what_it_names() {
        let rules = [rule(
            json!({}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a.b"}, "data": {"x": "2"}}),
        )];
        let object = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}});
        let mut objects = vec![object("a.b"), object("axb")];
        post_render(&rules)
            .expect("a patch")
            .apply_to(&mut objects, "default")
            .expect("it fits");
        assert_eq!(objects[0]["data"], json!({"x": "2"}));
        assert_eq!(objects[1]["data"], json!({}));
    }

    #[test]
    fn what_is_no_patch_is_refused_early() {
        for (target, patch) in [
            (json!({}), json!([])),
            (json!({}), json!({"data": {}})),
            (json!({"kind": "X"}), json!("text")),
            (json!({"kind": "X"}), json!([{"op": "drop", "path": "/"}])),
        ] {
            let rules = [
                rule(json!({"kind": "X"}), json!({"a": 1})),
                rule(target, patch),
            ];
            let (position, why) = post_render(&rules).expect_err("no patch");
            assert_eq!(position, 1, "{why}");
        }
        assert!(serde_json::from_value::<PatchTarget>(json!({"kinds": "X"})).is_err());
    }
}
