//! Constraints: comparisons joined by commas or spaces (and) and by `||` (or).

use std::sync::LazyLock;

use regex::Regex;

use super::{Error, Version, compare_prerelease};

const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
const VERSION: &str = r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";

struct Patterns {
    one: Regex,
    range: Regex,
    find: Regex,
    valid: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    // White space as Go's expressions know it: ASCII only.
    let compile = |pattern: String| Regex::new(&pattern.replace(r"\s", r"[\t\n\f\r ]")).ok();
    Some(Patterns {
        one: compile(format!(r"^\s*({OPERATORS})\s*({VERSION})\s*$"))?,
        range: compile(format!(r"\s*({VERSION})\s+-\s+({VERSION})\s*"))?,
        find: compile(format!(r"({OPERATORS})\s*({VERSION})"))?,
        valid: compile(format!(
            r"^(\s*({OPERATORS})\s*({VERSION})\s*)((?:\s+|,\s*)({OPERATORS})\s*({VERSION})\s*)*$"
        ))?,
    })
});

/// A constraint such as `>=1.2 <2 || ^3`.
#[derive(Debug, Clone)]
pub struct Constraint {
    groups: Vec<Group>,
}

/// Comparisons that must all hold.
#[derive(Debug, Clone)]
struct Group {
    comparisons: Vec<Comparison>,
    /// Whether one of them names a prerelease: only then may a prerelease satisfy the group.
    prerelease: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

#[derive(Debug, Clone)]
struct Comparison {
    operator: Operator,
    version: Version,
    /// `*`, `1` or `1.2`: some number is missing or a wildcard.
    partial: bool,
    minor_missing: bool,
    patch_missing: bool,
}

fn improper(text: &str) -> Error {
    Error(format!(
        "improper constraint: {}",
        crate::functions::quote::quote(text.as_bytes())
    ))
}

fn is_wildcard(text: &str) -> bool {
    matches!(text, "x" | "X" | "*")
}

impl Constraint {
    /// Parses a constraint.
    ///
    /// # Errors
    ///
    /// `improper constraint: ...`
    pub fn parse(text: &str) -> Result<Self, Error> {
        let patterns = PATTERNS.as_ref().ok_or_else(|| improper(text))?;
        let text = rewrite_ranges(text, &patterns.range);
        let groups = text.split("||").map(|group| Group::parse(group, patterns));
        Ok(Self {
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `version` satisfies it. A prerelease satisfies only a range that names one.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            (version.pre.is_empty() || group.prerelease)
                && group
                    .comparisons
                    .iter()
                    .all(|comparison| comparison.check(version))
        })
    }
}

/// `1.2 - 2` means `>= 1.2, <= 2`.
fn rewrite_ranges(text: &str, pattern: &Regex) -> String {
    let mut out = text.to_owned();
    for captures in pattern.captures_iter(text) {
        let part = |index: usize| captures.get(index).map_or("", |part| part.as_str());
        let replacement = format!(">= {}, <= {} ", part(1), part(11));
        out = out.replacen(part(0), &replacement, 1);
    }
    out
}

impl Group {
    fn parse(text: &str, patterns: &Patterns) -> Result<Self, Error> {
        if !patterns.valid.is_match(text) {
            return Err(improper(text));
        }
        let mut comparisons = Vec::new();
        for found in patterns.find.find_iter(text) {
            comparisons.push(Comparison::parse(found.as_str(), patterns)?);
        }
        Ok(Self {
            prerelease: comparisons
                .iter()
                .any(|comparison| !comparison.version.pre.is_empty()),
            comparisons,
        })
    }
}

impl Comparison {
    fn parse(text: &str, patterns: &Patterns) -> Result<Self, Error> {
        let captures = patterns.one.captures(text).ok_or_else(|| improper(text))?;
        let part = |index: usize| captures.get(index).map_or("", |part| part.as_str());
        let operator = match part(1) {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterEqual,
            "<=" | "=<" => Operator::LessEqual,
            "^" => Operator::Caret,
            _ => Operator::Tilde,
        };
        let missing = |index: usize| {
            let number = part(index);
            number.is_empty() || is_wildcard(number.trim_start_matches('.'))
        };
        let (mut minor_missing, mut patch_missing, mut partial) = (false, false, true);
        let written = if missing(3) {
            format!("0.0.0{}", part(6))
        } else if missing(4) {
            minor_missing = true;
            format!("{}.0.0{}", part(3), part(6))
        } else if missing(5) {
            patch_missing = true;
            format!("{}{}.0{}", part(3), part(4), part(6))
        } else {
            partial = false;
            part(2).to_owned()
        };
        let version =
            Version::parse(&written).map_err(|_| Error("constraint parser error".to_owned()))?;
        Ok(Self {
            operator,
            version,
            partial,
            minor_missing,
            patch_missing,
        })
    }

    fn check(&self, version: &Version) -> bool {
        match self.operator {
            Operator::Equal if self.partial => self.tilde(version),
            Operator::Equal => *version == self.version,
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less => *version < self.version,
            Operator::GreaterEqual => *version >= self.version,
            Operator::LessEqual => self.less_equal(version),
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn not_equal(&self, version: &Version) -> bool {
        if self.partial {
            if self.version.major != version.major {
                return true;
            }
            if self.minor_missing {
                return false;
            }
            if self.version.minor != version.minor {
                return true;
            }
            if self.patch_missing {
                let (ours, theirs) = (&self.version.pre, &version.pre);
                return (!ours.is_empty() || !theirs.is_empty())
                    && compare_prerelease(theirs, ours).is_ne();
            }
            if self.version.patch != version.patch {
                return true;
            }
        }
        *version != self.version
    }

    fn greater(&self, version: &Version) -> bool {
        if !self.partial {
            return *version > self.version;
        }
        if version.major != self.version.major {
            return version.major > self.version.major;
        }
        if self.minor_missing {
            return false;
        }
        if self.patch_missing {
            return version.minor > self.version.minor;
        }
        *version > self.version
    }

    fn less_equal(&self, version: &Version) -> bool {
        if !self.partial {
            return *version <= self.version;
        }
        let higher_minor = version.major == self.version.major
            && version.minor > self.version.minor
            && !self.minor_missing;
        version.major <= self.version.major && !higher_minor
    }

    fn tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        if *version < *own {
            return false;
        }
        let any = own.major == 0 && own.minor == 0 && own.patch == 0;
        if any && !self.minor_missing && !self.patch_missing {
            return true;
        }
        version.major == own.major && (version.minor == own.minor || self.minor_missing)
    }

    fn caret(&self, version: &Version) -> bool {
        let own = &self.version;
        if *version < *own {
            return false;
        }
        if own.major > 0 || self.minor_missing {
            return version.major == own.major;
        }
        if version.major > 0 {
            return false;
        }
        if own.minor > 0 || self.patch_missing {
            return version.minor == own.minor;
        }
        if version.minor > 0 {
            return false;
        }
        version.patch == own.patch
    }
}
