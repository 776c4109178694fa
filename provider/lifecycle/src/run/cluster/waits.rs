//! Waits: for machines, etcd, the API and nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use product::NodeKey;
use transport::{Pace, Probe, WaitError, poll_until};

use super::{Run, is_control_plane};
use crate::cluster::Etcd;
use crate::error::Fault;
use crate::plan::Step;
use crate::ports::Bootstrapped;
use crate::seen::Seen;
use crate::{Error, EventState};

impl Run<'_> {
    /// Polls one question until it is answered; what was seen last is told and is in the error.
    async fn until<'f, T>(
        &self,
        step: &Step,
        limit: Duration,
        look: impl Fn() -> BoxFuture<'f, Result<Probe<T, String>, Error>> + Send + Sync,
    ) -> Result<T, Error> {
        let subject = self.subject();
        let told = || async {
            let probe = look().await?;
            if let Probe::Pending(last) = &probe {
                self.engine
                    .tell(&subject, step, EventState::Waiting(last.clone()));
            }
            Ok(probe)
        };
        poll_until(
            self.engine.clock.as_ref(),
            self.cancel,
            &mut Pace::new(),
            limit,
            told,
        )
        .await
        .map_err(|error| match error {
            WaitError::Cancelled => Error::Cancelled,
            WaitError::Look(error) => error,
            WaitError::Deadline { last, elapsed } => Error::Timeout {
                phase: step.to_string(),
                object: subject.clone(),
                last,
                elapsed,
            },
        })
    }

    pub(super) async fn await_machines(&self, step: &Step) -> Result<(), Error> {
        let nodes: Vec<NodeKey> = self
            .desired
            .machines()
            .into_iter()
            .map(|spec| spec.node)
            .collect();
        self.until(step, self.engine.settings.machine_timeout, || {
            async {
                let silent: Vec<String> = self
                    .silent(&nodes)
                    .await?
                    .into_iter()
                    .map(|(node, why)| format!("{}: {why}", node.name(&self.desired.identifier)))
                    .collect();
                Ok(if silent.is_empty() {
                    Probe::Ready(())
                } else {
                    Probe::Pending(silent.join("; "))
                })
            }
            .boxed()
        })
        .await
    }

    /// Machines whose API does not answer as it should, and what was seen.
    async fn silent(&self, nodes: &[NodeKey]) -> Result<Vec<(NodeKey, String)>, Error> {
        let looks = self.looks(nodes).await;
        let mut silent = Vec::new();
        for (node, look) in looks {
            match look {
                Ok(look) if look.maintenance => {
                    silent.push((
                        node,
                        "in maintenance mode: it did not accept its configuration".to_owned(),
                    ));
                }
                Ok(_) => {}
                Err(Fault::Cancelled) => return Err(Error::Cancelled),
                Err(fault) => silent.push((node, transport::chain(&fault))),
            }
        }
        silent.sort();
        Ok(silent)
    }

    /// Bootstraps etcd once: only when every control plane answers and none of them has a member, and on
    /// the first of them (Talos docs, bootstrap).
    pub(super) async fn bootstrap(&self, step: &Step) -> Result<(), Error> {
        let control_planes = self.control_planes();
        let first = self.handle.network.address(self.desired.first());
        let limit = self.engine.settings.api_timeout;
        self.until(step, limit, || {
            async {
                match self.etcd(&control_planes).await? {
                    Seen::Known(Etcd::Members(_)) => return Ok(Probe::Ready(())),
                    Seen::Unknown(reason) => return Ok(Probe::Pending(reason)),
                    Seen::Known(Etcd::NotBootstrapped) => {}
                }
                match self.nodes.bootstrap(first, self.cancel).await {
                    Ok(Bootstrapped::Started | Bootstrapped::Already) => Ok(Probe::Ready(())),
                    Ok(Bootstrapped::NotYet) => Ok(Probe::Pending(
                        "the first control plane is not ready for it".to_owned(),
                    )),
                    Err(Fault::Unreachable(reason)) => Ok(Probe::Pending(reason)),
                    Err(fault) => Err(Error::cluster("bootstrap etcd")(fault)),
                }
            }
            .boxed()
        })
        .await?;
        self.until(step, limit, || {
            async {
                Ok(self
                    .missing_members()
                    .await?
                    .map_or(Probe::Ready(()), Probe::Pending))
            }
            .boxed()
        })
        .await
    }

    pub(super) async fn await_api(&self, step: &Step) -> Result<(), Error> {
        self.until(step, self.engine.settings.api_timeout, || {
            async {
                match self.kubernetes.alive(self.cancel).await {
                    Ok(()) => Ok(Probe::Ready(())),
                    Err(Fault::Cancelled) => Err(Error::Cancelled),
                    Err(fault) => Ok(Probe::Pending(transport::chain(&fault))),
                }
            }
            .boxed()
        })
        .await
    }

    pub(super) async fn await_nodes(&self, step: &Step) -> Result<(), Error> {
        let wanted: Vec<String> = self
            .desired
            .machines()
            .into_iter()
            .map(|spec| spec.node.name(&self.desired.identifier))
            .collect();
        self.until(step, self.engine.settings.ready_timeout, || {
            async {
                let nodes = match self.kubernetes.nodes(self.cancel).await {
                    Ok(nodes) => nodes,
                    Err(Fault::Cancelled) => return Err(Error::Cancelled),
                    Err(fault) => return Ok(Probe::Pending(transport::chain(&fault))),
                };
                if let Some(waiting) = not_ready(&wanted, &nodes) {
                    return Ok(Probe::Pending(waiting));
                }
                Ok(self
                    .missing_members()
                    .await?
                    .map_or(Probe::Ready(()), Probe::Pending))
            }
            .boxed()
        })
        .await
    }

    /// Control planes that etcd does not count among its healthy members yet: the next one may be changed
    /// only when it does.
    async fn missing_members(&self) -> Result<Option<String>, Error> {
        let control_planes = self.control_planes();
        Ok(match self.etcd(&control_planes).await? {
            Seen::Known(Etcd::Members(members)) => {
                let ready = members
                    .iter()
                    .filter(|member| member.healthy && !member.learner)
                    .count();
                let wanted = control_planes.len();
                (ready < wanted).then(|| format!("{ready} of {wanted} members of etcd are healthy"))
            }
            Seen::Known(Etcd::NotBootstrapped) => Some("etcd has not started yet".to_owned()),
            Seen::Unknown(reason) => Some(reason),
        })
    }

    fn control_planes(&self) -> Vec<NodeKey> {
        let nodes = self.desired.machines().into_iter().map(|spec| spec.node);
        nodes.filter(|node| is_control_plane(*node)).collect()
    }
}

/// Nodes that are missing or not ready, in words.
pub(crate) fn not_ready(
    wanted: &[String],
    nodes: &BTreeMap<String, crate::NodeSeen>,
) -> Option<String> {
    let waiting: Vec<String> = wanted
        .iter()
        .filter_map(|name| match nodes.get(name) {
            None => Some(format!("{name} is not registered")),
            Some(node) if !node.ready => Some(format!("{name} is not ready")),
            Some(_) => None,
        })
        .collect();
    (!waiting.is_empty()).then(|| waiting.join("; "))
}
