//! sprig's arithmetic.

use super::casts::{to_f64, to_i64};
use super::print::sprint;
use super::{Answer, Function, fixed, int, variadic};
use crate::template::{Fault, Run};
use crate::value::{List, ListKind, Type, Value};

mod decimal;

use decimal::Decimal;

const A: Type = Type::Any;
const I: Type = Type::Int;

pub(super) static TABLE: &[Function] = &[
    variadic("add", &[], A, |_, a| {
        Ok(Value::Int64(
            a.iter()
                .fold(0, |sum, value| sum.wrapping_add(to_i64(value))),
        ))
    }),
    fixed("add1", &[A], |_, a| {
        Ok(Value::Int64(to_i64(&a[0]).wrapping_add(1)))
    }),
    fixed("sub", &[A, A], |_, a| {
        Ok(Value::Int64(to_i64(&a[0]).wrapping_sub(to_i64(&a[1]))))
    }),
    variadic("mul", &[A], A, |_, a| {
        Ok(Value::Int64(a.iter().fold(1, |product, value| {
            product.wrapping_mul(to_i64(value))
        })))
    }),
    fixed("div", &[A, A], |_, a| divide(a, i64::wrapping_div)),
    fixed("mod", &[A, A], |_, a| divide(a, i64::wrapping_rem)),
    variadic("max", &[A], A, |_, a| Ok(extreme(a, i64::max))),
    variadic("biggest", &[A], A, |_, a| Ok(extreme(a, i64::max))),
    variadic("min", &[A], A, |_, a| Ok(extreme(a, i64::min))),
    variadic("maxf", &[A], A, |_, a| Ok(extreme_float(a, true))),
    variadic("minf", &[A], A, |_, a| Ok(extreme_float(a, false))),
    fixed("floor", &[A], |_, a| {
        Ok(Value::Float(to_f64(&a[0]).floor()))
    }),
    fixed("ceil", &[A], |_, a| Ok(Value::Float(to_f64(&a[0]).ceil()))),
    variadic("round", &[A, I], Type::Float, round),
    variadic("addf", &[], A, |_, a| {
        decimals(&Value::Float(0.0), a, Decimal::add)
    }),
    fixed("add1f", &[A], |_, a| {
        decimals(&a[0], &[Value::Int(1)], Decimal::add)
    }),
    variadic("subf", &[A], A, |_, a| {
        decimals(&a[0], &a[1..], Decimal::sub)
    }),
    variadic("mulf", &[A], A, |_, a| {
        decimals(&a[0], &a[1..], Decimal::mul)
    }),
    variadic("divf", &[A], A, |_, a| {
        decimals(&a[0], &a[1..], Decimal::div)
    }),
    fixed("until", &[I], |run, a| {
        let count = int(a, 0);
        steps(run, 0, count, if count < 0 { -1 } else { 1 }).map(ints)
    }),
    fixed("untilStep", &[I, I, I], |run, a| {
        steps(run, int(a, 0), int(a, 1), int(a, 2)).map(ints)
    }),
    variadic("seq", &[], I, seq),
    fixed("int", &[A], |_, a| Ok(Value::Int(to_i64(&a[0])))),
    fixed("int64", &[A], |_, a| Ok(Value::Int64(to_i64(&a[0])))),
    fixed("float64", &[A], |_, a| Ok(Value::Float(to_f64(&a[0])))),
    fixed("atoi", &[Type::Str], |_, a| {
        let text = super::text(a, 0);
        let number = std::str::from_utf8(&text).ok().map_or(0, atoi);
        Ok(Value::Int(number))
    }),
    fixed("toDecimal", &[A], |_, a| {
        let text = sprint(&a[..1]);
        let number = std::str::from_utf8(&text).ok();
        let number = number.map_or(0, |text| parse_base(text, 8).unwrap_or(0));
        Ok(Value::Int64(number))
    }),
];

/// Go's `Atoi`, whose value on overflow is the bound.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

fn parse_base(text: &str, base: u32) -> Option<i64> {
    if text.contains("+-") || text.contains("-+") {
        return None;
    }
    i64::from_str_radix(text, base).ok()
}

fn divide(args: &[Value], operation: fn(i64, i64) -> i64) -> Answer {
    let (a, b) = (to_i64(&args[0]), to_i64(&args[1]));
    if b == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::Int64(operation(a, b)))
}

fn extreme(args: &[Value], choose: fn(i64, i64) -> i64) -> Value {
    let first = to_i64(&args[0]);
    Value::Int64(
        args[1..]
            .iter()
            .fold(first, |best, value| choose(best, to_i64(value))),
    )
}

fn extreme_float(args: &[Value], largest: bool) -> Value {
    let first = to_f64(&args[0]);
    Value::Float(args[1..].iter().fold(first, |best, value| {
        let value = to_f64(value);
        if best.is_nan() || value.is_nan() {
            f64::NAN
        } else if largest {
            best.max(value)
        } else {
            best.min(value)
        }
    }))
}

fn round(_: &Run<'_>, args: &[Value]) -> Answer {
    let on = match args.get(2) {
        Some(Value::Float(on)) => *on,
        _ => 0.5,
    };
    let power = 10_f64.powf(int(args, 1) as f64);
    let digit = power * to_f64(&args[0]);
    let rounded = if digit.fract() >= on {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

fn decimals(
    first: &Value,
    rest: &[Value],
    operation: fn(&Decimal, &Decimal) -> Option<Decimal>,
) -> Answer {
    let parse = |value: &Value| {
        let number = to_f64(value);
        Decimal::from_f64(number).ok_or_else(|| {
            Fault::new(format!(
                "Cannot create a Decimal from {}",
                super::print::float_shortest(number, 6)
            ))
        })
    };
    let mut result = parse(first)?;
    for value in rest {
        let next = parse(value)?;
        result = operation(&result, &next).ok_or_else(|| Fault::new("decimal division by 0"))?;
    }
    Ok(Value::Float(result.to_f64()))
}

fn steps(run: &Run<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let mut numbers = Vec::new();
    if (stop < start && step >= 0) || (stop >= start && step <= 0) {
        return Ok(numbers);
    }
    let count =
        (i128::from(stop) - i128::from(start)).unsigned_abs() / i128::from(step).unsigned_abs();
    run.charge(u64::try_from(count).unwrap_or(u64::MAX))?;
    let mut next = start;
    while (step > 0 && next < stop) || (step < 0 && next > stop) {
        numbers.push(next);
        match next.checked_add(step) {
            Some(after) => next = after,
            None => break,
        }
    }
    Ok(numbers)
}

fn ints(numbers: Vec<i64>) -> Value {
    Value::List(List::new(
        ListKind::Int,
        numbers.into_iter().map(Value::Int).collect(),
    ))
}

fn seq(run: &Run<'_>, args: &[Value]) -> Answer {
    let number = |index: usize| int(args, index);
    let numbers = match args.len() {
        1 => {
            let (start, stop) = (1, number(0));
            let step = if stop < start { -1 } else { 1 };
            steps(run, start, stop.saturating_add(step), step)?
        }
        2 => {
            let (start, stop) = (number(0), number(1));
            let step = if stop < start { -1 } else { 1 };
            steps(run, start, stop.saturating_add(step), step)?
        }
        3 => {
            let (start, step, stop) = (number(0), number(1), number(2));
            let beyond = if stop < start { -1 } else { 1 };
            if stop < start && step > 0 {
                return Ok(Value::str(""));
            }
            steps(run, start, stop.saturating_add(beyond), step)?
        }
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::str(texts.join(" ")))
}
