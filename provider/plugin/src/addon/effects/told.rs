//! Changes as short texts: one an object, one line a leaf, few characters in all.

use std::collections::BTreeMap;

use helm::preview::{Diff, ObjectChange, Shown};
use helm::release::Theirs;

/// Characters of the objects that state lists by digest, and what one has beside key and digest; of a chart with more the
/// rest is told as a whole. An instance is to stay below 20 kB (design law 8), and a third of that is the handle's.
const OBJECTS: usize = 6500;
const BESIDE: usize = 7;
/// Objects, leaves of one and characters of a value that a plan shows.
pub(super) const SHOWN: usize = 60;
pub(super) const LEAVES: usize = 12;
pub(super) const WIDTH: usize = 120;
/// Characters of all changes: they are state until the next refresh.
const TEXT: usize = 4500;
/// The key of what is left out.
const MORE: &str = "...";

/// Keeps state small: a chart of very many objects is told as a whole.
pub(super) fn short(digests: BTreeMap<String, (String, bool)>) -> BTreeMap<String, (String, bool)> {
    let size = |key: &str, digest: &str| key.len() + digest.len() + BESIDE;
    let all: usize = digests
        .iter()
        .map(|(key, (digest, _))| size(key, digest))
        .sum();
    if all <= OBJECTS {
        return digests;
    }
    let mut kept = BTreeMap::new();
    let (mut rest, mut certain) = (String::new(), true);
    let (mut length, mut more) = (0, 0);
    for (key, (digest, sure)) in digests {
        length += size(&key, &digest);
        if length <= OBJECTS {
            kept.insert(key, (digest, sure));
        } else {
            more += 1;
            rest.push_str(&key);
            rest.push_str(&digest);
            certain &= sure;
        }
    }
    let text = helm::release::hash_values(&serde_json::Map::from_iter([(
        "rest".to_owned(),
        rest.into(),
    )]));
    kept.insert(
        MORE.to_owned(),
        (format!("{more} more objects, {}", &text[..16]), certain),
    );
    kept
}

pub(super) fn by_digest(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, (String, bool)>,
) -> BTreeMap<String, Option<String>> {
    let new = short(new.clone());
    let mut changes = BTreeMap::new();
    for (key, (digest, certain)) in &new {
        let told = match old.get(key) {
            None => "added",
            Some(seen) if seen == digest && *certain => continue,
            Some(_) => "changed",
        };
        changes.insert(key.clone(), certain.then(|| told.to_owned()));
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        changes.insert(key.clone(), Some("removed".to_owned()));
    }
    changes
}

pub(super) fn texts(found: &Diff, theirs: &Theirs) -> BTreeMap<String, Option<String>> {
    let mut all = BTreeMap::new();
    let mut length = 0;
    for (key, change) in &found.objects {
        let text = told(key, change, theirs);
        length += key.len() + text.as_deref().map_or(0, str::len);
        if all.len() >= SHOWN || length > TEXT {
            break;
        }
        all.insert(key.clone(), text);
    }
    let mut more = Vec::new();
    if found.objects.len() > all.len() {
        more.push(format!("{} more objects", found.objects.len() - all.len()));
    }
    if found.relabelled > 0 {
        more.push(format!(
            "{} objects with only the chart's version changed",
            found.relabelled
        ));
    }
    if !more.is_empty() {
        all.insert(MORE.to_owned(), Some(more.join(", ")));
    }
    all
}

/// One line a leaf; `None` when something of it is known only after the apply.
fn told(key: &str, change: &ObjectChange, theirs: &Theirs) -> Option<String> {
    use helm::preview::{ChangeKind, Role};
    let role = match change.role {
        Role::Object => "",
        Role::Hook => " (hook)",
        Role::Crd => " (definition)",
    };
    if change.kind != ChangeKind::Changed {
        return (change.kind == ChangeKind::Added || !change.is_unknown())
            .then(|| format!("{}{role}", change.kind));
    }
    if change.is_unknown() {
        return None;
    }
    let mut lines = Vec::new();
    if !role.is_empty() {
        lines.push(format!("changed{role}"));
    }
    for leaf in change.leaves.iter().take(LEAVES) {
        let note = if theirs.leaves(key, &leaf.path) {
            " (ignored: it stays as it is)"
        } else if leaf.immutable {
            " (immutable)"
        } else {
            ""
        };
        let (old, new) = (cut(&leaf.old), cut(&leaf.new));
        lines.push(match (&leaf.old, &leaf.new) {
            (Shown::Absent, _) => format!("+ {} = {new}{note}", leaf.path),
            (_, Shown::Absent) => format!("- {} = {old}{note}", leaf.path),
            (Shown::Masked, Shown::Masked) => format!("~ {}: {new} changed{note}", leaf.path),
            _ => format!("~ {}: {old} -> {new}{note}", leaf.path),
        });
    }
    if change.leaves.len() > LEAVES {
        lines.push(format!("{} more fields", change.leaves.len() - LEAVES));
    }
    if change.restarts {
        lines.push("pods restart".to_owned());
    }
    if lines.is_empty() {
        lines.push("changed".to_owned());
    }
    Some(lines.join("\n"))
}

fn cut(shown: &Shown) -> String {
    let text = shown.to_string();
    if text.chars().count() <= WIDTH {
        return text;
    }
    let head: String = text.chars().take(WIDTH - 3).collect();
    format!("{head}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_objects_are_told_in_few_characters() {
        let digest = || ("0123456789abcdef".to_owned(), true);
        let many = |name: &str| -> BTreeMap<String, (String, bool)> {
            (0..400)
                .map(|i| (format!("ConfigMap/shop/{name}-{i:03}"), digest()))
                .collect()
        };
        let one = short(many("configuration-with-a-long-name"));
        let length: usize = one
            .iter()
            .map(|(key, (digest, _))| key.len() + digest.len() + BESIDE)
            .sum();
        assert!(length < OBJECTS + 100, "{length}");
        assert!(one[MORE].0.contains(" more objects, "), "{:?}", one[MORE]);
        // Which ones they are is part of what is told.
        let mut other = many("configuration-with-a-long-name");
        let last = other.pop_last().expect("one");
        other.insert(format!("{}x", last.0), last.1);
        assert_ne!(short(other)[MORE], one[MORE]);
        let few: BTreeMap<_, _> = many("few").into_iter().take(100).collect();
        assert_eq!(short(few.clone()), few);
    }
}
