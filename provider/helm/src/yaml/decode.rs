//! Reading YAML 1.1.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};

use super::resolve::{Scalar, resolve};
use super::tree::Tree;
use crate::functions::print::float_shortest;
use crate::value::Value;

/// Why a document cannot be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Error(pub String);

/// Collections within collections beyond this are refused.
const MAX_DEPTH: usize = 1_000;

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

/// A node that is being filled.
enum Open<T: Tree> {
    List {
        items: Vec<T>,
        anchor: usize,
    },
    Map {
        entries: T::Members,
        key: Option<Key>,
        anchor: usize,
    },
}

enum Key {
    Text(String),
    Merge,
}

struct Decoder<T: Tree> {
    open: Vec<Open<T>>,
    anchors: HashMap<usize, (T, usize)>,
    /// Nodes made, and those of them that aliases made.
    made: usize,
    aliased: usize,
    /// Collections open inside a flow collection, that one included.
    flow: usize,
    root: Option<T>,
}

impl<T: Tree> Decoder<T> {
    fn new() -> Self {
        Self {
            open: Vec::new(),
            anchors: HashMap::new(),
            made: 0,
            aliased: 0,
            flow: 0,
            root: None,
        }
    }

    fn run(source: &[u8], limit: usize) -> Result<Vec<T>, Error> {
        let source =
            std::str::from_utf8(source).map_err(|_| fault("invalid leading UTF-8 octet"))?;
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        // Nearly all texts are plain, and that is quick to see.
        let plain = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
        if !source.bytes().all(plain) && source.chars().any(is_control) {
            return Err(fault("control characters are not allowed"));
        }
        let mut decoder = Self::new();
        let mut documents = Vec::new();
        // go-yaml invents no line break where a block scalar meets the end of the text.
        let cut_at = (!source.ends_with('\n')).then(|| source.chars().count());
        for next in Parser::new_from_str(source) {
            let (event, span) = next.map_err(|error| {
                let line = error.marker().line();
                fault(format!("line {line}: {}", error.info()))
            })?;
            if decoder.in_block() && is_token(&event) && after_tab(source, span.start.byte_offset())
            {
                return Err(fault("found character that cannot start any token"));
            }
            match event {
                Event::DocumentStart(..) => decoder.anchors.clear(),
                Event::DocumentEnd => {
                    documents.push(decoder.root.take().unwrap_or_else(T::nil));
                    if documents.len() >= limit {
                        break;
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                    let text = match text.strip_suffix('\n') {
                        Some(kept) if block && cut_at == Some(span.end.index()) => {
                            kept.to_owned().into()
                        }
                        _ => text,
                    };
                    decoder.scalar(text, style, anchor, tag)?;
                }
                Event::SequenceStart(style, anchor, _) => {
                    decoder.enter(style);
                    decoder.push(Open::List {
                        items: Vec::new(),
                        anchor,
                    })?;
                }
                Event::MappingStart(style, anchor, _) => {
                    decoder.enter(style);
                    decoder.push(Open::Map {
                        entries: T::Members::default(),
                        key: None,
                        anchor,
                    })?;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    decoder.flow = decoder.flow.saturating_sub(1);
                    decoder.close()?;
                }
                Event::Alias(id) => decoder.alias(id)?,
                _ => {}
            }
        }
        let tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
        if documents.is_empty() && source.lines().any(tab) {
            return Err(fault("found character that cannot start any token"));
        }
        Ok(documents)
    }

    const fn in_block(&self) -> bool {
        self.flow == 0
    }

    fn enter(&mut self, style: StructureStyle) {
        if self.flow > 0 || style == StructureStyle::Flow {
            self.flow += 1;
        }
    }

    fn push(&mut self, open: Open<T>) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(fault("exceeded max depth of 10000"));
        }
        if self.wants_key() {
            return Err(fault("invalid map key: a collection"));
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

    fn remember(&mut self, anchor: usize, value: &T) {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), value.size()));
        }
    }

    fn alias(&mut self, id: usize) -> Result<(), Error> {
        let Some((value, size)) = self.anchors.get(&id).cloned() else {
            return Err(fault("anchor contains itself"));
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
            let key = key_text(&value)?;
            return self.set_key(Key::Text(key));
        }
        self.place(value.fresh())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
    ) -> Result<(), Error> {
        self.made += 1;
        let plain = style == ScalarStyle::Plain;
        let tag = tag.as_deref().map(|tag| (tag.handle(), tag.suffix()));
        let scalar = match tag {
            None if plain => resolve(&text, true),
            None => Scalar::Text,
            Some((_, "str")) => Scalar::Text,
            Some((_, "binary")) => {
                let bytes = crate::functions::base64_decode(text.as_bytes())
                    .map_err(|_| fault("!!binary value contains invalid base64 data"))?;
                let value = T::text(&String::from_utf8_lossy(&bytes));
                self.remember(anchor, &value);
                return if self.wants_key() {
                    self.set_key(Key::Text(key_text(&value)?))
                } else {
                    self.place(value)
                };
            }
            Some(("tag:yaml.org,2002:", _)) => resolve(&text, true),
            Some(_) if plain => resolve(&text, true),
            Some(_) => Scalar::Text,
        };
        if self.wants_key() {
            if anchor != 0 {
                self.remember(anchor, &T::text(&text));
            }
            let key = match &scalar {
                Scalar::Merge => Key::Merge,
                Scalar::Int(int) => Key::Text(int.to_string()),
                Scalar::Uint(uint) => Key::Text(uint.to_string()),
                Scalar::Bool(value) => Key::Text(value.to_string()),
                Scalar::Float(float) => Key::Text(key_float(*float)),
                Scalar::Null => {
                    return Err(Error(
                        "error converting YAML to JSON: unsupported map key of type: %!s(<nil>), key: <nil>"
                            .to_owned(),
                    ));
                }
                Scalar::Timestamp | Scalar::Text => Key::Text(text.into_owned()),
            };
            return self.set_key(key);
        }
        let value = match scalar {
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
            Scalar::Timestamp | Scalar::Text | Scalar::Merge => T::text(&text),
        };
        self.remember(anchor, &value);
        self.place(value)
    }

    fn set_key(&mut self, new: Key) -> Result<(), Error> {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
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
                None => return Err(fault("invalid map key: a collection")),
            },
        }
        Ok(())
    }
}

/// Whether the event starts where its own text starts.
const fn is_token(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Scalar(..)
            | Event::SequenceStart(StructureStyle::Flow, ..)
            | Event::MappingStart(StructureStyle::Flow, ..)
    )
}

/// Whether a tab indents what stands at `at`: go-yaml allows that inside flow collections only.
fn after_tab(source: &str, at: Option<usize>) -> bool {
    let Some(before) = at.and_then(|at| source.as_bytes().get(..at)) else {
        return false;
    };
    let blank = before
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let (rest, blanks) = before.split_at(before.len() - blank);
    let at_line_start = matches!(rest.last(), None | Some(b'\n' | b'\r'));
    at_line_start && blanks.contains(&b'\t')
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

fn key_text<T: Tree>(value: &T) -> Result<String, Error> {
    value
        .as_key()
        .ok_or_else(|| fault("invalid map key: a collection"))
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
