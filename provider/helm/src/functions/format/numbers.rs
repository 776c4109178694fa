//! Numbers as Go's verbs print them.

use std::fmt::Write as _;

use super::super::print::{float_shortest, plain, scientific};
use super::super::quote::{is_print, quote_with};
use super::{Flags, bad, pad};
use crate::value::Value;

pub(super) fn integer(arg: &Value, number: i128, verb: char, flags: Flags, out: &mut Vec<u8>) {
    match verb {
        'v' if flags.sharp_v && matches!(arg, Value::Uint8(_)) => {
            radix(number, 16, "0x", false, flags, out);
        }
        'v' | 'd' => radix(number, 10, "", false, flags, out),
        'b' => radix(
            number,
            2,
            if flags.sharp { "0b" } else { "" },
            false,
            flags,
            out,
        ),
        'o' => radix(
            number,
            8,
            if flags.sharp { "0" } else { "" },
            false,
            flags,
            out,
        ),
        'O' => radix(number, 8, "0o", false, flags, out),
        'x' => radix(
            number,
            16,
            if flags.sharp { "0x" } else { "" },
            false,
            flags,
            out,
        ),
        'X' => radix(
            number,
            16,
            if flags.sharp { "0X" } else { "" },
            true,
            flags,
            out,
        ),
        'c' => {
            let char = u32::try_from(number).ok().and_then(char::from_u32);
            let char = char.unwrap_or('\u{fffd}');
            pad(char.encode_utf8(&mut [0; 4]).as_bytes(), flags, out);
        }
        'q' => {
            let char = u32::try_from(number).ok().and_then(char::from_u32);
            let char = char.unwrap_or('\u{fffd}');
            let text = quote_with(char.encode_utf8(&mut [0; 4]).as_bytes(), '\'', flags.plus);
            pad(text.as_bytes(), flags, out);
        }
        'U' => unicode(number, flags, out),
        _ => bad(arg, verb, flags, out),
    }
}

fn unicode(number: i128, flags: Flags, out: &mut Vec<u8>) {
    let digits = flags.precision.unwrap_or(4).max(4);
    let mut text = format!("U+{:0digits$X}", number as u64);
    if flags.sharp
        && let Some(char) = u32::try_from(number).ok().and_then(char::from_u32)
        && is_print(char)
    {
        let _ = write!(text, " '{char}'");
    }
    pad(
        text.as_bytes(),
        Flags {
            zero: false,
            ..flags
        },
        out,
    );
}

pub(super) fn radix(
    number: i128,
    base: u32,
    prefix: &str,
    upper: bool,
    flags: Flags,
    out: &mut Vec<u8>,
) {
    let magnitude = number.unsigned_abs();
    let mut digits = match base {
        2 => format!("{magnitude:b}"),
        8 => format!("{magnitude:o}"),
        16 if upper => format!("{magnitude:X}"),
        16 => format!("{magnitude:x}"),
        _ => magnitude.to_string(),
    };
    let sign = if number < 0 {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let mut wanted = 0;
    if let Some(precision) = flags.precision {
        wanted = precision;
        if precision == 0 && number == 0 {
            return pad(
                b"",
                Flags {
                    zero: false,
                    ..flags
                },
                out,
            );
        }
    } else if flags.zero
        && !flags.minus
        && let Some(width) = flags.width
    {
        wanted = width.saturating_sub(sign.len());
    }
    if digits.len() < wanted {
        digits = format!("{}{digits}", "0".repeat(wanted - digits.len()));
    }
    let prefix = if prefix == "0" && digits.starts_with('0') {
        ""
    } else {
        prefix
    };
    let text = format!("{sign}{prefix}{digits}");
    pad(
        text.as_bytes(),
        Flags {
            zero: false,
            ..flags
        },
        out,
    );
}

pub(super) fn float(arg: &Value, number: f64, verb: char, flags: Flags, out: &mut Vec<u8>) {
    let text = match verb {
        'v' if flags.sharp_v => float_shortest(number, 6),
        'v' | 'g' | 'G' => match flags.precision {
            None if flags.sharp => general(number, 6, true),
            None => float_shortest(number, 6),
            Some(precision) => general(number, precision, flags.sharp),
        },
        'e' | 'E' => exponent(number, flags.precision.unwrap_or(6)),
        'f' | 'F' => {
            if number.is_finite() {
                format!("{number:.*}", flags.precision.unwrap_or(6))
            } else {
                float_shortest(number, 6)
            }
        }
        'x' | 'X' => hex_float(number, flags.precision),
        'b' => binary_float(number),
        _ => return bad(arg, verb, flags, out),
    };
    let text = if verb.is_uppercase() && verb != 'F' {
        text.to_uppercase()
    } else {
        text
    };
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits.to_owned()),
        None => (false, text),
    };
    let infinite = digits.starts_with(['I', 'N']);
    let sign = if negative {
        "-"
    } else if flags.plus || (digits.starts_with('I') && !flags.space) {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let mut flags = flags;
    if infinite {
        flags.zero = false;
    }
    if flags.zero
        && !flags.minus
        && let Some(width) = flags.width
    {
        let fill = width.saturating_sub(sign.len() + digits.len());
        let text = format!("{sign}{}{digits}", "0".repeat(fill));
        return out.extend_from_slice(text.as_bytes());
    }
    pad(
        format!("{sign}{digits}").as_bytes(),
        Flags {
            zero: false,
            ..flags
        },
        out,
    );
}

