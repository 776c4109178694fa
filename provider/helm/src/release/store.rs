//! The records of releases in a cluster.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use transport::SharedClock;

use super::codec::{HEARTBEAT, from_secret, secret, secret_name};
use super::{Error, Release, ReleaseId, Status};
use crate::cluster::{
    Cluster, ClusterError, DeleteOptions, ListQuery, ObjectRef, Patch, WriteOptions,
};

#[derive(Clone)]
pub(super) struct Store {
    cluster: Arc<dyn Cluster>,
    clock: SharedClock,
}

fn reference(id: &ReleaseId, revision: u32) -> ObjectRef {
    let name = secret_name(&id.name, revision);
    ObjectRef::namespaced("v1", "Secret", &id.namespace, &name)
}

impl Store {
    pub(super) fn new(cluster: Arc<dyn Cluster>, clock: SharedClock) -> Self {
        Self { cluster, clock }
    }

    pub(super) fn now(&self) -> Timestamp {
        let since = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Timestamp::new(since.as_secs() as i64, since.subsec_nanos() as i32)
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// All revisions, oldest first.
    pub(super) async fn history(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Release>, Error> {
        let query = ListQuery {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some(id.namespace.clone()),
            labels: format!("name={},owner=helm", id.name),
        };
        let secrets = self
            .cluster
            .list(&query, cancel)
            .await
            .map_err(Error::cluster(id, "reading the release's records"))?;
        let mut releases = secrets
            .iter()
            .map(from_secret)
            .collect::<Result<Vec<_>, _>>()?;
        releases.sort_by_key(|release| release.revision);
        Ok(releases)
    }

    /// The newest revision; it is never a superseded one.
    pub(super) async fn newest(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Option<Release>, Error> {
        let query = ListQuery {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some(id.namespace.clone()),
            labels: format!("name={},owner=helm,status!=superseded", id.name),
        };
        let secrets = self
            .cluster
            .list(&query, cancel)
            .await
            .map_err(Error::cluster(id, "reading the release's records"))?;
        let revision = |secret: &&serde_json::Value| {
            let label = secret.pointer("/metadata/labels/version");
            let label = label.and_then(serde_json::Value::as_str);
            label.and_then(|text| text.parse::<u32>().ok())
        };
        secrets
            .iter()
            .max_by_key(revision)
            .map(from_secret)
            .transpose()
    }

    /// Stores a new revision: the lock of the whole operation, since a name is given once.
    pub(super) async fn create(
        &self,
        release: &Release,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let id = &release.id;
        let object = secret(release, "createdAt", self.now())?;
        let outcome = self
            .cluster
            .create(&object, &WriteOptions::default(), cancel)
            .await;
        let lost = || Error::Lost {
            release: id.clone(),
            revision: release.revision,
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(ClusterError::AlreadyExists { .. }) => Err(lost()),
            Err(unknown @ ClusterError::Unreachable { .. }) => {
                // The answer is lost, perhaps not the write: look it up.
                let reference = reference(id, release.revision);
                match self.cluster.get(&reference, cancel).await {
                    Ok(Some(found)) if found.get("data") == object.get("data") => Ok(()),
                    Ok(Some(_)) => Err(lost()),
                    Ok(None) | Err(_) => {
                        Err(Error::cluster(id, "storing the release's record")(unknown))
                    }
                }
            }
            Err(other) => Err(Error::cluster(id, "storing the release's record")(other)),
        }
    }

    /// Writes a revision over its own record.
    pub(super) async fn update(
        &self,
        release: &Release,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let object = secret(release, "modifiedAt", self.now())?;
        self.cluster
            .replace(&object, &WriteOptions::default(), cancel)
            .await
            .map_err(Error::cluster(&release.id, "updating the release's record"))?;
        Ok(())
    }

    /// Says that the process which works on a revision lives. Failures do not matter: the next sign
    /// comes soon.
    pub(super) async fn beat(&self, id: &ReleaseId, revision: u32, cancel: &CancellationToken) {
        let now = self.now().as_second().to_string();
        let patch = Patch::Merge(json!({"metadata": {"annotations": {HEARTBEAT: now}}}));
        let _ = self
            .cluster
            .patch(
                &reference(id, revision),
                &patch,
                &WriteOptions::default(),
                cancel,
            )
            .await;
    }

    /// Deletes one revision's record.
    pub(super) async fn delete(
        &self,
        id: &ReleaseId,
        revision: u32,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        self.cluster
            .delete(&reference(id, revision), &DeleteOptions::default(), cancel)
            .await
            .map_err(Error::cluster(id, "deleting a record of the release"))?;
        Ok(())
    }

    /// Makes room for one more revision: the oldest go, never the one in force.
    pub(super) async fn prune(
        &self,
        history: &[Release],
        keep: u32,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let Some(room) = (keep as usize).checked_sub(1) else {
            return Ok(());
        };
        let in_force = history
            .iter()
            .rev()
            .find(|release| release.info.status == Status::Deployed)
            .map(|release| release.revision);
        let surplus = history.len().saturating_sub(room);
        let old = history
            .iter()
            .filter(|release| Some(release.revision) != in_force)
            .take(surplus);
        for release in old {
            self.delete(&release.id, release.revision, cancel).await?;
        }
        Ok(())
    }
}
