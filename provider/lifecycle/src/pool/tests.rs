//! Laws of the pool's planner, on a model of what each step does.

use product::{IndexSet, NodeKey};
use proptest::prelude::*;

use super::*;
use crate::fixtures;
use crate::plan::{Drift, NodeSet, Plan, Step, StepKind, approve};
use crate::seen::{MachineSeen, NodeSeen, Seen};

fn set(text: &str) -> IndexSet {
    IndexSet::parse(text).expect("ranges")
}

fn carry_out(desired: &DesiredPool, target: &IndexSet, observed: &mut ObservedPool, step: &Step) {
    let order = ObservedPool::in_order(desired, target);
    match (step.kind, step.object.machine()) {
        (StepKind::MakeMachine | StepKind::PowerOn, Some(node)) => {
            let seen = MachineSeen::Running {
                differs: String::new(),
                config_drive: step.kind == StepKind::MakeMachine,
            };
            observed.machines.insert(node.index, Seen::Known(seen));
        }
        (StepKind::LabelNode, Some(node)) => {
            if let (Seen::Known(nodes), Seen::Known(wanted)) = (&mut observed.nodes, &order.nodes) {
                nodes.insert(
                    node.index,
                    NodeSeen {
                        ready: nodes[&node.index].ready,
                        ..wanted[&node.index].clone()
                    },
                );
            }
        }
        (StepKind::AwaitNodes, _) => {
            let Seen::Known(nodes) = &mut observed.nodes else {
                return;
            };
            for index in target.iter() {
                nodes.entry(index).or_default().ready = true;
            }
        }
        (StepKind::RemoveConfigDrive, Some(node)) => {
            observed
                .machines
                .insert(node.index, Seen::Known(MachineSeen::in_order()));
        }
        (StepKind::RemoveWorker, Some(node)) => {
            observed.machines.remove(&node.index);
            if let Seen::Known(nodes) = &mut observed.nodes {
                nodes.remove(&node.index);
            }
        }
        (StepKind::RecordInputs, _) => observed.inputs_recorded = Seen::Known(true),
        (kind, machine) => panic!("a pool has no step {kind:?} on {machine:?}"),
    }
}

fn run(desired: &DesiredPool, wanted: &IndexSet, observed: &mut ObservedPool) {
    for _ in 0..60 {
        let target = target_indexes(desired.size, wanted, observed);
        let plan = plan(desired, wanted, observed);
        if plan.is_empty() {
            assert_eq!(observed.held().len(), usize::from(desired.size));
            return;
        }
        for step in &plan.front().to_vec() {
            carry_out(desired, &target, observed, step);
        }
    }
    panic!("no end: {:?}", plan(desired, wanted, observed).steps);
}

#[test]
fn growth_takes_the_lowest_free_and_shrinking_gives_back_the_highest() {
    let mut observed = ObservedPool::in_order(&fixtures::pool(3), &set("1,2,5"));
    observed.taken = set("3");
    assert_eq!(
        target_indexes(5, &set("1,2,5"), &observed).to_string(),
        "1-2,4-6"
    );
    assert_eq!(
        target_indexes(2, &set("1,2,5"), &observed).to_string(),
        "1-2"
    );
}

#[test]
fn a_vanished_worker_is_made_again_under_its_number() {
    let desired = fixtures::pool(3);
    let mut observed = ObservedPool::in_order(&desired, &set("1-3"));
    observed
        .machines
        .insert(2, Seen::Known(MachineSeen::Absent));
    let plan = plan(&desired, &set("1-3"), &observed);
    let made: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::MakeMachine)
        .map(ToString::to_string)
        .collect();
    assert_eq!(made, ["make wrk-02"]);
    let shown = drift(&desired, &set("1-3"), &observed);
    assert_eq!(shown.as_map()["wrk-02"], "missing: no machine in AZ06");
}

#[test]
fn a_changed_label_is_one_readable_change() {
    let desired = fixtures::pool(3);
    let mut observed = ObservedPool::in_order(&desired, &set("1-3"));
    if let Seen::Known(nodes) = &mut observed.nodes {
        nodes
            .entry(3)
            .and_modify(|node| drop(node.labels.remove("team")));
    }
    let shown = drift(&desired, &set("1-3"), &observed);
    assert_eq!(shown.as_map().len(), 1);
    assert_eq!(
        shown.as_map()["wrk-03.labels"],
        "different labels: team is missing, wanted \"core\""
    );
}

