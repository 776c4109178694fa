//! A cluster as it was at one moment: one list for each kind, for plans that look at many objects.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use helm::{
    Cluster, ClusterError, DeleteOptions, Deleted, Discovery, ListQuery, LogQuery, ObjectRef,
    Patch, ServerVersion, WriteOptions,
};
use serde_json::Value;
use tokio::sync::Mutex;
use transport::{CancellationToken, or_cancelled};

use crate::Client;

/// A view of a cluster that answers reads from lists: the first read of a kind lists all of it, the
/// others are answered from memory, but an object that the list lacks is asked for itself. A list is used until it is `max_age` old or the client sends a
/// write. Writes go straight through.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    client: Client,
    max_age: Duration,
    lists: Mutex<HashMap<ListQuery, Arc<Mutex<Option<Kept>>>>>,
}

struct Kept {
    asked: Instant,
    writes: u64,
    items: Arc<Vec<Value>>,
}

impl Client {
    /// A view that answers reads from lists no older than `max_age`. Resources of one run share it
    /// by cloning.
    pub fn snapshot(&self, max_age: Duration) -> Snapshot {
        Snapshot(Arc::new(Inner {
            client: self.clone(),
            max_age,
            lists: Mutex::new(HashMap::new()),
        }))
    }
}

impl Snapshot {
    async fn items(
        &self,
        query: ListQuery,
        cancel: &CancellationToken,
    ) -> Result<Arc<Vec<Value>>, ClusterError> {
        let kept = Arc::clone(self.0.lists.lock().await.entry(query.clone()).or_default());
        let mut kept = or_cancelled(cancel, kept.lock())
            .await
            .map_err(|_| ClusterError::Cancelled)?;
        let inner = &self.0.client.0;
        let asked = inner.clock.now();
        let writes = inner.writes.load(Ordering::SeqCst);
        if let Some(kept) = kept.as_ref()
            && kept.writes == writes
            && asked.saturating_duration_since(kept.asked) <= self.0.max_age
        {
            return Ok(Arc::clone(&kept.items));
        }
        let items = Arc::new(self.0.client.list(&query, cancel).await?);
        *kept = Some(Kept {
            asked,
            writes,
            items: Arc::clone(&items),
        });
        Ok(items)
    }
}

/// One requirement of a selector that can be answered from memory.
enum Requirement<'a> {
    Is(&'a str, &'a str),
    IsNot(&'a str, &'a str),
    Exists(&'a str),
}

impl Requirement<'_> {
    fn holds(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
        match self {
            Self::Is(key, value) => label(key) == Some(value),
            Self::IsNot(key, value) => label(key) != Some(value),
            Self::Exists(key) => label(key).is_some(),
        }
    }
}

/// The requirements of a selector; `None` for forms that only the server answers.
fn requirements(selector: &str) -> Option<Vec<Requirement<'_>>> {
    selector
        .split(',')
        .filter(|part| !part.trim().is_empty())
        .map(|part| {
            let part = part.trim();
            if part.contains(['(', ')', '!', ' ']) && !part.contains("!=") {
                return None;
            }
            if let Some((key, value)) = part.split_once("!=") {
                return Some(Requirement::IsNot(key.trim(), value.trim()));
            }
            if let Some((key, value)) = part.split_once('=') {
                let value = value.strip_prefix('=').unwrap_or(value);
                return Some(Requirement::Is(key.trim(), value.trim()));
            }
            Some(Requirement::Exists(part))
        })
        .collect()
}

/// Leaves Helm's old records out of lists of Secrets: they are most of the bytes of such a list.
const NOT_SUPERSEDED: &str = "status!=superseded";

/// The selector of the one list that answers reads of a kind.
fn everything(kind: &str) -> &'static str {
    if kind == "Secret" { NOT_SUPERSEDED } else { "" }
}

/// The part of a selector that all releases share, so that one list serves them: Helm's own label, or the list of all
/// Secrets when old records are not asked for.
fn shared(kind: &str, selector: &str) -> &'static str {
    let has = |wanted: &str| selector.split(',').any(|part| part.trim() == wanted);
    if kind == "Secret" && has(NOT_SUPERSEDED) {
        NOT_SUPERSEDED
    } else if has("owner=helm") {
        "owner=helm"
    } else {
        ""
    }
}

