//! What controllers and kubelets make of objects.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::deployment;
use crate::kubernetes::value::{array, is_true, name, text};

pub(super) async fn deployments(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    target.post(&path, &deployment("web", 2)).await;
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
        .merge(
            &format!("{path}/scale"),
            &json!({ "spec": { "replicas": 3 } }),
        )
        .await;
    assert_eq!((code, text(&scale["kind"])), (200, "Scale"));
    target.until(&path, ready(3)).await;
    let patch = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "image:2" }] } } } });
    target.strategic(&path, &patch).await;
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
        .delete_with(&path, &json!({ "propagationPolicy": "Foreground" }))
        .await;
    target.until(&path, |seen| seen["code"] == 404).await;
    target
        .until(&pods, |list| array(&list["items"]).is_empty())
        .await;
}

pub(super) async fn stateful_sets_and_jobs(target: &Target, space: &str) {
    let mut set = deployment("db", 2);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    target
        .post(
            &format!("/apis/apps/v1/namespaces/{space}/statefulsets"),
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
        .post(&format!("/apis/batch/v1/namespaces/{space}/jobs"), &job)
        .await;
    target
        .until(
            &format!("/apis/batch/v1/namespaces/{space}/jobs/once"),
            |seen| is_true(seen, "Complete") && seen["status"]["succeeded"] == 1,
        )
        .await;
}

pub(super) async fn evictions(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    target.post(&path, &deployment("web", 2)).await;
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
    target.post(&budgets, &budget).await;
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
    let (code, refused) = target.post(&path, &eviction).await;
    assert_eq!((code, text(&refused["reason"])), (429, "TooManyRequests"));
    target
        .merge(
            &format!("{budgets}/web"),
            &json!({ "spec": { "minAvailable": 1 } }),
        )
        .await;
    target
        .until(&format!("{budgets}/web"), |seen| {
            seen["status"]["disruptionsAllowed"] == 1
        })
        .await;
    let (code, answer) = target.post(&path, &eviction).await;
    assert_eq!(code, 201, "{answer}");
    target
        .until(&format!("/api/v1/namespaces/{space}/pods/{pod}"), |seen| {
            seen["code"] == 404
        })
        .await;
}

/// What a container printed, as text; a pod that is not there has none.
pub(super) async fn output_of_containers(target: &Target, space: &str) {
    let pods = format!("/api/v1/namespaces/{space}/pods");
    let pod = json!({
        "metadata": { "name": "one" },
        "spec": { "containers": [{ "name": "c", "image": "i:1" }] },
    });
    target.make(&pods, &pod).await;
    target
        .until(&format!("{pods}/one"), |seen| {
            seen["status"]["phase"] == "Running"
        })
        .await;
    let path = format!("{pods}/one/log?container=c&tailLines=20&limitBytes=4096");
    let (code, kind, text) = target.accept(&path, "text/plain, */*").await;
    assert_eq!((code, kind.as_str()), (200, "text/plain"));
    assert_eq!(text, b"one runs in a sandbox and says nothing\n");
    let (code, refused) = target.read(&format!("{pods}/other/log")).await;
    assert_eq!((code, refused["reason"].as_str()), (404, Some("NotFound")));
}

/// Nodes: cordoned, tainted, leased; pods of daemons are on each of them.
pub(super) async fn nodes(target: &Target, _: &str) {
    let path = "/api/v1/nodes/wrk-1";
    let (code, cordoned) = target
        .merge(path, &json!({ "spec": { "unschedulable": true } }))
        .await;
    assert_eq!(code, 200, "{cordoned}");
    let cordon = |seen: &Value| {
        array(&seen["spec"]["taints"])
            .iter()
            .any(|taint| taint["key"] == "node.kubernetes.io/unschedulable")
    };
    target.until(path, cordon).await;
    target
        .merge(path, &json!({ "spec": { "unschedulable": null } }))
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

/// A volume made by hand waits for a claim that names it and is released with it; a quota tells what there is.
pub(super) async fn volumes_and_quotas(target: &Target, space: &str) {
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": space },
        "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": { "path": "/data" },
        },
    });
    target.make("/api/v1/persistentvolumes", &volume).await;
    let volume = format!("/api/v1/persistentvolumes/{space}");
    let phase = |phase: &'static str| move |seen: &Value| seen["status"]["phase"] == phase;
    target.until(&volume, phase("Available")).await;
    let quota = json!({ "metadata": { "name": "objects" }, "spec": { "hard": { "persistentvolumeclaims": "5" } } });
    let quotas = format!("/api/v1/namespaces/{space}/resourcequotas");
    target.post(&quotas, &quota).await;
    let used = |count: &'static str| {
        move |seen: &Value| {
            seen["status"]["hard"] == seen["spec"]["hard"]
                && seen["status"]["used"] == json!({ "persistentvolumeclaims": count })
        }
    };
    target.until(&format!("{quotas}/objects"), used("0")).await;

    let claim = json!({
        "metadata": { "name": "data" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand", "volumeName": space,
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    let claims = format!("/api/v1/namespaces/{space}/persistentvolumeclaims");
    target.post(&claims, &claim).await;
    target.until(&volume, phase("Bound")).await;
    let claim = format!("{claims}/data");
    target.until(&claim, phase("Bound")).await;
    target.until(&format!("{quotas}/objects"), used("1")).await;
    target.delete(&claim).await;
    target.until(&volume, phase("Released")).await;
    target.delete(&volume).await;
}
