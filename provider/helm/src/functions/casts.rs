//! Loose conversions to numbers, as sprig's arithmetic does them (spf13/cast).

use crate::template::number::{parse_float, parse_int};
use crate::value::Value;

/// To `int64`; what cannot be converted is nought.
pub(crate) fn to_i64(value: &Value) -> i64 {
    match value {
        Value::Int(value) | Value::Int64(value) => *value,
        Value::Uint8(value) => i64::from(*value),
        Value::Float(value) => float_to_i64(*value),
        Value::Bool(value) => i64::from(*value),
        Value::Str(text) => std::str::from_utf8(text).map_or(0, text_to_i64),
        Value::Object(object) => object.number().unwrap_or(0),
        _ => 0,
    }
}

/// Truncation as amd64 does it: what does not fit is the smallest integer.
pub(crate) fn float_to_i64(value: f64) -> i64 {
    let truncated = value.trunc();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&truncated) {
        truncated as i64
    } else {
        i64::MIN
    }
}

fn text_to_i64(text: &str) -> i64 {
    parse_int(trim_zero_decimal(text)).unwrap_or(0)
}

/// `12.00` is read as `12`; any other fraction is no integer.
fn trim_zero_decimal(text: &str) -> &str {
    match text.rfind('.') {
        Some(point)
            if text[point + 1..].bytes().all(|byte| byte == b'0') && point + 1 < text.len() =>
        {
            &text[..point]
        }
        _ => text,
    }
}

/// To `float64`; what cannot be converted is nought.
pub(crate) fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Int(value) | Value::Int64(value) => *value as f64,
        Value::Uint8(value) => f64::from(*value),
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Str(text) => std::str::from_utf8(text)
            .ok()
            .and_then(parse_float)
            .unwrap_or(0.0),
        Value::Object(object) => object.number().unwrap_or(0) as f64,
        _ => 0.0,
    }
}
