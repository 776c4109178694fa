//! Built-in kinds whose place in the API never changes: no discovery is needed for them.

use helm::ApiResource;

/// Group and version, kind, plural, namespaced.
const KNOWN: &[(&str, &str, &str, bool)] = &[
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    ),
];

/// The resource of a built-in kind.
pub(crate) fn known(api_version: &str, kind: &str) -> Option<ApiResource> {
    let (_, _, plural, namespaced) = KNOWN
        .iter()
        .find(|(version, name, ..)| *version == api_version && *name == kind)?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some(ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: (*plural).to_owned(),
        namespaced: *namespaced,
        verbs: std::collections::BTreeSet::new(),
    })
}

/// A built-in kind that the caller names as a literal.
pub(crate) fn builtin(api_version: &str, kind: &str) -> ApiResource {
    known(api_version, kind).expect("the table has every kind that this crate names itself")
}
