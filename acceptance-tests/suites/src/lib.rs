//! Acceptance suites: what their tests share. Each file in `tests` is one suite; each test has a sandbox process and a
//! terraform working folder of its own, so that all of them run side by side.

mod bench;
mod tools;

pub use bench::{Bench, Result};
pub use tools::Tools;
