//! Numbers without loss.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most decimal digits, and the largest power of ten, that a number may have. Terraform computes with
/// 512 bits (155 digits); the bound keeps hostile input such as `1e999999999` from filling memory.
const LIMIT: usize = 4096;

/// A number of any size, held as decimal digits: what a user wrote in HCL comes back unchanged.
///
/// Terraform sends `0.1` and 2^80 as text, since neither fits a machine number; both are exact here.
/// Equal values are equal whatever their spelling (`1.50` is `1.5`).
///
/// ```
/// # use framework::Number;
/// let tenth: Number = "0.10".parse().unwrap();
/// assert_eq!(tenth.to_string(), "0.1");
/// assert_eq!(tenth.to_i64(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// Each value has exactly one form, so that derived equality is numeric equality.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Int(i64),
    /// `digits` x 10^`exponent`: not an `i64`; no leading and no trailing zero in `digits`.
    Decimal {
        negative: bool,
        digits: Box<str>,
        exponent: i32,
    },
    Infinity {
        negative: bool,
    },
}

/// A text that is no number, or one too large to hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not of the form `-12.5e3`.
    #[error("{0:?} is not a decimal number")]
    Syntax(String),
    /// More than 4096 digits or a power of ten beyond 4096.
    #[error("the number has too many digits")]
    TooLarge,
}

impl Number {
    /// Positive or negative infinity; terraform accepts it, users hardly ever mean it.
    pub const fn infinity(negative: bool) -> Self {
        Self(Repr::Infinity { negative })
    }

    /// The value, if it is an integer in range.
    pub fn to_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value, if it is an integer in range.
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Int(value) => u64::try_from(*value).ok(),
            Repr::Decimal {
                negative: false,
                exponent: 0..,
                ..
            } => self.to_string().parse().ok(),
            _ => None,
        }
    }

    /// The nearest double; exact only if [`Number::from_f64`] of it is equal again.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(value) => *value as f64,
            Repr::Decimal {
                negative,
                digits,
                exponent,
            } => {
                let text = format!("{}{digits}e{exponent}", if *negative { "-" } else { "" });
                text.parse().unwrap_or(f64::NAN)
            }
            Repr::Infinity { negative: false } => f64::INFINITY,
            Repr::Infinity { negative: true } => f64::NEG_INFINITY,
        }
    }

    /// The exact value of a double that has no fraction, else the shortest decimal that reads back as it; `None` for NaN.
    /// (Older cores send 2^80 as a double; they send no fraction so that does not fit one.)
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self::infinity(value < 0.0));
        }
        if value.fract() == 0.0 {
            return format!("{value:.0}").parse().ok();
        }
        format!("{value:e}").parse().ok()
    }

    /// Whether the value has no fraction.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Int(_) => true,
            Repr::Decimal { exponent, .. } => *exponent >= 0,
            Repr::Infinity { .. } => false,
        }
    }

    /// Whether the value is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Int(value) => *value < 0,
            Repr::Decimal { negative, .. } | Repr::Infinity { negative } => *negative,
        }
    }

    /// Sign, digits and power of ten, for comparison; `None` for infinity.
    fn parts(&self) -> Option<(bool, String, i64)> {
        match &self.0 {
            Repr::Int(value) => Some((*value < 0, value.unsigned_abs().to_string(), 0)),
            Repr::Decimal {
                negative,
                digits,
                exponent,
            } => Some((*negative, digits.to_string(), i64::from(*exponent))),
            Repr::Infinity { .. } => None,
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Int(value))
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Self(Repr::Int(value.into()))
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(Repr::Int(value.into()))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(
            |_| {
                normalise(false, &value.to_string(), 0).expect("twenty digits are within the limit")
            },
            |small| Self(Repr::Int(small)),
        )
    }
}

