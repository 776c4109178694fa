//! Stand-ins for values that are not known yet or must not be shown, and what a rendering did with
//! them.
//!
//! A value that is not known while a change is planned goes through the templates as a text that
//! holds a mark. Whatever holds the mark in the end comes from it. Functions that would lose the mark
//! (hashes, encodings) give it back ([`super::exec`]); what *decides* by such a value is noted
//! here, because then the shape of the file and not only a leaf depends on it.

use std::cell::Cell;
use std::ops::BitOr;

use memchr::memmem::find;

use crate::value::{Map, Value};

/// Marks what is not known yet: three syllables of the Yi script in an order that no language has. Letters,
/// because quoting escapes what is not; without case, because charts change that.
pub(crate) const UNKNOWN: &str = "\u{a2cf}\u{a129}\u{a216}";
/// Marks what must not be shown.
pub(crate) const SECRET: &str = "\u{a2cf}\u{a129}\u{a262}";

/// The stand-in for a text of several lines: what a text that is not known does to the places it is put into when it
/// breaks them.
pub(crate) fn torn(tree: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match tree {
        Json::String(text) if text.contains(UNKNOWN) => {
            Json::from(text.replace(UNKNOWN, &format!("{UNKNOWN}\n{UNKNOWN}")))
        }
        Json::Array(items) => items.iter().map(torn).collect(),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), torn(value)));
            Json::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// Whether a text of several lines in the place of the stand-in could make documents of its own: a line of it begins a
/// line of the file, what stands before is whole without it, and so is what comes after. Where either is not (inside of
/// quotes, in a list in brackets, above lines that are indented), three dashes are an error and make nothing.
pub(crate) fn breaks_out(file: &str) -> bool {
    let whole = |text: &str| crate::yaml::decode_one(text.as_bytes()).is_ok();
    let mut start = 0;
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        if line.starts_with("---") {
            start = at + line.len();
        }
        if line.starts_with(UNKNOWN) && whole(&file[start.min(at)..at]) {
            let next = |rest: &&str| !rest.starts_with("---") && !rest.starts_with(UNKNOWN);
            let lines = file[at + line.len()..].split_inclusive('\n');
            let after: String = lines.take_while(next).collect();
            if whole(&format!("key: {line}{after}")) {
                return true;
            }
        }
        at += line.len();
    }
    false
}

/// How deep a value is searched: charts can build cycles of nothing, but not of containers, so this
/// only bounds the stack.
const DEPTH: usize = 200;

/// Which marks something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) unknown: bool,
    pub(crate) secret: bool,
}

impl Marks {
    pub(crate) const fn any(self) -> bool {
        self.unknown || self.secret
    }

    /// Whether every mark of `other` is here too.
    pub(crate) const fn covers(self, other: Self) -> bool {
        (self.unknown || !other.unknown) && (self.secret || !other.secret)
    }

    /// The text of the marks.
    pub(crate) fn text(self) -> String {
        let mut text = String::new();
        if self.unknown {
            text.push_str(UNKNOWN);
        }
        if self.secret {
            text.push_str(SECRET);
        }
        text
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            unknown: self.unknown || other.unknown,
            secret: self.secret || other.secret,
        }
    }
}

/// The marks in a text.
pub(crate) fn in_bytes(text: &[u8]) -> Marks {
    Marks {
        unknown: find(text, UNKNOWN.as_bytes()).is_some(),
        secret: find(text, SECRET.as_bytes()).is_some(),
    }
}

/// The marks in a text itself; containers count as unmarked.
pub(crate) fn direct(value: &Value) -> Marks {
    match value {
        Value::Str(text) | Value::Bytes(text) => in_bytes(text),
        _ => Marks::default(),
    }
}

/// The marks anywhere in a value, keys included.
pub(crate) fn deep(value: &Value) -> Marks {
    deep_to(value, DEPTH)
}

fn deep_to(value: &Value, depth: usize) -> Marks {
    if depth == 0 {
        return Marks::default();
    }
    match value {
        Value::List(list) => list
            .items()
            .iter()
            .fold(Marks::default(), |all, item| all | deep_to(item, depth - 1)),
        Value::Map(map) => in_map(map, depth - 1),
        other => direct(other),
    }
}

fn in_map(map: &Map, depth: usize) -> Marks {
    map.read().map_or_else(Marks::default, |entries| {
        entries.iter().fold(Marks::default(), |all, (key, value)| {
            all | in_bytes(key) | deep_to(value, depth)
        })
    })
}

/// What a rendering with stand-ins did.
#[derive(Debug)]
pub(crate) struct Tracker {
    decided: Cell<bool>,
    /// Stand-ins have several lines.
    pub(crate) torn: bool,
}

impl Tracker {
    /// Nothing decided yet.
    pub(crate) const fn new(torn: bool) -> Self {
        Self {
            decided: Cell::new(false),
            torn,
        }
    }

    /// Something was decided by a value that is not known.
    pub(crate) fn decide(&self, marks: Marks) {
        if marks.unknown {
            self.decided.set(true);
        }
    }

    /// Whether something was, since the last time of asking.
    pub(crate) fn take_decided(&self) -> bool {
        self.decided.replace(false)
    }
}
