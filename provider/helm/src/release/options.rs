//! How operations behave.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Release, Theirs};
use crate::cluster::Propagation;

/// What an operation waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Hooks only.
    Hooks,
    /// Every object is ready (jobs: started).
    #[default]
    Ready,
    /// Every object is ready and every job complete.
    ReadyAndJobs,
}

/// What happens to the CRDs of `crds/`. They are never deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrdPolicy {
    /// Nothing.
    Skip,
    /// Missing ones are created, as Helm does.
    Create,
    /// Missing ones are created, others applied server-side: what Helm never did.
    #[default]
    CreateAndUpdate,
}

/// Which values an upgrade starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValuesPolicy {
    /// The chart's defaults and the new values only.
    #[default]
    Reset,
    /// Helm's default: as [`Self::Reset`], but with no new values at all the old ones are kept.
    KeepWhenEmpty,
    /// The chart's defaults, the old values, then the new ones.
    ResetThenReuse,
}

/// How a deployment behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The time for the wait, and for each hook; zero is 30 seconds, as for Helm.
    pub timeout: Duration,
    /// What is waited for.
    pub wait: Wait,
    /// Whether hooks run.
    pub hooks: bool,
    /// What happens to the chart's CRDs.
    pub crds: CrdPolicy,
    /// Creates the namespace when it is missing.
    pub create_namespace: bool,
    /// Takes fields over from other managers instead of failing; each is told as a [`super::Note`].
    pub force_conflicts: bool,
    /// What an upgrade leaves as it is in the cluster.
    pub theirs: Theirs,
    /// Deletes and creates an object whose change the API refuses for an immutable field; never what
    /// holds data: volumes, claims, namespaces, CRDs, and what the resource policy keeps.
    pub replace_immutable: bool,
    /// Takes objects over that exist without the release's marks.
    pub take_ownership: bool,
    /// After a failure: back to the last good revision, or gone if there is none.
    pub rollback_on_failure: bool,
    /// After a failure: deletes the objects that this operation created.
    pub cleanup_on_failure: bool,
    /// Revisions kept; 0 for all.
    pub history_max: u32,
    /// The record's description instead of Helm's sentence.
    pub description: Option<String>,
    /// Labels of the record, besides Helm's own.
    pub labels: BTreeMap<String, String>,
    /// The name of one more label, which gets the revision's number. A later revision inherits the labels of the one
    /// before, whoever makes it: only where this one is the record's own number were the labels given with it.
    pub stamp: Option<String>,
    /// Which values an upgrade starts from.
    pub values: ValuesPolicy,
    /// Leaves `values.schema.json` alone.
    pub skip_schema: bool,
    /// Adds the subcharts' notes.
    pub sub_notes: bool,
    /// A `pending-*` revision is taken over when its process has not shown life for this long. One
    /// of ours shows life every few seconds; one of the helm CLI only by its start.
    pub takeover_after: Duration,
}

impl Options {
    pub(super) fn stamp(&self, release: &mut Release) {
        if let Some(name) = &self.stamp {
            release
                .labels
                .insert(name.clone(), release.revision.to_string());
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(5),
            wait: Wait::default(),
            hooks: true,
            crds: CrdPolicy::default(),
            create_namespace: false,
            force_conflicts: false,
            theirs: Theirs::default(),
            replace_immutable: false,
            take_ownership: false,
            rollback_on_failure: false,
            cleanup_on_failure: false,
            history_max: 10,
            description: None,
            labels: BTreeMap::new(),
            stamp: None,
            values: ValuesPolicy::default(),
            skip_schema: false,
            sub_notes: false,
            takeover_after: Duration::from_secs(330),
        }
    }
}

/// How a removal behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallOptions {
    /// The time for the wait, and for each hook; zero is 30 seconds, as for Helm.
    pub timeout: Duration,
    /// Whether to wait until the objects are gone.
    pub wait: bool,
    /// Whether hooks run.
    pub hooks: bool,
    /// Keeps the records, marked `uninstalled`.
    pub keep_history: bool,
    /// What happens to the objects that the release's objects own.
    pub propagation: Propagation,
}

impl Default for UninstallOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(5),
            wait: true,
            hooks: true,
            keep_history: false,
            propagation: Propagation::Background,
        }
    }
}
