//! Execution of a cluster's plan: create, update, read, delete, import.
//!
//! The order of a create is that of the plan: claim the identifier with the first control plane, make
//! the others side by side, wait for their machine API, bootstrap etcd once, wait for the API, install
//! the network, wait for nodes, remove configuration drives, record the inputs, mark it complete.

mod discover;
mod observe;
mod preflight;
mod refusals;
mod remove;
mod steps;
mod waits;

pub(crate) use observe::seen;
pub(crate) use refusals::{no_progress, plan_again};
pub(crate) use waits::not_ready;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use product::{Birth, ClusterId, NodeKey, Path, Problem, Role, VmTag};
use transport::CancellationToken;

use super::machines::{FoundVm, Inventory, Look};
use super::record::{ClusterHandle, ClusterRecord};
use super::{Engine, EventState, MintedKey, going};
use crate::Error;
use crate::cluster::{DesiredCluster, ObservedCluster, deviations, plan};
use crate::plan::{Drift, NodeSet, Plan, PlanSummary, approve};
use crate::ports::{Kubernetes, Nodes};

/// How far a cluster was when the run ended: it decides what an error means for the state (design law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing was claimed: an error leaves no state.
    Nothing,
    /// Machines are there, etcd is not: an error may taint, nothing of value is lost.
    BeforeBootstrap,
    /// etcd is there: an error becomes a warning and drift.
    AfterBootstrap,
}

/// The end of a create or an update.
pub struct ClusterOutcome {
    /// How far the cluster is.
    pub phase: Phase,
    /// What identifies it, once it was claimed.
    pub record: Option<ClusterRecord>,
    /// What deviates at the end: empty when the plan is.
    pub drift: Drift,
    /// Why the run stopped early.
    pub error: Option<Error>,
}

impl ClusterOutcome {
    /// Whether everything is as desired.
    pub const fn is_complete(&self) -> bool {
        self.error.is_none()
    }

    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_cancelled)
    }
}

/// What a refresh found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterRead {
    /// No machine of this birth is left anywhere in the tenant.
    Gone,
    /// It is there and does not answer: the prior state stays.
    Unreachable(Box<Problem>),
    /// It was looked at.
    Seen {
        /// What deviates.
        drift: Drift,
        /// What could not be looked at, and machines that no state owns.
        warnings: Vec<Problem>,
    },
}

/// What a create without state found under its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A create that never ended.
    Unfinished(Birth),
}

/// How deep an observation looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// For a refresh: shared readings, one call a node.
    Read,
    /// Before a step: everything now.
    Apply,
}

/// One run on one cluster whose birth is known.
struct Run<'a> {
    engine: &'a Engine,
    desired: &'a DesiredCluster,
    record: ClusterRecord,
    handle: ClusterHandle,
    minted: MintedKey,
    nodes: Arc<dyn Nodes>,
    kubernetes: Arc<dyn Kubernetes>,
    cancel: &'a CancellationToken,
    /// How new listings have to be: those of an apply serve until it changes a machine.
    look: Look,
    /// What the last observation listed.
    inventory: Inventory,
    /// Drives that the platform did not let go: not tried again in this run.
    kept_drives: BTreeSet<NodeKey>,
    bootstrapped: bool,
}

impl Engine {
    /// Creates a cluster, or goes on with the unfinished remains of an earlier create.
    pub async fn create_cluster(
        &self,
        desired: &DesiredCluster,
        approved: &PlanSummary,
        cancel: &CancellationToken,
    ) -> ClusterOutcome {
        let nothing = |error| ClusterOutcome {
            phase: Phase::Nothing,
            record: None,
            drift: Drift::default(),
            error: Some(error),
        };
        let look = self.machines.begin();
        let (birth, claimed) = match self.discovered(desired, look, cancel).await {
            Err(error) => return nothing(error),
            Ok(Found::Unfinished(birth)) => {
                tracing::info!(cluster = %desired.identifier, %birth, "going on with an unfinished create");
                (birth, true)
            }
            Ok(Found::Nothing) => match self.new_birth() {
                Ok(birth) => (birth, false),
                Err(error) => return nothing(error),
            },
        };
        match self.run_on(desired, birth, None, look, cancel) {
            Ok(run) => {
                // Of a cluster that is being made nothing is free any more, and nothing needs to be.
                if !claimed && let Err(error) = run.preflight().await {
                    return nothing(error);
                }
                run.into_outcome(approved, claimed).await
            }
            Err(error) => nothing(error),
        }
    }

    /// Brings an existing cluster to what is desired.
    pub async fn update_cluster(
        &self,
        desired: &DesiredCluster,
        record: &ClusterRecord,
        approved: &PlanSummary,
        cancel: &CancellationToken,
    ) -> ClusterOutcome {
        let look = self.machines.begin();
        match self.run_on(desired, record.id.birth, Some(record), look, cancel) {
            Ok(run) => run.into_outcome(approved, true).await,
            Err(error) => ClusterOutcome {
                phase: Phase::AfterBootstrap,
                record: Some(record.clone()),
                drift: Drift::default(),
                error: Some(error),
            },
        }
    }

