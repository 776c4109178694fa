//! Pure rules of the product: offerings, topologies, limits, names, addresses, versions.
//!
//! Nothing here does I/O. Types are made by `parse` and cannot be made otherwise; a rule that is
//! broken is reported as a [`Problem`], the one form in which pure code reports.

mod problem;

pub use problem::{Path, PathStep, Problem, Severity};
