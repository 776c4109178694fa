//! ReplicaSets: the wanted number of pods.

use serde_json::{Map, Value, json};

use super::{Pass, all, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::value::{deleting, int, name};

pub(super) fn reconcile(state: &mut State, _pass: &mut Pass<'_>) {
    for set in all(&state.store, "replicasets.apps") {
        if deleting(&set) {
            continue;
        }
        let mut own: Vec<_> = pods::of(&state.store, &set)
            .into_iter()
            .filter(|pod| pods::active(pod))
            .collect();
        let wanted = usize::try_from(int(&set["spec"]["replicas"])).unwrap_or(0);
        for _ in own.len()..wanted {
            let prefix = format!("{}-", name(&set));
            pods::create(
                &mut state.store,
                &set,
                &set["spec"]["template"],
                &prefix,
                &[],
                None,
            );
        }
        if own.len() > wanted {
            pods::by_worth(&mut own);
            for pod in &own[..own.len() - wanted] {
                pods::delete(&mut state.store, pod);
            }
        }
        let own: Vec<_> = pods::of(&state.store, &set)
            .into_iter()
            .filter(|pod| pods::active(pod))
            .collect();
        let ready = own.iter().filter(|pod| pods::ready(pod)).count();
        let mut status = Map::new();
        status.insert(
            "observedGeneration".to_owned(),
            set["metadata"]["generation"].clone(),
        );
        status.insert("replicas".to_owned(), json!(own.len()));
        for (key, count) in [
            ("fullyLabeledReplicas", own.len()),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
        ] {
            if count > 0 {
                status.insert(key.to_owned(), json!(count));
            }
        }
        put_status(
            &mut state.store,
            "replicasets.apps",
            &set,
            Value::Object(status),
        );
    }
}