#[test]
fn shrinking_is_approved_for_the_very_nodes_that_were_shown() {
    let before = fixtures::pool(5);
    let desired = fixtures::pool(3);
    let shown =
        plan_from_state(&desired, Some((&before, &set("1-5"), &Drift::default()))).summary();
    let observed = ObservedPool::in_order(&before, &set("1-5"));
    let found = plan(&desired, &set("1-5"), &observed);
    let removed: Vec<&Step> = found
        .steps
        .iter()
        .filter(|step| !step.disrupts.is_empty())
        .collect();
    assert_eq!(removed.len(), 2);
    for step in removed {
        assert_eq!(approve(&shown, step, &NodeSet::new()), Ok(()));
    }
    let other = Step::disruptive(StepKind::RemoveWorker, NodeKey::worker(1), "surplus");
    assert!(approve(&shown, &other, &NodeSet::new()).is_err());
}

#[test]
fn a_surplus_that_read_found_is_planned_and_so_approved() {
    let desired = fixtures::pool(3);
    let mut observed = ObservedPool::in_order(&desired, &set("1-3"));
    if let Seen::Known(nodes) = &mut observed.nodes {
        let node = nodes[&3].clone();
        nodes.insert(6, node);
    }
    let found = plan(&desired, &set("1-3"), &observed);
    let removal = found.steps.iter().find(|step| !step.disrupts.is_empty());
    let removal = removal.expect("a node without a machine is given back");
    let read = drift(&desired, &set("1-3"), &observed);
    let shown = plan_from_state(&desired, Some((&desired, &set("1-3"), &read))).summary();
    assert_eq!(approve(&shown, removal, &NodeSet::new()), Ok(()));
}

fn any_pool() -> impl Strategy<Value = (DesiredPool, IndexSet, ObservedPool)> {
    let wanted = proptest::collection::btree_set(1u16..12, 0..8);
    let states = proptest::collection::vec((0u8..7, 0u8..5), 12);
    let taken = proptest::collection::btree_set(1u16..12, 0..4);
    (1u16..9, wanted, states, taken).prop_map(|(size, wanted, states, taken)| {
        let desired = fixtures::pool(size);
        let taken: IndexSet = taken.into_iter().collect();
        let wanted: IndexSet = wanted
            .into_iter()
            .filter(|index| !taken.contains(*index))
            .collect();
        let mut observed = ObservedPool::in_order(&desired, &wanted);
        observed.taken = taken;
        for (index, (machine, node)) in wanted.iter().zip(states) {
            let seen = match machine {
                0 => MachineSeen::Absent,
                1 => MachineSeen::Unclaimed,
                2 => MachineSeen::Unfinished {
                    lacks: "a disk".to_owned(),
                },
                3 => MachineSeen::Halted,
                4 => MachineSeen::Running {
                    differs: String::new(),
                    config_drive: true,
                },
                _ => MachineSeen::in_order(),
            };
            observed.machines.insert(index, Seen::Known(seen));
            let Seen::Known(nodes) = &mut observed.nodes else {
                continue;
            };
            match node {
                0 => drop(nodes.remove(&index)),
                1 => drop(nodes.entry(index).and_modify(|node| node.ready = false)),
                2 => drop(nodes.entry(index).and_modify(|node| node.labels.clear())),
                _ => {}
            }
        }
        (desired, wanted, observed)
    })
}

proptest! {
    #[test]
    fn every_remains_is_brought_to_the_end((desired, wanted, observed) in any_pool()) {
        let mut observed = observed;
        run(&desired, &wanted, &mut observed);
        prop_assert!(observed.held().iter().all(|index| !observed.taken.contains(index)));
    }

    #[test]
    fn the_target_has_the_size_and_takes_nothing_of_others((desired, wanted, observed) in any_pool()) {
        let target = target_indexes(desired.size, &wanted, &observed);
        prop_assert_eq!(target.len(), usize::from(desired.size));
        prop_assert!(target.iter().all(|index| !observed.taken.contains(index)));
    }

    #[test]
    fn a_pool_in_order_has_nothing_to_do(numbers in proptest::collection::btree_set(1u16..250, 1..40)) {
        let indexes: IndexSet = numbers.into_iter().collect();
        let desired = fixtures::pool(indexes.len() as u16);
        let observed = ObservedPool::in_order(&desired, &indexes);
        prop_assert_eq!(plan(&desired, &indexes, &observed), Plan::default());
        let nothing = plan_from_state(&desired, Some((&desired, &indexes, &Drift::default())));
        prop_assert_eq!(nothing, Plan::default());
    }
}
