//! Comparing a configuration that a node holds with the one that it should hold.
//!
//! Text may differ without meaning: another program wrote it, sorted maps, left out what is empty.
//! Answers name paths only, never values.

use std::collections::BTreeMap;

use super::MachineConfig;
use super::document::Identity;
use crate::yaml::{Map, Yaml};

impl MachineConfig {
    /// Paths at which this configuration and `other` mean something else, sorted:
    /// `machine.kubelet.extraConfig.maxPods`, `LinkConfig/net0: addresses`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let left = by_identity(&self.documents);
        let right = by_identity(&other.documents);
        let mut paths = Vec::new();
        for (identity, document) in &left {
            match right.get(identity) {
                Some(counterpart) => {
                    let prefix = if identity.kind.is_empty() {
                        String::new()
                    } else {
                        format!("{identity}: ")
                    };
                    map_differences(&prefix, document, counterpart, &mut paths);
                }
                None => paths.push(identity.to_string()),
            }
        }
        let added = right
            .keys()
            .filter(|identity| !left.contains_key(identity))
            .map(ToString::to_string);
        paths.extend(added);
        paths.sort();
        paths.dedup();
        paths
    }
}

fn by_identity(documents: &[Map]) -> BTreeMap<Identity, &Map> {
    documents
        .iter()
        .map(|document| (Identity::of(document), document))
        .collect()
}

fn map_differences(prefix: &str, left: &Map, right: &Map, paths: &mut Vec<String>) {
    for (key, value) in left.iter() {
        difference(
            &format!("{prefix}{key}"),
            Some(value),
            right.get(key),
            paths,
        );
    }
    for (key, value) in right.iter().filter(|(key, _)| left.get(key).is_none()) {
        difference(&format!("{prefix}{key}"), None, Some(value), paths);
    }
}

fn difference(path: &str, left: Option<&Yaml>, right: Option<&Yaml>, paths: &mut Vec<String>) {
    let left = left.filter(|value| !is_void(value));
    let right = right.filter(|value| !is_void(value));
    match (left, right) {
        (None, None) => {}
        (Some(Yaml::Map(left)), Some(Yaml::Map(right))) => {
            map_differences(&format!("{path}."), left, right, paths);
        }
        (Some(Yaml::List(left)), Some(Yaml::List(right))) if left.len() == right.len() => {
            let mut inside = Vec::new();
            for (left, right) in left.iter().zip(right) {
                difference(path, Some(left), Some(right), &mut inside);
            }
            if !inside.is_empty() {
                paths.push(path.to_owned());
            }
        }
        (Some(left), Some(right)) if same_scalar(left, right) => {}
        _ => paths.push(path.to_owned()),
    }
}

/// Nothing, or a mapping or list of nothing: leaving it out means the same.
fn is_void(value: &Yaml) -> bool {
    match value {
        Yaml::Null => true,
        Yaml::Map(map) => map.iter().all(|(_, value)| is_void(value)),
        Yaml::List(items) => items.is_empty(),
        _ => false,
    }
}

fn same_scalar(left: &Yaml, right: &Yaml) -> bool {
    match (left, right) {
        (Yaml::Text(left), Yaml::Text(right)) => {
            left == right
                || matches!((seconds(left), seconds(right)), (Some(left), Some(right)) if left == right)
        }
        // A typed reader takes `110` and `"110"` for the same where it expects text.
        (Yaml::Number(number), Yaml::Text(text)) | (Yaml::Text(text), Yaml::Number(number)) => {
            number == text
        }
        _ => left == right,
    }
}

/// A duration as Go writes it, `168h0m0s`, in seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let factor = match unit {
            'h' => 3600,
            'm' if !rest[digits..].starts_with("ms") => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}
