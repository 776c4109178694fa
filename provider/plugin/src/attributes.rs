//! Attributes that several resources have.

use std::collections::BTreeMap;
use std::time::Duration;

use framework::{
    Attribute, Diagnostics, Dynamic, FromValue, ModifyPlanRequest, ModifyPlanResponse, Path,
    ToValue, Type, ValidateRequest, Validator, Value,
};
use lifecycle::{Drift, Plan, PlanSummary};

/// `drift`: how the real thing deviates from what the state says, as Read found it.
pub fn drift() -> Attribute {
    Attribute::map(
        Type::String,
        "What deviates from the configuration in reality: object to deviation, at most 50 of them and a count of the \
         rest. Empty when all is in order. Not empty in a plan means that the apply repairs it.",
    )
    .computed()
}

/// `plan_summary`: what the last plan with steps was going to do. Apply does nothing more disruptive than that.
pub fn plan_summary() -> Attribute {
    Attribute::string(
        "The steps of the latest change, the nodes it disturbs and how long it may take, as JSON. An apply never does \
         anything more disruptive than its plan showed here.",
    )
    .computed()
}

/// `timeouts`.
pub fn timeouts(create: &str, update: &str, delete: &str) -> Attribute {
    let member = |what: &str, default: &str| {
        Attribute::string(format!(
            "How long {what} may take, such as `30m` or `1h30m`; {default} by default."
        ))
        .optional()
        .validate(DurationText)
    };
    Attribute::single(
        [
            ("create", member("a create", create)),
            ("update", member("an update", update)),
            ("delete", member("a destroy", delete)),
        ],
        "Limits for slow platforms.",
    )
    .optional()
}

/// A duration such as `30m`.
struct DurationText;

impl Validator for DurationText {
    fn describe(&self) -> String {
        "a duration such as `30m` or `1h30m`".to_owned()
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let Some(text) = request.value.as_str() else {
            return;
        };
        if Timeouts::parse(text).is_none() {
            diagnostics.error_at(
                request.path.clone(),
                "not a duration",
                format!("Seen: {text:?}\nAllowed: a number and a unit, such as \"30m\" or \"1h30m\"\nWrite it that way."),
            );
        }
    }
}

/// `timeouts` as configured.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct Timeouts {
    pub create: Value<String>,
    pub update: Value<String>,
    pub delete: Value<String>,
}

impl Timeouts {
    /// One of the limits, or `default` when it is not set or not a duration.
    pub fn limit(value: &Value<String>, default: Duration) -> Duration {
        value
            .as_known()
            .and_then(|text| Self::parse(text))
            .unwrap_or(default)
    }

    fn parse(text: &str) -> Option<Duration> {
        let duration = text.parse::<jiff::SignedDuration>().ok()?;
        Duration::try_from(duration)
            .ok()
            .filter(|duration| !duration.is_zero())
    }
}

/// The drift that Read stored.
pub fn stored_drift(state: &Value<BTreeMap<String, String>>) -> Drift {
    Drift::from_map(state.as_known().cloned().unwrap_or_default())
}

/// Writes a plan into `plan_summary` and `drift` (design law 1): both change only when there is something to do, and
/// `drift` is never planned as a known empty map.
pub fn show_plan(plan: &Plan, prior: &Dynamic, response: &mut ModifyPlanResponse) {
    let keep = |name: &str| prior.member(name).cloned().unwrap_or(Dynamic::UNKNOWN);
    let (summary, drift) = if plan.is_empty() && !prior.is_null() {
        (keep("plan_summary"), keep("drift"))
    } else {
        (Dynamic::string(plan.summary().to_json()), Dynamic::UNKNOWN)
    };
    response.set_at(&Path::of("plan_summary"), &summary);
    response.set_at(&Path::of("drift"), &drift);
}

/// The approval that an apply holds itself to: what its plan showed. Unreadable text approves nothing disruptive.
pub fn approval(plan: &Dynamic) -> PlanSummary {
    plan.member("plan_summary")
        .and_then(Dynamic::as_str)
        .and_then(PlanSummary::from_json)
        .unwrap_or_default()
}

/// Refuses a change of an attribute that nothing can change in place and that is no reason to replace anything.
pub fn refuse_change(
    name: &'static str,
    prior: &Dynamic,
    planned: &Dynamic,
    next: &str,
    diagnostics: &mut Diagnostics,
) {
    let path = Path::of(name);
    let (Some(before), Some(after)) = (prior.at(&path), planned.at(&path)) else {
        return;
    };
    if before.is_null() || after.is_unknown() || before.same(after) {
        return;
    }
    diagnostics.error_at(
        path,
        "attribute cannot be changed",
        format!(
            "Seen: {}\nAllowed: {}, as the cluster was made\n{next}",
            crate::show::inline(after),
            crate::show::inline(before)
        ),
    );
}

/// Replaces an object that belongs to a cluster when that cluster is another one now. The path is sent only when both
/// births are there: after an import the old one may be missing, and that is no reason to replace anything.
pub fn replace_on_birth<D>(request: &ModifyPlanRequest<D>, response: &mut ModifyPlanResponse) {
    let path = Path::of("cluster").attribute("birth");
    let (Some(before), Some(after)) = (
        request.prior_state.at(&path),
        response.planned_state.at(&path),
    ) else {
        return;
    };
    if !before.is_null() && !after.is_null() && !before.same(after) {
        response.requires_replace.push(path);
    }
}
