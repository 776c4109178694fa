//! Nodes that come, are lost, come back and go for good.

use std::time::Duration;

use serde_json::{Value, json};

use super::bed::{Bed, node};
use crate::kubernetes::value::{array, condition, deleting, is_true, name, text};
use crate::kubernetes::{Delays, NodeRole};

fn deployment() -> Value {
    json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "c", "image": "i:1" }] },
            },
        },
    })
}

const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// Runs the workload and waits for it.
async fn web(bed: &Bed) {
    bed.make(
        "/apis/apps/v1/namespaces/default/deployments",
        &deployment(),
    )
    .await;
    bed.until(WEB, |seen| seen["status"]["readyReplicas"] == 3)
        .await;
}

async fn with_web() -> Bed {
    let bed = Bed::with_nodes().await;
    web(&bed).await;
    bed
}

/// What happens to machines, as the real programs see it, in one cluster.
#[tokio::test(flavor = "multi_thread")]
async fn machines_of_the_real_control_plane() {
    let Some(bed) = Bed::real().await else {
        return;
    };
    waits_for_a_network(&bed).await;
    bed.nodes_up().await;
    labels_come_and_go(&bed).await;
    web(&bed).await;
    repelled(&bed).await;
    lost_and_found(&bed).await;
    gone_for_good(&bed).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_is_not_ready_and_its_pods_move() {
    let bed = with_web().await;
    bed.api().set_delays(Delays {
        eviction: Duration::from_millis(300),
        ..Delays::default()
    });
    lost_and_found(&bed).await;
}

async fn lost_and_found(bed: &Bed) {
    let on_node = |list: &Value| -> Vec<Value> {
        let pods = array(&list["items"]).iter();
        pods.filter(|pod| text(&pod["spec"]["nodeName"]) == "wrk-1")
            .cloned()
            .collect()
    };
    assert!(!on_node(&bed.get(PODS).await).is_empty(), "pods are spread");
    bed.plane.node_down("wrk-1");
    let lost = bed
        .until("/api/v1/nodes/wrk-1", |seen| !is_true(seen, "Ready"))
        .await;
    assert_eq!(
        condition(&lost, "Ready").map(|ready| text(&ready["status"])),
        Some("Unknown")
    );
    bed.until("/api/v1/nodes/wrk-1", |seen| {
        array(&seen["spec"]["taints"]).iter().any(|taint| {
            taint["key"] == "node.kubernetes.io/unreachable" && taint["effect"] == "NoExecute"
        })
    })
    .await;
    // Nobody there can end the pods: they are on their way out until the machine is back, and others take their place.
    bed.until(PODS, |list| on_node(list).iter().all(deleting))
        .await;
    bed.until(WEB, |seen| seen["status"]["readyReplicas"] == 3)
        .await;
    assert!(!on_node(&bed.get(PODS).await).is_empty());
    bed.plane.node_up(node("wrk-1", NodeRole::Worker, 21));
    bed.until("/api/v1/nodes/wrk-1", |seen| is_true(seen, "Ready"))
        .await;
    bed.until(PODS, |list| {
        array(&list["items"]).iter().all(|pod| !deleting(pod))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_node_takes_its_pods_along() {
    gone_for_good(&with_web().await).await;
}

async fn gone_for_good(bed: &Bed) {
    bed.plane.node_gone("wrk-2");
    bed.until("/api/v1/nodes/wrk-2", |seen| !is_true(seen, "Ready"))
        .await;
    bed.delete("/api/v1/nodes/wrk-2").await;
    bed.until("/api/v1/pods", |list| {
        array(&list["items"])
            .iter()
            .all(|pod| text(&pod["spec"]["nodeName"]) != "wrk-2")
    })
    .await;
    bed.until(WEB, |seen| seen["status"]["readyReplicas"] == 3)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_nothing_but_host_pods_runs() {
    waits_for_a_network(&Bed::new().await).await;
}

async fn waits_for_a_network(bed: &Bed) {
    bed.plane.node_up(node("cp-1", NodeRole::ControlPlane, 11));
    bed.until(
        "/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1",
        |pod| is_true(pod, "Ready"),
    )
    .await;
    bed.until("/api/v1/nodes/cp-1", |seen| {
        condition(seen, "Ready")
            .is_some_and(|ready| text(&ready["message"]).contains("cni plugin not initialized"))
    })
    .await;
    let pods = bed
        .until(
            "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns",
            |list| !array(&list["items"]).is_empty(),
        )
        .await;
    assert!(
        array(&pods["items"])
            .iter()
            .all(|pod| pod["status"]["phase"] == "Pending"),
        "{pods}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tainted_nodes_repel_and_cordoned_ones_keep() {
    repelled(&with_web().await).await;
}

async fn repelled(bed: &Bed) {
    let pods = bed.get(PODS).await;
    for pod in array(&pods["items"]) {
        assert!(
            text(&pod["spec"]["nodeName"]).starts_with("wrk-"),
            "{}",
            name(pod)
        );
    }
    let cordon = async |so: Value| {
        for worker in ["wrk-1", "wrk-2", "wrk-3"] {
            let path = format!("/api/v1/nodes/{worker}");
            bed.merge(&path, &json!({ "spec": { "unschedulable": so } }))
                .await;
        }
    };
    cordon(json!(true)).await;
    bed.merge(WEB, &json!({ "spec": { "replicas": 4 } })).await;
    bed.until(PODS, |list| {
        array(&list["items"]).iter().any(|pod| {
            condition(pod, "PodScheduled")
                .is_some_and(|seen| text(&seen["reason"]) == "Unschedulable")
        })
    })
    .await;
    assert_eq!(bed.get(WEB).await["status"]["readyReplicas"], 3);
    cordon(Value::Null).await;
    bed.until(WEB, |seen| seen["status"]["readyReplicas"] == 4)
        .await;
    bed.merge(WEB, &json!({ "spec": { "replicas": 3 } })).await;
    bed.until(PODS, |list| array(&list["items"]).len() == 3)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_restores() {
    let bed = with_web().await;
    let snapshot = bed.api().snapshot();
    bed.delete(WEB).await;
    bed.until(PODS, |list| array(&list["items"]).is_empty())
        .await;
    assert!(bed.api().restore(&snapshot));
    assert_eq!(bed.get(WEB).await["status"]["readyReplicas"], 3);
    assert!(!bed.api().restore(&json!({ "something": "else" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_the_configuration_come_and_go() {
    labels_come_and_go(&Bed::with_nodes().await).await;
}

async fn labels_come_and_go(bed: &Bed) {
    let path = "/api/v1/nodes/wrk-1";
    let own = json!({ "metadata": { "labels": { "mine": "1" } } });
    bed.merge(path, &own).await;
    let mut registration = node("wrk-1", NodeRole::Worker, 21);
    registration
        .labels
        .insert("tier".to_owned(), "x".to_owned());
    bed.plane.node_up(registration.clone());
    bed.until(path, |seen| seen["metadata"]["labels"]["tier"] == "x")
        .await;
    registration.labels.remove("tier");
    bed.plane.node_up(registration);
    let seen = bed
        .until(path, |seen| seen["metadata"]["labels"]["tier"].is_null())
        .await;
    assert_eq!(seen["metadata"]["labels"]["mine"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_planes_are_upgraded_one_by_one() {
    let bed = Bed::with_nodes().await;
    bed.api().set_version("1.37.1");
    bed.plane.node_up(node("cp-1", NodeRole::ControlPlane, 11));
    let image = |pod: &Value| text(&pod["spec"]["containers"][0]["image"]).to_owned();
    let pods = "/api/v1/namespaces/kube-system/pods";
    let first = bed
        .until(&format!("{pods}/kube-apiserver-cp-1"), |pod| {
            image(pod).ends_with("v1.37.1")
        })
        .await;
    assert!(first["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string());
    assert!(image(&bed.get(&format!("{pods}/kube-apiserver-cp-2")).await).ends_with("v1.36.3"));
}

/// A client that loses an answer finds the work done.
#[tokio::test(flavor = "multi_thread")]
async fn faults_reach_the_api() {
    use crate::gate::{Effect, Fault, Surface};

    let bed = Bed::new().await;
    let path = "/api/v1/namespaces/default/configmaps";
    bed.gate.add_fault(
        Fault::new(Effect::LostAnswer)
            .on_call(Surface::Kubernetes, "POST", path)
            .times(1),
    );
    let object = json!({ "metadata": { "name": "a" } });
    let request = bed
        .client
        .post(format!("{}{path}", bed.url))
        .header("content-type", "application/json");
    assert!(request.body(object.to_string()).send().await.is_err());
    assert_eq!(bed.get(&format!("{path}/a")).await["kind"], "ConfigMap");
}
