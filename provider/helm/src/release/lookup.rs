//! `lookup` of templates, answered by the live cluster.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, ClusterError, ListQuery, ObjectRef};
use crate::template::Lookup;

/// Asks a cluster from the rendering thread, which is none of the runtime's.
pub(super) struct ClusterLookup {
    cluster: Arc<dyn Cluster>,
    runtime: Handle,
    cancel: CancellationToken,
}

impl ClusterLookup {
    pub(super) fn new(cluster: Arc<dyn Cluster>, cancel: CancellationToken) -> Self {
        Self {
            cluster,
            runtime: Handle::current(),
            cancel,
        }
    }

    async fn ask(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, ClusterError> {
        let discovery = self.cluster.discovery(&self.cancel).await?;
        let Some(resource) = discovery.find(api_version, kind) else {
            return Err(ClusterError::UnknownKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            });
        };
        let namespace =
            (resource.namespaced && !namespace.is_empty()).then(|| namespace.to_owned());
        if name.is_empty() {
            let query = ListQuery {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace,
                labels: String::new(),
            };
            let items = self.cluster.list(&query, &self.cancel).await?;
            return Ok(json!({
                "apiVersion": api_version, "kind": format!("{kind}List"), "items": items,
            }));
        }
        let object = ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace,
            name: name.to_owned(),
        };
        Ok(self
            .cluster
            .get(&object, &self.cancel)
            .await?
            .unwrap_or_default())
    }
}

impl Lookup for ClusterLookup {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        self.runtime
            .block_on(self.ask(api_version, kind, namespace, name))
            .map_err(|error| error.to_string())
    }
}
