//! Attributes that exclude or need each other.

use crate::schema::{ConfigValidator, ValidateRequest, Validator};
use crate::{Diagnostics, Dynamic, Path};

/// Whether an attribute is set; `None` while that is unknown.
fn is_set(config: &Dynamic, path: &Path) -> Option<bool> {
    let mut here = Path::root();
    for step in path.steps() {
        match config.at(&here) {
            Some(value) if value.is_unknown() => return None,
            Some(_) => here = Path::from_steps(here.steps().iter().chain([step]).cloned()),
            None => return Some(false),
        }
    }
    match config.at(path) {
        Some(value) if value.is_unknown() => None,
        Some(value) => Some(!value.is_null()),
        None => Some(false),
    }
}

fn join(paths: &[Path]) -> String {
    let names: Vec<_> = paths.iter().map(Path::to_string).collect();
    names.join(", ")
}

fn paths(names: &[&'static str]) -> Vec<Path> {
    names.iter().map(|name| Path::of(name)).collect()
}

/// The attribute excludes these others (from the root: `network.vip`).
pub fn conflicts_with(others: &[&'static str]) -> impl Validator {
    Conflicts(paths(others))
}

struct Conflicts(Vec<Path>);

impl Validator for Conflicts {
    fn describe(&self) -> String {
        format!("not together with {}", join(&self.0))
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        for other in &self.0 {
            if other != request.path && is_set(request.config, other) == Some(true) {
                diagnostics.error_at(
                    request.path.clone(),
                    "attributes exclude each other",
                    format!(
                        "{} and {other} are both set. Set only one of them.",
                        request.path
                    ),
                );
            }
        }
    }
}

/// The attribute needs these others (from the root: `network.vip`).
pub fn requires(others: &[&'static str]) -> impl Validator {
    Requires(paths(others))
}

struct Requires(Vec<Path>);

impl Validator for Requires {
    fn describe(&self) -> String {
        format!("only together with {}", join(&self.0))
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        for other in &self.0 {
            if is_set(request.config, other) == Some(false) {
                diagnostics.error_at(
                    request.path.clone(),
                    "attribute missing",
                    format!("{} needs {other}. Set {other}, too.", request.path),
                );
            }
        }
    }
}

/// At most one of these attributes is set.
pub fn conflicting(names: &[&'static str]) -> impl ConfigValidator {
    Count {
        paths: paths(names),
        allowed: |set, _| set <= 1,
        text: "at most one",
    }
}

/// At least one of these attributes is set.
pub fn at_least_one_of(names: &[&'static str]) -> impl ConfigValidator {
    Count {
        paths: paths(names),
        allowed: |set, _| set >= 1,
        text: "at least one",
    }
}

/// Exactly one of these attributes is set.
pub fn exactly_one_of(names: &[&'static str]) -> impl ConfigValidator {
    Count {
        paths: paths(names),
        allowed: |set, _| set == 1,
        text: "exactly one",
    }
}

/// All of these attributes are set, or none.
pub fn required_together(names: &[&'static str]) -> impl ConfigValidator {
    Count {
        paths: paths(names),
        allowed: |set, all| set == 0 || set == all,
        text: "all or none",
    }
}

struct Count {
    paths: Vec<Path>,
    allowed: fn(usize, usize) -> bool,
    text: &'static str,
}

impl ConfigValidator for Count {
    fn describe(&self) -> String {
        format!("{} of {}", self.text, join(&self.paths))
    }

    fn validate(&self, config: &Dynamic, diagnostics: &mut Diagnostics) {
        let state: Option<Vec<bool>> = self.paths.iter().map(|path| is_set(config, path)).collect();
        let Some(state) = state else {
            return;
        };
        let set: Vec<_> = self
            .paths
            .iter()
            .zip(&state)
            .filter(|(_, set)| **set)
            .map(|(path, _)| path.clone())
            .collect();
        if (self.allowed)(set.len(), self.paths.len()) {
            return;
        }
        let seen = if set.is_empty() {
            "none is".to_owned()
        } else {
            format!(
                "{} set",
                join(&set) + if set.len() == 1 { " is" } else { " are" }
            )
        };
        diagnostics.error_at(
            // Underline one that is there; without any, the whole block.
            set.last().cloned().unwrap_or_default(),
            "attributes do not go together",
            format!("Set {} of {}; {seen}.", self.text, join(&self.paths)),
        );
    }
}
