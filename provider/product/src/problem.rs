//! The one form in which pure code reports what is wrong with an input.

use std::borrow::Cow;
use std::fmt;

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathStep {
    /// A named attribute of an object.
    Attribute(Cow<'static, str>),
    /// An element of a list, counted from zero.
    Index(u64),
    /// An element of a map.
    Key(String),
}

/// Where in a resource's configuration a problem lies, written as in HCL: `network.node_cidr`,
/// `zones[1]`, `labels["team"]`. The empty path is the whole object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<PathStep>);

impl Path {
    /// The whole object.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A root attribute; dots separate nested ones: `Path::of("network.node_cidr")`.
    pub fn of(dotted: &'static str) -> Self {
        Self(
            dotted
                .split('.')
                .map(|name| PathStep::Attribute(Cow::Borrowed(name)))
                .collect(),
        )
    }

    /// This path and one attribute more.
    pub fn attribute(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(PathStep::Attribute(name.into()));
        self
    }

    /// This path and one list index more.
    pub fn index(mut self, index: u64) -> Self {
        self.0.push(PathStep::Index(index));
        self
    }

    /// This path and one map key more.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(PathStep::Key(key.into()));
        self
    }

    /// The steps from the root down.
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Attribute(name) if position == 0 => f.write_str(name)?,
                PathStep::Attribute(name) => write!(f, ".{name}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a problem stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing may be planned or applied.
    Error,
    /// The run goes on; the user should know.
    Warning,
}

/// What is wrong, where, what was seen, what is allowed, what to do next. The binary turns it into
/// a diagnostic; no other code formats one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The attribute to blame; empty for the object as a whole.
    pub path: Path,
    /// A phrase in lower case without a full stop: `pod network overlaps the node network`.
    pub summary: Cow<'static, str>,
    /// The value that was seen, never a secret.
    pub seen: String,
    /// What is allowed: a range, a set, a pattern in words.
    pub allowed: String,
    /// What the reader should do, a sentence.
    pub next: String,
    /// Whether it stops the run.
    pub severity: Severity,
}

impl Problem {
    /// An error at `path`; fill in the rest with [`Self::seen`], [`Self::allowed`], [`Self::next`].
    pub fn error(path: Path, summary: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path, summary, Severity::Error)
    }

    /// A warning at `path`.
    pub fn warning(path: Path, summary: impl Into<Cow<'static, str>>) -> Self {
        Self::new(path, summary, Severity::Warning)
    }

    fn new(path: Path, summary: impl Into<Cow<'static, str>>, severity: Severity) -> Self {
        Self {
            path,
            summary: summary.into(),
            seen: String::new(),
            allowed: String::new(),
            next: String::new(),
            severity,
        }
    }

    /// Names the value that was seen.
    pub fn seen(mut self, seen: impl fmt::Display) -> Self {
        self.seen = seen.to_string();
        self
    }

    /// Names what is allowed.
    pub fn allowed(mut self, allowed: impl fmt::Display) -> Self {
        self.allowed = allowed.to_string();
        self
    }

    /// Says what to do.
    pub fn next(mut self, next: impl fmt::Display) -> Self {
        self.next = next.to_string();
        self
    }

    /// Moves the problem below `parent`: a nested type reports relative to itself.
    pub fn under(mut self, parent: &Path) -> Self {
        let mut steps = parent.0.clone();
        steps.append(&mut self.path.0);
        self.path = Path(steps);
        self
    }

    /// The body of the diagnostic: what was seen, what is allowed, what to do, in that order.
    pub fn detail(&self) -> String {
        let mut lines = Vec::with_capacity(3);
        if !self.seen.is_empty() {
            lines.push(format!("Seen: {}", self.seen));
        }
        if !self.allowed.is_empty() {
            lines.push(format!("Allowed: {}", self.allowed));
        }
        if !self.next.is_empty() {
            lines.push(self.next.clone());
        }
        lines.join("\n")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.summary)?;
        let detail = self.detail();
        if !detail.is_empty() {
            write!(f, "\n{detail}")?;
        }
        Ok(())
    }
}

/// The answer of a parser: the value, or the one problem that stops it. Boxed, since a [`Problem`]
/// is large and the good answer is the common one.
pub type Checked<T> = Result<T, Box<Problem>>;