    /// Looks at a cluster without changing anything. `desired` is what the state asks for.
    pub async fn read_cluster(
        &self,
        desired: &DesiredCluster,
        record: &ClusterRecord,
        cancel: &CancellationToken,
    ) -> Result<ClusterRead, Error> {
        let shared = self.machines.shared();
        let run = self.run_on(
            desired,
            record.id.birth,
            Some(record),
            shared.into(),
            cancel,
        )?;
        let inventory = self
            .machines
            .inventory(&desired.identifier, &[], shared, cancel)
            .await?;
        let ours = |found: &&FoundVm| {
            found
                .owner()
                .is_some_and(|tag| tag.birth == record.id.birth)
        };
        if inventory.complete && !inventory.vms.iter().any(|found| ours(&found)) {
            return Ok(ClusterRead::Gone);
        }
        let (observed, _) = run.observe(Depth::Read).await?;
        let found = deviations(desired, &observed);
        let mut warnings: Vec<Problem> = observed
            .unknowns()
            .into_iter()
            .map(|unknown| {
                Problem::warning(Path::root(), "part of the cluster could not be looked at")
                    .seen(unknown)
                    .next("The prior state of that part is kept; refresh again when it answers.")
            })
            .collect();
        if observed.complete
            && found.is_empty()
            && let Some(reason) = observed.api.reason()
        {
            return Ok(ClusterRead::Unreachable(Box::new(
                Problem::warning(Path::root(), "cluster does not answer")
                    .seen(reason)
                    .allowed("an answer of a control plane")
                    .next("The prior state is kept; check the way to the node network (proxy_url) and the machines."),
            )));
        }
        warnings.truncate(5);
        Ok(ClusterRead::Seen {
            drift: Drift::of(&found),
            warnings,
        })
    }

    fn new_birth(&self) -> Result<Birth, Error> {
        let since = self
            .clock
            .wall()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|error| {
            Error::refused(
                Problem::error(Path::root(), "the system gives no random bytes")
                    .seen(error)
                    .next("Apply again on a machine whose random source works."),
            )
        })?;
        Ok(Birth::at(since.as_secs() as u32, random))
    }

    fn run_on<'a>(
        &'a self,
        desired: &'a DesiredCluster,
        birth: Birth,
        record: Option<&ClusterRecord>,
        look: Look,
        cancel: &'a CancellationToken,
    ) -> Result<Run<'a>, Error> {
        let cas = record.map(|record| record.cas.clone().into());
        let fingerprint = record.map(|record| record.key_fingerprint.as_str());
        let stored = cas.as_ref().zip(fingerprint);
        let minted = self
            .key
            .mint(&self.tenant, &desired.identifier, birth, stored)?;
        let record = match record {
            Some(record) => record.clone(),
            None => ClusterRecord {
                id: ClusterId {
                    identifier: desired.identifier.clone(),
                    birth,
                },
                key_fingerprint: minted.fingerprint.clone(),
                cas: minted.pki.ca_certificates().into(),
            },
        };
        let handle = ClusterHandle::new(desired, &record);
        let members: Vec<Ipv4Addr> = handle.control_plane_addresses();
        Ok(Run {
            nodes: self.access.nodes(&minted.pki)?,
            kubernetes: self.access.kubernetes(&minted.pki, &members)?,
            engine: self,
            desired,
            record,
            handle,
            minted,
            cancel,
            look,
            inventory: Inventory::default(),
            kept_drives: BTreeSet::new(),
            bootstrapped: false,
        })
    }
}

impl Run<'_> {
    /// The tag of a machine of the cluster resource.
    fn tag(&self, node: NodeKey) -> VmTag {
        VmTag {
            identifier: self.desired.identifier.clone(),
            role: node.role,
            pool: None,
            birth: self.record.id.birth,
        }
    }

    fn subject(&self) -> String {
        self.desired.identifier.to_string()
    }

    /// Observe, plan, run the front, until the plan is empty or something stops it.
    async fn into_outcome(mut self, approved: &PlanSummary, claimed: bool) -> ClusterOutcome {
        let mut claimed = claimed;
        let mut last = None;
        let result = self.drive(approved, &mut claimed, &mut last).await;
        let phase = match (claimed, self.bootstrapped) {
            (false, _) => Phase::Nothing,
            (true, false) => Phase::BeforeBootstrap,
            (true, true) => Phase::AfterBootstrap,
        };
        let drift = last.map_or_else(Drift::default, |observed| {
            Drift::of(&deviations(self.desired, &observed))
        });
        ClusterOutcome {
            phase,
            record: claimed.then_some(self.record),
            drift,
            error: result.err(),
        }
    }

    async fn drive(
        &mut self,
        approved: &PlanSummary,
        claimed: &mut bool,
        last: &mut Option<ObservedCluster>,
    ) -> Result<(), Error> {
        let mut before = Plan::default();
        let mut repeats = 0;
        loop {
            going(self.cancel)?;
            let (observed, inventory) = self.observe(Depth::Apply).await?;
            self.inventory = inventory;
            self.bootstrapped |= observed.bootstrapped();
            let next = plan(self.desired, &observed);
            *last = Some(observed.clone());
            if next.is_empty() {
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
            let result = self.execute(&front, &observed).await;
            // The claim stands once the first machine carries the tag, whatever came after.
            *claimed |= result.is_ok() && front[0].kind == crate::StepKind::Claim;
            result?;
            before = next;
        }
    }

    /// Tells a step's beginning and end around its work.
    async fn told(
        &self,
        step: &crate::Step,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        self.engine.tell(&self.subject(), step, EventState::Started);
        let result = work.await;
        let state = match &result {
            Ok(()) => EventState::Finished,
            Err(error) => EventState::Failed(error.to_string()),
        };
        self.engine.tell(&self.subject(), step, state);
        result
    }
}

/// Whether a node runs etcd.
const fn is_control_plane(node: NodeKey) -> bool {
    matches!(node.role, Role::ControlPlane)
}
