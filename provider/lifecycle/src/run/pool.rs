//! Execution of a worker pool's plan.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use openiaas::Freshness;
use product::{IndexSet, NodeKey, PoolName, Problem, Role, VmTag};
use serde::{Deserialize, Serialize};
use serde_json::json;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::cluster::{no_progress, not_ready, plan_again, seen};
use super::config::{NodeConfig, machine_config, network_config};
use super::inside::{Inside, unreachable};
use super::machines::{Claim, FoundVm, Inventory, Look};
use super::turn::Disturbance;
use super::{ClusterHandle, Engine, EventState, going, side_by_side};
use crate::Error;
use crate::error::Fault;
use crate::plan::{Deviation, Drift, NodeSet, Plan, PlanSummary, Step, StepKind, approve};
use crate::pool::{DesiredPool, ObservedPool, deviations, plan_destroy, target_indexes};
use crate::seen::{MachineSeen, Seen, absent_or_unknown};

/// The end of a create or an update.
pub struct PoolOutcome {
    /// The numbers of the pool's workers.
    pub indexes: IndexSet,
    /// What deviates at the end.
    pub drift: Drift,
    /// Why the run stopped early.
    pub error: Option<Error>,
}

impl PoolOutcome {
    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_cancelled)
    }
}

/// What a refresh found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolRead {
    /// No machine of the pool is left, and state knows of some.
    Gone,
    /// Its cluster does not answer: the prior state stays.
    Unreachable(Box<Problem>),
    /// It was looked at.
    Seen {
        /// The numbers it holds, vanished workers included.
        indexes: IndexSet,
        /// What deviates.
        drift: Drift,
    },
}

/// What is recorded in the cluster, so that an import finds everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPool {
    /// Version of this form.
    pub schema: u32,
    /// What was desired.
    pub desired: DesiredPool,
    /// The numbers of its workers.
    pub indexes: IndexSet,
}

/// One run on one pool.
struct Run<'a> {
    engine: &'a Engine,
    cluster: &'a ClusterHandle,
    desired: &'a DesiredPool,
    inside: Inside,
    cancel: &'a CancellationToken,
    /// How new listings have to be: those of an apply serve until it changes a machine.
    look: Look,
    /// What the last observation listed.
    inventory: Inventory,
    kept_drives: NodeSet,
}

impl Engine {
    /// Creates a pool, goes on with an unfinished one, or brings an existing one to what is desired.
    /// `wanted` are the numbers of state, empty on create.
    pub async fn apply_pool(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredPool,
        wanted: &IndexSet,
        approved: &PlanSummary,
        cancel: &CancellationToken,
    ) -> PoolOutcome {
        let inside = match self.inside(cluster) {
            Ok(inside) => inside,
            Err(error) => {
                return PoolOutcome {
                    indexes: wanted.clone(),
                    drift: Drift::default(),
                    error: Some(error),
                };
            }
        };
        let mut run = Run {
            engine: self,
            cluster,
            desired,
            inside,
            cancel,
            look: self.machines.begin(),
            inventory: Inventory::default(),
            kept_drives: NodeSet::new(),
        };
        let mut indexes = wanted.clone();
        let mut last = Vec::new();
        let error = run.drive(&mut indexes, approved, &mut last).await.err();
        PoolOutcome {
            indexes,
            drift: Drift::of(&last),
            error,
        }
    }

    /// Looks at a pool without changing anything.
    pub async fn read_pool(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredPool,
        wanted: &IndexSet,
        cancel: &CancellationToken,
    ) -> Result<PoolRead, Error> {
        let inside = self.inside(cluster)?;
        let run = Run {
            engine: self,
            cluster,
            desired,
            inside,
            cancel,
            look: self.machines.shared().into(),
            inventory: Inventory::default(),
            kept_drives: NodeSet::new(),
        };
        let (mut observed, _) = run.observe(wanted, false).await?;
        let unknown = observed
            .machines
            .values()
            .any(|seen| seen.reason().is_some());
        if observed.held().is_empty() && !unknown && !wanted.is_empty() {
            return Ok(PoolRead::Gone);
        }
        // Recording is the last step of an apply: without a record an interrupted create has more to do than nodes
        // show, such as taking configuration drives away.
        if observed.nodes.known().is_some() {
            let name = run.inputs_name();
            let recorded = run.inside.kubernetes.inputs(&name, cancel).await;
            observed.inputs_recorded = match seen(recorded)? {
                Seen::Unknown(reason) => Seen::Unknown(reason),
                Seen::Known(recorded) => Seen::Known(recorded.is_some()),
            };
        }
        let target = target_indexes(desired.size, wanted, &observed);
        let found = deviations(desired, &target, &observed);
        if let (Some(reason), true) = (observed.nodes.reason(), found.is_empty()) {
            return Ok(PoolRead::Unreachable(Box::new(unreachable(reason))));
        }
        let mut indexes = observed.held();
        wanted.iter().for_each(|index| {
            indexes.insert(index);
        });
        Ok(PoolRead::Seen {
            indexes,
            drift: Drift::of(&found),
        })
    }

