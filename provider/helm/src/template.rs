//! Go templates with Helm's functions.
//!
//! A [`Set`] is one namespace of templates: parse all files of a chart into it in Helm's order, then
//! execute them one by one with an [`Env`] that says what the outside world looks like.
//!
//! ```
//! use helm::template::{Env, Set};
//! use helm::value::Value;
//!
//! let mut set = Set::new();
//! set.parse("demo", "{{ range .names }}{{ . | upper | quote }} {{ end }}")?;
//! let data = Value::from(serde_json::json!({ "names": ["ada", "grace"] }));
//! assert_eq!(set.execute("demo", &data, &Env::new())?, b"\"ADA\" \"GRACE\" ");
//! # Ok::<(), helm::template::Error>(())
//! ```

mod ast;
mod changes;
mod env;
mod error;
mod exec;
mod fault;
mod lex;
pub(crate) mod marks;
pub(crate) mod number;
mod parse;
mod rsa;

pub use env::{
    Clock, Entropy, Env, Limits, Lookup, NoLookup, SystemClock, SystemEntropy, Volatile,
};
pub use error::Error;

pub(crate) use exec::Run;
pub(crate) use fault::{Fault, warn};

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::value::Value;

/// Many named templates in one namespace.
#[derive(Default)]
pub struct Set {
    trees: parse::Trees,
    cache: exec::Cache,
}

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
    /// Go's parse errors, unknown functions and variables among them, as Helm words them.
    pub fn parse(&mut self, name: &str, source: &str) -> Result<(), Error> {
        let trees = parse::parse(name, source).map_err(|text| fault::parse_error(name, &text))?;
        for (name, tree) in trees {
            if tree.is_empty() && self.trees.contains_key(&name) {
                continue;
            }
            self.trees.insert(name, tree);
        }
        Ok(())
    }

    /// Whether a template of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// Executes a template. Helm's deletion of the literal `<no value>` has been done.
    ///
    /// # Errors
    ///
    /// What the template or a function refuses, or a limit of `env`, in Helm's words.
    pub fn execute(&self, name: &str, data: &Value, env: &Env) -> Result<Vec<u8>, Error> {
        let included = RefCell::new(HashMap::new());
        let depth = Cell::new(0);
        let run = Run {
            env,
            scope: exec::Scope {
                trees: &self.trees,
                outer: None,
            },
            cache: &self.cache,
            included: &included,
            depth: &depth,
        };
        let mut out = Vec::new();
        match run.template(name, data, &mut out) {
            Ok(()) => Ok(exec::without_no_value(out)),
            Err(fault) => Err(fault.report(name)),
        }
    }
}
