//! The resource as the framework calls it.

use std::time::Duration;

use framework::timeouts::timeout;
use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics, Dynamic,
    IdentitySchema, ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    ValidateConfigRequest, async_trait,
};
use lifecycle::Drift;
use lifecycle::pool::DesiredPool;
use lifecycle::run::{ClusterImport, PoolImport, PoolOutcome, PoolRead};
use product::{IndexSet, PoolName, Problem};
use transport::CancellationToken;

use super::{PoolModel, TYPE_NAME, plan, schema};
use crate::attributes::approval;
use crate::clients::Data;
use crate::cluster::state::{imported, shown};
use crate::deadline::within;
use crate::handle::Handle;
use crate::import;
use crate::member::{Member, end_create, end_read, end_update};
use crate::problems::{diagnostic, error, refused};

/// `managedk8s_worker_pool`.
pub struct WorkerPool;

/// What an import takes.
const ID_FORM: &str = "<identifier>/<birth>/<name>";

/// What a call works on.
struct Job {
    member: Member<DesiredPool>,
    wanted: IndexSet,
}

impl Job {
    /// From a plan or a state whose configuration is wholly known.
    fn new(value: &Dynamic) -> Result<Self, Diagnostics> {
        let model: PoolModel = value.get()?;
        Ok(Self {
            member: Member::read(&model.cluster, |facts| model.desired(facts))?,
            wanted: model.stored_workers(),
        })
    }

    fn identity(&self) -> Dynamic {
        let id = &self.member.cluster.id;
        Dynamic::object([
            ("identifier", Dynamic::string(id.identifier.to_string())),
            (
                "name",
                Dynamic::string(self.member.desired.name.to_string()),
            ),
            ("birth", Dynamic::string(id.birth.to_string())),
        ])
    }

    /// The state after an apply.
    fn state(&self, planned: &Dynamic, outcome: &PoolOutcome) -> Dynamic {
        let mut state = planned.clone();
        let id = format!("{}/{}", self.member.cluster.id, self.member.desired.name);
        state.set_at(&Path::of("id"), Dynamic::string(id));
        write_seen(&mut state, &outcome.indexes, &outcome.drift);
        state
    }

