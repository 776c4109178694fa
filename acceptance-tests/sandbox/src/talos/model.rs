//! What machines keep over a restart.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// What is on the system disk of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineDisk {
    /// The installed system, such as `v1.13.9`.
    pub talos_version: String,
    /// The schematic of the installed system.
    pub schematic: String,
    /// A system that takes over at the next boot: version and schematic.
    pub next: Option<(String, String)>,
    /// The system before the last upgrade.
    pub previous: Option<(String, String)>,
    /// STATE: the persisted machine configuration.
    pub config: Option<String>,
    /// EPHEMERAL: the data directory of etcd.
    pub etcd: Option<EtcdData>,
    /// A snapshot uploaded for recovery.
    pub recovery: Option<Vec<u8>>,
    /// META values.
    pub meta: BTreeMap<u32, String>,
    /// Addresses that the guest agent reports.
    pub reported_addresses: Vec<String>,
    /// The loopback address of its listeners, once it has one.
    pub loopback: Option<Ipv4Addr>,
    /// Images that were pulled.
    pub images: Vec<String>,
    /// The boot loader was wiped: it does not boot any more.
    pub wiped: bool,
}

impl MachineDisk {
    /// A fresh clone of a template.
    pub fn new(talos_version: &str) -> Self {
        Self {
            talos_version: talos_version.to_owned(),
            ..Self::default()
        }
    }
}

/// The data directory of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdData {
    /// The cluster it belongs to.
    pub cluster: String,
    /// The member it is.
    pub member: u64,
}

/// A member of an etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdMember {
    /// Identifier.
    pub id: u64,
    /// The VM.
    pub vm: String,
    /// Host name.
    pub hostname: String,
    /// Private address.
    pub address: Ipv4Addr,
    /// Does not vote yet.
    pub learner: bool,
}

/// An etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdCluster {
    /// Identifier.
    pub id: String,
    /// Fingerprint of the etcd authority: only nodes of the same one can join.
    pub authority: String,
    /// Name of the Kubernetes cluster.
    pub name: String,
    /// Members.
    pub members: Vec<EtcdMember>,
    /// Leader, when there is one.
    pub leader: Option<u64>,
    /// Raft term.
    pub term: u64,
}
