//! JSON as state files hold it: read without loss of digits, with bounded depth.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::conform::{Mismatch, Source, conform};
use super::types::DEPTH_LIMIT;
use super::{Dynamic, Number, Path, Type};

/// A text that is not JSON, or JSON beyond the limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Something else was expected at this byte.
    #[error("unexpected input at byte {0}")]
    Unexpected(usize),
    /// Ended too early.
    #[error("the text ends early")]
    Truncated,
    /// Nested deeper than 128 levels.
    #[error("nested too deeply")]
    Depth,
    /// A number beyond the limits of [`Number`].
    #[error("a number cannot be read")]
    Number(#[source] super::NumberError),
    /// Text that is not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Valid, but of another shape than the type.
    #[error("the value does not fit its type")]
    Shape(#[source] Mismatch),
}

/// Reads a value of the given type, as state files hold it: sets are arrays, a value of dynamic
/// type is `{"type": ..., "value": ...}`, missing object attributes read as null.
///
/// # Errors
/// Not JSON, or of another shape.
pub fn from_json(text: &[u8], ty: &Type) -> Result<Dynamic, JsonError> {
    conform(parse(text)?, ty, &mut Path::root(), Source::Json).map_err(JsonError::Shape)
}

/// Writes a value as state files hold it; what is unknown becomes null.
pub fn to_json(value: &Dynamic) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Dynamic) {
    match value {
        Dynamic::Null | Dynamic::Unknown(_) => out.push_str("null"),
        Dynamic::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Dynamic::Number(number) => {
            // JSON has no infinity; state files write it as text.
            let text = number.to_string();
            if text.ends_with("Inf") {
                write_string(out, &text);
            } else {
                out.push_str(&text);
            }
        }
        Dynamic::String(text) => write_string(out, text),
        Dynamic::List(elements) | Dynamic::Set(elements) | Dynamic::Tuple(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(out, element);
            }
            out.push(']');
        }
        Dynamic::Map(members) | Dynamic::Object(members) => {
            out.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write(out, member);
            }
            out.push('}');
        }
        Dynamic::Typed(typed) => {
            out.push_str("{\"type\":");
            out.push_str(&typed.0.to_json());
            out.push_str(",\"value\":");
            write(out, &typed.1);
            out.push('}');
        }
    }
}

pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads any JSON: arrays become lists, objects become maps.
pub(crate) fn parse(text: &[u8]) -> Result<Dynamic, JsonError> {
    let text = std::str::from_utf8(text).map_err(|_| JsonError::Utf8)?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at == text.len() {
        Ok(value)
    } else {
        Err(JsonError::Unexpected(reader.at))
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, JsonError> {
        self.text
            .as_bytes()
            .get(self.at)
            .copied()
            .ok_or(JsonError::Truncated)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Ok(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        self.space();
        if self.peek()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonError::Unexpected(self.at))
        }
    }

    fn word(&mut self, word: &str, value: Dynamic) -> Result<Dynamic, JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(JsonError::Unexpected(self.at))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Dynamic, JsonError> {
        if depth > DEPTH_LIMIT {
            return Err(JsonError::Depth);
        }
        self.space();
        match self.peek()? {
            b'n' => self.word("null", Dynamic::Null),
            b't' => self.word("true", Dynamic::Bool(true)),
            b'f' => self.word("false", Dynamic::Bool(false)),
            b'"' => self.string().map(Dynamic::String),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(JsonError::Unexpected(self.at)),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Dynamic, JsonError> {
        self.expect(b'[')?;
        let mut elements = Vec::new();
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Dynamic::List(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Dynamic::List(elements));
                }
                _ => return Err(JsonError::Unexpected(self.at)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Dynamic, JsonError> {
        self.expect(b'{')?;
        let mut members = BTreeMap::new();
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Dynamic::Map(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Dynamic::Map(members));
                }
                _ => return Err(JsonError::Unexpected(self.at)),
            }
        }
    }

    fn number(&mut self) -> Result<Dynamic, JsonError> {
        let start = self.at;
        while matches!(
            self.peek(),
            Ok(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        self.text[start..self.at]
            .parse::<Number>()
            .map(Dynamic::Number)
            .map_err(JsonError::Number)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        if self.peek()? != b'"' {
            return Err(JsonError::Unexpected(self.at));
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(JsonError::Unexpected(self.at)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    let low = second.wrapping_sub(0xdc00);
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low & 0x3ff))
                        .filter(|_| low < 0x400)
                        .unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            _ => return Err(JsonError::Unexpected(self.at - 1)),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or(JsonError::Unexpected(self.at))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError::Unexpected(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive() {
        let value =
            parse(br#"{"a":[0.1,1208925819614629174706176,"x\u00e9\ud83d\ude00\n"]}"#).unwrap();
        assert_eq!(
            to_json(&value),
            "{\"a\":[0.1,1208925819614629174706176,\"x\u{e9}\u{1f600}\\n\"]}"
        );
    }

    #[test]
    fn broken_text_is_refused() {
        for text in [
            "",
            "{",
            "[1,",
            "[1,]",
            "{\"a\"}",
            "\"\\x\"",
            "nul",
            "1 2",
            "\"\u{1}\"",
            "{\"a\":1,}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?} must not parse");
        }
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::Depth));
    }

    #[test]
    fn typed_values_and_missing_attributes() {
        let ty = Type::object([
            ("any", Type::Dynamic),
            ("gone", Type::String),
            ("tags", Type::set(Type::String)),
        ]);
        let value = from_json(
            br#"{"any":{"type":"number","value":"5"},"tags":["b","a","b"]}"#,
            &ty,
        )
        .unwrap();
        assert_eq!(
            value,
            Dynamic::object([
                (
                    "any",
                    Dynamic::Typed(Box::new((Type::Number, Dynamic::from(5))))
                ),
                ("gone", Dynamic::Null),
                (
                    "tags",
                    Dynamic::set([Dynamic::from("a"), Dynamic::from("b")])
                ),
            ])
        );
    }
}
