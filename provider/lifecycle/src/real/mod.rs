//! The clients behind the doors.

mod charts;
mod definitions;
mod kubernetes;
mod nodes;
mod release_door;
mod releases;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::kubernetes::{Client, Identity, Settings, Snapshot};
use jiff::{SignedDuration, Timestamp};
use product::API_PORT;
use talos::client::TalosClient;
use talos::{ClusterPki, TalosRole, Validity};
use transport::{Dialer, SharedClock, Trust};

use crate::error::{Error, Fault};
use crate::ports::{Access, Kubernetes, Nodes};
pub use charts::{ChartAccess, Charts, FetchedChart};
use kubernetes::KubernetesDoor;
use nodes::NodesDoor;

/// Time of life of a client certificate of the Kubernetes API; the client mints another in time.
const CERTIFICATE_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// How old lists may be that all reads of one refresh share. Writes of this process end them at once.
const SNAPSHOT_AGE: Duration = Duration::from_secs(20);

/// Doors made of the real clients. Resources of one process share a client for each cluster: its
/// connections, its discovery, its lists.
pub struct ClusterAccess {
    dialer: Dialer,
    clock: SharedClock,
    user_agent: String,
    charts: Charts,
    clients: Mutex<HashMap<String, (Client, Snapshot)>>,
    nodes: Mutex<HashMap<String, TalosClient>>,
}

impl ClusterAccess {
    /// Doors that are dialled with `dialer`; charts come from `charts`.
    pub fn new(
        dialer: Dialer,
        clock: SharedClock,
        user_agent: impl Into<String>,
        charts: Charts,
    ) -> Self {
        Self {
            dialer,
            clock,
            user_agent: user_agent.into(),
            charts,
            clients: Mutex::default(),
            nodes: Mutex::default(),
        }
    }

    fn client(&self, pki: &ClusterPki, members: &[Ipv4Addr]) -> Result<(Client, Snapshot), Fault> {
        let doing = "reach the Kubernetes API";
        let authority = pki.ca_certificates().kubernetes;
        let members: Vec<String> = members.iter().map(ToString::to_string).collect();
        let key = format!("{authority}{}", members.join(","));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let trust = Trust::pinned_pem(&authority, "the cluster's CA certificate")
            .map_err(Fault::failed(doing))?;
        let (pki, clock) = (pki.clone(), self.clock.clone());
        let settings = Settings {
            members,
            port: API_PORT,
            trust,
            mint: Arc::new(move || {
                let now = Timestamp::try_from(clock.wall())?;
                let validity = Validity::starting(now, CERTIFICATE_LIFETIME)?;
                let groups = ["system:masters".to_owned()];
                Ok(Identity::from(&pki.kubernetes_client(
                    "managedk8s",
                    &groups,
                    validity,
                )?))
            }),
            dialer: self.dialer.clone(),
            user_agent: self.user_agent.clone(),
        };
        let client = Client::new(settings, self.clock.clone()).map_err(Fault::failed(doing))?;
        let snapshot = client.snapshot(SNAPSHOT_AGE);
        clients.insert(key, (client.clone(), snapshot.clone()));
        Ok((client, snapshot))
    }
}

impl Access for ClusterAccess {
    fn nodes(&self, pki: &ClusterPki) -> Result<Arc<dyn Nodes>, Error> {
        let key = pki.ca_certificates().talos;
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let client = nodes.entry(key).or_insert_with(|| {
            TalosClient::new(
                pki.clone(),
                TalosRole::Admin,
                self.dialer.clone(),
                self.clock.clone(),
            )
        });
        Ok(Arc::new(NodesDoor {
            client: client.clone(),
            dialer: self.dialer.clone(),
        }))
    }

    fn kubernetes(
        &self,
        pki: &ClusterPki,
        members: &[Ipv4Addr],
    ) -> Result<Arc<dyn Kubernetes>, Error> {
        let (client, snapshot) = self
            .client(pki, members)
            .map_err(Error::cluster("reach the Kubernetes API"))?;
        Ok(Arc::new(KubernetesDoor::new(
            client,
            snapshot,
            self.clock.clone(),
            self.charts.clone(),
        )))
    }
}
