//! sprig's dates and Helm's durations.

use super::casts::float_to_i64;
use super::print::float_shortest;
use super::quote::quote;
use super::{Answer, Function, fixed, text};
use crate::dates::{Time, Zone, duration_text, parse, parse_duration, round, truncate};
use crate::template::number::parse_float;
use crate::template::{Fault, Run};
use crate::value::{Type, Value};

const S: Type = Type::Str;
const A: Type = Type::Any;
const T: Type = Type::Named("time.Time");

const SECOND: i64 = 1_000_000_000;

pub(super) static TABLE: &[Function] = &[
    fixed("now", &[], |run, _| Ok(now(run).value())),
    fixed("date", &[S, A], |run, a| {
        Ok(show(run, &text(a, 0), &a[1], "Local"))
    }),
    fixed("dateInZone", &[S, A, S], in_zone),
    fixed("date_in_zone", &[S, A, S], in_zone),
    fixed("htmlDate", &[A], |run, a| {
        Ok(show(run, b"2006-01-02", &a[0], "Local"))
    }),
    fixed("htmlDateInZone", &[A, S], |run, a| {
        Ok(show(run, b"2006-01-02", &a[0], &text(a, 1).lossy()))
    }),
    fixed("dateModify", &[S, T], |_, a| modify(a, false)),
    fixed("date_modify", &[S, T], |_, a| modify(a, false)),
    fixed("mustDateModify", &[S, T], |_, a| modify(a, true)),
    fixed("must_date_modify", &[S, T], |_, a| modify(a, true)),
    fixed("ago", &[A], |run, a| {
        let now = now(run);
        let then = moment(&a[0]).unwrap_or_else(|| now.clone());
        Ok(Value::str(duration_text(round(now.since(&then), SECOND))))
    }),
    fixed("toDate", &[S, S], |_, a| {
        let time = parse(&text(a, 0).lossy(), &text(a, 1).lossy());
        Ok(time.unwrap_or_else(|_| Time::zero()).value())
    }),
    fixed("mustToDate", &[S, S], |_, a| {
        Ok(parse(&text(a, 0).lossy(), &text(a, 1).lossy())?.value())
    }),
    fixed("unixEpoch", &[T], |_, a| {
        let time = as_time(&a[0]).unwrap_or_else(Time::zero);
        Ok(Value::str(
            time.moment
                .as_nanosecond()
                .div_euclid(1_000_000_000)
                .to_string(),
        ))
    }),
    fixed("duration", &[A], |_, a| {
        let seconds = match &a[0] {
            Value::Str(text) => std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()),
            Value::Int64(seconds) => Some(*seconds),
            _ => None,
        };
        Ok(Value::str(duration_text(
            seconds.unwrap_or(0_i64).wrapping_mul(SECOND),
        )))
    }),
    fixed("durationRound", &[A], duration_round),
    fixed("mustToDuration", &[A], |_, a| {
        Ok(Value::Duration(as_duration(&a[0])?))
    }),
    fixed("durationSeconds", &[A], |_, a| {
        Ok(Value::Float(nanos(a) as f64 / 1e9))
    }),
    fixed("durationMilliseconds", &[A], |_, a| {
        Ok(Value::Int64(nanos(a) / 1_000_000))
    }),
    fixed("durationMicroseconds", &[A], |_, a| {
        Ok(Value::Int64(nanos(a) / 1_000))
    }),
    fixed("durationNanoseconds", &[A], |_, a| {
        Ok(Value::Int64(nanos(a)))
    }),
    fixed("durationMinutes", &[A], |_, a| {
        Ok(Value::Float(in_units(nanos(a), 60 * SECOND)))
    }),
    fixed("durationHours", &[A], |_, a| {
        Ok(Value::Float(in_units(nanos(a), 3600 * SECOND)))
    }),
    fixed("durationDays", &[A], |_, a| {
        Ok(Value::Float(in_units(nanos(a), 3600 * SECOND) / 24.0))
    }),
    fixed("durationWeeks", &[A], |_, a| {
        Ok(Value::Float(in_units(nanos(a), 3600 * SECOND) / 24.0 / 7.0))
    }),
    fixed("durationRoundTo", &[A, A], |_, a| Ok(to_multiple(a, round))),
    fixed("durationTruncateTo", &[A, A], |_, a| {
        Ok(to_multiple(a, truncate))
    }),
];

