//! Acceptance suites.
