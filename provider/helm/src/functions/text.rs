//! Text algorithms behind the string functions: Go's `strings`, goutils and xstrings.

mod words;

pub(super) use words::{delimited_case, pascal_case};

use super::quote::{Rune, runes};
use std::fmt::Write as _;

/// Go's `strings.TrimSpace`.
pub(super) fn trim_space(text: &[u8]) -> &[u8] {
    trim_matches(text, &is_space)
}

/// Go's `unicode.IsSpace`.
pub(super) fn is_space(char: char) -> bool {
    char.is_whitespace()
}

/// Go's `strings.Trim`.
pub(super) fn trim_set<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    let set: Vec<char> = String::from_utf8_lossy(set).chars().collect();
    trim_matches(text, &|char| set.contains(&char))
}

fn trim_matches<'t>(text: &'t [u8], matches: &dyn Fn(char) -> bool) -> &'t [u8] {
    let length = |rune: &Rune| match rune {
        Rune::Char(char) => char.len_utf8(),
        Rune::Invalid(_) => 1,
    };
    let hit = |rune: &Rune| match rune {
        Rune::Char(char) => matches(*char),
        Rune::Invalid(_) => matches('\u{fffd}'),
    };
    let start: usize = runes(text).take_while(&hit).map(|rune| length(&rune)).sum();
    let rest = &text[start..];
    let all: Vec<Rune> = runes(rest).collect();
    let end: usize = all
        .iter()
        .rev()
        .take_while(|rune| hit(rune))
        .map(length)
        .sum();
    &rest[..rest.len() - end]
}

/// Maps characters; bytes that are no text become U+FFFD, as in Go's `strings.Map`.
fn map_chars(text: &[u8], mut to: impl FnMut(char, &mut String)) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    for rune in runes(text) {
        match rune {
            Rune::Char(char) => to(char, &mut out),
            Rune::Invalid(_) => to('\u{fffd}', &mut out),
        }
    }
    out.into_bytes()
}

/// One character to one: Go never makes two of one.
fn single(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => original,
    }
}

fn to_upper(char: char) -> char {
    single(char.to_uppercase(), char)
}

fn to_lower(char: char) -> char {
    match char {
        'İ' => 'i',
        _ => single(char.to_lowercase(), char),
    }
}

/// Go's `strings.ToUpper`.
pub(super) fn upper(text: &[u8]) -> Vec<u8> {
    map_chars(text, |char, out| out.push(to_upper(char)))
}

/// Go's `strings.ToLower`.
pub(super) fn lower(text: &[u8]) -> Vec<u8> {
    map_chars(text, |char, out| out.push(to_lower(char)))
}

fn is_separator(char: char) -> bool {
    if char.is_ascii() {
        return !(char.is_ascii_alphanumeric() || char == '_');
    }
    !char.is_alphanumeric() && char.is_whitespace()
}

/// Go's `strings.Title`.
pub(super) fn title(text: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    map_chars(text, |char, out| {
        out.push(if is_separator(previous) {
            to_upper(char)
        } else {
            char
        });
        previous = char;
    })
}

/// goutils' `Uncapitalize`: lower case after white space.
pub(super) fn untitle(text: &[u8]) -> Vec<u8> {
    let mut at_start = true;
    map_chars(text, |char, out| {
        if is_space(char) {
            at_start = true;
            out.push(char);
        } else {
            out.push(if at_start { to_lower(char) } else { char });
            at_start = false;
        }
    })
}

/// goutils' `SwapCase`.
pub(super) fn swap_case(text: &[u8]) -> Vec<u8> {
    map_chars(text, |char, out| {
        out.push(if char.is_uppercase() {
            to_lower(char)
        } else if char.is_lowercase() {
            to_upper(char)
        } else {
            char
        });
    })
}

/// Bytes as goutils takes them: each is a character of its own, in Latin-1.
fn latin(text: &[u8]) -> impl Iterator<Item = char> + '_ {
    text.iter().map(|byte| char::from(*byte))
}

