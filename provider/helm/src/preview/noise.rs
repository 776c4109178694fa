//! What differs and says nothing, and what must not change.

use super::Node;

/// Where in an object something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    Key(String),
    /// An element, by the text inside the brackets.
    Element(String),
}

/// Labels that only repeat the chart's version.
const LABELS: &[&str] = &["helm.sh/chart", "chart", "app.kubernetes.io/version"];

/// Keys whose empty value is the same as none. `emptyDir` and selectors are not among them.
const EMPTY: &[&str] = &[
    "affinity",
    "annotations",
    "args",
    "command",
    "env",
    "envFrom",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "labels",
    "limits",
    "nodeSelector",
    "requests",
    "resources",
    "securityContext",
    "tolerations",
    "topologySpreadConstraints",
    "volumeMounts",
    "volumes",
    "finalizers",
    "externalIPs",
    "loadBalancerSourceRanges",
];

/// What the server fills in when nothing is said.
const DEFAULTS: &[(&str, &str)] = &[
    ("protocol", "\"TCP\""),
    ("dnsPolicy", "\"ClusterFirst\""),
    ("schedulerName", "\"default-scheduler\""),
    ("terminationMessagePath", "\"/dev/termination-log\""),
    ("terminationMessagePolicy", "\"File\""),
    ("sessionAffinity", "\"None\""),
    ("terminationGracePeriodSeconds", "30"),
    ("revisionHistoryLimit", "10"),
    ("progressDeadlineSeconds", "600"),
    ("podManagementPolicy", "\"OrderedReady\""),
    ("successThreshold", "1"),
    ("hostNetwork", "false"),
    ("hostPID", "false"),
    ("hostIPC", "false"),
];

/// Whether a node says what its absence says.
pub(super) fn says_nothing(key: &str, node: &Node) -> bool {
    match node {
        Node::Leaf(serde_json::Value::Null) => true,
        Node::Leaf(value) => {
            let text = value.to_string();
            DEFAULTS.contains(&(key, text.as_str()))
        }
        Node::Map(map) => {
            EMPTY.contains(&key) && map.iter().all(|(key, node)| says_nothing(key, node))
        }
        Node::List(items) => EMPTY.contains(&key) && items.is_empty(),
        Node::Unknown | Node::Masked(_) => false,
    }
}

/// Whether the leaf only repeats the chart's version.
pub(super) fn is_version_label(path: &[At]) -> bool {
    matches!(path, [.., At::Key(table), At::Key(label)]
        if table == "labels" && LABELS.contains(&label.as_str()))
}

/// Whether the leaf is the hash of something that is shown, or masked, itself.
pub(super) fn is_checksum(path: &[At]) -> bool {
    matches!(path, [.., At::Key(table), At::Key(name)]
        if table == "annotations" && (name.starts_with("checksum") || name.contains("/checksum") || name.contains("checksum/")))
}

/// Kinds whose pods are replaced when their template changes.
pub(super) fn restarts(kind: &str, path: &[At]) -> bool {
    matches!(
        kind,
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
    ) && matches!(path, [At::Key(spec), At::Key(template), ..] if spec == "spec" && template == "template")
}

/// Fields that the API refuses to change.
const IMMUTABLE: &[(&str, &[&str])] = &[
    ("Deployment", &[".spec.selector"]),
    ("ReplicaSet", &[".spec.selector"]),
    ("DaemonSet", &[".spec.selector"]),
    (
        "StatefulSet",
        &[
            ".spec.selector",
            ".spec.serviceName",
            ".spec.volumeClaimTemplates",
            ".spec.podManagementPolicy",
        ],
    ),
    (
        "Job",
        &[".spec.template", ".spec.selector", ".spec.completionMode"],
    ),
    ("Service", &[".spec.clusterIP"]),
    ("RoleBinding", &[".roleRef"]),
    ("ClusterRoleBinding", &[".roleRef"]),
    (
        "StorageClass",
        &[
            ".provisioner",
            ".parameters",
            ".reclaimPolicy",
            ".volumeBindingMode",
        ],
    ),
    (
        "PersistentVolumeClaim",
        &[
            ".spec.accessModes",
            ".spec.storageClassName",
            ".spec.selector",
            ".spec.volumeName",
            ".spec.volumeMode",
        ],
    ),
    ("IngressClass", &[".spec.controller"]),
    ("PriorityClass", &[".value", ".preemptionPolicy"]),
    ("CSIDriver", &[".spec.attachRequired"]),
    (
        "CustomResourceDefinition",
        &[".spec.scope", ".spec.names.kind", ".spec.group"],
    ),
    ("Secret", &[".type"]),
];

/// Whether the API refuses to change the field.
pub(super) fn immutable(kind: &str, path: &str) -> bool {
    IMMUTABLE.iter().any(|(own, fields)| {
        *own == kind
            && fields.iter().any(|field| {
                path.strip_prefix(field)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
    })
}
