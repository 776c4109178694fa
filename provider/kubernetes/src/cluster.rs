//! Cluster access for releases: the trait of the crate `helm` over the real API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helm::{
    ApiResource, Cluster, ClusterError, DeleteOptions, Deleted, Discovery, ListQuery, LogQuery,
    ObjectRef, Patch, ServerVersion, WriteOptions,
};
use http::Method;
use serde_json::Value;
use transport::{CancellationToken, pause};

use crate::client::Ask;
use crate::status::Status;
use crate::{Client, kinds, query, status};

/// Objects of one page of a list.
const PAGE: &str = "500";

impl Client {
    /// Where objects of a kind live.
    pub(crate) async fn resource(
        &self,
        api_version: &str,
        kind: &str,
        cancel: &CancellationToken,
    ) -> Result<ApiResource, ClusterError> {
        if let Some(known) = kinds::known(api_version, kind) {
            return Ok(known);
        }
        let discovery = self.discover(cancel).await?;
        discovery
            .find(api_version, kind)
            .cloned()
            .ok_or_else(|| ClusterError::UnknownKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            })
    }

    pub(crate) async fn list_all(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        selectors: &[(&str, &str)],
        cancel: &CancellationToken,
    ) -> Result<Vec<Value>, ClusterError> {
        let path = query::collection(resource, namespace);
        let target = match namespace {
            Some(namespace) => format!("{} in {namespace}", resource.plural),
            None => resource.plural.clone(),
        };
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let mut pairs = selectors.to_vec();
            pairs.push(("limit", PAGE));
            if !token.is_empty() {
                pairs.push(("continue", &token));
            }
            let page = format!("{path}{}", query::query(&pairs));
            let ask = Ask::read("list", page, target.clone());
            let answer = self.send(&ask, cancel).await?;
            if answer.status == 410 && !token.is_empty() {
                // The pages are too old to go on with: from the start.
                token.clear();
                items.clear();
                continue;
            }
            if !answer.is_success() {
                if answer.status == 404 && Status::read(&answer.body).reason.is_empty() {
                    return Err(ClusterError::UnknownKind {
                        api_version: resource.api_version(),
                        kind: resource.kind.clone(),
                    });
                }
                return Err(status::error(&ask, &answer, None));
            }
            let mut list = answer.json(&ask)?;
            if let Some(Value::Array(page)) = list.get_mut("items").map(Value::take) {
                items.extend(page);
            }
            list.pointer("/metadata/continue")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .clone_into(&mut token);
            if token.is_empty() {
                break;
            }
        }
        for item in &mut items {
            item["apiVersion"] = Value::from(resource.api_version());
            item["kind"] = Value::from(resource.kind.clone());
        }
        Ok(items)
    }

    pub(crate) async fn read(
        &self,
        object: &ObjectRef,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, ClusterError> {
        let resource = self
            .resource(&object.api_version, &object.kind, cancel)
            .await?;
        let path = query::object(&resource, object.namespace.as_deref(), &object.name);
        let ask = Ask::read("get", path, object.to_string());
        let answer = self.send(&ask, cancel).await?;
        if answer.is_success() {
            return answer.json(&ask).map(Some);
        }
        if answer.status == 404 && Status::read(&answer.body).is_missing(&object.name) {
            return Ok(None);
        }
        Err(status::error(&ask, &answer, Some(object)))
    }

    async fn write(
        &self,
        ask: &Ask,
        object: &ObjectRef,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let answer = self.send(ask, cancel).await?;
        if answer.is_success() {
            return answer.json(ask);
        }
        Err(status::error(ask, &answer, Some(object)))
    }
}

/// The reference of an object about to be written.
fn reference(object: &Value) -> Result<ObjectRef, ClusterError> {
    ObjectRef::of(object).ok_or_else(|| {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        ClusterError::Invalid {
            object: Box::new(ObjectRef::cluster(text("apiVersion"), text("kind"), "")),
            message: "apiVersion, kind and metadata.name are needed".to_owned(),
            causes: Vec::new(),
        }
    })
}

#[async_trait]
impl Cluster for Client {
    async fn version(&self, cancel: &CancellationToken) -> Result<ServerVersion, ClusterError> {
        let ask = Ask::read("get", "/version".to_owned(), "/version");
        let value = self.ask(&ask, cancel).await?;
        let text = |name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        Ok(ServerVersion {
            git_version: text("gitVersion"),
            major: text("major"),
            minor: text("minor"),
        })
    }

