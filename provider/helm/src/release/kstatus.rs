//! Whether an object is ready: the rules of kstatus, which Helm 4 waits by.

use serde_json::Value;

/// How far an object is. Texts say what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is as it should be.
    Ready,
    /// It is on its way.
    Progressing(String),
    /// It will not become ready by waiting.
    Failed(String),
    /// It is being deleted.
    Terminating,
}

fn progressing(text: impl Into<String>) -> Readiness {
    Readiness::Progressing(text.into())
}

struct Condition<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    let found = all.iter().find(|condition| condition["type"] == kind)?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    })
}

fn number(object: &Value, path: &str) -> Option<i64> {
    object.pointer(path).and_then(Value::as_i64)
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn told(condition: &Condition<'_>) -> String {
    match (condition.reason, condition.message) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// Judges a live object. Jobs count as ready once they started, unless `jobs` asks for completion.
pub fn readiness(object: &Value, jobs: bool) -> Readiness {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Readiness::Terminating;
    }
    if let Some(generation) = number(object, "/metadata/generation")
        && let Some(observed) = number(object, "/status/observedGeneration")
        && observed != generation
    {
        return progressing(format!(
            "generation is {generation}, observed is {observed}"
        ));
    }
    if let Some(condition) = condition(object, "Stalled").filter(|c| c.status == "True") {
        return Readiness::Failed(told(&condition));
    }
    if let Some(condition) = condition(object, "Reconciling").filter(|c| c.status == "True") {
        return progressing(told(&condition));
    }
    let group = text(object, "/apiVersion")
        .split('/')
        .next()
        .unwrap_or_default();
    match (group, text(object, "/kind")) {
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("v1", "Pod") => pod(object),
        ("v1", "PersistentVolumeClaim") => match text(object, "/status/phase") {
            "Bound" => Readiness::Ready,
            phase => progressing(format!("PVC is not Bound. phase: {phase}")),
        },
        ("v1", "Service") => service(object),
        ("batch", "Job") => job(object, jobs),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd(object),
        ("batch", "CronJob")
        | ("v1", "ConfigMap" | "Secret")
        | ("policy", "PodDisruptionBudget") => Readiness::Ready,
        _ => other(object),
    }
}

fn other(object: &Value) -> Readiness {
    match condition(object, "Ready") {
        Some(condition) if condition.status != "True" => progressing(told(&condition)),
        _ => Readiness::Ready,
    }
}

/// Compares counters in order and reports the first that is behind or ahead.
fn counters(object: &Value, checks: &[(&str, &str, i64)]) -> Option<Readiness> {
    checks.iter().find_map(|&(name, path, wanted)| {
        let have = number(object, path).unwrap_or(0);
        (have < wanted).then(|| progressing(format!("{name}: {have}/{wanted}")))
    })
}

fn deployment(object: &Value) -> Readiness {
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return Readiness::Ready;
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let progress = condition(object, "Progressing");
    if let Some(progress) = &progress
        && progress.reason == "ProgressDeadlineExceeded"
    {
        return Readiness::Failed(told(progress));
    }
    if let Some(behind) = counters(
        object,
        &[
            ("Replicas", "/status/replicas", wanted),
            ("Updated", "/status/updatedReplicas", wanted),
        ],
    ) {
        return behind;
    }
    let updated = number(object, "/status/updatedReplicas").unwrap_or(0);
    let all = number(object, "/status/replicas").unwrap_or(0);
    if all > updated {
        return progressing(format!("Pending termination: {}", all - updated));
    }
    if let Some(behind) = counters(
        object,
        &[
            (
                "Available",
                "/status/availableReplicas",
                updated.min(wanted),
            ),
            ("Ready", "/status/readyReplicas", wanted),
        ],
    ) {
        return behind;
    }
    let deadline =
        number(object, "/spec/progressDeadlineSeconds").is_some_and(|s| s != 2_147_483_647);
    if deadline
        && progress.is_some_and(|p| p.status != "True" || p.reason != "NewReplicaSetAvailable")
    {
        return progressing("ReplicaSet not Available");
    }
    match condition(object, "Available") {
        Some(available) if available.status == "True" => Readiness::Ready,
        Some(available) => progressing(told(&available)),
        None if wanted == 0 => Readiness::Ready,
        None => progressing("Deployment not Available"),
    }
}

fn stateful_set(object: &Value) -> Readiness {
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return Readiness::Ready;
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    if let Some(behind) = counters(
        object,
        &[
            ("Replicas", "/status/replicas", wanted),
            ("Ready", "/status/readyReplicas", wanted),
        ],
    ) {
        return behind;
    }
    let all = number(object, "/status/replicas").unwrap_or(0);
    if all > wanted {
        return progressing(format!("Pending termination: {}", all - wanted));
    }
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if partition > 0 {
        let updated = number(object, "/status/updatedReplicas").unwrap_or(0);
        if updated < wanted - partition {
            return progressing(format!("updated: {updated}, target partition: {partition}"));
        }
        return Readiness::Ready;
    }
    if let Some(behind) = counters(object, &[("current", "/status/currentReplicas", wanted)]) {
        return behind;
    }
    if text(object, "/status/currentRevision") == text(object, "/status/updateRevision") {
        Readiness::Ready
    } else {
        progressing("waiting for updateRevision to match currentRevision")
    }
}

fn daemon_set(object: &Value) -> Readiness {
    if number(object, "/status/observedGeneration").is_none() {
        return progressing("Observed generation missing");
    }
    let Some(wanted) = number(object, "/status/desiredNumberScheduled") else {
        return progressing("Missing .status.desiredNumberScheduled");
    };
    counters(
        object,
        &[
            ("Current", "/status/currentNumberScheduled", wanted),
            ("Updated", "/status/updatedNumberScheduled", wanted),
            ("Available", "/status/numberAvailable", wanted),
            ("Ready", "/status/numberReady", wanted),
        ],
    )
    .unwrap_or(Readiness::Ready)
}

fn replica_set(object: &Value) -> Readiness {
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|c| c.status == "True") {
        return progressing(told(&failure));
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    if let Some(behind) = counters(
        object,
        &[
            ("Labelled", "/status/fullyLabeledReplicas", wanted),
            ("Available", "/status/availableReplicas", wanted),
            ("Ready", "/status/readyReplicas", wanted),
        ],
    ) {
        return behind;
    }
    let all = number(object, "/status/replicas").unwrap_or(0);
    if all > wanted {
        return progressing(format!("replicas: {all}/{wanted}"));
    }
    Readiness::Ready
}

fn pod(object: &Value) -> Readiness {
    match text(object, "/status/phase") {
        "Succeeded" | "Failed" => Readiness::Ready,
        "Running" => match condition(object, "Ready") {
            Some(ready) if ready.status == "True" => Readiness::Ready,
            _ => crash_loop(object).map_or_else(
                || progressing("Pod is running but is not Ready"),
                Readiness::Failed,
            ),
        },
        phase => crash_loop(object).map_or_else(
            || {
                let scheduled = condition(object, "PodScheduled").filter(|c| c.status == "False");
                progressing(scheduled.map_or_else(|| format!("Pod is {phase}"), |c| told(&c)))
            },
            Readiness::Failed,
        ),
    }
}

fn crash_loop(object: &Value) -> Option<String> {
    let containers = object.pointer("/status/containerStatuses")?.as_array()?;
    let looping: Vec<&str> = containers
        .iter()
        .filter(|container| text(container, "/state/waiting/reason") == "CrashLoopBackOff")
        .map(|container| text(container, "/name"))
        .collect();
    if looping.is_empty() {
        None
    } else {
        Some(format!(
            "containers in CrashLoop state: {}",
            looping.join(",")
        ))
    }
}

fn service(object: &Value) -> Readiness {
    if text(object, "/spec/type") == "LoadBalancer" && text(object, "/spec/clusterIP").is_empty() {
        return progressing("ClusterIP not set. Service type: LoadBalancer");
    }
    Readiness::Ready
}

fn job(object: &Value, complete: bool) -> Readiness {
    if let Some(failed) = condition(object, "Failed").filter(|c| c.status == "True") {
        return Readiness::Failed(format!("Job Failed. {}", told(&failed)));
    }
    if condition(object, "Complete").is_some_and(|c| c.status == "True") {
        return Readiness::Ready;
    }
    if complete {
        let succeeded = number(object, "/status/succeeded").unwrap_or(0);
        let wanted = number(object, "/spec/completions").unwrap_or(1);
        return progressing(format!("Job in progress. success: {succeeded}/{wanted}"));
    }
    if text(object, "/status/startTime").is_empty() {
        return progressing("Job not started");
    }
    Readiness::Ready
}

fn crd(object: &Value) -> Readiness {
    if let Some(refused) = condition(object, "NamesAccepted").filter(|c| c.status == "False") {
        return Readiness::Failed(told(&refused));
    }
    match condition(object, "Established") {
        Some(established) if established.status == "True" => Readiness::Ready,
        Some(established) if established.reason != "Installing" => {
            Readiness::Failed(told(&established))
        }
        _ => progressing("Install in progress"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"generation": 2}, "spec": {"replicas": 2, "progressDeadlineSeconds": 600},
            "status": status})
    }

    fn is_progressing(readiness: &Readiness) -> bool {
        matches!(readiness, Readiness::Progressing(_))
    }

    #[test]
    fn a_deployment_is_ready_when_every_replica_is() {
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2,
            "readyReplicas": 2, "availableReplicas": 2, "conditions": [
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                {"type": "Available", "status": "True"}]});
        assert_eq!(
            readiness(&deployment(done.clone()), false),
            Readiness::Ready
        );
        for (key, value) in [
            ("observedGeneration", 1),
            ("replicas", 1),
            ("replicas", 3),
            ("updatedReplicas", 1),
            ("readyReplicas", 1),
            ("availableReplicas", 1),
        ] {
            let mut status = done.clone();
            status[key] = json!(value);
            assert!(
                is_progressing(&readiness(&deployment(status), false)),
                "{key} {value}"
            );
        }
        let mut status = done;
        status["conditions"][0]["reason"] = json!("ProgressDeadlineExceeded");
        assert!(matches!(
            readiness(&deployment(status), false),
            Readiness::Failed(_)
        ));
        assert!(is_progressing(&readiness(&deployment(json!({})), false)));
    }

    #[test]
    fn other_kinds_follow_their_own_rules() {
        let object = |api: &str, kind: &str, spec: Value, status: Value| json!({"apiVersion": api, "kind": kind, "metadata": {}, "spec": spec, "status": status});
        let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "reason": "R"}]});
        for (object, ready) in [
            (object("v1", "ConfigMap", json!({}), json!({})), true),
            (
                object(
                    "v1",
                    "PersistentVolumeClaim",
                    json!({}),
                    json!({"phase": "Pending"}),
                ),
                false,
            ),
            (
                object(
                    "v1",
                    "PersistentVolumeClaim",
                    json!({}),
                    json!({"phase": "Bound"}),
                ),
                true,
            ),
            (
                object("v1", "Service", json!({"type": "LoadBalancer"}), json!({})),
                false,
            ),
            (
                object(
                    "v1",
                    "Service",
                    json!({"type": "LoadBalancer", "clusterIP": "1.2.3.4"}),
                    json!({}),
                ),
                true,
            ),
            (
                object("v1", "Pod", json!({}), json!({"phase": "Pending"})),
                false,
            ),
            (
                object("v1", "Pod", json!({}), json!({"phase": "Succeeded"})),
                true,
            ),
            (
                object("batch/v1", "Job", json!({}), json!({"startTime": "x"})),
                true,
            ),
            (object("batch/v1", "Job", json!({}), json!({})), false),
            (
                object(
                    "example.com/v1",
                    "Thing",
                    json!({}),
                    condition("Ready", "False"),
                ),
                false,
            ),
            (
                object(
                    "example.com/v1",
                    "Thing",
                    json!({}),
                    condition("Ready", "True"),
                ),
                true,
            ),
            (
                object("example.com/v1", "Thing", json!({}), json!({})),
                true,
            ),
            (
                object(
                    "apiextensions.k8s.io/v1",
                    "CustomResourceDefinition",
                    json!({}),
                    condition("Established", "True"),
                ),
                true,
            ),
            (
                object(
                    "apiextensions.k8s.io/v1",
                    "CustomResourceDefinition",
                    json!({}),
                    json!({}),
                ),
                false,
            ),
            (
                object(
                    "apps/v1",
                    "DaemonSet",
                    json!({}),
                    json!({"observedGeneration": 1, "desiredNumberScheduled": 0}),
                ),
                true,
            ),
            (
                object(
                    "apps/v1",
                    "DaemonSet",
                    json!({}),
                    json!({"desiredNumberScheduled": 0}),
                ),
                false,
            ),
            (
                object(
                    "apps/v1",
                    "StatefulSet",
                    json!({"replicas": 1}),
                    json!({"replicas": 1, "readyReplicas": 1, "currentReplicas": 1}),
                ),
                true,
            ),
            (
                object(
                    "apps/v1",
                    "StatefulSet",
                    json!({"replicas": 1}),
                    json!({"replicas": 1, "readyReplicas": 0}),
                ),
                false,
            ),
        ] {
            assert_eq!(
                readiness(&object, false) == Readiness::Ready,
                ready,
                "{object}"
            );
        }
        let running = object("batch/v1", "Job", json!({}), json!({"startTime": "x"}));
        assert!(is_progressing(&readiness(&running, true)));
        let failed = object("batch/v1", "Job", json!({}), condition("Failed", "True"));
        assert!(matches!(readiness(&failed, false), Readiness::Failed(_)));
        let gone = json!({"metadata": {"deletionTimestamp": "x"}});
        assert_eq!(readiness(&gone, false), Readiness::Terminating);
    }
}
