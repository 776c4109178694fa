//! Reading YAML 1.1.

use std::borrow::Cow;
use std::collections::HashMap;

use super::grammar::{Event, Parser, Properties};
use super::resolve::{Scalar, resolve};
use super::scan::{self, MAX_DEPTH};
use super::tree::Tree;
use crate::functions::format::sprintf;
use crate::functions::print::float_shortest;
use crate::value::Value;

/// Why a document cannot be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Error(pub String);

/// All documents of a stream. Numbers are `f64` in the tree, map keys are text.
///
/// # Errors
///
/// The first thing that go-yaml would refuse, in its words where they are short.
pub fn decode(source: &[u8]) -> Result<Vec<serde_json::Value>, Error> {
    Decoder::run(source, usize::MAX)
}

/// The first document of a stream; `null` when there is none.
///
/// # Errors
///
/// As [`decode`]; what follows the first document is not read.
pub fn decode_one(source: &[u8]) -> Result<serde_json::Value, Error> {
    first(source)
}

/// [`decode_one`] as a template value.
pub(crate) fn decode_value(source: &[u8]) -> Result<Value, Error> {
    first(source)
}

/// All documents by the full reader alone.
#[cfg(test)]
pub(super) fn full(source: &str) -> Result<Vec<serde_json::Value>, Error> {
    Decoder::read(source, usize::MAX)
}

fn first<T: Tree>(source: &[u8]) -> Result<T, Error> {
    let values = Decoder::run(source, 1)?;
    Ok(values.into_iter().next().unwrap_or_else(T::nil))
}

fn fault(message: impl AsRef<str>) -> Error {
    Error(format!(
        "error converting YAML to JSON: yaml: {}",
        message.as_ref()
    ))
}

impl From<scan::Fault> for Error {
    fn from(found: scan::Fault) -> Self {
        match found.line {
            Some(line) => fault(format!("line {line}: {}", found.what)),
            None => fault(found.what),
        }
    }
}

/// A node that is being filled.
enum Open<'s, T: Tree> {
    List {
        items: Vec<T>,
        anchor: Option<&'s str>,
    },
    Map {
        entries: T::Members,
        key: Option<Key>,
        anchor: Option<&'s str>,
    },
}

enum Key {
    Text(String),
    Merge,
    /// No key of JSON: its type and itself.
    Wrong(String),
}

/// The type and the text of nothing as a key.
const NIL_KEY: &str = "%!s(<nil>), key: <nil>";

struct Decoder<'s, T: Tree> {
    open: Vec<Open<'s, T>>,
    /// What each name stands for, and its size; nothing while that is being read.
    anchors: HashMap<&'s str, Option<(T, usize)>>,
    /// Nodes made, and those of them that aliases made.
    made: usize,
    aliased: usize,
    root: Option<T>,
    /// What JSON has no words for: all of the document is looked at as YAML first.
    later: Option<Error>,
}

impl<'s, T: Tree> Decoder<'s, T> {
    fn new() -> Self {
        Self {
            open: Vec::new(),
            anchors: HashMap::new(),
            made: 0,
            aliased: 0,
            root: None,
            later: None,
        }
    }

    fn run(source: &'s [u8], limit: usize) -> Result<Vec<T>, Error> {
        let source =
            std::str::from_utf8(source).map_err(|_| fault("invalid leading UTF-8 octet"))?;
        // Nearly all texts are plain, and that is quick to see.
        if !all_plain(source.as_bytes()) && source.chars().any(is_control) {
            return Err(fault("control characters are not allowed"));
        }
        if let Some(value) = super::plain::read(source) {
            return Ok(vec![value]);
        }
        Self::read(source, limit)
    }

    fn read(source: &'s str, limit: usize) -> Result<Vec<T>, Error> {
        let mut parser = Parser::new(source.strip_prefix('\u{feff}').unwrap_or(source));
        let mut decoder = Self::new();
        let mut documents = Vec::new();
        while documents.len() < limit {
            match parser.next()? {
                Event::StreamEnd => break,
                Event::DocumentStart => decoder.anchors.clear(),
                Event::DocumentEnd => {
                    if let Some(error) = decoder.later.take() {
                        return Err(error);
                    }
                    documents.push(decoder.root.take().unwrap_or_else(T::nil));
                }
                Event::Alias(name) if !decoder.anchors.contains_key(name) => {
                    return Err(unknown(name));
                }
                event => {
                    if let Err(error) = decoder.take(event) {
                        // go-yaml looks at what a document means when it has read all of it.
                        decoder.read_on(&mut parser)?;
                        return Err(error);
                    }
                }
            }
        }
        Ok(documents)
    }

