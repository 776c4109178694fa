//! Which objects a patch changes.

use std::fmt;

use regex::Regex;
use serde_json::Value;

use super::Error;

/// Selects objects; what is not said selects all. Texts are regular expressions for the whole of what
/// they are compared with, as kustomize takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    group: Option<String>,
    version: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    labels: Option<String>,
    annotations: Option<String>,
}

impl Target {
    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The version inside the group.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// A label selector: `app=web,tier!=db,env in (a,b),env notin (c),canary,!old`.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// The same for annotations.
    #[must_use]
    pub fn annotations(mut self, selector: impl Into<String>) -> Self {
        self.annotations = Some(selector.into());
        self
    }

    pub(super) fn matcher(&self, patch: usize, namespace: &str) -> Result<Matcher, Error> {
        let wrong = |reason: String| Error::Target { patch, reason };
        let anchored = |text: &Option<String>| {
            text.as_ref()
                .map(|text| Regex::new(&format!("^(?:{text})$")))
                .transpose()
                .map_err(|_| wrong("no regular expression".to_owned()))
        };
        let selector = |text: &Option<String>| {
            text.as_deref()
                .map_or(Ok(Vec::new()), requirements)
                .map_err(wrong)
        };
        Ok(Matcher {
            group: anchored(&self.group)?,
            version: anchored(&self.version)?,
            kind: anchored(&self.kind)?,
            name: anchored(&self.name)?,
            namespace: anchored(&self.namespace)?,
            labels: selector(&self.labels)?,
            annotations: selector(&self.annotations)?,
            default_namespace: namespace.to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            ("group", &self.group),
            ("version", &self.version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("labels", &self.labels),
            ("annotations", &self.annotations),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value:?}")))
        .collect();
        if parts.is_empty() {
            return f.write_str("any object");
        }
        f.write_str(&parts.join(", "))
    }
}

/// A selector, read.
pub(super) struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
    default_namespace: String,
}

impl Matcher {
    pub(super) fn selects(&self, object: &Value) -> bool {
        let text = |pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default()
        };
        let api = text("/apiVersion");
        let (group, version) = api.split_once('/').unwrap_or(("", api));
        let namespace = match text("/metadata/namespace") {
            "" => &self.default_namespace,
            own => own,
        };
        let fits = |wanted: &Option<Regex>, seen: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.is_match(seen))
        };
        let table = |name: &str| object["metadata"].get(name);
        fits(&self.group, group)
            && fits(&self.version, version)
            && fits(&self.kind, text("/kind"))
            && fits(&self.name, text("/metadata/name"))
            && fits(&self.namespace, namespace)
            && self.labels.iter().all(|one| one.holds(table("labels")))
            && self
                .annotations
                .iter()
                .all(|one| one.holds(table("annotations")))
    }
}

/// One condition of a label selector.
#[derive(Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Requirement {
    fn holds(&self, table: Option<&Value>) -> bool {
        let get = |key: &str| {
            table
                .and_then(|table| table.get(key))
                .and_then(Value::as_str)
        };
        match self {
            Self::Exists(key) => get(key).is_some(),
            Self::Missing(key) => get(key).is_none(),
            Self::In(key, values) => {
                get(key).is_some_and(|own| values.iter().any(|value| value == own))
            }
            Self::NotIn(key, values) => {
                get(key).is_none_or(|own| !values.iter().any(|value| value == own))
            }
        }
    }
}

fn requirements(selector: &str) -> Result<Vec<Requirement>, String> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, c) in selector.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&selector[start..]);
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(requirement)
        .collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let wrong = || format!("{part:?} is no condition of a label selector");
    let set = |text: &str| -> Option<Vec<String>> {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(
            inner
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        )
    };
    let key = |text: &str| {
        let key = text.trim();
        let sound =
            !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || "=!(),".contains(c));
        sound.then(|| key.to_owned()).ok_or_else(wrong)
    };
    if let Some((name, values)) = part.split_once(" notin ") {
        return Ok(Requirement::NotIn(
            key(name)?,
            set(values).ok_or_else(wrong)?,
        ));
    }
    if let Some((name, values)) = part.split_once(" in ") {
        return Ok(Requirement::In(key(name)?, set(values).ok_or_else(wrong)?));
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(
            key(name)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(name)?, vec![value.trim().to_owned()]));
    }
    match part.strip_prefix('!') {
        Some(name) => Ok(Requirement::Missing(key(name)?)),
        None => Ok(Requirement::Exists(key(part)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_anchored_and_namespaces_have_a_default() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web-api", "labels": {"app": "web", "tier": "front"}}});
        let select = |target: Target| target.matcher(0, "prod").map(|m| m.selects(&object));
        for (target, expected) in [
            (Target::default(), true),
            (Target::default().kind("Deploy"), false),
            (Target::default().kind("Deploy.*").name("web|web-api"), true),
            (Target::default().group("apps").version("v1"), true),
            (Target::default().group(""), false),
            (Target::default().namespace("prod"), true),
            (Target::default().namespace("default"), false),
            (
                Target::default().labels("app=web, tier in (front, back), !old"),
                true,
            ),
            (
                Target::default().labels("app==web,tier notin (front)"),
                false,
            ),
            (Target::default().labels("app!=db,tier"), true),
            (Target::default().annotations("x"), false),
        ] {
            assert_eq!(select(target.clone()), Ok(expected), "{target}");
        }
        assert!(select(Target::default().name("(")).is_err());
        assert!(select(Target::default().labels("a b")).is_err());
    }
}
