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
            unready,
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
                    if fingerprint.is_empty() {
                        "its newest revision was made by another than this provider"
                    } else {
                        "other values"
                    },
                ));
            }
            for (object, how) in changed {
                found.push(Deviation::new(
                    Object::Resource(object.clone()),
                    DeviationKind::Changed,
                    how,
                ));
            }
            // What was changed may be why it is not ready; `drift` has one line an object.
            for (object, why) in unready {
                if !changed.contains_key(object) {
                    found.push(Deviation::new(
                        Object::Resource(object.clone()),
                        DeviationKind::NotReady,
                        why,
                    ));
                }
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
    if observed.inputs_recorded == Seen::Known(false) && desired.inputs.is_some() {
        found.push(Deviation::new(release(), DeviationKind::Inputs, ""));
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
            DeviationKind::NotReady => StepKind::AwaitHealth,
            DeviationKind::Inputs => StepKind::RecordInputs,
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
            | DeviationKind::Incomplete => return None,
        };
        Some(Step::calm(kind, release(), deviation.text()))
    });
    Plan::ordered(steps.collect())
}

/// The plan of an apply.
pub fn plan(desired: &DesiredAddon, observed: &ObservedAddon) -> Plan {
    let mut found = deviations(desired, observed);
    if !desired.drift.repair {
        found.retain(|deviation| {
            !matches!(
                deviation.kind,
                DeviationKind::Changed | DeviationKind::NotReady
            )
        });
    }
    steps(desired, &found)
}

/// The attribute `drift`.
pub fn drift(desired: &DesiredAddon, observed: &ObservedAddon) -> Drift {
    Drift::of(&deviations(desired, observed))
}

/// What state says of an add-on.
#[derive(Clone, Copy, Debug)]
pub struct Prior<'a> {
    /// The version of the chart at the last apply.
    pub version: &'a str,
    /// The fingerprint of the last apply.
    pub fingerprint: &'a str,
    /// The inputs as the last apply recorded them.
    pub inputs: Option<&'a serde_json::Value>,
    /// What Read found.
    pub drift: &'a Drift,
}

/// The plan that is shown: from configuration and state alone.
pub fn plan_from_state(desired: &DesiredAddon, prior: Option<Prior<'_>>) -> Plan {
    let Some(prior) = prior else {
        return plan(desired, &ObservedAddon::nothing());
    };
    let observed = ObservedAddon {
        release: Seen::Known(ReleaseSeen::Present {
            version: prior.version.to_owned(),
            fingerprint: prior.fingerprint.to_owned(),
            owner: desired.owner.clone(),
            app_version: String::new(),
            deployed: true,
            changed: std::collections::BTreeMap::new(),
            unready: std::collections::BTreeMap::new(),
        }),
        objects_applied: Seen::Known(prior.fingerprint == desired.fingerprint()),
        inputs_recorded: Seen::Known(prior.inputs == desired.inputs.as_ref()),
    };
    let mut all = deviations(desired, &observed);
    if desired.drift.repair {
        all.extend(prior.drift.deviations());
    }
    steps(desired, &all)
}
