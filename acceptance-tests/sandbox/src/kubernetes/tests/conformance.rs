//! Promises of the Kubernetes API, over HTTP. Each one works in a namespace of its own and asks nothing but the
//! API, so that the table also runs on the real server, which is right where they differ.

use std::future::Future;
use std::pin::Pin;

use futures::FutureExt as _;
use serde_json::{Value, json};

use super::bed::{Bed, RealBed, Target};
use super::promises;
use crate::kubernetes::value::{array, deleting, is_true, name, text};

type Promise = for<'a> fn(&'a Target, &'a str) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What is promised.
const PROMISES: &[(&str, Promise)] = &[
    ("discovery", |t, n| Box::pin(discovery(t, n))),
    ("identity-of-objects", |t, n| Box::pin(identity(t, n))),
    ("optimistic-locks", |t, n| Box::pin(locks(t, n))),
    ("lists", |t, n| Box::pin(lists(t, n))),
    ("watches", |t, n| Box::pin(watches(t, n))),
    ("patches", |t, n| Box::pin(patches(t, n))),
    ("server-side-apply", |t, n| {
        Box::pin(server_side_apply(t, n))
    }),
    ("dry-run", |t, n| Box::pin(dry_run(t, n))),
    ("custom-kinds", |t, n| Box::pin(custom_kinds(t, n))),
    ("refusals", |t, n| Box::pin(refusals(t, n))),
    ("finalizers", |t, n| Box::pin(finalizers(t, n))),
    ("owners", |t, n| Box::pin(owners(t, n))),
    ("namespaces", |t, n| Box::pin(namespaces(t, n))),
    ("tables", |t, n| Box::pin(tables(t, n))),
    ("reviews", |t, n| Box::pin(reviews(t, n))),
    ("versions", |t, n| Box::pin(promises::versions(t, n))),
    ("leases", |t, n| Box::pin(promises::leases(t, n))),
    ("ownership", |t, n| Box::pin(promises::ownership(t, n))),
    ("collections", |t, n| Box::pin(promises::collections(t, n))),
    ("columns", |t, n| Box::pin(promises::columns(t, n))),
    ("nodes", |t, n| Box::pin(promises::nodes(t, n))),
    ("secrets-and-services", |t, n| {
        Box::pin(secrets_and_services(t, n))
    }),
    ("deployments", |t, n| Box::pin(deployments(t, n))),
    ("stateful-sets-and-jobs", |t, n| {
        Box::pin(stateful_sets_and_jobs(t, n))
    }),
    ("evictions", |t, n| Box::pin(evictions(t, n))),
];

pub(super) const JSON: &str = "application/json";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// Runs all of them, also after one that failed, so that a run tells every difference.
async fn keep(target: &Target) {
    let mut broken = Vec::new();
    for (promise, run) in PROMISES {
        let kept = std::panic::AssertUnwindSafe(async {
            let space = format!("promise-{promise}");
            let object =
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } });
            let (code, answer) = target
                .send("POST", "/api/v1/namespaces", JSON, &object)
                .await;
            assert_eq!(code, 201, "{answer}");
            let account = format!("/api/v1/namespaces/{space}/serviceaccounts/default");
            target
                .until(&account, |seen| seen["kind"] == "ServiceAccount")
                .await;
            run(target, &space).await;
            let path = format!("/api/v1/namespaces/{space}");
            target.send("DELETE", &path, JSON, &Value::Null).await;
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
    if let Some(bed) = RealBed::with_nodes().await {
        keep(&bed).await;
        bed.end().await;
    }
}

