//! Labels and taints of a node: what differs, in words. Pure.

use std::collections::{BTreeMap, BTreeSet};

use product::Taint;

use crate::seen::NodeSeen;

/// How the labels differ: wanted ones that are missing or other, and ours that are wanted no more.
/// Labels of others are nobody's business here.
pub(crate) fn label_difference(
    wanted: &BTreeMap<String, String>,
    node: &NodeSeen,
) -> Option<String> {
    let mut parts = Vec::new();
    for (key, value) in wanted {
        match node.labels.get(key) {
            Some(seen) if seen == value => {}
            Some(seen) => parts.push(format!("{key} is {seen:?}, wanted {value:?}")),
            None => parts.push(format!("{key} is missing, wanted {value:?}")),
        }
    }
    for key in &node.owned_labels {
        if !wanted.contains_key(key) && node.labels.contains_key(key) {
            parts.push(format!("{key} is wanted no more"));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How the taints differ, under the same rules.
pub(crate) fn taint_difference(wanted: &BTreeSet<Taint>, node: &NodeSeen) -> Option<String> {
    let missing = wanted
        .difference(&node.taints)
        .map(|taint| format!("{taint} is missing"));
    let surplus = node
        .owned_taints
        .intersection(&node.taints)
        .filter(|taint| !wanted.contains(taint))
        .map(|taint| format!("{taint} is wanted no more"));
    let parts: Vec<String> = missing.chain(surplus).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_is_removed() {
        let wanted = BTreeMap::from([("team".to_owned(), "core".to_owned())]);
        let node = NodeSeen {
            labels: BTreeMap::from([
                ("team".to_owned(), "core".to_owned()),
                ("old".to_owned(), "ours".to_owned()),
                ("foreign".to_owned(), "theirs".to_owned()),
            ]),
            owned_labels: BTreeSet::from(["team".to_owned(), "old".to_owned()]),
            ..NodeSeen::default()
        };
        assert_eq!(
            label_difference(&wanted, &node).as_deref(),
            Some("old is wanted no more")
        );
    }
}
