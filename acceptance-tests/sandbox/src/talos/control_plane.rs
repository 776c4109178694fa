//! What Talos makes the static pods of the control plane from: parts of the machine configuration, in the layout of
//! contract 1.13 or in the documents that replace it ("Talos docs", reference of the configuration).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::MachineConfig;
use crate::kubernetes::real::{Flags, Spec};
use crate::kubernetes::{Authority, Settings};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The first document of a kind; null when there is none.
fn document<'a>(config: &'a MachineConfig, kind: &str) -> &'a Value {
    config
        .documents
        .iter()
        .find(|document| document["kind"] == kind)
        .unwrap_or(&Value::Null)
}

fn either<'a>(old: &'a Value, new: &'a Value) -> &'a Value {
    if old.is_null() { new } else { old }
}

/// The control plane of a configuration.
pub fn spec(config: &MachineConfig, settings: Settings) -> Spec {
    let main = config
        .documents
        .iter()
        .find(|document| document["kind"].is_null())
        .unwrap_or(&Value::Null);
    let cluster = &main["cluster"];
    let server = &cluster["apiServer"];
    let authority = |pair: &super::config::Pair| Authority {
        certificate_pem: pair.certificate.clone(),
        key_pem: pair.key.clone(),
    };
    let mut admission: Vec<Value> = server["admissionControl"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    admission.extend(
        config
            .documents
            .iter()
            .filter(|document| document["kind"] == "KubeAdmissionControlConfig")
            .map(|plugin| json!({ "name": plugin["name"], "configuration": plugin["configuration"] })),
    );
    let audit = either(
        &server["auditPolicy"],
        &document(config, "KubeAuditPolicyConfig")["configuration"],
    );
    let core_dns = either(
        &cluster["coreDNS"]["disabled"],
        &document(config, "KubeCoreDNSConfig")["enabled"],
    );
    let extra = [
        ("kube-apiserver", "apiServer", "KubeAPIServerConfig"),
        (
            "kube-controller-manager",
            "controllerManager",
            "KubeControllerManagerConfig",
        ),
        ("kube-scheduler", "scheduler", "KubeSchedulerConfig"),
    ];
    Spec {
        settings,
        endpoint: config.endpoint.clone(),
        bootstrap_token: config.bootstrap_token.clone(),
        etcd_ca: authority(&config.etcd_ca),
        aggregator_ca: authority(&config.aggregator_ca),
        service_account_key: config.service_account_key.clone(),
        admission,
        audit: if audit.is_null() {
            json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{ "level": "Metadata" }] })
        } else {
            audit.clone()
        },
        authentication: document(config, "KubeAuthenticationConfig")["configuration"].clone(),
        encryption: encryption(config, cluster),
        extra_args: extra
            .into_iter()
            .map(|(component, old, new)| {
                let given = either(
                    &cluster[old]["extraArgs"],
                    &document(config, new)["extraArgs"],
                );
                (component, flags(given))
            })
            .collect(),
        scheduler: either(
            &cluster["scheduler"]["config"],
            &document(config, "KubeSchedulerConfig")["config"],
        )
        .clone(),
        core_dns: if cluster["coreDNS"]["disabled"].is_null() {
            core_dns != false
        } else {
            core_dns != true
        },
    }
}

/// Encryption of Secrets at rest: key names and their order are part of what is stored.
fn encryption(config: &MachineConfig, cluster: &Value) -> Value {
    let given = &document(config, "KubeEtcdEncryptionConfig")["config"];
    if !given.is_null() {
        return given.clone();
    }
    let mut providers = Vec::new();
    for (field, kind, name) in [
        ("secretboxEncryptionSecret", "secretbox", "key2"),
        ("aescbcEncryptionSecret", "aescbc", "key1"),
    ] {
        let secret = text(&cluster[field]);
        if !secret.is_empty() {
            let mut provider = json!({});
            provider[kind] = json!({ "keys": [{ "name": name, "secret": secret }] });
            providers.push(provider);
        }
    }
    providers.push(json!({ "identity": {} }));
    json!({ "resources": [{ "resources": ["secrets"], "providers": providers }] })
}

fn flags(given: &Value) -> Flags {
    let one = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    given
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let values = match value {
                Value::Array(list) => list.iter().map(one).collect(),
                value => vec![one(value)],
            };
            (name.clone(), values)
        })
        .collect::<BTreeMap<_, _>>()
}