    /// Removes a pool: each worker is drained, its node and its machine are removed. On a dead cluster
    /// only the machines are left to remove.
    pub async fn delete_pool(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredPool,
        wanted: &IndexSet,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let inside = self.inside(cluster)?;
        let run = Run {
            engine: self,
            cluster,
            desired,
            inside,
            cancel,
            look: Freshness::Now.into(),
            inventory: Inventory::default(),
            kept_drives: NodeSet::new(),
        };
        let alive = self
            .lives(cluster, run.inside.kubernetes.as_ref(), cancel)
            .await?;
        let (observed, _) = run.observe(wanted, false).await?;
        for step in &plan_destroy(&observed).steps {
            if let Some(node) = step.object.machine() {
                run.told(step, run.remove_in_turn(step, node, alive))
                    .await?;
            }
        }
        if alive {
            let doing = Error::cluster("remove the recorded inputs");
            run.inside
                .kubernetes
                .forget_inputs(&run.inputs_name(), cancel)
                .await
                .map_err(doing)?;
        }
        self.reserve(
            cluster.id.identifier.as_str(),
            desired.name.as_str(),
            &IndexSet::new(),
        );
        Ok(())
    }

    /// Finds a pool by name for an import: what it recorded about itself.
    pub async fn find_pool(
        &self,
        cluster: &ClusterHandle,
        name: &PoolName,
        cancel: &CancellationToken,
    ) -> Result<Option<RecordedPool>, Error> {
        let inside = self.inside(cluster)?;
        let doing = Error::cluster("read what the pool recorded about itself");
        let recorded = inside
            .kubernetes
            .inputs(&format!("pool-{name}"), cancel)
            .await
            .map_err(doing)?;
        Ok(recorded.and_then(|value| serde_json::from_value(value).ok()))
    }
}

