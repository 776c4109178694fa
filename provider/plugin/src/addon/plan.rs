//! The plan of an add-on: rules, version, steps, and what happens to each object. The chart is fetched when it is another one
//! than in state; nothing is asked of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use framework::{
    Change, Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Outcome, Path, Value,
};
use helm::ReleaseId;
use helm::preview::SecretValues;
use helm::source::{Credentials, Error as SourceError, Keyring};
use lifecycle::addon::{ChartSource, DesiredAddon, PatchRule, Prior, plan_from_state};
use lifecycle::{ChartAccess, FetchedChart};
use product::rules::check_addon;
use secret::SecretString;
use transport::{CancellationToken, chain};

use super::AddonModel;
use super::effects::{Before, Effects, Side, effects, planned_changes, planned_objects};
use super::values::Merged;
use crate::attributes::{replace_on_birth, show_plan};
use crate::clients::Data;
use crate::handle::KnownFacts;
use crate::problems::report;

/// What is computed of the configuration.
const COMPUTED: [&str; 7] = [
    "chart_digest",
    "app_version",
    "objects",
    "changes",
    "fingerprint",
    "drift",
    "plan_summary",
];

fn leave_open(response: &mut ModifyPlanResponse, names: &[&'static str]) {
    for name in names {
        response.set_at(&Path::of(name), &Dynamic::UNKNOWN);
    }
}

/// Changes or refuses a plan.
pub async fn plan(request: &ModifyPlanRequest<Data>, response: &mut ModifyPlanResponse) -> Outcome {
    if request.change() == Change::Destroy {
        return Ok(());
    }
    let prior: Option<AddonModel> = if request.prior_state.is_null() {
        None
    } else {
        Some(request.prior_state.get()?)
    };
    let mut model: AddonModel = response.planned_state.get()?;
    let config: AddonModel = request.config.get()?;
    let facts = KnownFacts::read(&model.cluster, &mut response.diagnostics);
    choose(&mut model, &config, prior.as_ref(), request).await?;
    response.set_at(&Path::of("version"), &model.version);
    response.set_at(&Path::of("namespace"), &model.namespace);
    report(
        &check_addon(&model.rules_input(facts.as_ref(), prior.as_ref())),
        &mut response.diagnostics,
    );
    replace_on_birth(request, response);
    response.set_at(&Path::of("id"), &id(&model));
    // Write-only values are in the configuration alone.
    model.values_wo = config.values_wo.clone();
    model.set_wo.clone_from(&config.set_wo);
    model.repository_password_wo = config.repository_password_wo.clone();
    report(&model.problems(facts.as_ref()), &mut response.diagnostics);
    let (Some(facts), false) = (facts, response.diagnostics.has_errors()) else {
        leave_open(response, &COMPUTED);
        return Ok(());
    };
    Planner {
        request,
        prior,
        model,
        facts,
    }
    .plan(response)
    .await
}

struct Planner<'a> {
    request: &'a ModifyPlanRequest<Data>,
    prior: Option<AddonModel>,
    model: AddonModel,
    facts: KnownFacts,
}

