//! Strategic merge (Talos docs, "Configuration patches").
//!
//! Documents match by kind and name, others are added. Texts and numbers replace unless they are
//! empty, booleans always; mappings merge; lists append, except where Talos replaces them or
//! matches their elements by a key. `$patch: delete` removes a key, an element or a document.

use super::document::Identity;
use crate::yaml::{Map, Yaml};

const DIRECTIVE: &str = "$patch";

/// How two values at one place become one.
enum Rule {
    /// Mappings merge, lists append.
    Merge,
    /// The patch's value takes the place.
    Replace,
    /// Elements match when one of these keys is equal in both.
    ByKey(&'static [&'static str]),
}

/// Places with a rule of their own: kind (empty for the main document), path, rule.
const RULES: [(&str, &[&str], Rule); 20] = [
    ("", &["cluster", "network", "podSubnets"], Rule::Replace),
    ("", &["cluster", "network", "serviceSubnets"], Rule::Replace),
    ("", &["cluster", "apiServer", "auditPolicy"], Rule::Replace),
    (
        "",
        &["cluster", "apiServer", "admissionControl"],
        Rule::ByKey(&["name"]),
    ),
    (
        "",
        &["machine", "network", "interfaces"],
        Rule::ByKey(&["interface", "deviceSelector"]),
    ),
    (
        "",
        &["machine", "network", "interfaces", "vlans"],
        Rule::ByKey(&["vlanId"]),
    ),
    ("", &["machine", "baseRuntimeSpecOverrides"], Rule::Replace),
    ("CRIBaseRuntimeSpecConfig", &["overrides"], Rule::Replace),
    (
        "ExtensionServiceConfig",
        &["configFiles"],
        Rule::ByKey(&["mountPath"]),
    ),
    (
        "ImageVerificationConfig",
        &["rules"],
        Rule::ByKey(&["image"]),
    ),
    ("KubeAuditPolicyConfig", &["configuration"], Rule::Replace),
    (
        "KubeAuthenticationConfig",
        &["configuration"],
        Rule::Replace,
    ),
    (
        "KubeCredentialProviderConfig",
        &["configuration"],
        Rule::Replace,
    ),
    ("KubeNetworkConfig", &["podSubnets"], Rule::Replace),
    ("KubeNetworkConfig", &["serviceSubnets"], Rule::Replace),
    ("KubeStaticPodConfig", &["pod"], Rule::Replace),
    ("NetworkRuleConfig", &["ingress"], Rule::Replace),
    (
        "NetworkRuleConfig",
        &["portSelector", "ports"],
        Rule::Replace,
    ),
    ("BGPInstanceConfig", &["neighbors"], Rule::Replace),
    ("BGPInstanceConfig", &["networks"], Rule::Replace),
];

fn rule(kind: &str, path: &[&str]) -> &'static Rule {
    RULES
        .iter()
        .find_map(|(known, place, rule)| (*known == kind && *place == path).then_some(rule))
        .unwrap_or(&Rule::Merge)
}

/// Merges the documents of one patch into a configuration.
pub(super) fn apply(documents: &mut Vec<Map>, patch: &[Map]) {
    for change in patch {
        let identity = Identity::of(change);
        let position = documents
            .iter()
            .position(|document| Identity::of(document) == identity);
        match (position, is_delete(change)) {
            (Some(position), true) => {
                documents.remove(position);
            }
            (None, true) => {}
            (Some(position), false) => {
                merge_map(&mut documents[position], change, &identity.kind, &[]);
            }
            (None, false) => documents.push(without_deletions(change)),
        }
    }
}

fn is_delete(map: &Map) -> bool {
    map.text(DIRECTIVE) == Some("delete")
}

fn merge_map(target: &mut Map, patch: &Map, kind: &str, path: &[&str]) {
    for (key, value) in patch.iter() {
        if key == DIRECTIVE {
            continue;
        }
        if matches!(value, Yaml::Map(map) if is_delete(map)) {
            target.remove(key);
            continue;
        }
        let place: Vec<&str> = path.iter().copied().chain([key]).collect();
        match target.get_mut(key) {
            Some(existing) => merge_value(existing, value, kind, &place),
            None if is_empty(value) => {}
            None => target.set(key, cleaned(value)),
        }
    }
}

fn merge_value(target: &mut Yaml, patch: &Yaml, kind: &str, path: &[&str]) {
    if is_empty(patch) {
        return;
    }
    match (rule(kind, path), &mut *target, patch) {
        (Rule::Replace, _, _) => *target = cleaned(patch),
        (_, Yaml::Map(target), Yaml::Map(patch)) => merge_map(target, patch, kind, path),
        (Rule::Merge, Yaml::List(target), Yaml::List(patch)) => {
            for item in patch {
                match item {
                    Yaml::Map(map) if is_delete(map) => remove_elements(target, map),
                    item => target.push(cleaned(item)),
                }
            }
        }
        (Rule::ByKey(keys), Yaml::List(target), Yaml::List(patch)) => {
            for item in patch {
                merge_element(target, item, keys, kind, path);
            }
        }
        _ => *target = cleaned(patch),
    }
}

fn merge_element(target: &mut Vec<Yaml>, item: &Yaml, keys: &[&str], kind: &str, path: &[&str]) {
    let Yaml::Map(change) = item else {
        target.push(item.clone());
        return;
    };
    if is_delete(change) {
        remove_elements(target, change);
        return;
    }
    let matching = target.iter_mut().find_map(|candidate| match candidate {
        Yaml::Map(map) => keys
            .iter()
            .any(|key| change.get(key).is_some() && map.get(key) == change.get(key))
            .then_some(map),
        _ => None,
    });
    match matching {
        Some(existing) => merge_map(existing, change, kind, path),
        None => target.push(cleaned(item)),
    }
}

/// Removes the elements whose first given key is equal.
fn remove_elements(target: &mut Vec<Yaml>, selector: &Map) {
    let Some((key, value)) = selector.iter().find(|(key, _)| *key != DIRECTIVE) else {
        return;
    };
    target.retain(|candidate| match candidate {
        Yaml::Map(map) => map.get(key) != Some(value),
        _ => true,
    });
}

/// What cannot override: nothing, an empty text, zero, an empty list.
fn is_empty(value: &Yaml) -> bool {
    match value {
        Yaml::Null => true,
        Yaml::Text(text) => text.is_empty(),
        Yaml::Number(number) => number == "0",
        Yaml::List(items) => items.is_empty(),
        Yaml::Bool(_) | Yaml::Map(_) => false,
    }
}

/// A value to be added: directives that delete nothing are left out.
fn cleaned(value: &Yaml) -> Yaml {
    match value {
        Yaml::Map(map) => Yaml::Map(without_deletions(map)),
        Yaml::List(items) => Yaml::List(
            items
                .iter()
                .filter(|item| !matches!(item, Yaml::Map(map) if is_delete(map)))
                .map(cleaned)
                .collect(),
        ),
        other => other.clone(),
    }
}

fn without_deletions(map: &Map) -> Map {
    let mut clean = Map::new();
    for (key, value) in map.iter() {
        if !matches!(value, Yaml::Map(map) if is_delete(map)) {
            clean.set(key, cleaned(value));
        }
    }
    clean
}
