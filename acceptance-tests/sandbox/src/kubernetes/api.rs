//! One cluster's API server: its state and its doors.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::pki::Identity;
use super::server::{self, Body, ServeError};
use super::settings::{NodeRegistration, Settings};

/// One request, with its body read and its caller known.
pub(super) struct Request {
    pub method: http::Method,
    pub uri: http::Uri,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub identity: Arc<Identity>,
}

/// The API server of one cluster, held in memory. Clones share the state.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
}

impl ApiServer {
    /// An empty cluster: the objects that a fresh control plane makes, no node. Needs a tokio runtime, where
    /// its controllers run until the last clone is dropped.
    pub fn new(settings: Settings) -> Self {
        Self {
            inner: Arc::new(Inner { settings }),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Serves on `listener` until `stop`. `names` are the addresses and DNS names of the serving certificate
    /// beside the standard ones. May run several times side by side, once for each control-plane node.
    ///
    /// # Errors
    /// When the cluster's CA cannot be used.
    pub async fn serve(
        &self,
        listener: TcpListener,
        names: Vec<String>,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        server::serve(self.clone(), listener, names, stop).await
    }

    /// A kubelet registers its node or reports again. The Node is NotReady until a pod of the CNI's DaemonSet
    /// (`kube-system/cilium`) runs there. Labels, taints and versions of an existing Node follow the registration.
    pub fn node_up(&self, node: NodeRegistration) {
        let _ = node;
    }

    /// The kubelet stopped reporting: the Node turns NotReady at once, its pods are evicted after a while.
    pub fn node_down(&self, name: &str) {
        let _ = name;
    }

    /// The machine is gone for good: the kubelet's pods vanish; the Node object stays until somebody deletes it.
    pub fn node_gone(&self, name: &str) {
        let _ = name;
    }

    /// The version that the server reports from now on, after an upgrade of the control plane.
    pub fn set_version(&self, version: &str) {
        let _ = version;
    }

    /// The whole state, for a sandbox that is kept in a directory.
    pub fn snapshot(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Replaces the state by a snapshot's; anything that is not one is ignored.
    pub fn restore(&self, snapshot: serde_json::Value) {
        let _ = snapshot;
    }

    /// Answers one request.
    pub(super) fn handle(&self, request: Request) -> http::Response<Body> {
        let _ = (
            request.method,
            request.uri,
            request.headers,
            request.body,
            request.identity,
        );
        http::Response::new(
            Full::new(Bytes::from_static(b"{}"))
                .map_err(|never| match never {})
                .boxed_unsync(),
        )
    }
}
