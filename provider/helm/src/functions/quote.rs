//! Go's quoted strings.

use std::fmt::Write as _;
use std::sync::LazyLock;

static PRINTABLE: LazyLock<Option<regex::Regex>> =
    LazyLock::new(|| regex::Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$").ok());

/// Go's `IsPrint`.
pub(crate) fn is_print(char: char) -> bool {
    if char.is_ascii() {
        return (' '..='~').contains(&char);
    }
    let mut buffer = [0; 4];
    PRINTABLE
        .as_ref()
        .is_some_and(|class| class.is_match(char.encode_utf8(&mut buffer)))
}

/// Runs of valid text and single bytes that are none.
pub(crate) enum Rune {
    Char(char),
    Invalid(u8),
}

/// The characters of `bytes`, as Go's `range` over a string sees them.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = Rune> + '_ {
    bytes.utf8_chunks().flat_map(|chunk| {
        chunk
            .valid()
            .chars()
            .map(Rune::Char)
            .chain(chunk.invalid().iter().map(|byte| Rune::Invalid(*byte)))
    })
}

/// Go's `strconv.Quote`.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// Go's `strconv.Quote` and its kin: `ascii` escapes everything else.
pub(crate) fn quote_with(bytes: &[u8], delim: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(delim);
    for rune in runes(bytes) {
        match rune {
            Rune::Char(char) => escape(char, delim, ascii, &mut out),
            Rune::Invalid(byte) => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(delim);
    out
}

/// One character inside quotes.
pub(crate) fn escape(char: char, delim: char, ascii: bool, out: &mut String) {
    match char {
        _ if char == delim || char == '\\' => {
            out.push('\\');
            out.push(char);
        }
        ' '..='~' => out.push(char),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if !ascii && is_print(char) => out.push(char),
        '\0'..='\x1f' | '\x7f' => {
            let _ = write!(out, "\\x{:02x}", u32::from(char));
        }
        _ if u32::from(char) < 0x10000 => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        _ => {
            let _ = write!(out, "\\U{:08x}", u32::from(char));
        }
    }
}

/// Go's `strconv.Unquote` for string literals.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    if let Some(raw) = text.strip_prefix('`') {
        let raw = raw.strip_suffix('`')?;
        return Some(raw.replace('\r', "").into_bytes());
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(first) = rest.chars().next() {
        if first == '\n' || first == '"' {
            return None;
        }
        if first != '\\' {
            let length = rest.find(['\\', '"', '\n']).unwrap_or(rest.len());
            out.extend_from_slice(&rest.as_bytes()[..length]);
            rest = &rest[length..];
            continue;
        }
        let (code, is_byte, length) = escape_sequence(rest, '"')?;
        if is_byte {
            out.push(code as u8);
        } else {
            let mut buffer = [0; 4];
            let char = char::from_u32(code)?;
            out.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
        }
        rest = &rest[length..];
    }
    Some(out)
}

/// A character constant with its quotes.
pub(crate) fn unquote_char(text: &str) -> Option<u32> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let first = inner.chars().next()?;
    if first != '\\' {
        return (first.len_utf8() == inner.len()).then_some(u32::from(first));
    }
    let (code, _, length) = escape_sequence(inner, '\'')?;
    (length == inner.len()).then_some(code)
}

/// The value of an escape at the start of `text`, whether it is a byte, and its length.
fn escape_sequence(text: &str, delim: char) -> Option<(u32, bool, usize)> {
    let bytes = text.as_bytes();
    let simple = |code: u32| Some((code, false, 2));
    let hex = |digits: usize, is_byte: bool| {
        let value = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
        let plain = text.as_bytes()[2] != b'+';
        plain.then_some((value, is_byte, 2 + digits))
    };
    match *bytes.get(1)? {
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(10),
        b'r' => simple(13),
        b't' => simple(9),
        b'v' => simple(11),
        b'\\' => simple(92),
        quote if char::from(quote) == delim => simple(u32::from(quote)),
        b'x' => hex(2, true),
        b'u' => hex(4, false),
        b'U' => hex(8, false),
        b'0'..=b'7' => {
            let value = u32::from_str_radix(text.get(1..4)?, 8).ok()?;
            (value < 256 && bytes[1] != b'+').then_some((value, true, 4))
        }
        _ => None,
    }
}
