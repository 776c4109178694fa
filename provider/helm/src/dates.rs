//! Times and durations in Go's notation.

mod layout;
mod parse;
mod time;

pub(crate) use parse::parse;
pub(crate) use time::{Time, Zone};

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

/// Go's `ParseDuration`: `1h30m`, `-1.5s`, `100ms`.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || {
        let quoted = crate::functions::quote::quote(text.as_bytes());
        format!("time: invalid duration {quoted}")
    };
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let (number, after) = rest.split_at(whole);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if number.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_length = after
            .find(|char: char| char == '.' || char.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_length);
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => {
                let quoted = crate::functions::quote::quote(text.as_bytes());
                return Err(format!("time: missing unit in duration {quoted}"));
            }
            other => {
                let quote = crate::functions::quote::quote;
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(other.as_bytes()),
                    quote(text.as_bytes())
                ));
            }
        };
        if number.len() > 19 {
            return Err(invalid());
        }
        total += number.parse::<u128>().unwrap_or(0) * scale;
        let fraction = &fraction[..fraction.len().min(18)];
        if !fraction.is_empty() {
            let power = 10_u128.pow(fraction.len() as u32);
            total += fraction.parse::<u128>().unwrap_or(0) * scale / power;
        }
        rest = next;
    }
    let limit = i64::MAX.unsigned_abs() + u64::from(negative);
    match u64::try_from(total) {
        Ok(total) if total <= limit => {
            let total = i128::from(total);
            Ok((if negative { -total } else { total }) as i64)
        }
        _ => Err(invalid()),
    }
}
