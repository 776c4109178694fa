//! More promises: versions, locks by lease, ownership of fields, what `kubectl get` shows, bulk deletion.

use serde_json::{Value, json};

use super::bed::Target;
use super::conformance::{APPLY, JSON, MERGE, config_map, maps, read};
use crate::kubernetes::value::{array, name, text};

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
    target
        .send("POST", &maps(space), JSON, &config_map("a", json!({})))
        .await;
    let one = table(target, &path).await;
    assert_eq!(array(&one["rows"]).len(), 1);
}

/// Versions of objects and lists.
pub(super) async fn versions(target: &Target, space: &str) {
    let path = maps(space);
    let (_, first) = target
        .send("POST", &path, JSON, &config_map("a", json!({ "x": "1" })))
        .await;
    let version = |object: &Value| -> u64 {
        text(&object["metadata"]["resourceVersion"])
            .parse()
            .expect("versions are numbers here")
    };
    // A write that changes nothing makes no version.
    let (code, same) = target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "data": { "x": "1" } }),
        )
        .await;
    assert_eq!((code, version(&same)), (200, version(&first)));
    let (_, next) = target
        .send(
            "PATCH",
            &format!("{path}/a"),
            MERGE,
            &json!({ "data": { "x": "2" } }),
        )
        .await;
    assert!(version(&next) > version(&first));
    let list = target.get(&path).await;
    assert!(
        version(&list) >= version(&next),
        "a list is no older than what is in it"
    );
    // A version of the future, of no shape, of a lock that is lost, of an object that is to be made.
    for (query, code) in [
        ("resourceVersion=nonsense", 400),
        ("resourceVersionMatch=Exact", 422),
        ("labelSelector=a%3D%3D%3Db", 400),
        ("fieldSelector=spec.none%3Da", 400),
    ] {
        let (seen, answer) = target
            .send("GET", &format!("{path}?{query}"), "", &Value::Null)
            .await;
        assert_eq!(seen, code, "{query}: {answer}");
    }
    let mut stale = json!({ "metadata": { "resourceVersion": text(&first["metadata"]["resourceVersion"]) }, "data": { "x": "3" } });
    let (code, refused) = target
        .send("PATCH", &format!("{path}/a"), MERGE, &stale)
        .await;
    assert_eq!(
        (code, text(&refused["reason"])),
        (409, "Conflict"),
        "{refused}"
    );
    stale["metadata"]["name"] = json!("b");
    let (code, refused) = target.send("POST", &path, JSON, &stale).await;
    assert_eq!(code, 500, "{refused}");
    assert!(
        text(&refused["message"])
            .contains("resourceVersion should not be set on objects to be created"),
        "{refused}"
    );
    let precondition = json!({ "preconditions": { "resourceVersion": text(&first["metadata"]["resourceVersion"]) } });
    let (code, _) = target
        .send("DELETE", &format!("{path}/a"), JSON, &precondition)
        .await;
    assert_eq!(code, 409);
    // The version of a deletion is later than that of what was deleted.
    let query = format!("{path}?watch=true&resourceVersion={}", version(&next));
    let (code, _) = target
        .send("DELETE", &format!("{path}/a"), JSON, &Value::Null)
        .await;
    assert_eq!(code, 200);
    let events = read(target, &query, 1).await;
    assert_eq!(text(&events[0]["type"]), "DELETED");
    assert!(version(&events[0]["object"]) > version(&next));
}

