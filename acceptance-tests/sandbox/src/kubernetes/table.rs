//! `Table`: what `kubectl get` prints.

use serde_json::{Value, json};

use super::registry::Resource;
use super::value::{array, condition, deleting, int, is_true, name, text, texts};

/// A column: its title, its type, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, bool);

/// The table of `objects`. `include` is `Metadata`, `Object` or `None`.
pub(super) fn table(
    resource: &Resource,
    objects: &[Value],
    version: &str,
    include: &str,
    header: bool,
) -> Value {
    let columns = definitions(resource);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({ "cells": cells(resource, object) });
            match include {
                "None" => {}
                "Object" => row["object"] = object.clone(),
                _ => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata",
                        "apiVersion": "meta.k8s.io/v1",
                        "metadata": object["metadata"],
                    });
                }
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": version },
        "columnDefinitions": if header { columns } else { Vec::new() },
        "rows": rows,
    })
}

fn columns(kind: &str) -> &'static [Column] {
    const S: &str = "string";
    const I: &str = "integer";
    match kind {
        "Pod" => &[
            ("Ready", S, false),
            ("Status", S, false),
            ("Restarts", S, false),
            ("Age", S, false),
            ("IP", S, true),
            ("Node", S, true),
            ("Nominated Node", S, true),
            ("Readiness Gates", S, true),
        ],
        "Node" => &[
            ("Status", S, false),
            ("Roles", S, false),
            ("Age", S, false),
            ("Version", S, false),
            ("Internal-IP", S, true),
            ("External-IP", S, true),
            ("OS-Image", S, true),
            ("Kernel-Version", S, true),
            ("Container-Runtime", S, true),
        ],
        "Deployment" => &[
            ("Ready", S, false),
            ("Up-to-date", I, false),
            ("Available", I, false),
            ("Age", S, false),
            ("Containers", S, true),
            ("Images", S, true),
            ("Selector", S, true),
        ],
        "ReplicaSet" => &[
            ("Desired", I, false),
            ("Current", I, false),
            ("Ready", I, false),
            ("Age", S, false),
        ],
        "StatefulSet" => &[("Ready", S, false), ("Age", S, false)],
        "DaemonSet" => &[
            ("Desired", I, false),
            ("Current", I, false),
            ("Ready", I, false),
            ("Up-to-date", I, false),
            ("Available", I, false),
            ("Node Selector", S, false),
            ("Age", S, false),
        ],
        "Job" => &[
            ("Status", S, false),
            ("Completions", S, false),
            ("Duration", S, false),
            ("Age", S, false),
        ],
        "CronJob" => &[
            ("Schedule", S, false),
            ("Suspend", S, false),
            ("Active", I, false),
            ("Age", S, false),
        ],
        "Service" => &[
            ("Type", S, false),
            ("Cluster-IP", S, false),
            ("External-IP", S, false),
            ("Port(s)", S, false),
            ("Age", S, false),
            ("Selector", S, true),
        ],
        "Secret" => &[("Type", S, false), ("Data", I, false), ("Age", S, false)],
        "ConfigMap" => &[("Data", I, false), ("Age", S, false)],
        "Namespace" => &[("Status", S, false), ("Age", S, false)],
        "Event" => &[
            ("Last Seen", S, false),
            ("Type", S, false),
            ("Reason", S, false),
            ("Object", S, false),
            ("Message", S, false),
        ],
        "PersistentVolumeClaim" => &[
            ("Status", S, false),
            ("Volume", S, false),
            ("Capacity", S, false),
            ("Age", S, false),
        ],
        "PodDisruptionBudget" => &[
            ("Min Available", S, false),
            ("Max Unavailable", S, false),
            ("Allowed Disruptions", I, false),
            ("Age", S, false),
        ],
        "CustomResourceDefinition" => &[("Created At", S, false)],
        "APIService" => &[
            ("Service", S, false),
            ("Available", S, false),
            ("Age", S, false),
        ],
        "Lease" => &[("Holder", S, false), ("Age", S, false)],
        _ => &[("Age", S, false)],
    }
}

fn definitions(resource: &Resource) -> Vec<Value> {
    let mut out = vec![json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace.",
    })];
    if resource.kind == "Event" {
        out.clear();
    }
    if resource.custom && !resource.columns.is_empty() {
        for column in &resource.columns {
            out.push(json!({
                "name": column["name"], "type": column["type"], "format": "",
                "description": text(&column["description"]), "priority": int(&column["priority"]),
            }));
        }
        return out;
    }
    for (title, kind, wide) in columns(&resource.kind) {
        out.push(json!({
            "name": title, "type": kind, "format": "", "description": "",
            "priority": i32::from(*wide),
        }));
    }
    out
}

