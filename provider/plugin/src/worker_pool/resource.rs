//! The resource as the framework calls it.

use std::time::Duration;

use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    IdentitySchema, ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    ValidateConfigRequest, async_trait,
};
use lifecycle::Drift;
use lifecycle::pool::DesiredPool;
use lifecycle::run::{ClusterHandle, PoolOutcome, PoolRead};
use product::{IndexSet, PoolName};

use super::{PoolModel, TYPE_NAME, plan, schema};
use crate::attributes::{Timeouts, approval};
use crate::clients::Data;
use crate::deadline::within;
use crate::handle::{Handle, KnownFacts};
use crate::import;
use crate::problems::{diagnostic, error, warning};

/// `managedk8s_worker_pool`.
pub struct WorkerPool;

/// What an import takes.
const ID_FORM: &str = "<identifier>/<birth>/<name>";

/// What a call works on.
struct Job {
    cluster: ClusterHandle,
    desired: DesiredPool,
    timeouts: Timeouts,
    wanted: IndexSet,
}

impl Job {
    /// From a plan or a state whose configuration is wholly known.
    fn new(value: &Dynamic) -> Result<Self, Diagnostics> {
        let model: PoolModel = value.get()?;
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
            wanted: model.stored_workers(),
            timeouts: model.timeouts.known().unwrap_or_default(),
        })
    }

    fn identity(&self) -> Dynamic {
        let id = &self.cluster.id;
        Dynamic::object([
            ("identifier", Dynamic::string(id.identifier.to_string())),
            ("name", Dynamic::string(self.desired.name.to_string())),
            ("birth", Dynamic::string(id.birth.to_string())),
        ])
    }

    /// The state after an apply.
    fn state(&self, planned: &Dynamic, outcome: &PoolOutcome) -> Dynamic {
        let mut state = planned.clone();
        let id = format!("{}/{}", self.cluster.id, self.desired.name);
        state.set_at(&Path::of("id"), Dynamic::string(id));
        write_seen(&mut state, &outcome.indexes, &outcome.drift);
        state
    }
}

fn write_seen(state: &mut Dynamic, indexes: &IndexSet, drift: &Drift) {
    state.set_at(&Path::of("workers"), Dynamic::string(indexes.to_string()));
    state.set_at(&Path::of("drift"), drift.as_map().to_value());
}

#[async_trait]
impl Resource<Data> for WorkerPool {
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
        let engine = request.data.engine(&request.cancel).await?;
        let approved = approval(&request.plan);
        let limit = Timeouts::limit(&job.timeouts.create, Duration::from_mins(45));
        let nothing = IndexSet::new();
        let outcome = within(limit, &request.cancel, |cancel| {
            let (job, approved, nothing) = (&job, &approved, &nothing);
            async move {
                engine
                    .apply_pool(&job.cluster, &job.desired, nothing, approved, &cancel)
                    .await
            }
        })
        .await;
        match &outcome.error {
            None => {}
            // Core fails an interrupted run by itself; an error would taint machines that run.
            Some(failure) if outcome.interrupted() => {
                response.diagnostics.extend([warning(&failure.problem())]);
            }
            // Without state, exactly as after a kill: the next apply finds the machines and goes on (design law 6).
            Some(failure) => return Err(Diagnostics::from(diagnostic(&failure.problem()))),
        }
        response.state = Some(job.state(&request.plan, &outcome));
        response.identity = Some(job.identity());
        Ok(())
    }

    async fn read(&self, request: ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
        let mut state = request.state.clone();
        if import::is_import(&state) {
            let Some(found) = recorded(&state, &request.data, &request.cancel).await? else {
                response.state = None;
                return Ok(());
            };
            state = found;
        }
        let job = Job::new(&state)?;
        let engine = request.data.engine(&request.cancel).await?;
        match engine
            .read_pool(&job.cluster, &job.desired, &job.wanted, &request.cancel)
            .await
            .map_err(error)?
        {
            PoolRead::Gone => {
                response.state = None;
                return Ok(());
            }
            PoolRead::Unreachable(problem) => response.diagnostics.extend([diagnostic(&problem)]),
            PoolRead::Seen { indexes, drift } => write_seen(&mut state, &indexes, &drift),
        }
        response.state = Some(state);
        response.identity = Some(job.identity());
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let job = Job::new(&request.plan)?;
        let prior: PoolModel = request.prior_state.get()?;
        let engine = request.data.engine(&request.cancel).await?;
        let approved = approval(&request.plan);
        let limit = Timeouts::limit(&job.timeouts.update, Duration::from_hours(1));
        let wanted = prior.stored_workers();
        let outcome = within(limit, &request.cancel, |cancel| {
            let (job, approved, wanted) = (&job, &approved, &wanted);
            async move {
                engine
                    .apply_pool(&job.cluster, &job.desired, wanted, approved, &cancel)
                    .await
            }
        })
        .await;
        response.identity = Some(job.identity());
        match &outcome.error {
            None => {
                response.state = Some(job.state(&request.plan, &outcome));
                Ok(())
            }
            // What is not reached yet keeps its old value, so that the next plan shows it again.
            Some(failure) => {
                let mut state = request.prior_state.clone();
                write_seen(&mut state, &outcome.indexes, &outcome.drift);
                response.state = Some(state);
                Err(Diagnostics::from(diagnostic(&failure.problem())))
            }
        }
    }

    async fn delete(&self, request: DeleteRequest<Data>, _: &mut DeleteResponse) -> Outcome {
        let job = Job::new(&request.prior_state)?;
        let engine = request.data.engine(&request.cancel).await?;
        let limit = Timeouts::limit(&job.timeouts.delete, Duration::from_hours(1));
        within(limit, &request.cancel, |cancel| {
            let job = &job;
            async move {
                engine
                    .delete_pool(&job.cluster, &job.desired, &job.wanted, &cancel)
                    .await
            }
        })
        .await
        .map_err(error)
    }

    async fn import_state(
        &self,
        request: ImportRequest<Data>,
        response: &mut ImportResponse,
    ) -> Outcome {
        let id = match &request.identity {
            Some(identity) => ["identifier", "birth", "name"]
                .map(|name| import::text(identity, name))
                .join("/"),
            None => request.id.clone(),
        };
        import::parse::<1>(&id, ID_FORM)?;
        response.state = Some(Dynamic::object([("id", Dynamic::string(id))]));
        Ok(())
    }
}

/// The state of an imported pool, from what it recorded in its cluster: as the configuration that made it would leave it.
async fn recorded(
    state: &Dynamic,
    data: &Data,
    cancel: &transport::CancellationToken,
) -> Result<Option<Dynamic>, Diagnostics> {
    let (cluster, [name]) = import::parse(import::text(state, "id"), ID_FORM)?;
    let name = PoolName::parse(name).map_err(|problem| Diagnostics::from(diagnostic(&problem)))?;
    let handle = import::handle(&cluster, data, cancel).await?;
    let engine = data.engine(cancel).await?;
    let cluster = Handle::read(&handle)?.cluster()?;
    let found = engine
        .find_pool(&cluster, &name, cancel)
        .await
        .map_err(error)?;
    Ok(found.map(|found| PoolModel::imported(handle, &cluster, &found)))
}
