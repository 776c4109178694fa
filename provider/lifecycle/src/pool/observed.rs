//! What was seen of a worker pool.

use std::collections::BTreeMap;

use product::IndexSet;

use super::DesiredPool;
use crate::seen::{MachineSeen, NodeSeen, Seen};

/// A pool as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPool {
    /// The pool's machines by number: each whose tag names the pool, and each that state knows.
    pub machines: BTreeMap<u16, Seen<MachineSeen>>,
    /// Whether the machine API answers, for machines that run.
    pub machine_api: BTreeMap<u16, bool>,
    /// Numbers that machines of other pools have.
    pub taken: IndexSet,
    /// The pool's nodes, when the Kubernetes API answers.
    pub nodes: Seen<BTreeMap<u16, NodeSeen>>,
    /// Whether the recorded inputs are the desired ones.
    pub inputs_recorded: Seen<bool>,
}

impl ObservedPool {
    /// Before a create: nothing is there.
    pub fn nothing() -> Self {
        Self {
            machines: BTreeMap::new(),
            machine_api: BTreeMap::new(),
            taken: IndexSet::new(),
            nodes: Seen::Known(BTreeMap::new()),
            inputs_recorded: Seen::Known(false),
        }
    }

    /// Exactly what the desired state asks for, with these numbers: the end of an apply.
    pub fn in_order(desired: &DesiredPool, indexes: &IndexSet) -> Self {
        let node = |index| NodeSeen {
            ready: true,
            labels: desired.labels(index),
            owned_labels: desired.labels(index).into_keys().collect(),
            taints: desired.taints.clone(),
            owned_taints: desired.taints.clone(),
        };
        Self {
            machines: indexes
                .iter()
                .map(|index| (index, Seen::Known(MachineSeen::in_order())))
                .collect(),
            machine_api: indexes.iter().map(|index| (index, true)).collect(),
            taken: IndexSet::new(),
            nodes: Seen::Known(indexes.iter().map(|index| (index, node(index))).collect()),
            inputs_recorded: Seen::Known(true),
        }
    }

    /// Numbers that the pool holds: of machines that are there, or that nobody could look at.
    pub fn held(&self) -> IndexSet {
        self.machines
            .iter()
            .filter(|(_, seen)| !matches!(seen, Seen::Known(MachineSeen::Absent)))
            .map(|(index, _)| *index)
            .collect()
    }

    /// Why pieces could not be read, for warnings.
    pub fn unknowns(&self) -> Vec<String> {
        let machines = self.machines.iter().filter_map(|(index, seen)| {
            Some(format!(
                "{}: {}",
                product::NodeKey::worker(*index),
                seen.reason()?
            ))
        });
        machines
            .chain(self.nodes.reason().map(|reason| format!("nodes: {reason}")))
            .collect()
    }
}
