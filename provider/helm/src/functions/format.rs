//! `printf`: Go's verbs, flags and marks of mistakes.

mod numbers;

use super::print;
use super::quote::{Rune, quote_with, runes};
use crate::value::{MapKind, Value};
use numbers::{float, integer, radix};
use std::fmt::Write as _;

#[derive(Clone, Copy, Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// `%#v`
    sharp_v: bool,
    /// `%+v`
    plus_v: bool,
}

/// Widths and precisions beyond this are refused, as in Go.
const TOO_LARGE: i64 = 1_000_000;

struct Printer<'a> {
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good: bool,
    out: Vec<u8>,
}

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(format: &[u8], args: &[Value]) -> Vec<u8> {
    let mut printer = Printer {
        args,
        next: 0,
        reordered: false,
        good: true,
        out: Vec::with_capacity(format.len() + 16),
    };
    printer.run(format);
    printer.out
}

fn digits(format: &[u8], at: &mut usize) -> Option<i64> {
    let start = *at;
    let mut value: i64 = 0;
    while let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(TOO_LARGE * 10);
        *at += 1;
    }
    (*at > start).then_some(value)
}

impl Printer<'_> {
    fn run(&mut self, format: &[u8]) {
        let mut at = 0;
        while at < format.len() {
            let text = format[at..].iter().position(|byte| *byte == b'%');
            let end = text.map_or(format.len(), |offset| at + offset);
            self.out.extend_from_slice(&format[at..end]);
            at = end;
            if at < format.len() {
                at = self.directive(format, at + 1);
            }
        }
        if !self.reordered && self.next < self.args.len() {
            self.out.extend_from_slice(b"%!(EXTRA ");
            for (index, arg) in self.args[self.next..].iter().enumerate() {
                if index > 0 {
                    self.out.extend_from_slice(b", ");
                }
                if arg.is_nil() {
                    self.out.extend_from_slice(b"<nil>");
                } else {
                    self.out.extend_from_slice(arg.type_name().as_bytes());
                    self.out.push(b'=');
                    print::print(arg, &mut self.out);
                }
            }
            self.out.push(b')');
        }
    }

    /// `[n]` selects an argument.
    fn index(&mut self, format: &[u8], at: &mut usize) -> bool {
        if format.get(*at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let Some(close) = format[*at..].iter().position(|byte| *byte == b']') else {
            self.good = false;
            *at += 1;
            return false;
        };
        let mut inner = *at + 1;
        let number = digits(format, &mut inner);
        let end = *at + close;
        *at = end + 1;
        match number {
            Some(number) if inner == end && number >= 1 && number <= self.args.len() as i64 => {
                self.next = number as usize - 1;
                true
            }
            _ => {
                self.good = false;
                true
            }
        }
    }

    /// The integer argument of `*`.
    fn star(&mut self) -> Option<i64> {
        let value = self.args.get(self.next)?;
        self.next += 1;
        match value {
            Value::Int(value) | Value::Int64(value) => Some(*value),
            Value::Uint8(value) => Some(i64::from(*value)),
            _ => None,
        }
        .filter(|value| value.abs() <= TOO_LARGE)
    }

    fn directive(&mut self, format: &[u8], start: usize) -> usize {
        let mut at = start;
        let mut flags = Flags::default();
        self.good = true;
        while let Some(byte) = format.get(at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            at += 1;
        }
        let mut after_index = self.index(format, &mut at);
        if format.get(at) == Some(&b'*') {
            at += 1;
            match self.star() {
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = Some(width.unsigned_abs() as usize);
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else if let Some(width) = digits(format, &mut at) {
            if width > TOO_LARGE {
                self.out.extend_from_slice(b"%!(NOVERB)");
                return at;
            }
            flags.width = Some(width as usize);
            if after_index {
                self.good = false;
            }
        }
        if format.get(at) == Some(&b'.') {
            at += 1;
            if after_index {
                self.good = false;
            }
            after_index = self.index(format, &mut at);
            if format.get(at) == Some(&b'*') {
                at += 1;
                match self.star() {
                    Some(precision) if precision >= 0 => {
                        flags.precision = Some(precision as usize);
                    }
                    Some(_) => {}
                    None => self.out.extend_from_slice(b"%!(BADPREC)"),
                }
                after_index = false;
            } else {
                flags.precision =
                    Some(digits(format, &mut at).unwrap_or(0).min(TOO_LARGE) as usize);
            }
        }
        if !after_index {
            self.index(format, &mut at);
        }
        self.verb(format, at, flags)
    }

    fn verb(&mut self, format: &[u8], at: usize, mut flags: Flags) -> usize {
        let Some(rune) = runes(&format[at.min(format.len())..]).next() else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return at;
        };
        let (verb, length) = match rune {
            Rune::Char(char) => (char, char.len_utf8()),
            Rune::Invalid(_) => ('\u{fffd}', 1),
        };
        let mut buffer = [0; 4];
        let verb_text = verb.encode_utf8(&mut buffer).as_bytes();
        if verb == '%' {
            self.out.push(b'%');
        } else if !self.good {
            self.out.extend_from_slice(b"%!");
            self.out.extend_from_slice(verb_text);
            self.out.extend_from_slice(b"(BADINDEX)");
        } else if let Some(arg) = self.args.get(self.next) {
            self.next += 1;
            if verb == 'v' {
                flags.sharp_v = flags.sharp;
                flags.plus_v = flags.plus;
                flags.sharp = false;
                flags.plus = false;
            }
            value(arg, verb, flags, 0, &mut self.out);
        } else {
            self.out.extend_from_slice(b"%!");
            self.out.extend_from_slice(verb_text);
            self.out.extend_from_slice(b"(MISSING)");
        }
        at + length
    }
}

fn pad(text: &[u8], flags: Flags, out: &mut Vec<u8>) {
    let count = runes(text).count();
    let fill = flags.width.unwrap_or(0).saturating_sub(count);
    if flags.minus {
        out.extend_from_slice(text);
        out.extend(std::iter::repeat_n(b' ', fill));
    } else {
        // Go pads strings with zeros too, when asked.
        let with = if flags.zero { b'0' } else { b' ' };
        out.extend(std::iter::repeat_n(with, fill));
        out.extend_from_slice(text);
    }
}

fn bad(arg: &Value, verb: char, flags: Flags, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("%!{verb}(").as_bytes());
    if arg.is_nil() {
        out.extend_from_slice(b"<nil>");
    } else {
        out.extend_from_slice(arg.type_name().as_bytes());
        out.push(b'=');
        match arg {
            // No method is called while an error is shown.
            Value::Duration(nanos) => radix(i128::from(*nanos), 10, "", false, flags, out),
            Value::Object(object) if let Some(number) = object.number() => {
                radix(i128::from(number), 10, "", false, flags, out);
            }
            _ => value(arg, 'v', flags, 0, out),
        }
    }
    out.push(b')');
}

