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
    };
    assert_eq!(plan(&desired, &silent), Plan::default());
}

#[test]
fn the_plan_from_state_shows_a_changed_value_and_a_release_that_was_uninstalled() {
    let desired = metallb();
    let fingerprint = desired.fingerprint();
    let version = desired.source.version.clone();
    let none = Drift::default();
    let prior = Some((version.as_str(), fingerprint.as_str(), &none));
    assert_eq!(plan_from_state(&desired, prior), Plan::default());
    let mut changed = desired.clone();
    changed.values["speaker"]["logLevel"] = json!("debug");
    assert_eq!(
        kinds(&plan_from_state(&changed, prior))[0],
        StepKind::UpgradeRelease
    );
    let gone = drift(&desired, &ObservedAddon::nothing());
    assert_eq!(
        gone.as_map()["release metallb-system/metallb"],
        "not installed"
    );
    let prior = Some((version.as_str(), fingerprint.as_str(), &gone));
    assert_eq!(
        kinds(&plan_from_state(&desired, prior)),
        [StepKind::InstallRelease, StepKind::ApplyObjects]
    );
}