/// A lock that two processes fight for.
pub(super) async fn leases(target: &Target, space: &str) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{space}/leases");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "lock" },
        "spec": {
            "holderIdentity": "one", "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
        },
    });
    let (code, made) = target.send("POST", &path, JSON, &lease).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
    assert_eq!(target.send("POST", &path, JSON, &lease).await.0, 409);
    let mut mine = made.clone();
    mine["spec"]["holderIdentity"] = json!("two");
    let named = format!("{path}/lock");
    assert_eq!(target.send("PUT", &named, JSON, &mine).await.0, 200);
    let mut theirs = made;
    theirs["spec"]["holderIdentity"] = json!("three");
    assert_eq!(target.send("PUT", &named, JSON, &theirs).await.0, 409);
    theirs["spec"]["renewTime"] = json!("yesterday");
    theirs["metadata"]["resourceVersion"] = Value::Null;
    let (code, refused) = target.send("PUT", &named, JSON, &theirs).await;
    assert_eq!(code, 400, "{refused}");
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
        .send(
            "PATCH",
            &apply("chart", ""),
            APPLY,
            &deployment(json!(0), "i:1"),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(managers(&made), ["chart Apply"]);
    // A scale takes the count away from whoever applied it.
    let scale = json!({ "spec": { "replicas": 0 } });
    let (code, _) = target
        .send(
            "PATCH",
            &format!("{path}/scale?fieldManager=scaler"),
            MERGE,
            &scale,
        )
        .await;
    assert_eq!(code, 200);
    let (_, edited) = target
        .send(
            "PATCH",
            &format!("{path}?fieldManager=hand"),
            MERGE,
            &json!({ "metadata": { "labels": { "by": "hand" } }, "spec": { "minReadySeconds": 3 } }),
        )
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
        .send(
            "PATCH",
            &apply("chart", ""),
            APPLY,
            &deployment(json!(0), "i:1"),
        )
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
        .send(
            "PATCH",
            &apply("chart", ""),
            APPLY,
            &deployment(json!(0), "i:9"),
        )
        .await;
    assert_eq!(code, 200, "the same value is no conflict");
    // A dry run tells what force would do and does nothing.
    let (code, tried) = target
        .send(
            "PATCH",
            &apply("chart", "&force=true&dryRun=All"),
            APPLY,
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
    let (code, left) = target
        .send("PATCH", &apply("chart", ""), APPLY, &fewer)
        .await;
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
        .send(
            "PATCH",
            &format!("{path}/status?fieldManager=watcher&force=true"),
            APPLY,
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
        .send(
            "PATCH",
            &path.replace("/web", "/other?fieldManager=chart"),
            APPLY,
            &other,
        )
        .await;
    assert_eq!(
        (code, text(&refused["reason"])),
        (409, "Conflict"),
        "{refused}"
    );
    let wrong = config_map("else", json!({}));
    let (code, _) = target
        .send(
            "PATCH",
            &format!("{}/a?fieldManager=m", maps(space)),
            APPLY,
            &wrong,
        )
        .await;
    assert_eq!(code, 400, "the names differ");
}

/// Many at once.
pub(super) async fn collections(target: &Target, space: &str) {
    let path = maps(space);
    for (object, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut map = config_map(object, json!({}));
        map["metadata"]["labels"] = json!({ "tier": tier, "suite": "collections" });
        target.send("POST", &path, JSON, &map).await;
    }
    let (code, _) = target
        .send(
            "DELETE",
            &format!("{path}?labelSelector=tier%3Dx"),
            JSON,
            &Value::Null,
        )
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

/// Nodes: cordoned, tainted, leased; pods of daemons are on each of them.
pub(super) async fn nodes(target: &Target, _: &str) {
    let path = "/api/v1/nodes/wrk-1";
    let (code, cordoned) = target
        .send(
            "PATCH",
            path,
            MERGE,
            &json!({ "spec": { "unschedulable": true } }),
        )
        .await;
    assert_eq!(code, 200, "{cordoned}");
    let cordon = |seen: &Value| {
        array(&seen["spec"]["taints"])
            .iter()
            .any(|taint| taint["key"] == "node.kubernetes.io/unschedulable")
    };
    target.until(path, cordon).await;
    target
        .send(
            "PATCH",
            path,
            MERGE,
            &json!({ "spec": { "unschedulable": null } }),
        )
        .await;
    target.until(path, |seen| !cordon(seen)).await;
    let leases = target
        .get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        .await;
    assert_eq!(array(&leases["items"]).len(), 6);
    let member = target.get("/api/v1/nodes/cp-1").await;
    assert_eq!(
        member["metadata"]["labels"]["node-role.kubernetes.io/control-plane"],
        ""
    );
    let taints: Vec<&str> = array(&member["spec"]["taints"])
        .iter()
        .map(|taint| text(&taint["key"]))
        .collect();
    assert_eq!(taints, ["node-role.kubernetes.io/control-plane"]);
    assert_eq!(member["status"]["nodeInfo"]["kubeletVersion"], "v1.36.3");
    let pod = target
        .get("/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1")
        .await;
    assert!(
        !text(&pod["metadata"]["annotations"]["kubernetes.io/config.mirror"]).is_empty(),
        "{pod}"
    );
}
