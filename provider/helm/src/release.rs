//! Releases: charts that live in a cluster, kept as Helm keeps them, so that its command line can
//! take over at any moment and give back.
//!
//! [`Releases`] is the door. One operation runs in this order: CRDs, capabilities, rendering,
//! ownership, record `pending-*`, hooks, objects, wait, hooks, record `deployed`. A process that
//! dies leaves a `pending-*` record; the next [`Releases::deploy`] takes it over by rule
//! ([`Options::takeover_after`]).

mod apply;
mod codec;
mod deploy;
mod drift;
mod error;
mod fields;
mod hooks;
mod kstatus;
mod lookup;
mod managed_fields;
mod notes;
mod objects;
mod options;
mod output;
mod record;
mod store;
mod summary;
mod test;
mod theirs;
mod uninstall;
mod wait;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use transport::SharedClock;

use crate::cluster::Cluster;

pub use codec::{MAX_RECORD, decode, encode};
pub use drift::{Deviation, Drift, DriftOptions};
pub use error::{Busy, Error};
pub use fields::FieldPath;
pub use kstatus::{Readiness, readiness};
pub use notes::{Note, Notes};
pub use objects::{MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE, RESOURCE_POLICY};
pub use options::{CrdPolicy, Options, UninstallOptions, ValuesPolicy, Wait};
pub use record::{HookRecord, Info, Phase, Release, ReleaseId, Status};
pub use summary::{Summary, hash_manifest, hash_values};
pub use theirs::{Ignored, Theirs};
pub use uninstall::Uninstalled;

use store::Store;

use crate::render::Rendered;

/// Changes a rendering before it is deployed.
pub type PostRender = Arc<dyn Fn(&mut Rendered) -> Result<(), String> + Send + Sync>;

/// All releases of a cluster.
#[derive(Clone)]
pub struct Releases {
    cluster: Arc<dyn Cluster>,
    clock: SharedClock,
    store: Store,
    post_render: Option<PostRender>,
    notes: Option<Notes>,
}

impl Releases {
    /// Releases of `cluster`, on the time of `clock`.
    pub fn new(cluster: Arc<dyn Cluster>, clock: SharedClock) -> Self {
        Self {
            store: Store::new(cluster.clone(), clock.clone()),
            cluster,
            clock,
            post_render: None,
            notes: None,
        }
    }

    /// The same, with every rendering changed by `post_render` before it is deployed (see
    /// [`crate::render::Manifest::set_object`]).
    pub fn with_post_render(mut self, post_render: PostRender) -> Self {
        self.post_render = Some(post_render);
        self
    }

    /// The same, with `notes` told what happens on the way of operations and is no error.
    pub fn with_notes(mut self, notes: Notes) -> Self {
        self.notes = Some(notes);
        self
    }

    /// All revisions, oldest first; empty when there is no such release.
    ///
    /// # Errors
    ///
    /// Whatever the cluster answers; records that cannot be read are an error, not an absence.
    pub async fn history(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Release>, Error> {
        self.store.history(id, cancel).await
    }

    /// The newest revision, as [`Self::last`], for reads of many releases: superseded records, which are most of them,
    /// are not asked for, and of the others only the newest is decoded.
    ///
    /// # Errors
    ///
    /// As [`Self::history`].
    pub async fn newest(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Option<Release>, Error> {
        self.store.newest(id, cancel).await
    }

    /// The newest revision.
    ///
    /// # Errors
    ///
    /// As [`Self::history`].
    pub async fn last(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Option<Release>, Error> {
        Ok(self.history(id, cancel).await?.pop())
    }

    /// What state keeps of a release: of its newest revision, whatever its status.
    ///
    /// # Errors
    ///
    /// As [`Self::history`].
    pub async fn observe(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Option<Summary>, Error> {
        Ok(self
            .last(id, cancel)
            .await?
            .map(|release| Summary::of(&release)))
    }
}
