//! Differences in the form in which people see them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::Unsettled;

/// What an object is to its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A part of it.
    Object,
    /// A hook.
    Hook,
    /// A file of `crds/`.
    Crd,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is made.
    Added,
    /// It is changed.
    Changed,
    /// It is deleted.
    Removed,
    /// It leaves the release and stays in the cluster (`helm.sh/resource-policy: keep`, CRDs of `crds/`).
    Kept,
    /// Whether it is there in the end is not known.
    Unknown,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Kept => "left in place",
            Self::Unknown => "known after apply",
        })
    }
}

/// A value as far as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// There is none.
    Absent,
    /// The value.
    Known(Value),
    /// Not known before the apply.
    Unknown,
    /// Not to be shown.
    Masked,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("(none)"),
            Self::Known(value) => fmt::Display::fmt(value, f),
            Self::Unknown => f.write_str("(known after apply)"),
            Self::Masked => f.write_str("(sensitive)"),
        }
    }
}

/// One leaf that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafChange {
    /// `.spec.template.spec.containers[name="app"].image`, as drift writes it.
    pub path: String,
    /// Before.
    pub old: Shown,
    /// After.
    pub new: Shown,
    /// The API refuses to change this field on an existing object: it has to be deleted and made again.
    pub immutable: bool,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChange {
    /// What it is to the release.
    pub role: Role,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The template it comes from.
    pub template: String,
    /// The leaves that differ, in the order of their paths. All of a new object's, none of one that goes.
    pub leaves: Vec<LeafChange>,
    /// Its pods are replaced: something of their template differs, noise included.
    pub restarts: bool,
}

impl ObjectChange {
    /// Whether anything of it is not known before the apply. A planned attribute made of this change must
    /// then be unknown as a whole: a value that is not known yet may turn out to be null, or a text that
    /// YAML reads as something else.
    pub fn is_unknown(&self) -> bool {
        self.kind == ChangeKind::Unknown
            || self.leaves.iter().any(|leaf| leaf.new == Shown::Unknown)
    }

    /// The change in one line: `changed: .spec.replicas 1 -> 2, ... 3 more; pods restart`, with at most
    /// `leaves` leaves and `width` characters for each value.
    pub fn line(&self, leaves: usize, width: usize) -> String {
        let mut text = self.kind.to_string();
        if self.kind == ChangeKind::Changed {
            let shown: Vec<String> = self
                .leaves
                .iter()
                .take(leaves)
                .map(|leaf| {
                    let (old, new) = (cut(&leaf.old, width), cut(&leaf.new, width));
                    let note = if leaf.immutable { " (immutable)" } else { "" };
                    format!("{} {old} -> {new}{note}", leaf.path)
                })
                .collect();
            if !shown.is_empty() {
                text = format!("{text}: {}", shown.join(", "));
            }
            if self.leaves.len() > leaves {
                text = format!("{text}, {} more", self.leaves.len() - leaves);
            }
        }
        if self.restarts && self.kind == ChangeKind::Changed {
            text.push_str("; pods restart");
        }
        text
    }
}

fn cut(shown: &Shown, width: usize) -> String {
    let text = shown.to_string();
    if text.chars().count() <= width {
        return text;
    }
    let head: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{head}...")
}

/// How two previews differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The objects that differ, by name: `Kind/namespace/name`.
    pub objects: BTreeMap<String, ObjectChange>,
    /// Objects whose differences are noise alone: the chart's version in their labels.
    pub relabelled: usize,
    /// What is not known about the list of objects. When it is there, `objects` is what is certain, and a
    /// planned attribute made of them must be unknown as a whole.
    pub unsettled: Option<Unsettled>,
}

impl Diff {
    /// Whether nothing differs and nothing is open.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.relabelled == 0 && self.unsettled.is_none()
    }

    /// One line an object ([`ObjectChange::line`]), `None` where it is known only after the apply; at most
    /// `objects` of them, then how many more under the key `...`. Everything is `None` when the list of
    /// objects is not known.
    pub fn compact(
        &self,
        objects: usize,
        leaves: usize,
        width: usize,
    ) -> Option<BTreeMap<String, Option<String>>> {
        if self.unsettled.is_some() {
            return None;
        }
        let mut all: BTreeMap<String, Option<String>> = self
            .objects
            .iter()
            .take(objects)
            .map(|(key, change)| {
                // That an object is made is certain even when something in it is not.
                let known = change.kind == ChangeKind::Added || !change.is_unknown();
                let line = known.then(|| change.line(leaves, width));
                (key.clone(), line)
            })
            .collect();
        if self.objects.len() > objects {
            let more = self.objects.len() - objects;
            all.insert("...".to_owned(), Some(format!("{more} more objects")));
        }
        Some(all)
    }
}
