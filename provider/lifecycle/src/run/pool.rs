//! Execution of a worker pool's plan.

mod observe;
mod preflight;
mod steps;

use futures::FutureExt as _;
use openiaas::Freshness;
use product::{IndexSet, NodeKey, PoolName, Problem, Role, VmTag};
use serde::{Deserialize, Serialize};
use serde_json::json;
use transport::CancellationToken;

use super::cluster::{no_progress, plan_again, seen};
use super::inside::{Inside, unreachable};
use super::machines::{Inventory, Look};
use super::{ClusterHandle, Engine, EventState, going, side_by_side};
use crate::Error;
use crate::plan::{Deviation, Drift, NodeSet, Plan, PlanSummary, Step, StepKind, approve};
use crate::pool::{DesiredPool, ObservedPool, deviations, plan_destroy, target_indexes};
use crate::seen::Seen;

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
        let mut looked = false;
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
            if !looked && front[0].kind == StepKind::MakeMachine {
                looked = true;
                self.free_addresses(&target, &observed).await?;
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
}
