//! Versions and constraints as Masterminds' semver, which Helm uses, treats them.

use std::fmt;

/// Why a text is no version or no constraint.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Error(pub String);

/// A version; partial ones (`1`, `v1.2`) are filled up with zeros. Ordered by precedence, build
/// metadata ignored.
#[derive(Debug, Clone)]
pub struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) pre: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl Version {
    /// A loosely written version.
    ///
    /// # Errors
    ///
    /// Masterminds' message.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let _ = text;
        Err(Error("Invalid Semantic Version".to_owned()))
    }

    /// A version as the specification writes it: three numbers, no `v`.
    ///
    /// # Errors
    ///
    /// Masterminds' message.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }

    /// The first number.
    pub const fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    pub const fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    pub const fn patch(&self) -> u64 {
        self.patch
    }

    /// What follows `-`, without it.
    pub fn prerelease(&self) -> &str {
        &self.pre
    }

    /// What follows `+`, without it.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text it was parsed from.
    pub fn original(&self) -> &str {
        &self.original
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch))
    }
}

/// A constraint such as `>=1.2 <2 || ^3`.
#[derive(Debug, Clone)]
pub struct Constraint {}

impl Constraint {
    /// Parses a constraint.
    ///
    /// # Errors
    ///
    /// `improper constraint: ...`
    pub fn parse(text: &str) -> Result<Self, Error> {
        Err(Error(format!("improper constraint: {text}")))
    }

    /// Whether `version` satisfies it. A prerelease satisfies only a range that names one.
    pub fn check(&self, version: &Version) -> bool {
        let _ = version;
        false
    }
}