#[async_trait]
impl Cluster for Snapshot {
    async fn version(&self, cancel: &CancellationToken) -> Result<ServerVersion, ClusterError> {
        self.0.client.version(cancel).await
    }

    async fn discovery(&self, cancel: &CancellationToken) -> Result<Arc<Discovery>, ClusterError> {
        self.0.client.discovery(cancel).await
    }

    async fn forget_discovery(&self) {
        self.0.client.forget_discovery().await;
    }

    async fn get(
        &self,
        object: &ObjectRef,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, ClusterError> {
        let resource = self
            .0
            .client
            .resource(&object.api_version, &object.kind, cancel)
            .await?;
        let query = ListQuery {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: None,
            labels: everything(&object.kind).to_owned(),
        };
        let items = self.items(query, cancel).await?;
        let wanted = resource
            .namespaced
            .then(|| object.namespace.as_deref().unwrap_or("default"));
        let text = |item: &Value, path: &str| {
            let text = item.pointer(path).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let found = items.iter().find(|item| {
            text(item, "/metadata/name").as_deref() == Some(object.name.as_str())
                && text(item, "/metadata/namespace").as_deref() == wanted
        });
        match found {
            Some(found) => Ok(Some(found.clone())),
            // Absence is concluded from the object's own answer.
            None => self.0.client.get(object, cancel).await,
        }
    }

    async fn list(
        &self,
        query: &ListQuery,
        cancel: &CancellationToken,
    ) -> Result<Vec<Value>, ClusterError> {
        let Some(requirements) = requirements(&query.labels) else {
            return self.0.client.list(query, cancel).await;
        };
        let wide = ListQuery {
            namespace: None,
            labels: shared(&query.kind, &query.labels).to_owned(),
            ..query.clone()
        };
        let items = self.items(wide, cancel).await?;
        let inside = |item: &&Value| {
            let namespace = item.pointer("/metadata/namespace").and_then(Value::as_str);
            query
                .namespace
                .as_deref()
                .is_none_or(|wanted| namespace == Some(wanted))
        };
        Ok(items
            .iter()
            .filter(inside)
            .filter(|item| requirements.iter().all(|it| it.holds(item)))
            .cloned()
            .collect())
    }

    async fn apply(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        self.0.client.apply(object, options, cancel).await
    }

    async fn create(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        self.0.client.create(object, options, cancel).await
    }

    async fn replace(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        self.0.client.replace(object, options, cancel).await
    }

    async fn patch(
        &self,
        object: &ObjectRef,
        patch: &Patch,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        self.0.client.patch(object, patch, options, cancel).await
    }

    async fn logs(
        &self,
        query: &LogQuery,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ClusterError> {
        self.0.client.logs(query, cancel).await
    }

    async fn delete(
        &self,
        object: &ObjectRef,
        options: &DeleteOptions,
        cancel: &CancellationToken,
    ) -> Result<Deleted, ClusterError> {
        self.0.client.delete(object, options, cancel).await
    }

    async fn changed(
        &self,
        objects: &[ObjectRef],
        at_most: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        self.0.client.changed(objects, at_most, cancel).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn simple_selectors_are_answered_from_memory_and_others_are_not() {
        let object = json!({"metadata": {"labels": {"owner": "helm", "name": "x"}}});
        let holds = |selector: &str| {
            requirements(selector).map(|all| all.iter().all(|it| it.holds(&object)))
        };
        assert_eq!(holds(""), Some(true));
        assert_eq!(holds("owner=helm,name==x"), Some(true));
        assert_eq!(holds("owner=helm,name=y"), Some(false));
        assert_eq!(holds("owner,name!=y"), Some(true));
        assert_eq!(holds("missing"), Some(false));
        assert_eq!(holds("name in (x,y)"), None);
        assert_eq!(holds("!missing"), None);
        assert_eq!(shared("Secret", "name=x, owner=helm"), "owner=helm");
        assert_eq!(shared("ConfigMap", "name=x"), "");
        let newest = "name=x,owner=helm,status!=superseded";
        assert_eq!(shared("Secret", newest), everything("Secret"));
        assert_eq!(holds("owner=helm,status!=superseded"), Some(true));
    }
}