    /// The rest of a document, of which only errors matter.
    fn read_on(&mut self, parser: &mut Parser<'s>) -> Result<(), Error> {
        loop {
            match parser.next()? {
                Event::DocumentEnd | Event::StreamEnd => return Ok(()),
                Event::Alias(name) if !self.anchors.contains_key(name) => {
                    return Err(unknown(name));
                }
                Event::Scalar { of, .. } | Event::SequenceStart(of) | Event::MappingStart(of) => {
                    if let Some(name) = of.anchor {
                        self.anchors.insert(name, None);
                    }
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, event: Event<'s>) -> Result<(), Error> {
        match event {
            Event::Scalar { text, plain, of } => self.scalar(text, plain, of),
            Event::SequenceStart(Properties { anchor, .. }) => self.push(Open::List {
                items: Vec::new(),
                anchor,
            }),
            Event::MappingStart(Properties { anchor, .. }) => self.push(Open::Map {
                entries: T::Members::default(),
                key: None,
                anchor,
            }),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(name) => self.alias(name),
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => Ok(()),
        }
    }

    fn push(&mut self, open: Open<'s, T>) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(fault("exceeded max depth of 10000"));
        }
        if let Open::List { anchor, .. } | Open::Map { anchor, .. } = &open
            && let Some(name) = anchor
        {
            self.anchors.insert(name, None);
        }
        self.open.push(open);
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn close(&mut self) -> Result<(), Error> {
        let (value, anchor) = match self.open.pop() {
            Some(Open::List { items, anchor }) => (T::list(items), anchor),
            Some(Open::Map {
                entries, anchor, ..
            }) => (T::map(entries), anchor),
            None => return Ok(()),
        };
        self.remember(anchor, &value);
        self.place(value)
    }

    fn remember(&mut self, anchor: Option<&'s str>, value: &T) {
        if let Some(name) = anchor {
            self.anchors
                .insert(name, Some((value.clone(), value.size())));
        }
    }

    fn alias(&mut self, name: &str) -> Result<(), Error> {
        let (value, size) = match self.anchors.get(name) {
            Some(Some(known)) => known.clone(),
            _ => return Err(fault(format!("anchor '{name}' value contains itself"))),
        };
        self.aliased += size;
        self.made += size;
        // go-yaml's rule: of a large document, aliases may make less and less.
        let made = self.made as f64;
        let allowed = if self.made <= 400_000 {
            0.99
        } else if self.made >= 4_000_000 {
            0.10
        } else {
            0.99 - 0.89 * (made - 400_000.0) / 3_600_000.0
        };
        if self.aliased > 100 && self.made > 1_000 && self.aliased as f64 / made > allowed {
            return Err(fault("document contains excessive aliasing"));
        }
        if self.wants_key() {
            return self.set_key_of(&value);
        }
        self.place(value.fresh())
    }

    fn scalar(&mut self, text: Cow<'s, str>, plain: bool, of: Properties<'s>) -> Result<(), Error> {
        self.made += 1;
        let anchor = of.anchor;
        let scalar = match of.tag.as_deref() {
            None if plain => resolve(&text, true),
            None => Scalar::Text,
            Some("tag:yaml.org,2002:binary") => {
                let bytes = crate::functions::base64_decode(text.as_bytes())
                    .map_err(|_| fault("!!binary value contains invalid base64 data"))?;
                let value = T::text(&String::from_utf8_lossy(&bytes));
                self.remember(anchor, &value);
                return if self.wants_key() {
                    self.set_key_of(&value)
                } else {
                    self.place(value)
                };
            }
            Some(tag) => tagged(tag, &text)?,
        };
        if self.wants_key() {
            if anchor.is_some() {
                self.remember(anchor, &T::text(&text));
            }
            let key = match (scalar_key(&scalar, &text), &scalar) {
                (Some(key), _) => Key::Text(key.into_owned()),
                (None, Scalar::Merge) => Key::Merge,
                (None, Scalar::Uint(uint)) => Key::Wrong(format!("uint64, key: {uint:#x}")),
                (None, _) => Key::Wrong(NIL_KEY.to_owned()),
            };
            self.set_key(key);
            return Ok(());
        }
        let value = scalar_value(&scalar, &text).unwrap_or_else(|error| {
            self.later.get_or_insert(error);
            T::nil()
        });
        self.remember(anchor, &value);
        self.place(value)
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
    }

    /// What an alias or bytes stand for becomes a key.
    fn set_key_of(&mut self, value: &T) -> Result<(), Error> {
        self.set_key(match value.as_key() {
            Some(key) => Key::Text(key),
            None if value.is_nil() => Key::Wrong(NIL_KEY.to_owned()),
            None => return Err(collection_as_key(value)),
        });
        Ok(())
    }

    fn place(&mut self, value: T) -> Result<(), Error> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => {
                self.made += 1;
                items.push(value);
            }
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(Key::Text(key)) => {
                    T::insert(entries, &key, value);
                }
                Some(Key::Merge) => merge(entries, &value)?,
                Some(Key::Wrong(key)) => {
                    let error = format!(
                        "error converting YAML to JSON: unsupported map key of type: {key}, value: {}",
                        go_syntax(&value)
                    );
                    self.later.get_or_insert(Error(error));
                }
                None => return Err(collection_as_key(&value)),
            },
        }
        Ok(())
    }
}

