//! The machine API behind [`Nodes`].

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use talos::client::{
    BootstrapOutcome, Depth, MemberId, Reach, Service, ServiceState, SnapshotError, TalosClient,
    TalosError,
};
use talos::config::MachineRole;
use tokio::io::AsyncWrite;
use transport::{CancellationToken, DialError, Dialer, Knock, chain};

use crate::error::Fault;
use crate::guard::EtcdMember;
use crate::ports::{Bootstrapped, EtcdService, NodeLook, Nodes, Occupant, SnapshotTaken};

/// The machine API of one cluster.
pub(super) struct NodesDoor {
    pub client: TalosClient,
    pub dialer: Dialer,
}

/// SSH, HTTP, HTTPS, RDP, the Kubernetes API.
const LIKELY_PORTS: [u16; 5] = [22, 80, 443, 3389, 6443];
/// How long one of them may take: a machine in the same network answers in milliseconds.
const KNOCK_LIMIT: Duration = Duration::from_secs(3);

#[async_trait]
impl Nodes for NodesDoor {
    async fn look(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<NodeLook, Fault> {
        let address = IpAddr::V4(node);
        let version = match self.client.node(address, cancel).await {
            Ok(connection) => connection.version().await,
            Err(error) => Err(error),
        };
        match version {
            Ok(version) => Ok(NodeLook {
                version,
                maintenance: false,
            }),
            Err(TalosError::Cancelled) => Err(Fault::Cancelled),
            Err(error) if error.is_passing() => Err(Fault::Unreachable(chain(&error))),
            // Another certificate than ours: a closer look tells maintenance from somebody else's node.
            Err(_) => {
                let look = self
                    .client
                    .observe(address, MachineRole::Worker, Depth::Quick, cancel);
                match look.await.map_err(fault(node, "look at the node"))?.reach {
                    Reach::Configured(facts) => Ok(NodeLook {
                        version: facts.version.clone(),
                        maintenance: false,
                    }),
                    Reach::Maintenance(facts) => Ok(NodeLook {
                        version: facts.version.clone().unwrap_or_default(),
                        maintenance: true,
                    }),
                    Reach::Foreign { reason } => Err(Fault::Unreachable(format!(
                        "a node that is not of this cluster: {reason}"
                    ))),
                    Reach::Silent { reason } => Err(Fault::Unreachable(reason)),
                }
            }
        }
    }

    async fn occupant(
        &self,
        address: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Option<Occupant>, Fault> {
        let (talos, other) = tokio::join!(
            self.talos_occupant(address, cancel),
            self.other_occupant(address, cancel)
        );
        Ok(talos?.or(other?))
    }

    async fn etcd(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<EtcdService, Fault> {
        let doing = || fault(node, "ask for the state of etcd");
        let connection = self
            .client
            .node(IpAddr::V4(node), cancel)
            .await
            .map_err(doing())?;
        match connection.etcd_members().await {
            Ok(members) if !members.is_empty() => {
                return Ok(EtcdService::Running(
                    members
                        .into_iter()
                        .map(|member| EtcdMember {
                            id: member.id.0,
                            name: member.hostname,
                            learner: member.is_learner,
                            healthy: false,
                        })
                        .collect(),
                ));
            }
            Err(TalosError::Cancelled) => return Err(Fault::Cancelled),
            // It does not run: the service says why.
            Ok(_) | Err(_) => {}
        }
        let services = connection.services().await.map_err(doing())?;
        Ok(match services.iter().find(|service| service.id == "etcd") {
            None => EtcdService::Starting("not started yet".to_owned()),
            Some(Service {
                state: ServiceState::Preparing,
                ..
            }) => EtcdService::Waiting,
            Some(service) => EtcdService::Starting(words(service)),
        })
    }

    async fn bootstrap(
        &self,
        node: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Bootstrapped, Fault> {
        let doing = || fault(node, "bootstrap etcd");
        let connection = self
            .client
            .node(IpAddr::V4(node), cancel)
            .await
            .map_err(doing())?;
        Ok(match connection.bootstrap().await.map_err(doing())? {
            BootstrapOutcome::Started => Bootstrapped::Started,
            BootstrapOutcome::AlreadyDone => Bootstrapped::Already,
            BootstrapOutcome::NotYet(reason) => {
                tracing::debug!(%node, reason, "not ready to be bootstrapped");
                Bootstrapped::NotYet
            }
        })
    }

    async fn remove_member(
        &self,
        through: Ipv4Addr,
        id: u64,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let doing = || fault(through, "remove an etcd member");
        let connection = self
            .client
            .node(IpAddr::V4(through), cancel)
            .await
            .map_err(doing())?;
        connection
            .etcd_remove_member(MemberId(id))
            .await
            .map_err(doing())
    }

    async fn shutdown(&self, node: Ipv4Addr, cancel: &CancellationToken) -> Result<(), Fault> {
        let doing = || fault(node, "shut the node down");
        let connection = self
            .client
            .node(IpAddr::V4(node), cancel)
            .await
            .map_err(doing())?;
        connection.shutdown(true).await.map_err(doing())
    }

    async fn etcd_snapshot(
        &self,
        node: Ipv4Addr,
        mut target: &mut (dyn AsyncWrite + Send + Unpin),
        cancel: &CancellationToken,
    ) -> Result<SnapshotTaken, Fault> {
        let doing = || fault(node, "take a snapshot of etcd on");
        let connection = self
            .client
            .node(IpAddr::V4(node), cancel)
            .await
            .map_err(doing())?;
        match connection.etcd_snapshot(&mut target).await {
            Ok(snapshot) => Ok(SnapshotTaken {
                bytes: snapshot.bytes,
            }),
            Err(SnapshotError::Node(error)) => Err(doing()(error)),
            Err(error) => Err(Fault::failed(format!("take a snapshot of etcd on {node}"))(
                error,
            )),
        }
    }
}

impl NodesDoor {
    async fn talos_occupant(
        &self,
        address: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Option<Occupant>, Fault> {
        let look = self.client.observe(
            IpAddr::V4(address),
            MachineRole::Worker,
            Depth::Quick,
            cancel,
        );
        let look = look.await.map_err(fault(address, "look at"))?;
        Ok(match look.reach {
            Reach::Configured(_) => Some(Occupant::Ours),
            Reach::Maintenance(_) => Some(Occupant::Maintenance),
            Reach::Foreign { .. } => Some(Occupant::Foreign),
            Reach::Silent { .. } => None,
        })
    }

    /// Whoever is no Talos machine: ports that servers of any kind are likely to have, or to refuse.
    async fn other_occupant(
        &self,
        address: Ipv4Addr,
        cancel: &CancellationToken,
    ) -> Result<Option<Occupant>, Fault> {
        let host = address.to_string();
        let knocks = LIKELY_PORTS.map(|port| {
            let (dialer, host) = (&self.dialer, &host);
            async move { (port, dialer.knock(host, port, KNOCK_LIMIT, cancel).await) }
        });
        let mut refuses = None;
        for (port, knock) in futures::future::join_all(knocks).await {
            match knock {
                Ok(Knock::Open) => return Ok(Some(Occupant::Answers(port))),
                Ok(Knock::Refused) => refuses = refuses.or(Some(Occupant::Refuses(port))),
                Ok(Knock::Silent) => {}
                Err(DialError::Cancelled) => return Err(Fault::Cancelled),
                Err(error) => return Err(Fault::Unreachable(chain(&error))),
            }
        }
        Ok(refuses)
    }
}

/// The state of a service, in words.
fn words(service: &Service) -> String {
    let state = format!("{:?}", service.state).to_lowercase();
    match (service.healthy, service.message.is_empty()) {
        (Some(false), false) => {
            format!("{state}, not healthy: {}", secret::scrub(&service.message))
        }
        (Some(false), true) => format!("{state}, not healthy"),
        _ => state,
    }
}

fn fault(node: Ipv4Addr, doing: &'static str) -> impl FnOnce(TalosError) -> Fault {
    move |error| match error {
        TalosError::Cancelled => Fault::Cancelled,
        error if error.is_passing() => Fault::Unreachable(chain(&error)),
        error => Fault::Failed {
            doing: format!("{doing} {node}"),
            source: Box::new(error),
        },
    }
}
