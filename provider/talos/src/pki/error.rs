//! Why credentials could not be made.

use thiserror::Error;

/// Why the PKI of a cluster could not be rebuilt or used.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A stored CA certificate cannot be read.
    #[error("the stored {which} CA certificate is not readable: {reason}")]
    Unreadable {
        /// `talos`, `kubernetes`, `aggregator` or `etcd`.
        which: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// A stored CA certificate carries another public key than the one derived.
    #[error(
        "the stored {which} CA certificate belongs to another key than the one given: check \
         MANAGEDK8S_KEY and that the state is of this cluster"
    )]
    OtherKey {
        /// `talos`, `kubernetes`, `aggregator` or `etcd`.
        which: &'static str,
    },
    /// A certificate would begin or end outside the years 0 to 9999.
    #[error("the validity of a certificate is out of range: {reason}")]
    Time {
        /// What the calendar said.
        reason: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {reason}")]
    NoRandomness {
        /// The system's own words.
        reason: String,
    },
}