/// Go computes whole units and the rest apart.
fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

pub(super) fn now(run: &Run<'_>) -> Time {
    run.env.touch(|volatile| volatile.clock = true);
    Time::utc(run.env.clock.now())
}

fn as_time(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Time>().cloned(),
        _ => None,
    }
}

fn moment(value: &Value) -> Option<Time> {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Some(Time::from_unix(*seconds)),
        other => as_time(other),
    }
}

/// Anything that is no time means now.
fn show(run: &Run<'_>, layout: &[u8], value: &Value, zone: &str) -> Value {
    let time = moment(value).unwrap_or_else(|| now(run));
    let time = Time {
        moment: time.moment,
        zone: Zone::load(zone).unwrap_or(Zone::Utc),
    };
    Value::str(time.format(&String::from_utf8_lossy(layout)))
}

fn in_zone(run: &Run<'_>, args: &[Value]) -> Answer {
    Ok(show(run, &text(args, 0), &args[1], &text(args, 2).lossy()))
}

fn modify(args: &[Value], must: bool) -> Answer {
    let time = as_time(&args[1]).unwrap_or_else(Time::zero);
    match parse_duration(&text(args, 0).lossy()) {
        Ok(nanos) => Ok(time.add(nanos).value()),
        Err(error) if must => Err(error.into()),
        Err(_) => Ok(time.value()),
    }
}

fn duration_round(run: &Run<'_>, args: &[Value]) -> Answer {
    let nanos = match &args[0] {
        Value::Str(text) => parse_duration(&text.lossy()).unwrap_or(0),
        Value::Int64(nanos) => *nanos,
        other => match as_time(other) {
            Some(time) => now(run).since(&time),
            None => 0,
        },
    };
    let magnitude = nanos.unsigned_abs();
    let hour = 3600 * SECOND.unsigned_abs();
    let units = [
        (hour * 24 * 365, "y"),
        (hour * 24 * 30, "mo"),
        (hour * 24, "d"),
        (hour, "h"),
        (60 * SECOND.unsigned_abs(), "m"),
        (SECOND.unsigned_abs(), "s"),
    ];
    let found = units.iter().find(|(unit, _)| magnitude > *unit);
    Ok(Value::str(match found {
        Some((unit, name)) => format!("{}{name}", magnitude / unit),
        None => "0s".to_owned(),
    }))
}

/// Helm's reading of a duration; nought on failure.
fn nanos(args: &[Value]) -> i64 {
    as_duration(&args[0]).unwrap_or(0)
}

fn to_multiple(args: &[Value], operation: fn(i64, i64) -> i64) -> Value {
    let Ok(duration) = as_duration(&args[0]) else {
        return Value::Duration(0);
    };
    Value::Duration(match as_duration(&args[1]) {
        Ok(unit) => operation(duration, unit),
        Err(_) => duration,
    })
}

fn as_duration(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Duration(nanos) => Ok(*nanos),
        Value::Str(text) => {
            let lossy = text.lossy();
            let trimmed = lossy.trim();
            if trimmed.is_empty() {
                return Err("empty duration".into());
            }
            if let Ok(nanos) = parse_duration(trimmed) {
                return Ok(nanos);
            }
            match parse_float(trimmed) {
                Some(seconds) => float_seconds(seconds),
                None => Err(format!("could not parse duration {}", quote(text)).into()),
            }
        }
        Value::Absent | Value::Nil => Err("invalid duration".into()),
        Value::Int(seconds) | Value::Int64(seconds) => seconds
            .checked_mul(SECOND)
            .ok_or_else(|| Fault::new(format!("duration seconds overflow: {seconds}"))),
        Value::Uint8(seconds) => Ok(i64::from(*seconds) * SECOND),
        Value::Float(seconds) => float_seconds(*seconds),
        other => Err(format!("unsupported duration type {}", other.type_name()).into()),
    }
}

fn float_seconds(seconds: f64) -> Result<i64, Fault> {
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", float_shortest(seconds, 6)).into());
    }
    let nanos = seconds * 1e9;
    if nanos.abs() > i64::MAX as f64 {
        return Err(format!("duration seconds overflow: {}", float_shortest(seconds, 6)).into());
    }
    Ok(float_to_i64(nanos))
}
