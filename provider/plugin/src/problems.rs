//! The only place where a `Problem` of the pure crates becomes a diagnostic of the protocol.

use std::borrow::Borrow;

use framework::{Diagnostic, Diagnostics, Path, Severity};
use product::{PathStep, Problem};

/// The framework's form of a path.
fn path(path: &[PathStep]) -> Path {
    path.iter().fold(Path::root(), |path, step| match step {
        PathStep::Attribute(name) => path.attribute(name.clone()),
        PathStep::Index(index) => path.index(*index),
        PathStep::Key(key) => path.key(key.clone()),
    })
}

/// The diagnostic of a problem.
///
/// Core finds the line of an attribute and of its elements, but not of a member of a nested attribute: such a path makes
/// it point at the resource as a whole. So the path stops before the member, and the detail tells it in full.
pub fn diagnostic(problem: &Problem) -> Diagnostic {
    let steps = problem.path.steps();
    let member = |step: &PathStep| matches!(step, PathStep::Attribute(_));
    let end = steps.iter().skip(1).position(member);
    let (place, detail) = match end {
        None => (path(steps), problem.detail()),
        Some(end) => (
            path(&steps[..=end]),
            format!("Attribute: {}\n{}", problem.path, problem.detail()),
        ),
    };
    Diagnostic {
        severity: match problem.severity {
            product::Severity::Error => Severity::Error,
            product::Severity::Warning => Severity::Warning,
        },
        summary: problem.summary.to_string(),
        detail,
        path: place,
    }
}

/// Adds problems to the messages of a call.
pub fn report<'p>(problems: impl IntoIterator<Item = &'p Problem>, diagnostics: &mut Diagnostics) {
    diagnostics.extend(problems.into_iter().map(diagnostic));
}

/// An executor's error as messages.
pub fn error(error: impl Borrow<lifecycle::Error>) -> Diagnostics {
    Diagnostics::from(diagnostic(&error.borrow().problem()))
}

/// A refusal of pure code as messages.
pub fn refused(problem: impl Borrow<Problem>) -> Diagnostics {
    Diagnostics::from(diagnostic(problem.borrow()))
}

/// A problem that must not fail the call: core would mark a working object for replacement.
pub fn warning(problem: &Problem) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        ..diagnostic(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_told_and_its_attribute_pointed_at() {
        let problem = |path| Problem::error(path, "wrong").seen("x");
        let nested = diagnostic(&problem(product::Path::of("network.metallb.mode")));
        assert_eq!(nested.path.to_string(), "network");
        assert!(
            nested
                .detail
                .starts_with("Attribute: network.metallb.mode\n")
        );
        let element = diagnostic(&problem(product::Path::of("zones").index(1)));
        assert_eq!(element.path.to_string(), "zones[1]");
        assert!(!element.detail.contains("Attribute"));
    }
}
