//! The kinds that the server knows: a table of built-in ones, and those of CustomResourceDefinitions.

use std::sync::Arc;

use serde_json::Value;

use super::status::group_resource;
use super::value::{array, text};

/// One served version of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resource {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub list_kind: String,
    pub namespaced: bool,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    /// The kind has a `status` that only the subresource writes.
    pub status: bool,
    pub scale: bool,
    /// Where a custom kind keeps its wanted and its seen count, and its selector: paths as `spec.replicas`.
    pub scale_paths: [String; 3],
    /// True when objects come from a CustomResourceDefinition.
    pub custom: bool,
    /// The structural schema of a custom kind.
    pub schema: Option<Arc<Value>>,
    /// `additionalPrinterColumns` of a custom kind.
    pub columns: Vec<Value>,
}

impl Resource {
    /// Where objects are stored: the same for all versions.
    pub fn key(&self) -> String {
        group_resource(&self.group, &self.plural)
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Group, version, plural, kind, short names, flags: `n` namespaced, `s` status, `c` scale, `a` category `all`.
const BUILT_IN: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("", "v1", "configmaps", "ConfigMap", "cm", "n"),
    ("", "v1", "endpoints", "Endpoints", "ep", "n"),
    ("", "v1", "events", "Event", "ev", "n"),
    ("", "v1", "limitranges", "LimitRange", "limits", "n"),
    ("", "v1", "namespaces", "Namespace", "ns", "s"),
    ("", "v1", "nodes", "Node", "no", "s"),
    (
        "",
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        "pvc",
        "ns",
    ),
    ("", "v1", "persistentvolumes", "PersistentVolume", "pv", "s"),
    ("", "v1", "pods", "Pod", "po", "nsa"),
    ("", "v1", "podtemplates", "PodTemplate", "", "n"),
    (
        "",
        "v1",
        "replicationcontrollers",
        "ReplicationController",
        "rc",
        "nsca",
    ),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", "ns"),
    ("", "v1", "secrets", "Secret", "", "n"),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", "n"),
    ("", "v1", "services", "Service", "svc", "nsa"),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        "",
        "",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        "",
        "s",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        "",
        "",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "",
        "",
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd,crds",
        "s",
    ),
    (
        "apiregistration.k8s.io",
        "v1",
        "apiservices",
        "APIService",
        "",
        "s",
    ),
    (
        "apps",
        "v1",
        "controllerrevisions",
        "ControllerRevision",
        "",
        "n",
    ),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", "nsa"),
    ("apps", "v1", "deployments", "Deployment", "deploy", "nsca"),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", "nsca"),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", "nsca"),
    (
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "hpa",
        "nsa",
    ),
    ("batch", "v1", "cronjobs", "CronJob", "cj", "nsa"),
    ("batch", "v1", "jobs", "Job", "", "nsa"),
    (
        "certificates.k8s.io",
        "v1",
        "certificatesigningrequests",
        "CertificateSigningRequest",
        "csr",
        "s",
    ),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", "n"),
    (
        "discovery.k8s.io",
        "v1",
        "endpointslices",
        "EndpointSlice",
        "",
        "n",
    ),
    ("events.k8s.io", "v1", "events", "Event", "ev", "n"),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "flowschemas",
        "FlowSchema",
        "",
        "s",
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
        "",
        "s",
    ),
    (
        "networking.k8s.io",
        "v1",
        "ingressclasses",
        "IngressClass",
        "",
        "",
    ),
    (
        "networking.k8s.io",
        "v1",
        "ingresses",
        "Ingress",
        "ing",
        "ns",
    ),
    (
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        "NetworkPolicy",
        "netpol",
        "n",
    ),
    (
        "node.k8s.io",
        "v1",
        "runtimeclasses",
        "RuntimeClass",
        "",
        "",
    ),
    (
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "pdb",
        "ns",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        "",
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "ClusterRole",
        "",
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "rolebindings",
        "RoleBinding",
        "",
        "n",
    ),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", "n"),
    (
        "scheduling.k8s.io",
        "v1",
        "priorityclasses",
        "PriorityClass",
        "pc",
        "",
    ),
    ("storage.k8s.io", "v1", "csidrivers", "CSIDriver", "", ""),
    ("storage.k8s.io", "v1", "csinodes", "CSINode", "", ""),
    (
        "storage.k8s.io",
        "v1",
        "csistoragecapacities",
        "CSIStorageCapacity",
        "",
        "n",
    ),
    (
        "storage.k8s.io",
        "v1",
        "storageclasses",
        "StorageClass",
        "sc",
        "",
    ),
    (
        "storage.k8s.io",
        "v1",
        "volumeattachments",
        "VolumeAttachment",
        "",
        "s",
    ),
];