impl Planner<'_> {
    async fn plan(mut self, response: &mut ModifyPlanResponse) -> Outcome {
        let Some(source) = self.model.source() else {
            leave_open(response, &COMPUTED);
            return Ok(());
        };
        let same = self.prior.as_ref().and_then(AddonModel::source).as_ref() == Some(&source);
        let stored = |model: &AddonModel| model.chart_digest.clone().known().unwrap_or_default();
        let mut fetched = None;
        let digest = if same && !source.is_local() {
            self.prior.as_ref().map(stored).unwrap_or_default()
        } else {
            fetched = self.fetch(&source, "", &mut response.diagnostics).await;
            fetched
                .as_ref()
                .map(|chart: &FetchedChart| chart.digest.clone())
                .unwrap_or_default()
        };
        self.model.chart_digest = Value::Known(digest.clone());
        let desired = self
            .model
            .desired(&self.facts)
            .map_err(|problem| Diagnostics::from(crate::problems::diagnostic(&problem)))?
            .filter(|_| !(source.is_local() && digest.is_empty()));
        let unchanged = self.steps(desired.as_ref(), response);
        if unchanged {
            for name in ["chart_digest", "app_version", "objects", "changes"] {
                let kept = self.request.prior_state.member(name).cloned();
                response.set_at(&Path::of(name), &kept.unwrap_or(Dynamic::Null));
            }
            return Ok(());
        }
        if fetched.is_none() && (same && !source.is_local()) {
            fetched = self
                .fetch(&source, &digest, &mut response.diagnostics)
                .await;
        }
        let Some(chart) = fetched else {
            leave_open(
                response,
                &["chart_digest", "app_version", "objects", "changes"],
            );
            return Ok(());
        };
        response.set_at(&Path::of("chart_digest"), &Dynamic::string(&*chart.digest));
        let app_version = chart.chart.metadata.app_version.clone();
        response.set_at(&Path::of("app_version"), &Dynamic::string(app_version));
        self.show(&chart, response).await
    }

    /// Steps and fingerprint; whether the release stays as it is.
    fn steps(&self, desired: Option<&DesiredAddon>, response: &mut ModifyPlanResponse) -> bool {
        let Some(desired) = desired else {
            leave_open(response, &["plan_summary", "drift", "fingerprint"]);
            return false;
        };
        let fingerprint = desired.fingerprint();
        response.set_at(&Path::of("fingerprint"), &Dynamic::string(&*fingerprint));
        let state = self.prior.as_ref().map(|prior| {
            let inputs = prior.inputs(prior.chart_digest.as_known().map_or("", String::as_str));
            (prior, inputs, stored_drift(&prior.drift))
        });
        let before = state.as_ref().and_then(|(prior, inputs, drift)| {
            Some(Prior {
                version: prior.version.as_known()?,
                fingerprint: prior.fingerprint.as_known().map_or("", String::as_str),
                inputs: Some(inputs),
                drift,
            })
        });
        let unchanged = before.is_some_and(|before| before.fingerprint == fingerprint);
        show_plan(
            &plan_from_state(desired, before),
            &self.request.prior_state,
            response,
        );
        // What is still unknown may turn out to be what was applied: then there is no step, and the summary is the prior one.
        if self.prior.is_some() && !self.request.config.is_wholly_known() {
            leave_open(response, &["plan_summary", "drift"]);
        }
        unchanged
    }

    /// Fetches a chart. One that is not there is an error; a source that does not answer is a warning, since the apply may
    /// find it answering.
    async fn fetch(
        &self,
        source: &ChartSource,
        digest: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<FetchedChart> {
        // A mirror that is not known yet: nothing is asked with a guess.
        let Ok(charts) = self.request.data.charts() else {
            return None;
        };
        let access = match access(&self.model) {
            Ok(access) => access,
            Err(refused) => {
                diagnostics.extend(refused);
                return None;
            }
        };
        let cancel = &self.request.cancel;
        match charts.get(source, digest, access, cancel).await {
            Ok(chart) => {
                if let Some(weakness) = &chart.weakness {
                    diagnostics.warning_at(
                        Path::of("verify"),
                        "the chart's signature is weak",
                        format!(
                            "Seen: {weakness}.\nHelm accepts it, and so it is accepted here. Ask who publishes the chart to \
                             sign with a key and a hash of today."
                        ),
                    );
                }
                Some(chart)
            }
            Err(error) => {
                source_problem(&error, source, diagnostics);
                None
            }
        }
    }

    async fn show(&self, chart: &FetchedChart, response: &mut ModifyPlanResponse) -> Outcome {
        let new = side(&self.model, &self.facts, chart, self.prior.is_some())?;
        let Some(new) = new else {
            leave_open(response, &["objects", "changes"]);
            return Ok(());
        };
        let before = match &self.prior {
            None => Before::Nothing,
            Some(prior) => self.before(prior, &new).await,
        };
        let found = effects(new, before).await?;
        response.set_at(&Path::of("objects"), &planned_objects(&found));
        response.set_at(&Path::of("changes"), &planned_changes(&found));
        tell(&found, &mut response.diagnostics);
        Ok(())
    }

    async fn before(&self, prior: &AddonModel, new: &Side) -> Before {
        before(
            prior,
            new,
            &self.request.data,
            access(&self.model).unwrap_or_default(),
            &self.request.cancel,
        )
        .await
    }
}

