//! Laws of the cluster's planner, on a model of what each step does.

use std::collections::BTreeMap;

use product::{NodeKey, Role, Topology};
use proptest::prelude::*;

use super::*;
use crate::fixtures;
use crate::plan::{DeviationKind, Object, Plan, Step, StepKind};
use crate::seen::{MachineSeen, NodeSeen, Seen};

/// What a step does to what is there.
fn carry_out(desired: &DesiredCluster, observed: &mut ObservedCluster, step: &Step) {
    let order = ObservedCluster::in_order(desired);
    let machine = step.object.machine();
    match (step.kind, machine) {
        (StepKind::RemoveMember, Some(node)) => {
            let name = node.name(&desired.identifier);
            if let Seen::Known(Etcd::Members(members)) = &mut observed.etcd {
                members.retain(|member| member.name != name);
            }
            if let Seen::Known(nodes) = &mut observed.nodes {
                nodes.remove(&node);
            }
        }
        (StepKind::Claim, Some(node)) => {
            let seen = MachineSeen::Unfinished {
                lacks: "its first start".to_owned(),
            };
            observed.machines.insert(node, Seen::Known(seen));
        }
        (StepKind::MakeMachine | StepKind::PowerOn, Some(node)) => {
            let seen = MachineSeen::Running {
                differs: String::new(),
                config_drive: !observed.complete,
            };
            observed.machines.insert(node, Seen::Known(seen));
            observed.machine_api.insert(node, false);
        }
        (StepKind::AwaitMachines, _) => observed.machine_api = order.machine_api,
        (StepKind::Bootstrap, _) => observed.etcd = order.etcd,
        (StepKind::AwaitApi, _) => {
            observed.api = Seen::Known(());
            observed.nodes = Seen::Known(BTreeMap::new());
            observed.network = Seen::Known(NetworkSeen::Absent);
            observed.inputs_recorded = Seen::Known(false);
        }
        (StepKind::InstallNetwork, _) => observed.network = order.network,
        (StepKind::LabelNode, Some(node)) => {
            if let (Seen::Known(nodes), Seen::Known(wanted)) = (&mut observed.nodes, &order.nodes) {
                nodes.insert(
                    node,
                    NodeSeen {
                        ready: nodes[&node].ready,
                        ..wanted[&node].clone()
                    },
                );
            }
        }
        (StepKind::AwaitNodes, _) => {
            observed.nodes = order.nodes;
            observed.etcd = order.etcd;
        }
        (StepKind::RemoveConfigDrive, Some(node)) => {
            observed
                .machines
                .insert(node, Seen::Known(MachineSeen::in_order()));
        }
        (StepKind::RecordInputs, _) => observed.inputs_recorded = Seen::Known(true),
        (StepKind::Complete, _) => observed.complete = true,
        (kind, machine) => panic!("a cluster has no step {kind:?} on {machine:?}"),
    }
}

/// Runs plans to their end; every front that ran, in order.
fn run(desired: &DesiredCluster, observed: &mut ObservedCluster) -> Vec<Vec<Step>> {
    let mut fronts = Vec::new();
    for _ in 0..60 {
        let plan = plan(desired, observed);
        let front = plan.front().to_vec();
        if front.is_empty() {
            return fronts;
        }
        for step in &front {
            carry_out(desired, observed, step);
        }
        fronts.push(front);
    }
    panic!("no end: {:?}", plan(desired, observed).steps);
}

#[test]
fn a_create_claims_first_and_completes_last() {
    for topology in [Topology::Production, Topology::DevTest] {
        let desired = fixtures::cluster(topology);
        let mut observed = ObservedCluster::nothing(&desired);
        let fronts = run(&desired, &mut observed);
        let kinds: Vec<StepKind> = fronts.iter().map(|front| front[0].kind).collect();
        assert_eq!(
            kinds,
            [
                StepKind::Claim,
                StepKind::MakeMachine,
                StepKind::AwaitMachines,
                StepKind::Bootstrap,
                StepKind::AwaitApi,
                StepKind::InstallNetwork,
                StepKind::AwaitNodes,
                StepKind::RemoveConfigDrive,
                StepKind::RecordInputs,
                StepKind::Complete,
            ]
        );
        assert_eq!(fronts[0].len(), 1, "the claim is made alone");
        assert_eq!(fronts[1].len(), desired.machines().len());
        assert_eq!(observed, ObservedCluster::in_order(&desired));
    }
}

#[test]
fn the_plan_shown_before_a_create_names_every_kind_of_step() {
    let desired = fixtures::cluster(Topology::Production);
    let shown = plan_from_state(&desired, None).summary();
    assert_eq!(shown.nodes_disrupted, 0);
    let mut observed = ObservedCluster::nothing(&desired);
    for front in run(&desired, &mut observed) {
        let kind = front[0].kind;
        // Drives are a matter of the platform: whether one is there is seen only later.
        assert!(
            kind == StepKind::RemoveConfigDrive || shown.steps.iter().any(|line| line.kind == kind),
            "{kind:?}"
        );
    }
}

#[test]
fn a_complete_cluster_is_never_bootstrapped_again() {
    let desired = fixtures::cluster(Topology::Production);
    for etcd in [
        Seen::Known(Etcd::NotBootstrapped),
        Seen::Unknown("nobody answers".to_owned()),
    ] {
        let observed = ObservedCluster {
            etcd,
            ..ObservedCluster::in_order(&desired)
        };
        assert!(
            plan(&desired, &observed)
                .steps
                .iter()
                .all(|step| step.kind != StepKind::Bootstrap)
        );
    }
}

