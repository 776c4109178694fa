//! Derive macros of the provider framework.
