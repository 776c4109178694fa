//! Laws of the add-on's planner.

use product::Topology;
use product::catalogue::component;
use serde_json::json;

use super::*;
use crate::fixtures;
use crate::plan::{Drift, Plan, StepKind};
use crate::seen::Seen;

fn metallb() -> DesiredAddon {
    let facts = fixtures::cluster(Topology::Production).facts();
    DesiredAddon::from_catalogue(
        component("metallb").expect("in the catalogue"),
        &facts,
        None,
        &json!({}),
    )
}

fn kinds(plan: &Plan) -> Vec<StepKind> {
    plan.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn a_create_installs_then_applies() {
    let plan = plan_from_state(&metallb(), None);
    assert_eq!(
        kinds(&plan),
        [StepKind::InstallRelease, StepKind::ApplyObjects]
    );
}

#[test]
fn in_order_is_empty_and_each_difference_has_its_step() {
    let desired = metallb();
    let order = ObservedAddon::in_order(&desired);
    assert_eq!(plan(&desired, &order), Plan::default());
    assert!(drift(&desired, &order).is_empty());
    let change = |change: fn(&mut ReleaseSeen)| {
        let mut observed = order.clone();
        if let Seen::Known(release) = &mut observed.release {
            change(release);
        }
        kinds(&plan(&desired, &observed))
    };
    assert_eq!(
        change(|release| *release = ReleaseSeen::Absent),
        [StepKind::InstallRelease]
    );
    assert_eq!(
        change(
            |release| if let ReleaseSeen::Present { version, .. } = release {
                "0.15.0".clone_into(version);
            }
        ),
        [StepKind::UpgradeRelease]
    );
    assert_eq!(
        change(
            |release| if let ReleaseSeen::Present { deployed, .. } = release {
                *deployed = false;
            }
        ),
        [StepKind::UpgradeRelease]
    );
    assert_eq!(
        change(
            |release| if let ReleaseSeen::Present { changed, .. } = release {
                changed.insert(
                    "DaemonSet metallb-system/speaker".to_owned(),
                    "missing".to_owned(),
                );
            }
        ),
        [StepKind::UpgradeRelease]
    );
    let silent = ObservedAddon {
        release: Seen::Unknown("no route".to_owned()),
        objects_applied: Seen::Unknown("no route".to_owned()),
        inputs_recorded: Seen::Unknown("no route".to_owned()),
    };
    assert_eq!(plan(&desired, &silent), Plan::default());
}

#[test]
fn the_plan_from_state_shows_a_changed_value_and_a_release_that_was_uninstalled() {
    let desired = metallb();
    let fingerprint = desired.fingerprint();
    let version = desired.source.version.clone();
    let none = Drift::default();
    let prior = |drift| {
        Some(Prior {
            version: &version,
            fingerprint: &fingerprint,
            inputs: None,
            drift,
        })
    };
    assert_eq!(plan_from_state(&desired, prior(&none)), Plan::default());
    let mut changed = desired.clone();
    changed.values["speaker"]["logLevel"] = json!("debug");
    assert_eq!(
        kinds(&plan_from_state(&changed, prior(&none)))[0],
        StepKind::UpgradeRelease
    );
    let gone = drift(&desired, &ObservedAddon::nothing());
    assert_eq!(
        gone.as_map()["release metallb-system/metallb"],
        "not installed"
    );
    assert_eq!(
        kinds(&plan_from_state(&desired, prior(&gone))),
        [StepKind::InstallRelease, StepKind::ApplyObjects]
    );
}

#[test]
fn what_is_only_to_be_told_is_not_repaired() {
    let mut desired = metallb();
    let mut observed = ObservedAddon::in_order(&desired);
    if let Seen::Known(ReleaseSeen::Present {
        changed, unready, ..
    }) = &mut observed.release
    {
        changed.insert("Service a/b".to_owned(), ".spec.type changed".to_owned());
        unready.insert("Deployment a/c".to_owned(), "0 of 1 ready".to_owned());
    }
    assert_eq!(
        kinds(&plan(&desired, &observed)),
        [StepKind::UpgradeRelease, StepKind::AwaitHealth]
    );
    let told = drift(&desired, &observed);
    assert_eq!(
        told.as_map()["object Deployment a/c"],
        "not ready: 0 of 1 ready"
    );
    desired.drift.repair = false;
    assert_eq!(plan(&desired, &observed), Plan::default());
    assert_eq!(drift(&desired, &observed), told);
}

#[test]
fn inputs_are_recorded_when_they_differ_and_only_then() {
    let mut desired = metallb();
    desired.inputs = Some(json!({"schema": 1}));
    let mut observed = ObservedAddon::in_order(&desired);
    assert_eq!(plan(&desired, &observed), Plan::default());
    observed.inputs_recorded = Seen::Known(false);
    assert_eq!(kinds(&plan(&desired, &observed)), [StepKind::RecordInputs]);
    desired.inputs = None;
    assert_eq!(plan(&desired, &observed), Plan::default());
}

#[test]
fn only_what_makes_a_difference_is_in_the_fingerprint() {
    let addon = metallb();
    let changed = |change: fn(&mut DesiredAddon)| {
        let mut other = addon.clone();
        change(&mut other);
        other.fingerprint() != addon.fingerprint()
    };
    assert!(changed(
        |addon| addon.secret_values_fingerprint = "2".to_owned()
    ));
    assert!(changed(|addon| addon.options.crds.upgrade = false));
    assert!(changed(|addon| addon.post_render.push(PatchRule {
        target: PatchTarget::default(),
        patch: json!({}),
    })));
    assert!(!changed(|addon| addon.options.atomic = true));
    assert!(!changed(|addon| addon.drift.detect = false));
    assert!(!changed(|addon| addon.inputs = Some(json!({}))));
    assert!(!changed(|addon| addon.chart_digest = "ab".to_owned()));
}