pub(super) fn config_map(name: &str, data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

pub(super) fn maps(space: &str) -> String {
    format!("/api/v1/namespaces/{space}/configmaps")
}

async fn discovery(target: &Target, _: &str) {
    let core = target.get("/api/v1").await;
    let pods = array(&core["resources"])
        .iter()
        .find(|entry| text(&entry["name"]) == "pods")
        .cloned();
    assert_eq!(
        pods.map(|pods| pods["shortNames"].clone()),
        Some(json!(["po"]))
    );
    let groups = target.get("/apis").await;
    for wanted in [
        "apps",
        "batch",
        "rbac.authorization.k8s.io",
        "apiextensions.k8s.io",
        "policy",
    ] {
        assert!(
            array(&groups["groups"])
                .iter()
                .any(|group| text(&group["name"]) == wanted),
            "{wanted}"
        );
    }
    let request = target.client.get(format!("{}/apis", target.url)).header(
        "accept",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
    );
    let answer = request.send().await.expect("the server answers");
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        content_type.contains("as=APIGroupDiscoveryList"),
        "{content_type}"
    );
    assert_eq!(
        target
            .send("GET", "/apis/none.example/v1", "", &Value::Null)
            .await
            .0,
        404
    );
    assert!(text(&target.get("/version").await["gitVersion"]).starts_with("v1."));
}

async fn identity(target: &Target, space: &str) {
    let path = maps(space);
    let object = json!({ "metadata": { "generateName": "made-" }, "data": { "a": "1" } });
    let (code, made) = target.send("POST", &path, JSON, &object).await;
    assert_eq!(code, 201, "{made}");
    assert!(
        name(&made).starts_with("made-") && name(&made).len() == 10,
        "{made}"
    );
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(!text(&made["metadata"][field]).is_empty(), "{field}");
    }
    let again = config_map(name(&made), json!({}));
    let (code, refused) = target.send("POST", &path, JSON, &again).await;
    assert_eq!((code, text(&refused["reason"])), (409, "AlreadyExists"));
    assert_eq!(
        text(&refused["message"]),
        format!("configmaps \"{}\" already exists", name(&made))
    );
    let (code, refused) = target
        .send("GET", &format!("{path}/none"), "", &Value::Null)
        .await;
    assert_eq!(
        (code, text(&refused["message"])),
        (404, "configmaps \"none\" not found")
    );
}

async fn locks(target: &Target, space: &str) {
    let path = maps(space);
    let (_, first) = target
        .send("POST", &path, JSON, &config_map("a", json!({ "x": "1" })))
        .await;
    let mut second = first.clone();
    second["data"]["x"] = json!("2");
    let (code, _) = target
        .send("PUT", &format!("{path}/a"), JSON, &second)
        .await;
    assert_eq!(code, 200);
    let (code, refused) = target
        .send("PUT", &format!("{path}/a"), JSON, &second)
        .await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    let (code, refused) = target
        .send(
            "DELETE",
            &format!("{path}/a"),
            JSON,
            &json!({ "preconditions": { "uid": "another" } }),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
}

async fn lists(target: &Target, space: &str) {
    let path = maps(space);
    for (name, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut object = config_map(name, json!({}));
        object["metadata"]["labels"] = json!({ "tier": tier, "suite": "lists" });
        target.send("POST", &path, JSON, &object).await;
    }
    let names = async |query: &str| -> Vec<String> {
        let list = target.get(&format!("{path}?{query}")).await;
        array(&list["items"])
            .iter()
            .map(|item| name(item).to_owned())
            .collect()
    };
    assert_eq!(names("labelSelector=tier%3Dx").await, ["a", "b"]);
    assert_eq!(names("labelSelector=suite%2Ctier%21%3Dx").await, ["c"]);
    assert_eq!(names("labelSelector=tier%20in%20(y%2Cz)").await, ["c"]);
    assert_eq!(names("fieldSelector=metadata.name%3Db").await, ["b"]);
    let page = target
        .get(&format!("{path}?labelSelector=suite&limit=2"))
        .await;
    assert_eq!(array(&page["items"]).len(), 2);
    let token = text(&page["metadata"]["continue"]);
    let rest = target
        .get(&format!(
            "{path}?labelSelector=suite&limit=2&continue={token}"
        ))
        .await;
    assert_eq!(
        array(&rest["items"]).iter().map(name).collect::<Vec<_>>(),
        ["c"]
    );
    assert_eq!(text(&rest["metadata"]["continue"]), "");
}

/// Reads lines of a watch until there are `count`.
pub(super) async fn read(target: &Target, path: &str, count: usize) -> Vec<Value> {
    let mut response = target
        .client
        .get(format!("{}{path}", target.url))
        .send()
        .await
        .expect("the server answers");
    let (mut text, mut lines) = (String::new(), Vec::new());
    while lines.len() < count {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), response.chunk());
        let chunk = chunk
            .await
            .expect("events come")
            .expect("the stream is whole")
            .expect("the watch is open");
        text.push_str(&String::from_utf8_lossy(&chunk));
        lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("each line is an event"))
            .collect();
    }
    lines
}