/// Whether all are printable or white space, looked at in pieces that the compiler looks at all at once.
fn all_plain(bytes: &[u8]) -> bool {
    let plain = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    bytes
        .chunks(256)
        .all(|chunk| chunk.iter().fold(true, |all, &byte| all & plain(byte)))
}

/// What a scalar is as the key of a map; `None` when it cannot be one.
pub(super) fn scalar_key<'t>(scalar: &Scalar, text: &'t str) -> Option<Cow<'t, str>> {
    Some(match scalar {
        Scalar::Int(int) => Cow::Owned(int.to_string()),
        Scalar::Bool(value) => Cow::Owned(value.to_string()),
        Scalar::Float(float) => Cow::Owned(key_float(*float)),
        Scalar::Timestamp | Scalar::Text => Cow::Borrowed(text),
        Scalar::Uint(_) | Scalar::Null | Scalar::Merge => return None,
    })
}

/// What a template that was not rendered makes of a values file: `{{ .x }}` is a map whose key is a map.
fn collection_as_key<T: Tree>(value: &T) -> Error {
    fault(format!("invalid map key: {}", go_syntax(value)))
}

/// A value as Go's `%#v` shows it before it becomes JSON.
fn go_syntax<T: Tree>(value: &T) -> String {
    let shown = sprintf(b"%#v", &[value.to_value()]);
    String::from_utf8_lossy(&shown).replace("map[string]", "map[interface {}]")
}

/// What a scalar is as a value.
pub(super) fn scalar_value<T: Tree>(scalar: &Scalar, text: &str) -> Result<T, Error> {
    Ok(match *scalar {
        Scalar::Null => T::nil(),
        Scalar::Bool(value) => T::truth(value),
        Scalar::Int(int) => T::number(int as f64),
        Scalar::Uint(uint) => T::number(uint as f64),
        Scalar::Float(float) if float.is_finite() => T::number(float),
        Scalar::Float(float) => {
            return Err(Error(format!(
                "error converting YAML to JSON: json: unsupported value: {}",
                float_shortest(float, 6)
            )));
        }
        Scalar::Timestamp | Scalar::Text | Scalar::Merge => T::text(text),
    })
}

fn unknown(anchor: &str) -> Error {
    fault(format!("unknown anchor '{anchor}' referenced"))
}

/// What a scalar is by its tag: tags that are not YAML's own say that it is text.
fn tagged(tag: &str, text: &str) -> Result<Scalar, Error> {
    let Some(name) = tag.strip_prefix("tag:yaml.org,2002:") else {
        return Ok(Scalar::Text);
    };
    if !matches!(name, "bool" | "int" | "float" | "null" | "timestamp") {
        return Ok(Scalar::Text);
    }
    let found = resolve(text, true);
    let own = match found {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Uint(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Timestamp => "timestamp",
        Scalar::Text => "str",
        Scalar::Merge => "merge",
    };
    match (name, &found) {
        _ if name == own => Ok(found),
        ("float", Scalar::Int(int)) => Ok(Scalar::Float(*int as f64)),
        ("float", Scalar::Uint(int)) => Ok(Scalar::Float(*int as f64)),
        _ => Err(fault(format!(
            "cannot decode !!{own} `{text}` as a !!{name}"
        ))),
    }
}

/// `<<`: the entries of a map, or of several, earlier ones winning.
fn merge<T: Tree>(entries: &mut T::Members, value: &T) -> Result<(), Error> {
    let wrong = || fault("map merge requires map or sequence of maps as the value");
    let Some(items) = value.items() else {
        return value.spread(entries).then_some(()).ok_or_else(wrong);
    };
    for item in items.iter().rev() {
        if !item.spread(entries) {
            return Err(wrong());
        }
    }
    Ok(())
}

pub(super) fn key_float(float: f64) -> String {
    if float == f64::INFINITY {
        ".inf".to_owned()
    } else if float == f64::NEG_INFINITY {
        "-.inf".to_owned()
    } else if float.is_nan() {
        ".nan".to_owned()
    } else {
        float_shortest(float, 21)
    }
}

/// What go-yaml's reader refuses.
pub(super) const fn is_control(char: char) -> bool {
    !matches!(char, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
