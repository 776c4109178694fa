//! Writing YAML that every reader, of YAML 1.1 and 1.2, takes for the same.

use super::{Map, Yaml, parse::resolve};

const INDENT: usize = 4;

/// A document, without `---`, ending in a line feed.
pub fn to_text(value: &Yaml) -> String {
    let mut out = String::new();
    match value {
        Yaml::Map(map) if !map.is_empty() => write_map(&mut out, map, 0, false),
        Yaml::List(items) if !items.is_empty() => write_list(&mut out, items, 0),
        scalar => {
            write_scalar(&mut out, scalar, 0);
            out.push('\n');
        }
    }
    out
}

/// `started`: the first key stands on a line that is already indented (after `- `).
fn write_map(out: &mut String, map: &Map, indent: usize, started: bool) {
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 || !started {
            pad(out, indent);
        }
        write_text(out, key);
        out.push(':');
        write_value(out, value, indent);
    }
}

fn write_value(out: &mut String, value: &Yaml, indent: usize) {
    match value {
        Yaml::Map(map) if !map.is_empty() => {
            out.push('\n');
            write_map(out, map, indent + INDENT, false);
        }
        Yaml::List(items) if !items.is_empty() => {
            out.push('\n');
            write_list(out, items, indent + INDENT);
        }
        scalar => {
            out.push(' ');
            write_scalar(out, scalar, indent + INDENT);
            out.push('\n');
        }
    }
}

fn write_list(out: &mut String, items: &[Yaml], indent: usize) {
    for item in items {
        pad(out, indent);
        out.push('-');
        match item {
            Yaml::Map(map) if !map.is_empty() => {
                out.push(' ');
                write_map(out, map, indent + 2, true);
            }
            Yaml::List(inner) if !inner.is_empty() => {
                out.push('\n');
                write_list(out, inner, indent + INDENT);
            }
            scalar => {
                out.push(' ');
                write_scalar(out, scalar, indent + INDENT);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(out: &mut String, value: &Yaml, indent: usize) {
    match value {
        Yaml::Null => out.push_str("null"),
        Yaml::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Yaml::Number(number) => out.push_str(number),
        Yaml::Text(text) if is_block(text) => write_block(out, text, indent),
        Yaml::Text(text) => write_text(out, text),
        Yaml::List(_) => out.push_str("[]"),
        Yaml::Map(_) => out.push_str("{}"),
    }
}

/// Whether a text can be a literal block: several lines of printable text, ending in exactly one
/// line feed, which PEM and scripts do.
fn is_block(text: &str) -> bool {
    text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n'])
        && text
            .chars()
            .all(|character| character == '\n' || is_printable(character))
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    for line in text.lines() {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            printable if is_printable(printable) => out.push(printable),
            other => out.push_str(&escape(other)),
        }
    }
    out.push('"');
}

fn escape(character: char) -> String {
    match character as u32 {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Plain where no reader can take the text for anything else.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next();
    let safe_start = first
        .is_some_and(|first| first.is_ascii_alphanumeric() || matches!(first, '/' | '_' | '$'));
    let safe = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-/+=:@$".contains(&byte));
    safe_start && safe && !text.ends_with(':') && !is_ambiguous(text)
}

/// Words and numbers of YAML 1.1 and 1.2; whatever begins like a number is quoted, addresses and
/// versions of three parts apart.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "nil",
    ];
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    if !matches!(resolve(text), Yaml::Text(_)) {
        return true;
    }
    // 1:20 is a number in base sixty, 2026-11-21 a date, 1_000 and 0b1 numbers, for YAML 1.1.
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    let address = text.contains('/') || text.split('.').count() > 2;
    first.is_ascii_digit()
        && !(address && text.bytes().any(|byte| byte == b'.'))
        && !text
            .bytes()
            .any(|byte| byte.is_ascii_alphabetic() && !b"abcdefxobABCDEFXOB_tTzZ".contains(&byte))
}

fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a1}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{ad}')
}

fn pad(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}
