//! Networks and ranges, parsed so that only canonical ones exist.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::text_enum::serde_as_text;
use crate::{Checked, Path, Problem};

/// A canonical network: no host bits.
fn canonical(text: &str, what: &'static str, example: &str) -> Checked<Ipv4Net> {
    let Ok(network) = text.parse::<Ipv4Net>() else {
        return Err(Box::new(
            Problem::error(Path::root(), format!("{what} is not an IPv4 network"))
                .seen(format!("{text:?}"))
                .allowed("an address, '/' and a prefix length")
                .next(format!("Write for example {example:?}.")),
        ));
    };
    if network.addr() != network.network() {
        return Err(Box::new(
            Problem::error(
                Path::root(),
                format!("{what} has bits set after its prefix"),
            )
            .seen(format!("{text:?}"))
            .allowed("the network's first address")
            .next(format!("Write {:?}.", network.trunc().to_string())),
        ));
    }
    Ok(network)
}

fn is_private(network: Ipv4Net) -> bool {
    let (first, last) = (network.network(), network.broadcast());
    first.is_private() && last.is_private()
}

/// The cluster's own range: a private, canonical /22 (NET-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeNetwork(Ipv4Net);

impl NodeNetwork {
    /// Reads `10.20.0.0/22`.
    pub fn parse(text: &str) -> Checked<Self> {
        let network = canonical(text, "node network", "10.20.0.0/22")?;
        if network.prefix_len() != 22 {
            return Err(Box::new(
                Problem::error(Path::root(), "node network is not a /22")
                    .seen(format!("{text:?}"))
                    .allowed("a prefix length of exactly 22")
                    .next("Ask for a private /22 on one VLAN that spans the zones."),
            ));
        }
        if !is_private(network) {
            return Err(Box::new(
                Problem::error(Path::root(), "node network is not private")
                    .seen(format!("{text:?}"))
                    .allowed("a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
                    .next("Choose a private /22."),
            ));
        }
        Ok(Self(network))
    }

    /// The network.
    pub const fn net(self) -> Ipv4Net {
        self.0
    }

    /// The address `B.<block>.<host>`, block 0 to 3.
    pub fn at(self, block: u8, host: u8) -> Ipv4Addr {
        let base = u32::from(self.0.network());
        Ipv4Addr::from(base + u32::from(block & 3) * 256 + u32::from(host))
    }
}

impl fmt::Display for NodeNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(NodeNetwork, NodeNetwork::parse);

/// The range of pods: a canonical network, one /24 of it for each node (NET-17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodNetwork(Ipv4Net);

impl PodNetwork {
    /// What is used when the configuration names none.
    pub const DEFAULT: &'static str = "10.241.0.0/16";

    /// Prefix length of one node's share.
    pub const NODE_PREFIX: u8 = 24;

    /// Reads `10.241.0.0/16`.
    pub fn parse(text: &str) -> Checked<Self> {
        canonical(text, "pod network", Self::DEFAULT).map(Self)
    }

    /// The network.
    pub const fn net(self) -> Ipv4Net {
        self.0
    }

    /// How many nodes it serves.
    pub const fn nodes(self) -> u32 {
        match Self::NODE_PREFIX.checked_sub(self.0.prefix_len()) {
            Some(bits) => 1 << bits,
            None => 0,
        }
    }
}

impl fmt::Display for PodNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(PodNetwork, PodNetwork::parse);

/// The range of services: canonical and not wider than /12 (NET-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceNetwork(Ipv4Net);

impl ServiceNetwork {
    /// What is used when the configuration names none.
    pub const DEFAULT: &'static str = "10.96.0.0/12";

    /// Reads `10.96.0.0/12`.
    pub fn parse(text: &str) -> Checked<Self> {
        let network = canonical(text, "service network", Self::DEFAULT)?;
        if !(12..=24).contains(&network.prefix_len()) {
            return Err(Box::new(
                Problem::error(Path::root(), "service network has a wrong size")
                    .seen(format!("{text:?}"))
                    .allowed("a prefix length from 12 to 24")
                    .next(format!("Write for example {:?}.", Self::DEFAULT)),
            ));
        }
        Ok(Self(network))
    }

    /// The network.
    pub const fn net(self) -> Ipv4Net {
        self.0
    }

    /// The address of the cluster's DNS: the tenth.
    pub fn dns(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0.network()) + 10)
    }
}

impl fmt::Display for ServiceNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(ServiceNetwork, ServiceNetwork::parse);

/// Addresses from first to last, both included: `10.20.1.1-10.20.1.127`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    pub(super) first: Ipv4Addr,
    pub(super) last: Ipv4Addr,
}

impl AddressRange {
    /// A range; the first address must not be above the last.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Reads `first-last`.
    pub fn parse(text: &str) -> Checked<Self> {
        text.split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)))
            .and_then(|(first, last)| Self::new(first, last))
            .ok_or_else(|| {
                Box::new(
                    Problem::error(Path::root(), "not a range of addresses")
                        .seen(format!("{text:?}"))
                        .allowed("two IPv4 addresses with a hyphen between, the lower first")
                        .next("Write for example \"10.20.1.1-10.20.1.127\"."),
                )
            })
    }

    /// The lowest address.
    pub const fn first(self) -> Ipv4Addr {
        self.first
    }

    /// The highest address.
    pub const fn last(self) -> Ipv4Addr {
        self.last
    }

    /// Whether the address is in the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

serde_as_text!(AddressRange, AddressRange::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_range_in_the_documents_is_corrected() {
        let problem = ServiceNetwork::parse("10.95.0.0/12").expect_err("not canonical");
        assert_eq!(problem.next, "Write \"10.80.0.0/12\".");
        assert_eq!(
            ServiceNetwork::parse("10.96.0.0/12")
                .expect("default")
                .dns()
                .to_string(),
            "10.96.0.10"
        );
        assert!(ServiceNetwork::parse("10.0.0.0/8").is_err());
    }

    #[test]
    fn node_network_is_a_private_22() {
        for bad in [
            "10.20.0.0/21",
            "10.20.1.0/22",
            "8.8.8.0/22",
            "10.20.0.0",
            "::/22",
        ] {
            assert!(NodeNetwork::parse(bad).is_err(), "{bad}");
        }
        let network = NodeNetwork::parse("10.20.0.0/22").expect("a /22");
        assert_eq!(network.at(2, 46).to_string(), "10.20.2.46");
    }

    #[test]
    fn pod_network_counts_nodes() {
        let nodes = |text| PodNetwork::parse(text).expect("canonical").nodes();
        assert_eq!(nodes("10.241.0.0/16"), 256);
        assert_eq!(nodes("10.241.0.0/24"), 1);
        assert_eq!(nodes("10.241.0.0/25"), 0);
    }
}
