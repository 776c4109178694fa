//! Versions of Talos, and the contract that pins how a machine configuration is written.

use std::cmp::Ordering;
use std::fmt;

use semver::Version;

use super::Minor;
use crate::text_enum::{serde_as_text, text_enum};
use crate::{Checked, Path, Problem};

text_enum! {
    /// The form of a machine configuration: the Talos minor a cluster was created with, pinned.
    Contract, "contract" {
        /// One document, flat lists of arguments.
        V1_12 = "1.12",
        /// One document and the first split ones.
        V1_13 = "1.13",
        /// Split documents.
        V1_14 = "1.14",
    }
}

/// An exact release of Talos, `1.13.9`; pre-releases are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TalosVersion(Version);

impl TalosVersion {
    /// Reads `1.13.9`.
    pub fn parse(text: &str) -> Checked<Self> {
        Version::parse(text)
            .ok()
            .filter(|version| version.major == 1 && version.build.is_empty())
            .filter(|version| u16::try_from(version.minor).is_ok())
            .map(Self)
            .ok_or_else(|| {
                Box::new(
                    Problem::error(Path::root(), "not a release of Talos")
                        .seen(format!("{text:?}"))
                        .allowed("three numbers, as in \"1.13.9\", without \"v\"")
                        .next("Write the exact release of the template's image."),
                )
            })
    }

    /// Reads the tag a node answers, `v1.13.9`.
    pub fn parse_tag(tag: &str) -> Checked<Self> {
        Self::parse(tag.strip_prefix('v').unwrap_or(tag))
    }

    /// The minor.
    pub fn minor(&self) -> Minor {
        Minor(u16::try_from(self.0.minor).unwrap_or(u16::MAX))
    }

    /// The contract of a cluster created with this release.
    pub fn contract(&self) -> Checked<Contract> {
        match self.0.minor {
            12 => Ok(Contract::V1_12),
            13 => Ok(Contract::V1_13),
            14 => Ok(Contract::V1_14),
            _ => Err(Box::new(
                Problem::error(Path::root(), "release of Talos is not supported")
                    .seen(self)
                    .allowed("a release of 1.12, 1.13 or 1.14")
                    .next("Choose such a release and a template made from it."),
            )),
        }
    }
}

impl PartialOrd for TalosVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TalosVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl fmt::Display for TalosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(TalosVersion, TalosVersion::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_is_the_minor() {
        let contract = |text: &str| TalosVersion::parse(text).expect("a release").contract();
        assert_eq!(contract("1.13.9").expect("supported"), Contract::V1_13);
        assert_eq!(contract("1.14.0-rc.1").expect("supported"), Contract::V1_14);
        assert!(contract("1.11.0").is_err());
        for bad in ["1.13", "v1.13.9", "2.0.0", "1.13.9+x", ""] {
            assert!(TalosVersion::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            TalosVersion::parse_tag("v1.13.9")
                .expect("a tag")
                .to_string(),
            "1.13.9"
        );
    }
}
