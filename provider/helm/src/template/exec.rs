//! Executing templates: what all of them share.

mod call;
mod eval;
mod track;
mod walk;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::ast::Tree;
use super::env::Env;
use super::fault::Fault;
use super::parse::{self, Trees};
use crate::functions::quote::quote;
use crate::value::{Str, Value};
use walk::{Slot, State};

/// Nested `{{ template }}` beyond this are refused.
const MAX_DEPTH: usize = 5_000;
/// Elements that one list may have.
const MAX_LIST: usize = 10_000_000;
/// Stack to keep free, and to add when less is left.
const RED_ZONE: usize = 256 << 10;
const SEGMENT: usize = 4 << 20;

/// The name Helm's root template has: the text of a `tpl` runs under it.
const ROOT: &str = "gotpl";

/// Texts given to `tpl`, parsed.
pub(super) type Cache = RefCell<HashMap<Str, Rc<Trees>>>;

/// The definitions in sight: those of a `tpl` text, then those around it.
pub(crate) struct Scope<'a> {
    pub(super) trees: &'a BTreeMap<Rc<str>, Rc<Tree>>,
    pub(super) outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Option<&Rc<Tree>> {
        let mut scope = Some(self);
        while let Some(current) = scope {
            if let Some(tree) = current.trees.get(name) {
                // A blank definition inside a `tpl` text does not hide one outside.
                let hidden =
                    tree.is_empty() && current.outer.is_some_and(|o| o.find(name).is_some());
                if !hidden {
                    return Some(tree);
                }
            }
            scope = current.outer;
        }
        None
    }
}

/// What functions see of a running execution.
pub(crate) struct Run<'a> {
    pub(crate) env: &'a Env,
    pub(super) scope: Scope<'a>,
    pub(super) cache: &'a Cache,
    pub(super) included: &'a RefCell<HashMap<Str, usize>>,
    pub(super) depth: &'a Cell<usize>,
}

impl Run<'_> {
    /// Uses up `count` steps of the budget.
    pub(crate) fn charge(&self, count: u64) -> Result<(), Fault> {
        let used = self.env.steps.get().saturating_add(count);
        self.env.steps.set(used);
        if used > self.env.limits.steps {
            return Err(Fault::new(format!(
                "the rendering takes more than {} steps",
                self.env.limits.steps
            )));
        }
        Ok(())
    }

    /// Refuses text longer than an execution may write.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.env.limits.output {
            return Err(Fault::new(format!(
                "the text is longer than {} bytes",
                self.env.limits.output
            )));
        }
        Ok(())
    }

    /// `include`.
    pub(crate) fn include(&self, name: &Str, data: &Value) -> Result<Value, Fault> {
        let count = self.included.borrow().get(name).copied().unwrap_or(0);
        if count > self.env.limits.depth {
            return Err(Fault::new(format!(
                "rendering template has a nested reference name: {}: unable to execute template",
                name.lossy()
            )));
        }
        self.included.borrow_mut().insert(name.clone(), count + 1);
        let mut out = Vec::new();
        let result = self.template(&name.lossy(), data, &mut out);
        if let Some(count) = self.included.borrow_mut().get_mut(name) {
            *count -= 1;
        }
        result?;
        Ok(Value::str(out))
    }

    /// `tpl`.
    pub(crate) fn tpl(&self, text: &Str, data: &Value) -> Result<Value, Fault> {
        if !text.windows(2).any(|pair| pair == b"{{") {
            return Ok(Value::Str(without_no_value(text.to_vec()).into()));
        }
        let cached = self.cache.borrow().get(text).cloned();
        let trees = match cached {
            Some(trees) => trees,
            None => {
                let source = text.lossy();
                let trees = parse::parse(ROOT, &source).map_err(|error| {
                    Fault::wrap(
                        format!(
                            "cannot parse template {}: {error}",
                            quote(source.as_bytes())
                        ),
                        Fault::new(error),
                    )
                })?;
                let trees = Rc::new(trees);
                self.cache.borrow_mut().insert(text.clone(), trees.clone());
                trees
            }
        };
        let run = Run {
            env: self.env,
            scope: Scope {
                trees: &trees,
                outer: Some(&self.scope),
            },
            cache: self.cache,
            included: self.included,
            depth: self.depth,
        };
        let mut out = Vec::new();
        if self.depth.get() >= MAX_DEPTH {
            return Err(Fault::new(format!(
                "exceeded maximum template depth ({MAX_DEPTH})"
            )));
        }
        self.depth.set(self.depth.get() + 1);
        let result = trees
            .get(ROOT)
            .map_or(Ok(()), |tree| run.tree(tree, data, &mut out));
        self.depth.set(self.depth.get() - 1);
        if let Err(fault) = result {
            return Err({
                let message = format!(
                    "error during tpl function execution for {}: {}",
                    quote(text),
                    fault.text()
                );
                Fault::wrap(message, *fault)
            });
        }
        Ok(Value::str(without_no_value(out)))
    }

    /// Executes the template `name`.
    pub(super) fn template(
        &self,
        name: &str,
        data: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Fault>> {
        match self.scope.find(name) {
            Some(tree) => self.tree(tree, data, out),
            None => Err(Box::new(Fault::new(format!(
                "template: no template {} associated with template {}",
                quote(name.as_bytes()),
                quote(ROOT.as_bytes())
            )))),
        }
    }

    fn tree(&self, tree: &Tree, data: &Value, out: &mut Vec<u8>) -> Result<(), Box<Fault>> {
        let dot = Slot {
            value: match data {
                Value::Nil => Value::Absent,
                other => other.clone(),
            },
            interface: false,
        };
        State::new(self, tree, dot.clone()).body(&dot, &tree.root, out)?;
        Ok(())
    }
}

/// Deletes Go's mark of a missing value, as Helm does.
pub(super) fn without_no_value(text: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let finder = memchr::memmem::Finder::new(MARK);
    let Some(mut at) = finder.find(&text) else {
        return text;
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    loop {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        match finder.find(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    out
}
