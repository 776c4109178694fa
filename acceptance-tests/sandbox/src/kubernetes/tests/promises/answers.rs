//! How answers are cut, chosen and encoded: pages, selectors, metadata alone, protobuf, the ends of watches.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::{config_map, definition_of, maps};
use crate::kubernetes::value::{array, name, text};

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

async fn some_maps(target: &Target, space: &str, names: &[&str]) {
    for name in names {
        target
            .make(&maps(space), &config_map(name, json!({ "a": "1" })))
            .await;
    }
}

fn names(list: &Value) -> Vec<&str> {
    array(&list["items"]).iter().map(name).collect()
}

/// Pages show one moment, whatever is written in between.
pub(super) async fn pages(target: &Target, space: &str) {
    let path = maps(space);
    some_maps(target, space, &["a", "b", "c"]).await;
    let first = target.get(&format!("{path}?limit=2")).await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2, "{first}");
    some_maps(target, space, &["bb"]).await;
    target.delete(&format!("{path}/c")).await;
    let token = text(&first["metadata"]["continue"]);
    let rest = target
        .get(&format!("{path}?limit=2&continue={token}"))
        .await;
    assert_eq!(names(&rest), ["c", "kube-root-ca.crt"], "as it was");
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert!(rest["metadata"]["remainingItemCount"].is_null(), "{rest}");
    // With a selector nobody knows how many remain.
    let chosen = target
        .get(&format!(
            "{path}?limit=1&fieldSelector=metadata.name%21%3Dbb"
        ))
        .await;
    assert!(chosen["metadata"]["remainingItemCount"].is_null());
    for query in ["continue=nonsense", "limit=few"] {
        let (code, refused) = target.read(&format!("{path}?{query}")).await;
        assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    }
}

/// Fields that lists and watches choose by.
pub(super) async fn selectors(target: &Target, space: &str) {
    let pods = format!("/api/v1/namespaces/{space}/pods");
    for (name, node) in [("on-one", "wrk-1"), ("on-two", "wrk-2")] {
        let pod = json!({
            "metadata": { "name": name, "labels": { "tier": name } },
            "spec": { "nodeName": node, "containers": [{ "name": "c", "image": "i:1" }] },
        });
        target.make(&pods, &pod).await;
    }
    target
        .until(
            &format!("{pods}?fieldSelector=status.phase%3DRunning"),
            |list| names(list) == ["on-one", "on-two"],
        )
        .await;
    for (query, wanted) in [
        ("fieldSelector=spec.nodeName%3Dwrk-1", &["on-one"][..]),
        ("fieldSelector=spec.nodeName%21%3Dwrk-1", &["on-two"]),
        (
            "fieldSelector=spec.nodeName%3Dwrk-1%2Cstatus.phase%21%3DRunning",
            &[],
        ),
        ("labelSelector=tier%20notin%20(on-one)", &["on-two"]),
        ("labelSelector=%21tier", &[]),
        ("labelSelector=tier", &["on-one", "on-two"]),
        (
            "labelSelector=tier%3Don-one&fieldSelector=metadata.name%3Don-two",
            &[],
        ),
    ] {
        let list = target.get(&format!("{pods}?{query}")).await;
        assert_eq!(names(&list), wanted, "{query}");
    }
    let secrets = format!("/api/v1/namespaces/{space}/secrets");
    for (name, kind) in [("plain", "Opaque"), ("odd", "suite.example/odd")] {
        let secret = json!({ "metadata": { "name": name }, "type": kind });
        target.make(&secrets, &secret).await;
    }
    let odd = target
        .get(&format!("{secrets}?fieldSelector=type%3Dsuite.example/odd"))
        .await;
    assert_eq!(names(&odd), ["odd"]);
    let (code, _) = target
        .read(&format!("{pods}?labelSelector=tier%20near%20(x)"))
        .await;
    assert_eq!(code, 400);
}

/// Metadata without the rest: one object, lists, watches.
pub(super) async fn metadata_only(target: &Target, space: &str) {
    let path = maps(space);
    some_maps(target, space, &["a"]).await;
    let (code, kind, body) = target
        .accept(
            &format!("{path}?fieldSelector=metadata.name%3Da"),
            METADATA_LIST,
        )
        .await;
    assert_eq!((code, kind.as_str()), (200, JSON));
    let list: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["apiVersion"], "meta.k8s.io/v1");
    let item = &list["items"][0];
    assert_eq!(item["kind"], "PartialObjectMetadata");
    assert_eq!(item["metadata"]["name"], "a");
    assert!(item["data"].is_null(), "{item}");
    for other in [METADATA, "application/json;as=Nothing;g=meta.k8s.io;v=v1"] {
        assert_eq!(target.accept(&path, other).await.0, 406, "{other}");
    }
    let (code, _, body) = target.accept(&format!("{path}/a"), METADATA).await;
    let one: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((code, &one["kind"]), (200, &json!("PartialObjectMetadata")));
    // The first of several that the server can do.
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let several = format!("text/html,{table},{METADATA},*/*");
    let (code, _, body) = target.accept(&format!("{path}/a"), &several).await;
    let one: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((code, &one["kind"]), (200, &json!("Table")));
}

/// Protobuf is for the kinds of Kubernetes itself; the rest speaks JSON, and nobody speaks anything else.
pub(super) async fn encodings(target: &Target, space: &str) {
    let path = maps(space);
    some_maps(target, space, &["a"]).await;
    let (code, _, _) = target.accept(&path, "text/html").await;
    assert_eq!(code, 406);
    let (code, kind, body) = target
        .accept(&path, &format!("{PROTOBUF},application/json"))
        .await;
    assert_eq!(code, 200);
    // A server may decline and answer in the other one; what it says must be what it does.
    assert_eq!(kind == PROTOBUF, body.starts_with(b"k8s\0"), "{kind}");
    let group = "encodings.promise.example";
    let spec = json!({ "type": "object", "properties": {} });
    target
        .define(&definition_of(group, &spec, &json!({})), space)
        .await;
    let things = format!("/apis/{group}/v1/namespaces/{space}/things");
    let (code, _, _) = target.accept(&things, PROTOBUF).await;
    assert_eq!(code, 406, "custom kinds have no protobuf");
    let (code, kind, _) = target
        .accept(&things, &format!("{PROTOBUF},application/json"))
        .await;
    assert_eq!((code, kind.as_str()), (200, JSON));
    target.undefine(group).await;
}

/// Watches end when they are told to, and say when they cannot begin.
pub(super) async fn ends_of_watches(target: &Target, space: &str) {
    let path = maps(space);
    some_maps(target, space, &["a"]).await;
    // From a version that is still to come.
    let (code, refused) = target
        .read(&format!("{path}?resourceVersion=999999999"))
        .await;
    assert_eq!((code, text(&refused["reason"])), (504, "Timeout"));
    // For a second.
    let short = format!("{path}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Da");
    let (code, text) = target.read(&short).await;
    assert_eq!(code, 200);
    assert_eq!(text["type"], "ADDED", "what is there comes first: {text}");
    // A table of each event, as `kubectl get --watch` asks for.
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (code, _, body) = target.accept(&short, table).await;
    let event: Value = serde_json::from_slice(&body).expect("one event");
    assert_eq!((code, &event["object"]["kind"]), (200, &json!("Table")));
    assert_eq!(event["object"]["rows"][0]["cells"][0], "a");
}
