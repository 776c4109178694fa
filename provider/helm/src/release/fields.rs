//! Paths into objects: as drift shows them, and as people write them.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::managed_fields::Step;

/// A field of an object, with everything below it, as [`super::Deviation::Field`] shows it
/// (`.spec.containers[name="app"].image`, `.metadata.annotations["a/b"]`, `.spec.ports[0]`, `[*]` for every
/// element) or as a JSON pointer (RFC 6901: `/spec/replicas`), which Argo CD and Flux use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    Index(usize),
    Key(String, String),
    Any,
}

impl Part {
    fn takes(&self, step: &Step<'_>) -> bool {
        match (self, step) {
            (Self::Name(name), Step::Field(field)) => name == field,
            (Self::Index(index), Step::Element(position, _)) => index == position,
            // A pointer does not say whether a number is a place or a name.
            (Self::Index(index), Step::Field(field)) => field.parse() == Ok(*index),
            (Self::Key(key, wanted), Step::Element(_, element)) => match element.get(key) {
                Some(Value::String(text)) => text == wanted,
                Some(other) => wanted.parse::<Value>().is_ok_and(|wanted| wanted == *other),
                None => false,
            },
            (Self::Any, Step::Element(..)) => true,
            (Self::Name(_), Step::Element(..)) | (Self::Key(..) | Self::Any, Step::Field(_)) => {
                false
            }
        }
    }
}

impl FieldPath {
    /// Reads a path; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(pointed).collect(),
            None => dotted(text)?,
        };
        (!parts.is_empty()).then(|| Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// Whether `other` is this field or below it, as far as the two texts tell.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.parts.len() <= other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(own, other)| {
                own == other || *own == Part::Any && matches!(other, Part::Index(_) | Part::Key(..))
            })
    }

    /// Whether the field at `path` is this one or below it.
    pub(super) fn covers(&self, path: &[Step<'_>]) -> bool {
        self.parts.len() <= path.len()
            && self
                .parts
                .iter()
                .zip(path)
                .all(|(part, step)| part.takes(step))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn pointed(step: &str) -> Part {
    let step = step.replace("~1", "/").replace("~0", "~");
    match step.parse() {
        Ok(index) => Part::Index(index),
        Err(_) => Part::Name(step),
    }
}

fn dotted(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, next) = after.split_at(end);
            if name.is_empty() || name.contains([']', '"']) {
                return None;
            }
            parts.push(Part::Name(name.to_owned()));
            rest = next;
            continue;
        }
        let inside = rest.strip_prefix('[')?;
        if inside.starts_with('"') {
            let (name, next) = quoted(inside)?;
            parts.push(Part::Name(name));
            rest = next.strip_prefix(']')?;
            continue;
        }
        let end = inside.find([']', '='])?;
        let (word, next) = inside.split_at(end);
        if let Some(value) = next.strip_prefix('=') {
            let (value, next) = quoted(value)?;
            parts.push(Part::Key(word.to_owned(), value));
            rest = next.strip_prefix(']')?;
            continue;
        }
        parts.push(if word == "*" {
            Part::Any
        } else {
            Part::Index(word.parse().ok()?)
        });
        rest = &next[1..];
    }
    Some(parts)
}

/// A text in JSON's quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut texts = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let value = texts.next()?.ok()?;
    let end = texts.byte_offset();
    Some((value, &text[end..]))
}

/// One step as drift shows it.
pub(super) fn field(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        format!(".{name}")
    } else {
        format!("[{name:?}]")
    }
}

/// A path as drift shows it.
pub(super) fn print(path: &[Step<'_>]) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        match step {
            Step::Field(name) => text.push_str(&field(name)),
            Step::Element(index, element) => match name(element) {
                Some(name) => {
                    let _ = write!(text, "[name={name:?}]");
                }
                None => {
                    let _ = write!(text, "[{index}]");
                }
            },
        }
        text
    })
}

fn name(element: &Value) -> Option<&str> {
    element.get("name").and_then(Value::as_str)
}

/// The place in `other` of each element of `list`: by name where all elements have one, by place where both lists are
/// as long. `None` where neither can tell, `Some(None)` for an element that `other` lacks.
pub(super) fn partners(list: &[Value], other: &[Value]) -> Option<Vec<Option<usize>>> {
    let named = |all: &[Value]| {
        let mut names: Vec<&str> = all.iter().filter_map(name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        count == all.len() && names.len() == count
    };
    if named(list) && named(other) {
        let place = |own: &Value| other.iter().position(|other| name(other) == name(own));
        return Some(list.iter().map(place).collect());
    }
    (list.len() == other.len()).then(|| (0..list.len()).map(Some).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_both_kinds_cover_what_is_below_them() {
        let app = json!({"name": "app", "containerPort": 80});
        let annotation = [
            Step::Field("metadata"),
            Step::Field("annotations"),
            Step::Field("a/b"),
        ];
        let image = [
            Step::Field("spec"),
            Step::Field("containers"),
            Step::Element(0, &app),
            Step::Field("image"),
        ];
        for (text, path, expected) in [
            (".metadata.annotations", &annotation[..], true),
            (".metadata.annotations[\"a/b\"]", &annotation, true),
            ("/metadata/annotations/a~1b", &annotation, true),
            ("/metadata/annotations/a~1", &annotation, false),
            (".metadata.annotation", &annotation, false),
            (".spec.containers[name=\"app\"].image", &image, true),
            (".spec.containers[name=\"db\"].image", &image, false),
            (".spec.containers[containerPort=\"80\"]", &image, true),
            (".spec.containers[0].image", &image, true),
            ("/spec/containers/0/image", &image, true),
            ("/spec/containers/1/image", &image, false),
            (".spec.containers[*].image", &image, true),
            (".spec.containers.image", &image, false),
            (".spec.containers[name=\"app\"].image.tag", &image, false),
        ] {
            let parsed = FieldPath::parse(text).expect(text);
            assert_eq!(parsed.covers(path), expected, "{text}");
        }
        // What is shown is what may be written.
        for path in [&annotation[..], &image] {
            let text = print(path);
            assert!(
                FieldPath::parse(&text).expect("a path").covers(path),
                "{text}"
            );
        }
        for text in [
            "",
            "spec",
            ".",
            ".a..b",
            ".a[",
            ".a[x]",
            ".a[\"b]",
            ".a[name=b]",
            ".a]",
        ] {
            assert_eq!(FieldPath::parse(text), None, "{text}");
        }
    }

    #[test]
    fn elements_meet_by_name_or_by_place() {
        let (a, b) = (json!({"name": "a"}), json!({"name": "b"}));
        let (one, two) = (json!(1), json!(2));
        let of = |list: &[&Value], other: &[&Value]| {
            let own = |all: &[&Value]| all.iter().map(|v| (*v).clone()).collect::<Vec<_>>();
            partners(&own(list), &own(other))
        };
        assert_eq!(of(&[&a], &[&b, &a]), Some(vec![Some(1)]));
        assert_eq!(of(&[&a, &b], &[&b]), Some(vec![None, Some(0)]));
        assert_eq!(of(&[&one], &[&two]), Some(vec![Some(0)]));
        assert_eq!(of(&[&one], &[&one, &two]), None);
        assert_eq!(of(&[&a, &a], &[&a, &b, &a]), None);
    }
}
