//! Times and durations in Go's notation.

use crate::value::{Signature, Type, Value};

/// Go's `Duration.String`: `1h2m3.5s`.
pub(crate) fn duration_text(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    if magnitude < 1_000_000_000 {
        let (unit, digits) = match magnitude {
            0..=999 => return format!("{sign}{magnitude}ns"),
            1_000..=999_999 => ("\u{b5}s", 3),
            _ => ("ms", 6),
        };
        return format!("{sign}{}{unit}", fraction(magnitude, digits));
    }
    let seconds = fraction(magnitude % 60_000_000_000, 9);
    let minutes = magnitude / 60_000_000_000;
    let hours = minutes / 60;
    if hours > 0 {
        format!("{sign}{hours}h{}m{seconds}s", minutes % 60)
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}s")
    } else {
        format!("{sign}{seconds}s")
    }
}

/// `value / 10^digits` without trailing zeros.
fn fraction(value: u64, digits: usize) -> String {
    let scale = 10_u64.pow(digits as u32);
    let rest = format!("{:0digits$}", value % scale);
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() {
        (value / scale).to_string()
    } else {
        format!("{}.{rest}", value / scale)
    }
}

/// What the methods of a duration take.
pub(crate) fn duration_method(name: &str) -> Option<Signature> {
    match name {
        "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds"
        | "String" | "Abs" => Some(Signature::fixed(&[])),
        "Round" | "Truncate" => Some(Signature::fixed(&[Type::Named("time.Duration")])),
        _ => None,
    }
}

/// Calls a method of a duration.
pub(crate) fn call_duration_method(nanos: i64, name: &str, args: &[Value]) -> Value {
    let unit = match args.first() {
        Some(Value::Duration(unit)) => *unit,
        _ => 0,
    };
    match name {
        "Hours" => Value::Float(nanos as f64 / 3.6e12),
        "Minutes" => Value::Float(nanos as f64 / 6e10),
        "Seconds" => Value::Float(nanos as f64 / 1e9),
        "Milliseconds" => Value::Int64(nanos / 1_000_000),
        "Microseconds" => Value::Int64(nanos / 1_000),
        "Nanoseconds" => Value::Int64(nanos),
        "Abs" => Value::Duration(nanos.checked_abs().unwrap_or(i64::MAX)),
        "Round" => Value::Duration(round(nanos, unit)),
        "Truncate" => Value::Duration(truncate(nanos, unit)),
        _ => Value::str(duration_text(nanos)),
    }
}

/// Toward nought, to a multiple of `unit`.
pub(crate) const fn truncate(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        nanos
    } else {
        nanos - nanos % unit
    }
}

/// To the nearest multiple of `unit`, halves away from nought.
pub(crate) fn round(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let rest = (nanos % unit).unsigned_abs();
    let base = nanos - nanos % unit;
    if rest.saturating_mul(2) < unit.unsigned_abs() {
        return base;
    }
    if nanos < 0 {
        base.checked_sub(unit).unwrap_or(i64::MIN)
    } else {
        base.checked_add(unit).unwrap_or(i64::MAX)
    }
}
