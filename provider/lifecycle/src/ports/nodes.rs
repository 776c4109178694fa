//! The machine API of nodes.

use std::fmt;
use std::net::Ipv4Addr;

use async_trait::async_trait;
use tokio::io::AsyncWrite;
use transport::CancellationToken;

use crate::error::Fault;
use crate::guard::EtcdMember;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLook {
    /// The tag of its release: `v1.13.9`.
    pub version: String,
    /// Whether it waits for a configuration instead of having one.
    pub maintenance: bool,
}

/// What a control plane says of its etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcdService {
    /// It waits to be bootstrapped, or to find somebody to join.
    Waiting,
    /// It is about to run, or runs and is not healthy yet; the state is for messages.
    Starting(String),
    /// It runs and is healthy; the members as it knows them.
    Running(Vec<EtcdMember>),
}

/// The answer to a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrapped {
    /// It was started.
    Started,
    /// etcd has data already.
    Already,
    /// The node is not ready for it: the call may be repeated.
    NotYet,
}

/// A snapshot that was written completely, its checksum compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotTaken {
    /// How large it is.
    pub bytes: u64,
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occupant {
    /// A node with certificates of this cluster.
    Ours,
    /// A Talos machine that waits for a configuration.
    Maintenance,
    /// A Talos machine with certificates of somebody else.
    Foreign,
    /// Something that accepts connections on this port.
    Answers(u16),
    /// Something that refuses connections on this port, as a machine with a closed port does, and some firewalls for
    /// everybody.
    Refuses(u16),
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("a node of this very cluster"),
            Self::Maintenance => f.write_str("a Talos machine without configuration"),
            Self::Foreign => f.write_str("a Talos machine of another cluster"),
            Self::Answers(port) => write!(f, "a machine that answers on port {port}"),
            Self::Refuses(port) => write!(f, "a machine that refuses connections on port {port}"),
        }
    }
}

/// The machine API of a cluster's nodes.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// One look at a node: one call.
    async fn look(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<NodeLook, Fault>;

    /// Who has an address, as far as can be seen from outside; `None` when nobody stirs.
    async fn occupant(
        &self,
        address: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Option<Occupant>, Fault>;

    /// The state of etcd on a control plane.
    async fn etcd(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<EtcdService, Fault>;

    /// Bootstraps etcd on a control plane. The caller has made sure that nobody else did.
    async fn bootstrap(
        &self,
        node: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Bootstrapped, Fault>;

    /// Removes a member whose machine is gone, through a healthy one.
    async fn remove_member(
        &self,
        through: Ipv4Addr,
        id: u64,
        cancel: &CancellationToken,
    ) -> Result<(), Fault>;

    /// Asks a node to shut down cleanly, its own drain left out.
    async fn shutdown(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<(), Fault>;

    /// Writes a snapshot of etcd, as the member of a control plane has it. What was written before an error is of no use.
    async fn etcd_snapshot(
        &self,
        node: Ipv4Addr,
        target: &mut (dyn AsyncWrite + Send + Unpin),
        cancel: &CancellationToken,
    ) -> Result<SnapshotTaken, Fault>;
}
