//! The owner of a cluster's machines, and the tag that carries it.

use std::fmt;

use crate::identifier::PoolName;
use crate::text_enum::serde_as_text;
use crate::{Checked, Identifier, Path, Problem, Role};

/// Sixteen bytes, chosen once when a cluster is born: four of its time in seconds since 1970, twelve random.
///
/// The time is inside so that whoever reads a machine's tag can derive the very certificates the
/// cluster was made with, whose validity starts there; 96 random bits keep two births apart. The caller
/// gives both: this crate has neither a clock nor randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Birth([u8; 16]);

impl Birth {
    /// Takes the bytes of a birth.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A birth at a time, in seconds since 1970.
    pub fn at(seconds: u32, random: [u8; 12]) -> Self {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    /// When the cluster was born, in seconds since 1970.
    pub const fn seconds(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The bytes: the salt of the cluster's key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Checked<Self> {
        Self::from_hex(text).ok_or_else(|| {
            Box::new(
                Problem::error(Path::root(), "not a birth")
                    .seen(format!("{text:?}"))
                    .allowed("32 lower-case hexadecimal digits")
                    .next("Copy the birth from the tag of the cluster's first control plane."),
            )
        })
    }

    fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

serde_as_text!(Birth, Birth::parse);

/// The `id` of a cluster: `<identifier>/<birth>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId {
    /// The identifier.
    pub identifier: Identifier,
    /// The birth.
    pub birth: Birth,
}

impl ClusterId {
    /// Reads `<identifier>/<birth>`.
    pub fn parse(text: &str) -> Checked<Self> {
        let Some((identifier, birth)) = text.split_once('/') else {
            return Err(Box::new(
                Problem::error(Path::root(), "not the id of a cluster")
                    .seen(format!("{text:?}"))
                    .allowed("<identifier>/<birth>, the birth being 32 hexadecimal digits")
                    .next("Copy the id from the message or the state that named it."),
            ));
        };
        Ok(Self {
            identifier: Identifier::parse_free(identifier)?,
            birth: Birth::parse(birth)?,
        })
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.identifier, self.birth)
    }
}

serde_as_text!(ClusterId, ClusterId::parse);

/// The one tag of a VM: who owns it. Written once, before power-on, never rewritten.
///
/// The value is `<identifier>.<role>.<pool>.<birth>`, with `-` for no pool: dots separate, since
/// neither identifiers nor pool names can hold one, and the characters are safe in a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VmTag {
    /// The cluster's identifier.
    pub identifier: Identifier,
    /// What the machine does.
    pub role: Role,
    /// The pool of a worker.
    pub pool: Option<PoolName>,
    /// The birth of the cluster.
    pub birth: Birth,
}

impl VmTag {
    /// The key of the tag.
    pub const KEY: &'static str = "managedk8s";

    /// The key of the tag that says, on the first control plane only, that the cluster was completed.
    pub const COMPLETION_KEY: &'static str = "managedk8s-complete";

    /// Reads a tag's value.
    pub fn parse(text: &str) -> Checked<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let [identifier, role, pool, birth] = parts.as_slice() else {
            return Err(Box::new(
                Problem::error(Path::root(), "not the tag of a machine of ours")
                    .seen(format!("{text:?}"))
                    .allowed("<identifier>.<role>.<pool>.<birth>")
                    .next("Leave the machine's tag as the provider wrote it."),
            ));
        };
        Ok(Self {
            identifier: Identifier::parse_free(identifier)?,
            role: Role::parse(role)?,
            pool: match *pool {
                "-" => None,
                name => Some(PoolName::parse(name)?),
            },
            birth: Birth::parse(birth)?,
        })
    }
}

impl fmt::Display for VmTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = self.pool.as_ref().map_or("-", PoolName::as_str);
        write!(f, "{}.{}.{pool}.{}", self.identifier, self.role, self.birth)
    }
}

serde_as_text!(VmTag, VmTag::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn birth_is_lower_case_hex_only() {
        let text = "00112233445566778899aabbccddeeff";
        assert_eq!(Birth::parse(text).expect("hex").to_string(), text);
        assert!(Birth::parse(&text.to_uppercase()).is_err());
        assert!(Birth::parse(&text[1..]).is_err());
    }

    proptest! {
        #[test]
        fn the_time_is_inside(seconds: u32, random: [u8; 12]) {
            prop_assert_eq!(Birth::at(seconds, random).seconds(), seconds);
        }

        #[test]
        fn tags_round_trip(
            identifier in "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?",
            role in 0usize..4,
            pool in proptest::option::of("[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?"),
            birth: [u8; 16],
        ) {
            let tag = VmTag {
                identifier: Identifier::parse_free(&identifier).expect("a label"),
                role: Role::ALL[role],
                pool: pool.map(|name| PoolName::parse(&name).expect("a label")),
                birth: Birth::new(birth),
            };
            prop_assert_eq!(VmTag::parse(&tag.to_string()).ok(), Some(tag));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = VmTag::parse(&text);
            let _ = ClusterId::parse(&text);
        }
    }
}
