//! Quotas: how many objects there are of what they limit. Amounts of CPU and memory are not added up, as the scheduler
//! does not count them either, and nothing is refused.

use serde_json::{Map, Value, json};

use super::{all, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::store::Store;
use crate::kubernetes::value::namespace;

pub(super) fn reconcile(state: &mut State) {
    for quota in all(&state.store, "resourcequotas") {
        let hard = &quota["spec"]["hard"];
        let used: Map<String, Value> = hard
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(limited, _)| {
                let count = count(&state.store, limited, namespace(&quota))?;
                Some((limited.clone(), json!(count.to_string())))
            })
            .collect();
        let status = json!({ "hard": hard, "used": used });
        put_status(&mut state.store, "resourcequotas", &quota, status);
    }
}

/// The objects of what a quota calls `pods` or `count/deployments.apps`; nothing for amounts.
fn count(store: &Store, limited: &str, namespace: &str) -> Option<usize> {
    let key = limited.strip_prefix("count/").unwrap_or(limited);
    store.resource_by_key(key)?;
    Some(store.list_in(key, namespace).count())
}
