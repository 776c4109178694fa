//! Ranges.

use super::name;
use crate::schema::{ValidateRequest, Validator};
use crate::{Diagnostics, Number};

/// A whole number between two bounds, both included.
pub fn int_between(low: i64, high: i64) -> impl Validator {
    Between {
        low: Some(low.into()),
        high: Some(high.into()),
        whole: true,
        text: format!("a whole number from {low} to {high}"),
    }
}

/// A number between two bounds, both included. Bounds are written as in HCL: `"0.5"`.
///
/// # Panics
/// A bound is not a number.
pub fn number_between(low: &str, high: &str) -> impl Validator {
    let bound = |text: &str| -> Number { text.parse().expect("the bound is written as a number") };
    Between {
        low: Some(bound(low)),
        high: Some(bound(high)),
        whole: false,
        text: format!("a number from {low} to {high}"),
    }
}

/// A whole number not below a bound.
pub fn at_least(low: i64) -> impl Validator {
    Between {
        low: Some(low.into()),
        high: None,
        whole: true,
        text: format!("a whole number from {low} up"),
    }
}

/// A whole number not above a bound.
pub fn at_most(high: i64) -> impl Validator {
    Between {
        low: None,
        high: Some(high.into()),
        whole: true,
        text: format!("a whole number up to {high}"),
    }
}

struct Between {
    low: Option<Number>,
    high: Option<Number>,
    whole: bool,
    text: String,
}

impl Validator for Between {
    fn describe(&self) -> String {
        self.text.clone()
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let Some(number) = request.value.as_number() else {
            return;
        };
        let inside = self.low.as_ref().is_none_or(|low| number >= low)
            && self.high.as_ref().is_none_or(|high| number <= high);
        if !inside || self.whole && !number.is_integer() {
            diagnostics.error_at(
                request.path.clone(),
                "number out of range",
                format!(
                    "{} is {number}. It must be {}.",
                    name(request.path),
                    self.text
                ),
            );
        }
    }
}