fn value(arg: &Value, verb: char, flags: Flags, depth: usize, out: &mut Vec<u8>) {
    match verb {
        'T' => return pad(arg.type_name().as_bytes(), flags, out),
        'p' if !arg.is_nil() => return bad(arg, verb, flags, out),
        _ => {}
    }
    match arg {
        Value::Absent | Value::Nil => match verb {
            'v' if depth > 0 && flags.sharp_v => out.extend_from_slice(b"interface {}(nil)"),
            'v' => pad(b"<nil>", flags, out),
            _ if depth > 0 => out.extend_from_slice(b"<nil>"),
            _ => out.extend_from_slice(format!("%!{verb}(<nil>)").as_bytes()),
        },
        Value::Bool(value) => match verb {
            't' | 'v' => pad(if *value { b"true" } else { b"false" }, flags, out),
            _ => bad(arg, verb, flags, out),
        },
        Value::Int(value) | Value::Int64(value) => {
            integer(arg, i128::from(*value), verb, flags, out);
        }
        Value::Duration(nanos) => match verb {
            'v' | 's' | 'q' | 'x' | 'X' if !flags.sharp_v => {
                let text = crate::dates::duration_text(*nanos);
                string(arg, text.as_bytes(), verb, flags, out);
            }
            _ => integer(arg, i128::from(*nanos), verb, flags, out),
        },
        Value::Object(object) if let Some(number) = object.number() => match verb {
            'v' | 's' | 'q' | 'x' | 'X' if !flags.sharp_v => {
                string(arg, object.print().as_bytes(), verb, flags, out);
            }
            _ => integer(arg, i128::from(number), verb, flags, out),
        },
        Value::Uint8(value) => integer(arg, i128::from(*value), verb, flags, out),
        Value::Float(value) => float(arg, *value, verb, flags, out),
        Value::Complex(re, im) => {
            if !matches!(
                verb,
                'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
            ) {
                return bad(arg, verb, flags, out);
            }
            out.push(b'(');
            float(arg, *re, verb, flags, out);
            float(
                arg,
                *im,
                verb,
                Flags {
                    plus: true,
                    ..flags
                },
                out,
            );
            out.extend_from_slice(b"i)");
        }
        Value::Str(text) => string(arg, text, verb, flags, out),
        Value::Bytes(bytes) => match verb {
            's' | 'q' | 'x' | 'X' => string(arg, bytes, verb, flags, out),
            _ => {
                let items: Vec<Value> = bytes.iter().map(|byte| Value::Uint8(*byte)).collect();
                list("[]byte", &items, verb, flags, depth, out);
            }
        },
        Value::List(values) => {
            if flags.sharp_v && values.is_nil() {
                out.extend_from_slice(format!("{}(nil)", values.kind().type_name()).as_bytes());
            } else {
                list(
                    values.kind().type_name(),
                    values.items(),
                    verb,
                    flags,
                    depth,
                    out,
                );
            }
        }
        Value::Map(map) => {
            let entries = map.snapshot();
            let name = map.kind().type_name();
            if flags.sharp_v {
                if map.is_nil() {
                    return out.extend_from_slice(format!("{name}(nil)").as_bytes());
                }
                out.extend_from_slice(name.as_bytes());
                out.push(b'{');
            } else {
                out.extend_from_slice(b"map[");
            }
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(if flags.sharp_v { b", " } else { b" " });
                }
                value(&Value::Str(key.clone()), verb, flags, depth + 1, out);
                out.push(b':');
                nested(item, verb, flags, depth, map.kind() != MapKind::Str, out);
            }
            out.push(if flags.sharp_v { b'}' } else { b']' });
        }
        Value::Object(object) => {
            let text = object.print();
            match verb {
                'v' | 's' | 'q' | 'x' | 'X' => string(arg, text.as_bytes(), verb, flags, out),
                _ => bad(arg, verb, flags, out),
            }
        }
    }
}