async fn watches(target: &Target, space: &str) {
    let path = maps(space);
    let before = target.get(&path).await;
    let version = text(&before["metadata"]["resourceVersion"]);
    for (name, labels) in [("a", json!({ "w": "1" })), ("b", json!({}))] {
        let mut object = config_map(name, json!({}));
        object["metadata"]["labels"] = labels;
        target.send("POST", &path, JSON, &object).await;
    }
    // Leaving the selector is a deletion to the watch.
    target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "data": { "x": "1" } }),
        )
        .await;
    target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "metadata": { "labels": { "w": null } } }),
        )
        .await;
    let query = format!("{path}?watch=true&labelSelector=w&resourceVersion={version}");
    let events = read(target, &query, 3).await;
    let kinds: Vec<&str> = events.iter().map(|event| text(&event["type"])).collect();
    assert_eq!(kinds, ["ADDED", "MODIFIED", "DELETED"]);
    let query = format!(
        "{path}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Db"
    );
    let events = read(target, &query, 2).await;
    assert_eq!(text(&events[0]["type"]), "ADDED");
    assert_eq!(text(&events[1]["type"]), "BOOKMARK");
    assert_eq!(
        events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
}

async fn patches(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    target
        .send(
            "POST",
            &maps(space),
            JSON,
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    let (code, object) = target
        .send(
            "PATCH",
            &path,
            MERGE,
            &json!({ "data": { "x": null, "z": "3" } }),
        )
        .await;
    assert_eq!(
        (code, object["data"].clone()),
        (200, json!({ "y": "2", "z": "3" }))
    );
    let patch = json!([{ "op": "replace", "path": "/data/y", "value": "9" }]);
    let (code, object) = target
        .send("PATCH", &path, "application/json-patch+json", &patch)
        .await;
    assert_eq!((code, object["data"]["y"].clone()), (200, json!("9")));
    let (code, _) = target.send("PATCH", &path, "text/plain", &patch).await;
    assert_eq!(code, 415);
    let pod = json!({
        "metadata": { "name": "p" },
        "spec": { "containers": [{ "name": "a", "image": "i:1" }, { "name": "b", "image": "i:1" }], "schedulerName": "nobody" },
    });
    target
        .send(
            "POST",
            &format!("/api/v1/namespaces/{space}/pods"),
            JSON,
            &pod,
        )
        .await;
    let patch = json!({ "spec": { "containers": [{ "name": "b", "image": "i:2" }] } });
    let path = format!("/api/v1/namespaces/{space}/pods/p");
    let (code, pod) = target
        .send(
            "PATCH",
            &path,
            "application/strategic-merge-patch+json",
            &patch,
        )
        .await;
    assert_eq!(code, 200, "{pod}");
    let images: Vec<&str> = array(&pod["spec"]["containers"])
        .iter()
        .map(|c| text(&c["image"]))
        .collect();
    assert_eq!(images, ["i:1", "i:2"]);
}

async fn server_side_apply(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    let apply = |manager: &str, force: bool| format!("{path}?fieldManager={manager}&force={force}");
    let (code, made) = target
        .send(
            "PATCH",
            &apply("one", false),
            APPLY,
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    let version = made["metadata"]["resourceVersion"].clone();
    let (code, same) = target
        .send(
            "PATCH",
            &apply("one", false),
            APPLY,
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    assert_eq!(
        (code, &same["metadata"]["resourceVersion"]),
        (200, &version),
        "nothing changed"
    );
    let (code, refused) = target
        .send(
            "PATCH",
            &apply("two", false),
            APPLY,
            &config_map("a", json!({ "x": "5" })),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    assert_eq!(
        text(&refused["message"]),
        "Apply failed with 1 conflict: conflict with \"one\": .data.x"
    );
    assert_eq!(
        refused["details"]["causes"][0]["reason"],
        "FieldManagerConflict"
    );
    assert_eq!(refused["details"]["causes"][0]["field"], ".data.x");
    let (code, won) = target
        .send(
            "PATCH",
            &apply("two", true),
            APPLY,
            &config_map("a", json!({ "x": "5" })),
        )
        .await;
    assert_eq!(
        (code, won["data"].clone()),
        (200, json!({ "x": "5", "y": "2" }))
    );
    let (code, left) = target
        .send(
            "PATCH",
            &apply("one", false),
            APPLY,
            &config_map("a", json!({ "z": "3" })),
        )
        .await;
    assert_eq!(
        (code, left["data"].clone()),
        (200, json!({ "x": "5", "z": "3" })),
        "y goes, x is another's"
    );
    let managers = array(&left["metadata"]["managedFields"])
        .iter()
        .map(|entry| text(&entry["manager"]).to_owned());
    assert_eq!(managers.collect::<std::collections::BTreeSet<_>>().len(), 2);
    let (code, _) = target
        .send("PATCH", &path, APPLY, &config_map("a", json!({})))
        .await;
    assert!(code == 400 || code == 422, "a manager is required");
}

async fn dry_run(target: &Target, space: &str) {
    let path = maps(space);
    let (code, made) = target
        .send(
            "POST",
            &format!("{path}?dryRun=All"),
            JSON,
            &config_map("a", json!({})),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(
        target
            .send("GET", &format!("{path}/a"), "", &Value::Null)
            .await
            .0,
        404
    );
    let apply = format!("{path}/a?fieldManager=m&dryRun=All");
    assert_eq!(
        target
            .send(
                "PATCH",
                &apply,
                APPLY,
                &config_map("a", json!({ "x": "1" }))
            )
            .await
            .0,
        201
    );
    assert_eq!(
        target
            .send("GET", &format!("{path}/a"), "", &Value::Null)
            .await
            .0,
        404
    );
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.promise.example" },
        "spec": {
            "group": "promise.example", "scope": "Namespaced",
            "names": { "plural": "things", "kind": "Thing", "shortNames": ["th"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object", "required": ["size"],
                            "properties": {
                                "size": { "type": "integer", "minimum": 1 },
                                "mode": { "type": "string", "default": "auto" },
                                "ports": {
                                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                                    "items": { "type": "object", "required": ["name"], "properties": {
                                        "name": { "type": "string" }, "port": { "type": "integer" },
                                    } },
                                },
                            },
                        },
                        "status": { "type": "object", "properties": { "phase": { "type": "string" } } },
                    },
                } },
            }],
        },
    })
}

