//! Go templates with Helm's functions.
//!
//! A [`Set`] is one namespace of templates: parse all files of a chart into it in Helm's order, then
//! execute them one by one with an [`Env`] that says what the outside world looks like.

mod env;
mod error;

pub use env::{
    Clock, Entropy, Env, Limits, Lookup, NoLookup, SystemClock, SystemEntropy, Volatile,
};
pub use error::Error;

use crate::value::Value;

/// Many named templates in one namespace.
#[derive(Default)]
pub struct Set {}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses `source` under `name` with everything it defines. A later definition of a name wins,
    /// except that a blank one never replaces another.
    ///
    /// # Errors
    ///
    /// Go's parse errors, unknown functions and variables among them.
    pub fn parse(&mut self, name: &str, source: &str) -> Result<(), Error> {
        let _ = source;
        Err(Error::new(format!("template: {name}: not there yet")))
    }

    /// Whether a template of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Executes a template. Helm's deletion of the literal `<no value>` has been done.
    ///
    /// # Errors
    ///
    /// What the template or a function refuses, or a limit of `env`, in Helm's words.
    pub fn execute(&self, name: &str, data: &Value, env: &Env) -> Result<Vec<u8>, Error> {
        let _ = (data, env);
        Err(Error::new(format!("template: {name}: not there yet")))
    }
}