    /// Brings the pool to what is planned. `wanted` are the numbers of state.
    async fn apply(
        &self,
        data: &Data,
        planned: &Dynamic,
        wanted: &IndexSet,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<PoolOutcome, Diagnostics> {
        let Member {
            handle,
            cluster,
            desired,
        } = &self.member;
        let engine = data.engine_for(handle, cancel).await?;
        let approved = approval(planned);
        Ok(within(limit, cancel, |cancel| {
            let approved = &approved;
            async move {
                engine
                    .apply_pool(cluster, desired, wanted, approved, &cancel)
                    .await
            }
        })
        .await)
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
        let limit = timeout(&request.plan, "create", Duration::from_mins(45))?;
        let (data, plan, cancel) = (&request.data, &request.plan, &request.cancel);
        let outcome = job
            .apply(data, plan, &IndexSet::new(), limit, cancel)
            .await?;
        let state = || job.state(plan, &outcome);
        end_create(outcome.error.as_ref(), job.identity(), state, response)
    }

    async fn read(&self, request: ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
        let mut state = request.state.clone();
        if import::is_import(&state) || PoolModel::is_shown(&state) {
            match found(&state, &request.data, &request.cancel).await? {
                None => {
                    response.state = None;
                    return Ok(());
                }
                Some(Imported::Recorded(recorded)) => state = recorded,
                Some(Imported::Shown(shown)) => {
                    response.diagnostics.extend([only_shown(&shown)]);
                    let state = if PoolModel::is_shown(&state) {
                        state
                    } else {
                        shown
                    };
                    end_read(identity(&state), state, response);
                    return Ok(());
                }
            }
        }
        let job = Job::new(&state)?;
        let Member {
            handle,
            cluster,
            desired,
        } = &job.member;
        let engine = request.data.engine_for(handle, &request.cancel).await?;
        match engine
            .read_pool(cluster, desired, &job.wanted, &request.cancel)
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
        end_read(job.identity(), state, response);
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let job = Job::new(&request.plan)?;
        let prior: PoolModel = request.prior_state.get()?;
        let limit = timeout(&request.plan, "update", Duration::from_hours(1))?;
        let (data, plan, cancel) = (&request.data, &request.plan, &request.cancel);
        let outcome = job
            .apply(data, plan, &prior.stored_workers(), limit, cancel)
            .await?;
        let done = || job.state(plan, &outcome);
        let stopped = || {
            let mut state = request.prior_state.clone();
            write_seen(&mut state, &outcome.indexes, &outcome.drift);
            state
        };
        end_update(
            outcome.error.as_ref(),
            job.identity(),
            done,
            stopped,
            response,
        )
    }

    async fn delete(&self, request: DeleteRequest<Data>, _: &mut DeleteResponse) -> Outcome {
        if PoolModel::is_shown(&request.prior_state) {
            return Err(Diagnostics::one_error(
                "pool was imported while its cluster did not answer",
                "Seen: a state that holds only what the pool's machines show\nAllowed: a state that a read or an apply \
                 completed\nBring the cluster up and refresh, or destroy the cluster: that removes every machine of it.",
            ));
        }
        let job = Job::new(&request.prior_state)?;
        let limit = timeout(&request.prior_state, "delete", Duration::from_hours(1))?;
        let Member {
            handle,
            cluster,
            desired,
        } = &job.member;
        let engine = request.data.engine_for(handle, &request.cancel).await?;
        within(limit, &request.cancel, |cancel| {
            let wanted = &job.wanted;
            async move { engine.delete_pool(cluster, desired, wanted, &cancel).await }
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

/// A pool that an import found, as state.
enum Imported {
    /// From what it recorded in its cluster: as the configuration that made it would leave it.
    Recorded(Dynamic),
    /// From what its machines show.
    Shown(Dynamic),
}

async fn found(
    state: &Dynamic,
    data: &Data,
    cancel: &CancellationToken,
) -> Result<Option<Imported>, Diagnostics> {
    let text = import::text(state, "id");
    let (id, [name]) = import::parse(text, ID_FORM)?;
    let name = PoolName::parse(name).map_err(refused)?;
    let engine = data.engine(cancel).await?;
    let handle = match engine.look_for_cluster(&id, cancel).await.map_err(error)? {
        ClusterImport::Recorded(recorded) => imported(&recorded, engine.tenant(), data),
        ClusterImport::Shown(seen) => shown(&seen, engine.tenant()),
    };
    let handle = handle.member("handle").cloned().unwrap_or(Dynamic::Null);
    let cluster = Handle::read(&handle)
        .ok()
        .map(|known| known.cluster())
        .transpose()?;
    let pool = engine
        .look_for_pool(&id, cluster.as_ref(), &name, cancel)
        .await
        .map_err(error)?;
    Ok(pool.and_then(|pool| match (pool, &cluster) {
        (PoolImport::Recorded(recorded), Some(cluster)) => {
            let state = PoolModel::imported(handle, cluster, &recorded);
            Some(Imported::Recorded(state))
        }
        // Nothing is read from a cluster that does not answer.
        (PoolImport::Recorded(_), None) => None,
        (PoolImport::Shown(seen), _) => {
            let state = PoolModel::shown(handle, text, &name, &seen);
            Some(Imported::Shown(state))
        }
    }))
}

/// The identity of a state that may be incomplete otherwise.
fn identity(state: &Dynamic) -> Dynamic {
    let cluster = |name: &str| {
        let handle = state.member("cluster");
        let value = handle.and_then(|handle| handle.member(name));
        value.cloned().unwrap_or(Dynamic::Null)
    };
    Dynamic::object([
        ("identifier", cluster("identifier")),
        ("name", Dynamic::string(import::text(state, "name"))),
        ("birth", cluster("birth")),
    ])
}

/// Tells that a pool could be seen from outside only.
fn only_shown(state: &Dynamic) -> Diagnostic {
    let text = |name| import::text(state, name);
    let problem = Problem::warning(product::Path::root(), "pool does not tell about itself")
        .seen(format!("{}, workers {}", text("id"), text("workers")))
        .allowed("the ConfigMap that the last step of an apply writes, in an API that answers")
        .next(
            "State holds what the machines show; the rest comes from the cluster when it answers, or from the \
             configuration with the next apply, in place.",
        );
    diagnostic(&problem)
}
