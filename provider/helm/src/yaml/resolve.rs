//! What a plain scalar means in YAML 1.1, as go-yaml decides it.

use std::sync::LazyLock;

use crate::template::number::{parse_float, parse_int, parse_uint};

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date: text in a tree, but quoted when it is written as text.
    Timestamp,
    Merge,
    Text,
}

static FLOAT: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    regex::Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$").ok()
});

static BASE60: LazyLock<Option<regex::Regex>> =
    LazyLock::new(|| regex::Regex::new(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$").ok());

fn matches(pattern: &LazyLock<Option<regex::Regex>>, text: &str) -> bool {
    LazyLock::force(pattern)
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

/// A YAML 1.1 number such as `1:30`, which later versions read as text.
pub(super) fn is_base60(text: &str) -> bool {
    text.contains(':')
        && text.starts_with(['+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        && matches(&BASE60, text)
}

/// Words that only YAML 1.1 reads as booleans.
pub(super) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// go-yaml v2's reading; `old` adds YAML 1.1's words for booleans.
pub(super) fn resolve(text: &str, old: bool) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    if !matches!(
        first,
        b'+' | b'-' | b'0'
            ..=b'9'
                | b'.'
                | b'~'
                | b'<'
                | b'n'
                | b'N'
                | b'y'
                | b'Y'
                | b't'
                | b'T'
                | b'f'
                | b'F'
                | b'o'
                | b'O'
    ) {
        return Scalar::Text;
    }
    match text {
        "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    if old && let Some(value) = old_bool(text) {
        return Scalar::Bool(value);
    }
    match first {
        b'.' => parse_float(text).map_or(Scalar::Text, Scalar::Float),
        b'+' | b'-' | b'0'..=b'9' => number(text),
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(int) = parse_int(&plain) {
        return Scalar::Int(int);
    }
    if let Some(uint) = parse_uint(&plain) {
        return Scalar::Uint(uint);
    }
    if matches(&FLOAT, &plain)
        && let Some(float) = parse_float(&plain)
    {
        return Scalar::Float(float);
    }
    // Binary digits may have their sign behind the prefix.
    let digits = plain.strip_prefix("0b");
    digits
        .and_then(|digits| i64::from_str_radix(digits, 2).ok())
        .map_or(Scalar::Text, Scalar::Int)
}

/// `2001-12-14`, `2001-12-14T21:59:43.1Z` and their kin.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    static FULL: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
        regex::Regex::new(
            r"^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{2}:[0-9]{2}))?)?$",
        )
        .ok()
    });
    let Some(captures) = FULL.as_ref().and_then(|pattern| pattern.captures(text)) else {
        return false;
    };
    let part = |index: usize| {
        captures
            .get(index)
            .and_then(|part| part.as_str().parse::<u32>().ok())
    };
    let (Some(year), Some(month), Some(day)) = (part(1), part(2), part(3)) else {
        return false;
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
        && part(4).is_none_or(|hour| hour < 24)
        && part(5).is_none_or(|minute| minute < 60)
        && part(6).is_none_or(|second| second < 60)
}
