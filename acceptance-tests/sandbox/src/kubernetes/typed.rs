//! What the kinds of Kubernetes know of their objects: a field that is lost on the way through its type is unknown.

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::value::text;

/// The object as its type tells it again; nothing when it is of another version, or when the type does not take it.
fn told<T: Resource + Serialize + DeserializeOwned>(object: &Value) -> Option<Value> {
    if text(&object["apiVersion"]) != T::API_VERSION {
        return None;
    }
    let typed: T = serde_json::from_value(object.clone()).ok()?;
    serde_json::to_value(typed).ok()
}

macro_rules! told {
    ($object:expr, $($kind:ident),*) => {
        match text(&$object["kind"]) {
            $(stringify!($kind) => told::<$kind>($object),)*
            _ => None,
        }
    };
}

/// Takes out what the kind does not know; the paths of that, as `spec.template.spec.containers[0].imagee`.
pub(super) fn prune(object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let known = told!(
        &*object,
        ClusterRole,
        ClusterRoleBinding,
        ConfigMap,
        CronJob,
        DaemonSet,
        Deployment,
        HorizontalPodAutoscaler,
        Ingress,
        Job,
        Namespace,
        NetworkPolicy,
        PersistentVolumeClaim,
        Pod,
        PodDisruptionBudget,
        ReplicaSet,
        Role,
        RoleBinding,
        Secret,
        Service,
        ServiceAccount,
        StatefulSet,
        StorageClass
    );
    if let Some(known) = known {
        walk(object, &known, "", &mut unknown);
    }
    unknown
}

fn walk(object: &mut Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (object, known) {
        (Value::Object(map), Value::Object(known)) => map.retain(|name, value| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match known.get(name) {
                Some(known) => walk(value, known, &path, unknown),
                // Nothing and an empty one are the same to some types.
                None if value.is_null()
                    || matches!(value, Value::Object(map) if map.is_empty()) => {}
                None => {
                    unknown.push(path);
                    return false;
                }
            }
            true
        }),
        (Value::Array(list), Value::Array(known)) if list.len() == known.len() => {
            for (index, (value, known)) in list.iter_mut().zip(known).enumerate() {
                walk(value, known, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_a_kind_does_not_know_is_told_and_taken_out() {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "a", "labels": { "x": "y" }, "colour": 1 },
            "spec": {
                "selector": {}, "replicas": 1,
                "template": { "spec": { "containers": [
                    { "name": "c", "imagee": "i", "resources": { "limits": { "cpu": "1" } }, "securityContext": {} }
                ] } },
            },
        });
        let unknown = super::prune(&mut object);
        assert_eq!(
            unknown,
            ["metadata.colour", "spec.template.spec.containers[0].imagee"]
        );
        assert!(super::prune(&mut object).is_empty());
        assert_eq!(object["metadata"]["labels"]["x"], "y");
        let mut other = json!({ "apiVersion": "x/v1", "kind": "Deployment", "anything": 1 });
        assert!(super::prune(&mut other).is_empty());
    }
}
