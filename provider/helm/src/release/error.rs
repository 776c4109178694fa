//! Why an operation on a release failed, and what to do next.

use std::time::Duration;

use super::ReleaseId;
use crate::cluster::{ClusterError, FieldCause, ObjectRef};
use crate::render;

/// Someone else works on a release.
#[derive(Debug, thiserror::Error)]
#[error(
    "another operation (install/upgrade/rollback) is in progress on release {release}: revision {revision} is {status} since {since}; it is taken over when it has not shown life for {}s, so run again in {}s, or end the other process",
    .takeover.as_secs(), .retry_in.as_secs()
)]
pub struct Busy {
    /// The release.
    pub release: ReleaseId,
    /// The revision under way.
    pub revision: u32,
    /// Its status.
    pub status: String,
    /// When it began, RFC 3339.
    pub since: String,
    /// After how long without a sign of life it is taken over.
    pub takeover: Duration,
    /// When to come back.
    pub retry_in: Duration,
}

/// Why an operation on a release failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster refused or did not answer.
    #[error("release {release}: {doing}")]
    Cluster {
        /// The release.
        release: ReleaseId,
        /// What was being done.
        doing: String,
        /// The cluster's answer.
        source: Box<ClusterError>,
    },
    /// The chart cannot be rendered.
    #[error(transparent)]
    Render(Box<render::Error>),
    /// The manifest holds something that is no object.
    #[error("unable to build kubernetes objects from release manifest: {0}")]
    Manifest(String),
    /// Someone else works on the release.
    #[error(transparent)]
    Busy(Box<Busy>),
    /// The next revision was made by someone else at the same moment.
    #[error(
        "release {release}: revision {revision} was created by someone else at the same time; run again"
    )]
    Lost {
        /// The release.
        release: ReleaseId,
        /// The revision.
        revision: u32,
    },
    /// Objects exist that are not the release's.
    #[error("unable to continue with {operation}: {}", .conflicts.join("; "))]
    NotOwned {
        /// `install` or `update`.
        operation: &'static str,
        /// One text an object, in Helm's words.
        conflicts: Vec<String>,
    },
    /// A field of an object cannot be changed.
    #[error(
        "{object}: {}: cannot be changed in place; declare that it may be replaced, or delete it",
        fields(.causes)
    )]
    Immutable {
        /// The object.
        object: Box<ObjectRef>,
        /// The fields.
        causes: Vec<FieldCause>,
    },
    /// A hook failed.
    #[error("{event} hooks failed: {hook}: {reason}{output}")]
    Hook {
        /// The moment.
        event: String,
        /// The hook's path and object.
        hook: String,
        /// What went wrong.
        reason: String,
        /// The end of what its pods printed, each line on its own; empty for a hook without pods.
        output: String,
    },
    /// Objects did not become ready.
    #[error("release {release}: not ready after {}s: {}", .after.as_secs(), .objects.join("; "))]
    NotReady {
        /// The release.
        release: ReleaseId,
        /// How long was waited.
        after: Duration,
        /// One text an object: what is missing.
        objects: Vec<String>,
    },
    /// There is no such release.
    #[error("release: not found: {0}")]
    NotFound(ReleaseId),
    /// There is no such revision.
    #[error("release {release} has no {revision} version")]
    NoRevision {
        /// The release.
        release: ReleaseId,
        /// The revision.
        revision: u32,
    },
    /// A Secret is no record.
    #[error(
        "the release record {namespace}/{secret} cannot be read: {reason}; restore it or delete this one Secret"
    )]
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        secret: String,
        /// What is wrong.
        reason: String,
    },
    /// A record does not fit into a Secret.
    #[error(
        "release {release}: its record has {size} bytes, a Secret holds 1048576; make the chart's templates or its output smaller, or split it into two releases"
    )]
    RecordTooLarge {
        /// The release.
        release: ReleaseId,
        /// Bytes of the record.
        size: usize,
    },
    /// A label that belongs to Helm.
    #[error("user supplied labels contains system reserved label name: {0}")]
    ReservedLabel(String),
    /// The operation failed and what was there before is back.
    #[error(
        "release {release} failed, and has been rolled back due to rollback-on-failure being set"
    )]
    RolledBack {
        /// The release.
        release: ReleaseId,
        /// Why it failed.
        source: Box<Error>,
    },
    /// The operation failed and so did the way back.
    #[error(
        "release {release} failed, and an error occurred while rolling back the release: {rollback}"
    )]
    RollbackFailed {
        /// The release.
        release: ReleaseId,
        /// Why the way back failed.
        rollback: Box<Error>,
        /// Why the operation failed.
        source: Box<Error>,
    },
    /// The caller cancelled.
    #[error("release {0}: interrupted")]
    Cancelled(ReleaseId),
}

fn fields(causes: &[FieldCause]) -> String {
    let texts: Vec<String> = causes
        .iter()
        .map(|cause| format!("{} ({})", cause.field, cause.message))
        .collect();
    texts.join(", ")
}

impl Error {
    /// For `map_err`: what was being done when the cluster refused.
    pub(super) fn cluster<'a>(
        release: &'a ReleaseId,
        doing: impl Into<String> + 'a,
    ) -> impl FnOnce(ClusterError) -> Self + 'a {
        move |source| match source {
            ClusterError::Cancelled => Self::Cancelled(release.clone()),
            source => Self::Cluster {
                release: release.clone(),
                doing: doing.into(),
                source: Box::new(source),
            },
        }
    }

    /// The error with its causes, without what a hook printed: for records, which many people read.
    pub(super) fn brief(&self) -> String {
        let text = self.chain();
        text.lines().next().unwrap_or_default().to_owned()
    }

    /// The error with its causes, on one line but for what a hook printed.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
