//! Kinds of one's own, and kinds with a life of their own.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::definition_of;
use crate::kubernetes::value::{array, text};

const GROUP: &str = "promise.example";

fn definition() -> Value {
    let spec = json!({
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
    });
    definition_of(GROUP, &spec, &json!({ "status": {} }))
}

pub(super) async fn custom_kinds(target: &Target, space: &str) {
    target.define(&definition(), space).await;
    let path = format!("/apis/promise.example/v1/namespaces/{space}/things");
    let thing = json!({
        "apiVersion": "promise.example/v1", "kind": "Thing", "metadata": { "name": "a" },
        "spec": { "size": 1, "unknown": true }, "status": { "phase": "ignored" },
    });
    let (code, refused) = target
        .post(&format!("{path}?fieldValidation=Strict"), &thing)
        .await;
    assert_eq!(code, 400, "{refused}");
    let (code, made) = target.post(&path, &thing).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["spec"], json!({ "size": 1, "mode": "auto" }));
    assert_eq!(made["status"], Value::Null);
    assert_eq!(made["metadata"]["generation"], 1);
    let status = json!({ "status": { "phase": "Ready" }, "spec": { "size": 7 } });
    let (code, seen) = target.merge(&format!("{path}/a/status"), &status).await;
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
        .merge(&format!("{path}/a"), &json!({ "spec": { "size": 2 } }))
        .await;
    assert_eq!(seen["metadata"]["generation"], 2);
    assert_eq!(seen["status"]["phase"], "Ready");
    let (code, refused) = target
        .merge(&format!("{path}/a"), &json!({ "spec": { "size": "big" } }))
        .await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    for (manager, port) in [("one", "web"), ("two", "admin")] {
        let object = json!({
            "apiVersion": "promise.example/v1", "kind": "Thing", "metadata": { "name": "a" },
            "spec": { "ports": [{ "name": port, "port": 80 }] },
        });
        let (code, seen) = target
            .apply(&format!("{path}/a?fieldManager={manager}"), &object)
            .await;
        assert_eq!(code, 200, "{seen}");
    }
    let seen = target.get(&format!("{path}/a")).await;
    assert_eq!(
        array(&seen["spec"]["ports"]).len(),
        2,
        "the list merges by its key"
    );
    let odd = json!({
        "apiVersion": "promise.example/v1", "kind": "Thing", "metadata": { "name": "a" },
        "spec": { "colour": "blue" },
    });
    let (code, refused) = target
        .apply(&format!("{path}/a?fieldManager=one"), &odd)
        .await;
    assert_eq!(code, 500, "{refused}");
    assert!(
        text(&refused["message"]).contains(".spec.colour: field not declared in schema"),
        "{refused}"
    );
    // An update says which version it changes.
    let (_, seen) = target.read(&format!("{path}/a")).await;
    let mut blind = seen.clone();
    blind["metadata"]["resourceVersion"] = Value::Null;
    let (code, refused) = target.put(&format!("{path}/a"), &blind).await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    assert!(
        text(&refused["message"]).contains("must be specified for an update"),
        "{refused}"
    );
    assert_eq!(target.put(&format!("{path}/a"), &seen).await.0, 200);
    let (code, refused) = target
        .strategic(&format!("{path}/a"), &json!({ "spec": { "size": 3 } }))
        .await;
    assert_eq!(
        (code, text(&refused["reason"])),
        (415, "UnsupportedMediaType")
    );
    target.undefine(GROUP).await;
    target.until_gone(&path).await;
}

/// A kind of one's own that can be scaled.
pub(super) async fn scaled_kinds(target: &Target, space: &str) {
    let group = "scaled.promise.example";
    let spec = json!({ "type": "object", "properties": { "count": { "type": "integer" } } });
    let subresources = json!({
        "status": {},
        "scale": { "specReplicasPath": ".spec.count", "statusReplicasPath": ".status.replicas" },
    });
    let definition = definition_of(group, &spec, &subresources);
    target.define(&definition, space).await;
    let path = format!("/apis/{group}/v1/namespaces/{space}/things");
    let thing = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": { "name": "a" },
        "spec": { "count": 2 },
    });
    target.make(&path, &thing).await;
    let scale = target.get(&format!("{path}/a/scale")).await;
    assert_eq!(scale["kind"], "Scale", "{scale}");
    assert_eq!(scale["spec"]["replicas"], 2);
    let (code, scale) = target
        .merge(
            &format!("{path}/a/scale"),
            &json!({ "spec": { "replicas": 5 } }),
        )
        .await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(5)));
    let seen = target.get(&format!("{path}/a")).await;
    assert_eq!(seen["spec"]["count"], 5);
    assert_eq!(seen["metadata"]["generation"], 2);
    target.undefine(group).await;
}

pub(super) async fn reviews(target: &Target, space: &str) {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "create", "resource": "pods", "namespace": space } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (code, answer) = target.post(path, &review).await;
    assert_eq!(
        (code, answer["status"]["allowed"].clone()),
        (201, json!(true))
    );
}

pub(super) async fn secrets_and_services(target: &Target, space: &str) {
    let secret = json!({ "metadata": { "name": "a" }, "stringData": { "x": "hello" } });
    let (_, made) = target
        .post(&format!("/api/v1/namespaces/{space}/secrets"), &secret)
        .await;
    assert_eq!(
        (&made["data"]["x"], &made["type"]),
        (&json!("aGVsbG8="), &json!("Opaque"))
    );
    let service = json!({ "metadata": { "name": "a" }, "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }] } });
    let path = format!("/api/v1/namespaces/{space}/services");
    let (code, made) = target.post(&path, &service).await;
    assert_eq!(code, 201, "{made}");
    assert!(text(&made["spec"]["clusterIP"]).contains('.'), "{made}");
    assert!(
        made["spec"]["ports"][0]["nodePort"].as_i64() >= Some(30_000),
        "{made}"
    );
    assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
}
