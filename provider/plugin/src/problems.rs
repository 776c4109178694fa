//! The only place where a `Problem` of the pure crates becomes a diagnostic of the protocol.

use framework::{Diagnostic, Diagnostics, Path, Severity};
use product::{PathStep, Problem};

/// The framework's form of a path.
fn path(path: &product::Path) -> Path {
    path.steps()
        .iter()
        .fold(Path::root(), |path, step| match step {
            PathStep::Attribute(name) => path.attribute(name.clone()),
            PathStep::Index(index) => path.index(*index),
            PathStep::Key(key) => path.key(key.clone()),
        })
}

/// The diagnostic of a problem.
pub fn diagnostic(problem: &Problem) -> Diagnostic {
    Diagnostic {
        severity: match problem.severity {
            product::Severity::Error => Severity::Error,
            product::Severity::Warning => Severity::Warning,
        },
        summary: problem.summary.to_string(),
        detail: problem.detail(),
        path: path(&problem.path),
    }
}

/// Adds problems to the messages of a call.
pub fn report<'p>(problems: impl IntoIterator<Item = &'p Problem>, diagnostics: &mut Diagnostics) {
    diagnostics.extend(problems.into_iter().map(diagnostic));
}

/// An executor's error as messages.
pub fn error(error: lifecycle::Error) -> Diagnostics {
    Diagnostics::from(diagnostic(&error.problem()))
}

/// A problem that must not fail the call: core would mark a working object for replacement.
pub fn warning(problem: &Problem) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        ..diagnostic(problem)
    }
}
