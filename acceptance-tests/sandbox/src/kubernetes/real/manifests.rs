//! What Talos writes into a fresh cluster: the bootstrap token and its rights, the name server.

use serde_json::{Value, json};

use super::Spec;
use crate::kubernetes::bootstrap;

/// Each object with the path that it is applied to.
pub(super) fn all(spec: &Spec) -> Vec<(String, Value)> {
    let mut all = rights();
    if let Some((id, secret)) = spec.bootstrap_token.split_once('.') {
        all.push((
            format!("/api/v1/namespaces/kube-system/secrets/bootstrap-token-{id}"),
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
                "metadata": { "name": format!("bootstrap-token-{id}"), "namespace": "kube-system" },
                "stringData": {
                    "token-id": id,
                    "token-secret": secret,
                    "usage-bootstrap-authentication": "true",
                    "auth-extra-groups": "system:bootstrappers:nodes",
                },
            }),
        ));
    }
    if spec.core_dns {
        all.extend(bootstrap::core_dns_objects(&spec.settings).into_iter().map(
            |(resource, object)| {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let prefix = if object["apiVersion"] == "v1" {
                    "/api/v1"
                } else {
                    "/apis/apps/v1"
                };
                let path = format!("{prefix}/namespaces/kube-system/{resource}/{name}");
                (path, object)
            },
        ));
    }
    all
}

/// Who may ask for kubelet certificates, and whose requests are approved.
fn rights() -> Vec<(String, Value)> {
    let signing = "system:certificates.k8s.io:certificatesigningrequests";
    [
        (
            "system-bootstrap-node-bootstrapper",
            "system:bootstrappers:nodes",
            "system:node-bootstrapper".to_owned(),
        ),
        (
            "system-bootstrap-approve-node-client-csr",
            "system:bootstrappers:nodes",
            format!("{signing}:nodeclient"),
        ),
        (
            "system-bootstrap-node-renewal",
            "system:nodes",
            format!("{signing}:selfnodeclient"),
        ),
    ]
    .into_iter()
    .map(|(name, group, role)| {
        (
            format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": { "name": name },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
            }),
        )
    })
    .collect()
}
