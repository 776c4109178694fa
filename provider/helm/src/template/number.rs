//! Numeric literals.

use super::ast::Number;
use super::lex::Kind;
use crate::functions::quote::{quote, unquote_char};
use crate::value::Value;

/// Reads a literal; the error is Go's.
pub(super) fn parse(text: &str, kind: Kind) -> Result<Number, String> {
    let mut number = Number {
        text: text.into(),
        int: None,
        uint: None,
        float: None,
        ideal: None,
    };
    match kind {
        Kind::CharConstant => {
            let Some(code) = unquote_char(text) else {
                return Err(format!("malformed character constant: {text}"));
            };
            number.int = Some(i64::from(code));
            number.uint = Some(u64::from(code));
            number.float = Some(f64::from(code));
            number.ideal = Some(Value::Int(i64::from(code)));
            return Ok(number);
        }
        Kind::Complex => {
            let split = text[1..].rfind(['+', '-']).map_or(0, |at| at + 1);
            let parts = parse_float(&text[..split])
                .zip(parse_float(&text[split..text.len().saturating_sub(1)]));
            let Some((re, im)) = parts else {
                return Err(illegal(text));
            };
            complex(&mut number, re, im);
            return Ok(number);
        }
        _ => {}
    }
    if let Some(imaginary) = text.strip_suffix('i')
        && let Some(im) = parse_float(imaginary)
    {
        complex(&mut number, 0.0, im);
        return Ok(number);
    }
    number.uint = parse_uint(text);
    number.int = parse_int(text);
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quote(text.as_bytes())));
        }
        simplify(&mut number, float);
    }
    if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
        return Err(illegal(text));
    }
    let hex_int = text.len() > 2
        && text.starts_with('0')
        && matches!(text.as_bytes()[1], b'x' | b'X')
        && !text.contains(['p', 'P']);
    number.ideal = if !hex_int && text.contains(['.', 'e', 'E', 'p', 'P']) {
        number.float.map(Value::Float)
    } else {
        number.int.map(Value::Int)
    };
    Ok(number)
}

fn illegal(text: &str) -> String {
    format!("illegal number syntax: {}", quote(text.as_bytes()))
}

fn complex(number: &mut Number, re: f64, im: f64) {
    number.ideal = Some(Value::Complex(re, im));
    if im == 0.0 {
        simplify(number, re);
    }
}

/// A float without a fraction is also usable as an integer.
fn simplify(number: &mut Number, float: f64) {
    number.float = Some(float);
    let int = float as i64;
    if (int as f64).to_bits() == float.to_bits() && int != i64::MAX {
        number.int = Some(int);
        number.uint = u64::try_from(int).ok();
    }
}

/// Splits off Go's base prefix; the underscores are checked and dropped.
fn base(text: &str) -> Option<(u32, String)> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = if let Some(digits) = lower.strip_prefix("0x") {
        (16, digits)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (2, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (8, digits)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.contains('_') {
        let prefixed = base != 10;
        let ok = !digits.ends_with('_')
            && !digits.contains("__")
            && (prefixed || !digits.starts_with('_'));
        if !ok {
            return None;
        }
    }
    Some((base, digits.replace('_', "")))
}

/// Go's `ParseUint` with base 0.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let (base, digits) = base(text)?;
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(&digits, base).ok()
}

/// Go's `ParseInt` with base 0.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = i128::from(parse_uint(magnitude)?);
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Go's `ParseFloat`: decimal, hexadecimal, infinities, underscores between digits.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = magnitude.to_ascii_lowercase();
    let value = if let Some(hex) = lower.strip_prefix("0x") {
        parse_hex_float(hex)?
    } else if matches!(lower.as_str(), "inf" | "infinity") {
        f64::INFINITY
    } else if lower == "nan" {
        f64::NAN
    } else {
        if !lower.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            || lower.contains("nan")
            || lower.contains("inf")
            || lower.contains('_')
        {
            return None;
        }
        let value: f64 = lower.parse().ok()?;
        if value.is_infinite() {
            return None;
        }
        value
    };
    Some(if negative { -value } else { value })
}

fn parse_hex_float(hex: &str) -> Option<f64> {
    let (mantissa, exponent) = hex.split_once('p')?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let mut value = 0_f64;
    let mut seen_dot = false;
    for char in mantissa.chars() {
        match char {
            '.' if !seen_dot => seen_dot = true,
            '_' => {}
            _ => {
                value = value * 16.0 + f64::from(char.to_digit(16)?);
                if seen_dot {
                    exponent -= 4;
                }
            }
        }
    }
    Some(value * 2_f64.powi(exponent))
}
