//! `(desired, observed) -> plan` for the cluster: first what deviates, then the steps that answer it.

use product::{NodeKey, Role};

use super::{DesiredCluster, Etcd, NetworkSeen, ObservedCluster};
use crate::node_meta::{label_difference, taint_difference};
use crate::plan::{Deviation, DeviationKind, Drift, Object, Plan, Step, StepKind};
use crate::seen::{MachineSeen, Seen};

/// Name of the network's release.
const NETWORK: &str = "kube-system/cilium";

/// What deviates. A piece that could not be read deviates only while the cluster is not complete: a
/// complete one that does not answer keeps what is known of it.
pub fn deviations(desired: &DesiredCluster, observed: &ObservedCluster) -> Vec<Deviation> {
    let mut found = Vec::new();
    machine_deviations(desired, observed, &mut found);
    etcd_deviations(desired, observed, &mut found);
    match (&observed.api, observed.complete) {
        (Seen::Unknown(reason), false) => {
            found.push(Deviation::new(Object::Api, DeviationKind::Silent, reason));
        }
        (Seen::Unknown(_), true) | (Seen::Known(()), _) => {}
    }
    network_deviations(observed, &mut found);
    node_deviations(desired, observed, &mut found);
    if observed.inputs_recorded == Seen::Known(false)
        || (!observed.complete && observed.inputs_recorded.known().is_none())
    {
        found.push(Deviation::new(Object::Cluster, DeviationKind::Inputs, ""));
    }
    if !observed.complete {
        found.push(Deviation::new(
            Object::Cluster,
            DeviationKind::Incomplete,
            "",
        ));
    }
    found
}

fn machine_deviations(
    desired: &DesiredCluster,
    observed: &ObservedCluster,
    found: &mut Vec<Deviation>,
) {
    for spec in desired.machines() {
        let object = Object::Machine(spec.node);
        let mut push =
            |kind, detail: String| found.push(Deviation::new(object.clone(), kind, detail));
        match observed.machines.get(&spec.node) {
            None | Some(Seen::Known(MachineSeen::Absent)) => {
                push(
                    DeviationKind::Missing,
                    format!("no machine in {}", spec.zone),
                );
            }
            Some(Seen::Unknown(_)) => {}
            Some(Seen::Known(MachineSeen::Unclaimed)) => {
                push(DeviationKind::Unclaimed, String::new());
            }
            Some(Seen::Known(MachineSeen::Unfinished { lacks })) => {
                push(DeviationKind::Unfinished, format!("lacks {lacks}"));
            }
            Some(Seen::Known(MachineSeen::Halted)) => push(DeviationKind::Halted, String::new()),
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
                if observed.machine_api.get(&spec.node) == Some(&false) && !observed.complete {
                    push(
                        DeviationKind::Silent,
                        "port 50000 does not answer".to_owned(),
                    );
                }
            }
        }
    }
}

fn etcd_deviations(
    desired: &DesiredCluster,
    observed: &ObservedCluster,
    found: &mut Vec<Deviation>,
) {
    match &observed.etcd {
        // A complete cluster is never bootstrapped again, whatever its members say.
        Seen::Known(Etcd::NotBootstrapped) if observed.complete => {
            found.push(Deviation::new(
                Object::Etcd,
                DeviationKind::Silent,
                "no control plane has the data of etcd",
            ));
        }
        Seen::Known(Etcd::NotBootstrapped) => {
            found.push(Deviation::new(
                Object::Etcd,
                DeviationKind::NotBootstrapped,
                "",
            ));
        }
        // While a cluster is being made, whether etcd is there is asked again before the bootstrap.
        Seen::Unknown(_) if !observed.complete => {
            found.push(Deviation::new(
                Object::Etcd,
                DeviationKind::NotBootstrapped,
                "",
            ));
        }
        Seen::Unknown(_) => {}
        Seen::Known(Etcd::Members(members)) => {
            for spec in desired.machines() {
                let name = spec.node.name(&desired.identifier);
                let gone = matches!(
                    observed.machines.get(&spec.node),
                    None | Some(Seen::Known(MachineSeen::Absent))
                );
                if spec.node.role != Role::ControlPlane {
                    continue;
                }
                let object = Object::Machine(spec.node);
                let is_member = members.iter().any(|member| member.name == name);
                if gone && is_member {
                    let why = "its machine is gone";
                    found.push(Deviation::new(object, DeviationKind::StaleMember, why));
                } else if is_running(observed, spec.node) && !is_member {
                    let why = "no member of etcd";
                    found.push(Deviation::new(object, DeviationKind::NotReady, why));
                }
            }
        }
    }
}

