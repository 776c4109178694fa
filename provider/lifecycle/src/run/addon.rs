//! Execution of an add-on's plan.

use std::time::Duration;

use product::{Path, Problem};
use serde_json::Value;
use transport::CancellationToken;

use super::cluster::{no_progress, plan_again, seen};
use super::inside::unreachable;
use super::{ClusterHandle, Engine, EventState, going};
use crate::Error;
use crate::addon::{DesiredAddon, ObservedAddon, ReleaseSeen, deviations, plan};
use crate::plan::{Drift, NodeSet, Plan, PlanSummary, Step, StepKind, approve};
use crate::ports::{Deployment, Kubernetes};
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
    /// Installs, upgrades or repairs an add-on until it is as desired. `create` refuses a release that
    /// something else manages.
    pub async fn apply_addon(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredAddon,
        secret_values: Option<&Value>,
        approved: &PlanSummary,
        cancel: &CancellationToken,
    ) -> AddonOutcome {
        let mut outcome = AddonOutcome {
            facts: AddonFacts::default(),
            drift: Drift::default(),
            error: None,
        };
        let result = match self.inside(cluster) {
            Err(error) => Err(error),
            Ok(inside) => {
                let kubernetes = inside.kubernetes.as_ref();
                self.drive_addon(
                    kubernetes,
                    desired,
                    secret_values,
                    approved,
                    cancel,
                    &mut outcome,
                )
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
        secret_values: Option<&Value>,
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
            let observed = observe(kubernetes, desired, cancel).await?;
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
            let result = run_step(kubernetes, desired, secret_values, step, cancel).await;
            self.tell(
                &desired.name,
                step,
                match &result {
                    Ok(()) => EventState::Finished,
                    Err(error) => EventState::Failed(error.to_string()),
                },
            );
            result?;
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
        let observed = observe(inside.kubernetes.as_ref(), desired, cancel).await?;
        if let Some(reason) = observed.release.reason() {
            return Ok(AddonRead::Unreachable(Box::new(unreachable(reason))));
        }
        Ok(AddonRead::Seen {
            facts: facts(&observed),
            drift: Drift::of(&deviations(desired, &observed)),
        })
    }

    /// Removes an add-on: its objects, then its release. In a dead cluster both are gone already.
    pub async fn delete_addon(
        &self,
        cluster: &ClusterHandle,
        desired: &DesiredAddon,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let inside = self.inside(cluster)?;
        let kubernetes = inside.kubernetes.as_ref();
        if !self.lives(cluster, kubernetes, cancel).await? {
            return Ok(());
        }
        let doing = || Error::cluster(format!("remove {}", desired.release()));
        kubernetes
            .delete(&desired.objects, cancel)
            .await
            .map_err(doing())?;
        let limit = limit(desired);
        kubernetes
            .uninstall(&desired.namespace, &desired.name, limit, cancel)
            .await
            .map_err(doing())?;
        match kubernetes
            .release(&desired.namespace, &desired.name, cancel)
            .await
            .map_err(doing())?
        {
            ReleaseSeen::Absent => Ok(()),
            ReleaseSeen::Present { .. } => Err(Error::refused(
                Problem::error(Path::root(), "a release is still there after its removal")
                    .seen(desired.release())
                    .next("Destroy again."),
            )),
        }
    }
}

fn limit(desired: &DesiredAddon) -> Duration {
    Duration::from_mins(u64::from(desired.timeout_minutes.max(1)))
}

async fn observe(
    kubernetes: &dyn Kubernetes,
    desired: &DesiredAddon,
    cancel: &CancellationToken,
) -> Result<ObservedAddon, Error> {
    let release = seen(
        kubernetes
            .release(&desired.namespace, &desired.name, cancel)
            .await,
    )?;
    let objects_applied = match (&release, desired.objects.is_empty()) {
        (_, true) => Seen::Known(true),
        (Seen::Unknown(reason), false) => Seen::Unknown(reason.clone()),
        // Their kinds come with the release.
        (Seen::Known(ReleaseSeen::Absent), false) => Seen::Known(false),
        (Seen::Known(ReleaseSeen::Present { .. }), false) => {
            seen(kubernetes.applied(&desired.objects, cancel).await)?
        }
    };
    Ok(ObservedAddon {
        release,
        objects_applied,
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

async fn run_step(
    kubernetes: &dyn Kubernetes,
    desired: &DesiredAddon,
    secret_values: Option<&Value>,
    step: &Step,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let doing = || Error::cluster(step.to_string());
    let wait = Duration::from_mins(u64::from(desired.timeout_minutes));
    match step.kind {
        StepKind::ApplyObjects => kubernetes
            .apply(&desired.objects, cancel)
            .await
            .map_err(doing()),
        StepKind::InstallRelease | StepKind::UpgradeRelease | StepKind::AwaitNodes => {
            let how = Deployment { wait, adopt: false };
            kubernetes
                .deploy(desired, secret_values, how, cancel)
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
        | StepKind::RemoveConfigDrive
        | StepKind::RemoveWorker
        | StepKind::UninstallRelease
        | StepKind::RecordInputs
        | StepKind::Complete => Ok(()),
    }
}