/// An element; a container that contains itself must not end the process.
fn nested(item: &Value, verb: char, flags: Flags, depth: usize, _any: bool, out: &mut Vec<u8>) {
    if depth > 2_000 {
        return;
    }
    stacker::maybe_grow(64 << 10, 1 << 20, || {
        value(item, verb, flags, depth + 1, out);
    });
}

fn list(name: &str, items: &[Value], verb: char, flags: Flags, depth: usize, out: &mut Vec<u8>) {
    if flags.sharp_v {
        out.extend_from_slice(name.as_bytes());
    }
    out.push(if flags.sharp_v { b'{' } else { b'[' });
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(if flags.sharp_v { b", " } else { b" " });
        }
        nested(item, verb, flags, depth, true, out);
    }
    out.push(if flags.sharp_v { b'}' } else { b']' });
}

fn string(arg: &Value, text: &[u8], verb: char, flags: Flags, out: &mut Vec<u8>) {
    match verb {
        'v' if flags.sharp_v => quoted(text, flags, out),
        'v' | 's' => pad(&truncate(text, flags.precision), flags, out),
        'q' => quoted(&truncate(text, flags.precision), flags, out),
        'x' | 'X' => hex(text, verb, flags, out),
        _ => bad(arg, verb, flags, out),
    }
}

fn truncate(text: &[u8], precision: Option<usize>) -> Vec<u8> {
    let Some(precision) = precision else {
        return text.to_vec();
    };
    let mut out = Vec::new();
    for rune in runes(text).take(precision) {
        match rune {
            Rune::Char(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Rune::Invalid(byte) => out.push(byte),
        }
    }
    out
}

fn quoted(text: &[u8], flags: Flags, out: &mut Vec<u8>) {
    let raw = std::str::from_utf8(text).ok().filter(|text| {
        flags.sharp
            && text.chars().all(|char| {
                char != '`' && char != '\u{feff}' && (char == '\t' || !char.is_control())
            })
    });
    let quoted = match raw {
        Some(text) => format!("`{text}`"),
        None => quote_with(text, '"', flags.plus),
    };
    pad(quoted.as_bytes(), flags, out);
}

fn hex(text: &[u8], verb: char, flags: Flags, out: &mut Vec<u8>) {
    let text = &text[..flags.precision.unwrap_or(text.len()).min(text.len())];
    let prefix = if verb == 'x' { "0x" } else { "0X" };
    let mut hex = String::new();
    for (index, byte) in text.iter().enumerate() {
        if flags.space && index > 0 {
            hex.push(' ');
        }
        if flags.sharp && (flags.space || index == 0) {
            hex.push_str(prefix);
        }
        let _ = match verb {
            'x' => write!(hex, "{byte:02x}"),
            _ => write!(hex, "{byte:02X}"),
        };
    }
    pad(
        hex.as_bytes(),
        Flags {
            zero: flags.zero,
            ..flags
        },
        out,
    );
}
