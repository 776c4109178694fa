//! Attributes that several resources have.

use std::collections::BTreeMap;

use framework::{
    Attribute, Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Path, Type, Value,
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
    framework::timeouts::attribute(&[("create", create), ("update", update), ("delete", delete)])
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
