//! `(desired, observed) -> plan` for a worker pool.

use product::{IndexSet, NodeKey};

use super::{DesiredPool, ObservedPool};
use crate::node_meta::{label_difference, taint_difference};
use crate::plan::{Deviation, DeviationKind, Drift, Object, Plan, Step, StepKind};
use crate::seen::{MachineSeen, Seen};

/// The numbers the pool should hold: those it has, the highest given back first when it shrinks, the
/// lowest free ones added when it grows. `wanted` are the numbers of state: a worker that vanished is
/// made again under its own number.
pub fn target_indexes(size: u16, wanted: &IndexSet, observed: &ObservedPool) -> IndexSet {
    let mut target: IndexSet = observed.held();
    for index in wanted
        .iter()
        .filter(|index| !observed.taken.contains(*index))
    {
        target.insert(index);
    }
    let size = usize::from(size);
    while target.len() > size {
        let Some(last) = target.last() else { break };
        target.remove(last);
    }
    for index in target.lowest_free(size - target.len(), &observed.taken) {
        target.insert(index);
    }
    target
}

/// What deviates.
pub fn deviations(
    desired: &DesiredPool,
    target: &IndexSet,
    observed: &ObservedPool,
) -> Vec<Deviation> {
    let mut found = Vec::new();
    for index in target.iter() {
        worker_deviations(desired, observed, index, &mut found);
    }
    for index in observed
        .held()
        .iter()
        .filter(|index| !target.contains(*index))
    {
        found.push(Deviation::new(
            Object::Machine(NodeKey::worker(index)),
            DeviationKind::Surplus,
            format!("the pool has {} workers", target.len()),
        ));
    }
    // A node whose machine is gone for good is given back as well.
    for index in observed
        .nodes
        .known()
        .into_iter()
        .flat_map(|nodes| nodes.keys())
    {
        if !target.contains(*index) && !observed.held().contains(*index) {
            found.push(Deviation::new(
                Object::Machine(NodeKey::worker(*index)),
                DeviationKind::Surplus,
                "a node without a machine",
            ));
        }
    }
    if observed.inputs_recorded == Seen::Known(false) {
        found.push(Deviation::new(Object::Pool, DeviationKind::Inputs, ""));
    }
    found
}

fn worker_deviations(
    desired: &DesiredPool,
    observed: &ObservedPool,
    index: u16,
    found: &mut Vec<Deviation>,
) {
    let object = Object::Machine(NodeKey::worker(index));
    let mut push = |kind, detail: String| found.push(Deviation::new(object.clone(), kind, detail));
    match observed.machines.get(&index) {
        None | Some(Seen::Known(MachineSeen::Absent)) => {
            push(
                DeviationKind::Missing,
                format!("no machine in {}", desired.zones.of(index)),
            );
            return;
        }
        Some(Seen::Unknown(_)) => return,
        Some(Seen::Known(MachineSeen::Unclaimed)) => {
            push(DeviationKind::Unclaimed, String::new());
            return;
        }
        Some(Seen::Known(MachineSeen::Unfinished { lacks })) => {
            push(DeviationKind::Unfinished, format!("lacks {lacks}"));
            return;
        }
        Some(Seen::Known(MachineSeen::Halted)) => {
            push(DeviationKind::Halted, String::new());
            return;
        }
        Some(Seen::Known(MachineSeen::Running {
            differs,
            config_drive,
        })) => {
            if !differs.is_empty() {
                push(DeviationKind::Shape, differs.clone());
            }
            if *config_drive {
                push(DeviationKind::ConfigDrive, String::new());
            }
        }
    }
    let Some(nodes) = observed.nodes.known() else {
        return;
    };
    let Some(node) = nodes.get(&index) else {
        push(DeviationKind::NotReady, "not registered".to_owned());
        return;
    };
    if !node.ready {
        push(DeviationKind::NotReady, String::new());
    }
    if let Some(detail) = label_difference(&desired.labels(index), node) {
        push(DeviationKind::Labels, detail);
    }
    if let Some(detail) = taint_difference(&desired.taints, node) {
        push(DeviationKind::Taints, detail);
    }
}

