//! Versions and constraints as Masterminds' semver, which Helm uses, treats them.

mod constraint;

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

pub use constraint::Constraint;

/// Why a text is no version or no constraint.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Error(pub String);

/// A version; partial ones (`1`, `v1.2`) are filled up with zeros. Ordered by precedence, build
/// metadata ignored.
#[derive(Debug, Clone)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
    metadata: String,
    original: String,
}

static LOOSE: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    regex::Regex::new(
        r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?(?:\+([0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*))?$",
    )
    .ok()
});

impl Version {
    /// A loosely written version: an optional `v`, one to three numbers, zeros in front allowed.
    ///
    /// # Errors
    ///
    /// Masterminds' message.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error("invalid semantic version".to_owned());
        let captures = LOOSE
            .as_ref()
            .filter(|_| !text.ends_with('\n'))
            .and_then(|pattern| pattern.captures(text))
            .ok_or_else(invalid)?;
        let part = |index: usize| captures.get(index).map_or("", |part| part.as_str());
        let number = |index: usize| {
            match part(index) {
            "" => Ok(0),
            digits => digits.parse::<u64>().map_err(|_| {
                Error(format!(
                    "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"
                ))
            }),
        }
        };
        let version = Self {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3)?,
            pre: part(4).to_owned(),
            metadata: part(5).to_owned(),
            original: text.to_owned(),
        };
        version.check_prerelease()?;
        Ok(version)
    }

    /// A version as the specification writes it: three numbers, no `v`.
    ///
    /// # Errors
    ///
    /// Masterminds' message.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error("version string empty".to_owned()));
        }
        let version = Self::parse(text)?;
        let core = text.split(['-', '+']).next().unwrap_or(text);
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() != 3 {
            return Err(Error("invalid semantic version".to_owned()));
        }
        if parts[0].starts_with('v') {
            return Err(Error("invalid characters in version".to_owned()));
        }
        if parts
            .iter()
            .any(|part| part.len() > 1 && part.starts_with('0'))
        {
            return Err(Error("version segment starts with 0".to_owned()));
        }
        Ok(version)
    }

    fn check_prerelease(&self) -> Result<(), Error> {
        let bad = |part: &str| {
            part.len() > 1
                && part.starts_with('0')
                && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if self.pre.split('.').any(bad) {
            return Err(Error("version segment starts with 0".to_owned()));
        }
        Ok(())
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
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(&self.pre, &other.pre),
            })
    }
}

/// Part by part: numbers by value and below words, fewer parts below more.
fn compare_prerelease(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}
