//! Texts.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::Regex;

use super::{name, shown};
use crate::Diagnostics;
use crate::schema::{ValidateRequest, Validator};

/// A text that a function accepts; the function says in a phrase what is wrong. `text` describes
/// what is allowed: `an address of the form a.b.c.d`. Use it for types that are parsed.
pub fn parses(
    text: impl Into<String>,
    check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
) -> impl Validator {
    Check {
        summary: "text of the wrong form",
        text: text.into(),
        accept: check,
    }
}

struct Check<F> {
    summary: &'static str,
    text: String,
    accept: F,
}

impl<F: Fn(&str) -> Result<(), String> + Send + Sync> Validator for Check<F> {
    fn describe(&self) -> String {
        self.text.clone()
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let Some(value) = request.value.as_str() else {
            return;
        };
        if let Err(wrong) = (self.accept)(value) {
            let wrong = if wrong.is_empty() {
                wrong
            } else {
                format!(": {wrong}")
            };
            diagnostics.error_at(
                request.path.clone(),
                self.summary,
                format!(
                    "{} is {}{wrong}. It must be {}.",
                    name(request.path),
                    shown(value),
                    self.text,
                ),
            );
        }
    }
}

/// Whether a condition holds, without a word why not.
fn holds(condition: bool) -> Result<(), String> {
    if condition {
        Ok(())
    } else {
        Err(String::new())
    }
}

/// A text that is not empty.
pub fn not_empty() -> impl Validator {
    parses("a text that is not empty", |text| {
        holds(!text.trim().is_empty())
    })
}

/// A text with so many characters, both bounds included.
pub fn length_between(low: usize, high: usize) -> impl Validator {
    parses(format!("{low} to {high} characters long"), move |text| {
        let length = text.chars().count();
        if (low..=high).contains(&length) {
            Ok(())
        } else {
            Err(format!("it has {length} characters"))
        }
    })
}

/// A text that matches a regular expression as a whole. `text` describes what is allowed.
///
/// # Panics
/// The expression is not one.
pub fn matches(expression: &str, text: impl Into<String>) -> impl Validator {
    let regex = Regex::new(&format!("^(?:{expression})$")).expect("the expression is a valid one");
    parses(text, move |value| holds(regex.is_match(value)))
}

/// One of these texts.
pub fn one_of<T: Into<String>>(allowed: impl IntoIterator<Item = T>) -> impl Validator {
    let allowed: Vec<String> = allowed.into_iter().map(Into::into).collect();
    let quoted: Vec<_> = allowed.iter().map(|text| format!("{text:?}")).collect();
    parses(format!("one of {}", quoted.join(", ")), move |text| {
        holds(allowed.iter().any(|one| one == text))
    })
}

/// A network: address and prefix length, without host bits.
pub fn cidr() -> impl Validator {
    parses("a network such as 10.0.0.0/16", |text| {
        let network: IpNet = text.parse().map_err(|_| String::new())?;
        if network.trunc() == network {
            Ok(())
        } else {
            Err(format!(
                "it has host bits, the network is {}",
                network.trunc()
            ))
        }
    })
}

/// An IP address.
pub fn ip_address() -> impl Validator {
    parses("an IP address", |text| {
        holds(text.parse::<IpAddr>().is_ok())
    })
}

/// A semantic version, with or without a leading `v`.
pub fn version() -> impl Validator {
    parses("a version such as 1.32.4", |text| {
        let text = text.strip_prefix('v').unwrap_or(text);
        semver::Version::parse(text)
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
}

/// A length of time as Go writes it: `1h30m`.
pub fn duration() -> impl Validator {
    parses("a duration such as \"30m\" or \"1h30m\"", |text| {
        holds(crate::timeouts::parse_duration(text).is_some())
    })
}
