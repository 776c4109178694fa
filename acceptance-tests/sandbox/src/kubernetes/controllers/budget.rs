//! Disruption budgets: how many pods may go.

use serde_json::{Value, json};

use super::{Pass, all, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::selector::Labels;
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{controller, int, namespace, set_condition, text};

/// Disruptions allowed, healthy pods needed, healthy pods seen.
pub(in crate::kubernetes) fn count(store: &Store, budget: &Value) -> (u64, u64, u64) {
    let selector = Labels::of(&budget["spec"]["selector"]);
    let covered: Vec<_> = store
        .list_in("pods", namespace(budget))
        .filter(|pod| selector.matches(&pod["metadata"]["labels"]) && pods::active(pod))
        .collect();
    let healthy = covered.iter().filter(|pod| pods::ready(pod)).count() as u64;
    let expected = expected(store, &covered);
    let spec = &budget["spec"];
    let needed = if spec["maxUnavailable"].is_null() {
        amount(&spec["minAvailable"], expected)
    } else {
        expected.saturating_sub(amount(&spec["maxUnavailable"], expected))
    };
    (healthy.saturating_sub(needed), needed, healthy)
}

/// Pods that their controllers want.
fn expected(store: &Store, covered: &[&std::sync::Arc<Value>]) -> u64 {
    let mut owners: Vec<&str> = covered.iter().filter_map(|pod| controller(pod)).collect();
    let alone = covered.len() - owners.len();
    owners.sort_unstable();
    owners.dedup();
    let wanted: i64 = ["replicasets.apps", "statefulsets.apps"]
        .iter()
        .flat_map(|key| store.list(key))
        .filter(|owner| owners.contains(&text(&owner["metadata"]["uid"])))
        .map(|owner| int(&owner["spec"]["replicas"]))
        .sum();
    wanted
        .max(covered.len() as i64 - alone as i64)
        .unsigned_abs()
        + alone as u64
}

/// A number, or a percentage rounded up.
fn amount(value: &Value, of: u64) -> u64 {
    match (value.as_u64(), value.as_str()) {
        (Some(count), _) => count,
        (_, Some(percent)) => {
            let percent: u64 = percent.trim_end_matches('%').parse().unwrap_or(0);
            (of * percent).div_ceil(100)
        }
        _ => 0,
    }
}

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for budget in all(&state.store, "poddisruptionbudgets.policy") {
        let (allowed, needed, healthy) = count(&state.store, &budget);
        let mut status = json!({
            "observedGeneration": budget["metadata"]["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": needed,
            "disruptionsAllowed": allowed,
            "expectedPods": healthy.max(needed),
            "conditions": budget["status"]["conditions"],
        });
        let reason = if allowed > 0 {
            "SufficientPods"
        } else {
            "InsufficientPods"
        };
        set_condition(
            &mut status,
            "DisruptionAllowed",
            allowed > 0,
            reason,
            "",
            &pass.stamp,
        );
        put_status(
            &mut state.store,
            "poddisruptionbudgets.policy",
            &budget,
            status,
        );
    }
}
