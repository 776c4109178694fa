//! The machine API of nodes.
//!
//! [`TalosClient`] holds what is common to all nodes of a cluster and mints its certificate;
//! [`Node`] is one connection to one node, always dialled directly and never through the VIP.
//! [`TalosClient::observe`] gathers what a planner needs in one batch of calls side by side;
//! [`guard`] holds the rules that are asked just before a dangerous call.
//!
//! A connection is bound to the cancellation token it was made with. Reads may be repeated by the
//! caller; no call here repeats itself.

mod connect;
mod cosi;
mod error;
mod etcd;
pub mod guard;
mod machine;
mod observation;
mod observe;
mod reply;
mod upgrade;
mod watched;

pub use connect::{Node, TalosClient};
pub use cosi::{Resource, ResourceType, types};
pub use error::TalosError;
pub use etcd::{AlarmKind, EtcdAlarm, EtcdMember, EtcdStatus, MemberId, Snapshot, SnapshotError};
pub use machine::{
    AppliedConfig, ApplyMode, BootstrapOutcome, ConfigSlot, Disk, HeldConfig, RebootMode, Reset,
};
pub use observation::{
    BootId, EtcdObservation, MaintenanceFacts, NodeFacts, NodeObservation, Reach, Service,
    ServiceState, Stage, UnmetCondition,
};
pub use observe::{Depth, Until};
pub use upgrade::{UpgradePath, UpgradeProgress};

#[cfg(test)]
mod tests;
