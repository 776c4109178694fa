//! Reading YAML 1.1.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use super::quirks::{self, Colon, after_tab};
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
/// Lines of quoted scalars that may stand too far left for our reader; each costs another reading.
const MAX_MOVES: usize = 100;

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
    Decoder::read(source, usize::MAX, MAX_MOVES)
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

/// On a line, counted from nought: go-yaml does not tell the first one.
fn fault_on(line: usize, message: &str) -> Error {
    match line {
        0 => fault(message),
        line => fault(format!("line {}: {message}", line + 1)),
    }
}

fn line_of(source: &str, at: usize) -> usize {
    memchr::memchr_iter(b'\n', &source.as_bytes()[..at.min(source.len())]).count()
}

/// Comments are passed over: there may be any number of them. How deep collections nest is bounded here.
fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    options
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
        /// A single pair in a flow list, without braces.
        pair: bool,
        /// The key that kept its colon.
        colon: Option<String>,
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
    /// The last event was a plain scalar.
    plain: bool,
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
            plain: false,
        }
    }

    /// What is wrong with the tab at `at`, with nothing read since `read`.
    fn tab(&self, source: &str, read: usize, at: usize) -> Error {
        let goes_on = self.plain && !source[read..at].contains('#');
        let what = if goes_on {
            "found a tab character that violates indentation"
        } else {
            "found character that cannot start any token"
        };
        fault_on(line_of(source, at), what)
    }

    fn run(source: &[u8], limit: usize) -> Result<Vec<T>, Error> {
        let source =
            std::str::from_utf8(source).map_err(|_| fault("invalid leading UTF-8 octet"))?;
        // Nearly all texts are plain, and that is quick to see.
        if !all_plain(source.as_bytes()) && source.chars().any(is_control) {
            return Err(fault("control characters are not allowed"));
        }
        if let Some(value) = super::plain::read(source) {
            return Ok(vec![value]);
        }
        Self::read(source, limit, MAX_MOVES).or_else(|error| {
            // Nobody asks for what stands behind the first document.
            let mut others = quirks::other_readings(source).into_iter();
            let other = others.find_map(|other| Self::read(&other, limit, MAX_MOVES).ok());
            other.filter(|_| limit == 1).ok_or(error)
        })
    }

    /// Reads up to `limit` documents; up to `moves` lines may have to be moved to the right for it.
    fn read(source: &str, limit: usize, moves: usize) -> Result<Vec<T>, Error> {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let mut decoder = Self::new();
        let mut documents = Vec::new();
        // go-yaml invents no line break where a block scalar meets the end of the text.
        let cut_at = (!source.ends_with('\n')).then(|| source.chars().count());
        let mut read = 0;
        for next in Parser::new_from_str_with_options(source, options()) {
            let (event, span) = match next {
                Ok(next) => next,
                // Nobody asks for the documents behind the first one.
                Err(_) if limit == 1 && decoder.ends(&source[read..])? => {
                    documents.extend(decoder.root.take());
                    return Ok(documents);
                }
                Err(_)
                    if limit == 1 && decoder.is_untouched() && quirks::is_bare_anchor(source) =>
                {
                    return Ok(vec![T::nil()]);
                }
                Err(error) => {
                    let line = error.marker().line().saturating_sub(1);
                    if moves > 0 && quirks::is_quote_too_far_left(&error.info()) {
                        return match quirks::moved_right(source, line) {
                            Ok(moved) => Self::read(&moved, limit, moves - 1),
                            Err(what) => Err(fault_on(line, what)),
                        };
                    }
                    return Err(fault_on(line, quirks::words(&error.info())));
                }
            };
            let start = span.start.byte_offset();
            if decoder.in_block() {
                let tab = quirks::tab_begins_line(source, read, start.unwrap_or(read));
                if let Some(at) = tab.or_else(|| after_tab(source, &event, start)) {
                    return Err(decoder.tab(source, read, at));
                }
            }
            decoder.plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            if let Some(end) = span
                .end
                .byte_offset()
                .filter(|&end| source.is_char_boundary(end))
            {
                read = end;
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
                    if block && let Some(at) = quirks::tab_in_block(source, start, read) {
                        let line = line_of(source, at);
                        return Err(fault_on(
                            line,
                            "found a tab character where an indentation space is expected",
                        ));
                    }
                    let text = match text.strip_suffix('\n') {
                        Some(kept) if block && cut_at == Some(span.end.index()) => {
                            kept.to_owned().into()
                        }
                        _ => text,
                    };
                    let plain = style == ScalarStyle::Plain && decoder.flow > 0;
                    let text = match quirks::colon(source, span.end.byte_offset()) {
                        Some(Colon::Kept) if plain && decoder.wants_key() => {
                            decoder.keep_colon(&text)
                        }
                        Some(Colon::Broken) if plain && decoder.wants_key() => {
                            return Err(fault("did not find expected ',' or '}'"));
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
                        pair: style == StructureStyle::Flow
                            && !starts_with_brace(source, span.start.byte_offset()),
                        colon: None,
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
        let next = source.len() - quirks::without_notes(&source[read..]).len();
        if let Some(at) = quirks::tab_begins_line(source, read, next) {
            return Err(decoder.tab(source, read, at));
        }
        Ok(documents)
    }

    /// Whether the document ends here, whatever follows; a flow collection whose bracket is there is closed.
    fn ends(&mut self, rest: &str) -> Result<bool, Error> {
        let bracket = match self.open.as_slice() {
            [] => None,
            [Open::List { .. }] if self.flow == 1 => Some(']'),
            [Open::Map { .. }] if self.flow == 1 => Some('}'),
            _ => return Ok(false),
        };
        let rest = match bracket {
            None => Some(rest),
            Some(bracket) => quirks::behind(rest, bracket),
        };
        if !rest.is_some_and(quirks::ends_before) {
            return Ok(false);
        }
        if matches!(self.open.last(), Some(Open::Map { key: Some(_), .. })) {
            self.place(T::nil())?;
        }
        self.close()?;
        Ok(self.root.is_some())
    }

    /// Whether nothing was read so far.
    const fn is_untouched(&self) -> bool {
        self.open.is_empty() && self.root.is_none() && self.made == 0
    }

    /// The key with its colon.
    fn keep_colon<'t>(&mut self, text: &str) -> Cow<'t, str> {
        let text = format!("{text}:");
        if let Some(Open::Map { colon, .. }) = self.open.last_mut() {
            *colon = Some(text.clone());
        }
        Cow::Owned(text)
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
            // A word with a colon, not a pair.
            Some(Open::Map {
                pair: true,
                colon: Some(text),
                anchor,
                ..
            }) => (T::text(&text), anchor),
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
                scalar => match scalar_key(scalar, &text) {
                    Some(key) => Key::Text(key.into_owned()),
                    None => return Err(no_key(scalar)),
                },
            };
            return self.set_key(key);
        }
        let value = scalar_value(&scalar, &text)?;
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

fn no_key(scalar: &Scalar) -> Error {
    let what = match scalar {
        Scalar::Uint(_) => "uint64",
        _ => "%!s(<nil>), key: <nil>",
    };
    Error(format!(
        "error converting YAML to JSON: unsupported map key of type: {what}"
    ))
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

fn starts_with_brace(source: &str, at: Option<usize>) -> bool {
    at.and_then(|at| source.as_bytes().get(at)) == Some(&b'{')
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
