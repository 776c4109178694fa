//! Dependents go when their last owner is gone; an owner in foreground deletion goes after them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kubernetes::api::State;
use crate::kubernetes::delete::{self, Deletion};
use crate::kubernetes::value::{array, deleting, name, namespace, text, uid};

const FOREGROUND: &str = "foregroundDeletion";

pub(super) fn reconcile(state: &mut State) {
    let mut living = BTreeSet::new();
    let mut dependents: Vec<(String, Arc<Value>)> = Vec::new();
    let mut foreground: Vec<(String, Arc<Value>)> = Vec::new();
    for key in state.store.keys() {
        for object in state.store.list(&key) {
            living.insert(uid(object).to_owned());
            if !array(&object["metadata"]["ownerReferences"]).is_empty() {
                dependents.push((key.clone(), object.clone()));
            }
            if deleting(object)
                && array(&object["metadata"]["finalizers"]).contains(&json!(FOREGROUND))
            {
                foreground.push((key.clone(), object.clone()));
            }
        }
    }
    let ending: BTreeSet<&str> = foreground.iter().map(|(_, object)| uid(object)).collect();
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, object) in &dependents {
        let owners: Vec<&str> = array(&object["metadata"]["ownerReferences"])
            .iter()
            .map(|owner| text(&owner["uid"]))
            .collect();
        for owner in &owners {
            *waiting.entry(owner).or_default() += 1;
        }
        let held = |owner: &&str| living.contains(*owner) && !ending.contains(owner);
        let lost = !owners.iter().any(held);
        if !lost && owners.iter().any(|owner| !living.contains(*owner)) {
            // The owners that are left hold it alone.
            let mut kept = (**object).clone();
            if let Some(list) = kept["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|owner| living.contains(text(&owner["uid"])));
            }
            state.store.put(key, kept);
            continue;
        }
        // A dependent of another namespace than its owner's would be a mistake of the client; uids are unique.
        if lost
            && !deleting(object)
            && let Some(resource) = state.store.resource_by_key(key)
        {
            let _ = delete::delete(&mut state.store, &resource, object, &Deletion::default());
        }
    }
    for (key, object) in &foreground {
        if waiting.contains_key(uid(object)) {
            continue;
        }
        let mut last = (**object).clone();
        if let Some(list) = last["metadata"]["finalizers"].as_array_mut() {
            list.retain(|finalizer| text(finalizer) != FOREGROUND);
        }
        if array(&last["metadata"]["finalizers"]).is_empty() {
            state.store.remove(key, namespace(object), name(object));
        } else {
            state.store.put(key, last);
        }
    }
}