/// Kinds that are asked and not stored.
pub(super) const REVIEWS: &[(&str, &str, &str, &str)] = &[
    (
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
    ),
    (
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
    ),
    (
        "authorization.k8s.io",
        "v1",
        "subjectaccessreviews",
        "SubjectAccessReview",
    ),
    (
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "SelfSubjectReview",
    ),
];

fn split(text: &str) -> Vec<String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The built-in kinds.
pub(super) fn built_in() -> Vec<Arc<Resource>> {
    BUILT_IN
        .iter()
        .map(|(group, version, plural, kind, short, flags)| {
            Arc::new(Resource {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
                plural: (*plural).to_owned(),
                singular: kind.to_lowercase(),
                kind: (*kind).to_owned(),
                list_kind: format!("{kind}List"),
                namespaced: flags.contains('n'),
                short_names: split(short),
                categories: if flags.contains('a') {
                    vec!["all".to_owned()]
                } else {
                    Vec::new()
                },
                status: flags.contains('s'),
                scale: flags.contains('c'),
                scale_paths: ["spec.replicas", "status.replicas", ""].map(str::to_owned),
                custom: false,
                schema: None,
                columns: Vec::new(),
            })
        })
        .collect()
}

/// The served versions of a CustomResourceDefinition.
pub(super) fn custom(definition: &Value) -> Vec<Arc<Resource>> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let kind = text(&names["kind"]).to_owned();
    array(&spec["versions"])
        .iter()
        .filter(|version| version["served"] == Value::Bool(true))
        .map(|version| {
            let singular = match text(&names["singular"]) {
                "" => kind.to_lowercase(),
                singular => singular.to_owned(),
            };
            let list_kind = match text(&names["listKind"]) {
                "" => format!("{kind}List"),
                list_kind => list_kind.to_owned(),
            };
            let strings = |value: &Value| -> Vec<String> {
                array(value)
                    .iter()
                    .map(|name| text(name).to_owned())
                    .collect()
            };
            let subresources = &version["subresources"];
            let schema = &version["schema"]["openAPIV3Schema"];
            Arc::new(Resource {
                group: text(&spec["group"]).to_owned(),
                version: text(&version["name"]).to_owned(),
                plural: text(&names["plural"]).to_owned(),
                singular,
                kind: kind.clone(),
                list_kind,
                namespaced: text(&spec["scope"]) == "Namespaced",
                short_names: strings(&names["shortNames"]),
                categories: strings(&names["categories"]),
                status: !subresources["status"].is_null(),
                scale: !subresources["scale"].is_null(),
                scale_paths: [
                    "specReplicasPath",
                    "statusReplicasPath",
                    "labelSelectorPath",
                ]
                .map(|path| {
                    text(&subresources["scale"][path])
                        .trim_start_matches('.')
                        .to_owned()
                }),
                custom: true,
                schema: schema.is_object().then(|| Arc::new(schema.clone())),
                columns: array(&version["additionalPrinterColumns"]).to_vec(),
            })
        })
        .collect()
}