/// The old side of a comparison: what state recorded, rendered again. The chart comes from the cache, or from its source if
/// that still has the very bytes.
pub async fn before(
    prior: &AddonModel,
    new: &Side,
    data: &Data,
    access: ChartAccess,
    cancel: &CancellationToken,
) -> Before {
    let fallback = |why: String| {
        let digests = prior
            .objects
            .get::<BTreeMap<String, String>>()
            .unwrap_or_default();
        Before::Digests(
            format!(
                "The objects before this change cannot be rendered, so only their digests are compared: {why}"
            ),
            digests,
        )
    };
    let facts = KnownFacts::read(&prior.cluster, &mut Diagnostics::new());
    let desired = facts
        .as_ref()
        .and_then(|facts| prior.desired(facts).ok().flatten());
    let (Some(facts), Some(desired)) = (facts, desired) else {
        return fallback("the state does not hold all of their inputs.".to_owned());
    };
    if prior.fingerprint.as_known() != Some(&desired.fingerprint()) {
        return fallback(
            "the state was written by another version of the provider, or imported.".to_owned(),
        );
    }
    let Ok(charts) = data.charts() else {
        return fallback("the provider's settings are not known yet.".to_owned());
    };
    let digest = &desired.chart_digest;
    let chart = match charts.get(&desired.source, digest, access, cancel).await {
        Ok(chart) => chart,
        Err(error) => return fallback(format!("{}.", chain(&error))),
    };
    match side(prior, &facts, &chart, true) {
        Ok(Some(mut old)) => {
            // Which values are secret is known of the configuration alone; the version says whether they changed.
            old.secret = new.secret.clone();
            Before::Rendered(Box::new(old))
        }
        Ok(None) | Err(_) => fallback("the state does not hold all of their inputs.".to_owned()),
    }
}

/// What a model renders; `None` while not even the keys of its values are known.
///
/// # Errors
///
/// A value that cannot be read.
pub fn side(
    model: &AddonModel,
    facts: &KnownFacts,
    chart: &FetchedChart,
    is_upgrade: bool,
) -> Result<Option<Side>, Diagnostics> {
    type Parts = (Merged, Merged, SecretValues, Option<Vec<PatchRule>>);
    let read = || -> product::Checked<Parts> {
        let public = model.public_values(Some(facts))?;
        let complete = model.complete_values(&public)?;
        let secret = model.secret_values(&public)?;
        Ok((public, complete, secret, model.patches()?))
    };
    let (public, complete, secret, patches) =
        read().map_err(|problem| Diagnostics::from(crate::problems::diagnostic(&problem)))?;
    let (Some(patches), Some(options), Some(drift), Value::Known(namespace), Value::Known(name)) = (
        patches,
        model.options(),
        model.drift_rules(),
        &model.namespace,
        &model.name,
    ) else {
        return Ok(None);
    };
    if complete.is_blank() || model.api_versions.is_unknown() {
        return Ok(None);
    }
    Ok(Some(Side {
        chart: Arc::clone(&chart.chart),
        release: ReleaseId::new(namespace.as_str(), name.as_str()),
        is_upgrade,
        values: public.planned(),
        secret,
        secret_version: model.secret_version(),
        capabilities: model.capabilities(facts),
        patches,
        options,
        theirs: drift.theirs(),
    }))
}

/// Says why a plan shows less than everything, with what it does know.
pub fn tell(found: &Effects, diagnostics: &mut Diagnostics) {
    if found.notes.is_empty() {
        return;
    }
    let mut detail = found.notes.join("\n");
    if !found.told.is_empty() {
        detail = format!(
            "{detail}\nAs far as it is known:\n{}",
            found.told.join("\n")
        );
    }
    diagnostics.warning("not every change of the add-on's objects is shown", detail);
}

/// How the chart is come by: credentials for the repository's own host, keys that must have signed it.
///
/// # Errors
///
/// A keyring that cannot be used.
pub fn access(model: &AddonModel) -> Result<ChartAccess, Diagnostics> {
    let mut access = ChartAccess::default();
    if let (Value::Known(username), Value::Known(password)) =
        (&model.repository_username, &model.repository_password_wo)
    {
        secret::register(password);
        access.credentials = Some(Arc::new(Credentials {
            username: username.clone(),
            password: SecretString::new(password.clone()),
        }));
    }
    if let (Value::Known(true), Value::Known(keys)) = (&model.verify, &model.keyring) {
        let keyring = if keys.contains("-----BEGIN") {
            Keyring::read(keys.as_bytes())
        } else {
            Keyring::load(keys)
        };
        let keyring = keyring.map_err(|error| {
            Diagnostics::one_error_at(
                Path::of("keyring"),
                "no usable keyring",
                format!(
                    "Seen: {}\nGive what `gpg --export` writes: a file, or the armoured text.",
                    chain(&error)
                ),
            )
        })?;
        access.keyring = Some(Arc::new(keyring));
    }
    Ok(access)
}

