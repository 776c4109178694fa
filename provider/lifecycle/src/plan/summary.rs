//! The attribute `plan_summary`: a line for each kind of step, small whatever the cluster's size.

use serde::{Deserialize, Serialize};

use super::{NodeSet, StepKind};

/// All steps of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryStep {
    /// The kind.
    pub kind: StepKind,
    /// How many steps.
    pub count: u32,
    /// Nodes whose workloads are disturbed.
    #[serde(default, skip_serializing_if = "NodeSet::is_empty")]
    pub disrupts: NodeSet,
    /// How many of them at the same time; 0 when none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_once: u16,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// Steps, nodes disturbed and minutes: public state, and the approval that apply holds itself to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// The steps by kind, in the order of execution.
    pub steps: Vec<SummaryStep>,
    /// How many nodes are disturbed in all.
    pub nodes_disrupted: usize,
    /// About how long it takes.
    pub minutes: u32,
}

impl PlanSummary {
    /// One line of JSON, the same for the same plan.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a summary holds only text and numbers")
    }

    /// Reads what [`Self::to_json`] wrote; `None` for anything else.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