/// `5m`, `3h12m`: how long ago, in the words of kubectl.
pub(super) fn age(timestamp: &Value) -> String {
    let Ok(then) = text(timestamp).parse::<jiff::Timestamp>() else {
        return "<unknown>".to_owned();
    };
    let seconds = (jiff::Timestamp::now().as_second() - then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 && seconds % 60 != 0 => format!("{minutes}m{}s", seconds % 60),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 && minutes % 60 != 0 => format!("{hours}h{}m", minutes % 60),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 && hours % 24 != 0 => format!("{days}d{}h", hours % 24),
        () => format!("{days}d"),
    }
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn pairs(value: &Value) -> String {
    texts(value)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn length(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn cells(resource: &Resource, object: &Value) -> Vec<Value> {
    let age = json!(age(&object["metadata"]["creationTimestamp"]));
    let (spec, status) = (&object["spec"], &object["status"]);
    let mut out = vec![json!(name(object))];
    if resource.custom && !resource.columns.is_empty() {
        for column in &resource.columns {
            let found = json_path(object, text(&column["jsonPath"]));
            out.push(match (text(&column["type"]), found) {
                ("date", Some(value)) => json!(self::age(value)),
                (_, Some(Value::Null) | None) => Value::Null,
                ("string", Some(value)) if !value.is_string() => json!(value.to_string()),
                (_, Some(value)) => value.clone(),
            });
        }
        return out;
    }
    out.extend(match resource.kind.as_str() {
        "Pod" => pod(object, &age),
        "Node" => node(object, &age),
        "Deployment" => {
            let containers = array(&spec["template"]["spec"]["containers"]);
            let list = |field: &str| {
                json!(
                    containers
                        .iter()
                        .map(|container| text(&container[field]))
                        .collect::<Vec<_>>()
                        .join(",")
                )
            };
            vec![
                json!(format!(
                    "{}/{}",
                    int(&status["readyReplicas"]),
                    int(&spec["replicas"])
                )),
                json!(int(&status["updatedReplicas"])),
                json!(int(&status["availableReplicas"])),
                age,
                list("name"),
                list("image"),
                json!(pairs(&spec["selector"]["matchLabels"])),
            ]
        }
        "ReplicaSet" => vec![
            json!(int(&spec["replicas"])),
            json!(int(&status["replicas"])),
            json!(int(&status["readyReplicas"])),
            age,
        ],
        "StatefulSet" => vec![
            json!(format!(
                "{}/{}",
                int(&status["readyReplicas"]),
                int(&spec["replicas"])
            )),
            age,
        ],
        "DaemonSet" => vec![
            json!(int(&status["desiredNumberScheduled"])),
            json!(int(&status["currentNumberScheduled"])),
            json!(int(&status["numberReady"])),
            json!(int(&status["updatedNumberScheduled"])),
            json!(int(&status["numberAvailable"])),
            or_none(&pairs(&spec["template"]["spec"]["nodeSelector"])),
            age,
        ],
        "Job" => {
            let state = if is_true(object, "Complete") {
                "Complete"
            } else if is_true(object, "Failed") {
                "Failed"
            } else {
                "Running"
            };
            vec![
                json!(state),
                json!(format!(
                    "{}/{}",
                    int(&status["succeeded"]),
                    int(&spec["completions"])
                )),
                age.clone(),
                age,
            ]
        }
        "CronJob" => vec![
            spec["schedule"].clone(),
            json!(if spec["suspend"] == Value::Bool(true) {
                "True"
            } else {
                "False"
            }),
            json!(array(&status["active"]).len()),
            age,
        ],
        "Service" => service(object, &age),
        "Secret" => vec![object["type"].clone(), json!(length(&object["data"])), age],
        "ConfigMap" => vec![
            json!(length(&object["data"]) + length(&object["binaryData"])),
            age,
        ],
        "Namespace" => vec![status["phase"].clone(), age],
        "Event" => {
            let involved = &object["involvedObject"];
            vec![
                json!(self::age(&object["lastTimestamp"])),
                object["type"].clone(),
                object["reason"].clone(),
                json!(format!(
                    "{}/{}",
                    text(&involved["kind"]).to_lowercase(),
                    text(&involved["name"])
                )),
                object["message"].clone(),
            ]
        }
        "PersistentVolumeClaim" => vec![
            status["phase"].clone(),
            json!(text(&spec["volumeName"])),
            json!(text(&status["capacity"]["storage"])),
            age,
        ],
        "PodDisruptionBudget" => {
            let value = |field: &str| match &spec[field] {
                Value::Null => json!("N/A"),
                Value::String(text) => json!(text),
                other => json!(other.to_string()),
            };
            vec![
                value("minAvailable"),
                value("maxUnavailable"),
                json!(int(&status["disruptionsAllowed"])),
                age,
            ]
        }
        "CustomResourceDefinition" => vec![object["metadata"]["creationTimestamp"].clone()],
        "APIService" => {
            let service = &spec["service"];
            let told = if service.is_null() {
                "Local".to_owned()
            } else {
                format!("{}/{}", text(&service["namespace"]), text(&service["name"]))
            };
            let available = if is_true(object, "Available") {
                "True"
            } else {
                "False"
            };
            vec![json!(told), json!(available), age]
        }
        "Lease" => vec![json!(text(&spec["holderIdentity"])), age],
        _ => vec![age],
    });
    if resource.kind == "Event" {
        out.remove(0);
    }
    out
}

fn pod(object: &Value, age: &Value) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let states = array(&status["containerStatuses"]);
    let ready = states
        .iter()
        .filter(|state| state["ready"] == Value::Bool(true))
        .count();
    let restarts: i64 = states.iter().map(|state| int(&state["restartCount"])).sum();
    let waiting = states
        .iter()
        .find_map(|state| state["state"]["waiting"]["reason"].as_str());
    let shown = if deleting(object) {
        "Terminating"
    } else if let Some(reason) = waiting {
        reason
    } else {
        match text(&status["phase"]) {
            "Succeeded" => "Completed",
            "Failed" => "Error",
            phase => phase,
        }
    };
    vec![
        json!(format!("{ready}/{}", array(&spec["containers"]).len())),
        json!(shown),
        json!(restarts.to_string()),
        age.clone(),
        or_none(text(&status["podIP"])),
        or_none(text(&spec["nodeName"])),
        json!("<none>"),
        json!("<none>"),
    ]
}

fn node(object: &Value, age: &Value) -> Vec<Value> {
    let info = &object["status"]["nodeInfo"];
    let mut shown = match condition(object, "Ready").map(|ready| text(&ready["status"])) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == Value::Bool(true) {
        shown.push_str(",SchedulingDisabled");
    }
    let roles: Vec<String> = texts(&object["metadata"]["labels"])
        .keys()
        .filter_map(|key| {
            key.strip_prefix("node-role.kubernetes.io/")
                .map(str::to_owned)
        })
        .collect();
    let address = array(&object["status"]["addresses"])
        .iter()
        .find(|address| text(&address["type"]) == "InternalIP")
        .map(|address| text(&address["address"]))
        .unwrap_or_default();
    vec![
        json!(shown),
        or_none(&roles.join(",")),
        age.clone(),
        info["kubeletVersion"].clone(),
        or_none(address),
        json!("<none>"),
        info["osImage"].clone(),
        info["kernelVersion"].clone(),
        info["containerRuntimeVersion"].clone(),
    ]
}

fn service(object: &Value, age: &Value) -> Vec<Value> {
    let spec = &object["spec"];
    let external: Vec<&str> = array(&object["status"]["loadBalancer"]["ingress"])
        .iter()
        .map(|ingress| text(&ingress["ip"]))
        .collect();
    let external = match (text(&spec["type"]), external.is_empty()) {
        ("ExternalName", _) => text(&spec["externalName"]).to_owned(),
        ("LoadBalancer", true) => "<pending>".to_owned(),
        (_, true) => "<none>".to_owned(),
        (_, false) => external.join(","),
    };
    let ports: Vec<String> = array(&spec["ports"])
        .iter()
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_i64() {
                Some(node) => format!("{}:{node}/{protocol}", int(&port["port"])),
                None => format!("{}/{protocol}", int(&port["port"])),
            }
        })
        .collect();
    vec![
        spec["type"].clone(),
        or_none(text(&spec["clusterIP"])),
        json!(external),
        or_none(&ports.join(",")),
        age.clone(),
        or_none(&pairs(&spec["selector"])),
    ]
}

