//! Go's regular expressions on top of the `regex` crate.
//!
//! Both are RE2's kin. What differs is translated: Perl classes are ASCII only, `\Q..\E` quotes, a
//! brace that repeats nothing is a brace, brackets and set operators inside a class are characters.

mod translate;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Regex, RegexBuilder};

use crate::functions::quote::quote;
use translate::Translator;

thread_local! {
    static CACHE: RefCell<HashMap<Vec<u8>, Rc<Regex>>> = RefCell::new(HashMap::new());
}

/// Compiles a pattern; the error is Go's.
pub(crate) fn compile(pattern: &[u8]) -> Result<Rc<Regex>, String> {
    if let Some(found) = CACHE.with_borrow(|cache| cache.get(pattern).cloned()) {
        return Ok(found);
    }
    let text = std::str::from_utf8(pattern).map_err(|_| {
        format!(
            "error parsing regexp: invalid UTF-8: `{}`",
            String::from_utf8_lossy(pattern)
        )
    })?;
    let translated = Translator::new(text)
        .run()
        .map_err(|e| format!("error parsing regexp: {e}"))?;
    let compiled = RegexBuilder::new(&translated)
        .size_limit(32 << 20)
        .build()
        .map_err(|_| format!("error parsing regexp: expression too large or invalid: `{text}`"))?;
    let compiled = Rc::new(compiled);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() > 1_000 {
            cache.clear();
        }
        cache.insert(pattern.to_vec(), compiled.clone());
    });
    Ok(compiled)
}

/// What Go's `MustCompile` panics with.
pub(crate) fn must_compile(pattern: &[u8]) -> Result<Rc<Regex>, String> {
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