fn is_running(observed: &ObservedCluster, node: NodeKey) -> bool {
    matches!(
        observed.machines.get(&node),
        Some(Seen::Known(MachineSeen::Running { .. }))
    )
}

fn network_deviations(observed: &ObservedCluster, found: &mut Vec<Deviation>) {
    let release = || Object::Release(NETWORK.to_owned());
    match &observed.network {
        Seen::Unknown(_) if observed.complete => {}
        Seen::Unknown(_) | Seen::Known(NetworkSeen::Absent) => {
            found.push(Deviation::new(release(), DeviationKind::NotInstalled, ""));
        }
        Seen::Known(NetworkSeen::Present {
            outdated,
            deployed,
            changed,
        }) => {
            if !deployed {
                found.push(Deviation::new(
                    release(),
                    DeviationKind::Failed,
                    "the last operation did not end",
                ));
            } else if !outdated.is_empty() {
                found.push(Deviation::new(release(), DeviationKind::Outdated, outdated));
            }
            for (object, how) in changed {
                found.push(Deviation::new(
                    Object::Resource(object.clone()),
                    DeviationKind::Changed,
                    how,
                ));
            }
        }
    }
}

fn node_deviations(
    desired: &DesiredCluster,
    observed: &ObservedCluster,
    found: &mut Vec<Deviation>,
) {
    let Some(nodes) = observed.nodes.known() else {
        if !observed.complete {
            for spec in desired.machines() {
                found.push(Deviation::new(
                    Object::Machine(spec.node),
                    DeviationKind::NotReady,
                    "not registered",
                ));
            }
        }
        return;
    };
    for spec in desired.machines() {
        let object = || Object::Machine(spec.node);
        let Some(node) = nodes.get(&spec.node) else {
            found.push(Deviation::new(
                object(),
                DeviationKind::NotReady,
                "not registered",
            ));
            continue;
        };
        if !node.ready {
            found.push(Deviation::new(object(), DeviationKind::NotReady, ""));
        }
        if let Some(detail) = label_difference(&desired.labels(spec.node), node) {
            found.push(Deviation::new(object(), DeviationKind::Labels, detail));
        }
        if let Some(detail) = taint_difference(&desired.taints(spec.node), node) {
            found.push(Deviation::new(object(), DeviationKind::Taints, detail));
        }
    }
}

