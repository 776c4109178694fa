//! What users read when something is wrong.

use std::collections::BTreeSet;

use proto_plugin::tfplugin6;

use crate::Path;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The call failed.
    Error,
    /// The call went on; the user should know.
    Warning,
}

/// One message to the user.
///
/// A good one says what is wrong (summary: a phrase in lower case without full stop), and in the
/// detail what was seen, what is allowed and what to do next. Terraform shows only the first of
/// several warnings with the same summary, and never hides values: print no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a phrase.
    pub summary: String,
    /// Values seen, values allowed, what to do. Lines that begin with a space are not re-wrapped.
    pub detail: String,
    /// The attribute to underline; the root when no single one is to blame.
    pub path: Path,
}

/// Messages of one call, in the order they were added and without repetitions.
///
/// It is also the error type of handlers: `?` on a `Result<_, Diagnostics>` ends the handler, and
/// what it had put into its response before stays there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

/// What a handler returns: everything else is in its response.
pub type Outcome = Result<(), Diagnostics>;

impl Diagnostics {
    /// No message.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a message unless the very same is there already.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.0.contains(&diagnostic) {
            self.0.push(diagnostic);
        }
    }

    /// Adds an error about the object as a whole.
    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.error_at(Path::root(), summary, detail);
    }

    /// Adds an error about an attribute.
    pub fn error_at(&mut self, path: Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path,
        });
    }

    /// Adds a warning about the object as a whole.
    pub fn warning(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.warning_at(Path::root(), summary, detail);
    }

    /// Adds a warning about an attribute.
    pub fn warning_at(
        &mut self,
        path: Path,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(Diagnostic {
            severity: Severity::Warning,
            summary: summary.into(),
            detail: detail.into(),
            path,
        });
    }

    /// One error about the object as a whole: `return Err(Diagnostics::one_error(...))`.
    pub fn one_error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::one_error_at(Path::root(), summary, detail)
    }

    /// One error about an attribute.
    pub fn one_error_at(path: Path, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut diagnostics = Self::new();
        diagnostics.error_at(path, summary, detail);
        diagnostics
    }

    /// Adds messages of another call.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in more {
            self.push(diagnostic);
        }
    }

    /// Whether at least one is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// `Err` with all messages if at least one is an error, else the messages (warnings).
    ///
    /// # Errors
    /// At least one message is an error.
    pub fn into_result(self) -> Result<Self, Self> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(self)
        }
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The messages.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// The protocol's form.
    pub(crate) fn to_wire(&self) -> Vec<tfplugin6::Diagnostic> {
        let mut seen = BTreeSet::new();
        self.0
            .iter()
            .filter(|diagnostic| seen.insert(*diagnostic))
            .map(|diagnostic| tfplugin6::Diagnostic {
                severity: match diagnostic.severity {
                    Severity::Error => tfplugin6::diagnostic::Severity::Error,
                    Severity::Warning => tfplugin6::diagnostic::Severity::Warning,
                }
                .into(),
                summary: diagnostic.summary.clone(),
                detail: diagnostic.detail.clone(),
                attribute: (!diagnostic.path.is_root()).then(|| diagnostic.path.to_wire()),
            })
            .collect()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut all = Self::new();
        all.extend(diagnostics);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
