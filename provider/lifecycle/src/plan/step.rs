//! One step of a plan: what is done, to what, whom it disturbs, why, and how long it may take.

use std::fmt;

use product::NodeKey;
use serde::{Deserialize, Serialize};

use super::{NodeSet, PlanSummary, SummaryStep};

/// What a step does. The order of declaration is the order of execution within a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Removes the etcd member of a control plane that is gone.
    RemoveMember,
    /// Makes and tags the first control plane alone: the claim of the identifier.
    Claim,
    /// Makes a machine, or finishes one whose making was interrupted, and starts it.
    MakeMachine,
    /// Starts a machine that stands still.
    PowerOn,
    /// Waits until the machine API answers.
    AwaitMachines,
    /// Bootstraps etcd, once in the life of a cluster.
    Bootstrap,
    /// Waits until the Kubernetes API answers.
    AwaitApi,
    /// Installs or repairs the network.
    InstallNetwork,
    /// Sets labels and taints of a node.
    LabelNode,
    /// Waits until nodes are ready.
    AwaitNodes,
    /// Installs a release.
    InstallRelease,
    /// Upgrades or repairs a release.
    UpgradeRelease,
    /// Waits until what a release runs is ready.
    AwaitHealth,
    /// Applies the objects that belong to an add-on beside its release.
    ApplyObjects,
    /// Removes the drive that held a machine's configuration.
    RemoveConfigDrive,
    /// Drains a worker, removes its node and its machine.
    RemoveWorker,
    /// Uninstalls a release.
    UninstallRelease,
    /// Writes the public inputs into the cluster.
    RecordInputs,
    /// Marks the cluster as complete: the last step of a create.
    Complete,
}

impl StepKind {
    /// Seconds a step usually takes: what a plan shows, never a limit.
    pub const fn estimate_seconds(self) -> u32 {
        match self {
            Self::LabelNode | Self::RecordInputs | Self::Complete | Self::ApplyObjects => 5,
            Self::RemoveMember | Self::RemoveConfigDrive => 30,
            Self::Bootstrap | Self::AwaitApi | Self::PowerOn | Self::UninstallRelease => 60,
            Self::Claim
            | Self::MakeMachine
            | Self::AwaitMachines
            | Self::AwaitNodes
            | Self::AwaitHealth => 120,
            Self::InstallNetwork | Self::InstallRelease | Self::UpgradeRelease => 180,
            Self::RemoveWorker => 300,
        }
    }

    /// Whether steps of the kind on different machines may run side by side.
    pub const fn side_by_side(self) -> bool {
        matches!(
            self,
            Self::MakeMachine | Self::PowerOn | Self::LabelNode | Self::RemoveConfigDrive
        )
    }

    /// The words of a progress line.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::RemoveMember => "remove the etcd member of",
            Self::Claim => "claim the identifier with",
            Self::MakeMachine => "make",
            Self::PowerOn => "start",
            Self::AwaitMachines => "wait for the machine API of",
            Self::Bootstrap => "bootstrap etcd of",
            Self::AwaitApi => "wait for the Kubernetes API of",
            Self::InstallNetwork => "install the network of",
            Self::LabelNode => "label",
            Self::AwaitNodes => "wait for nodes of",
            Self::InstallRelease => "install",
            Self::UpgradeRelease => "upgrade",
            Self::AwaitHealth => "wait for",
            Self::ApplyObjects => "apply the objects of",
            Self::RemoveConfigDrive => "remove the configuration drive of",
            Self::RemoveWorker => "drain and remove",
            Self::UninstallRelease => "uninstall",
            Self::RecordInputs => "record the inputs of",
            Self::Complete => "complete",
        }
    }
}

/// What a step or a deviation is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// The cluster as a whole.
    Cluster,
    /// etcd.
    Etcd,
    /// The Kubernetes API.
    Api,
    /// A pool as a whole.
    Pool,
    /// A machine and the node on it.
    Machine(NodeKey),
    /// A release: `namespace/name`.
    Release(String),
    /// An object of a release: `Kind namespace/name`.
    Resource(String),
}

