//! Server-side apply: whose field it is after which write, and what a dry run leaves.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::{config_map, maps};
use crate::kubernetes::value::{array, text};

pub(super) async fn server_side_apply(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    let apply = |manager: &str, force: bool| format!("{path}?fieldManager={manager}&force={force}");
    let (code, made) = target
        .apply(
            &apply("one", false),
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    let version = made["metadata"]["resourceVersion"].clone();
    let (code, same) = target
        .apply(
            &apply("one", false),
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    assert_eq!(
        (code, &same["metadata"]["resourceVersion"]),
        (200, &version),
        "nothing changed"
    );
    let (code, refused) = target
        .apply(&apply("two", false), &config_map("a", json!({ "x": "5" })))
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
        .apply(&apply("two", true), &config_map("a", json!({ "x": "5" })))
        .await;
    assert_eq!(
        (code, won["data"].clone()),
        (200, json!({ "x": "5", "y": "2" }))
    );
    let (code, left) = target
        .apply(&apply("one", false), &config_map("a", json!({ "z": "3" })))
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
    let (code, _) = target.apply(&path, &config_map("a", json!({}))).await;
    assert!(code == 400 || code == 422, "a manager is required");
}

fn managers(object: &Value) -> Vec<String> {
    let mut list: Vec<String> = array(&object["metadata"]["managedFields"])
        .iter()
        .map(|entry| {
            let sub = text(&entry["subresource"]);
            format!(
                "{} {}{}{sub}",
                text(&entry["manager"]),
                text(&entry["operation"]),
                if sub.is_empty() { "" } else { " " }
            )
        })
        .collect();
    list.sort();
    list
}

/// Whose field it is after which write.
pub(super) async fn ownership(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments/web");
    let deployment = |replicas: Value, image: &str| {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "from": "apply" } },
            "spec": {
                "paused": true,
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "c", "image": image, "env": [{ "name": "A", "value": "1" }] }] },
                },
            },
        });
        if !replicas.is_null() {
            object["spec"]["replicas"] = replicas;
        }
        object
    };
    let apply = |manager: &str, rest: &str| format!("{path}?fieldManager={manager}{rest}");
    let (code, made) = target
        .apply(&apply("chart", ""), &deployment(json!(0), "i:1"))
        .await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(managers(&made), ["chart Apply"]);
    // A scale takes the count away from whoever applied it.
    let scale = json!({ "spec": { "replicas": 0 } });
    let (code, _) = target
        .merge(&format!("{path}/scale?fieldManager=scaler"), &scale)
        .await;
    assert_eq!(code, 200);
    let (_, edited) = target
        .merge(&format!("{path}?fieldManager=hand"), &json!({ "metadata": { "labels": { "by": "hand" } }, "spec": { "minReadySeconds": 3 } }))
        .await;
    assert!(
        managers(&edited).contains(&"hand Update".to_owned()),
        "{edited}"
    );
    // An update of an applied field moves it to the hand; the chart then conflicts with it, unless it wants the same.
    let (_, edited) = target
        .send(
            "PATCH",
            &format!("{path}?fieldManager=hand"),
            "application/json-patch+json",
            &json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "i:9" }]),
        )
        .await;
    assert_eq!(
        edited["spec"]["template"]["spec"]["containers"][0]["image"],
        "i:9"
    );
    let (code, refused) = target
        .apply(&apply("chart", ""), &deployment(json!(0), "i:1"))
        .await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    assert_eq!(
        text(&refused["details"]["causes"][0]["field"]),
        ".spec.template.spec.containers[name=\"c\"].image"
    );
    assert!(
        text(&refused["details"]["causes"][0]["message"]).starts_with("conflict with \"hand\""),
        "{refused}"
    );
    let (code, _) = target
        .apply(&apply("chart", ""), &deployment(json!(0), "i:9"))
        .await;
    assert_eq!(code, 200, "the same value is no conflict");
    // A dry run tells what force would do and does nothing.
    let (code, tried) = target
        .apply(
            &apply("chart", "&force=true&dryRun=All"),
            &deployment(json!(0), "i:2"),
        )
        .await;
    assert_eq!(
        (
            code,
            &tried["spec"]["template"]["spec"]["containers"][0]["image"]
        ),
        (200, &json!("i:2"))
    );
    let seen = target.get(&path).await;
    assert_eq!(
        seen["spec"]["template"]["spec"]["containers"][0]["image"],
        "i:9"
    );
    // What the chart no longer applies goes, what others set stays.
    let mut fewer = deployment(Value::Null, "i:9");
    fewer["metadata"] = json!({ "name": "web" });
    let containers = &mut fewer["spec"]["template"]["spec"]["containers"][0];
    containers
        .as_object_mut()
        .expect("a container")
        .remove("env");
    let (code, left) = target.apply(&apply("chart", ""), &fewer).await;
    assert_eq!(code, 200, "{left}");
    assert_eq!(left["metadata"]["labels"], json!({ "by": "hand" }));
    assert_eq!(left["spec"]["minReadySeconds"], 3);
    assert!(
        left["spec"]["template"]["spec"]["containers"][0]["env"].is_null(),
        "{left}"
    );
    // The status has owners of its own.
    let status = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "status": { "conditions": [{ "type": "Odd", "status": "True" }] },
    });
    let (code, seen) = target
        .apply(
            &format!("{path}/status?fieldManager=watcher&force=true"),
            &status,
        )
        .await;
    assert_eq!(code, 200, "{seen}");
    assert!(
        managers(&seen).contains(&"watcher Apply status".to_owned()),
        "{:?}",
        managers(&seen)
    );
    // An object that is applied with the identity of another is not made.
    let mut other = deployment(json!(0), "i:1");
    other["metadata"] = json!({ "name": "other", "uid": "00000000-0000-0000-0000-000000000000" });
    let (code, refused) = target
        .apply(&path.replace("/web", "/other?fieldManager=chart"), &other)
        .await;
    assert_eq!(
        (code, text(&refused["reason"])),
        (409, "Conflict"),
        "{refused}"
    );
    let wrong = config_map("else", json!({}));
    let (code, _) = target
        .apply(&format!("{}/a?fieldManager=m", maps(space)), &wrong)
        .await;
    assert_eq!(code, 400, "the names differ");
}

pub(super) async fn dry_run(target: &Target, space: &str) {
    let path = maps(space);
    let (code, made) = target
        .post(&format!("{path}?dryRun=All"), &config_map("a", json!({})))
        .await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(target.read(&format!("{path}/a")).await.0, 404);
    let apply = format!("{path}/a?fieldManager=m&dryRun=All");
    assert_eq!(
        target
            .apply(&apply, &config_map("a", json!({ "x": "1" })))
            .await
            .0,
        201
    );
    assert_eq!(target.read(&format!("{path}/a")).await.0, 404);
}
