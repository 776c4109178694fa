//! The `timeouts` attribute: how long an operation may take.

use std::time::Duration;

use crate::{Attribute, Attributes, Diagnostics, Dynamic, Path, Value, validators};

/// The `timeouts` attribute with a member for each operation given, such as
/// `attribute(&[("create", "30m"), ("delete", "10m")])`; the texts are the defaults, for the
/// description.
///
/// They are ordinary optional values: stored in state, and a delete is bound by what was applied.
pub fn attribute(operations: &[(&'static str, &str)]) -> Attribute {
    let members: Vec<_> = operations
        .iter()
        .map(|(operation, default)| {
            let text = format!(
                "How long {operation} may take, such as `\"30m\"`. Default: `\"{default}\"`."
            );
            let attribute = Attribute::string(text)
                .optional()
                .validate(validators::duration());
            (*operation, attribute)
        })
        .collect();
    Attribute::single(Attributes::from(members), "How long operations may take.").optional()
}

/// The limit of an operation, from the `timeouts` attribute of a plan or state.
///
/// # Errors
/// The text is no duration, or not known.
pub fn timeout(
    object: &Dynamic,
    operation: &str,
    default: Duration,
) -> Result<Duration, Diagnostics> {
    let path = Path::of("timeouts").attribute(operation.to_owned());
    match object.get_at::<Value<String>>(&path)? {
        Value::Null | Value::Unknown => Ok(default),
        Value::Known(text) => parse_duration(&text).ok_or_else(|| {
            Diagnostics::one_error_at(
                path,
                "no duration",
                format!("{text:?} is no duration. Write it as \"30m\" or \"1h30m\"."),
            )
        }),
    }
}

/// Reads a length of time as Go writes it: `1h30m`, `1.5h`, `300ms`. Negative ones are refused.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, unit) = rest.split_at(digits);
        let end = unit
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(unit.len());
        let (unit, next) = unit.split_at(end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        let part = Duration::try_from_secs_f64(number * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = next;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (text, seconds) in [
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("90s", 90.0),
            ("300ms", 0.3),
            ("0", 0.0),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "30",
            "m",
            "1x",
            "-5m",
            "1h 5m",
            "1e9h",
            "99999999999999999999h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn the_limit_comes_from_the_object() {
        let object = Dynamic::object([(
            "timeouts",
            Dynamic::object([("create", Dynamic::from("5m")), ("delete", Dynamic::Null)]),
        )]);
        let default = Duration::from_secs(1);
        assert_eq!(
            timeout(&object, "create", default),
            Ok(Duration::from_mins(5))
        );
        assert_eq!(timeout(&object, "delete", default), Ok(default));
        assert_eq!(
            timeout(
                &Dynamic::object([("timeouts", Dynamic::Null)]),
                "create",
                default
            ),
            Ok(default)
        );
    }
}
