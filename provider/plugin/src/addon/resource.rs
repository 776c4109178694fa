//! The resource as the framework calls it.

use std::time::Duration;

use framework::timeouts::timeout;
use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    IdentitySchema, ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    ValidateConfigRequest, Value, async_trait,
};
use lifecycle::addon::{DesiredAddon, OWNER_ADDON};
use lifecycle::run::{AddonOutcome, AddonRead};
use transport::CancellationToken;

use super::{AddonModel, TYPE_NAME, plan, schema};
use crate::attributes::approval;
use crate::clients::Data;
use crate::deadline::within;
use crate::import;
use crate::member::{Member, end_create, end_read, end_update};
use crate::problems::{diagnostic, error};

/// `managedk8s_addon`.
pub struct Addon;

/// How long an operation may take when nothing is configured.
const USUAL_LIMIT: Duration = Duration::from_mins(15);

/// What an import takes.
const ID_FORM: &str = "<identifier>/<birth>/<namespace>/<name>";

/// What a call works on.
struct Job {
    member: Member<DesiredAddon>,
    name: String,
}

impl Job {
    /// From a plan or a state whose configuration is wholly known.
    fn new(value: &Dynamic) -> Result<Self, Diagnostics> {
        let model: AddonModel = value.get()?;
        Ok(Self {
            member: Member::read(&model.cluster, |facts| model.desired(facts))?,
            name: model.name.known().unwrap_or_default(),
        })
    }

    fn identity(&self) -> Dynamic {
        let id = &self.member.cluster.id;
        let namespace = self.member.desired.namespace.clone();
        Dynamic::object([
            ("identifier", Dynamic::string(id.identifier.to_string())),
            ("name", Dynamic::string(self.name.clone())),
            ("birth", Dynamic::string(id.birth.to_string())),
            ("namespace", Dynamic::string(namespace)),
        ])
    }

    /// The state after an apply.
    fn state(&self, planned: &Dynamic, outcome: &AddonOutcome) -> Dynamic {
        let mut state = planned.clone();
        let id = format!(
            "{}/{}",
            self.member.cluster.id,
            self.member.desired.release()
        );
        state.set_at(&Path::of("id"), Dynamic::string(id));
        state.set_at(
            &Path::of("fingerprint"),
            Dynamic::string(self.member.desired.fingerprint()),
        );
        state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
        state
    }

