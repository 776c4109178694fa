//! The Kubernetes API of a cluster: a client from a minted certificate that dials the control-plane
//! members themselves, and what the product does with it: nodes, drain, the Lease, and cluster
//! access for releases.
//!
//! Objects travel as JSON values: releases hold kinds that nobody has types for, and the statuses of
//! the API server are passed on word by word. That is why this is HTTP and not a typed client.

mod access;
mod client;
mod cluster;
mod config_map;
mod discovery;
mod drain;
mod error;
mod kinds;
mod lease;
mod logs;
mod node;
mod query;
mod ready;
mod snapshot;
mod status;

pub use access::{Identity, Mint, Settings};
pub use client::Client;
pub use config_map::ConfigMap;
pub use drain::{Blocked, DrainOptions, Drained};
pub use error::Error;
pub use lease::{LEASE_NAME, LEASE_NAMESPACE, LeaseGuard, LeaseHolder, LeaseOptions};
pub use node::{Effect, Freshness, Node, NodeChange, Taint};
pub use snapshot::Snapshot;

/// The field manager of everything that the product writes outside releases.
pub const FIELD_MANAGER: &str = "managedk8s";