async fn custom_kinds(target: &Target, space: &str) {
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (code, made) = target.send("POST", definitions, JSON, &definition()).await;
    assert_eq!(code, 201, "{made}");
    target
        .until(&format!("{definitions}/things.promise.example"), |seen| {
            is_true(seen, "Established")
        })
        .await;
    let path = format!("/apis/promise.example/v1/namespaces/{space}/things");
    target
        .until(&path, |seen| seen["kind"] == "ThingList")
        .await;
    let thing = json!({
        "apiVersion": "promise.example/v1", "kind": "Thing", "metadata": { "name": "a" },
        "spec": { "size": 1, "unknown": true }, "status": { "phase": "ignored" },
    });
    let (code, refused) = target
        .send(
            "POST",
            &format!("{path}?fieldValidation=Strict"),
            JSON,
            &thing,
        )
        .await;
    assert_eq!(code, 400, "{refused}");
    let (code, made) = target.send("POST", &path, JSON, &thing).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["spec"], json!({ "size": 1, "mode": "auto" }));
    assert_eq!(made["status"], Value::Null);
    assert_eq!(made["metadata"]["generation"], 1);
    let status = json!({ "status": { "phase": "Ready" }, "spec": { "size": 7 } });
    let (code, seen) = target
        .send("PATCH", &format!("{path}/a/status"), MERGE, &status)
        .await;
    assert_eq!(
        (
            code,
            seen["status"]["phase"].clone(),
            seen["spec"]["size"].clone()
        ),
        (200, json!("Ready"), json!(1))
    );
    assert_eq!(seen["metadata"]["generation"], 1);
    let (_, seen) = target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "spec": { "size": 2 } }),
        )
        .await;
    assert_eq!(seen["metadata"]["generation"], 2);
    assert_eq!(seen["status"]["phase"], "Ready");
    let (code, refused) = target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "spec": { "size": "big" } }),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    for (manager, port) in [("one", "web"), ("two", "admin")] {
        let object = json!({
            "apiVersion": "promise.example/v1", "kind": "Thing", "metadata": { "name": "a" },
            "spec": { "ports": [{ "name": port, "port": 80 }] },
        });
        let (code, seen) = target
            .send(
                "PATCH",
                &format!("{path}/a?fieldManager={manager}"),
                APPLY,
                &object,
            )
            .await;
        assert_eq!(code, 200, "{seen}");
    }
    let seen = target.get(&format!("{path}/a")).await;
    assert_eq!(
        array(&seen["spec"]["ports"]).len(),
        2,
        "the list merges by its key"
    );
    target
        .send(
            "DELETE",
            &format!("{definitions}/things.promise.example"),
            JSON,
            &Value::Null,
        )
        .await;
    target
        .until(&format!("{definitions}/things.promise.example"), |seen| {
            seen["code"] == 404
        })
        .await;
    target.until_gone(&path).await;
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

