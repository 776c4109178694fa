//! Checks of configured values, ready to use.
//!
//! Each holds off while something it needs is unknown: terraform asks again when it is known.

mod collections;
mod numbers;
mod relations;
mod strings;
#[cfg(test)]
mod tests;

pub use collections::{each_element, each_key, size_between, unique};
pub use numbers::{at_least, at_most, int_between, number_between};
pub use relations::{
    at_least_one_of, conflicting, conflicts_with, exactly_one_of, required_together, requires,
};
pub use strings::{
    cidr, duration, ip_address, length_between, matches, not_empty, one_of, parses, version,
};

use crate::Path;

/// A place for a message: `size_gb`, or "The value" at the root.
fn name(path: &Path) -> String {
    if path.is_root() {
        "The value".to_owned()
    } else {
        path.to_string()
    }
}

/// A value for a message, cut to a readable length.
fn shown(text: &str) -> String {
    if text.chars().count() <= 60 {
        format!("{text:?}")
    } else {
        let start: String = text.chars().take(60).collect();
        format!("{start:?}...")
    }
}
