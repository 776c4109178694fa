//! The state in a folder: one file of the cloud, one a Kubernetes cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::openiaas::model::Cloud;
use crate::running::StartError;
use crate::world::World;

const CLOUD: &str = "cloud.json";

fn kubernetes_file(cluster: &str) -> String {
    format!("kubernetes-{cluster}.json")
}

/// The kept cloud, when there is one.
pub fn load(folder: Option<&Path>) -> Result<Option<Cloud>, StartError> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    let path = folder.join(CLOUD);
    let fail = |source| StartError::State {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| fail(std::io::Error::new(std::io::ErrorKind::InvalidData, error))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error)),
    }
}

/// The kept objects of a Kubernetes cluster.
pub fn load_kubernetes(folder: Option<&Path>, cluster: &str) -> Option<serde_json::Value> {
    let bytes = std::fs::read(folder?.join(kubernetes_file(cluster))).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write(path: &PathBuf, bytes: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension("json.next");
    std::fs::write(&next, bytes)?;
    std::fs::rename(next, path)
}

/// Writes the state a moment after each change, and once more at the end.
pub async fn keep(world: Arc<World>) {
    let Some(folder) = world.config.state_dir.clone() else {
        return;
    };
    let mut written: BTreeMap<String, u64> = BTreeMap::new();
    let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
    loop {
        let ends = tokio::select! {
            () = world.stop.cancelled() => true,
            () = world.dirty.notified() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                false
            }
            // Kubernetes objects change without telling.
            () = tokio::time::sleep(Duration::from_secs(1)) => false,
        };
        if let Err(error) = save(&world, &folder, &mut written, &mut revisions) {
            tracing::error!(%error, folder = %folder.display(), "the state cannot be written");
        }
        if ends {
            return;
        }
    }
}

fn save(
    world: &World,
    folder: &Path,
    written: &mut BTreeMap<String, u64>,
    revisions: &mut BTreeMap<String, u64>,
) -> std::io::Result<()> {
    let cloud = serde_json::to_vec(&*world.cloud())?;
    if changed(written, CLOUD, &cloud) {
        write(&folder.join(CLOUD), &cloud)?;
    }
    for (cluster, snapshot) in world.nodes.kubernetes_snapshots(revisions) {
        let name = kubernetes_file(&cluster);
        let bytes = serde_json::to_vec(&snapshot)?;
        if changed(written, &name, &bytes) {
            write(&folder.join(&name), &bytes)?;
        }
    }
    let known = world.cloud().etcd.keys().cloned().collect::<Vec<_>>();
    revisions.retain(|cluster, _| {
        let keep = known.contains(cluster);
        if !keep {
            // It may never have been written.
            let _ = std::fs::remove_file(folder.join(kubernetes_file(cluster)));
        }
        keep
    });
    Ok(())
}

fn changed(written: &mut BTreeMap<String, u64>, name: &str, bytes: &[u8]) -> bool {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    written.insert(name.to_owned(), hasher.finish()) != Some(hasher.finish())
}