async fn refusals(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    let mut wrong = deployment("a", 0);
    wrong["spec"]["template"]["metadata"]["labels"] = json!({ "app": "b" });
    let (code, refused) = target.send("POST", &path, JSON, &wrong).await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    assert!(
        text(&refused["message"]).contains("`selector` does not match template `labels`"),
        "{refused}"
    );
    assert_eq!(
        target
            .send("POST", &path, JSON, &deployment("a", 0))
            .await
            .0,
        201
    );
    let patch = json!({ "spec": {
        "selector": { "matchLabels": { "app": "c" } },
        "template": { "metadata": { "labels": { "app": "c" } } },
    } });
    let (code, refused) = target
        .send("PATCH", &format!("{path}/a"), MERGE, &patch)
        .await;
    assert_eq!(code, 422);
    assert!(
        text(&refused["message"]).contains("field is immutable"),
        "{refused}"
    );
    let (code, refused) = target
        .send(
            "POST",
            &maps(space),
            JSON,
            &config_map("Not_a_name", json!({})),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    let mut odd = config_map("odd", json!({}));
    odd["metadata"]["annotations"] = json!({ "a": true });
    let (code, refused) = target.send("POST", &maps(space), JSON, &odd).await;
    assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    let (code, refused) = target
        .send(
            "POST",
            &maps("promise-nowhere"),
            JSON,
            &config_map("a", json!({})),
        )
        .await;
    assert_eq!(
        (code, text(&refused["message"])),
        (404, "namespaces \"promise-nowhere\" not found")
    );
}

async fn finalizers(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    let mut object = config_map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["promise.example/hold"]);
    target.send("POST", &maps(space), JSON, &object).await;
    assert_eq!(
        target.send("DELETE", &path, JSON, &Value::Null).await.0,
        200
    );
    let held = target.get(&path).await;
    assert!(deleting(&held), "{held}");
    let (code, _) = target
        .send(
            "PATCH",
            &path,
            MERGE,
            &json!({ "metadata": { "finalizers": null } }),
        )
        .await;
    assert_eq!(code, 200);
    target.until(&path, |seen| seen["code"] == 404).await;
}

async fn owners(target: &Target, space: &str) {
    for (policy, survives) in [
        ("Background", false),
        ("Foreground", false),
        ("Orphan", true),
    ] {
        let owner = format!("owner-{}", policy.to_lowercase());
        let (_, made) = target
            .send("POST", &maps(space), JSON, &config_map(&owner, json!({})))
            .await;
        let dependent = format!("dependent-{}", policy.to_lowercase());
        let mut object = config_map(&dependent, json!({}));
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": made["metadata"]["uid"], "blockOwnerDeletion": true,
        }]);
        assert_eq!(
            target.send("POST", &maps(space), JSON, &object).await.0,
            201
        );
        let path = format!("{}/{owner}", maps(space));
        target
            .send(
                "DELETE",
                &path,
                JSON,
                &json!({ "propagationPolicy": policy }),
            )
            .await;
        target.until(&path, |seen| seen["code"] == 404).await;
        let path = format!("{}/{dependent}", maps(space));
        if survives {
            let left = target.get(&path).await;
            assert!(
                array(&left["metadata"]["ownerReferences"]).is_empty(),
                "{left}"
            );
        } else {
            target.until(&path, |seen| seen["code"] == 404).await;
        }
    }
}

