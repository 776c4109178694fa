//! The client against a small API server over TLS on loopback.

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::Bench;
use helm::{
    Cluster as _, ClusterError, DeleteOptions, Deleted, ListQuery, ObjectRef, Patch, WriteOptions,
};
use kubernetes::{
    ConfigMap, DrainOptions, Effect, Error, Freshness, LeaseOptions, NodeChange, Taint,
};
use serde_json::{Value, json};

fn missing(name: &str) -> Value {
    json!({"kind": "Status", "reason": "NotFound", "message": "not found", "details": {"name": name}})
}

fn stale() -> Value {
    json!({"kind": "Status", "reason": "Conflict", "message": "the object has been modified"})
}

fn node(version: &str, labels: Value) -> Value {
    json!({"metadata": {"name": "alpha-w-1", "uid": "u", "resourceVersion": version, "labels": labels}})
}

fn secret(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "labels": {"owner": "helm", "name": name}}})
}

#[tokio::test]
async fn members_are_dialled_until_one_accepts_and_that_one_is_kept() {
    let bench = Bench::with(
        |_| {
            (
                200,
                json!({"gitVersion": "v1.36.2", "major": "1", "minor": "36"}),
            )
        },
        &["127.0.0.2", "127.0.0.3"],
        &["127.0.0.2", "127.0.0.3"],
        true,
    )
    .await;
    for _ in 0..3 {
        let version = bench
            .client
            .version(&bench.cancel)
            .await
            .expect("a version");
        assert_eq!(version.git_version, "v1.36.2");
    }
    let members = bench.members();
    assert_eq!(members.len(), 3);
    assert!(
        members.iter().all(|member| *member == members[0]),
        "{members:?}"
    );
    assert_eq!(*bench.minted.lock().expect("no panic"), 1);
}

#[tokio::test]
async fn a_member_whose_certificate_names_another_is_passed_over() {
    let bench = Bench::with(
        |_| (200, json!("ok")),
        &["127.0.0.2", "127.0.0.3"],
        &["127.0.0.3"],
        true,
    )
    .await;
    assert!(bench.client.ready(&bench.cancel).await.expect("an answer"));
    assert_eq!(bench.members(), ["127.0.0.3"]);
}

#[tokio::test]
async fn a_cluster_that_nobody_answers_for_is_unreachable_by_name() {
    let bench = Bench::with(|_| (200, json!({})), &["127.0.0.2"], &[], true).await;
    let error = bench
        .client
        .nodes(Freshness::Now, &bench.cancel)
        .await
        .expect_err("nobody");
    assert!(error.is_unreachable(), "{error}");
    assert_eq!(error.to_string(), "list nodes: no answer from the cluster");
    assert!(bench.lines().is_empty());
}

#[tokio::test]
async fn reads_are_repeated_and_writes_whose_answer_is_lost_are_not() {
    let count = AtomicU32::new(0);
    let bench = Bench::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => (503, json!("starting")),
        1 => (0, json!(null)),
        2 => (200, json!({"data": {"a": "1"}})),
        _ => (0, json!(null)),
    })
    .await;
    let (client, cancel) = (&bench.client, &bench.cancel);
    let map = client
        .config_map("kube-system", "x", cancel)
        .await
        .expect("a map");
    assert_eq!(map.expect("there").data["a"], "1");
    assert_eq!(bench.lines().len(), 3);
    let map = ConfigMap::default();
    let error = client
        .write_config_map("kube-system", "x", &map, cancel)
        .await;
    assert!(error.expect_err("lost").is_unreachable());
    let lines = bench.lines();
    assert_eq!(
        lines[3..],
        [
            "PATCH /api/v1/namespaces/kube-system/configmaps/x?fieldManager=managedk8s&force=true&fieldValidation=Strict"
        ]
    );
    let calls = bench.calls.lock().expect("no panic");
    assert_eq!(calls[3].content_type, "application/apply-patch+yaml");
}

