//! How two previews differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::lists::pair;
use super::noise::{self, At, says_nothing};
use super::shown::{ChangeKind, Diff, LeafChange, ObjectChange, Role, Shown};
use super::{Entry, Node, Preview};
use crate::release::RESOURCE_POLICY;

/// What happens when a release as `old` shows it becomes one as `new` shows it. Without `old` it is
/// installed, without `new` removed. Empty when both come from equal inputs.
pub fn diff(old: Option<&Preview>, new: Option<&Preview>) -> Diff {
    let mut diff = Diff::default();
    if let (Some(old), Some(new)) = (old, new)
        && old.fingerprint == new.fingerprint
    {
        return diff;
    }
    diff.unsettled = [new, old]
        .into_iter()
        .flatten()
        .find_map(|preview| preview.unsettled.clone());
    let open: BTreeSet<&String> = [old, new]
        .into_iter()
        .flatten()
        .filter_map(|preview| preview.unsettled.as_ref())
        .flat_map(|unsettled| &unsettled.templates)
        .collect();
    let nothing = BTreeMap::new();
    let before = old.map_or(&nothing, |preview| &preview.objects);
    let after = new.map_or(&nothing, |preview| &preview.objects);
    // Nothing at all is known of a preview that is open and names no template.
    let blank = |preview: Option<&Preview>| {
        preview
            .and_then(|preview| preview.unsettled.as_ref())
            .is_some_and(|unsettled| unsettled.templates.is_empty())
    };
    if blank(old) || blank(new) {
        return diff;
    }
    let secret_changed = match (old, new) {
        (Some(old), Some(new)) => old.secret_version != new.secret_version,
        _ => true,
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (before, after) = (before.get(key), after.get(key));
        let Some(entry) = after.or(before) else {
            continue;
        };
        let unclear = open.contains(&entry.path)
            || before.is_some_and(|entry| entry.uncertain)
            || after.is_some_and(|entry| entry.uncertain);
        let mut walk = Walk {
            kind: &entry.kind,
            secret_changed,
            leaves: Vec::new(),
            noise: false,
            restarts: false,
        };
        let kind = match (before, after) {
            (None, Some(after)) => {
                walk.whole(&after.node, &mut Vec::new());
                ChangeKind::Added
            }
            (Some(before), None) if keeps(before) => ChangeKind::Kept,
            (Some(_), None) => ChangeKind::Removed,
            (Some(before), Some(after)) => {
                walk.compare(&before.node, &after.node, &mut Vec::new());
                ChangeKind::Changed
            }
            (None, None) => continue,
        };
        if kind == ChangeKind::Changed
            && !unclear
            && walk.leaves.is_empty()
            && !walk.checksum_only()
        {
            diff.relabelled += usize::from(walk.noise);
            continue;
        }
        walk.leaves.sort_by(|a, b| a.path.cmp(&b.path));
        diff.objects.insert(
            key.clone(),
            ObjectChange {
                role: entry.role,
                kind: if unclear { ChangeKind::Unknown } else { kind },
                template: entry.path.clone(),
                leaves: walk.leaves,
                restarts: walk.restarts && kind == ChangeKind::Changed,
            },
        );
    }
    diff
}

/// Whether the object stays when it leaves the release.
fn keeps(entry: &Entry) -> bool {
    if entry.role == Role::Crd {
        return true;
    }
    let member = |node: &Node, key: &str| match node {
        Node::Map(map) => map.get(key).cloned(),
        _ => None,
    };
    let policy = member(&entry.node, "metadata")
        .and_then(|metadata| member(&metadata, "annotations"))
        .and_then(|annotations| member(&annotations, RESOURCE_POLICY));
    matches!(policy, Some(Node::Leaf(Value::String(policy))) if policy.trim().eq_ignore_ascii_case("keep"))
}

struct Walk<'a> {
    kind: &'a str,
    secret_changed: bool,
    leaves: Vec<LeafChange>,
    /// Something differed that is not listed.
    noise: bool,
    restarts: bool,
}

