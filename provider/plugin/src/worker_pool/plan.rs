//! The plan of a pool: rules, size, steps. Nothing is asked of any API.

use framework::{
    Change, Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Outcome, Path, ToValue,
    Value,
};
use lifecycle::pool::plan_from_state;
use product::rules::check_pool;

use super::PoolModel;
use crate::attributes::{refuse_change, replace_on_birth, show_plan, stored_drift};
use crate::handle::KnownFacts;
use crate::problems::report;

/// Attributes of a worker that this version cannot change in place.
const FIXED: &[&str] = &[
    "vcpu",
    "memory_gib",
    "os_disk_gb",
    "ceph_gb",
    "max_pods_per_node",
];

/// Changes or refuses a plan.
pub fn plan<D>(request: &ModifyPlanRequest<D>, response: &mut ModifyPlanResponse) -> Outcome {
    if request.change() == Change::Destroy {
        return Ok(());
    }
    let prior: Option<PoolModel> = if request.prior_state.is_null() {
        None
    } else {
        Some(request.prior_state.get()?)
    };
    let mut model: PoolModel = response.planned_state.get()?;
    let facts = KnownFacts::read(&model.cluster, &mut response.diagnostics);
    model.size = size(request, &model, prior.as_ref());
    response.set_at(&Path::of("size"), &model.size);
    report(
        &check_pool(&model.rules_input(facts.as_ref())),
        &mut response.diagnostics,
    );
    replace_on_birth(request, response);
    set_id(&model, prior.as_ref(), response);
    let desired = facts.as_ref().and_then(|facts| model.desired(facts));
    let Some(desired) = desired else {
        for name in ["plan_summary", "drift", "workers"] {
            response.set_at(&Path::of(name), &Dynamic::UNKNOWN);
        }
        return Ok(());
    };
    // Of a pool that an import saw from outside the drift says what is to be done.
    let before = prior.as_ref().map(|prior| {
        let facts = KnownFacts::read(&prior.cluster, &mut Diagnostics::new());
        let before = facts.and_then(|facts| prior.desired(&facts));
        (
            before.unwrap_or_else(|| desired.clone()),
            prior.stored_workers(),
            stored_drift(&prior.drift),
        )
    });
    let plan = plan_from_state(
        &desired,
        before
            .as_ref()
            .map(|(before, indexes, drift)| (before, indexes, drift)),
    );
    show_plan(&plan, &request.prior_state, response);
    // Numbers are given out in apply, where other pools are seen; they change only with the size or a lost machine.
    let same_size = prior.as_ref().is_some_and(|prior| {
        prior.stored_workers().len() == usize::from(desired.size) && !prior.workers.is_null()
    });
    if same_size {
        let workers = request
            .prior_state
            .member("workers")
            .cloned()
            .unwrap_or(Dynamic::UNKNOWN);
        response.set_at(&Path::of("workers"), &workers);
    } else {
        response.set_at(&Path::of("workers"), &Dynamic::UNKNOWN);
    }
    if prior.is_some() {
        for name in FIXED {
            let next = "Workers keep their shape for life in this version of the provider: set it back, or add a pool of \
                        the new shape and remove this one.";
            refuse_change(
                name,
                &request.prior_state,
                &response.planned_state,
                next,
                &mut response.diagnostics,
            );
        }
    }
    Ok(())
}

/// The size to have: the configured one; without it the one there is, within the limits.
fn size<D>(
    request: &ModifyPlanRequest<D>,
    model: &PoolModel,
    prior: Option<&PoolModel>,
) -> Value<i64> {
    match request.config.member("size") {
        Some(Dynamic::Unknown(_)) => Value::Unknown,
        Some(value) if !value.is_null() => model.size,
        _ => {
            let (Some(least), Some(most)) = (model.min_size.settled(), model.max_size.settled())
            else {
                return Value::Unknown;
            };
            let now = prior.and_then(|prior| prior.size.known());
            let wanted = now.or(least).unwrap_or(3);
            Value::Known(
                wanted
                    .max(least.unwrap_or(wanted))
                    .min(most.unwrap_or(i64::MAX)),
            )
        }
    }
}

fn set_id(model: &PoolModel, prior: Option<&PoolModel>, response: &mut ModifyPlanResponse) {
    let birth = model.cluster.member("birth").and_then(Dynamic::as_str);
    let identifier = model.cluster.member("identifier").and_then(Dynamic::as_str);
    let id = match (identifier, birth, model.name.as_known(), prior) {
        (Some(identifier), Some(birth), Some(name), _) => {
            Dynamic::string(format!("{identifier}/{birth}/{name}"))
        }
        (_, _, _, Some(prior))
            if !response.planned_state.is_null() && model.cluster.is_unknown() =>
        {
            prior.id.to_value()
        }
        _ => Dynamic::UNKNOWN,
    };
    response.set_at(&Path::of("id"), &id);
}

/// Checks a configuration before any plan.
///
/// # Errors
///
/// When the configuration cannot be read at all.
pub fn validate(config: &Dynamic, diagnostics: &mut Diagnostics) -> Outcome {
    let model: PoolModel = config.get()?;
    let facts = KnownFacts::read(&model.cluster, diagnostics);
    report(&check_pool(&model.rules_input(facts.as_ref())), diagnostics);
    Ok(())
}