#[tokio::test]
async fn a_certificate_is_minted_again_before_it_ends() {
    let bench = Bench::new(|_| (200, json!("ok"))).await;
    for (pass, minted) in [(0, 1), (8, 1), (2, 2)] {
        bench.clock.advance(Duration::from_mins(pass));
        bench.client.ready(&bench.cancel).await.expect("an answer");
        assert_eq!(*bench.minted.lock().expect("no panic"), minted);
    }
}

#[tokio::test]
async fn pages_are_joined_filled_in_and_read_anew_when_they_are_too_old() {
    let gone = AtomicU32::new(0);
    let bench = Bench::new(move |call| {
        if !call.line.contains("continue=") {
            return (
                200,
                json!({"metadata": {"continue": "t"}, "items": [secret("a", "one")]}),
            );
        }
        if gone.fetch_add(1, Ordering::SeqCst) == 0 {
            return (410, json!({"kind": "Status", "reason": "Expired"}));
        }
        (200, json!({"metadata": {}, "items": [secret("b", "two")]}))
    })
    .await;
    let query = ListQuery {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: None,
        labels: "owner=helm".into(),
    };
    let items = bench
        .client
        .list(&query, &bench.cancel)
        .await
        .expect("a list");
    let names: Vec<_> = items
        .iter()
        .map(|item| item["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(
        (&items[1]["apiVersion"], &items[1]["kind"]),
        (&json!("v1"), &json!("Secret"))
    );
    assert_eq!(
        bench.lines()[0],
        "GET /api/v1/secrets?labelSelector=owner%3Dhelm&limit=500"
    );
    assert_eq!(bench.lines().len(), 4);
}

#[tokio::test]
async fn discovery_is_two_calls_where_the_server_aggregates() {
    let bench = Bench::new(|call| match call.line.as_str() {
        "GET /api" => (200, json!({"kind": "APIGroupDiscoveryList", "items": []})),
        "GET /apis" => (
            200,
            json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "metallb.io"},
                "versions": [{"version": "v1beta1", "resources": [{"resource": "ipaddresspools",
                    "responseKind": {"kind": "IPAddressPool"}, "scope": "Namespaced",
                    "verbs": ["get", "list"]}]}]}]}),
        ),
        _ => (404, missing("pool")),
    })
    .await;
    let pool = ObjectRef::namespaced("metallb.io/v1beta1", "IPAddressPool", "lb", "pool");
    for _ in 0..2 {
        let found = bench
            .client
            .get(&pool, &bench.cancel)
            .await
            .expect("an answer");
        assert_eq!(found, None);
    }
    assert_eq!(
        bench.lines()[2..],
        ["GET /apis/metallb.io/v1beta1/namespaces/lb/ipaddresspools/pool"; 2]
    );
    let other = ObjectRef::cluster("x.io/v1", "Other", "o");
    let error = bench
        .client
        .get(&other, &bench.cancel)
        .await
        .expect_err("unknown");
    assert!(matches!(error, ClusterError::UnknownKind { .. }), "{error}");
    bench.client.forget_discovery().await;
    bench.client.discovery(&bench.cancel).await.expect("again");
    assert_eq!(bench.lines().len(), 6);
}

#[tokio::test]
async fn discovery_reads_each_version_where_the_server_does_not_aggregate() {
    let bench = Bench::new(|call| match call.line.as_str() {
        "GET /api" => (200, json!({"kind": "APIVersions", "versions": ["v1"]})),
        "GET /apis" => (
            200,
            json!({"kind": "APIGroupList", "groups": [
                {"name": "apps", "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                    "preferredVersion": {"version": "v1"}},
                {"name": "away", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}}]}),
        ),
        "GET /api/v1" => (
            200,
            json!({"resources": [{"name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["get"]},
                {"name": "pods/log", "kind": "Pod", "namespaced": true, "verbs": ["get"]}]}),
        ),
        "GET /apis/away/v1" => (404, json!("404 page not found")),
        _ => (200, json!({"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": true}]})),
    })
    .await;
    let discovery = bench
        .client
        .discovery(&bench.cancel)
        .await
        .expect("a discovery");
    let found: Vec<_> = discovery
        .resources
        .iter()
        .map(|resource| format!("{} {}", resource.api_version(), resource.plural))
        .collect();
    assert_eq!(
        found,
        ["v1 pods", "apps/v1 deployments", "apps/v1beta1 deployments"]
    );
}