    async fn apply(
        &self,
        data: &Data,
        planned: &Dynamic,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<AddonOutcome, Diagnostics> {
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
                    .apply_addon(cluster, desired, None, approved, &cancel)
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
        let limit = timeout(&request.plan, "create", USUAL_LIMIT)?;
        let outcome = job
            .apply(&request.data, &request.plan, limit, &request.cancel)
            .await?;
        let state = || job.state(&request.plan, &outcome);
        end_create(outcome.error.as_ref(), job.identity(), state, response)
    }

    async fn read(&self, request: ReadRequest<Data>, response: &mut ReadResponse) -> Outcome {
        let mut state = request.state.clone();
        if import::is_import(&state) {
            let Some(found) = installed(&state, &request.data, &request.cancel).await? else {
                response.state = None;
                return Ok(());
            };
            state = found;
        }
        let job = Job::new(&state)?;
        let Member {
            handle,
            cluster,
            desired,
        } = &job.member;
        let engine = request.data.engine_for(handle, &request.cancel).await?;
        match engine
            .read_addon(cluster, desired, &request.cancel)
            .await
            .map_err(error)?
        {
            AddonRead::Unreachable(problem) => response.diagnostics.extend([diagnostic(&problem)]),
            AddonRead::Seen { drift, .. } => {
                state.set_at(&Path::of("drift"), drift.as_map().to_value());
            }
        }
        end_read(job.identity(), state, response);
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let job = Job::new(&request.plan)?;
        let limit = timeout(&request.plan, "update", USUAL_LIMIT)?;
        let outcome = job
            .apply(&request.data, &request.plan, limit, &request.cancel)
            .await?;
        let done = || job.state(&request.plan, &outcome);
        let stopped = || {
            let mut state = request.prior_state.clone();
            state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
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
        let job = Job::new(&request.prior_state)?;
        let limit = timeout(&request.prior_state, "delete", USUAL_LIMIT)?;
        let Member {
            handle,
            cluster,
            desired,
        } = &job.member;
        let engine = request.data.engine_for(handle, &request.cancel).await?;
        within(limit, &request.cancel, |cancel| async move {
            engine.delete_addon(cluster, desired, &cancel).await
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
            Some(identity) => {
                let name = import::text(identity, "name");
                let namespace = match import::text(identity, "namespace") {
                    "" => product::catalogue::component(name)
                        .map_or("default", |component| component.namespace),
                    namespace => namespace,
                };
                let of = |name| import::text(identity, name);
                format!("{}/{}/{namespace}/{name}", of("identifier"), of("birth"))
            }
            None => request.id.clone(),
        };
        let (cluster, [namespace, name]) = import::parse(&id, ID_FORM)?;
        response.identity = Some(Dynamic::object([
            (
                "identifier",
                Dynamic::string(cluster.identifier.to_string()),
            ),
            ("name", Dynamic::string(name)),
            ("birth", Dynamic::string(cluster.birth.to_string())),
            ("namespace", Dynamic::string(namespace)),
        ]));
        response.state = Some(Dynamic::object([("id", Dynamic::string(id.clone()))]));
        Ok(())
    }
}

/// The state of an imported component of the catalogue, at the version that its release has. What the configuration of
/// another chart was, its release does not tell.
async fn installed(
    state: &Dynamic,
    data: &Data,
    cancel: &CancellationToken,
) -> Result<Option<Dynamic>, Diagnostics> {
    let id = import::text(state, "id").to_owned();
    let (cluster, [namespace, name]) = import::parse(&id, ID_FORM)?;
    let Some(component) = product::catalogue::component(name) else {
        return Err(Diagnostics::one_error(
            "only components of the catalogue can be imported",
            format!(
                "Seen: {name:?}\nAllowed: a component of the catalogue\nWrite the resource without an import: its first \
                 apply takes a release over that nothing manages."
            ),
        ));
    };
    let text = |text: &str| Value::Known(text.to_owned());
    let mut model = AddonModel {
        cluster: import::handle(&cluster, data, cancel).await?,
        name: text(name),
        chart: Value::Null,
        repository: Value::Null,
        version: text(component.version),
        namespace: text(namespace),
        values: Dynamic::Null,
        wait: Value::Known(true),
        timeouts: Dynamic::Null,
        id: Value::Known(id.clone()),
        fingerprint: Value::Null,
        drift: Value::Known(std::collections::BTreeMap::new()),
        plan_summary: Value::Null,
    };
    let job = Job::new(&model.to_value())?;
    let Member {
        handle,
        cluster,
        desired,
    } = &job.member;
    let engine = data.engine_for(handle, cancel).await?;
    let read = engine.read_addon(cluster, desired, cancel).await;
    let facts = match read.map_err(error)? {
        AddonRead::Unreachable(problem) => {
            let mut problem = *problem;
            problem.severity = product::Severity::Error;
            return Err(Diagnostics::from(diagnostic(&problem)));
        }
        AddonRead::Seen { facts, .. } => facts,
    };
    if facts.version.is_empty() {
        return Ok(None);
    }
    if !facts.owner.is_empty() && facts.owner != OWNER_ADDON {
        return Err(Diagnostics::one_error(
            "something else manages this release",
            format!(
                "Seen: {namespace}/{name} belongs to {:?}\nAllowed: a release of an add-on, or one that nothing manages\n\
                 Remove the import.",
                facts.owner
            ),
        ));
    }
    model.version = Value::Known(facts.version);
    model.fingerprint = Value::Known(facts.fingerprint);
    Ok(Some(model.to_value()))
}