impl Walk<'_> {
    /// A checksum differs and with it the pods, though nothing else here does.
    const fn checksum_only(&self) -> bool {
        self.noise && self.restarts
    }

    fn compare(&mut self, old: &Node, new: &Node, path: &mut Vec<At>) {
        match (old, new) {
            (Node::Map(old), Node::Map(new)) => {
                let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for key in keys {
                    path.push(At::Key(key.clone()));
                    match (old.get(key), new.get(key)) {
                        (Some(old), Some(new)) => self.compare(old, new, path),
                        (None, Some(node)) if !says_nothing(key, node) => self.whole(node, path),
                        (Some(node), None) if !says_nothing(key, node) => self.gone(node, path),
                        _ => {}
                    }
                    path.pop();
                }
            }
            (Node::List(old), Node::List(new)) => {
                for (label, old, new) in pair(old, new) {
                    path.push(At::Element(label));
                    match (old, new) {
                        (Some(old), Some(new)) => self.compare(old, new, path),
                        (None, Some(new)) => self.whole(new, path),
                        (Some(old), None) => self.gone(old, path),
                        (None, None) => {}
                    }
                    path.pop();
                }
            }
            (Node::Leaf(old), Node::Leaf(new)) if same(old, new) => {}
            (Node::Masked(Some(old)), Node::Masked(Some(new))) if old == new => {}
            (Node::Masked(None), Node::Masked(None)) if !self.secret_changed => {}
            (old, new) => self.leaf(show(old), show(new), path),
        }
    }

    /// Everything of a part that is new.
    fn whole(&mut self, node: &Node, path: &mut Vec<At>) {
        self.each(node, path, &mut |walk, node, path| {
            walk.leaf(Shown::Absent, show(node), path);
        });
    }

    /// Everything of a part that is gone.
    fn gone(&mut self, node: &Node, path: &mut Vec<At>) {
        self.each(node, path, &mut |walk, node, path| {
            walk.leaf(show(node), Shown::Absent, path);
        });
    }

    fn each(
        &mut self,
        node: &Node,
        path: &mut Vec<At>,
        leaf: &mut dyn FnMut(&mut Self, &Node, &mut Vec<At>),
    ) {
        match node {
            Node::Map(map) if !map.is_empty() => {
                for (key, node) in map {
                    if !says_nothing(key, node) {
                        path.push(At::Key(key.clone()));
                        self.each(node, path, leaf);
                        path.pop();
                    }
                }
            }
            Node::List(items) if !items.is_empty() => {
                for (label, node, _) in pair(items, &[]) {
                    if let Some(node) = node {
                        path.push(At::Element(label));
                        self.each(node, path, leaf);
                        path.pop();
                    }
                }
            }
            other => leaf(self, other, path),
        }
    }

    fn leaf(&mut self, old: Shown, new: Shown, path: &[At]) {
        self.restarts |= noise::restarts(self.kind, path);
        if noise::is_version_label(path) || noise::is_checksum(path) {
            self.noise = true;
            return;
        }
        let path = print(path);
        self.leaves.push(LeafChange {
            immutable: noise::immutable(self.kind, &path) && old != Shown::Absent,
            path,
            old,
            new,
        });
    }
}

fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => old.as_f64() == new.as_f64(),
        _ => old == new,
    }
}

fn show(node: &Node) -> Shown {
    match node {
        Node::Leaf(value) => Shown::Known(value.clone()),
        Node::Unknown => Shown::Unknown,
        Node::Masked(_) => Shown::Masked,
        Node::Map(_) | Node::List(_) => Shown::of(node),
    }
}

impl Shown {
    /// A whole part: known when all of it is.
    fn of(node: &Node) -> Self {
        match node {
            Node::Leaf(value) => Self::Known(value.clone()),
            Node::Unknown => Self::Unknown,
            Node::Masked(_) => Self::Masked,
            Node::Map(map) => Self::gather(
                map.iter()
                    .map(|(key, node)| (Some(key.clone()), Self::of(node))),
                Value::Object(<_>::default()),
            ),
            Node::List(items) => Self::gather(
                items.iter().map(|node| (None, Self::of(node))),
                Value::Array(Vec::new()),
            ),
        }
    }

    fn gather(parts: impl Iterator<Item = (Option<String>, Self)>, mut whole: Value) -> Self {
        let mut masked = false;
        for (key, part) in parts {
            match (part, &mut whole, key) {
                (Self::Unknown, ..) => return Self::Unknown,
                (Self::Masked, ..) => masked = true,
                (Self::Known(value), Value::Object(map), Some(key)) => {
                    map.insert(key, value);
                }
                (Self::Known(value), Value::Array(items), _) => items.push(value),
                _ => {}
            }
        }
        if masked {
            Self::Masked
        } else {
            Self::Known(whole)
        }
    }
}

fn print(path: &[At]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut text = String::new();
    for step in path {
        match step {
            At::Key(key) if !key.is_empty() && key.chars().all(plain) => {
                text.push('.');
                text.push_str(key);
            }
            At::Key(key) => {
                let _ = write!(text, "[{key:?}]");
            }
            At::Element(label) => {
                let _ = write!(text, "[{label}]");
            }
        }
    }
    text
}