impl Run<'_> {
    fn tag(&self) -> VmTag {
        VmTag {
            identifier: self.cluster.id.identifier.clone(),
            role: Role::Worker,
            pool: Some(self.desired.name.clone()),
            birth: self.cluster.id.birth,
        }
    }

    fn subject(&self) -> String {
        format!("{}/{}", self.cluster.id.identifier, self.desired.name)
    }

    fn inputs_name(&self) -> String {
        format!("pool-{}", self.desired.name)
    }

    fn inputs(&self, indexes: &IndexSet) -> serde_json::Value {
        json!(RecordedPool {
            schema: 1,
            desired: self.desired.clone(),
            indexes: indexes.clone()
        })
    }

    async fn told(
        &self,
        step: &Step,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        self.engine.tell(&self.subject(), step, EventState::Started);
        let result = work.await;
        self.engine.tell(
            &self.subject(),
            step,
            match &result {
                Ok(()) => EventState::Finished,
                Err(error) => EventState::Failed(error.to_string()),
            },
        );
        result
    }

    async fn drive(
        &mut self,
        indexes: &mut IndexSet,
        approved: &PlanSummary,
        last: &mut Vec<Deviation>,
    ) -> Result<(), Error> {
        let cluster = self.cluster.id.identifier.to_string();
        let pool = self.desired.name.to_string();
        let mut before = Plan::default();
        let mut repeats = 0;
        loop {
            going(self.cancel)?;
            // Numbers are taken under one lock, so that pools made side by side do not take the same.
            let (observed, target, found) = {
                let lock = self.engine.index_lock(&cluster);
                let _turn = lock.lock().await;
                let (observed, inventory) = self.observe(indexes, true).await?;
                self.inventory = inventory;
                let target = target_indexes(self.desired.size, indexes, &observed);
                let mut reserved = target.clone();
                observed.held().iter().for_each(|index| {
                    reserved.insert(index);
                });
                self.engine.reserve(&cluster, &pool, &reserved);
                let observed = self.with_inputs(observed, &target).await?;
                let found = deviations(self.desired, &target, &observed);
                (observed, target, found)
            };
            *indexes = observed.held();
            last.clone_from(&found);
            let next = crate::pool::plan(self.desired, &target, &observed);
            if next.is_empty() {
                *indexes = target;
                return Ok(());
            }
            repeats = if next == before { repeats + 1 } else { 0 };
            if repeats >= 3 {
                return Err(no_progress(&next));
            }
            let front = next.front().to_vec();
            for step in &front {
                approve(approved, step, &NodeSet::new()).map_err(|refused| plan_again(&refused))?;
            }
            match self.execute(&front, &observed, &target).await {
                // The name went to somebody else: the next observation shows it, and takes another number.
                Err(Error::LostClaim(problem)) if repeats < 2 => {
                    tracing::warn!(
                        pool,
                        "a worker's name was taken by somebody else: {problem}"
                    );
                    *indexes = IndexSet::new();
                    self.look = self.engine.machines.begin();
                }
                Err(error) => {
                    // What was claimed belongs to the pool whatever happened to the rest.
                    *indexes = target;
                    return Err(error);
                }
                Ok(()) => {}
            }
            before = next;
        }
    }

    async fn observe(
        &self,
        wanted: &IndexSet,
        drives: bool,
    ) -> Result<(ObservedPool, Inventory), Error> {
        let id = &self.cluster.id;
        let zones = self.cluster.zones.as_slice();
        let inventory = self
            .engine
            .machines
            .inventory(&id.identifier, zones, self.look, self.cancel)
            .await?;
        let mut observed = ObservedPool {
            taken: self
                .engine
                .reserved_by_others(id.identifier.as_str(), self.desired.name.as_str()),
            inputs_recorded: Seen::Known(true),
            ..ObservedPool::nothing()
        };
        for found in inventory
            .vms
            .iter()
            .filter(|found| found.node.role == Role::Worker)
        {
            let index = found.node.index;
            match found.owner() {
                Some(tag) if *tag == self.tag() => {
                    let seen = self.machine(found, drives).await?;
                    observed.machines.insert(index, Seen::Known(seen));
                }
                Some(_) => {
                    observed.taken.insert(index);
                }
                // Nobody's yet: if it is ours by number it is looked at when it is made.
                None if wanted.contains(index) => {
                    observed
                        .machines
                        .insert(index, Seen::Known(MachineSeen::Unclaimed));
                }
                None => {}
            }
        }
        for index in wanted
            .iter()
            .filter(|index| !observed.taken.contains(*index))
        {
            observed
                .machines
                .entry(index)
                .or_insert_with(|| absent_or_unknown(inventory.complete));
        }
        observed.nodes = match seen(self.inside.kubernetes.nodes(self.cancel).await)? {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(nodes) => Seen::Known(
                nodes
                    .into_iter()
                    .filter_map(|(name, node)| {
                        Some((NodeKey::from_name(&id.identifier, &name)?, node))
                    })
                    .filter(|(key, node)| {
                        key.role == Role::Worker && self.is_ours(key.index, node, &observed)
                    })
                    .map(|(key, node)| (key.index, node))
                    .collect(),
            ),
        };
        Ok((observed, inventory))
    }

    /// A node of this pool: of one of its machines, or labelled with its name and without a machine.
    fn is_ours(&self, index: u16, node: &crate::NodeSeen, observed: &ObservedPool) -> bool {
        observed.machines.contains_key(&index)
            || (!observed.taken.contains(index)
                && node
                    .labels
                    .get(product::POOL_LABEL)
                    .is_some_and(|pool| pool == self.desired.name.as_str()))
    }

    async fn machine(&self, found: &FoundVm, drives: bool) -> Result<MachineSeen, Error> {
        let spec = self.desired.machine(found.node.index);
        let condition = self
            .engine
            .machines
            .condition(found, &spec, self.cancel)
            .await?;
        Ok(if !found.is_halted() {
            let parts = [condition.lacks, condition.differs];
            let differs: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let config_drive =
                drives && condition.config_drive && !self.kept_drives.contains(found.node);
            MachineSeen::Running {
                differs: differs.join("; "),
                config_drive,
            }
        } else if !condition.lacks.is_empty() {
            MachineSeen::Unfinished {
                lacks: condition.lacks,
            }
        } else {
            MachineSeen::Halted
        })
    }

    async fn with_inputs(
        &self,
        mut observed: ObservedPool,
        target: &IndexSet,
    ) -> Result<ObservedPool, Error> {
        let recorded = seen(
            self.inside
                .kubernetes
                .inputs(&self.inputs_name(), self.cancel)
                .await,
        )?;
        observed.inputs_recorded = match recorded {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(recorded) => Seen::Known(recorded.as_ref() == Some(&self.inputs(target))),
        };
        Ok(observed)
    }

    async fn execute(
        &mut self,
        front: &[Step],
        observed: &ObservedPool,
        target: &IndexSet,
    ) -> Result<(), Error> {
        let this = &*self;
        let mut work = Vec::with_capacity(front.len());
        for step in front {
            work.push(this.step(step, observed, target).boxed());
        }
        let results = side_by_side(this.engine.settings.parallelism, work).await;
        for kept in results {
            if let Some(node) = kept? {
                self.kept_drives.insert(node);
            }
        }
        Ok(())
    }

    /// One step, told; the node whose drive the platform keeps, if it does.
    async fn step(
        &self,
        step: &Step,
        observed: &ObservedPool,
        target: &IndexSet,
    ) -> Result<Option<NodeKey>, Error> {
        let mut kept = None;
        self.told(step, async {
            if let (StepKind::RemoveConfigDrive, Some(node)) = (step.kind, step.object.machine()) {
                kept = self.remove_drive(node).await?;
                return Ok(());
            }
            self.one(step, observed, target).await
        })
        .await?;
        Ok(kept)
    }

    async fn one(
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

    async fn remove_drive(&self, node: NodeKey) -> Result<Option<NodeKey>, Error> {
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

    async fn remove_in_turn(&self, step: &Step, node: NodeKey, alive: bool) -> Result<(), Error> {
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
