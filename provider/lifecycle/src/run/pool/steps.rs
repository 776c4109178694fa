//! The steps of a pool's plan.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use openiaas::Freshness;
use product::{IndexSet, NodeKey, Problem, Role};
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::Run;
use crate::Error;
use crate::error::Fault;
use crate::plan::{Step, StepKind};
use crate::pool::ObservedPool;
use crate::run::cluster::not_ready;
use crate::run::config::{NodeConfig, machine_config, network_config};
use crate::run::machines::{Claim, FoundVm};
use crate::run::turn::Disturbance;
use crate::run::{EventState, going};

impl Run<'_> {
    pub(super) async fn one(
        &self,
        step: &Step,
        observed: &ObservedPool,
        target: &IndexSet,
    ) -> Result<(), Error> {
        match (step.kind, step.object.machine()) {
            (StepKind::MakeMachine, Some(node)) => self.make(node).await,
            (StepKind::PowerOn, Some(node)) => {
                let found = self.found(node)?;
                self.engine.machines.power_on(found, self.cancel).await
            }
            (StepKind::LabelNode, Some(node)) => self.label(node, observed).await,
            (StepKind::RemoveWorker, Some(node)) => self.remove_in_turn(step, node, true).await,
            (StepKind::AwaitNodes | StepKind::AwaitMachines, _) => {
                self.await_nodes(step, target).await
            }
            (StepKind::RecordInputs, _) => self
                .inside
                .kubernetes
                .record_inputs(&self.inputs_name(), &self.inputs(target), self.cancel)
                .await
                .map_err(Error::cluster("record the inputs in the cluster")),
            // Of clusters and add-ons; a pool's plan has none of them.
            _ => Ok(()),
        }
    }

    async fn make(&self, node: NodeKey) -> Result<(), Error> {
        let spec = self.desired.machine(node.index);
        let config = machine_config(
            &self.inside.minted.pki,
            self.cluster,
            &self.engine.tenant,
            NodeConfig {
                node,
                labels: crate::cluster::node_labels(self.desired.region, &spec.zone, Role::Worker),
                taints: self.desired.taints.iter().cloned().collect(),
                max_pods: self.desired.max_pods_per_node,
            },
        );
        let network = network_config(self.cluster, &self.engine.tenant, node);
        let names = &self.desired.infrastructure;
        let machines = &self.engine.machines;
        let claim = Claim {
            owner: &self.tag(),
            spec: &spec,
            names,
            config: &config,
            network_config: &network,
            prior: self.inventory.of(node),
            proof: false,
        };
        let found = machines.claim(&claim, self.cancel).await?;
        machines.finish(&found, &spec, names, self.cancel).await
    }

    /// A machine as the last observation listed it.
    fn found(&self, node: NodeKey) -> Result<&FoundVm, Error> {
        self.inventory.of(node).ok_or_else(|| {
            Error::refused(
                Problem::error(product::Path::root(), "a machine is not listed")
                    .seen(node.name(&self.cluster.id.identifier))
                    .next("Apply again."),
            )
        })
    }

    pub(super) async fn remove_drive(&self, node: NodeKey) -> Result<Option<NodeKey>, Error> {
        let gone = self
            .engine
            .machines
            .remove_config_drive(self.found(node)?, self.cancel)
            .await?;
        Ok((!gone).then_some(node))
    }

    async fn label(&self, node: NodeKey, observed: &ObservedPool) -> Result<(), Error> {
        let Some(seen) = observed
            .nodes
            .known()
            .and_then(|nodes| nodes.get(&node.index))
        else {
            return Ok(());
        };
        let name = node.name(&self.cluster.id.identifier);
        let labels = self.desired.labels(node.index);
        self.inside
            .kubernetes
            .set_node(&name, &labels, &self.desired.taints, seen, self.cancel)
            .await
            .map_err(Error::cluster(format!("label {name}")))
    }

    pub(super) async fn remove_in_turn(
        &self,
        step: &Step,
        node: NodeKey,
        alive: bool,
    ) -> Result<(), Error> {
        let subject = self.subject();
        let disturbance = Disturbance {
            cluster: &self.cluster.id.identifier,
            kubernetes: alive.then_some(self.inside.kubernetes.as_ref()),
            subject: &subject,
            step,
        };
        let work = |cancel: CancellationToken| {
            async move { self.remove_worker(node, alive, &cancel).await }.boxed()
        };
        self.engine.in_turn(disturbance, self.cancel, work).await
    }

    /// Drains a worker, removes its machine, then its node.
    async fn remove_worker(
        &self,
        node: NodeKey,
        alive: bool,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let name = node.name(&self.cluster.id.identifier);
        let kubernetes = &self.inside.kubernetes;
        if alive && self.has_somewhere_to_go(&name).await? {
            let limit = Duration::from_mins(u64::from(self.desired.drain_timeout_minutes));
            kubernetes
                .drain(&name, limit, cancel)
                .await
                .map_err(Error::cluster(format!("drain {name}")))?;
        }
        going(cancel)?;
        let zones = self.cluster.zones.as_slice();
        let inventory = self
            .engine
            .machines
            .inventory(&self.cluster.id.identifier, zones, Freshness::Now, cancel)
            .await?;
        if let Some(found) = inventory
            .of(node)
            .filter(|found| found.owner() == Some(&self.tag()))
        {
            self.engine.machines.remove(found, cancel).await?;
        }
        if alive {
            let doing = Error::cluster(format!("remove the node {name}"));
            kubernetes.delete_node(&name, cancel).await.map_err(doing)?;
        }
        Ok(())
    }

    /// Whether another worker could take the pods; a last drain would wait for ever.
    async fn has_somewhere_to_go(&self, leaving: &str) -> Result<bool, Error> {
        let doing = Error::cluster("list the nodes");
        let nodes = self
            .inside
            .kubernetes
            .nodes(self.cancel)
            .await
            .map_err(doing)?;
        let identifier = &self.cluster.id.identifier;
        Ok(nodes.iter().any(|(name, node)| {
            name != leaving
                && node.ready
                && NodeKey::from_name(identifier, name).is_some_and(|key| key.role == Role::Worker)
        }))
    }

    async fn await_nodes(&self, step: &Step, target: &IndexSet) -> Result<(), Error> {
        let identifier = &self.cluster.id.identifier;
        let wanted: BTreeMap<String, NodeKey> = target
            .iter()
            .map(|index| {
                (
                    NodeKey::worker(index).name(identifier),
                    NodeKey::worker(index),
                )
            })
            .collect();
        let names: Vec<String> = wanted.keys().cloned().collect();
        let subject = self.subject();
        let limit = self.engine.settings.machine_timeout + self.engine.settings.ready_timeout;
        let look = || async {
            let nodes = match self.inside.kubernetes.nodes(self.cancel).await {
                Ok(nodes) => nodes,
                Err(Fault::Cancelled) => return Err(Error::Cancelled),
                Err(fault) => return Ok(Probe::Pending(transport::chain(&fault))),
            };
            let Some(mut waiting) = not_ready(&names, &nodes) else {
                return Ok(Probe::Ready(()));
            };
            if let Some((name, node)) = wanted.iter().find(|(name, _)| !nodes.contains_key(*name)) {
                waiting = format!("{waiting} ({name} {})", self.word_of(*node).await?);
            }
            self.engine
                .tell(&subject, step, EventState::Waiting(waiting.clone()));
            Ok(Probe::Pending(waiting))
        };
        poll_until(
            self.engine.clock.as_ref(),
            self.cancel,
            &mut Pace::new(),
            limit,
            look,
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

    /// What a machine that is not registered says of itself.
    async fn word_of(&self, node: NodeKey) -> Result<String, Error> {
        let address = self.cluster.network.address(node);
        Ok(match self.inside.nodes.look(address, self.cancel).await {
            Ok(look) if look.maintenance => {
                "is in maintenance mode: it did not accept its configuration".to_owned()
            }
            Ok(look) => format!("runs Talos {} and has not joined yet", look.version),
            Err(Fault::Cancelled) => return Err(Error::Cancelled),
            Err(fault) => format!("does not answer: {}", transport::chain(&fault)),
        })
    }
}
