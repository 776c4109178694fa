//! `(desired, observed) -> plan` for an add-on.

use super::{DesiredAddon, ObservedAddon, ReleaseSeen};
use crate::plan::{Deviation, DeviationKind, Drift, Object, Plan, Step, StepKind};
use crate::seen::Seen;

/// What deviates. What could not be read does not.
pub fn deviations(desired: &DesiredAddon, observed: &ObservedAddon) -> Vec<Deviation> {
    let release = || Object::Release(desired.release());
    let mut found = Vec::new();
    match &observed.release {
        Seen::Unknown(_) => {}
        Seen::Known(ReleaseSeen::Absent) => {
            found.push(Deviation::new(release(), DeviationKind::NotInstalled, ""));
        }
        Seen::Known(ReleaseSeen::Present {
            version,
            fingerprint,
            deployed,
            changed,
            healthy,
            ..
        }) => {
            let wanted = &desired.source.version;
            if !deployed {
                found.push(Deviation::new(
                    release(),
                    DeviationKind::Failed,
                    "the last operation did not end well",
                ));
            } else if version != wanted && !wanted.is_empty() {
                found.push(Deviation::new(
                    release(),
                    DeviationKind::Outdated,
                    format!("{version}, wanted {wanted}"),
                ));
            } else if *fingerprint != desired.fingerprint() {
                found.push(Deviation::new(
                    release(),
                    DeviationKind::Outdated,
                    "other values",
                ));
            } else if !healthy {
                found.push(Deviation::new(release(), DeviationKind::NotReady, ""));
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
    if observed.objects_applied == Seen::Known(false) && !desired.objects.is_empty() {
        found.push(Deviation::new(
            Object::Resource(format!("beside {}", desired.release())),
            DeviationKind::Missing,
            "",
        ));
    }
    found
}

fn steps(desired: &DesiredAddon, deviations: &[Deviation]) -> Plan {
    let release = || Object::Release(desired.release());
    let steps = deviations.iter().filter_map(|deviation| {
        let kind = match deviation.kind {
            DeviationKind::NotInstalled => StepKind::InstallRelease,
            DeviationKind::Outdated | DeviationKind::Failed | DeviationKind::Changed => {
                StepKind::UpgradeRelease
            }
            DeviationKind::NotReady => StepKind::AwaitNodes,
            DeviationKind::Missing => StepKind::ApplyObjects,
            DeviationKind::Unclaimed
            | DeviationKind::Unfinished
            | DeviationKind::Halted
            | DeviationKind::Silent
            | DeviationKind::Surplus
            | DeviationKind::StaleMember
            | DeviationKind::NotBootstrapped
            | DeviationKind::Shape
            | DeviationKind::Labels
            | DeviationKind::Taints
            | DeviationKind::ConfigDrive
            | DeviationKind::Inputs
            | DeviationKind::Incomplete => return None,
        };
        Some(Step::calm(kind, release(), deviation.text()))
    });
    Plan::ordered(steps.collect())
}

/// The plan of an apply.
pub fn plan(desired: &DesiredAddon, observed: &ObservedAddon) -> Plan {
    steps(desired, &deviations(desired, observed))
}

/// The attribute `drift`.
pub fn drift(desired: &DesiredAddon, observed: &ObservedAddon) -> Drift {
    Drift::of(&deviations(desired, observed))
}

/// The plan that is shown: from configuration and state alone. `prior` is the fingerprint and version of
/// the last apply, and `drift`.
pub fn plan_from_state(desired: &DesiredAddon, prior: Option<(&str, &str, &Drift)>) -> Plan {
    let Some((version, fingerprint, drift)) = prior else {
        return plan(desired, &ObservedAddon::nothing());
    };
    let observed = ObservedAddon {
        release: Seen::Known(ReleaseSeen::Present {
            version: version.to_owned(),
            fingerprint: fingerprint.to_owned(),
            owner: desired.owner.clone(),
            app_version: String::new(),
            deployed: true,
            changed: std::collections::BTreeMap::new(),
            healthy: true,
        }),
        objects_applied: Seen::Known(fingerprint == desired.fingerprint()),
    };
    let mut all = deviations(desired, &observed);
    all.extend(drift.deviations());
    steps(desired, &all)
}
