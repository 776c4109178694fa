//! Values that the API fills in ("Kubernetes API reference", defaults), as far as clients look at them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::value::{array, default, items, members, text};

/// Fills in the defaults of a built-in kind.
pub(super) fn fill(kind: &str, object: &mut Value) {
    match kind {
        "Pod" => pod_spec(&mut object["spec"]),
        "Deployment" => deployment(&mut object["spec"]),
        "ReplicaSet" => {
            default(&mut object["spec"], "replicas", json!(1));
            template(&mut object["spec"]);
        }
        "StatefulSet" => stateful_set(&mut object["spec"]),
        "DaemonSet" => {
            let spec = &mut object["spec"];
            default(spec, "revisionHistoryLimit", json!(10));
            default(
                spec,
                "updateStrategy",
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } }),
            );
            template(spec);
        }
        "Job" => job(object),
        "CronJob" => {
            let spec = &mut object["spec"];
            for (key, value) in [
                ("concurrencyPolicy", json!("Allow")),
                ("suspend", json!(false)),
                ("successfulJobsHistoryLimit", json!(3)),
                ("failedJobsHistoryLimit", json!(1)),
            ] {
                default(spec, key, value);
            }
            template(&mut spec["jobTemplate"]["spec"]);
        }
        "Service" => service(&mut object["spec"]),
        "Secret" => secret(object),
        "PersistentVolumeClaim" => default(&mut object["spec"], "volumeMode", json!("Filesystem")),
        "StorageClass" => {
            default(object, "reclaimPolicy", json!("Delete"));
            default(object, "volumeBindingMode", json!("Immediate"));
        }
        "Namespace" => default(&mut object["spec"], "finalizers", json!(["kubernetes"])),
        "CustomResourceDefinition" => definition(object),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            for hook in items_of(object, "webhooks") {
                for (key, value) in [
                    ("failurePolicy", json!("Fail")),
                    ("matchPolicy", json!("Equivalent")),
                    ("timeoutSeconds", json!(10)),
                    ("namespaceSelector", json!({})),
                    ("objectSelector", json!({})),
                ] {
                    default(hook, key, value);
                }
            }
        }
        "IngressClass" | "ConfigMap" => {}
        _ => {}
    }
}

/// The items of a list member; none when it is missing.
fn items_of<'a>(object: &'a mut Value, key: &str) -> &'a mut [Value] {
    match object.get_mut(key) {
        Some(Value::Array(list)) => list,
        _ => &mut [],
    }
}

fn deployment(spec: &mut Value) {
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "progressDeadlineSeconds", json!(600));
    default(spec, "strategy", json!({ "type": "RollingUpdate" }));
    default(&mut spec["strategy"], "type", json!("RollingUpdate"));
    if text(&spec["strategy"]["type"]) == "RollingUpdate" {
        let strategy = &mut spec["strategy"];
        default(strategy, "rollingUpdate", json!({}));
        default(&mut strategy["rollingUpdate"], "maxSurge", json!("25%"));
        default(
            &mut strategy["rollingUpdate"],
            "maxUnavailable",
            json!("25%"),
        );
    }
    template(spec);
}

fn stateful_set(spec: &mut Value) {
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "podManagementPolicy", json!("OrderedReady"));
    default(
        spec,
        "updateStrategy",
        json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } }),
    );
    default(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        json!({ "whenDeleted": "Retain", "whenScaled": "Retain" }),
    );
    template(spec);
}

fn job(object: &mut Value) {
    let uid = object["metadata"]["uid"].clone();
    let name = object["metadata"]["name"].clone();
    let spec = &mut object["spec"];
    for (key, value) in [
        ("parallelism", json!(1)),
        ("completions", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        default(spec, key, value);
    }
    if spec["selector"].is_null() {
        spec["selector"] = json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } });
        let labels = &mut spec["template"]["metadata"]["labels"];
        let labels = members(labels);
        for (key, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ] {
            labels.insert(key.to_owned(), value.clone());
        }
    }
    template(spec);
}

fn service(spec: &mut Value) {
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    let kind = text(&spec["type"]).to_owned();
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", json!("Cluster"));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
    }
    if matches!(kind.as_str(), "LoadBalancer" | "NodePort") {
        default(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    for port in items_of(spec, "ports") {
        default(port, "protocol", json!("TCP"));
        let target = port["port"].clone();
        default(port, "targetPort", target);
    }
}

fn secret(object: &mut Value) {
    default(object, "type", json!("Opaque"));
    if let Some(Value::Object(plain)) = members(object).remove("stringData") {
        default(object, "data", json!({}));
        for (key, value) in plain {
            object["data"][key] = json!(STANDARD.encode(text(&value)));
        }
    }
}

fn definition(object: &mut Value) {
    let kind = text(&object["spec"]["names"]["kind"]).to_owned();
    let names = &mut object["spec"]["names"];
    default(names, "singular", json!(kind.to_lowercase()));
    default(names, "listKind", json!(format!("{kind}List")));
    default(
        &mut object["spec"],
        "conversion",
        json!({ "strategy": "None" }),
    );
}

fn template(spec: &mut Value) {
    if spec["template"].is_object() {
        pod_spec(&mut spec["template"]["spec"]);
    }
}

/// Defaults of a pod's specification.
pub(super) fn pod_spec(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
    ] {
        default(spec, key, value);
    }
    if let Some(account) = spec["serviceAccountName"].as_str().map(str::to_owned) {
        default(spec, "serviceAccount", json!(account));
    }
    for field in ["containers", "initContainers"] {
        for container in items_of(spec, field) {
            container_defaults(container);
        }
    }
    for volume in items_of(spec, "volumes") {
        for field in ["configMap", "secret", "projected"] {
            if volume[field].is_object() {
                default(&mut volume[field], "defaultMode", json!(420));
            }
        }
        if volume["hostPath"].is_object() {
            default(&mut volume["hostPath"], "type", json!(""));
        }
    }
}

fn container_defaults(container: &mut Value) {
    let image = text(&container["image"]);
    let last = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (!last.contains(':') || last.ends_with(":latest"));
    let policy = if latest { "Always" } else { "IfNotPresent" };
    for (key, value) in [
        ("imagePullPolicy", json!(policy)),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("resources", json!({})),
    ] {
        default(container, key, value);
    }
    for port in items_of(container, "ports") {
        default(port, "protocol", json!("TCP"));
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[field].is_object() {
            let probe = &mut container[field];
            for (key, value) in [
                ("failureThreshold", 3),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("timeoutSeconds", 1),
            ] {
                default(probe, key, json!(value));
            }
            if probe["httpGet"].is_object() {
                default(&mut probe["httpGet"], "scheme", json!("HTTP"));
                default(&mut probe["httpGet"], "path", json!("/"));
            }
        }
    }
    if !array(&container["env"]).is_empty() {
        for variable in items(&mut container["env"]) {
            let source = &mut variable["valueFrom"];
            if source["fieldRef"].is_object() {
                default(&mut source["fieldRef"], "apiVersion", json!("v1"));
            } else if source.is_null() {
                members(variable).remove("valueFrom");
            }
        }
    }
}
