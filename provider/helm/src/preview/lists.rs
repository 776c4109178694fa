//! Which elements of two lists belong together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Node;

/// Fields that tell elements apart, best first.
const KEYS: &[&str] = &[
    "name",
    "mountPath",
    "containerPort",
    "port",
    "topologyKey",
    "key",
    "path",
    "host",
    "ip",
    "type",
];

/// Elements of two lists side by side, with the text inside the brackets of their path.
pub(super) type Pairs<'a> = Vec<(String, Option<&'a Node>, Option<&'a Node>)>;

pub(super) fn pair<'a>(old: &'a [Node], new: &'a [Node]) -> Pairs<'a> {
    if let Some(key) = KEYS
        .iter()
        .find(|key| tells_apart(old, key) && tells_apart(new, key))
    {
        return by_key(old, new, key);
    }
    let scalars = |list: &[Node]| {
        list.iter()
            .all(|node| matches!(node, Node::Leaf(value) if !value.is_null()))
    };
    if old.len() != new.len() && scalars(old) && scalars(new) {
        return by_value(old, new);
    }
    (0..old.len().max(new.len()))
        .map(|index| (index.to_string(), old.get(index), new.get(index)))
        .collect()
}

fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Value> {
    match node {
        Node::Map(map) => match map.get(key)? {
            Node::Leaf(value) if value.is_string() || value.is_number() => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn tells_apart(list: &[Node], key: &str) -> bool {
    let seen: BTreeSet<String> = list
        .iter()
        .filter_map(|node| field(node, key))
        .map(Value::to_string)
        .collect();
    seen.len() == list.len()
}

fn by_key<'a>(old: &'a [Node], new: &'a [Node], key: &str) -> Pairs<'a> {
    let label = |node: &Node| format!("{key}={}", field(node, key).unwrap_or(&Value::Null));
    let mut pairs: Pairs<'a> = old
        .iter()
        .map(|element| {
            let twin = new
                .iter()
                .find(|other| field(other, key) == field(element, key));
            (label(element), Some(element), twin)
        })
        .collect();
    for element in new {
        if !old
            .iter()
            .any(|other| field(other, key) == field(element, key))
        {
            pairs.push((label(element), None, Some(element)));
        }
    }
    pairs
}

/// Lists of texts or numbers of different lengths: what is only in one of them.
fn by_value<'a>(old: &'a [Node], new: &'a [Node]) -> Pairs<'a> {
    let mut rest: Vec<&Node> = new.iter().collect();
    let mut pairs = Vec::new();
    for (index, element) in old.iter().enumerate() {
        match rest.iter().position(|other| *other == element) {
            Some(at) => {
                rest.remove(at);
            }
            None => pairs.push((index.to_string(), Some(element), None)),
        }
    }
    for element in rest {
        let index = new
            .iter()
            .position(|other| std::ptr::eq(other, element))
            .unwrap_or_default();
        pairs.push((index.to_string(), None, Some(element)));
    }
    pairs
}
