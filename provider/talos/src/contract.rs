//! The minor version of Talos that a configuration is written for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A version contract: chosen at create, pinned for the life of the cluster, independent of the
/// version that runs. A newer Talos reads configurations of older contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Contract {
    /// Talos 1.12.
    V1_12,
    /// Talos 1.13.
    V1_13,
    /// Talos 1.14. Written in the form of 1.13, which 1.14 accepts: the EPHEMERAL volume then
    /// keeps the right to execute, and patches of users go on to work.
    V1_14,
}

/// A contract that this provider cannot write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "no machine configuration can be written for Talos {seen:?}; known are 1.12, 1.13 and 1.14"
)]
pub struct UnknownContract {
    /// The version as given.
    pub seen: String,
}

impl FromStr for Contract {
    type Err = UnknownContract;

    /// Reads `1.13`, `v1.13`, `1.13.9` and `v1.13.0-beta.1`.
    fn from_str(text: &str) -> Result<Self, UnknownContract> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        match (parts.next(), parts.next()) {
            (Some("1"), Some("12")) => Ok(Self::V1_12),
            (Some("1"), Some("13")) => Ok(Self::V1_13),
            (Some("1"), Some("14")) => Ok(Self::V1_14),
            _ => Err(UnknownContract {
                seen: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_12 => "1.12",
            Self::V1_13 => "1.13",
            Self::V1_14 => "1.14",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_minors_give_the_contract() {
        for text in ["1.13", "v1.13", "1.13.9", "v1.13.0-beta.1"] {
            assert_eq!(text.parse(), Ok(Contract::V1_13), "{text}");
        }
        for text in ["", "1", "2.13", "1.130", "1.11.3", "1.15"] {
            assert!(text.parse::<Contract>().is_err(), "{text}");
        }
        assert!(Contract::V1_12 < Contract::V1_14);
    }
}
