//! The Kubernetes API of one cluster, built in or real, as its machines see it.

use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::real::{Real, Spec};
use super::{ApiServer, NodeRegistration, ServeError};

/// The control plane of one cluster. Clones are the same one.
#[derive(Clone)]
pub enum ControlPlane {
    /// In memory, in this process.
    BuiltIn(ApiServer),
    /// The real programs, as processes of their own.
    Real(Arc<Real>),
}

impl ControlPlane {
    /// Returns when requests can be answered.
    pub async fn ready(&self) {
        if let Self::Real(real) = self {
            real.ready().await;
        }
    }

    /// Serves on `listener` until `stop`, which also ends open connections. `names` are the addresses and DNS names of
    /// the serving certificate beside the standard ones.
    ///
    /// # Errors
    /// When the cluster's CA cannot be used.
    pub async fn serve(
        &self,
        listener: TcpListener,
        names: Vec<String>,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        match self {
            Self::BuiltIn(api) => api.serve(listener, names, stop).await,
            Self::Real(real) => real.serve(listener, &names, stop).await,
        }
    }

    /// The control-plane machine of that Node runs with this configuration now; `names` are as for [`Self::serve`].
    pub fn configure(&self, member: &str, spec: Spec, names: &[String]) {
        match self {
            Self::BuiltIn(api) => api.set_version(&spec.settings.kubernetes_version),
            Self::Real(real) => {
                real.name(names);
                real.configure(member, spec);
            }
        }
    }

    /// A kubelet registers its node or reports again.
    pub fn node_up(&self, node: NodeRegistration) {
        match self {
            Self::BuiltIn(api) => api.node_up(node),
            Self::Real(real) => real.node_up(node),
        }
    }

    /// A kubelet stopped reporting.
    pub fn node_down(&self, name: &str) {
        match self {
            Self::BuiltIn(api) => api.node_down(name),
            Self::Real(real) => real.node_down(name),
        }
    }

    /// The machine is gone for good; its Node object stays until somebody deletes it.
    pub fn node_gone(&self, name: &str) {
        match self {
            Self::BuiltIn(api) => api.node_gone(name),
            Self::Real(real) => real.node_down(name),
        }
    }

    /// Nobody will ask for the cluster again.
    pub fn forget(&self) {
        if let Self::Real(real) = self {
            real.forget();
        }
    }

    /// Grows with each write; a real control plane keeps its state itself.
    pub fn revision(&self) -> u64 {
        match self {
            Self::BuiltIn(api) => api.revision(),
            Self::Real(_) => 0,
        }
    }

    /// The whole state, for a sandbox that is kept in a directory.
    pub fn snapshot(&self) -> Option<Value> {
        match self {
            Self::BuiltIn(api) => Some(api.snapshot()),
            Self::Real(_) => None,
        }
    }
}