    async fn discovery(&self, cancel: &CancellationToken) -> Result<Arc<Discovery>, ClusterError> {
        self.discover(cancel).await
    }

    async fn forget_discovery(&self) {
        *self.0.discovery.lock().await = None;
    }

    async fn get(
        &self,
        object: &ObjectRef,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, ClusterError> {
        self.read(object, cancel).await
    }

    async fn list(
        &self,
        query: &ListQuery,
        cancel: &CancellationToken,
    ) -> Result<Vec<Value>, ClusterError> {
        let resource = self
            .resource(&query.api_version, &query.kind, cancel)
            .await?;
        let selectors: &[(&str, &str)] = if query.labels.is_empty() {
            &[]
        } else {
            &[("labelSelector", &query.labels)]
        };
        self.list_all(&resource, query.namespace.as_deref(), selectors, cancel)
            .await
    }

    async fn apply(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let to = reference(object)?;
        let resource = self.resource(&to.api_version, &to.kind, cancel).await?;
        let path = query::object(&resource, to.namespace.as_deref(), &to.name);
        let path = format!("{path}{}", query::write_query(options, true));
        let ask = Ask::write("apply", Method::PATCH, path, object, to.to_string())
            .content("application/apply-patch+yaml")
            .dry_run(options.dry_run);
        self.write(&ask, &to, cancel).await
    }

    async fn create(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let mut named = object.clone();
        let generated = object.pointer("/metadata/generateName").cloned();
        if let (Some(prefix), None) = (generated, object.pointer("/metadata/name")) {
            // Only for the reference: the object is sent as it is.
            named["metadata"]["name"] = prefix;
        }
        let to = reference(&named)?;
        let resource = self.resource(&to.api_version, &to.kind, cancel).await?;
        let namespace = to.namespace.as_deref().unwrap_or("default");
        let path = query::collection(&resource, Some(namespace));
        let path = format!("{path}{}", query::write_query(options, false));
        let ask = Ask::write("create", Method::POST, path, object, to.to_string());
        self.write(&ask, &to, cancel).await
    }

    async fn replace(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let to = reference(object)?;
        let resource = self.resource(&to.api_version, &to.kind, cancel).await?;
        let path = query::object(&resource, to.namespace.as_deref(), &to.name);
        let path = format!("{path}{}", query::write_query(options, false));
        let ask = Ask::write("replace", Method::PUT, path, object, to.to_string());
        self.write(&ask, &to, cancel).await
    }

    async fn patch(
        &self,
        object: &ObjectRef,
        patch: &Patch,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let resource = self
            .resource(&object.api_version, &object.kind, cancel)
            .await?;
        let path = query::object(&resource, object.namespace.as_deref(), &object.name);
        let path = format!("{path}{}", query::write_query(options, false));
        let (body, content) = match patch {
            Patch::Merge(body) => (body, "application/merge-patch+json"),
            Patch::Json(body) => (body, "application/json-patch+json"),
            Patch::Strategic(body) => (body, "application/strategic-merge-patch+json"),
        };
        let ask =
            Ask::write("patch", Method::PATCH, path, body, object.to_string()).content(content);
        self.write(&ask, object, cancel).await
    }

    async fn delete(
        &self,
        object: &ObjectRef,
        options: &DeleteOptions,
        cancel: &CancellationToken,
    ) -> Result<Deleted, ClusterError> {
        let resource = self
            .resource(&object.api_version, &object.kind, cancel)
            .await?;
        let path = query::object(&resource, object.namespace.as_deref(), &object.name);
        let body = query::delete_body(options);
        let ask = Ask::write("delete", Method::DELETE, path, &body, object.to_string());
        match self.write(&ask, object, cancel).await {
            Ok(_) => Ok(Deleted::Accepted),
            Err(ClusterError::NotFound { .. }) => Ok(Deleted::Absent),
            Err(error) => Err(error),
        }
    }

    async fn logs(
        &self,
        query: &LogQuery,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ClusterError> {
        self.read_logs(query, cancel).await
    }

    async fn changed(
        &self,
        _objects: &[ObjectRef],
        at_most: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        pause(self.0.clock.as_ref(), at_most, cancel)
            .await
            .map_err(|_| ClusterError::Cancelled)
    }
}
