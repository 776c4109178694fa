//! What reads answer: discovery, lists, watches, tables.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::{config_map, maps};
use crate::kubernetes::value::{array, name, text};

pub(super) async fn discovery(target: &Target, _: &str) {
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
    assert_eq!(target.read("/apis/none.example/v1").await.0, 404);
    assert!(text(&target.get("/version").await["gitVersion"]).starts_with("v1."));
}

pub(super) async fn lists(target: &Target, space: &str) {
    let path = maps(space);
    for (name, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut object = config_map(name, json!({}));
        object["metadata"]["labels"] = json!({ "tier": tier, "suite": "lists" });
        target.post(&path, &object).await;
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

/// Many at once.
pub(super) async fn collections(target: &Target, space: &str) {
    let path = maps(space);
    for (object, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut map = config_map(object, json!({}));
        map["metadata"]["labels"] = json!({ "tier": tier, "suite": "collections" });
        target.post(&path, &map).await;
    }
    let (code, _) = target
        .delete(&format!("{path}?labelSelector=tier%3Dx"))
        .await;
    assert_eq!(code, 200);
    let left = target
        .get(&format!("{path}?labelSelector=suite%3Dcollections"))
        .await;
    let names: Vec<&str> = array(&left["items"]).iter().map(name).collect();
    assert_eq!(names, ["c"]);
    // Lists of a kind over all namespaces, and of metadata alone.
    let all = target
        .get("/api/v1/configmaps?labelSelector=suite%3Dcollections")
        .await;
    assert_eq!(array(&all["items"]).len(), 1);
    let request = target.client.get(format!("{}{path}/c", target.url)).header(
        "accept",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
    );
    let answer = request.send().await.expect("the server answers");
    let seen: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    assert_eq!(seen["kind"], "PartialObjectMetadata");
    assert!(seen["data"].is_null(), "{seen}");
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

pub(super) async fn watches(target: &Target, space: &str) {
    let path = maps(space);
    let before = target.get(&path).await;
    let version = text(&before["metadata"]["resourceVersion"]);
    for (name, labels) in [("a", json!({ "w": "1" })), ("b", json!({}))] {
        let mut object = config_map(name, json!({}));
        object["metadata"]["labels"] = labels;
        target.post(&path, &object).await;
    }
    // Leaving the selector is a deletion to the watch.
    target
        .merge(&format!("{path}/a"), &json!({ "data": { "x": "1" } }))
        .await;
    target
        .merge(
            &format!("{path}/a"),
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

async fn table(target: &Target, path: &str) -> Value {
    let request = target.client.get(format!("{}{path}", target.url)).header(
        "accept",
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    );
    let answer = request.send().await.expect("the server answers");
    let text = answer.text().await.expect("the answer is text");
    serde_json::from_str(&text).expect("the answer is JSON")
}

fn titles(table: &Value) -> Vec<&str> {
    array(&table["columnDefinitions"])
        .iter()
        .filter(|column| column["priority"] == 0)
        .map(|column| text(&column["name"]))
        .collect()
}

pub(super) async fn tables(target: &Target, space: &str) {
    target
        .post(&maps(space), &config_map("a", json!({ "x": "1" })))
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

/// The columns of the kinds that people look at, and what stands in a cell.
pub(super) async fn columns(target: &Target, space: &str) {
    for (path, wanted) in [
        ("/api/v1/nodes", "NAME STATUS ROLES AGE VERSION"),
        (
            "/api/v1/namespaces/kube-system/pods",
            "NAME READY STATUS RESTARTS AGE",
        ),
        (
            "/api/v1/namespaces/kube-system/services",
            "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE",
        ),
        (
            "/apis/apps/v1/namespaces/kube-system/deployments",
            "NAME READY UP-TO-DATE AVAILABLE AGE",
        ),
        (
            "/apis/apps/v1/namespaces/kube-system/daemonsets",
            "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE",
        ),
        ("/api/v1/namespaces", "NAME STATUS AGE"),
        ("/api/v1/secrets", "NAME TYPE DATA AGE"),
        (
            "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
            "NAME HOLDER AGE",
        ),
    ] {
        let table = table(target, path).await;
        let titles = titles(&table).join(" ").to_uppercase();
        assert_eq!(titles, wanted, "{path}");
    }
    let nodes = table(target, "/api/v1/nodes").await;
    let row = array(&nodes["rows"])
        .iter()
        .find(|row| row["cells"][0] == "cp-1")
        .expect("the node is listed");
    assert_eq!(row["cells"][1], "Ready");
    assert_eq!(row["cells"][2], "control-plane");
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    let path = format!("{}/a", maps(space));
    target.post(&maps(space), &config_map("a", json!({}))).await;
    let one = table(target, &path).await;
    assert_eq!(array(&one["rows"]).len(), 1);
}