#[test]
fn a_lost_control_plane_leaves_etcd_before_it_is_made_again() {
    let desired = fixtures::cluster(Topology::Production);
    let mut observed = ObservedCluster::in_order(&desired);
    let lost = NodeKey::control_plane(2);
    observed
        .machines
        .insert(lost, Seen::Known(MachineSeen::Absent));
    let kinds: Vec<StepKind> = run(&desired, &mut observed)
        .iter()
        .map(|front| front[0].kind)
        .collect();
    assert_eq!(
        kinds,
        [
            StepKind::RemoveMember,
            StepKind::MakeMachine,
            StepKind::AwaitNodes,
        ]
    );
    assert_eq!(observed.etcd, ObservedCluster::in_order(&desired).etcd);
}

#[test]
fn what_does_not_answer_is_left_alone() {
    let desired = fixtures::cluster(Topology::Production);
    let silent = || "no route".to_owned();
    let observed = ObservedCluster {
        etcd: Seen::Unknown(silent()),
        api: Seen::Unknown(silent()),
        nodes: Seen::Unknown(silent()),
        network: Seen::Unknown(silent()),
        inputs_recorded: Seen::Unknown(silent()),
        ..ObservedCluster::in_order(&desired)
    };
    assert_eq!(plan(&desired, &observed), Plan::default());
    assert_eq!(observed.unknowns().len(), 4);
}

fn machine_state(state: u8) -> Seen<MachineSeen> {
    Seen::Known(match state {
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
    })
}

/// Any cluster that a dead run or a disturbance may leave behind.
fn any_observation() -> impl Strategy<Value = ObservedCluster> {
    let desired = fixtures::cluster(Topology::Production);
    let count = desired.machines().len();
    let nodes = proptest::collection::vec(0u8..5, count);
    let machines = proptest::collection::vec(0u8..8, count);
    (machines, nodes, 0u8..4, any::<bool>(), 0u8..5).prop_map(
        move |(machines, nodes, depth, complete, network)| {
            let order = ObservedCluster::in_order(&desired);
            let mut observed = ObservedCluster {
                complete,
                ..ObservedCluster::nothing(&desired)
            };
            for (spec, state) in desired.machines().iter().zip(machines) {
                observed.machines.insert(spec.node, machine_state(state));
            }
            if depth >= 1 || complete {
                observed.etcd = order.etcd.clone();
            }
            if depth >= 2 || complete {
                observed.api = Seen::Known(());
                observed.inputs_recorded = Seen::Known(network != 1);
                observed.network = match network {
                    0 => Seen::Known(NetworkSeen::Absent),
                    1 => Seen::Known(NetworkSeen::Present {
                        outdated: "other values".to_owned(),
                        deployed: true,
                        changed: BTreeMap::new(),
                    }),
                    2 => Seen::Known(NetworkSeen::Present {
                        outdated: String::new(),
                        deployed: true,
                        changed: BTreeMap::from([(
                            "DaemonSet kube-system/cilium".to_owned(),
                            "missing".to_owned(),
                        )]),
                    }),
                    _ => order.network.clone(),
                };
                let mut seen = order.nodes.known().cloned().unwrap_or_default();
                for (spec, state) in desired.machines().iter().zip(nodes) {
                    match state {
                        0 => drop(seen.remove(&spec.node)),
                        1 => {
                            seen.entry(spec.node).or_default().ready = false;
                        }
                        2 => drop(seen.entry(spec.node).and_modify(|node| node.labels.clear())),
                        _ => {}
                    }
                }
                observed.nodes = Seen::Known(seen);
            }
            observed
        },
    )
}

proptest! {
    #[test]
    fn every_remains_is_brought_to_the_end(observed in any_observation()) {
        let desired = fixtures::cluster(Topology::Production);
        let mut observed = observed;
        run(&desired, &mut observed);
        prop_assert_eq!(plan(&desired, &observed), Plan::default());
        prop_assert!(drift(&desired, &observed).is_empty());
    }

    /// What Read stores is enough for Plan to show the very steps that Apply will find.
    #[test]
    fn the_plan_from_state_is_the_plan_from_sight(observed in any_observation()) {
        let desired = fixtures::cluster(Topology::Production);
        let shown = plan_from_state(&desired, Some((&desired, &drift(&desired, &observed))));
        let found = plan(&desired, &observed);
        let names = |plan: &Plan| -> Vec<(StepKind, Object)> {
            plan.steps.iter().map(|step| (step.kind, step.object.clone())).collect()
        };
        prop_assert_eq!(names(&shown), names(&found));
    }

    #[test]
    fn the_order_of_steps_does_not_depend_on_how_they_were_found(observed in any_observation(), seed: u64) {
        let desired = fixtures::cluster(Topology::Production);
        let plan = plan(&desired, &observed);
        let mut shuffled = plan.steps.clone();
        let mut state = seed;
        shuffled.sort_by_key(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        });
        prop_assert_eq!(Plan::ordered(shuffled), plan);
    }

    /// Control planes are made, started and removed; nothing else of a plan touches members, and a member
    /// is removed only when its machine is gone.
    #[test]
    fn members_leave_only_with_their_machine(observed in any_observation()) {
        let desired = fixtures::cluster(Topology::Production);
        for deviation in deviations(&desired, &observed) {
            if deviation.kind == DeviationKind::StaleMember {
                let node = deviation.object.machine().expect("a machine");
                prop_assert_eq!(node.role, Role::ControlPlane);
                prop_assert_eq!(&observed.machines[&node], &Seen::Known(MachineSeen::Absent));
            }
        }
    }
}