/// Builds the one form of a value from any digits and power of ten.
fn normalise(negative: bool, digits: &str, exponent: i64) -> Result<Number, NumberError> {
    let digits = digits.trim_start_matches('0');
    let short = digits.trim_end_matches('0');
    if short.is_empty() {
        return Ok(Number(Repr::Int(0)));
    }
    let exponent = exponent + (digits.len() - short.len()) as i64;
    if short.len() > LIMIT || exponent.unsigned_abs() > LIMIT as u64 {
        return Err(NumberError::TooLarge);
    }
    if (0..=18).contains(&exponent) && short.len() as i64 + exponent <= 19 {
        let sign = if negative { "-" } else { "" };
        let text = format!("{sign}{short}{:0<width$}", "", width = exponent as usize);
        if let Ok(value) = text.parse() {
            return Ok(Number(Repr::Int(value)));
        }
    }
    Ok(Number(Repr::Decimal {
        negative,
        digits: short.into(),
        exponent: exponent as i32,
    }))
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let syntax = || NumberError::Syntax(text.chars().take(40).collect());
        if text.len() > 3 * LIMIT {
            return Err(NumberError::TooLarge);
        }
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if matches!(rest, "Inf" | "inf" | "Infinity" | "infinity") {
            return Ok(Self::infinity(negative));
        }
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(syntax());
                }
                let value: i64 = exponent.parse().map_err(|_| NumberError::TooLarge)?;
                if value.unsigned_abs() > 4 * LIMIT as u64 {
                    return Err(NumberError::TooLarge);
                }
                (mantissa, value)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(syntax());
        }
        normalise(negative, &digits, exponent - fraction.len() as i64)
    }
}

impl fmt::Display for Number {
    /// Plain decimal notation without exponent, as terraform writes numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(value) => value.fmt(f),
            Repr::Infinity { negative } => f.write_str(if *negative { "-Inf" } else { "Inf" }),
            Repr::Decimal {
                negative,
                digits,
                exponent,
            } => {
                if *negative {
                    f.write_str("-")?;
                }
                let point = digits.len() as i64 + i64::from(*exponent);
                if *exponent >= 0 {
                    write!(f, "{digits}{:0<width$}", "", width = *exponent as usize)
                } else if point > 0 {
                    let (whole, fraction) = digits.split_at(point as usize);
                    write!(f, "{whole}.{fraction}")
                } else {
                    write!(f, "0.{:0<width$}{digits}", "", width = (-point) as usize)
                }
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Repr::Int(a), Repr::Int(b)) = (&self.0, &other.0) {
            return a.cmp(b);
        }
        let (a, b) = match (self.parts(), other.parts()) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return other.is_negative().cmp(&self.is_negative()),
            (None, Some(_)) if self.is_negative() => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) if other.is_negative() => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
        };
        match (a.0, b.0) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let magnitude = compare_magnitude((&a.1, a.2), (&b.1, b.2));
                if negative {
                    magnitude.reverse()
                } else {
                    magnitude
                }
            }
        }
    }
}

/// Compares two positive `digits x 10^exponent`.
fn compare_magnitude(a: (&str, i64), b: (&str, i64)) -> Ordering {
    let zero = |digits: &str| digits == "0";
    match (zero(a.0), zero(b.0)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    let order = |(digits, exponent): (&str, i64)| digits.len() as i64 + exponent;
    order(a)
        .cmp(&order(b))
        .then_with(|| a.0.trim_end_matches('0').cmp(b.0.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect("a number")
    }

    #[test]
    fn spelling_does_not_matter_and_nothing_is_lost() {
        for (written, read) in [
            ("0.1", "0.1"),
            ("1.50", "1.5"),
            ("-0", "0"),
            ("007", "7"),
            ("1e3", "1000"),
            ("12.5e-3", "0.0125"),
            ("1208925819614629174706176", "1208925819614629174706176"),
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1e30", "1000000000000000000000000000000"),
        ] {
            assert_eq!(number(written).to_string(), read);
        }
        assert_eq!(number("1e2"), number("100"));
        assert_eq!(Number::from_f64(0.1), Some(number("0.1")));
        assert_eq!(Number::from_f64(1e22), Some(number("1e22")));
        let large = Number::from_f64(f64::powi(2.0, 80));
        assert_eq!(large, Some(number("1208925819614629174706176")));
        assert_eq!(number("18446744073709551615").to_u64(), Some(u64::MAX));
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            "", "-", ".", "1e", "1e+", "1x", "0x10", "1.2.3", "--1", "1_000",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text:?} must not parse");
        }
        assert_eq!("1e999999999".parse::<Number>(), Err(NumberError::TooLarge));
    }

    #[test]
    fn order_is_numeric() {
        let sorted = [
            "-Inf", "-100", "-0.5", "0", "0.05", "0.1", "9", "10", "1e30", "Inf",
        ];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }
}