/// `%e` with a precision.
fn exponent(number: f64, precision: usize) -> String {
    if !number.is_finite() {
        return float_shortest(number, 6);
    }
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `%g` with a precision; `sharp` keeps trailing zeros.
fn general(number: f64, precision: usize, sharp: bool) -> String {
    if !number.is_finite() || (number == 0.0 && !sharp) {
        return float_shortest(number, 6);
    }
    let precision = precision.max(1);
    let text = format!("{:.*e}", precision - 1, number.abs());
    let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
    let exp: i32 = exp.parse().unwrap_or(0);
    let mut digits = mantissa.replace('.', "");
    let mut limit = precision as i32;
    if !sharp {
        while digits.len() > 1 && digits.ends_with('0') {
            digits.pop();
        }
        if limit > digits.len() as i32 && digits.len() as i32 > exp {
            limit = digits.len() as i32;
        }
    }
    let sign = if number < 0.0 { "-" } else { "" };
    if exp < -4 || exp >= limit {
        format!("{sign}{}", scientific(&digits, exp))
    } else {
        format!("{sign}{}", plain(&digits, exp))
    }
}

/// `%x` of a float: `0x1.8p+01`.
fn hex_float(number: f64, precision: Option<usize>) -> String {
    if !number.is_finite() {
        return float_shortest(number, 6);
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let bits = number.abs().to_bits();
    if bits == 0 {
        let zeros = precision
            .filter(|p| *p > 0)
            .map_or(String::new(), |p| format!(".{}", "0".repeat(p)));
        return format!("{sign}0x0{zeros}p+00");
    }
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = bits & ((1 << 52) - 1);
    if exponent == -1023 {
        // A denormal number: shift until the first digit is one.
        exponent = -1022;
        while mantissa & (1 << 52) == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
        mantissa &= (1 << 52) - 1;
    }
    let mut lead = 1_u64;
    let mut digits = format!("{mantissa:013x}");
    match precision {
        Some(precision) if precision < 13 => {
            let shift = (13 - precision) * 4;
            let whole = (1_u64 << 52) | mantissa;
            let half = 1_u64 << (shift - 1);
            let mut kept = whole >> shift;
            let rest = whole & ((1 << shift) - 1);
            if rest > half || (rest == half && kept & 1 == 1) {
                kept += 1;
            }
            lead = kept >> (precision * 4);
            digits = format!("{:0precision$x}", kept & ((1 << (precision * 4)) - 1));
            if precision == 0 {
                digits.clear();
            }
            if lead > 1 {
                lead = 1;
                exponent += 1;
            }
        }
        Some(precision) => digits.push_str(&"0".repeat(precision - 13)),
        None => digits = digits.trim_end_matches('0').to_owned(),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{sign}0x{lead}{point}{digits}p{exponent_sign}{:02}",
        exponent.abs()
    )
}

/// `%b` of a float: `4503599627370496p-52`.
fn binary_float(number: f64) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let bits = number.abs().to_bits();
    let exponent = (bits >> 52) as i32;
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if exponent == 0 {
        (mantissa, -1074)
    } else {
        (mantissa | (1 << 52), exponent - 1075)
    };
    format!("{sign}{mantissa}p{exponent:+}")
}