#[tokio::test]
async fn objects_are_created_replaced_patched_and_deleted() {
    let bench = Bench::new(|call| {
        if call.line.starts_with("DELETE") {
            return (404, missing("x"));
        }
        (200, call.body.clone())
    })
    .await;
    let (client, cancel) = (&bench.client, &bench.cancel);
    let options = WriteOptions::default();
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "a"}});
    client
        .create(&object, &options, cancel)
        .await
        .expect("success");
    client
        .replace(&object, &options, cancel)
        .await
        .expect("success");
    let to = ObjectRef::of(&object).expect("complete");
    let patch = Patch::Json(json!([{"op": "remove", "path": "/data"}]));
    client
        .patch(&to, &patch, &options, cancel)
        .await
        .expect("success");
    let deleted = client.delete(&to, &DeleteOptions::default(), cancel).await;
    assert_eq!(deleted.expect("success"), Deleted::Absent);
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}});
    client
        .create(&object, &options, cancel)
        .await
        .expect("success");
    let write = "fieldManager=helm&fieldValidation=Strict";
    assert_eq!(
        bench.lines(),
        [
            format!("POST /api/v1/namespaces/a/secrets?{write}"),
            format!("PUT /api/v1/namespaces/a/secrets/x?{write}"),
            format!("PATCH /api/v1/namespaces/a/secrets/x?{write}"),
            "DELETE /api/v1/namespaces/a/secrets/x".to_owned(),
            format!("POST /api/v1/namespaces/default/pods?{write}"),
        ]
    );
    let calls = bench.calls.lock().expect("no panic");
    assert_eq!(calls[2].content_type, "application/json-patch+json");
    assert_eq!(calls[4].body["metadata"], json!({"generateName": "x-"}));
}

#[tokio::test]
async fn a_node_is_changed_under_its_version_and_left_alone_when_it_is_so() {
    let count = AtomicU32::new(0);
    let bench = Bench::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => (200, node("1", json!({}))),
        1 => (409, stale()),
        2 => (200, node("2", json!({}))),
        3 => (200, json!({})),
        _ => (200, node("3", json!({"pool": "default"}))),
    })
    .await;
    let change = NodeChange {
        labels: BTreeMap::from([("pool".into(), Some("default".into()))]),
        without_taints: vec![("x".into(), Effect::NoExecute)],
        ..NodeChange::default()
    };
    let (client, cancel) = (&bench.client, &bench.cancel);
    assert!(
        client
            .change_node("alpha-w-1", &change, cancel)
            .await
            .expect("written")
    );
    assert!(
        !client
            .change_node("alpha-w-1", &change, cancel)
            .await
            .expect("nothing to do")
    );
    let calls = bench.calls.lock().expect("no panic");
    assert_eq!(calls.len(), 5);
    assert_eq!(
        calls[3].body,
        json!({"metadata": {"labels": {"pool": "default"}, "resourceVersion": "2"}})
    );
    assert_eq!(calls[3].content_type, "application/merge-patch+json");
}

