//! The resource as the framework calls it.

use std::time::Duration;

use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    IdentitySchema, ModifyPlanRequest, ModifyPlanResponse, Outcome, Path, ReadRequest,
    ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse, ValidateConfigRequest,
    async_trait,
};
use lifecycle::addon::DesiredAddon;
use lifecycle::run::{AddonOutcome, AddonRead, ClusterHandle};

use super::{AddonModel, TYPE_NAME, plan, schema};
use crate::attributes::{Timeouts, approval};
use crate::clients::Data;
use crate::deadline::within;
use crate::handle::{Handle, KnownFacts};
use crate::problems::{diagnostic, error, warning};

/// `managedk8s_addon`.
pub struct Addon;

/// What a call works on.
struct Job {
    cluster: ClusterHandle,
    desired: DesiredAddon,
    timeouts: Timeouts,
    name: String,
}

impl Job {
    /// From a plan or a state whose configuration is wholly known.
    fn new(value: &Dynamic) -> Result<Self, Diagnostics> {
        let model: AddonModel = value.get()?;
        let mut diagnostics = Diagnostics::new();
        let facts = KnownFacts::read(&model.cluster, &mut diagnostics);
        let desired = facts.and_then(|facts| model.desired(&facts));
        let (Some(desired), false) = (desired, diagnostics.has_errors()) else {
            diagnostics.error(
                "configuration is not complete",
                "A value that the plan depended on is still unknown or not valid. Plan again.",
            );
            return Err(diagnostics);
        };
        Ok(Self {
            cluster: Handle::read(&model.cluster)?.cluster()?,
            desired,
            timeouts: model.timeouts.known().unwrap_or_default(),
            name: model.name.known().unwrap_or_default(),
        })
    }

    fn identity(&self) -> Dynamic {
        let id = &self.cluster.id;
        Dynamic::object([
            ("identifier", Dynamic::string(id.identifier.to_string())),
            ("name", Dynamic::string(self.name.clone())),
            ("birth", Dynamic::string(id.birth.to_string())),
        ])
    }

    /// The state after an apply.
    fn state(&self, planned: &Dynamic, outcome: &AddonOutcome) -> Dynamic {
        let mut state = planned.clone();
        let id = format!("{}/{}", self.cluster.id, self.desired.release());
        state.set_at(&Path::of("id"), Dynamic::string(id));
        state.set_at(
            &Path::of("fingerprint"),
            Dynamic::string(self.desired.fingerprint()),
        );
        state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
        state
    }

    async fn apply(
        &self,
        data: &Data,
        planned: &Dynamic,
        limit: Duration,
        cancel: &transport::CancellationToken,
    ) -> Result<AddonOutcome, Diagnostics> {
        let engine = data.engine(cancel).await?;
        let approved = approval(planned);
        Ok(within(limit, cancel, |cancel| {
            let approved = &approved;
            async move {
                engine
                    .apply_addon(&self.cluster, &self.desired, None, approved, &cancel)
                    .await
            }
        })
        .await)
    }
}

#[async_trait]
impl Resource<Data> for Addon {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(schema::identity())
    }

    async fn validate_config(
        &self,
        request: ValidateConfigRequest,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        plan::validate(&request.config, diagnostics)
    }

    async fn modify_plan(
        &self,
        request: ModifyPlanRequest<Data>,
        response: &mut ModifyPlanResponse,
    ) -> Outcome {
        plan::plan(&request, response)
    }

    async fn create(&self, request: CreateRequest<Data>, response: &mut CreateResponse) -> Outcome {
        let job = Job::new(&request.plan)?;
        let limit = Timeouts::limit(&job.timeouts.create, Duration::from_mins(15));
        let outcome = job
            .apply(&request.data, &request.plan, limit, &request.cancel)
            .await?;
        match &outcome.error {
            None => {}
            // Core fails an interrupted run by itself; an error would taint what runs.
            Some(failure) if outcome.interrupted() => {
                response.diagnostics.extend([warning(&failure.problem())]);
            }
            // Without state, exactly as after a kill: the next apply finds the release and goes on (design law 6).
            Some(failure) => return Err(Diagnostics::from(diagnostic(&failure.problem()))),
        }
        response.state = Some(job.state(&request.plan, &outcome));
        response.identity = Some(job.identity());
        Ok(())
    }

    async fn read(&self, request: ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
        let job = Job::new(&request.state)?;
        let engine = request.data.engine(&request.cancel).await?;
        let mut state = request.state.clone();
        match engine
            .read_addon(&job.cluster, &job.desired, &request.cancel)
            .await
            .map_err(error)?
        {
            AddonRead::Unreachable(problem) => response.diagnostics.extend([diagnostic(&problem)]),
            AddonRead::Seen { drift, .. } => {
                state.set_at(&Path::of("drift"), drift.as_map().to_value());
            }
        }
        response.state = Some(state);
        response.identity = Some(job.identity());
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let job = Job::new(&request.plan)?;
        let limit = Timeouts::limit(&job.timeouts.update, Duration::from_mins(15));
        let outcome = job
            .apply(&request.data, &request.plan, limit, &request.cancel)
            .await?;
        response.identity = Some(job.identity());
        match &outcome.error {
            None => {
                response.state = Some(job.state(&request.plan, &outcome));
                Ok(())
            }
            // What is not reached yet keeps its old value, so that the next plan shows it again.
            Some(failure) => {
                let mut state = request.prior_state.clone();
                state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
                response.state = Some(state);
                Err(Diagnostics::from(diagnostic(&failure.problem())))
            }
        }
    }

    async fn delete(&self, request: DeleteRequest<Data>, _: &mut DeleteResponse) -> Outcome {
        let job = Job::new(&request.prior_state)?;
        let engine = request.data.engine(&request.cancel).await?;
        let limit = Timeouts::limit(&job.timeouts.delete, Duration::from_mins(15));
        within(limit, &request.cancel, |cancel| {
            let job = &job;
            async move {
                engine
                    .delete_addon(&job.cluster, &job.desired, &cancel)
                    .await
            }
        })
        .await
        .map_err(error)
    }
}
