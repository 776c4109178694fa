//! The resource as the framework calls it.

use std::time::Duration;

use framework::timeouts::timeout;
use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    IdentitySchema, ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, Outcome,
    Path, ReadRequest, ReadResponse, Resource, Schema, ToValue, UpdateRequest, UpdateResponse,
    ValidateConfigRequest, Value, async_trait,
};
use helm::release::Note;
use lifecycle::addon::{ChartSource, DesiredAddon};
use lifecycle::run::{AddonOutcome, AddonRead};
use lifecycle::{ChartAccess, FetchedChart};
use serde_json::Value as Json;
use transport::{CancellationToken, chain};

use super::effects::{Before, effects, settled};
use super::imported::installed;
use super::{AddonModel, TYPE_NAME, plan, schema};
use crate::attributes::approval;
use crate::clients::Data;
use crate::deadline::within;
use crate::handle::KnownFacts;
use crate::import;
use crate::member::{Member, end_create, end_read, end_update, incomplete};
use crate::problems::{diagnostic, error, warning};

/// `managedk8s_addon`.
pub struct Addon;

/// How long an operation may take when nothing is configured.
const USUAL_LIMIT: Duration = Duration::from_mins(15);
/// What an operation has beside the wait for health.
const SLACK: Duration = Duration::from_mins(2);

/// What an import takes.
pub const ID_FORM: &str = "<identifier>/<birth>/<namespace>/<name>";

/// What a call works on.
pub struct Job {
    pub member: Member<DesiredAddon>,
    facts: KnownFacts,
    model: AddonModel,
}

/// What an apply needs besides: the chart, and the values that nothing keeps.
struct Inputs {
    chart: FetchedChart,
    values: Json,
}

fn told(problem: &product::Problem) -> Diagnostics {
    Diagnostics::from(diagnostic(problem))
}

impl Job {
    /// From a plan or a state whose configuration is wholly known.
    ///
    /// # Errors
    ///
    /// What is no add-on, or not wholly known.
    pub fn new(value: &Dynamic) -> Result<Self, Diagnostics> {
        let model: AddonModel = value.get()?;
        let facts =
            KnownFacts::read(&model.cluster, &mut Diagnostics::new()).ok_or_else(incomplete)?;
        let desired = model.desired(&facts).map_err(|problem| told(&problem))?;
        Ok(Self {
            member: Member::read(&model.cluster, |_| desired)?,
            facts,
            model,
        })
    }

    /// From a plan, with what is in the configuration alone.
    fn of_plan(plan: &Dynamic, config: &Dynamic) -> Result<Self, Diagnostics> {
        let mut job = Self::new(plan)?;
        let config: AddonModel = config.get()?;
        job.model.values_wo = config.values_wo;
        job.model.set_wo = config.set_wo;
        job.model.repository_password_wo = config.repository_password_wo;
        Ok(job)
    }

    fn identity(&self) -> Dynamic {
        let id = &self.member.cluster.id;
        Dynamic::object([
            ("identifier", Dynamic::string(id.identifier.to_string())),
            ("name", Dynamic::string(self.member.desired.name.clone())),
            ("birth", Dynamic::string(id.birth.to_string())),
            (
                "namespace",
                Dynamic::string(self.member.desired.namespace.clone()),
            ),
        ])
    }

    /// The chart as it was planned, and all values.
    async fn inputs(
        &mut self,
        data: &Data,
        cancel: &CancellationToken,
    ) -> Result<Inputs, Diagnostics> {
        let complete = self
            .model
            .public_values(Some(&self.facts))
            .and_then(|public| {
                // From here on their texts are scrubbed from logs and messages.
                self.model.secret_values(&public)?;
                self.model.complete_values(&public)
            })
            .map_err(|problem| told(&problem))?;
        let Some(values) = complete.known() else {
            return Err(Diagnostics::one_error(
                "configuration is not complete",
                "A write-only value is still unknown. Plan again.",
            ));
        };
        let source = self.member.desired.source.clone();
        let access = plan::access(&self.model)?;
        let chart = data
            .charts()?
            .get(&source, &self.member.desired.chart_digest, access, cancel)
            .await
            .map_err(|error| cannot_fetch(&error, &source))?;
        if self.member.desired.chart_digest != chart.digest {
            self.model.chart_digest = Value::Known(chart.digest.clone());
            self.member.desired.chart_digest.clone_from(&chart.digest);
            self.member.desired.inputs = Some(self.model.inputs(&chart.digest));
        }
        Ok(Inputs {
            values: Json::Object(values.clone()),
            chart,
        })
    }