#[tokio::test]
async fn nodes_are_waited_for_with_one_list_a_look_and_the_last_lack_is_told() {
    let count = AtomicU32::new(0);
    let bench = Bench::new(move |_| {
        let ready = count.fetch_add(1, Ordering::SeqCst) >= 3;
        let status = if ready { "True" } else { "False" };
        let conditions = json!([{"type": "Ready", "status": status, "message": "no CNI"}]);
        (
            200,
            json!({"items": [{"metadata": {"name": "n"}, "status": {"conditions": conditions}}]}),
        )
    })
    .await;
    let (client, cancel) = (&bench.client, &bench.cancel);
    let all_ready = |nodes: &[kubernetes::Node]| {
        let late = nodes.iter().find(|node| !node.ready);
        late.map_or(Ok(()), |node| {
            Err(format!("{}: {}", node.name, node.reason))
        })
    };
    let limit = Duration::from_mins(5);
    let nodes = client
        .wait_for_nodes("nodes are not ready", limit, cancel, all_ready)
        .await;
    assert!(nodes.expect("ready")[0].ready);
    assert_eq!(bench.lines().len(), 4);
    let never = |_: &[kubernetes::Node]| Err("2 of 3 nodes".to_owned());
    let error = client
        .wait_for_nodes("nodes are not ready", limit, cancel, never)
        .await;
    let error = error.expect_err("never").to_string();
    assert!(error.starts_with("nodes are not ready after 30"), "{error}");
    assert!(error.ends_with("last seen: 2 of 3 nodes"), "{error}");
}

#[tokio::test]
async fn resources_of_one_plan_share_the_list_of_nodes() {
    let bench = Bench::new(|_| (200, json!({"items": []}))).await;
    let within = Freshness::Within(Duration::from_secs(30));
    let (client, cancel) = (&bench.client, &bench.cancel);
    for freshness in [within, within, Freshness::Now, within] {
        client.nodes(freshness, cancel).await.expect("a list");
    }
    assert_eq!(bench.lines().len(), 2);
    client.delete_node("x", cancel).await.expect("success");
    client.nodes(within, cancel).await.expect("a list");
    assert_eq!(bench.lines().len(), 4);
}

