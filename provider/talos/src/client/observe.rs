//! Looking at nodes: one batch of calls, side by side on one connection.

use std::net::IpAddr;
use std::time::Duration;

use tokio::join;
use tracing::debug;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::{
    BootId, ConfigSlot, EtcdObservation, MaintenanceFacts, Node, NodeFacts, NodeObservation, Reach,
    Stage, TalosClient, TalosError, UnmetCondition, types,
};
use crate::config::MachineRole;

/// How much is asked of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Version, stage and the hash of the configuration: what a refresh compares.
    Quick,
    /// Services, image and boot as well, and etcd on control-plane nodes.
    Full,
}

/// How far a booting node must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It answers under this cluster's configuration.
    Answering,
    /// Its stage is running; it may still wait for others, for example for the network add-on.
    Running,
    /// It waits for nothing any more.
    Ready,
}

impl TalosClient {
    /// Looks at a node. That it does not answer, or not as ours, is an observation too.
    ///
    /// # Errors
    /// [`TalosError::Cancelled`], or [`TalosError::Pki`] and [`TalosError::Tls`] when we cannot
    /// even ask.
    pub async fn observe(
        &self,
        address: IpAddr,
        role: MachineRole,
        depth: Depth,
        cancel: &CancellationToken,
    ) -> Result<NodeObservation, TalosError> {
        let looked = match self.node(address, cancel).await {
            Ok(node) => node.facts(role, depth).await,
            Err(error) => Err(error),
        };
        let reach = match looked {
            Ok(facts) => Reach::Configured(Box::new(facts)),
            Err(error @ (TalosError::Cancelled | TalosError::Pki(_) | TalosError::Tls(_))) => {
                return Err(error);
            }
            Err(error) if error.is_foreign_certificate() => {
                self.look_unauthenticated(address, &error, cancel).await?
            }
            Err(TalosError::Credentials { reason, .. }) => Reach::Foreign { reason },
            Err(error) => Reach::Silent {
                reason: with_causes(&error),
            },
        };
        Ok(NodeObservation { address, reach })
    }

    /// The node shows a certificate that is not of this cluster: it is in maintenance, or it is
    /// somebody else's.
    async fn look_unauthenticated(
        &self,
        address: IpAddr,
        seen: &TalosError,
        cancel: &CancellationToken,
    ) -> Result<Reach, TalosError> {
        let looked = match self.maintenance(address, cancel).await {
            Ok(node) => node.maintenance_facts().await,
            Err(error) => Err(error),
        };
        match looked {
            Ok(facts) => Ok(Reach::Maintenance(facts)),
            Err(TalosError::Cancelled) => Err(TalosError::Cancelled),
            Err(error) => {
                debug!(%address, error = %with_causes(&error), "no answer without credentials");
                Ok(Reach::Foreign {
                    reason: with_causes(seen),
                })
            }
        }
    }

