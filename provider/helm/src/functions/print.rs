//! Go's default formatting of values.

use crate::value::{Map, Value};

/// The shortest digits that give `value` back, without a point, and the exponent of the first:
/// `123.4` is `("1234", 2)`.
pub(crate) fn shortest(value: f64) -> (String, i32) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.replace('.', "");
    (digits, exponent.parse().unwrap_or(0))
}

/// Go's `%g` with the shortest precision: an exponent below 1e-4 and from `limit` digits on.
pub(crate) fn float_shortest(value: f64, limit: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let (digits, exponent) = shortest(value.abs());
    let sign = if value < 0.0 { "-" } else { "" };
    if exponent < -4 || exponent >= limit {
        return format!("{sign}{}", scientific(&digits, exponent));
    }
    format!("{sign}{}", plain(&digits, exponent))
}

/// `1.5e+06`
pub(crate) fn scientific(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
}

/// `1500000` or `0.015`
pub(crate) fn plain(digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{}.{}", &digits[..whole], &digits[whole..])
}

/// `{{ value }}`: no value shows itself.
pub(crate) fn print_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Absent | Value::Nil => out.extend_from_slice(b"<no value>"),
        other => print(other, out),
    }
}

/// Containers within containers beyond this are not shown: a map may contain itself.
const MAX_DEPTH: usize = 2_000;

/// `%v`.
pub(crate) fn print(value: &Value, out: &mut Vec<u8>) {
    print_at(value, 0, out);
}

fn print_at(value: &Value, depth: usize, out: &mut Vec<u8>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Absent | Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) | Value::Int64(value) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
        Value::Uint8(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Float(value) => out.extend_from_slice(float_shortest(*value, 6).as_bytes()),
        Value::Complex(re, im) => out.extend_from_slice(complex(*re, *im).as_bytes()),
        Value::Duration(nanos) => {
            out.extend_from_slice(crate::dates::duration_text(*nanos).as_bytes());
        }
        Value::Str(text) => out.extend_from_slice(text),
        Value::Bytes(bytes) => print_bytes(bytes, out),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                grown(item, depth, out);
            }
            out.push(b']');
        }
        Value::Map(map) => print_map(map, depth, out),
        Value::Object(object) => object.print_to(out),
    }
}

/// A byte slice as numbers. Charts that print their whole dot print all their files this way: megabytes.
pub(crate) fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    for chunk in bytes.chunks(1_024) {
        let mut buffer = [b' '; 4 * 1_024];
        let mut end = 0;
        for &byte in chunk {
            let (digits, length) = NUMBERS[usize::from(byte)];
            buffer[end..end + 4].copy_from_slice(&digits);
            end += length;
        }
        out.extend_from_slice(&buffer[..end]);
    }
    if !bytes.is_empty() {
        out.pop();
    }
    out.push(b']');
}

/// Each byte as Go prints it, a space behind it, and how long that is.
const NUMBERS: [([u8; 4], usize); 256] = {
    let mut numbers = [([b' '; 4], 0); 256];
    let mut number = 0;
    while number < 256 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let mut at = if number >= 100 {
            0
        } else if number >= 10 {
            1
        } else {
            2
        };
        let (text, length) = &mut numbers[number];
        while at < 3 {
            text[*length] = b'0' + digits[at] as u8;
            *length += 1;
            at += 1;
        }
        *length += 1;
        number += 1;
    }
    numbers
};

fn grown(value: &Value, depth: usize, out: &mut Vec<u8>) {
    stacker::maybe_grow(64 << 10, 1 << 20, || print_at(value, depth + 1, out));
}

fn print_map(map: &Map, depth: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"map[");
    if let Some(entries) = map.read() {
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(key);
            out.push(b':');
            grown(value, depth, out);
        }
    }
    out.push(b']');
}

fn complex(re: f64, im: f64) -> String {
    let sign = if im.is_sign_negative() { "" } else { "+" };
    format!(
        "({}{sign}{}i)",
        float_shortest(re, 6),
        float_shortest(im, 6)
    )
}

/// Go's `fmt.Sprint`: spaces between operands when neither is a string.
pub(crate) fn sprint(args: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous_is_text = true;
    for (index, arg) in args.iter().enumerate() {
        let is_text = matches!(arg, Value::Str(_));
        if index > 0 && !is_text && !previous_is_text {
            out.push(b' ');
        }
        print(arg, &mut out);
        previous_is_text = is_text;
    }
    out
}

/// Go's `fmt.Sprintln`.
pub(crate) fn sprintln(args: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        print(arg, &mut out);
    }
    out.push(b'\n');
    out
}

/// sprig's `strval`: strings and bytes as they are, everything else as `%v`.
pub(crate) fn strval(value: &Value) -> Vec<u8> {
    match value {
        Value::Str(text) | Value::Bytes(text) => text.to_vec(),
        other => {
            let mut out = Vec::new();
            print(other, &mut out);
            out
        }
    }
}
