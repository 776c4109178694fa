//! JSON as Go's encoding/json reads and writes it.

use super::print::{float_shortest, plain, shortest};
use super::{Answer, Function, fixed, text};
use crate::template::{Fault, Run};
use crate::value::{Entries, List, ListKind, Map, MapKind, Type, Value};

mod decode;

pub(crate) use decode::decode;

const A: Type = Type::Any;
const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    fixed("toJson", &[A], |_, a| {
        Ok(Value::str(encode(&a[0], true).unwrap_or_default()))
    }),
    fixed("mustToJson", &[A], |_, a| {
        Ok(Value::str(encode(&a[0], true)?))
    }),
    fixed("toRawJson", &[A], |_, a| {
        Ok(Value::str(encode(&a[0], false)?))
    }),
    fixed("mustToRawJson", &[A], |_, a| {
        Ok(Value::str(encode(&a[0], false)?))
    }),
    fixed("toPrettyJson", &[A], |_, a| {
        Ok(Value::str(pretty(&a[0]).unwrap_or_default()))
    }),
    fixed("mustToPrettyJson", &[A], |_, a| {
        Ok(Value::str(pretty(&a[0])?))
    }),
    fixed("fromJson", &[S], |_, a| {
        Ok(match decode(&text(a, 0)) {
            Ok(Value::Map(map)) => Value::Map(map),
            Ok(Value::Nil) => Value::Map(Map::nil(MapKind::Any)),
            Ok(other) => error_map(&mismatch(&other, "map[string]interface {}")),
            Err(error) => error_map(&error),
        })
    }),
    fixed("fromJsonArray", &[S], |_, a| {
        Ok(match decode(&text(a, 0)) {
            Ok(Value::List(list)) => Value::List(list),
            Ok(Value::Nil) => Value::List(List::nil(ListKind::Any)),
            Ok(other) => Value::list(vec![Value::str(mismatch(&other, "[]interface {}"))]),
            Err(error) => Value::list(vec![Value::str(error)]),
        })
    }),
    fixed("mustFromJson", &[S], must_from_json),
];

fn must_from_json(_: &Run<'_>, args: &[Value]) -> Answer {
    decode(&text(args, 0)).map_err(Fault::new)
}

/// Go's complaint about JSON of another shape.
pub(super) fn mismatch(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Bool(_) => "bool",
        Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        _ => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
}

/// What Helm's `from*` functions give instead of failing.
pub(super) fn error_map(message: &str) -> Value {
    Value::map(Entries::from([("Error".into(), Value::str(message))]))
}

/// Compact JSON; `html` escapes `<`, `>` and `&`.
pub(crate) fn encode(value: &Value, html: bool) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    write(value, html, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, html: bool, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth > 1_000 {
        return Err("json: unsupported value: encountered a cycle".to_owned());
    }
    match value {
        Value::Absent | Value::Nil => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) | Value::Int64(value) | Value::Duration(value) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
        Value::Uint8(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Float(value) => out.extend_from_slice(number(*value)?.as_bytes()),
        Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
        Value::Str(text) => string(text, html, out),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            out.push(b'"');
            let text = base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes());
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Value::List(list) if list.is_nil() => out.extend_from_slice(b"null"),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                grown(item, html, depth, out)?;
            }
            out.push(b']');
        }
        Value::Map(map) => match map.read() {
            None => out.extend_from_slice(b"null"),
            Some(entries) => {
                out.push(b'{');
                for (index, (key, item)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    string(key, html, out);
                    out.push(b':');
                    grown(item, html, depth, out)?;
                }
                out.push(b'}');
            }
        },
        Value::Object(object) => grown(&object.json(), html, depth, out)?,
    }
    Ok(())
}

fn grown(value: &Value, html: bool, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    stacker::maybe_grow(64 << 10, 1 << 20, || write(value, html, depth + 1, out))
}

/// A number as encoding/json prints it.
pub(crate) fn number(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        return Err(format!(
            "json: unsupported value: {}",
            float_shortest(value, 6)
        ));
    }
    if value == 0.0 {
        return Ok(if value.is_sign_negative() { "-0" } else { "0" }.to_owned());
    }
    let (digits, exponent) = shortest(value.abs());
    let sign = if value < 0.0 { "-" } else { "" };
    if (-6..21).contains(&exponent) {
        return Ok(format!("{sign}{}", plain(&digits, exponent)));
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    // Go drops the leading zero of a negative exponent only.
    Ok(if exponent < 0 {
        format!("{sign}{first}{point}{rest}e-{}", -exponent)
    } else {
        format!("{sign}{first}{point}{rest}e+{exponent:02}")
    })
}

/// A JSON string.
pub(crate) fn string(text: &[u8], html: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '<' | '>' | '&' if html => escape(char, out),
                '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => escape(char, out),
                _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes());
}

/// Indented by two spaces.
fn pretty(value: &Value) -> Result<Vec<u8>, String> {
    let compact = encode(value, true)?;
    let mut out = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let newline = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 2));
    };
    for (at, byte) in compact.iter().copied().enumerate() {
        if in_string {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if !matches!(compact.get(at + 1), Some(b'}' | b']')) {
                    depth += 1;
                    newline(depth, &mut out);
                }
            }
            b'}' | b']' => {
                if !matches!(compact.get(at.wrapping_sub(1)), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    newline(depth, &mut out);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(depth, &mut out);
            }
            b':' => out.extend_from_slice(b": "),
            b'"' => {
                in_string = true;
                out.push(byte);
            }
            _ => out.push(byte),
        }
    }
    Ok(out)
}
