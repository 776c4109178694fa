//! Namespaces: what each one is born with, and how it ends.

use serde_json::json;

use super::{Pass, all};
use crate::kubernetes::api::State;
use crate::kubernetes::bootstrap;
use crate::kubernetes::delete::{self, Deletion};
use crate::kubernetes::value::{deleting, name};

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for space in all(&state.store, "namespaces") {
        let here = name(&space);
        if deleting(&space) {
            empty(state, here);
            continue;
        }
        if state
            .store
            .get("serviceaccounts", here, "default")
            .is_none()
        {
            bootstrap::add(
                &mut state.store,
                json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default", "namespace": here } }),
            );
        }
        if state
            .store
            .get("configmaps", here, "kube-root-ca.crt")
            .is_none()
        {
            bootstrap::add(
                &mut state.store,
                json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": { "name": "kube-root-ca.crt", "namespace": here },
                    "data": { "ca.crt": pass.settings.ca.certificate_pem },
                }),
            );
        }
    }
}

/// Deletes what is in a namespace, and the namespace once nothing is.
fn empty(state: &mut State, here: &str) {
    let mut left = false;
    for key in state.store.keys() {
        let Some(resource) = state.store.resource_by_key(&key) else {
            continue;
        };
        if !resource.namespaced {
            continue;
        }
        let objects: Vec<_> = state.store.list_in(&key, here).cloned().collect();
        for object in objects {
            if deleting(&object) {
                left = true;
                continue;
            }
            let gone = delete::delete(&mut state.store, &resource, &object, &Deletion::default());
            left |= !matches!(gone, Ok((_, true)));
        }
    }
    if !left {
        state.store.remove("namespaces", "", here);
    }
}