#[tokio::test]
async fn a_drain_waits_for_budgets_and_leaves_daemons() {
    let lists = AtomicU32::new(0);
    let bench = Bench::new(move |call| {
        let pod = |name: &str, kind: &str, terminating: bool| {
            let mut pod = json!({"metadata": {"name": name, "namespace": "a", "uid": name,
                "ownerReferences": [{"kind": kind, "controller": true}]}});
            if terminating {
                pod["metadata"]["deletionTimestamp"] = json!("2023-11-14T22:13:20Z");
            }
            pod
        };
        let daemon = pod("d", "DaemonSet", false);
        if call.line.contains("/pods?") {
            let items = match lists.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => json!([pod("web", "ReplicaSet", false), daemon]),
                2 => json!([pod("web", "ReplicaSet", true), daemon]),
                _ => json!([daemon]),
            };
            return (200, json!({"items": items}));
        }
        if call.line.ends_with("/eviction") {
            if lists.load(Ordering::SeqCst) == 1 {
                return (
                    429,
                    json!({"kind": "Status", "message": "Cannot evict pod", "details": {"causes":
                        [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2"}]}}),
                );
            }
            return (201, json!({}));
        }
        (200, node("1", json!({})))
    })
    .await;
    let options = DrainOptions {
        limit: Duration::from_mins(10),
        give_up_on_terminating: None,
    };
    let drained = bench
        .client
        .drain("alpha-w-1", &options, &bench.cancel)
        .await;
    let drained = drained.expect("drained");
    assert_eq!((drained.evicted, drained.staying), (1, 1));
    let lines = bench.lines();
    assert_eq!(lines[0], "GET /api/v1/nodes/alpha-w-1");
    assert!(lines[1].starts_with("PATCH /api/v1/nodes/alpha-w-1?"));
    assert_eq!(
        lines[2],
        "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dalpha-w-1&limit=500"
    );
    let evictions = lines
        .iter()
        .filter(|line| line.ends_with("/pods/web/eviction"));
    assert_eq!(evictions.count(), 2);
}

#[tokio::test]
async fn a_drain_that_does_not_end_names_who_blocks_it_and_a_dead_kubelet_does_not_block() {
    let bench = Bench::new(move |call| {
        if call.line.contains("/pods?") {
            return (
                200,
                json!({"items": [{"metadata": {"name": "web", "namespace": "a", "uid": "1",
                    "deletionTimestamp": "2023-11-14T22:13:20Z"}}]}),
            );
        }
        let mut cordoned = node("1", json!({}));
        cordoned["spec"] = json!({"unschedulable": true});
        (200, cordoned)
    })
    .await;
    let mut options = DrainOptions {
        limit: Duration::from_mins(1),
        give_up_on_terminating: None,
    };
    let (client, cancel) = (&bench.client, &bench.cancel);
    let error = client
        .drain("alpha-w-1", &options, cancel)
        .await
        .expect_err("blocked");
    assert_eq!(
        error.to_string(),
        "node alpha-w-1 is not drained after 60 s: pod a/web: terminating"
    );
    // One minute has passed on the test's clock, whose time of day began at that timestamp.
    options.give_up_on_terminating = Some(Duration::from_secs(30));
    client
        .drain("alpha-w-1", &options, cancel)
        .await
        .expect("drained");
}

#[tokio::test]
async fn a_node_that_does_not_exist_is_drained() {
    let bench = Bench::new(|_| (404, missing("alpha-w-9"))).await;
    let options = DrainOptions {
        limit: Duration::from_mins(1),
        give_up_on_terminating: None,
    };
    let drained = bench
        .client
        .drain("alpha-w-9", &options, &bench.cancel)
        .await;
    assert_eq!(drained.expect("drained").evicted, 0);
    assert_eq!(bench.lines(), ["GET /api/v1/nodes/alpha-w-9"]);
}

fn lease(holder: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata":
        {"name": "managedk8s", "namespace": "kube-system", "resourceVersion": "5"}, "spec": {"holderIdentity": holder,
        "leaseDurationSeconds": 30, "acquireTime": "2020-01-01T00:00:00.000000Z", "renewTime": "2020-01-01T00:00:00.000000Z", "leaseTransitions": 2}})
}

fn options(limit: u64) -> LeaseOptions {
    LeaseOptions {
        holder: "runner-1".into(),
        duration: Duration::from_secs(30),
        limit: Duration::from_secs(limit),
    }
}

#[tokio::test]
async fn a_free_lease_is_taken_and_released() {
    let count = AtomicU32::new(0);
    let bench = Bench::with(
        move |call| match count.fetch_add(1, Ordering::SeqCst) {
            0 => (404, missing("managedk8s")),
            1 => (201, call.body.clone()),
            _ => (200, lease("runner-1")),
        },
        &["127.0.0.1"],
        &["127.0.0.1"],
        false,
    )
    .await;
    let guard = bench
        .client
        .acquire_lease(&options(60), &|_| {}, &bench.cancel)
        .await
        .expect("ours");
    assert!(!guard.lost().is_cancelled());
    guard.release(&bench.cancel).await.expect("success");
    let calls = bench.calls.lock().expect("no panic");
    assert_eq!(calls[1].body["spec"]["holderIdentity"], "runner-1");
    assert_eq!(
        calls[1].body["spec"]["renewTime"],
        "2023-11-14T22:13:20.000000Z"
    );
    assert_eq!(calls[3].body["spec"]["holderIdentity"], "");
    assert!(calls[3].line.starts_with("PUT "));
}

#[tokio::test]
async fn a_held_lease_is_waited_for_until_the_limit_or_until_its_holder_is_silent() {
    let bench = Bench::new(|call| {
        if call.line.starts_with("GET") {
            return (200, lease("runner-2"));
        }
        (200, call.body.clone())
    })
    .await;
    let told = Mutex::new(Vec::new());
    let error = bench
        .client
        .acquire_lease(
            &options(20),
            &|holder| told.lock().expect("no panic").push(holder.to_string()),
            &bench.cancel,
        )
        .await;
    assert!(
        matches!(&error, Err(Error::LeaseHeld { holder, .. }) if holder.starts_with("runner-2")),
        "{:?}",
        error.err()
    );
    assert_eq!(
        *told.lock().expect("no panic"),
        ["runner-2, since 2020-01-01T00:00:00.000000Z by its clock"],
        "told once, however often it was asked"
    );
    // The renewal time in the record is of 2020: it is not what counts.
    let before = bench.clock.passed();
    let guard = bench
        .client
        .acquire_lease(&options(60), &|_| {}, &bench.cancel)
        .await
        .expect("silent");
    drop(guard);
    let waited = bench.clock.passed().saturating_sub(before).as_secs();
    assert!(waited >= 30, "{waited}");
    let calls = bench.calls.lock().expect("no panic");
    let taken = calls
        .iter()
        .find(|call| call.line.starts_with("PUT"))
        .expect("taken");
    assert_eq!(taken.body["metadata"]["resourceVersion"], "5");
    assert_eq!(taken.body["spec"]["leaseTransitions"], 3);
}

#[tokio::test]
async fn a_lease_that_was_taken_over_is_reported() {
    let count = AtomicU32::new(0);
    let bench = Bench::with(
        move |call| match count.fetch_add(1, Ordering::SeqCst) {
            0 => (200, lease("")),
            1 => (200, call.body.clone()),
            _ => (200, lease("runner-2")),
        },
        &["127.0.0.1"],
        &["127.0.0.1"],
        false,
    )
    .await;
    let guard = bench
        .client
        .acquire_lease(&options(60), &|_| {}, &bench.cancel)
        .await
        .expect("ours");
    while bench.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    bench.clock.advance(Duration::from_secs(10));
    guard.lost().cancelled().await;
}

#[tokio::test]
async fn a_snapshot_lists_each_kind_once_until_a_write() {
    let bench = Bench::new(|call| {
        if call.line.starts_with("GET /api/v1/secrets") {
            return (
                200,
                json!({"items": [secret("a", "x"), secret("b", "x"), secret("b", "y")]}),
            );
        }
        if call.line.starts_with("GET /api/v1/namespaces/a/secrets/y") {
            return (
                404,
                json!({"kind": "Status", "code": 404, "reason": "NotFound"}),
            );
        }
        (200, json!({"items": []}))
    })
    .await;
    let (client, cancel) = (&bench.client, &bench.cancel);
    let snapshot = client.snapshot(Duration::from_mins(1));
    let get = async |namespace: &str, name: &str| {
        let object = ObjectRef::namespaced("v1", "Secret", namespace, name);
        snapshot
            .get(&object, cancel)
            .await
            .expect("an answer")
            .is_some()
    };
    assert!(get("a", "x").await && get("b", "y").await && !get("a", "y").await);
    // Absence from the list is confirmed by the object's own answer.
    assert_eq!(bench.lines().len(), 2);
    let releases = async |name: &str| {
        let query = ListQuery {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some("b".into()),
            labels: format!("owner=helm,name={name}"),
        };
        snapshot.list(&query, cancel).await.expect("a list").len()
    };
    assert_eq!(
        (
            releases("x").await,
            releases("y").await,
            releases("z").await
        ),
        (1, 1, 0)
    );
    assert_eq!(bench.lines().len(), 3);
    client.delete_node("n", cancel).await.expect("success");
    assert_eq!(releases("x").await, 1);
    assert_eq!(bench.lines().len(), 5);
}

#[tokio::test]
async fn readiness_is_waited_for_whatever_stands_in_the_way() {
    let count = AtomicU32::new(0);
    let bench = Bench::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0..=4 => (0, json!(null)),
        5..=9 => (500, json!("etcd failed")),
        10 => (401, json!("Unauthorized")),
        _ => (200, json!("ok")),
    })
    .await;
    let limit = Duration::from_mins(10);
    bench
        .client
        .wait_until_ready(limit, &bench.cancel)
        .await
        .expect("ready");
    let taint = Taint {
        key: "a".into(),
        value: String::new(),
        effect: Effect::from("NoExecute"),
    };
    assert_eq!(taint.to_string(), "a:NoExecute");
}