async fn namespaces(target: &Target, _: &str) {
    let path = "/api/v1/namespaces/promise-short-lived";
    let object = json!({ "metadata": { "name": "promise-short-lived" } });
    target
        .send("POST", "/api/v1/namespaces", JSON, &object)
        .await;
    target
        .until(&format!("{path}/serviceaccounts/default"), |seen| {
            seen["kind"] == "ServiceAccount"
        })
        .await;
    target
        .until(&format!("{path}/configmaps/kube-root-ca.crt"), |seen| {
            seen["kind"] == "ConfigMap"
        })
        .await;
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["promise.example/hold"]);
    target
        .send("POST", &format!("{path}/configmaps"), JSON, &held)
        .await;
    target.send("DELETE", path, JSON, &Value::Null).await;
    target
        .until(path, |seen| seen["status"]["phase"] == "Terminating")
        .await;
    let (code, refused) = target
        .send(
            "POST",
            &format!("{path}/configmaps"),
            JSON,
            &config_map("late", json!({})),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (403, "Forbidden"));
    let free = json!({ "metadata": { "finalizers": null } });
    target
        .until(&format!("{path}/configmaps/held"), deleting)
        .await;
    target
        .send("PATCH", &format!("{path}/configmaps/held"), MERGE, &free)
        .await;
    target.until(path, |seen| seen["code"] == 404).await;
}

async fn tables(target: &Target, space: &str) {
    target
        .send(
            "POST",
            &maps(space),
            JSON,
            &config_map("a", json!({ "x": "1" })),
        )
        .await;
    let request = target
        .client
        .get(format!(
            "{}{}?fieldSelector=metadata.name%3Da",
            target.url,
            maps(space)
        ))
        .header(
            "accept",
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        );
    let text = request
        .send()
        .await
        .expect("the server answers")
        .text()
        .await
        .expect("text");
    let table: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(table["kind"], "Table");
    let titles: Vec<&Value> = array(&table["columnDefinitions"])
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(titles, ["Name", "Data", "Age"]);
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["cells"][1], 1);
}

async fn reviews(target: &Target, space: &str) {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "create", "resource": "pods", "namespace": space } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (code, answer) = target.send("POST", path, JSON, &review).await;
    assert_eq!(
        (code, answer["status"]["allowed"].clone()),
        (201, json!(true))
    );
}

async fn secrets_and_services(target: &Target, space: &str) {
    let secret = json!({ "metadata": { "name": "a" }, "stringData": { "x": "hello" } });
    let (_, made) = target
        .send(
            "POST",
            &format!("/api/v1/namespaces/{space}/secrets"),
            JSON,
            &secret,
        )
        .await;
    assert_eq!(
        (&made["data"]["x"], &made["type"]),
        (&json!("aGVsbG8="), &json!("Opaque"))
    );
    let service = json!({ "metadata": { "name": "a" }, "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }] } });
    let path = format!("/api/v1/namespaces/{space}/services");
    let (code, made) = target.send("POST", &path, JSON, &service).await;
    assert_eq!(code, 201, "{made}");
    assert!(text(&made["spec"]["clusterIP"]).contains('.'), "{made}");
    assert!(
        made["spec"]["ports"][0]["nodePort"].as_i64() >= Some(30_000),
        "{made}"
    );
    assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
}

async fn deployments(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    target
        .send("POST", &path, JSON, &deployment("web", 2))
        .await;
    let path = format!("{path}/web");
    let ready = |count: i64| {
        move |seen: &Value| {
            seen["status"]["readyReplicas"] == json!(count)
                && seen["status"]["updatedReplicas"] == json!(count)
                && seen["status"]["replicas"] == json!(count)
                && seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
                && is_true(seen, "Available")
        }
    };
    target.until(&path, ready(2)).await;
    let (code, scale) = target
        .send(
            "PATCH",
            &format!("{path}/scale"),
            MERGE,
            &json!({ "spec": { "replicas": 3 } }),
        )
        .await;
    assert_eq!((code, text(&scale["kind"])), (200, "Scale"));
    target.until(&path, ready(3)).await;
    let patch = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "image:2" }] } } } });
    target
        .send(
            "PATCH",
            &path,
            "application/strategic-merge-patch+json",
            &patch,
        )
        .await;
    let pods = format!("/api/v1/namespaces/{space}/pods?labelSelector=app%3Dweb");
    target
        .until(&pods, |list| {
            array(&list["items"]).len() == 3
                && array(&list["items"])
                    .iter()
                    .all(|pod| pod["spec"]["containers"][0]["image"] == "image:2")
        })
        .await;
    target.until(&path, ready(3)).await;
    let sets = target
        .get(&format!("/apis/apps/v1/namespaces/{space}/replicasets"))
        .await;
    assert_eq!(array(&sets["items"]).len(), 2);
    target
        .send(
            "DELETE",
            &path,
            JSON,
            &json!({ "propagationPolicy": "Foreground" }),
        )
        .await;
    target.until(&path, |seen| seen["code"] == 404).await;
    target
        .until(&pods, |list| array(&list["items"]).is_empty())
        .await;
}

