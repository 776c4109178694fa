//! Versions of Kubernetes.

use std::fmt;

use super::table;
use crate::text_enum::serde_as_text;
use crate::{Checked, Path, Problem};

/// A minor of major 1, of Kubernetes or of Talos: `1.36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minor(pub u16);

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// The attribute `kubernetes_version`: a minor or a patch, printed as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KubernetesVersion {
    minor: Minor,
    patch: Option<u16>,
}

impl KubernetesVersion {
    /// Reads `1.36` or `1.36.3`.
    pub fn parse(text: &str) -> Checked<Self> {
        let wrong = || {
            Box::new(
                Problem::error(Path::root(), "not a version of Kubernetes")
                    .seen(format!("{text:?}"))
                    .allowed(
                        "a minor such as \"1.36\" or a patch such as \"1.36.3\", without \"v\"",
                    )
                    .next("Write the version as text, in quotes."),
            )
        };
        let rest = text.strip_prefix("1.").ok_or_else(wrong)?;
        let (minor, patch) = match rest.split_once('.') {
            None => (rest, None),
            Some((minor, patch)) => (minor, Some(patch)),
        };
        Ok(Self {
            minor: Minor(part(minor).ok_or_else(wrong)?),
            patch: match patch {
                None => None,
                Some(patch) => Some(part(patch).ok_or_else(wrong)?),
            },
        })
    }

    /// The minor.
    pub const fn minor(&self) -> Minor {
        self.minor
    }

    /// The exact release: the patch as written, or the newest one of the embedded table. It is chosen
    /// when a cluster is created or when the attribute changes, and kept in state after that.
    pub fn resolve(&self) -> Checked<KubernetesRelease> {
        let known = || {
            table::KUBERNETES
                .iter()
                .find(|row| row.minor == self.minor.0)
        };
        match self.patch.or_else(|| known().map(|row| row.patch)) {
            Some(patch) => Ok(KubernetesRelease {
                minor: self.minor,
                patch,
            }),
            None => Err(Box::new(
                Problem::error(
                    Path::root(),
                    "minor of Kubernetes is not in the embedded table",
                )
                .seen(self)
                .allowed(
                    table::KUBERNETES
                        .iter()
                        .map(|row| Minor(row.minor).to_string())
                        .collect::<Vec<_>>()
                        .join(", "),
                )
                .next("Write a full version, for example \"1.36.3\", or use a newer provider."),
            )),
        }
    }

    /// Whether a release is what the attribute asks for: the stored one is kept as long as it is.
    pub fn accepts(&self, release: &KubernetesRelease) -> bool {
        self.minor == release.minor && self.patch.is_none_or(|patch| patch == release.patch)
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            None => write!(f, "{}", self.minor),
            Some(patch) => write!(f, "{}.{patch}", self.minor),
        }
    }
}

serde_as_text!(KubernetesVersion, KubernetesVersion::parse);

/// An exact release of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KubernetesRelease {
    minor: Minor,
    patch: u16,
}

impl KubernetesRelease {
    /// Reads `1.36.3`, with or without a leading `v` (the API server answers with it).
    pub fn parse(text: &str) -> Checked<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let version = KubernetesVersion::parse(plain)?;
        match version.patch {
            Some(patch) => Ok(Self {
                minor: version.minor,
                patch,
            }),
            None => Err(Box::new(
                Problem::error(Path::root(), "not an exact release of Kubernetes")
                    .seen(format!("{text:?}"))
                    .allowed("three numbers, as in \"1.36.3\"")
                    .next("Name the patch."),
            )),
        }
    }

    /// The minor.
    pub const fn minor(&self) -> Minor {
        self.minor
    }

    /// The patch.
    pub const fn patch(&self) -> u16 {
        self.patch
    }
}

impl fmt::Display for KubernetesRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.minor, self.patch)
    }
}

serde_as_text!(KubernetesRelease, KubernetesRelease::parse);

/// One number of a version: digits only, no leading zero, so that what is read prints the same.
fn part(text: &str) -> Option<u16> {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minor_resolves_to_the_newest_patch_known() {
        let version = KubernetesVersion::parse("1.36").expect("a minor");
        let release = version.resolve().expect("in the table");
        assert_eq!(release.to_string(), "1.36.3");
        assert!(version.accepts(&KubernetesRelease::parse("v1.36.0").expect("a release")));
        let exact = KubernetesVersion::parse("1.36.1").expect("a patch");
        assert_eq!(exact.resolve().expect("exact").to_string(), "1.36.1");
        assert!(!exact.accepts(&release));
        assert!(
            KubernetesVersion::parse("1.99")
                .expect("a minor")
                .resolve()
                .is_err()
        );
    }

    #[test]
    fn odd_spellings_are_refused() {
        for bad in [
            "",
            "1",
            "v1.36",
            "1.036",
            "1.36.",
            "2.0",
            "1.36.3.1",
            "1.36-rc.1",
            "1.+3",
        ] {
            assert!(KubernetesVersion::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn printed_as_written(minor in 0u16..200, patch in proptest::option::of(0u16..50)) {
            let text = patch.map_or(format!("1.{minor}"), |patch| format!("1.{minor}.{patch}"));
            prop_assert_eq!(KubernetesVersion::parse(&text).expect("valid").to_string(), text);
        }
    }
}
