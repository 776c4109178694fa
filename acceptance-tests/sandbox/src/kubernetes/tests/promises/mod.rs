//! Promises of the Kubernetes API, over HTTP. Each one works in a namespace of its own and asks nothing but the
//! API, so that the table also runs on the real server, which is right where they differ.

mod answers;
mod apply;
mod kinds;
mod objects;
mod reading;
mod workloads;
mod writing;

use std::future::Future;
use std::pin::Pin;

use futures::FutureExt as _;
use serde_json::{Value, json};

use super::bed::{Bed, Target};

type Promise = for<'a> fn(&'a Target, &'a str) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A table of functions under names that are parts of namespaces' names.
macro_rules! promises {
    ($($name:literal: $run:path,)*) => {
        &[$(($name, |target, space| Box::pin($run(target, space)))),*]
    };
}

/// What is promised.
const PROMISES: &[(&str, Promise)] = promises! {
    "discovery": reading::discovery,
    "identity-of-objects": objects::identity,
    "optimistic-locks": objects::locks,
    "lists": reading::lists,
    "pages": answers::pages,
    "selectors": answers::selectors,
    "metadata-only": answers::metadata_only,
    "encodings": answers::encodings,
    "watches": reading::watches,
    "ends-of-watches": answers::ends_of_watches,
    "patches": objects::patches,
    "updates": writing::updates,
    "strictness": writing::strictness,
    "dry-run-of-everything": writing::dry_runs,
    "status-and-scale": writing::subresources,
    "managers-of-updates": writing::managers_of_updates,
    "graceful-deletion": writing::graceful_deletion,
    "server-side-apply": apply::server_side_apply,
    "dry-run": apply::dry_run,
    "ownership": apply::ownership,
    "custom-kinds": kinds::custom_kinds,
    "scale-of-custom-kinds": kinds::scaled_kinds,
    "refusals": objects::refusals,
    "finalizers": objects::finalizers,
    "owners": objects::owners,
    "orphans": objects::orphans,
    "namespaces": objects::namespaces,
    "tables": reading::tables,
    "reviews": kinds::reviews,
    "versions": objects::versions,
    "leases": objects::leases,
    "collections": reading::collections,
    "columns": reading::columns,
    "nodes": workloads::nodes,
    "secrets-and-services": kinds::secrets_and_services,
    "deployments": workloads::deployments,
    "stateful-sets-and-jobs": workloads::stateful_sets_and_jobs,
    "evictions": workloads::evictions,
    "output-of-containers": workloads::output_of_containers,
    "volumes-and-quotas": workloads::volumes_and_quotas,
};

/// Runs all of them, also after one that failed, so that a run tells every difference.
async fn keep(target: &Target) {
    let only = std::env::var("PROMISE").ok();
    let mut broken = Vec::new();
    for (promise, run) in PROMISES {
        if only.as_ref().is_some_and(|only| only != promise) {
            continue;
        }
        let kept = std::panic::AssertUnwindSafe(async {
            let space = format!("promise-{promise}");
            let object =
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } });
            target.make("/api/v1/namespaces", &object).await;
            // What controllers put into a namespace comes before anything is watched.
            for (plural, name) in [
                ("serviceaccounts", "default"),
                ("configmaps", "kube-root-ca.crt"),
            ] {
                let path = format!("/api/v1/namespaces/{space}/{plural}/{name}");
                target
                    .until(&path, |seen| seen["metadata"]["name"] == name)
                    .await;
            }
            run(target, &space).await;
            target.delete(&format!("/api/v1/namespaces/{space}")).await;
        });
        if kept.catch_unwind().await.is_err() {
            broken.push(*promise);
        }
    }
    assert!(broken.is_empty(), "not kept: {}", broken.join(", "));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_keeps_its_promises() {
    let bed = Bed::with_nodes().await;
    keep(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_server_keeps_them_too() {
    if let Some(bed) = Bed::real_with_nodes().await {
        keep(&bed).await;
        bed.end().await;
    }
}

fn config_map(name: &str, data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

fn maps(space: &str) -> String {
    format!("/api/v1/namespaces/{space}/configmaps")
}

fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "image:1" }] },
            },
        },
    })
}

/// A definition of the kind `Thing` of `things` in a group of its own.
fn definition_of(group: &str, spec: &Value, subresources: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("things.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "plural": "things", "kind": "Thing", "shortNames": ["th"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": subresources,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                    "spec": spec,
                    "status": { "type": "object", "properties": {
                        "phase": { "type": "string" }, "replicas": { "type": "integer" },
                    } },
                } } },
            }],
        },
    })
}
