//! Checks of configured values, ready to use.

mod numbers;

pub use numbers::int_between;