    /// The state after an apply.
    fn state(&self, planned: &Dynamic, outcome: &AddonOutcome, chart: &FetchedChart) -> Dynamic {
        let mut state = planned.clone();
        let id = format!(
            "{}/{}",
            self.member.cluster.id,
            self.member.desired.release()
        );
        let text = |text: String| Dynamic::string(text);
        for (name, value) in [
            ("id", text(id)),
            ("fingerprint", text(self.member.desired.fingerprint())),
            ("drift", outcome.drift.as_map().to_value()),
        ] {
            state.set_at(&Path::of(name), value);
        }
        // What a plan without the chart had to leave open.
        for (name, value) in [
            ("chart_digest", chart.digest.clone()),
            ("app_version", chart.chart.metadata.app_version.clone()),
        ] {
            if state.member(name).is_some_and(Dynamic::is_unknown) {
                state.set_at(&Path::of(name), text(value));
            }
        }
        state
    }

    /// Fills in what the plan left open of `objects` and `changes`: by now everything is known.
    async fn settle(
        &self,
        state: &mut Dynamic,
        prior: Option<&Dynamic>,
        inputs: &Inputs,
        data: &Data,
        cancel: &CancellationToken,
    ) {
        let open = |name: &str| {
            state
                .member(name)
                .is_some_and(|value| !value.is_wholly_known())
        };
        if !open("objects") && !open("changes") {
            return;
        }
        let prior: Option<AddonModel> = prior.and_then(|prior| prior.get().ok());
        let found = match plan::side(&self.model, &self.facts, &inputs.chart, prior.is_some()) {
            Ok(Some(new)) => {
                let before = match &prior {
                    None => Before::Nothing,
                    Some(prior) => {
                        plan::before(prior, &new, data, ChartAccess::default(), cancel).await
                    }
                };
                effects(new, before).await.ok()
            }
            _ => None,
        };
        for name in ["objects", "changes"] {
            let planned = state.member(name).cloned().unwrap_or(Dynamic::Null);
            let known = found.as_ref().and_then(|found| match name {
                "objects" => found.digests(),
                _ => found.changed(),
            });
            state.set_at(&Path::of(name), settled(&planned, known));
        }
    }

    async fn apply(
        &mut self,
        data: &Data,
        planned: &Dynamic,
        inputs: &Inputs,
        operation: &str,
        cancel: &CancellationToken,
    ) -> Result<AddonOutcome, Diagnostics> {
        let approved = approval(planned);
        let usual = USUAL_LIMIT.max(self.member.desired.timeout);
        let limit = timeout(planned, operation, usual)?;
        if limit != usual && !self.member.desired.timeout.is_zero() {
            // Helm's own wait ends first: it can say what is not ready.
            self.member.desired.timeout = limit;
        }
        let Member {
            handle,
            cluster,
            desired,
        } = &self.member;
        let engine = data.engine_for(handle, cancel).await?;
        Ok(within(limit + SLACK, cancel, |cancel| {
            let approved = &approved;
            async move {
                engine
                    .apply_addon(cluster, desired, Some(&inputs.values), approved, &cancel)
                    .await
            }
        })
        .await)
    }
}

/// Installs or upgrades: a create or an update from its plan on.
async fn carry_out(
    plan: &Dynamic,
    config: &Dynamic,
    operation: &str,
    data: &Data,
    cancel: &CancellationToken,
) -> Result<(Job, Inputs, AddonOutcome), Diagnostics> {
    let mut job = Job::of_plan(plan, config)?;
    let inputs = job.inputs(data, cancel).await?;
    let outcome = job.apply(data, plan, &inputs, operation, cancel).await?;
    Ok((job, inputs, outcome))
}

/// Drift that nobody repairs: a plan without a change would not show it.
fn only_told(job: &Job, drift: &lifecycle::Drift) -> product::Problem {
    let lines: Vec<String> = drift
        .as_map()
        .iter()
        .map(|(object, how)| format!("{object}: {how}"))
        .collect();
    product::Problem::warning(
        product::Path::of("drift_detection.repair"),
        format!("add-on {} deviates", job.member.desired.release()),
    )
    .seen(lines.join("; "))
    .allowed("what the release says; repair = false leaves the deviation in place")
    .next("Set repair = true to have the next apply put it back, or add it to ignore.")
}

