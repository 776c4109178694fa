//! What can go wrong beyond a single call.

use std::time::Duration;

use helm::ClusterError;
use thiserror::Error;
use transport::{Cancelled, TrustError};

use crate::Blocked;

/// What can go wrong.
#[derive(Debug, Error)]
pub enum Error {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] ClusterError),
    /// No client certificate could be minted.
    #[error("no client certificate could be minted")]
    Mint(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The certificates cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The cluster has no control-plane address.
    #[error("no control-plane address is known")]
    NoMembers,
    /// An object does not have the documented shape.
    #[error("{object} cannot be read: {reason}")]
    Decode {
        /// The object.
        object: String,
        /// The parser's words.
        reason: String,
    },
    /// Something was not reached in time.
    #[error("{what} after {} s, last seen: {last}", elapsed.as_secs())]
    NotReached {
        /// What was waited for, as a phrase: `nodes are not ready`.
        what: String,
        /// The last state seen.
        last: String,
        /// The time waited.
        elapsed: Duration,
    },
    /// A drain did not end in time. The node stays cordoned.
    #[error(
        "node {node} is not drained after {} s: {}",
        elapsed.as_secs(),
        blocked_text(blocked)
    )]
    DrainTimeout {
        /// The node.
        node: String,
        /// The pods still there, with the reason.
        blocked: Vec<Blocked>,
        /// The time waited.
        elapsed: Duration,
    },
    /// Another process holds the Lease.
    #[error(
        "the Lease kube-system/managedk8s is held by {holder}, still after {} s; let that run end",
        elapsed.as_secs()
    )]
    LeaseHeld {
        /// The holder in its own words.
        holder: String,
        /// The time waited.
        elapsed: Duration,
    },
}

impl Error {
    /// Whether the run was interrupted.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Call(ClusterError::Cancelled))
    }

    /// Whether nothing in the cluster answered.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Call(ClusterError::Unreachable { .. }))
    }
}

impl From<Cancelled> for Error {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Call(ClusterError::Cancelled)
    }
}

fn blocked_text(blocked: &[Blocked]) -> String {
    const SHOWN: usize = 5;
    let mut parts: Vec<String> = blocked
        .iter()
        .take(SHOWN)
        .map(|pod| format!("pod {}/{}: {}", pod.namespace, pod.name, pod.reason))
        .collect();
    if blocked.len() > SHOWN {
        parts.push(format!("and {} pods more", blocked.len() - SHOWN));
    }
    parts.join("; ")
}