    /// Waits until a node is as far as `until` says; with `after`, in another boot than that one,
    /// which proves the reboot.
    ///
    /// # Errors
    /// [`WaitError::Deadline`] with the last thing seen, in words.
    pub async fn await_boot(
        &self,
        address: IpAddr,
        after: Option<&BootId>,
        until: Until,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<NodeFacts, WaitError<String, TalosError>> {
        let depth = if after.is_some() {
            Depth::Full
        } else {
            Depth::Quick
        };
        let look = || async {
            let seen = Box::pin(self.observe(address, MachineRole::Worker, depth, cancel)).await?;
            Ok(progress(seen, after, until))
        };
        poll_until(self.clock().as_ref(), cancel, &mut Pace::new(), limit, look).await
    }
}

fn progress(
    seen: NodeObservation,
    after: Option<&BootId>,
    until: Until,
) -> Probe<NodeFacts, String> {
    let facts = match seen.reach {
        Reach::Configured(facts) => *facts,
        Reach::Maintenance(facts) => return Probe::Pending(facts.to_string()),
        Reach::Foreign { reason } | Reach::Silent { reason } => return Probe::Pending(reason),
    };
    let same_boot = after.is_some_and(|before| facts.boot_id.as_ref() == Some(before));
    if same_boot || (after.is_some() && facts.boot_id.is_none()) {
        return Probe::Pending("it has not rebooted yet".to_owned());
    }
    let far_enough = match until {
        Until::Answering => true,
        Until::Running => facts.stage == Stage::Running,
        Until::Ready => facts.stage == Stage::Running && facts.ready,
    };
    if far_enough {
        return Probe::Ready(facts);
    }
    let mut words = format!("stage {}", facts.stage);
    for condition in &facts.unmet {
        words.extend(["; ", &condition.name, ": ", &condition.reason]);
    }
    Probe::Pending(words)
}

impl Node {
    /// What a planner needs of this node, in one batch.
    ///
    /// # Errors
    /// [`TalosError`] when the node does not tell version and stage; what else it does not tell
    /// is left out.
    pub async fn facts(&self, role: MachineRole, depth: Depth) -> Result<NodeFacts, TalosError> {
        let full = depth == Depth::Full;
        let etcd = full && role == MachineRole::ControlPlane;
        let (version, status, config, services, boot_id, extensions, members, member, alarms) = join!(
            self.version(),
            self.get(&types::MACHINE_STATUS, "machine"),
            self.config(ConfigSlot::Active),
            only(full, self.services()),
            only(full, self.boot_id()),
            only(full, self.list(&types::EXTENSION)),
            only(etcd, self.etcd_members()),
            only(etcd, self.etcd_status()),
            only(etcd, self.etcd_alarms()),
        );
        let mut facts = NodeFacts {
            version: version?,
            config_hash: self
                .told("configuration", config)?
                .flatten()
                .map(|held| held.hash),
            services: self.told_some("services", services)?.unwrap_or_default(),
            boot_id: self.told_some("boot id", boot_id)?,
            etcd: None,
            ..NodeFacts::default()
        };
        if let Some(status) = status? {
            let condition = status.spec.status.unwrap_or_default();
            facts.stage = Stage::from_wire(status.spec.stage);
            facts.ready = condition.ready;
            facts.unmet = unmet(condition.unmet_conditions);
        }
        for extension in self
            .told_some("extensions", extensions)?
            .unwrap_or_default()
        {
            let metadata = extension.spec.metadata.unwrap_or_default();
            if metadata.name == "schematic" {
                facts.schematic = Some(metadata.version);
            } else {
                facts.extensions.push(metadata.name);
            }
        }
        facts.extensions.sort();
        if etcd {
            facts.etcd = Some(EtcdObservation {
                members: self.told_some("etcd members", members)?,
                status: self.told_some("etcd status", member)?,
                alarms: self.told_some("etcd alarms", alarms)?.unwrap_or_default(),
            });
        }
        Ok(facts)
    }

    /// What a node in maintenance tells anyone.
    pub(super) async fn maintenance_facts(&self) -> Result<MaintenanceFacts, TalosError> {
        let (status, version, diagnostics, links) = join!(
            self.get(&types::MACHINE_STATUS, "machine"),
            self.get(&types::VERSION, "version"),
            self.list(&types::DIAGNOSTIC),
            self.list(&types::LINK),
        );
        let mut facts = MaintenanceFacts {
            version: self
                .told("version", version)?
                .flatten()
                .map(|version| version.spec.version)
                .filter(|version| !version.is_empty()),
            ..MaintenanceFacts::default()
        };
        if let Some(status) = status? {
            facts.stage = Stage::from_wire(status.spec.stage);
            let condition = status.spec.status.unwrap_or_default();
            facts.unmet = unmet(condition.unmet_conditions);
        }
        for problem in self.told("diagnostics", diagnostics)?.unwrap_or_default() {
            facts
                .diagnostics
                .push(super::error::excerpt(&problem.spec.message));
        }
        for link in self.told("links", links)?.unwrap_or_default() {
            let address = [link.spec.permanent_addr, link.spec.hardware_addr]
                .into_iter()
                .find(|address| address.len() == 6);
            facts
                .mac_addresses
                .extend(address.map(|bytes| colons(&bytes)));
        }
        facts.mac_addresses.sort();
        Ok(facts)
    }

    /// A part that a node may leave out; interruption is still an error.
    fn told<T>(&self, what: &str, part: Result<T, TalosError>) -> Result<Option<T>, TalosError> {
        match part {
            Ok(part) => Ok(Some(part)),
            Err(TalosError::Cancelled) => Err(TalosError::Cancelled),
            Err(error) => {
                debug!(address = %self.address, what, error = %with_causes(&error), "not told");
                Ok(None)
            }
        }
    }

    fn told_some<T>(
        &self,
        what: &str,
        part: Option<Result<T, TalosError>>,
    ) -> Result<Option<T>, TalosError> {
        part.map_or(Ok(None), |part| self.told(what, part))
    }
}

/// The work's answer, when it is wanted at all.
async fn only<T>(wanted: bool, work: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(work.await) } else { None }
}

fn unmet(
    conditions: Vec<proto_talos::talos::resource::definitions::runtime::UnmetCondition>,
) -> Vec<UnmetCondition> {
    conditions
        .into_iter()
        .map(|condition| UnmetCondition {
            name: condition.name,
            reason: super::error::excerpt(&condition.reason),
        })
        .collect()
}

fn colons(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

/// An error with its causes, in one line.
fn with_causes(error: &TalosError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    super::error::excerpt(&text)
}