/// What an apply did and no plan could say: fields that it took from others, objects that stay.
fn news(job: &Job, outcome: &AddonOutcome) -> Vec<framework::Diagnostic> {
    let release = job.member.desired.release();
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for note in &outcome.notes {
        match note {
            Note::TakenOver { .. } => taken.push(note.to_string()),
            Note::Left { why } => left.push(why.clone()),
            Note::Replaced { .. } | Note::HookOutput { .. } => {}
        }
    }
    let mut told = Vec::new();
    if !taken.is_empty() {
        let problem = product::Problem::warning(
            product::Path::of("drift_detection.ignore_managers"),
            format!("add-on {release} took fields over from others"),
        )
        .seen(taken.join("\n"))
        .allowed(
            "fields of the chart are the release's, unless drift_detection says whose they are",
        )
        .next("Leave it at that, or name the manager in ignore_managers or the field in ignore.");
        told.push(warning(&problem));
    }
    if !left.is_empty() {
        told.push(warning(&stays(job, &left)));
    }
    told
}

/// A create that failed leaves no state: with state, terraform would mark it and remove the release before it goes on.
fn unfinished(job: &Job) -> product::Problem {
    let release = &job.member.desired;
    product::Problem::warning(
        product::Path::root(),
        format!("add-on {} is not in state", release.release()),
    )
    .seen("its create failed; what it made so far stays in the cluster")
    .next(format!(
        "Apply again: it goes on with what is there. To give it up instead, run helm uninstall {} --namespace {}.",
        release.name, release.namespace
    ))
}

/// Objects that are no part of the release any more and are still there.
fn stays(job: &Job, left: &[String]) -> product::Problem {
    product::Problem::warning(
        product::Path::root(),
        format!("objects of add-on {} stay", job.member.desired.release()),
    )
    .seen(left.join("\n"))
    .next("Nothing manages them any more: delete them by hand when they are not needed.")
}

fn cannot_fetch(error: &helm::source::Error, source: &ChartSource) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    plan::source_problem(error, source, &mut diagnostics);
    if diagnostics.has_errors() {
        return diagnostics;
    }
    Diagnostics::one_error(
        "the chart cannot be fetched",
        format!(
            "Seen: {}\nApply again when the source answers.",
            chain(error)
        ),
    )
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
        plan::plan(&request, response).await
    }

    async fn create(&self, request: CreateRequest<Data>, response: &mut CreateResponse) -> Outcome {
        let (data, cancel) = (&request.data, &request.cancel);
        let (job, inputs, outcome) =
            carry_out(&request.plan, &request.config, "create", data, cancel).await?;
        response.diagnostics.extend(news(&job, &outcome));
        let mut state = job.state(&request.plan, &outcome, &inputs.chart);
        match &outcome.error {
            None => job.settle(&mut state, None, &inputs, data, cancel).await,
            Some(error) if !error.is_cancelled() => {
                response.diagnostics.extend([warning(&unfinished(&job))]);
            }
            Some(_) => {}
        }
        end_create(outcome.error.as_ref(), job.identity(), || state, response)
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
                if !job.member.desired.drift.repair && !drift.is_empty() {
                    response
                        .diagnostics
                        .extend([warning(&only_told(&job, &drift))]);
                }
                state.set_at(&Path::of("drift"), drift.as_map().to_value());
                // They were of the change before; the next plan shows its own.
                state.set_at(&Path::of("changes"), Dynamic::Null);
            }
        }
        end_read(job.identity(), state, response);
        Ok(())
    }

    async fn update(&self, request: UpdateRequest<Data>, response: &mut UpdateResponse) -> Outcome {
        let (data, cancel) = (&request.data, &request.cancel);
        let (job, inputs, outcome) =
            carry_out(&request.plan, &request.config, "update", data, cancel).await?;
        response.diagnostics.extend(news(&job, &outcome));
        let mut done = job.state(&request.plan, &outcome, &inputs.chart);
        if outcome.error.is_none() {
            let prior = Some(&request.prior_state);
            job.settle(&mut done, prior, &inputs, data, cancel).await;
        }
        let stopped = || {
            let mut state = request.prior_state.clone();
            state.set_at(&Path::of("drift"), outcome.drift.as_map().to_value());
            state
        };
        end_update(
            outcome.error.as_ref(),
            job.identity(),
            || done,
            stopped,
            response,
        )
    }

    async fn delete(&self, request: DeleteRequest<Data>, response: &mut DeleteResponse) -> Outcome {
        let job = Job::new(&request.prior_state)?;
        let limit = timeout(&request.prior_state, "delete", USUAL_LIMIT)?;
        let Member {
            handle,
            cluster,
            desired,
        } = &job.member;
        let engine = request.data.engine_for(handle, &request.cancel).await?;
        let left = within(limit, &request.cancel, |cancel| async move {
            engine.delete_addon(cluster, desired, &cancel).await
        })
        .await
        .map_err(error)?;
        if !left.is_empty() {
            response.diagnostics.extend([warning(&stays(&job, &left))]);
        }
        Ok(())
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
