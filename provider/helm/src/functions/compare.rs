//! Equality and order.

use std::cmp::Ordering;

use super::Answer;
use crate::template::Fault;
use crate::value::Value;

/// Go's `reflect.DeepEqual`: types count.
pub(crate) fn deep_equal(a: &Value, b: &Value) -> bool {
    deep(a, b, 0)
}

fn deep(a: &Value, b: &Value, depth: usize) -> bool {
    if depth > 2_000 {
        return true;
    }
    match (a, b) {
        (Value::Absent | Value::Nil, Value::Absent | Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b))
        | (Value::Int64(a), Value::Int64(b))
        | (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => same(*a, *b),
        (Value::Complex(a, b), Value::Complex(c, d)) => same(*a, *c) && same(*b, *d),
        (Value::Str(a), Value::Str(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && a.items()
                    .iter()
                    .zip(b.items())
                    .all(|(a, b)| grown(a, b, depth))
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.kind() != b.kind() || a.is_nil() != b.is_nil() {
                return false;
            }
            if a.same(b) {
                return true;
            }
            let (a, b) = (a.snapshot(), b.snapshot());
            a.len() == b.len()
                && a.iter()
                    .zip(&b)
                    .all(|((ka, va), (kb, vb))| ka == kb && grown(va, vb, depth))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.type_name() == b.type_name() && a.print() == b.print()
        }
        _ => false,
    }
}

/// IEEE equality: nought is minus nought, NaN is not itself.
fn same(a: f64, b: f64) -> bool {
    a.partial_cmp(&b) == Some(Ordering::Equal)
}

fn grown(a: &Value, b: &Value, depth: usize) -> bool {
    stacker::maybe_grow(64 << 10, 1 << 20, || deep(a, b, depth + 1))
}

/// The kinds that Go's `eq` and `lt` tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Bool,
    Complex,
    Float,
    Int,
    Uint,
    Text,
}

fn basic(value: &Value) -> Option<Basic> {
    match value {
        Value::Bool(_) => Some(Basic::Bool),
        Value::Int(_) | Value::Int64(_) | Value::Duration(_) => Some(Basic::Int),
        Value::Uint8(_) => Some(Basic::Uint),
        Value::Float(_) => Some(Basic::Float),
        Value::Complex(..) => Some(Basic::Complex),
        Value::Str(_) => Some(Basic::Text),
        Value::Object(object) => object.number().map(|_| Basic::Int),
        _ => None,
    }
}

fn signed(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) | Value::Int64(value) | Value::Duration(value) => {
            Some(i128::from(*value))
        }
        Value::Uint8(value) => Some(i128::from(*value)),
        Value::Object(object) => object.number().map(i128::from),
        _ => None,
    }
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    Fault::new(format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    ))
}

const BAD_TYPE: &str = "invalid type for comparison";

/// Whether Go's `==` applies to values of that type.
fn comparable(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Bytes(_))
        && !matches!(value, Value::Object(object) if matches!(object.kind(), "map" | "slice"))
}

fn not_comparable(value: &Value) -> Fault {
    let text = super::format::sprintf(b"%s", std::slice::from_ref(value));
    Fault::new(format!(
        "non-comparable type {}: {}",
        String::from_utf8_lossy(&text),
        value.type_name()
    ))
}

fn is_nil_container(value: &Value) -> bool {
    match value {
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn not_comparable_kinds(a: &Value, b: &Value) -> Fault {
    let shown = |value: &Value| {
        let text = super::format::sprintf(b"%v", std::slice::from_ref(value));
        String::from_utf8_lossy(&text).into_owned()
    };
    let first = super::format::sprintf(b"%s", std::slice::from_ref(a));
    Fault::new(format!(
        "non-comparable types {}: {}, {}: {}",
        String::from_utf8_lossy(&first),
        a.type_name(),
        b.type_name(),
        shown(b)
    ))
}

/// `eq`: the first argument against each of the others.
pub(crate) fn eq(args: &[Value]) -> Answer {
    let first = &args[0];
    if args.len() == 1 {
        return Err("missing argument for comparison".into());
    }
    for other in &args[1..] {
        let equal = match (basic(first), basic(other)) {
            (a, b) if a != b => match (signed(first), signed(other)) {
                (Some(a), Some(b)) => a == b,
                _ => {
                    if !first.is_nil() && !other.is_nil() {
                        return Err(incompatible(first, other));
                    }
                    false
                }
            },
            (Some(_), _) => deep_basic(first, other),
            (None, _) => {
                if first.is_nil() || other.is_nil() {
                    let nil = |value: &Value| value.is_nil() || is_nil_container(value);
                    nil(first) == nil(other)
                } else {
                    if first.kind_name() != other.kind_name() {
                        return Err(not_comparable_kinds(first, other));
                    }
                    if !comparable(other) {
                        return Err(not_comparable(other));
                    }
                    deep_equal(first, other)
                }
            }
        };
        if equal {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn deep_basic(a: &Value, b: &Value) -> bool {
    match (signed(a), signed(b)) {
        (Some(a), Some(b)) => a == b,
        _ => deep_equal(a, b),
    }
}

/// `lt` and its kin.
pub(crate) fn order(a: &Value, b: &Value) -> Result<Ordering, Fault> {
    let (Some(kind_a), Some(kind_b)) = (basic(a), basic(b)) else {
        return Err(BAD_TYPE.into());
    };
    if let (Some(a), Some(b)) = (signed(a), signed(b)) {
        return Ok(a.cmp(&b));
    }
    if kind_a != kind_b {
        return Err(incompatible(a, b));
    }
    match (a, b) {
        // NaN is neither less nor equal: `le` is `lt` or `eq`, so "greater" makes all false.
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b).unwrap_or(Ordering::Greater)),
        (Value::Str(a), Value::Str(b)) => Ok(a.cmp(b)),
        _ => Err(BAD_TYPE.into()),
    }
}
