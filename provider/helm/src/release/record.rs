//! One revision of a release.

mod json;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::chart::Chart;
use crate::render::{Hook, HookDeletePolicy, HookEvent, HookLogPolicy, Rendered};

/// Names a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReleaseId {
    /// The namespace of the records, and of objects that name none.
    pub namespace: String,
    /// The release's name.
    pub name: String,
}

impl ReleaseId {
    /// A release by namespace and name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Where a revision stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Helm's word for not knowing.
    Unknown,
    /// In force.
    Deployed,
    /// Removed, its record kept.
    Uninstalled,
    /// Was in force.
    Superseded,
    /// Did not succeed.
    Failed,
    /// Being removed.
    Uninstalling,
    /// Being installed.
    PendingInstall,
    /// Being upgraded to.
    PendingUpgrade,
    /// Being rolled back to.
    PendingRollback,
    /// A word of a newer Helm.
    Other(String),
}

impl Status {
    /// The word in records.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Other(word) => word,
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "unknown" | "" => Self::Unknown,
            "deployed" => Self::Deployed,
            "uninstalled" => Self::Uninstalled,
            "superseded" => Self::Superseded,
            "failed" => Self::Failed,
            "uninstalling" => Self::Uninstalling,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" => Self::PendingUpgrade,
            "pending-rollback" => Self::PendingRollback,
            other => Self::Other(other.to_owned()),
        }
    }

    /// An operation is under way, or died.
    pub const fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback
        )
    }
}

/// How a hook's last run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has not run.
    #[default]
    Unknown,
    /// It runs, or its process died.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
}

impl Phase {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// A hook in a record.
#[derive(Clone, Debug, PartialEq)]
pub struct HookRecord {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// The template it came from.
    pub path: String,
    /// The object's YAML.
    pub manifest: String,
    /// The moments at which it runs.
    pub events: Vec<HookEvent>,
    /// Lower runs first.
    pub weight: i64,
    /// When its object is removed.
    pub delete_policies: Vec<HookDeletePolicy>,
    /// When its logs are shown.
    pub log_policies: Vec<HookLogPolicy>,
    /// When the last run began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// How it went.
    pub phase: Phase,
}

/// What Helm tells about a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// When the first revision was deployed.
    pub first_deployed: Option<Timestamp>,
    /// When this one was.
    pub last_deployed: Option<Timestamp>,
    /// When it was removed.
    pub deleted: Option<Timestamp>,
    /// One sentence.
    pub description: String,
    /// Where it stands.
    pub status: Status,
    /// The revision that a rollback copied; 0 for none.
    pub rollback_revision: u32,
    /// The rendered notes.
    pub notes: String,
}

/// One revision of a release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which release.
    pub id: ReleaseId,
    /// Which revision, from 1.
    pub revision: u32,
    /// What Helm tells about it.
    pub info: Info,
    /// The chart, without its subcharts: records do not keep them.
    pub chart: Chart,
    /// The user's values only.
    pub config: Map<String, Value>,
    /// The objects' YAML.
    pub manifest: String,
    /// The hooks.
    pub hooks: Vec<HookRecord>,
    /// The record's labels besides Helm's own six.
    pub labels: BTreeMap<String, String>,
    /// `ssa` for server-side apply, `csa` or nothing for client-side.
    pub apply_method: String,
    /// When the process that works on this revision last said that it lives; never by Helm's own.
    pub(super) heartbeat: Option<Timestamp>,
    /// Helm's own labels `createdAt`, kept over updates.
    pub(super) created_at: Option<String>,
}

impl From<&Hook> for HookRecord {
    fn from(hook: &Hook) -> Self {
        Self {
            name: hook.name.clone(),
            kind: hook.kind.clone(),
            path: hook.path.clone(),
            manifest: hook.manifest.clone(),
            events: hook.events.clone(),
            weight: hook.weight,
            delete_policies: hook.delete_policies.clone(),
            log_policies: hook.log_policies.clone(),
            started_at: None,
            completed_at: None,
            phase: Phase::Unknown,
        }
    }
}

impl Release {
    /// A new revision of a rendered chart.
    pub(super) fn new(
        id: &ReleaseId,
        revision: u32,
        chart: &Chart,
        config: Map<String, Value>,
        rendered: &Rendered,
        info: Info,
    ) -> Self {
        Self {
            id: id.clone(),
            revision,
            info: Info {
                notes: rendered.notes.clone(),
                ..info
            },
            chart: chart.clone(),
            config,
            manifest: rendered.manifest(),
            hooks: rendered.hooks.iter().map(HookRecord::from).collect(),
            labels: BTreeMap::new(),
            apply_method: "ssa".to_owned(),
            heartbeat: None,
            created_at: None,
        }
    }

    /// Whether the revision was written by server-side apply.
    pub fn server_side(&self) -> bool {
        self.apply_method == "ssa"
    }
}
