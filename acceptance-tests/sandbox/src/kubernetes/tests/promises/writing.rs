//! Writes: what an update may leave out, what is strict, what a dry run leaves, whose the parts are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::bed::Target;
use super::{config_map, deployment, maps};
use crate::kubernetes::value::{array, deleting, name, text};

/// PUT: with and without a version, of another object, of one that is not there.
pub(super) async fn updates(target: &Target, space: &str) {
    let path = maps(space);
    let made = target
        .make(&path, &config_map("a", json!({ "x": "1" })))
        .await;
    let named = format!("{path}/a");
    // Without a version it replaces whatever is there.
    let (code, seen) = target
        .put(&named, &config_map("a", json!({ "y": "2" })))
        .await;
    assert_eq!((code, &seen["data"]), (200, &json!({ "y": "2" })));
    assert_eq!(seen["metadata"]["uid"], made["metadata"]["uid"]);
    let mut other = config_map("a", json!({}));
    other["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let (code, refused) = target.put(&named, &other).await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    let (code, refused) = target.put(&named, &config_map("b", json!({}))).await;
    assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    let (code, refused) = target
        .put(&format!("{path}/none"), &config_map("none", json!({})))
        .await;
    assert_eq!((code, text(&refused["reason"])), (404, "NotFound"));
    let mut elsewhere = config_map("c", json!({}));
    elsewhere["metadata"]["namespace"] = json!("default");
    let (code, refused) = target.post(&path, &elsewhere).await;
    assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    // What may never change.
    let mut fixed = config_map("fixed", json!({ "x": "1" }));
    fixed["immutable"] = json!(true);
    target.make(&path, &fixed).await;
    let (code, refused) = target
        .merge(&format!("{path}/fixed"), &json!({ "data": { "x": "2" } }))
        .await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    // What the server decides stays the server's.
    let mut forged = made;
    forged["metadata"]["resourceVersion"] = Value::Null;
    forged["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    forged["metadata"]["generation"] = json!(99);
    let (code, seen) = target.put(&named, &forged).await;
    assert_eq!(code, 200, "{seen}");
    assert!(
        !text(&seen["metadata"]["creationTimestamp"]).starts_with("2001"),
        "{seen}"
    );
}

/// Fields that a kind does not have.
pub(super) async fn strictness(target: &Target, space: &str) {
    let path = maps(space);
    let mut odd = config_map("a", json!({}));
    odd["colour"] = json!("blue");
    let (code, refused) = target
        .post(&format!("{path}?fieldValidation=Strict"), &odd)
        .await;
    assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    assert!(
        text(&refused["message"]).contains("strict decoding error: unknown field \"colour\""),
        "{refused}"
    );
    let (code, made) = target
        .post(&format!("{path}?fieldValidation=Ignore"), &odd)
        .await;
    assert_eq!(code, 201);
    assert!(made["colour"].is_null(), "it is not kept: {made}");
    let (code, refused) = target
        .post(&format!("{path}?fieldValidation=Sometimes"), &odd)
        .await;
    assert!(code == 400 || code == 422, "{refused}");
    let deployments = format!("/apis/apps/v1/namespaces/{space}/deployments");
    let mut deep = deployment("a", 0);
    deep["spec"]["template"]["spec"]["containers"][0]["imagee"] = json!("i:1");
    let (code, refused) = target
        .post(&format!("{deployments}?fieldValidation=Strict"), &deep)
        .await;
    assert_eq!(code, 400, "{refused}");
    assert!(
        text(&refused["message"])
            .contains("unknown field \"spec.template.spec.containers[0].imagee\""),
        "{refused}"
    );
    // An apply of a field that nobody knows is refused in any case.
    let (code, refused) = target
        .apply(&format!("{path}/b?fieldManager=m"), &{
            let mut odd = config_map("b", json!({}));
            odd["colour"] = json!("blue");
            odd
        })
        .await;
    assert_eq!(code, 500, "{refused}");
    assert!(
        text(&refused["message"]).contains("field not declared in schema"),
        "{refused}"
    );
}

/// Everything can be tried.
pub(super) async fn dry_runs(target: &Target, space: &str) {
    let path = maps(space);
    let made = target
        .make(&path, &config_map("a", json!({ "x": "1" })))
        .await;
    let named = format!("{path}/a");
    let tried = format!("{named}?dryRun=All");
    let changed = json!({ "data": { "x": "2" } });
    let (code, seen) = target.merge(&tried, &changed).await;
    assert_eq!((code, text(&seen["data"]["x"])), (200, "2"));
    let (code, seen) = target
        .put(&tried, &config_map("a", json!({ "x": "3" })))
        .await;
    assert_eq!((code, text(&seen["data"]["x"])), (200, "3"));
    assert_eq!(target.delete(&tried).await.0, 200);
    let (code, _) = target
        .delete_with(&named, &json!({ "dryRun": ["All"] }))
        .await;
    assert_eq!(code, 200);
    assert_eq!(target.delete(&format!("{path}?dryRun=All")).await.0, 200);
    assert_eq!(target.get(&named).await, made, "nothing has happened");
    // A try is checked like the real thing.
    let (code, _) = target
        .post(&format!("{path}?dryRun=All"), &config_map("a", json!({})))
        .await;
    assert_eq!(code, 409);
    let (code, _) = target
        .post(
            &format!("{path}?dryRun=All"),
            &config_map("Not_a_name", json!({})),
        )
        .await;
    assert_eq!(code, 422);
    let (code, refused) = target
        .merge(&format!("{named}?dryRun=Some"), &changed)
        .await;
    assert!(code == 400 || code == 422, "{refused}");
    // A service that is tried takes no address.
    let service = json!({ "metadata": { "name": "s" }, "spec": { "ports": [{ "port": 80 }] } });
    let services = format!("/api/v1/namespaces/{space}/services");
    let (code, seen) = target
        .post(&format!("{services}?dryRun=All"), &service)
        .await;
    assert_eq!(code, 201, "{seen}");
    assert_eq!(target.read(&format!("{services}/s")).await.0, 404);
}

/// The status and the scale are written apart.
pub(super) async fn subresources(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    let mut paused = deployment("web", 0);
    paused["status"] = json!({ "replicas": 9 });
    let made = target.make(&path, &paused).await;
    assert!(made["status"]["replicas"].is_null(), "{made}");
    let named = format!("{path}/web");
    let both = json!({ "spec": { "paused": true }, "status": { "conditions": [{ "type": "Odd", "status": "True" }] } });
    let (code, seen) = target.merge(&format!("{named}/status"), &both).await;
    assert_eq!(code, 200, "{seen}");
    assert!(seen["spec"]["paused"].is_null(), "{seen}");
    let odd = |seen: &Value| {
        array(&seen["status"]["conditions"])
            .iter()
            .any(|condition| condition["type"] == "Odd")
    };
    assert!(odd(&seen), "{seen}");
    assert_eq!(seen["metadata"]["generation"], 1);
    let (_, seen) = target
        .merge(
            &named,
            &json!({ "status": { "conditions": [] }, "spec": { "minReadySeconds": 1 } }),
        )
        .await;
    assert_eq!(seen["metadata"]["generation"], 2);
    assert_eq!(seen["spec"]["minReadySeconds"], 1);
    // Its controller has nothing more to write.
    target
        .until(&named, |seen| seen["status"]["observedGeneration"] == 2)
        .await;
    let scale = target.get(&format!("{named}/scale")).await;
    assert_eq!(scale["apiVersion"], "autoscaling/v1");
    assert_eq!(scale["metadata"]["name"], "web");
    assert_eq!(scale["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(scale["status"]["selector"], "app=web");
    let mut more = scale.clone();
    more["spec"]["replicas"] = json!(1);
    let (code, seen) = target.put(&format!("{named}/scale"), &more).await;
    assert_eq!((code, &seen["spec"]["replicas"]), (200, &json!(1)));
    // Of a version that is over.
    let (code, refused) = target.put(&format!("{named}/scale"), &scale).await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    more["metadata"]["resourceVersion"] = Value::Null;
    more["spec"]["replicas"] = json!(-1);
    let (code, refused) = target.put(&format!("{named}/scale"), &more).await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    assert_eq!(target.get(&named).await["spec"]["replicas"], 1);
    let (code, _) = target.read(&format!("{}/a/scale", maps(space))).await;
    assert_eq!(code, 404);
}

/// Updates own fields too, under the name of the program.
pub(super) async fn managers_of_updates(target: &Target, space: &str) {
    let path = maps(space);
    let made = target
        .make(&path, &config_map("a", json!({ "x": "1" })))
        .await;
    let entries = array(&made["metadata"]["managedFields"]);
    assert_eq!(entries.len(), 1, "{made}");
    assert_eq!(
        entries[0]["manager"], "suite",
        "the first part of the agent"
    );
    assert_eq!(entries[0]["operation"], "Update");
    assert_eq!(entries[0]["apiVersion"], "v1");
    assert_eq!(entries[0]["fieldsType"], "FieldsV1");
    assert_eq!(
        entries[0]["fieldsV1"],
        json!({ "f:data": { ".": {}, "f:x": {} } })
    );
    let named = format!("{path}/a");
    let (_, seen) = target
        .merge(
            &format!("{named}?fieldManager=other"),
            &json!({ "data": { "y": "2" } }),
        )
        .await;
    let managers: BTreeSet<&str> = array(&seen["metadata"]["managedFields"])
        .iter()
        .map(|entry| text(&entry["manager"]))
        .collect();
    assert_eq!(managers, BTreeSet::from(["other", "suite"]));
    // Who removes a field takes it from its owner.
    let (_, seen) = target
        .merge(
            &format!("{named}?fieldManager=other"),
            &json!({ "data": { "x": null } }),
        )
        .await;
    assert!(
        !seen["metadata"]["managedFields"]
            .to_string()
            .contains("f:x"),
        "{seen}"
    );
    // An applied object belongs to its applier alone where nobody else wrote.
    let applied = format!("{path}/b?fieldManager=one");
    let mut object = config_map("b", json!({ "x": "1" }));
    object["metadata"]["labels"] = json!({ "l": "1" });
    let (code, seen) = target.apply(&applied, &object).await;
    assert_eq!(code, 201, "{seen}");
    let entries = array(&seen["metadata"]["managedFields"]);
    assert_eq!(
        (entries.len(), text(&entries[0]["operation"])),
        (1, "Apply"),
        "{seen}"
    );
    assert_eq!(
        entries[0]["fieldsV1"],
        json!({ "f:data": { "f:x": {} }, "f:metadata": { "f:labels": { "f:l": {} } } })
    );
    // An empty list gives everything up.
    let (code, seen) = target
        .merge(
            &format!("{path}/b"),
            &json!({ "metadata": { "managedFields": [{}] } }),
        )
        .await;
    assert_eq!(code, 200, "{seen}");
    assert!(seen["metadata"]["managedFields"].is_null(), "{seen}");
    object["metadata"]["managedFields"] = json!([{ "manager": "one" }]);
    let (code, refused) = target.apply(&applied, &object).await;
    assert_eq!(code, 400, "an applier sends none: {refused}");
}

/// A pod gets its time; whoever asks for none takes it at once.
pub(super) async fn graceful_deletion(target: &Target, space: &str) {
    let path = format!("/api/v1/namespaces/{space}/pods");
    let pod = |name: &str| {
        json!({
            "metadata": { "name": name, "finalizers": ["promise.example/hold"] },
            "spec": { "nodeName": "wrk-1", "containers": [{ "name": "c", "image": "i:1" }] },
        })
    };
    for (name, options, wanted) in [
        ("default", json!({}), 30),
        ("asked", json!({ "gracePeriodSeconds": 7 }), 7),
        ("now", json!({ "gracePeriodSeconds": 0 }), 0),
    ] {
        target.make(&path, &pod(name)).await;
        let named = format!("{path}/{name}");
        target
            .until(&named, |seen| seen["status"]["phase"] == "Running")
            .await;
        let (code, seen) = target.delete_with(&named, &options).await;
        assert_eq!(code, 200, "{seen}");
        assert!(deleting(&seen), "{seen}");
        assert_eq!(
            seen["metadata"]["deletionGracePeriodSeconds"], wanted,
            "{name}"
        );
        let free = json!({ "metadata": { "finalizers": null } });
        target.merge(&named, &free).await;
        target.until_gone(&named).await;
    }
    // A pod that no node has yet goes at once.
    let mut waits = pod("waits");
    waits["spec"]["nodeName"] = Value::Null;
    waits["spec"]["schedulerName"] = json!("nobody");
    waits["metadata"] = json!({ "name": "waits" });
    let waits = target.make(&path, &waits).await;
    let named = format!("{path}/{}", name(&waits));
    assert_eq!(target.delete(&named).await.0, 200);
    assert_eq!(target.read(&named).await.0, 404);
}
