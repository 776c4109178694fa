//! Ranges.

use crate::schema::{ValidateRequest, Validator};
use crate::{Diagnostics, Number};

/// A whole number between two bounds, both included.
pub fn int_between(low: i64, high: i64) -> impl Validator {
    Between { low, high }
}

struct Between {
    low: i64,
    high: i64,
}

impl Validator for Between {
    fn describe(&self) -> String {
        format!("a whole number from {} to {}", self.low, self.high)
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let Some(number) = request.value.as_number() else {
            return;
        };
        let inside = *number >= Number::from(self.low) && *number <= Number::from(self.high);
        if !(inside && number.is_integer()) {
            diagnostics.error_at(
                request.path.clone(),
                "number out of range",
                format!(
                    "{} is {number}. Allowed is {}.",
                    request.path,
                    self.describe()
                ),
            );
        }
    }
}
