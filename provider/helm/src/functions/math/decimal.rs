//! Decimal arithmetic, so that 1.1 + 2.2 is 3.3.

use num_bigint::BigInt;

/// `value * 10^exponent`, as shopspring's decimal keeps it.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    value: BigInt,
    exponent: i32,
}

/// Digits after the point that a division keeps.
const PRECISION: i32 = 16;

fn power_of_ten(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}

impl Decimal {
    /// The shortest decimal that reads back as `number`; `None` for infinities and NaN.
    pub(super) fn from_f64(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        let digits = mantissa.replace('.', "");
        Some(Self {
            value: digits.parse().ok()?,
            exponent: exponent - fraction as i32,
        })
    }

    fn scaled(&self, exponent: i32) -> BigInt {
        &self.value * power_of_ten(self.exponent - exponent)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "division can fail, and all share a signature"
    )]
    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let value = self.scaled(exponent) + other.scaled(exponent);
        Some(Self { value, exponent })
    }

    pub(super) fn sub(&self, other: &Self) -> Option<Self> {
        let negative = Self {
            value: -&other.value,
            exponent: other.exponent,
        };
        self.add(&negative)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "division can fail, and all share a signature"
    )]
    pub(super) fn mul(&self, other: &Self) -> Option<Self> {
        Some(Self {
            value: &self.value * &other.value,
            exponent: self.exponent + other.exponent,
        })
    }

    /// Rounded half away from nought at sixteen digits; `None` for a division by nought.
    pub(super) fn div(&self, other: &Self) -> Option<Self> {
        let zero = BigInt::from(0);
        if other.value == zero {
            return None;
        }
        let shift = self.exponent - other.exponent + PRECISION;
        let (mut numerator, mut denominator) = (self.value.clone(), other.value.clone());
        if shift >= 0 {
            numerator *= power_of_ten(shift);
        } else {
            denominator *= power_of_ten(shift);
        }
        let quotient = &numerator / &denominator;
        let rest = &numerator - &quotient * &denominator;
        let twice = (rest.clone() + &rest).magnitude().clone();
        let away = if (numerator < zero) == (denominator < zero) {
            1
        } else {
            -1
        };
        let value = if twice >= *denominator.magnitude() {
            quotient + away
        } else {
            quotient
        };
        Some(Self {
            value,
            exponent: -PRECISION,
        })
    }

    pub(super) fn to_f64(&self) -> f64 {
        format!("{}e{}", self.value, self.exponent)
            .parse()
            .unwrap_or(f64::NAN)
    }
}
