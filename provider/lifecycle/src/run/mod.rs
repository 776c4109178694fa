//! Executors: observe, plan, run the front of the plan, observe again, until nothing is left.
//!
//! Everything here can be killed at any point and run again: no step keeps a journal, each looks first
//! for what an earlier run left.

mod addon;
mod census;
mod cluster;
mod config;
mod inside;
mod key;
mod machines;
mod occupied;
mod pool;
mod progress;
mod record;
mod shown;
mod snapshot;
mod turn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use product::IndexSet;
use transport::{CancellationToken, SharedClock};

pub use crate::ports::{InstalledRelease, SnapshotTaken};
pub use addon::{AddonFacts, AddonOutcome, AddonRead};
pub use census::{Candidate, Candidates, FoundCluster, FoundPool};
pub use cluster::{ClusterOutcome, ClusterRead, Found, Phase};
pub use key::{Key, MintedKey};
pub use machines::{FoundVm, TagSeen};
pub use pool::{PoolOutcome, PoolRead, RecordedPool};
pub use progress::{Event, EventState, Progress, Silent};
pub use record::{ClusterHandle, ClusterRecord, RecordedCluster, StoredCas};
pub use shown::{ClusterImport, PoolImport, ShownCluster, ShownPool};
pub use snapshot::etcd_snapshot;

use crate::Error;
use crate::ports::{Access, Cloud};
use machines::Machines;

/// How executors behave; figures of the provider block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Machines made side by side.
    pub parallelism: usize,
    /// How long a machine may take until its API answers.
    pub machine_timeout: Duration,
    /// How long etcd and the Kubernetes API may take.
    pub api_timeout: Duration,
    /// How long nodes may take to be ready.
    pub ready_timeout: Duration,
    /// How old a shared reading may be when nothing is changed.
    pub freshness: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parallelism: 4,
            machine_timeout: Duration::from_mins(15),
            api_timeout: Duration::from_mins(10),
            ready_timeout: Duration::from_mins(10),
            freshness: Duration::from_secs(5),
        }
    }
}

/// One configured provider: the doors, the key, and what resources of one process share. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) machines: Arc<Machines>,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) clock: SharedClock,
    pub(crate) key: Arc<Key>,
    pub(crate) tenant: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) runner: Arc<str>,
    locks: Arc<Locks>,
}

/// What resources of one cluster take turns with, in this process.
#[derive(Default)]
struct Locks {
    indexes: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    disruptions: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Numbers that pools of this process have taken and perhaps not claimed yet: cluster, number, pool.
    reserved: Mutex<BTreeMap<String, BTreeMap<u16, String>>>,
}

impl Locks {
    fn of(
        map: &Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
        cluster: &str,
    ) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = map.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(cluster.to_owned()).or_default())
    }
}

impl Engine {
    /// An engine. `tenant` is the tenant's id: part of MAC addresses and keys. `runner` is the run's own name,
    /// for others who wait for it: unique among all runs.
    pub fn new(
        cloud: Arc<dyn Cloud>,
        access: Arc<dyn Access>,
        clock: SharedClock,
        key: Key,
        tenant: impl Into<Arc<str>>,
        runner: impl Into<Arc<str>>,
        settings: Settings,
    ) -> Self {
        let tenant: Arc<str> = tenant.into();
        Self {
            machines: Arc::new(Machines::new(
                cloud,
                clock.clone(),
                tenant.clone(),
                settings.freshness,
            )),
            access,
            clock,
            key: Arc::new(key),
            tenant,
            settings,
            progress: Arc::new(Silent),
            runner: runner.into(),
            locks: Arc::new(Locks::default()),
        }
    }

    /// The same engine, telling its progress to somebody.
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// The tenant's id.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// One at a time allocates numbers in a cluster.
    pub(crate) fn index_lock(&self, cluster: &str) -> Arc<tokio::sync::Mutex<()>> {
        Locks::of(&self.locks.indexes, cluster)
    }

    /// Takes numbers for a pool until the process ends or the pool gives them back.
    pub(crate) fn reserve(&self, cluster: &str, pool: &str, indexes: &IndexSet) {
        let mut reserved = self
            .locks
            .reserved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let numbers = reserved.entry(cluster.to_owned()).or_default();
        numbers.retain(|_, owner| owner != pool);
        numbers.extend(indexes.iter().map(|index| (index, pool.to_owned())));
    }

    /// Numbers that other pools of this process have taken.
    pub(crate) fn reserved_by_others(&self, cluster: &str, pool: &str) -> IndexSet {
        let reserved = self
            .locks
            .reserved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        reserved
            .get(cluster)
            .into_iter()
            .flatten()
            .filter(|(_, owner)| *owner != pool)
            .map(|(index, _)| *index)
            .collect()
    }

    /// One at a time disturbs nodes of a cluster.
    pub(crate) fn disruption_lock(&self, cluster: &str) -> Arc<tokio::sync::Mutex<()>> {
        Locks::of(&self.locks.disruptions, cluster)
    }
}

/// Runs work side by side, at most `limit` at a time, to its end. The futures are boxed before they are
/// awaited, so that the whole can move between threads.
pub(crate) async fn side_by_side<T>(limit: usize, work: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    futures::stream::iter(work)
        .buffer_unordered(limit.max(1))
        .collect()
        .await
}

/// Stops at once when the run was interrupted.
pub(crate) fn going(cancel: &CancellationToken) -> Result<(), Error> {
    if cancel.is_cancelled() {
        Err(Error::Cancelled)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use product::{ClusterId, IndexSet};

    use super::*;
    use crate::addon::DesiredAddon;
    use crate::cluster::DesiredCluster;
    use crate::plan::PlanSummary;
    use crate::pool::DesiredPool;

    fn moves_between_threads<T: Send>(_: T) {}

    /// The protocol server runs each call as a task of its own.
    #[expect(dead_code, reason = "checked by the compiler")]
    #[expect(clippy::too_many_arguments, reason = "one of everything")]
    fn every_call_moves_between_threads(
        engine: &Engine,
        cluster: &DesiredCluster,
        record: &ClusterRecord,
        handle: &ClusterHandle,
        pool: &DesiredPool,
        addon: &DesiredAddon,
        approved: &PlanSummary,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) {
        let none = IndexSet::new();
        moves_between_threads(engine.create_cluster(cluster, approved, cancel));
        moves_between_threads(engine.update_cluster(cluster, record, approved, cancel));
        moves_between_threads(engine.read_cluster(cluster, record, cancel));
        moves_between_threads(engine.delete_cluster(record, cancel));
        moves_between_threads(engine.find_cluster(id, cancel));
        moves_between_threads(engine.apply_pool(handle, pool, &none, approved, cancel));
        moves_between_threads(engine.read_pool(handle, pool, &none, cancel));
        moves_between_threads(engine.delete_pool(handle, pool, &none, cancel));
        moves_between_threads(engine.apply_addon(handle, addon, None, approved, cancel));
        moves_between_threads(engine.read_addon(handle, addon, cancel));
        moves_between_threads(engine.delete_addon(handle, addon, cancel));
    }
}