/// goutils' `DeleteWhiteSpace`.
pub(super) fn no_space(text: &[u8]) -> String {
    latin(text).filter(|char| !is_space(*char)).collect()
}

/// goutils' `Initials`: the first character of each word.
pub(super) fn initials(text: &[u8]) -> String {
    let mut at_start = true;
    latin(text)
        .filter(|char| {
            let taken = at_start && !is_space(*char);
            at_start = is_space(*char);
            taken
        })
        .collect()
}

/// goutils' `AbbreviateFull`: at most `width` bytes, seen from `offset` on, with dots at the cuts.
pub(super) fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const MARK: &[u8] = b"...";
    let length = text.len() as i64;
    if width < 4 || length <= width {
        return text.to_vec();
    }
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    let slice = |from: i64, to: i64| {
        let from = from.clamp(0, length) as usize;
        let to = to.clamp(0, length) as usize;
        text.get(from..to.max(from)).unwrap_or_default()
    };
    if offset <= 4 {
        return [slice(0, width - 3), MARK].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        let rest = abbreviate(slice(offset, length), 0, width - 3);
        return [MARK, &rest].concat();
    }
    [MARK, slice(length - (width - 3), length)].concat()
}

/// goutils' `WrapCustom`: lines of at most `length` bytes, broken at spaces.
pub(super) fn wrap(text: &[u8], length: i64, newline: &[u8], long_words: bool) -> Vec<u8> {
    let newline: &[u8] = if newline.is_empty() { b"\n" } else { newline };
    let width = length.max(1) as usize;
    let total = text.len();
    let mut offset = 0;
    let mut out = Vec::with_capacity(total + 32);
    while total - offset > width {
        if text[offset] == b' ' {
            offset += 1;
            continue;
        }
        let end = (offset + width + 1).min(total);
        let space = text[offset..end]
            .iter()
            .rposition(|byte| *byte == b' ')
            .map(|at| at + offset);
        match space {
            Some(space) if space >= offset => {
                out.extend_from_slice(&text[offset..space]);
                out.extend_from_slice(newline);
                offset = space + 1;
            }
            _ if long_words => {
                out.extend_from_slice(&text[offset..offset + width]);
                out.extend_from_slice(newline);
                offset += width;
            }
            _ => {
                let next = text[offset + width..].iter().position(|byte| *byte == b' ');
                match next {
                    Some(next) => {
                        let space = offset + width + next;
                        out.extend_from_slice(&text[offset..space]);
                        out.extend_from_slice(newline);
                        offset = space + 1;
                    }
                    None => {
                        out.extend_from_slice(&text[offset..]);
                        offset = total;
                    }
                }
            }
        }
    }
    out.extend_from_slice(&text[offset..]);
    out
}

/// Where `needle` starts.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// Go's `strings.ReplaceAll`; an empty needle matches around every character.
pub(super) fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        out.extend_from_slice(new);
        for part in split(text, b"", -1) {
            out.extend_from_slice(&part);
            out.extend_from_slice(new);
        }
        return out;
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Go's `strings.SplitN`; a negative count is without limit.
pub(super) fn split(text: &[u8], separator: &[u8], count: i64) -> Vec<Vec<u8>> {
    if count == 0 {
        return Vec::new();
    }
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        while !rest.is_empty() {
            let length = match runes(rest).next() {
                _ if parts.len() + 1 >= limit => rest.len(),
                Some(Rune::Char(char)) => char.len_utf8(),
                _ => 1,
            };
            parts.push(rest[..length].to_vec());
            rest = &rest[length..];
        }
        return parts;
    }
    while parts.len() + 1 < limit {
        let Some(at) = find(rest, separator) else {
            break;
        };
        parts.push(rest[..at].to_vec());
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest.to_vec());
    parts
}

/// Go's `url.QueryEscape`.
pub(super) fn query_escape(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
