//! What a machine is, and the name and MAC address that follow from it.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text_enum::{serde_as_text, text_enum};
use crate::{Checked, Identifier, Path, Problem};

text_enum! {
    /// What a machine of a cluster does; the word is part of its name and of its tag.
    Role, "role" {
        /// Control plane.
        ControlPlane = "cp",
        /// Dedicated storage node.
        Storage = "ceph",
        /// Worker.
        Worker = "wrk",
        /// The machine that runs pipelines; not a node of the cluster.
        GitRunner = "gitrunner",
    }
}

impl Role {
    /// Whether machines of the role join Kubernetes.
    pub const fn is_node(self) -> bool {
        !matches!(self, Self::GitRunner)
    }
}

/// One machine of a cluster: its role and its number from 1. The Git Runner has number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeKey {
    /// The role.
    pub role: Role,
    /// The number, from 1; for workers it is global to the cluster, since the address follows from it.
    pub index: u16,
}

impl NodeKey {
    /// A control plane.
    pub const fn control_plane(index: u16) -> Self {
        Self {
            role: Role::ControlPlane,
            index,
        }
    }

    /// A storage node.
    pub const fn storage(index: u16) -> Self {
        Self {
            role: Role::Storage,
            index,
        }
    }

    /// A worker.
    pub const fn worker(index: u16) -> Self {
        Self {
            role: Role::Worker,
            index,
        }
    }

    /// The Git Runner.
    pub const fn git_runner() -> Self {
        Self {
            role: Role::GitRunner,
            index: 1,
        }
    }

    /// The host name: `<id>-cp-01`, two digits, three from 100 (product reference, 4.2).
    pub fn name(self, identifier: &Identifier) -> String {
        format!("{identifier}-{self}")
    }

    /// The machine that a host name of this cluster belongs to; `None` for any other name.
    pub fn from_name(identifier: &Identifier, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(identifier.as_str())?.strip_prefix('-')?;
        Self::parse(rest).ok()
    }

    /// Reads the short form, `wrk-04`.
    pub fn parse(text: &str) -> Checked<Self> {
        let found = match text.split_once('-') {
            None => (text == Role::GitRunner.as_str()).then_some(Self::git_runner()),
            Some((role, digits)) => Role::parse(role)
                .ok()
                .filter(|role| role.is_node())
                .zip(digits.parse().ok())
                .map(|(role, index)| Self { role, index })
                // Only the canonical spelling names a machine: `wrk-004` is somebody else's.
                .filter(|key| key.index > 0 && key.to_string() == text),
        };
        found.ok_or_else(|| {
            Box::new(
                Problem::error(Path::root(), "not the short name of a machine")
                    .seen(format!("{text:?}"))
                    .allowed("gitrunner, or cp-, ceph- or wrk- and a number of two digits or more")
                    .next("Write for example \"wrk-04\"."),
            )
        })
    }

    /// The MAC address: `02` and 40 bits of the SHA-256 of tenant, identifier, role and number.
    pub fn mac(self, tenant: &str, identifier: &Identifier) -> MacAddress {
        let mut hash = Sha256::new();
        // Each part is preceded by its length, so that no two different inputs run together.
        for part in [
            "managedk8s/mac/1",
            tenant,
            identifier.as_str(),
            self.role.as_str(),
            &self.index.to_string(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0x02; 6];
        bytes[1..].copy_from_slice(&digest[..5]);
        MacAddress(bytes)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::GitRunner => f.write_str(self.role.as_str()),
            role => write!(f, "{role}-{:02}", self.index),
        }
    }
}

serde_as_text!(NodeKey, NodeKey::parse);

/// A MAC address, written in lower case with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// Reads six bytes in hexadecimal, separated by colons or hyphens, in either case.
    pub fn parse(text: &str) -> Checked<Self> {
        let parts: Vec<&str> = text.split([':', '-']).collect();
        let bytes: Option<Vec<u8>> = parts
            .iter()
            .map(|part| {
                let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
                plain.then(|| u8::from_str_radix(part, 16).ok()).flatten()
            })
            .collect();
        bytes
            .and_then(|bytes| <[u8; 6]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| {
                Box::new(
                    Problem::error(Path::root(), "not a MAC address")
                        .seen(format!("{text:?}"))
                        .allowed("six bytes in hexadecimal, separated by colons")
                        .next("Write for example \"02:00:5e:10:20:01\"."),
                )
            })
    }

    /// The six bytes.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

serde_as_text!(MacAddress, MacAddress::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alpha() -> Identifier {
        Identifier::parse_free("alpha").expect("a label")
    }

    #[test]
    fn names_have_two_digits_three_from_100() {
        assert_eq!(NodeKey::control_plane(1).name(&alpha()), "alpha-cp-01");
        assert_eq!(NodeKey::worker(100).name(&alpha()), "alpha-wrk-100");
        assert_eq!(NodeKey::git_runner().name(&alpha()), "alpha-gitrunner");
    }

    #[test]
    fn only_canonical_names_are_ours() {
        for foreign in [
            "alpha-wrk-004",
            "alpha-wrk-4",
            "alpha-wrk-00",
            "alphax-wrk-04",
            "alpha-gitrunner-01",
            "alpha-",
        ] {
            assert_eq!(NodeKey::from_name(&alpha(), foreign), None, "{foreign}");
        }
    }

    #[test]
    fn mac_is_stable_and_differs_by_every_input() {
        let base = NodeKey::worker(1).mac("tenant", &alpha());
        // A change of this value would orphan every machine ever made.
        assert_eq!(base.to_string(), "02:ed:e6:5d:3b:f3");
        let other = Identifier::parse_free("alphb").expect("a label");
        for changed in [
            NodeKey::worker(2).mac("tenant", &alpha()),
            NodeKey::storage(1).mac("tenant", &alpha()),
            NodeKey::worker(1).mac("tenants", &alpha()),
            NodeKey::worker(1).mac("tenant", &other),
        ] {
            assert_ne!(base, changed);
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(index in 1u16..=999, role in 0usize..3) {
            let key = NodeKey { role: Role::ALL[role], index };
            prop_assert_eq!(NodeKey::from_name(&alpha(), &key.name(&alpha())), Some(key));
        }

        #[test]
        fn mac_round_trips(bytes: [u8; 6]) {
            let mac = MacAddress(bytes);
            prop_assert_eq!(MacAddress::parse(&mac.to_string().to_uppercase()).ok(), Some(mac));
        }

        #[test]
        fn parsers_never_panic(text in "\\PC*") {
            let _ = NodeKey::parse(&text);
            let _ = MacAddress::parse(&text);
        }
    }
}