/// A simple JSON path: `.spec.a`, `.status.conditions[?(@.type=="Ready")].status`.
fn json_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path.trim_start_matches('$').trim_start_matches('.');
    while !rest.is_empty() {
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (filter, tail) = filter.split_once(")]")?;
            let (key, wanted) = filter.split_once("==")?;
            let wanted = wanted.trim().trim_matches(['"', '\'']);
            value = array(value)
                .iter()
                .find(|item| text(&item[key.trim()]) == wanted)?;
            rest = tail.trim_start_matches('.');
        } else if let Some(index) = rest.strip_prefix('[') {
            let (index, tail) = index.split_once(']')?;
            value = value.get(index.parse::<usize>().ok()?)?;
            rest = tail.trim_start_matches('.');
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            value = value.get(&rest[..end])?;
            rest = rest[end..].trim_start_matches('.');
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn paths_of_printer_columns_are_followed() {
        let object = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] }, "spec": { "a": [1, 2] } });
        let path = r#".status.conditions[?(@.type=="Ready")].status"#;
        assert_eq!(super::json_path(&object, path), Some(&json!("True")));
        assert_eq!(super::json_path(&object, ".spec.a[1]"), Some(&json!(2)));
        assert_eq!(super::json_path(&object, ".spec.b"), None);
    }
}