async fn stateful_sets_and_jobs(target: &Target, space: &str) {
    let mut set = deployment("db", 2);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    target
        .send(
            "POST",
            &format!("/apis/apps/v1/namespaces/{space}/statefulsets"),
            JSON,
            &set,
        )
        .await;
    target
        .until(
            &format!("/apis/apps/v1/namespaces/{space}/statefulsets/db"),
            |seen| {
                seen["status"]["readyReplicas"] == 2
                    && seen["status"]["currentRevision"] == seen["status"]["updateRevision"]
            },
        )
        .await;
    let pod = target
        .get(&format!("/api/v1/namespaces/{space}/pods/db-1"))
        .await;
    assert_eq!(pod["status"]["phase"], "Running");
    let job = json!({
        "metadata": { "name": "once" },
        "spec": { "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i:1" }] } } },
    });
    target
        .send(
            "POST",
            &format!("/apis/batch/v1/namespaces/{space}/jobs"),
            JSON,
            &job,
        )
        .await;
    target
        .until(
            &format!("/apis/batch/v1/namespaces/{space}/jobs/once"),
            |seen| is_true(seen, "Complete") && seen["status"]["succeeded"] == 1,
        )
        .await;
}

async fn evictions(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    target
        .send("POST", &path, JSON, &deployment("web", 2))
        .await;
    target
        .until(&format!("{path}/web"), |seen| {
            seen["status"]["readyReplicas"] == 2
        })
        .await;
    let budget = json!({
        "metadata": { "name": "web" },
        "spec": { "minAvailable": 2, "selector": { "matchLabels": { "app": "web" } } },
    });
    let budgets = format!("/apis/policy/v1/namespaces/{space}/poddisruptionbudgets");
    target.send("POST", &budgets, JSON, &budget).await;
    target
        .until(&format!("{budgets}/web"), |seen| {
            seen["status"]["currentHealthy"] == 2
        })
        .await;
    let pods = target
        .get(&format!("/api/v1/namespaces/{space}/pods"))
        .await;
    let pod = name(&pods["items"][0]).to_owned();
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod, "namespace": space } });
    let path = format!("/api/v1/namespaces/{space}/pods/{pod}/eviction");
    let (code, refused) = target.send("POST", &path, JSON, &eviction).await;
    assert_eq!((code, text(&refused["reason"])), (429, "TooManyRequests"));
    target
        .send(
            "PATCH",
            &format!("{budgets}/web"),
            MERGE,
            &json!({ "spec": { "minAvailable": 1 } }),
        )
        .await;
    target
        .until(&format!("{budgets}/web"), |seen| {
            seen["status"]["disruptionsAllowed"] == 1
        })
        .await;
    let (code, answer) = target.send("POST", &path, JSON, &eviction).await;
    assert_eq!(code, 201, "{answer}");
    target
        .until(&format!("/api/v1/namespaces/{space}/pods/{pod}"), |seen| {
            seen["code"] == 404
        })
        .await;
}
