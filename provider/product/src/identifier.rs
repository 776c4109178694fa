//! The code that names a cluster, and the names of pools.

use std::fmt;

use crate::text_enum::{serde_as_text, text_enum};
use crate::{Checked, Path, Problem, Topology};

text_enum! {
    /// How strictly an identifier is read (IDN-07).
    IdentifierPolicy, "identifier policy" {
        /// Five letters in production, six in devtest.
        Strict = "strict",
        /// Any short DNS label.
        Free = "free",
    }
}

/// Longest identifier: Cilium's limit for a cluster name.
const LONGEST: usize = 32;

/// The code of a cluster: it is inside every name, address record and certificate, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// Reads an identifier under a policy.
    pub fn parse(text: &str, topology: Topology, policy: IdentifierPolicy) -> Checked<Self> {
        match policy {
            IdentifierPolicy::Free => Self::parse_free(text),
            IdentifierPolicy::Strict => {
                let letters = topology.identifier_letters();
                if text.len() == letters && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    return Ok(Self(text.to_owned()));
                }
                Err(Box::new(
                    Problem::error(Path::root(), "identifier does not fit the topology")
                        .seen(format!("{text:?} for topology {:?}", topology.as_str()))
                        .allowed(format!("exactly {letters} lower-case letters, a to z"))
                        .next("Choose such a code, or set identifier_policy = \"free\"."),
                ))
            }
        }
    }

    /// Reads any identifier that a cluster may have, whatever its policy was.
    pub fn parse_free(text: &str) -> Checked<Self> {
        if is_label(text, LONGEST) {
            return Ok(Self(text.to_owned()));
        }
        Err(Box::new(
            Problem::error(Path::root(), "identifier is not a short DNS label")
                .seen(format!("{text:?}"))
                .allowed(format!(
                    "1 to {LONGEST} lower-case letters, digits and hyphens, a letter first, no hyphen last"
                ))
                .next("Choose another code."),
        ))
    }

    /// The code as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DNS domain inside the cluster: `<id>-cluster.local`, not `cluster.local` (DNS-09).
    pub fn cluster_domain(&self) -> String {
        format!("{}-cluster.local", self.0)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Identifier, Identifier::parse_free);

/// The function `identifier_ok`: whether the strict policy accepts the code.
pub fn identifier_ok(text: &str, topology: Topology) -> bool {
    Identifier::parse(text, topology, IdentifierPolicy::Strict).is_ok()
}

/// The name of a worker pool: a DNS label, part of a VM's tag and of a node's label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolName(String);

impl PoolName {
    /// Reads a pool name.
    pub fn parse(text: &str) -> Checked<Self> {
        if is_label(text, LONGEST) {
            return Ok(Self(text.to_owned()));
        }
        Err(Box::new(
            Problem::error(Path::root(), "pool name is not a short DNS label")
                .seen(format!("{text:?}"))
                .allowed(format!(
                    "1 to {LONGEST} lower-case letters, digits and hyphens, a letter first, no hyphen last"
                ))
                .next("Choose another name, for example \"default\"."),
        ))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(PoolName, PoolName::parse);

/// Whether a text is a lower-case DNS label that starts with a letter and is at most `longest` long.
pub(crate) fn is_label(text: &str, longest: usize) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= longest
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|byte| *byte != b'-')
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_counts_letters_by_topology() {
        assert!(identifier_ok("alpha", Topology::Production));
        assert!(!identifier_ok("alpha", Topology::DevTest));
        assert!(identifier_ok("ctodev", Topology::DevTest));
        for bad in ["", "alph", "Alpha", "alph1", "al-ha", "àlpha"] {
            assert!(!identifier_ok(bad, Topology::Production), "{bad}");
        }
    }

    #[test]
    fn free_is_a_label() {
        assert!(Identifier::parse_free("a-1").is_ok());
        for bad in ["", "1a", "a-", "A", "a.b", &"a".repeat(33)] {
            assert!(Identifier::parse_free(bad).is_err(), "{bad}");
        }
    }
}
