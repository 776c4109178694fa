//! The resource as the framework calls it.

use std::time::Duration;

use super::state::{imported, is_shown, kubeconfig, shown, talosconfig, write};
use super::{ClusterModel, TYPE_NAME, plan, schema};
use crate::attributes::approval;
use crate::clients::Data;
use crate::deadline::within;
use crate::handle::Handle;
use crate::member::incomplete;
use crate::problems::{diagnostic, error, refused, warning};
use crate::protection;
use framework::timeouts::timeout;
use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    IdentitySchema, ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    ValidateConfigRequest, async_trait,
};
use lifecycle::Engine;
use lifecycle::cluster::DesiredCluster;
use lifecycle::run::{
    ClusterImport, ClusterOutcome, ClusterRead, ClusterRecord, Phase, ShownCluster,
};
use product::{ClusterId, Problem};
use transport::CancellationToken;

/// `managedk8s_cluster`.
pub struct ManagedCluster;

/// What a plan asks for, once everything it depends on is known.
fn desired(planned: &Dynamic, prior: Option<&ClusterModel>) -> Result<DesiredCluster, Diagnostics> {
    let model: ClusterModel = planned.get()?;
    model.desired(prior).ok_or_else(incomplete)
}

/// What identifies the cluster of a state.
fn record(handle: &Handle) -> Result<ClusterRecord, Diagnostics> {
    let cluster = handle.cluster()?;
    Ok(ClusterRecord {
        id: cluster.id,
        key_fingerprint: cluster.key_fingerprint,
        cas: cluster.cas,
    })
}

/// The executors and what identifies the cluster of a state.
async fn existing<'d>(
    data: &'d Data,
    state: &Dynamic,
    cancel: &CancellationToken,
) -> Result<(&'d Engine, ClusterRecord), Diagnostics> {
    if is_shown(state) {
        let engine = data.engine(cancel).await?;
        let record = engine.record_of(&import_id(state)?).map_err(error)?;
        return Ok((engine, record));
    }
    let handle = handle_of(state)?;
    Ok((data.engine_for(&handle, cancel).await?, record(&handle)?))
}

fn handle_of(state: &Dynamic) -> Result<Handle, Diagnostics> {
    state.get_at(&Path::of("handle"))
}

fn identity(state: &Dynamic) -> Option<Dynamic> {
    let handle = state.member("handle")?;
    Some(Dynamic::object([
        ("identifier", handle.member("identifier")?.clone()),
        ("birth", handle.member("birth")?.clone()),
    ]))
}

#[async_trait]
impl Resource<Data> for ManagedCluster {
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
        let desired = desired(&request.plan, None)?;
        let limit = timeout(&request.plan, "create", Duration::from_mins(45))?;
        request.data.can_create()?;
        let engine = request.data.engine(&request.cancel).await?;
        let approved = approval(&request.plan);
        let outcome = within(limit, &request.cancel, |cancel| {
            let (desired, approved) = (&desired, &approved);
            async move { engine.create_cluster(desired, approved, &cancel).await }
        })
        .await;
        if let Some(record) = &outcome.record {
            let state = write(
                &request.plan,
                &desired,
                record,
                &outcome.drift,
                engine.tenant(),
                &request.data,
            );
            response.identity = identity(&state);
            response.state = Some(state);
        }
        settle_create(outcome, response)
    }

    async fn read(&self, request: ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
        if is_import(&request.state) || is_shown(&request.state) {
            return find(&request, response).await;
        }
        let model: ClusterModel = request.state.get()?;
        let handle = handle_of(&request.state)?;
        let record = record(&handle)?;
        let engine = request.data.engine_for(&handle, &request.cancel).await?;
        let Some(desired) = model.desired(Some(&model)) else {
            return Err(Diagnostics::one_error(
                "state cannot be read",
                "The state of this cluster holds values that this version of the provider does not accept. Use the \
                 version that wrote it.",
            ));
        };
        let mut state = request.state.clone();
        state.set_at(&Path::of("kubeconfig"), kubeconfig(&handle, &request.data));
        state.set_at(
            &Path::of("talosconfig"),
            talosconfig(&handle, &request.data),
        );
        match engine
            .read_cluster(&desired, &record, &request.cancel)
            .await
            .map_err(error)?
        {
            ClusterRead::Gone => response.state = None,
            ClusterRead::Unreachable(problem) => {
                response.diagnostics.extend([diagnostic(&problem)]);
                response.state = Some(state);
            }
            ClusterRead::Seen { drift, warnings } => {
                response.diagnostics.extend(warnings.iter().map(diagnostic));
                state.set_at(&Path::of("drift"), drift.as_map().to_value());
                response.identity = identity(&state);
                response.state = Some(state);
            }
        }
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let prior: ClusterModel = request.prior_state.get()?;
        let desired = desired(&request.plan, Some(&prior))?;
        let limit = timeout(&request.plan, "update", Duration::from_hours(1))?;
        let (engine, record) =
            existing(&request.data, &request.prior_state, &request.cancel).await?;
        let approved = approval(&request.plan);
        let outcome = within(limit, &request.cancel, |cancel| {
            let (desired, record, approved) = (&desired, &record, &approved);
            async move {
                engine
                    .update_cluster(desired, record, approved, &cancel)
                    .await
            }
        })
        .await;
        match &outcome.error {
            None => {
                let state = write(
                    &request.plan,
                    &desired,
                    &record,
                    &outcome.drift,
                    engine.tenant(),
                    &request.data,
                );
                response.identity = identity(&state);
                response.state = Some(state);
                Ok(())
            }
            // What is not reached yet keeps its old value, so that the next plan shows it again.
            Some(failure) => {
                let mut state = request.prior_state.clone();
                state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
                response.identity = identity(&state);
                response.state = Some(state);
                Err(error(failure))
            }
        }
    }

    async fn delete(&self, request: DeleteRequest<Data>, response: &mut DeleteResponse) -> Outcome {
        protection::check_destroy(&request.prior_state, &request.planned_private)?;
        let limit = timeout(&request.prior_state, "delete", Duration::from_mins(30))?;
        let (engine, record) =
            existing(&request.data, &request.prior_state, &request.cancel).await?;
        let removed = within(limit, &request.cancel, |cancel| {
            let record = &record;
            async move { engine.delete_cluster(record, &cancel).await }
        })
        .await;
        let _ = response;
        removed.map(drop).map_err(error)
    }

    async fn import_state(
        &self,
        request: ImportRequest<Data>,
        response: &mut ImportResponse,
    ) -> Outcome {
        let id = match &request.identity {
            Some(identity) => identity_id(identity)?,
            None => ClusterId::parse(&request.id).map_err(refused)?,
        };
        response.state = Some(Dynamic::object([("id", Dynamic::string(id.to_string()))]));
        Ok(())
    }
}

