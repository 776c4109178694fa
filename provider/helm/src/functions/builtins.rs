//! Go's own functions.

use std::cmp::Ordering;

use super::compare::{eq, order};
use super::print::{sprint, sprintln};
use super::{Answer, Function, Special, fixed, variadic};
use crate::template::Fault;
use crate::value::{MapKind, Signature, Str, Type, Value};

const R: Type = Type::Reflect;

pub(super) static TABLE: &[Function] = &[
    Function {
        name: "and",
        signature: Signature::variadic(&[R], R),
        special: Special::And,
        call: |_, _| Ok(Value::Absent),
    },
    Function {
        name: "or",
        signature: Signature::variadic(&[R], R),
        special: Special::Or,
        call: |_, _| Ok(Value::Absent),
    },
    fixed("not", &[R], |_, args| Ok(Value::Bool(!args[0].truth()))),
    variadic("eq", &[R], R, |_, args| eq(args)),
    fixed("ne", &[R, R], |_, args| match eq(args)? {
        Value::Bool(equal) => Ok(Value::Bool(!equal)),
        other => Ok(other),
    }),
    fixed("lt", &[R, R], |_, args| compare(args, Ordering::is_lt)),
    fixed("le", &[R, R], |_, args| compare(args, Ordering::is_le)),
    fixed("gt", &[R, R], |_, args| compare_not(args, Ordering::is_gt)),
    fixed("ge", &[R, R], |_, args| compare_not(args, Ordering::is_ge)),
    fixed("len", &[R], |_, args| len(&args[0])),
    variadic("index", &[R], R, |_, args| index(args)),
    Function {
        name: "call",
        signature: Signature::variadic(&[R], R),
        special: Special::Call,
        call: |_, _| Ok(Value::Absent),
    },
    variadic("print", &[], Type::Any, |_, args| {
        Ok(Value::str(sprint(args)))
    }),
    variadic("println", &[], Type::Any, |_, args| {
        Ok(Value::str(sprintln(args)))
    }),
    variadic("printf", &[Type::Str], Type::Any, |run, args| {
        let format = super::text(args, 0);
        let text = super::format::sprintf(&format, &args[1..]);
        run.check_size(text.len())?;
        Ok(Value::str(text))
    }),
    variadic("html", &[], Type::Any, |_, args| {
        Ok(Value::str(html(&joined(args))))
    }),
    variadic("js", &[], Type::Any, |_, args| {
        Ok(Value::str(js(&joined(args))))
    }),
    variadic("urlquery", &[], Type::Any, |_, args| {
        Ok(Value::str(super::text::query_escape(&joined(args))))
    }),
];

fn compare(args: &[Value], want: fn(Ordering) -> bool) -> Answer {
    Ok(Value::Bool(want(order(&args[0], &args[1])?)))
}

/// `gt` and `ge`: not a number is greater than nothing.
fn compare_not(args: &[Value], want: fn(Ordering) -> bool) -> Answer {
    if let [Value::Float(a), Value::Float(b)] = args
        && (a.is_nan() || b.is_nan())
    {
        // Go computes these as the negation of `le` and `lt`.
        return Ok(Value::Bool(true));
    }
    compare(args, want)
}

/// The text that the escaping functions see: one string as it is, else as `print` joins them.
fn joined(args: &[Value]) -> Vec<u8> {
    match args {
        [Value::Str(text)] => text.to_vec(),
        _ => {
            let args: Vec<Value> = args
                .iter()
                .map(|arg| match arg {
                    Value::Nil | Value::Absent => Value::str("<no value>"),
                    other => other.clone(),
                })
                .collect();
            sprint(&args)
        }
    }
}

fn len(value: &Value) -> Answer {
    let length = match value {
        Value::Absent => {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        Value::Nil => return Err("len of nil pointer".into()),
        Value::Str(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => match object.underlying() {
            Some(underlying) => return len(&underlying),
            // A pointer is followed first.
            None => {
                let name = value.type_name();
                let name = name.strip_prefix('*').unwrap_or(&name);
                return Err(format!("len of type {name}").into());
            }
        },
        _ => return Err(format!("len of type {}", value.type_name()).into()),
    };
    Ok(Value::Int(length as i64))
}

fn index(args: &[Value]) -> Answer {
    let mut item = args[0].clone();
    if item.is_nil() {
        return Err("index of untyped nil".into());
    }
    for key in &args[1..] {
        item = index_one(&item, key)?;
    }
    Ok(item)
}

fn index_one(item: &Value, key: &Value) -> Answer {
    match item {
        Value::Absent | Value::Nil => Err("index of nil pointer".into()),
        Value::Str(text) | Value::Bytes(text) => {
            let at = position(key, text.len(), "string")?;
            Ok(Value::Uint8(text[at]))
        }
        Value::List(list) => {
            let at = position(key, list.len(), "slice")?;
            Ok(list.items()[at].clone())
        }
        Value::Map(map) => {
            let key = map_key(key)?;
            Ok(map.get(&key).unwrap_or_else(|| match map.kind() {
                MapKind::Str => Value::Str(Str::default()),
                _ => Value::Nil,
            }))
        }
        Value::Object(object) => match object.underlying() {
            Some(Value::Map(map)) => {
                let key = map_key(key)?;
                Ok(map.get(&key).unwrap_or(Value::Bytes(Str::default())))
            }
            Some(underlying) => index_one(&underlying, key),
            None => Err(format!("can't index item of type {}", item.type_name()).into()),
        },
        _ => Err(format!("can't index item of type {}", item.type_name()).into()),
    }
}

fn map_key(key: &Value) -> Result<Str, Fault> {
    match key {
        Value::Str(key) => Ok(key.clone()),
        Value::Absent | Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(format!("value has type {}; should be string", other.type_name()).into()),
    }
}

fn position(key: &Value, length: usize, kind: &str) -> Result<usize, Fault> {
    let at = match key {
        Value::Int(at) | Value::Int64(at) | Value::Duration(at) => *at,
        Value::Uint8(at) => i64::from(*at),
        Value::Absent | Value::Nil => return Err("cannot index slice/array with nil".into()),
        Value::Object(object) if let Some(at) = object.number() => at,
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()).into());
        }
    };
    if usize::try_from(at).is_ok_and(|at| at == length) {
        // Go's own check lets this one pass, and reflection panics.
        return Err(format!("reflect: {kind} index out of range").into());
    }
    usize::try_from(at)
        .ok()
        .filter(|at| *at < length)
        .ok_or_else(|| Fault::new(format!("index out of range: {at}")))
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn js(text: &[u8]) -> Vec<u8> {
    use super::quote::{Rune, is_print, runes};
    let mut out = Vec::with_capacity(text.len());
    for rune in runes(text) {
        let char = match rune {
            Rune::Char(char) => char,
            Rune::Invalid(_) => '\u{fffd}',
        };
        match char {
            '\\' => out.extend_from_slice(br"\\"),
            '\'' => out.extend_from_slice(br"\'"),
            '"' => out.extend_from_slice(b"\\\""),
            '<' => out.extend_from_slice(br"\u003C"),
            '>' => out.extend_from_slice(br"\u003E"),
            '&' => out.extend_from_slice(br"\u0026"),
            '=' => out.extend_from_slice(br"\u003D"),
            '\0'..='\x1f' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes());
            }
            _ if is_print(char) => {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.extend_from_slice(format!("\\u{:04X}", u32::from(char)).as_bytes()),
        }
    }
    out
}