fn steps(deviations: &[Deviation]) -> Plan {
    let mut steps = Vec::new();
    for deviation in deviations {
        let calm = |kind| Step::calm(kind, deviation.object.clone(), deviation.text());
        let Some(node) = deviation.object.machine() else {
            if deviation.kind == DeviationKind::Inputs {
                steps.push(calm(StepKind::RecordInputs));
            }
            continue;
        };
        match deviation.kind {
            DeviationKind::Missing | DeviationKind::Unclaimed | DeviationKind::Unfinished => {
                steps.push(calm(StepKind::MakeMachine));
                // Labels come with the node; a node that joins is labelled once it is there.
                steps.push(Step::calm(
                    StepKind::AwaitNodes,
                    Object::Pool,
                    "machines were started",
                ));
            }
            DeviationKind::Halted => {
                steps.push(calm(StepKind::PowerOn));
                steps.push(Step::calm(
                    StepKind::AwaitNodes,
                    Object::Pool,
                    "machines were started",
                ));
            }
            DeviationKind::NotReady | DeviationKind::Silent => {
                steps.push(Step::calm(
                    StepKind::AwaitNodes,
                    Object::Pool,
                    deviation.text(),
                ));
            }
            DeviationKind::Labels | DeviationKind::Taints => steps.push(calm(StepKind::LabelNode)),
            DeviationKind::ConfigDrive => steps.push(calm(StepKind::RemoveConfigDrive)),
            DeviationKind::Surplus => {
                steps.push(Step::disruptive(
                    StepKind::RemoveWorker,
                    node,
                    deviation.text(),
                ));
            }
            // A different size is shown, and waits for the rolling change that this version does not make.
            DeviationKind::Shape => {}
            // Not of a worker.
            DeviationKind::StaleMember
            | DeviationKind::NotBootstrapped
            | DeviationKind::NotInstalled
            | DeviationKind::Outdated
            | DeviationKind::Failed
            | DeviationKind::Changed
            | DeviationKind::Inputs
            | DeviationKind::Incomplete => {}
        }
    }
    Plan::ordered(steps)
}

/// The plan of an apply.
pub fn plan(desired: &DesiredPool, wanted: &IndexSet, observed: &ObservedPool) -> Plan {
    let target = target_indexes(desired.size, wanted, observed);
    steps(&deviations(desired, &target, observed))
}

/// The attribute `drift`: against the numbers that state knows.
pub fn drift(desired: &DesiredPool, wanted: &IndexSet, observed: &ObservedPool) -> Drift {
    let target = target_indexes(desired.size, wanted, observed);
    Drift::of(&deviations(desired, &target, observed))
}

/// The plan of a destroy.
pub fn plan_destroy(observed: &ObservedPool) -> Plan {
    let nodes = observed.held();
    Plan::ordered(
        nodes
            .iter()
            .map(|index| {
                Step::disruptive(
                    StepKind::RemoveWorker,
                    NodeKey::worker(index),
                    "the pool is destroyed",
                )
            })
            .collect(),
    )
}

/// The plan that is shown: from configuration and state alone. `prior` is the desired state of the last
/// apply, the numbers of state, and `drift`.
pub fn plan_from_state(
    desired: &DesiredPool,
    prior: Option<(&DesiredPool, &IndexSet, &Drift)>,
) -> Plan {
    let Some((before, indexes, drift)) = prior else {
        return plan(desired, &IndexSet::new(), &ObservedPool::nothing());
    };
    let observed = ObservedPool::in_order(before, indexes);
    let target = target_indexes(desired.size, indexes, &observed);
    let mut all = deviations(desired, &target, &observed);
    // A worker that goes needs no repair before; one that Read found too many goes, though state never knew it.
    all.extend(drift.deviations().into_iter().filter(
        |deviation| match deviation.object.machine() {
            Some(node) => {
                target.contains(node.index)
                    || deviation.kind == DeviationKind::Surplus && !indexes.contains(node.index)
            }
            None => true,
        },
    ));
    if before != desired {
        all.push(Deviation::new(Object::Pool, DeviationKind::Inputs, ""));
    }
    steps(&all)
}
