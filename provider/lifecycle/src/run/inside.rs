//! The doors into a cluster that exists, for pools and add-ons, and whether it lives.

use std::sync::Arc;

use openiaas::Freshness;
use product::{Path, Problem, Role};
use transport::CancellationToken;

use super::{ClusterHandle, Engine, MintedKey};
use crate::Error;
use crate::error::Fault;
use crate::ports::{Kubernetes, Nodes};

/// The doors into one cluster.
pub(crate) struct Inside {
    pub minted: MintedKey,
    pub nodes: Arc<dyn Nodes>,
    pub kubernetes: Arc<dyn Kubernetes>,
}

impl Engine {
    /// The doors into the cluster of a handle; another key than it was made with is refused before any call.
    pub(crate) fn inside(&self, cluster: &ClusterHandle) -> Result<Inside, Error> {
        let id = &cluster.id;
        let stored = cluster.cas.clone().into();
        let stored = Some((&stored, cluster.key_fingerprint.as_str()));
        let minted = self
            .key
            .mint(&self.tenant, &id.identifier, id.birth, stored)?;
        Ok(Inside {
            nodes: self.access.nodes(&minted.pki)?,
            kubernetes: self
                .access
                .kubernetes(&minted.pki, &cluster.control_plane_addresses())?,
            minted,
        })
    }

    /// Whether a cluster is dead for certain: every control plane of its birth is absent or halted. Then
    /// what was inside it is gone, too (design law 7).
    pub(crate) async fn is_dead(
        &self,
        cluster: &ClusterHandle,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let id = &cluster.id;
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], Freshness::Now, cancel)
            .await?;
        let alive = inventory
            .vms
            .iter()
            .filter(|found| found.node.role == Role::ControlPlane)
            .filter(|found| found.owner().is_some_and(|tag| tag.birth == id.birth))
            .any(|found| !found.is_halted());
        Ok(inventory.complete && !alive)
    }

    /// Whether the Kubernetes API answers. When it does not and the cluster is dead, `false`; when it
    /// should answer and does not, an error.
    pub(crate) async fn lives(
        &self,
        cluster: &ClusterHandle,
        kubernetes: &dyn Kubernetes,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        match kubernetes.alive(cancel).await {
            Ok(()) => Ok(true),
            Err(Fault::Cancelled) => Err(Error::Cancelled),
            Err(_) if self.is_dead(cluster, cancel).await? => Ok(false),
            Err(fault) => Err(Error::cluster("reach the cluster")(fault)),
        }
    }
}

/// The one warning of a refresh that could not look.
pub(crate) fn unreachable(reason: &str) -> Problem {
    Problem::warning(Path::root(), "cluster does not answer")
        .seen(reason)
        .allowed("an answer of a control plane")
        .next("The prior state is kept; check the way to the node network (proxy_url) and the machines.")
}
