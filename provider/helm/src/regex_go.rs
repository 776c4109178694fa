//! Go's regular expressions on top of the `regex` crate.
//!
//! Both are RE2's kin. What differs is translated: Perl classes are ASCII only, `\Q..\E` quotes, a
//! brace that repeats nothing is a brace, brackets and set operators inside a class are characters.

mod translate;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::functions::quote::quote;
use translate::Translator;

thread_local! {
    static CACHE: RefCell<HashMap<Vec<u8>, Rc<Pattern>>> = RefCell::new(HashMap::new());
}

/// A compiled pattern, with the names of its groups.
pub(crate) struct Pattern {
    regex: Regex,
    names: Vec<Option<String>>,
}

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.regex
    }
}

impl Pattern {
    /// Go's `Regexp.Expand`: of groups with the same name the first that caught something counts, and a `$` that
    /// names nothing stays.
    pub(crate) fn expand(&self, captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(at) = rest.iter().position(|&byte| byte == b'$') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with(b"$$") {
                out.push(b'$');
                rest = &rest[2..];
                continue;
            }
            let Some((name, length)) = reference(rest) else {
                out.push(b'$');
                rest = &rest[1..];
                continue;
            };
            rest = &rest[length..];
            if let Some(found) = self.group(captures, &name) {
                out.extend_from_slice(found);
            }
        }
        out.extend_from_slice(rest);
    }

    fn group<'t>(&self, captures: &Captures<'t>, name: &str) -> Option<&'t [u8]> {
        let text = |index| captures.get(index).map(|found| found.as_bytes());
        let number = name.bytes().all(|byte| byte.is_ascii_digit());
        // A number with a leading nought, or beyond any group, is a name.
        if number && (name == "0" || !name.starts_with('0')) && name.len() <= 8 {
            return name.parse().ok().and_then(text);
        }
        let mut named = self.names.iter().enumerate();
        named.find_map(|(index, own)| {
            let same = own.as_deref() == Some(name);
            same.then(|| text(index + 1)).flatten()
        })
    }
}

/// The name that a `$` begins, and how long it is with all its signs.
fn reference(text: &[u8]) -> Option<(String, usize)> {
    let braced = text.get(1) == Some(&b'{');
    let start = if braced { 2 } else { 1 };
    let inner = String::from_utf8_lossy(&text[start..]);
    let end = inner
        .find(|char: char| !(char == '_' || char.is_alphabetic() || char.is_numeric()))
        .unwrap_or(inner.len());
    if end == 0 || (braced && !inner[end..].starts_with('}')) {
        return None;
    }
    Some((inner[..end].to_owned(), start + end + usize::from(braced)))
}

/// Compiles a pattern; the error is Go's.
pub(crate) fn compile(pattern: &[u8]) -> Result<Rc<Pattern>, String> {
    if let Some(found) = CACHE.with_borrow(|cache| cache.get(pattern).cloned()) {
        return Ok(found);
    }
    let text = std::str::from_utf8(pattern).map_err(|_| {
        format!(
            "error parsing regexp: invalid UTF-8: `{}`",
            String::from_utf8_lossy(pattern)
        )
    })?;
    let (translated, names) = Translator::new(text)
        .run()
        .map_err(|e| format!("error parsing regexp: {e}"))?;
    let compiled = RegexBuilder::new(&translated)
        .size_limit(32 << 20)
        .build()
        .map_err(|_| format!("error parsing regexp: expression too large or invalid: `{text}`"))?;
    let compiled = Rc::new(Pattern {
        regex: compiled,
        names,
    });
    CACHE.with_borrow_mut(|cache| {
        if cache.len() > 1_000 {
            cache.clear();
        }
        cache.insert(pattern.to_vec(), compiled.clone());
    });
    Ok(compiled)
}

/// What Go's `MustCompile` panics with.
pub(crate) fn must_compile(pattern: &[u8]) -> Result<Rc<Pattern>, String> {
    compile(pattern).map_err(|error| {
        let text = String::from_utf8_lossy(pattern);
        let quoted = if text.contains('`') || text.chars().any(char::is_control) {
            quote(pattern)
        } else {
            format!("`{text}`")
        };
        format!("regexp: Compile({quoted}): {error}")
    })
}

/// Go's `QuoteMeta`.
pub(crate) fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// Whether a match is one that Go makes: an empty one never stands inside a character.
pub(crate) fn on_boundary(found: &regex::bytes::Match<'_>, text: &[u8]) -> bool {
    !found.is_empty()
        || text
            .get(found.start())
            .is_none_or(|byte| byte & 0xc0 != 0x80)
}

/// Go's `FindAllString`; `None` when nothing matches.
pub(crate) fn find_all(pattern: &Regex, text: &[u8], count: i64) -> Option<Vec<Vec<u8>>> {
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let found: Vec<Vec<u8>> = pattern
        .find_iter(text)
        .filter(|found| on_boundary(found, text))
        .take(limit)
        .map(|found| found.as_bytes().to_vec())
        .collect();
    (!found.is_empty()).then_some(found)
}

/// Go's `Regexp.Split`; `None` for a count of nought.
pub(crate) fn split(
    pattern: &Regex,
    source: &[u8],
    text: &[u8],
    count: i64,
) -> Option<Vec<Vec<u8>>> {
    if count == 0 {
        return None;
    }
    if !source.is_empty() && text.is_empty() {
        return Some(vec![Vec::new()]);
    }
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    let matches = pattern
        .find_iter(text)
        .filter(|found| on_boundary(found, text));
    for found in matches.take(limit) {
        if parts.len() == limit - 1 {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(text[start..end].to_vec());
        }
        start = found.end();
    }
    if end != text.len() {
        parts.push(text[start..].to_vec());
    }
    Some(parts)
}