/// Tells why a chart cannot be had: an error where it is not there, a warning where nobody answers.
pub fn source_problem(error: &SourceError, source: &ChartSource, diagnostics: &mut Diagnostics) {
    let seen = format!("Seen: {}", chain(error));
    let (path, summary, next) = match error {
        SourceError::Cancelled => return,
        SourceError::Status { status, .. } if definite(*status) => {
            diagnostics.error_at(
                Path::of("chart"),
                "no such chart",
                format!("{seen}\nCorrect chart, repository, version and credentials."),
            );
            return;
        }
        SourceError::Unreachable { .. }
        | SourceError::Status { .. }
        | SourceError::Answer { .. } => {
            diagnostics.warning(
                "the chart cannot be fetched",
                format!("{seen}\nThe plan does not show what changes in the cluster. The apply needs the chart."),
            );
            return;
        }
        SourceError::NoVersion { .. } => (
            "version",
            "no such version of the chart",
            "Choose a version that the repository has.",
        ),
        SourceError::Provenance { .. } => (
            "verify",
            "the chart is not signed by a key of the keyring",
            "Ask who publishes it.",
        ),
        SourceError::Digest { .. } => (
            "version",
            "the chart was changed under its version",
            "Ask who publishes it. To take the new bytes, choose another version, or replace the add-on.",
        ),
        _ if source.is_local() => (
            "chart",
            "no usable chart at this path",
            "Correct the path or the chart.",
        ),
        _ => ("chart", "no such chart", "Correct chart and repository."),
    };
    diagnostics.error_at(Path::of(path), summary, format!("{seen}\n{next}"));
}

/// Whether a repository's refusal is its last word.
const fn definite(status: u16) -> bool {
    status >= 400 && status < 500 && status != 408 && status != 429
}

/// The drift that Read stored.
pub fn stored_drift(state: &Dynamic) -> lifecycle::Drift {
    lifecycle::Drift::from_map(state.get().unwrap_or_default())
}

/// Fills in version and namespace: the configured value; without it the one in state, so that a newer catalogue raises
/// nothing by itself; without that the default.
async fn choose(
    model: &mut AddonModel,
    config: &AddonModel,
    prior: Option<&AddonModel>,
    request: &ModifyPlanRequest<Data>,
) -> Result<(), Diagnostics> {
    let said = if config.version.is_null() {
        own_version(model, request).await
    } else {
        None
    };
    model.version = match said {
        Some(version) => Value::Known(version),
        None => chosen(&config.version, prior.map(|prior| &prior.version), || {
            model
                .component()
                .map(|component| component.version.to_owned())
        }),
    };
    model.namespace = chosen(
        &config.namespace,
        prior.map(|prior| &prior.namespace),
        || match model.component() {
            Some(component) => Some(component.namespace.to_owned()),
            None => model.chart.is_known().then(|| "default".to_owned()),
        },
    );
    Ok(())
}

/// The version that a chart on this machine says itself.
async fn own_version(model: &AddonModel, request: &ModifyPlanRequest<Data>) -> Option<String> {
    let repository = model.repository.clone().settled()?.unwrap_or_default();
    let source = ChartSource::configured(&repository, model.chart.as_known()?, "");
    if !source.is_local() {
        return None;
    }
    let charts = request.data.charts().ok()?;
    let chart = charts
        .get(&source, "", access(model).ok()?, &request.cancel)
        .await
        .ok()?;
    Some(chart.chart.metadata.version.clone())
}

fn chosen(
    configured: &Value<String>,
    stored: Option<&Value<String>>,
    default: impl FnOnce() -> Option<String>,
) -> Value<String> {
    match (configured, stored) {
        (Value::Known(text), _) => Value::Known(text.clone()),
        (Value::Unknown, _) => Value::Unknown,
        (Value::Null, Some(Value::Known(text))) => Value::Known(text.clone()),
        (Value::Null, _) => default().map_or(Value::Unknown, Value::Known),
    }
}

fn id(model: &AddonModel) -> Dynamic {
    let member = |name: &str| {
        model
            .cluster
            .member(name)
            .and_then(Dynamic::as_str)
            .map(str::to_owned)
    };
    match (
        member("identifier"),
        member("birth"),
        &model.namespace,
        &model.name,
    ) {
        (Some(identifier), Some(birth), Value::Known(namespace), Value::Known(name)) => {
            Dynamic::string(format!("{identifier}/{birth}/{namespace}/{name}"))
        }
        _ => Dynamic::UNKNOWN,
    }
}

/// Checks a configuration before any plan.
///
/// # Errors
///
/// When the configuration cannot be read at all.
pub fn validate(config: &Dynamic, diagnostics: &mut Diagnostics) -> Outcome {
    let model: AddonModel = config.get()?;
    let facts = KnownFacts::read(&model.cluster, diagnostics);
    report(
        &check_addon(&model.rules_input(facts.as_ref(), None)),
        diagnostics,
    );
    report(&model.problems(facts.as_ref()), diagnostics);
    Ok(())
}
