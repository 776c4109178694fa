//! What state keeps of a release: names, versions and hashes, never a value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::objects::parse;
use super::{Release, Status};
use crate::render::Rendered;

/// A release in a few lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The revision.
    pub revision: u32,
    /// Where it stands.
    pub status: Status,
    /// The chart's name.
    pub chart: String,
    /// The chart's version.
    pub version: String,
    /// The version of the software inside.
    pub app_version: String,
    /// [`crate::Chart::digest`]; records do not keep it, so it is known only right after a
    /// deployment.
    pub chart_digest: Option<String>,
    /// [`hash_manifest`] of objects and hooks.
    pub manifest_hash: String,
    /// [`hash_values`] of the user's values.
    pub values_hash: String,
    /// The record's labels besides Helm's own.
    pub labels: BTreeMap<String, String>,
}

impl Summary {
    /// Sums a revision up.
    pub fn of(release: &Release) -> Self {
        let metadata = &release.chart.metadata;
        let digest = release.chart.digest();
        let hooks = release.hooks.iter().map(|hook| hook.manifest.as_str());
        Self {
            revision: release.revision,
            status: release.info.status.clone(),
            chart: metadata.name.clone(),
            version: metadata.version.clone(),
            app_version: metadata.app_version.clone(),
            chart_digest: (!digest.is_empty()).then(|| digest.to_owned()),
            manifest_hash: hash_manifest(&release.manifest, hooks),
            values_hash: hash_values(&release.config),
            labels: release.labels.clone(),
        }
    }

    /// The hash that a rendering will have once it is deployed.
    pub fn hash_of(rendered: &Rendered) -> String {
        let hooks = rendered.hooks.iter().map(|hook| hook.manifest.as_str());
        hash_manifest(&rendered.manifest(), hooks)
    }
}

/// SHA-256, in hex, of the objects of a manifest and of hooks: of what they say, not of how it is
/// written. The data of Secrets is left out, its keys are not: a generated password is no change of
/// the release, and a hash of a guessable secret would give it away.
pub fn hash_manifest<'a>(manifest: &str, hooks: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        let Ok(objects) = parse(text) else {
            hash.update(text);
            return;
        };
        for mut object in objects {
            mask(&mut object);
            hash.update(canonical(&object));
            hash.update(b"\n");
        }
    };
    add(manifest);
    let mut hooks: Vec<&str> = hooks.collect();
    hooks.sort_unstable();
    hooks.into_iter().for_each(&mut add);
    hex::encode(hash.finalize())
}

/// SHA-256, in hex, of values. Give it no secrets: small ones could be guessed from it.
pub fn hash_values(values: &Map<String, Value>) -> String {
    let tree = crate::render::from_yaml_numbers(Value::Object(values.clone()));
    hex::encode(Sha256::digest(canonical(&tree)))
}

fn mask(object: &mut Value) {
    if object["kind"] != "Secret" || object["apiVersion"] != "v1" {
        return;
    }
    for table in ["data", "stringData"] {
        if let Some(Value::Object(data)) = object.get_mut(table) {
            data.values_mut().for_each(|value| *value = Value::Null);
        }
    }
}

/// JSON with sorted keys, whatever order the maps keep.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            let parts: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", parts.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_hash_by_meaning() {
        let map = |value: Value| match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let one = hash_values(&map(json!({"b": 1.0, "a": [2]})));
        assert_eq!(one, hash_values(&map(json!({"a": [2.0], "b": 1}))));
        assert_ne!(one, hash_values(&map(json!({"a": [2.0], "b": "1"}))));
    }
}
