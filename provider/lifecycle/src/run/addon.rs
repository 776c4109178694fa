//! Execution of an add-on's plan.

use std::time::Duration;

use helm::release::Note;
use product::{Path, Problem};
use serde_json::Value;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::cluster::{no_progress, plan_again, seen};
use super::inside::unreachable;
use super::{ClusterHandle, Engine, EventState, going};
use crate::Error;
use crate::addon::{
    DesiredAddon, DriftRules, ObservedAddon, ReleaseSeen, deviations, inputs_name, plan,
};
use crate::plan::{Drift, NodeSet, Plan, PlanSummary, Step, StepKind, approve};
use crate::ports::{Deployment, Kubernetes, Look};
use crate::seen::Seen;

/// What state keeps of an add-on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddonFacts {
    /// Version of the chart.
    pub version: String,
    /// Version of what it installs.
    pub app_version: String,
    /// Fingerprint of what was installed.
    pub fingerprint: String,
    /// What manages the release, as recorded with it; empty when nothing does.
    pub owner: String,
}

/// The end of a create or an update.
pub struct AddonOutcome {
    /// What was installed.
    pub facts: AddonFacts,
    /// What deviates at the end.
    pub drift: Drift,
    /// Why the run stopped early.
    pub error: Option<Error>,
    /// What happened on the way that nobody was told before.
    pub notes: Vec<Note>,
}

impl AddonOutcome {
    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_cancelled)
    }
}

/// What a refresh found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddonRead {
    /// Its cluster does not answer: the prior state stays.
    Unreachable(Box<Problem>),
    /// It was looked at; a release that is gone shows as drift.
    Seen {
        /// What is installed; empty when nothing is.
        facts: AddonFacts,
        /// What deviates.
        drift: Drift,
    },
}

impl Engine {
    /// Installs, upgrades or repairs an add-on until it is as desired. `values`, when given, are the add-on's with the
    /// write-only ones among them. A release that something else manages is refused.
    pub async fn apply_addon(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredAddon,
        values: Option<&Value>,
        approved: &PlanSummary,
        cancel: &CancellationToken,
    ) -> AddonOutcome {
        let mut outcome = AddonOutcome {
            facts: AddonFacts::default(),
            drift: Drift::default(),
            error: None,
            notes: Vec::new(),
        };
        let result = match self.inside(cluster) {
            Err(error) => Err(error),
            Ok(inside) => {
                let kubernetes = inside.kubernetes.as_ref();
                self.drive_addon(kubernetes, desired, values, approved, cancel, &mut outcome)
                    .await
            }
        };
        outcome.error = result.err();
        outcome
    }

    async fn drive_addon(
        &self,
        kubernetes: &dyn Kubernetes,
        desired: &DesiredAddon,
        values: Option<&Value>,
        approved: &PlanSummary,
        cancel: &CancellationToken,
        outcome: &mut AddonOutcome,
    ) -> Result<(), Error> {
        let mut before = Plan::default();
        let mut repeats = 0;
        loop {
            going(cancel)?;
            kubernetes
                .alive(cancel)
                .await
                .map_err(Error::cluster("reach the cluster"))?;
            let observed = observe(kubernetes, desired, false, cancel).await?;
            check_owner(desired, &observed)?;
            outcome.facts = facts(&observed);
            outcome.drift = Drift::of(&deviations(desired, &observed));
            let next = plan(desired, &observed);
            let Some(step) = next.steps.first() else {
                return Ok(());
            };
            repeats = if next == before { repeats + 1 } else { 0 };
            if repeats >= 3 {
                return Err(no_progress(&next));
            }
            approve(approved, step, &NodeSet::new()).map_err(|refused| plan_again(&refused))?;
            self.tell(&desired.name, step, EventState::Started);
            let result = self
                .run_addon_step(kubernetes, desired, values, step, cancel)
                .await;
            self.tell(
                &desired.name,
                step,
                match &result {
                    Ok(_) => EventState::Finished,
                    Err(error) => EventState::Failed(error.to_string()),
                },
            );
            outcome.notes.extend(news(result?, &observed));
            before = next;
        }
    }

    /// Looks at an add-on without changing anything.
    pub async fn read_addon(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredAddon,
        cancel: &CancellationToken,
    ) -> Result<AddonRead, Error> {
        let inside = self.inside(cluster)?;
        let observed = observe(inside.kubernetes.as_ref(), desired, true, cancel).await?;
        if let Some(reason) = observed.release.reason() {
            return Ok(AddonRead::Unreachable(Box::new(unreachable(reason))));
        }
        Ok(AddonRead::Seen {
            facts: facts(&observed),
            drift: Drift::of(&deviations(desired, &observed)),
        })
    }