impl Object {
    /// The machine, if it is one.
    pub const fn machine(&self) -> Option<NodeKey> {
        match self {
            Self::Machine(node) => Some(*node),
            _ => None,
        }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "cluster" => Some(Self::Cluster),
            "etcd" => Some(Self::Etcd),
            "api" => Some(Self::Api),
            "pool" => Some(Self::Pool),
            _ => {
                if let Some(name) = text.strip_prefix("release ") {
                    return Some(Self::Release(name.to_owned()));
                }
                if let Some(name) = text.strip_prefix("object ") {
                    return Some(Self::Resource(name.to_owned()));
                }
                NodeKey::parse(text).ok().map(Self::Machine)
            }
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Etcd => f.write_str("etcd"),
            Self::Api => f.write_str("api"),
            Self::Pool => f.write_str("pool"),
            Self::Machine(node) => node.fmt(f),
            Self::Release(name) => write!(f, "release {name}"),
            Self::Resource(name) => write!(f, "object {name}"),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub kind: StepKind,
    /// To what.
    pub object: Object,
    /// Nodes whose workloads it disturbs.
    pub disrupts: NodeSet,
    /// Why: the deviation it answers.
    pub reason: String,
}

impl Step {
    /// A step that disturbs nobody.
    pub fn calm(kind: StepKind, object: Object, reason: impl Into<String>) -> Self {
        Self {
            kind,
            object,
            disrupts: NodeSet::new(),
            reason: reason.into(),
        }
    }

    /// A step that disturbs the workloads of one node.
    pub fn disruptive(kind: StepKind, node: NodeKey, reason: impl Into<String>) -> Self {
        Self {
            kind,
            object: Object::Machine(node),
            disrupts: NodeSet::one(node),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.phrase(), self.object)
    }
}

/// Ordered steps. The empty plan means that what was observed is what is desired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps in the order of execution.
    pub steps: Vec<Step>,
}

impl Plan {
    /// A plan of steps in any order: sorted by kind, then object, so that the order of an observation
    /// never shows.
    pub fn ordered(mut steps: Vec<Step>) -> Self {
        steps.sort_by(|left, right| (left.kind, &left.object).cmp(&(right.kind, &right.object)));
        steps.dedup_by(|left, right| (left.kind, &left.object) == (right.kind, &right.object));
        Self { steps }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The leading steps that may run side by side: one, or several of one kind that disturb nobody.
    pub fn front(&self) -> &[Step] {
        let Some(first) = self.steps.first() else {
            return &[];
        };
        if !first.kind.side_by_side() || !first.disrupts.is_empty() {
            return &self.steps[..1];
        }
        let end = self
            .steps
            .iter()
            .position(|step| step.kind != first.kind || !step.disrupts.is_empty())
            .unwrap_or(self.steps.len());
        &self.steps[..end]
    }

    /// What is shown and approved.
    pub fn summary(&self) -> PlanSummary {
        let mut steps: Vec<SummaryStep> = Vec::new();
        let (mut seconds, mut disrupted) = (0, NodeSet::new());
        for step in &self.steps {
            disrupted.extend(&step.disrupts);
            let at_once = u16::from(!step.disrupts.is_empty());
            match steps.iter_mut().find(|line| line.kind == step.kind) {
                Some(line) => {
                    line.count += 1;
                    line.disrupts.extend(&step.disrupts);
                    line.at_once = line.at_once.max(at_once);
                    // Side by side, four at a time: a quarter of the time each.
                    let share = if step.kind.side_by_side() { 4 } else { 1 };
                    seconds += step.kind.estimate_seconds() / share;
                }
                None => {
                    seconds += step.kind.estimate_seconds();
                    steps.push(SummaryStep {
                        kind: step.kind,
                        count: 1,
                        disrupts: step.disrupts.clone(),
                        at_once,
                    });
                }
            }
        }
        PlanSummary {
            steps,
            nodes_disrupted: disrupted.len(),
            minutes: seconds.div_ceil(60),
        }
    }
}