/// The steps that answer deviations.
fn steps(desired: &DesiredCluster, deviations: &[Deviation]) -> Plan {
    let first = desired.first();
    let incomplete = deviations
        .iter()
        .any(|deviation| deviation.kind == DeviationKind::Incomplete);
    let mut steps = Vec::new();
    for deviation in deviations {
        // In a complete cluster the claim was made long ago: a lost first control plane is made like any other.
        if incomplete
            && deviation.object == Object::Machine(first)
            && matches!(
                deviation.kind,
                DeviationKind::Missing | DeviationKind::Unclaimed
            )
        {
            steps.push(Step::calm(
                StepKind::Claim,
                deviation.object.clone(),
                deviation.text(),
            ));
        }
        let step = |kind| Some(Step::calm(kind, deviation.object.clone(), deviation.text()));
        steps.extend(match (deviation.kind, deviation.object.machine()) {
            (DeviationKind::StaleMember, Some(_)) => step(StepKind::RemoveMember),
            (
                DeviationKind::Missing | DeviationKind::Unclaimed | DeviationKind::Unfinished,
                Some(_),
            ) => step(StepKind::MakeMachine),
            (DeviationKind::Halted, Some(_)) => step(StepKind::PowerOn),
            (DeviationKind::Silent, Some(_)) => await_machines(deviation),
            (DeviationKind::NotBootstrapped, _) => step(StepKind::Bootstrap),
            (DeviationKind::Silent, None) => step(StepKind::AwaitApi),
            (
                DeviationKind::NotInstalled
                | DeviationKind::Outdated
                | DeviationKind::Failed
                | DeviationKind::Changed,
                _,
            ) => Some(Step::calm(
                StepKind::InstallNetwork,
                Object::Release(NETWORK.to_owned()),
                deviation.text(),
            )),
            (DeviationKind::Labels | DeviationKind::Taints, Some(_)) => step(StepKind::LabelNode),
            (DeviationKind::NotReady, _) => Some(Step::calm(
                StepKind::AwaitNodes,
                Object::Cluster,
                deviation.text(),
            )),
            (DeviationKind::ConfigDrive, Some(_)) => step(StepKind::RemoveConfigDrive),
            (DeviationKind::Inputs, _) => step(StepKind::RecordInputs),
            (DeviationKind::Incomplete, _) => step(StepKind::Complete),
            // A different size is shown, and waits for the rolling change that this version does not make.
            (DeviationKind::Shape, _) => None,
            // Not of a cluster.
            (DeviationKind::Surplus, _) => None,
            (
                DeviationKind::Missing
                | DeviationKind::Unclaimed
                | DeviationKind::Unfinished
                | DeviationKind::Halted
                | DeviationKind::StaleMember
                | DeviationKind::Labels
                | DeviationKind::Taints
                | DeviationKind::ConfigDrive,
                None,
            ) => None,
        });
    }
    follow_ups(&mut steps);
    Plan::ordered(steps)
}

fn await_machines(deviation: &Deviation) -> Option<Step> {
    Some(Step::calm(
        StepKind::AwaitMachines,
        Object::Cluster,
        deviation.text(),
    ))
}

/// What every new or started machine entails.
fn follow_ups(steps: &mut Vec<Step>) {
    let started: Vec<NodeKey> = steps
        .iter()
        .filter(|step| {
            matches!(
                step.kind,
                StepKind::Claim | StepKind::MakeMachine | StepKind::PowerOn
            )
        })
        .filter_map(|step| step.object.machine())
        .collect();
    if started.is_empty() {
        return;
    }
    let reason = "machines were started";
    steps.push(Step::calm(StepKind::AwaitMachines, Object::Cluster, reason));
    steps.push(Step::calm(StepKind::AwaitNodes, Object::Cluster, reason));
}

/// The plan of an apply.
pub fn plan(desired: &DesiredCluster, observed: &ObservedCluster) -> Plan {
    steps(desired, &deviations(desired, observed))
}

/// The attribute `drift`.
pub fn drift(desired: &DesiredCluster, observed: &ObservedCluster) -> Drift {
    Drift::of(&deviations(desired, observed))
}

/// The plan that is shown: from configuration and state alone, never from a call (design law 1).
///
/// `prior` is the desired state of the last apply and the `drift` that Read stored; without it nothing exists.
pub fn plan_from_state(desired: &DesiredCluster, prior: Option<(&DesiredCluster, &Drift)>) -> Plan {
    let Some((before, drift)) = prior else {
        return plan(desired, &ObservedCluster::nothing(desired));
    };
    let mut all = deviations(desired, &ObservedCluster::in_order(before));
    all.extend(drift.deviations());
    if before != desired {
        all.push(Deviation::new(Object::Cluster, DeviationKind::Inputs, ""));
    }
    steps(desired, &all)
}