    /// The inputs that the last apply of an add-on recorded in the cluster.
    pub async fn recorded_addon(
        &self,
        cluster: &ClusterHandle,
        namespace: &str,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, Error> {
        let inside = self.inside(cluster)?;
        inside
            .kubernetes
            .inputs(&inputs_name(namespace, name), cancel)
            .await
            .map_err(Error::cluster(format!(
                "read what is recorded of {namespace}/{name}"
            )))
    }

    /// Removes an add-on: its objects, then its release. In a dead cluster both are gone already. Answers which objects
    /// stay, and why.
    pub async fn delete_addon(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredAddon,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, Error> {
        let inside = self.inside(cluster)?;
        let kubernetes = inside.kubernetes.as_ref();
        if !self.lives(cluster, kubernetes, cancel).await? {
            return Ok(Vec::new());
        }
        let doing = || Error::cluster(format!("remove {}", desired.release()));
        kubernetes
            .delete(&desired.objects, cancel)
            .await
            .map_err(doing())?;
        let left = kubernetes
            .uninstall(desired, limit(desired), cancel)
            .await
            .map_err(doing())?;
        let untouched = DriftRules {
            detect: false,
            ..DriftRules::default()
        };
        let look = Look {
            drift: &untouched,
            health: false,
            shared: false,
        };
        match kubernetes
            .release(&desired.namespace, &desired.name, look, cancel)
            .await
            .map_err(doing())?
        {
            ReleaseSeen::Absent if desired.inputs.is_some() => kubernetes
                .forget_inputs(&desired.inputs_name(), cancel)
                .await
                .map_err(doing())
                .map(|()| left),
            ReleaseSeen::Absent => Ok(left),
            ReleaseSeen::Present { .. } => Err(Error::refused(
                Problem::error(Path::root(), "a release is still there after its removal")
                    .seen(desired.release())
                    .next("Destroy again."),
            )),
        }
    }
}

/// What is news in the notes of a step: that a field which was seen to deviate goes back is what the plan said.
fn news(notes: Vec<Note>, observed: &ObservedAddon) -> impl Iterator<Item = Note> {
    let told: Vec<String> = match &observed.release {
        Seen::Known(ReleaseSeen::Present { changed, .. }) => changed.keys().cloned().collect(),
        Seen::Known(ReleaseSeen::Absent) | Seen::Unknown(_) => Vec::new(),
    };
    notes.into_iter().filter(move |note| match note {
        Note::TakenOver { object, .. } => !told.contains(&object.to_string()),
        Note::Left { .. } => true,
        Note::Replaced { .. } | Note::HookOutput { .. } => false,
    })
}

fn limit(desired: &DesiredAddon) -> Duration {
    desired.timeout.max(Duration::from_mins(1))
}

async fn observe(
    kubernetes: &dyn Kubernetes,
    desired: &DesiredAddon,
    shared: bool,
    cancel: &CancellationToken,
) -> Result<ObservedAddon, Error> {
    let look = Look {
        drift: &desired.drift,
        // Who does not wait for health does not want to be told of it.
        health: desired.drift.detect && !desired.timeout.is_zero(),
        shared,
    };
    let release = seen(
        kubernetes
            .release(&desired.namespace, &desired.name, look, cancel)
            .await,
    )?;
    let objects_applied = match (&release, desired.objects.is_empty()) {
        (_, true) => Seen::Known(true),
        (Seen::Unknown(reason), false) => Seen::Unknown(reason.clone()),
        // Their kinds come with the release.
        (Seen::Known(ReleaseSeen::Absent), false) => Seen::Known(false),
        (Seen::Known(ReleaseSeen::Present { .. }), false) => {
            seen(kubernetes.applied(&desired.objects, shared, cancel).await)?
        }
    };
    let inputs_recorded = match (&release, &desired.inputs) {
        (_, None) => Seen::Known(true),
        (Seen::Unknown(reason), Some(_)) => Seen::Unknown(reason.clone()),
        (Seen::Known(_), Some(inputs)) => {
            let name = desired.inputs_name();
            let recorded = if shared {
                kubernetes.shared_inputs(&name, cancel).await
            } else {
                kubernetes.inputs(&name, cancel).await
            };
            match seen(recorded)? {
                Seen::Known(recorded) => Seen::Known(recorded.as_ref() == Some(inputs)),
                Seen::Unknown(reason) => Seen::Unknown(reason),
            }
        }
    };
    Ok(ObservedAddon {
        release,
        objects_applied,
        inputs_recorded,
    })
}

fn facts(observed: &ObservedAddon) -> AddonFacts {
    match &observed.release {
        Seen::Known(ReleaseSeen::Present {
            version,
            app_version,
            fingerprint,
            owner,
            ..
        }) => AddonFacts {
            version: version.clone(),
            app_version: app_version.clone(),
            fingerprint: fingerprint.clone(),
            owner: owner.clone(),
        },
        Seen::Known(ReleaseSeen::Absent) | Seen::Unknown(_) => AddonFacts::default(),
    }
}

/// A release has one owner, recorded with it. One without a record was installed by hand, and is adopted.
fn check_owner(desired: &DesiredAddon, observed: &ObservedAddon) -> Result<(), Error> {
    match &observed.release {
        Seen::Known(ReleaseSeen::Present { owner, .. })
            if !owner.is_empty() && *owner != desired.owner =>
        {
            Err(Error::refused(
                Problem::error(Path::of("name"), "something else manages this release")
                    .seen(format!("{} belongs to {owner:?}", desired.release()))
                    .allowed("a release that nothing manages")
                    .next("Remove this resource, or take the component out of what manages it."),
            ))
        }
        Seen::Known(_) | Seen::Unknown(_) => Ok(()),
    }
}

impl Engine {
    async fn run_addon_step(
        &self,
        kubernetes: &dyn Kubernetes,
        desired: &DesiredAddon,
        values: Option<&Value>,
        step: &Step,
        cancel: &CancellationToken,
    ) -> Result<Vec<Note>, Error> {
        let doing = || Error::cluster(step.to_string());
        let wait = desired.timeout;
        match step.kind {
            StepKind::ApplyObjects => kubernetes
                .apply(&desired.objects, cancel)
                .await
                .map_err(doing()),
            StepKind::InstallRelease | StepKind::UpgradeRelease => {
                let how = Deployment { wait, adopt: false };
                return kubernetes
                    .deploy(desired, values, how, cancel)
                    .await
                    .map_err(doing());
            }
            StepKind::AwaitHealth => self.await_health(kubernetes, desired, step, cancel).await,
            StepKind::RecordInputs => {
                let Some(inputs) = &desired.inputs else {
                    return Ok(Vec::new());
                };
                kubernetes
                    .record_inputs(&desired.inputs_name(), inputs, cancel)
                    .await
                    .map_err(doing())
            }
            // Of clusters and pools; an add-on's plan has none of them.
            StepKind::RemoveMember
            | StepKind::Claim
            | StepKind::MakeMachine
            | StepKind::PowerOn
            | StepKind::AwaitMachines
            | StepKind::Bootstrap
            | StepKind::AwaitApi
            | StepKind::InstallNetwork
            | StepKind::LabelNode
            | StepKind::AwaitNodes
            | StepKind::RemoveConfigDrive
            | StepKind::RemoveWorker
            | StepKind::UninstallRelease
            | StepKind::Complete => Ok(()),
        }
        .map(|()| Vec::new())
    }

    /// Waits until everything of the release is ready. Nothing is written: an upgrade with the same inputs would only
    /// add a revision.
    async fn await_health(
        &self,
        kubernetes: &dyn Kubernetes,
        desired: &DesiredAddon,
        step: &Step,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let look = || async {
            let observed = observe(kubernetes, desired, false, cancel).await?;
            Ok(match observed.release {
                Seen::Unknown(reason) => Probe::Pending(reason),
                Seen::Known(ReleaseSeen::Present { unready, .. }) if !unready.is_empty() => {
                    let told: Vec<String> = unready
                        .into_iter()
                        .map(|(object, why)| format!("{object}: {why}"))
                        .collect();
                    let told = told.join("; ");
                    self.tell(&desired.name, step, EventState::Waiting(told.clone()));
                    Probe::Pending(told)
                }
                Seen::Known(_) => Probe::Ready(()),
            })
        };
        poll_until(
            self.clock.as_ref(),
            cancel,
            &mut Pace::new(),
            limit(desired),
            look,
        )
        .await
        .map_err(|error| match error {
            WaitError::Cancelled => Error::Cancelled,
            WaitError::Look(error) => error,
            WaitError::Deadline { last, elapsed } => Error::Timeout {
                phase: step.to_string(),
                object: desired.release(),
                last,
                elapsed,
            },
        })
    }
}
