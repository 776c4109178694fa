//! The plan of an add-on: rules, version, steps. Nothing is asked of any API.

use framework::{
    Change, Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Outcome, Path, Value,
};
use lifecycle::addon::plan_from_state;
use product::rules::check_addon;

use super::AddonModel;
use crate::attributes::{replace_on_birth, show_plan, stored_drift};
use crate::handle::KnownFacts;
use crate::problems::report;

/// Changes or refuses a plan.
pub fn plan<D>(request: &ModifyPlanRequest<D>, response: &mut ModifyPlanResponse) -> Outcome {
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
    model.version = chosen(
        &config.version,
        prior.as_ref().map(|prior| &prior.version),
        || {
            model
                .component()
                .map(|component| component.version.to_owned())
        },
    );
    model.namespace = chosen(
        &config.namespace,
        prior.as_ref().map(|prior| &prior.namespace),
        || match model.component() {
            Some(component) => Some(component.namespace.to_owned()),
            None => model.chart.is_known().then(|| "default".to_owned()),
        },
    );
    response.set_at(&Path::of("version"), &model.version);
    response.set_at(&Path::of("namespace"), &model.namespace);
    report(
        &check_addon(&model.rules_input(facts.as_ref(), prior.as_ref())),
        &mut response.diagnostics,
    );
    replace_on_birth(request, response);
    response.set_at(&Path::of("id"), &id(&model));
    let Some(desired) = facts.as_ref().and_then(|facts| model.desired(facts)) else {
        for name in ["plan_summary", "drift", "fingerprint"] {
            response.set_at(&Path::of(name), &Dynamic::UNKNOWN);
        }
        return Ok(());
    };
    response.set_at(
        &Path::of("fingerprint"),
        &Dynamic::string(desired.fingerprint()),
    );
    let before = prior.as_ref().and_then(|prior| {
        Some((
            prior.version.as_known()?.clone(),
            prior.fingerprint.as_known().cloned().unwrap_or_default(),
            stored_drift(&prior.drift),
        ))
    });
    let plan = plan_from_state(
        &desired,
        before
            .as_ref()
            .map(|(version, fingerprint, drift)| (version.as_str(), fingerprint.as_str(), drift)),
    );
    show_plan(&plan, &request.prior_state, response);
    Ok(())
}

/// The configured value; without it the one in state, so that a newer catalogue raises nothing by itself; without that
/// the default.
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
    Ok(())
}
