//! Install, upgrade, rollback: what differs.

use crate::cluster::ObjectRef;
use crate::release::objects::Object;
use crate::release::{Error, Status};
use crate::render::HookEvent;

/// Which way a revision comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Install,
    Upgrade,
    Rollback(u32),
}

impl Way {
    pub(super) const fn pending(self) -> Status {
        match self {
            Self::Install => Status::PendingInstall,
            Self::Upgrade => Status::PendingUpgrade,
            Self::Rollback(_) => Status::PendingRollback,
        }
    }

    pub(super) const fn events(self) -> (HookEvent, HookEvent) {
        match self {
            Self::Install => (HookEvent::PreInstall, HookEvent::PostInstall),
            Self::Upgrade => (HookEvent::PreUpgrade, HookEvent::PostUpgrade),
            Self::Rollback(_) => (HookEvent::PreRollback, HookEvent::PostRollback),
        }
    }

    pub(super) fn begun(self) -> String {
        match self {
            Self::Install => "Initial install underway".to_owned(),
            Self::Upgrade => "Preparing upgrade".to_owned(),
            Self::Rollback(revision) => format!("Rollback to {revision}"),
        }
    }

    pub(super) fn done(self) -> String {
        match self {
            Self::Install => "Install complete".to_owned(),
            Self::Upgrade => "Upgrade complete".to_owned(),
            Self::Rollback(revision) => format!("Rollback to {revision}"),
        }
    }

    pub(super) fn failed(self, name: &str, error: &Error) -> String {
        let what = match self {
            Self::Install => "Release",
            Self::Upgrade => "Upgrade",
            Self::Rollback(_) => "Rollback",
        };
        format!("{what} {name:?} failed: {}", error.brief())
    }
}

/// What a new revision does to the cluster.
pub(super) struct Work {
    pub(super) way: Way,
    pub(super) current: Vec<Object>,
    pub(super) target: Vec<Object>,
    /// Those of `target` that do not exist yet.
    pub(super) created: Vec<ObjectRef>,
    /// The last revision was written client-side.
    pub(super) migrate: bool,
}