/// What a create means for the state (design law 6).
fn settle_create(outcome: ClusterOutcome, response: &mut CreateResponse) -> Outcome {
    let Some(failure) = &outcome.error else {
        return Ok(());
    };
    let interrupted = outcome.interrupted();
    match outcome.phase {
        Phase::Nothing => {
            response.state = None;
            Err(error(failure))
        }
        // Core fails an interrupted run by itself; an error would taint machines that run.
        _ if interrupted => {
            response.diagnostics.extend([warning(&failure.problem())]);
            Ok(())
        }
        Phase::BeforeBootstrap => Err(error(failure)),
        Phase::AfterBootstrap => {
            response.diagnostics.extend([warning(&failure.problem())]);
            Ok(())
        }
    }
}

/// Whether a state is only what an import left.
fn is_import(state: &Dynamic) -> bool {
    state.member("handle").is_none_or(Dynamic::is_null)
}

fn import_id(state: &Dynamic) -> Result<ClusterId, Diagnostics> {
    let text = state
        .member("id")
        .and_then(Dynamic::as_str)
        .unwrap_or_default();
    ClusterId::parse(text).map_err(refused)
}

/// The id that an identity names.
fn identity_id(identity: &Dynamic) -> Result<ClusterId, Diagnostics> {
    let text = |name: &str| {
        identity
            .member(name)
            .and_then(Dynamic::as_str)
            .unwrap_or_default()
    };
    ClusterId::parse(&format!("{}/{}", text("identifier"), text("birth"))).map_err(refused)
}

/// Finds an imported cluster: what it recorded about itself; without that what its machines show.
async fn find(request: &ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
    let engine = request.data.engine(&request.cancel).await?;
    let id = import_id(&request.state)?;
    let found = engine.look_for_cluster(&id, &request.cancel).await;
    let state = match found.map_err(error)? {
        ClusterImport::Recorded(recorded) => {
            let state = imported(&recorded, engine.tenant(), &request.data);
            let (desired, record) = (&recorded.desired, &recorded.record);
            refreshed(desired, record, state, engine, request, response).await?
        }
        ClusterImport::Shown(seen) => {
            response.diagnostics.extend([only_shown(&seen)]);
            if is_import(&request.state) {
                shown(&seen, engine.tenant())
            } else {
                request.state.clone()
            }
        }
    };
    response.identity = identity(&state);
    response.state = Some(state);
    Ok(())
}

/// Tells that a cluster could be seen from outside only.
fn only_shown(seen: &ShownCluster) -> framework::Diagnostic {
    let problem = Problem::warning(product::Path::root(), "cluster does not tell about itself")
        .seen(format!("{}, {} machines: {}", seen.id, seen.machines, seen.reason))
        .allowed("the ConfigMap that the last step of an apply writes, in an API that answers")
        .next(
            "State holds what the machines show; the rest comes from the cluster when it answers, or from the \
             configuration with the next apply, in place. Whether the key is the cluster's own shows then.",
        );
    diagnostic(&problem)
}

/// The drift of an imported cluster, as a refresh finds it.
async fn refreshed(
    desired: &DesiredCluster,
    record: &ClusterRecord,
    mut state: Dynamic,
    engine: &Engine,
    request: &ReadRequest<Data>,
    response: &mut ReadResponse,
) -> Result<Dynamic, Diagnostics> {
    if let ClusterRead::Seen { drift, warnings } = engine
        .read_cluster(desired, record, &request.cancel)
        .await
        .map_err(error)?
    {
        response.diagnostics.extend(warnings.iter().map(diagnostic));
        state.set_at(&Path::of("drift"), drift.as_map().to_value());
    }
    Ok(state)
}
