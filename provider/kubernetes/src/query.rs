//! Paths and queries of the API.

use helm::{ApiResource, DeleteOptions, Propagation, WriteOptions};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

/// Path of a collection: `/apis/apps/v1/namespaces/x/deployments`; without a namespace that of all.
pub(crate) fn collection(resource: &ApiResource, namespace: Option<&str>) -> String {
    let mut path = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if let Some(namespace) = namespace.filter(|_| resource.namespaced) {
        path.push_str("/namespaces/");
        path.push_str(&segment(namespace));
    }
    path.push('/');
    path.push_str(&resource.plural);
    path
}

/// Path of one object. A namespaced kind without a namespace is in `default`.
pub(crate) fn object(resource: &ApiResource, namespace: Option<&str>, name: &str) -> String {
    let namespace = namespace.unwrap_or("default");
    format!(
        "{}/{}",
        collection(resource, Some(namespace)),
        segment(name)
    )
}

/// `?a=b&c=d`, encoded; empty without pairs.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let mut text = String::from("?");
    text.push_str(&Serializer::new(String::new()).extend_pairs(pairs).finish());
    text
}

/// The query of a write.
pub(crate) fn write_query(options: &WriteOptions, apply: bool) -> String {
    let mut pairs = vec![("fieldManager", options.field_manager.as_str())];
    if apply && options.force {
        pairs.push(("force", "true"));
    }
    if options.dry_run {
        pairs.push(("dryRun", "All"));
    }
    pairs.push((
        "fieldValidation",
        if options.strict { "Strict" } else { "Ignore" },
    ));
    query(&pairs)
}

/// The body of a delete.
pub(crate) fn delete_body(options: &DeleteOptions) -> Value {
    let mut body = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": match options.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        },
    });
    if let Some(uid) = &options.uid {
        body["preconditions"] = json!({"uid": uid});
    }
    if options.dry_run {
        body["dryRun"] = json!(["All"]);
    }
    body
}

/// One path segment, percent-encoded. Names of the API need it only for kinds with loose rules.
fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            text.push(char::from(byte));
        } else {
            text.extend(['%'].into_iter().chain(format!("{byte:02X}").chars()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn paths_follow_group_version_and_scope() {
        let deployment = ApiResource {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
            namespaced: true,
            verbs: std::collections::BTreeSet::new(),
        };
        let path = object(&deployment, Some("lb"), "speaker");
        assert_eq!(path, "/apis/apps/v1/namespaces/lb/deployments/speaker");
        assert_eq!(collection(&deployment, None), "/apis/apps/v1/deployments");
        let node = kinds::known("v1", "Node").expect("known");
        assert_eq!(object(&node, Some("ignored"), "a/b"), "/api/v1/nodes/a%2Fb");
        let role = kinds::known("rbac.authorization.k8s.io/v1", "ClusterRole").expect("known");
        assert_eq!(
            object(&role, None, "system:node"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"
        );
    }

    #[test]
    fn options_become_a_query_and_a_body() {
        let options = WriteOptions {
            force: true,
            dry_run: true,
            ..WriteOptions::default()
        };
        assert_eq!(
            write_query(&options, true),
            "?fieldManager=helm&force=true&dryRun=All&fieldValidation=Strict"
        );
        assert_eq!(
            write_query(&options, false),
            "?fieldManager=helm&dryRun=All&fieldValidation=Strict"
        );
        let options = DeleteOptions {
            uid: Some("u".into()),
            ..DeleteOptions::default()
        };
        assert_eq!(delete_body(&options)["preconditions"]["uid"], "u");
        assert_eq!(delete_body(&options)["propagationPolicy"], "Background");
    }
}
