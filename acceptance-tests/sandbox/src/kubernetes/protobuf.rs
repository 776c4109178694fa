//! Bodies in protobuf: typed Go clients, `helm` and parts of `kubectl` among them, write in nothing else. Read are
//! the kinds that those programs create by hand; the tables hold field numbers and names of the Kubernetes API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// How a field is written.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    /// An integer that is left out when zero.
    Int,
    /// An integer that is there when written.
    IntPointer,
    Bool,
    BoolPointer,
    Time,
    IntOrString,
    Quantity,
    /// The JSON of a FieldsV1.
    Fields,
    /// A message that is left out when empty.
    Message(&'static str),
    MessagePointer(&'static str),
    Map(&'static Kind),
    Many(&'static Kind),
}

use Kind::{
    Bool, BoolPointer, Bytes, Fields, Int, IntOrString, IntPointer, Many, Map as MapOf, Message,
    MessagePointer, Quantity, Text, Time,
};

type Shape = &'static [(u32, &'static str, Kind)];

const TEXTS: Kind = Many(&Text);

const MESSAGES: &[(&str, Shape)] = &[
    (
        "ObjectMeta",
        &[
            (1, "name", Text),
            (2, "generateName", Text),
            (3, "namespace", Text),
            (5, "uid", Text),
            (6, "resourceVersion", Text),
            (7, "generation", Int),
            (8, "creationTimestamp", Time),
            (9, "deletionTimestamp", Time),
            (10, "deletionGracePeriodSeconds", IntPointer),
            (11, "labels", MapOf(&Text)),
            (12, "annotations", MapOf(&Text)),
            (13, "ownerReferences", Many(&Message("OwnerReference"))),
            (14, "finalizers", TEXTS),
            (17, "managedFields", Many(&Message("ManagedFieldsEntry"))),
        ],
    ),
    (
        "OwnerReference",
        &[
            (1, "kind", Text),
            (3, "name", Text),
            (4, "uid", Text),
            (5, "apiVersion", Text),
            (6, "controller", BoolPointer),
            (7, "blockOwnerDeletion", BoolPointer),
        ],
    ),
    (
        "ManagedFieldsEntry",
        &[
            (1, "manager", Text),
            (2, "operation", Text),
            (3, "apiVersion", Text),
            (4, "time", Time),
            (6, "fieldsType", Text),
            (7, "fieldsV1", Fields),
            (8, "subresource", Text),
        ],
    ),
    (
        "Secret",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "data", MapOf(&Bytes)),
            (3, "type", Text),
            (4, "stringData", MapOf(&Text)),
            (5, "immutable", BoolPointer),
        ],
    ),
    (
        "ConfigMap",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "data", MapOf(&Text)),
            (3, "binaryData", MapOf(&Bytes)),
            (4, "immutable", BoolPointer),
        ],
    ),
    (
        "Namespace",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("NamespaceSpec")),
        ],
    ),
    ("NamespaceSpec", &[(1, "finalizers", TEXTS)]),
    (
        "ServiceAccount",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (3, "imagePullSecrets", Many(&Message("LocalReference"))),
            (4, "automountServiceAccountToken", BoolPointer),
        ],
    ),
    ("LocalReference", &[(1, "name", Text)]),
    (
        "DeleteOptions",
        &[
            (1, "gracePeriodSeconds", IntPointer),
            (2, "preconditions", Message("Preconditions")),
            (3, "orphanDependents", BoolPointer),
            (4, "propagationPolicy", Text),
            (5, "dryRun", TEXTS),
        ],
    ),
    (
        "Preconditions",
        &[(1, "uid", Text), (2, "resourceVersion", Text)],
    ),
    (
        "Eviction",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "deleteOptions", Message("DeleteOptions")),
        ],
    ),
    (
        "SelfSubjectAccessReview",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("AccessSpec")),
        ],
    ),
    (
        "AccessSpec",
        &[
            (1, "resourceAttributes", Message("ResourceAttributes")),
            (2, "nonResourceAttributes", Message("PathAttributes")),
        ],
    ),
    (
        "ResourceAttributes",
        &[
            (1, "namespace", Text),
            (2, "verb", Text),
            (3, "group", Text),
            (4, "version", Text),
            (5, "resource", Text),
            (6, "subresource", Text),
            (7, "name", Text),
        ],
    ),
    ("PathAttributes", &[(1, "path", Text), (2, "verb", Text)]),
    (
        "SelfSubjectReview",
        &[(1, "metadata", Message("ObjectMeta"))],
    ),
    (
        "SelfSubjectRulesReview",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("RulesSpec")),
        ],
    ),
    ("RulesSpec", &[(1, "namespace", Text)]),
    (
        "TokenRequest",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("TokenSpec")),
        ],
    ),
    (
        "TokenSpec",
        &[
            (1, "audiences", TEXTS),
            (4, "expirationSeconds", IntPointer),
        ],
    ),
    (
        "Lease",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("LeaseSpec")),
        ],
    ),
    (
        "LeaseSpec",
        &[
            (1, "holderIdentity", Text),
            (2, "leaseDurationSeconds", IntPointer),
            (3, "acquireTime", Time),
            (4, "renewTime", Time),
            (5, "leaseTransitions", IntPointer),
        ],
    ),
    (
        "Service",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("ServiceSpec")),
        ],
    ),
    (
        "ServiceSpec",
        &[
            (1, "ports", Many(&Message("ServicePort"))),
            (2, "selector", MapOf(&Text)),
            (3, "clusterIP", Text),
            (4, "type", Text),
            (5, "externalIPs", TEXTS),
            (7, "sessionAffinity", Text),
            (8, "loadBalancerIP", Text),
            (9, "loadBalancerSourceRanges", TEXTS),
            (10, "externalName", Text),
            (11, "externalTrafficPolicy", Text),
            (12, "healthCheckNodePort", Int),
            (13, "publishNotReadyAddresses", Bool),
            (17, "ipFamilyPolicy", Text),
            (18, "clusterIPs", TEXTS),
            (19, "ipFamilies", TEXTS),
            (20, "allocateLoadBalancerNodePorts", BoolPointer),
            (21, "loadBalancerClass", Text),
            (22, "internalTrafficPolicy", Text),
        ],
    ),
    (
        "ServicePort",
        &[
            (1, "name", Text),
            (2, "protocol", Text),
            (3, "port", Int),
            (4, "targetPort", IntOrString),
            (5, "nodePort", Int),
            (6, "appProtocol", Text),
        ],
    ),
    (
        "Job",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("JobSpec")),
        ],
    ),
    (
        "JobSpec",
        &[
            (1, "parallelism", IntPointer),
            (2, "completions", IntPointer),
            (3, "activeDeadlineSeconds", IntPointer),
            (4, "selector", MessagePointer("LabelSelector")),
            (5, "manualSelector", BoolPointer),
            (6, "template", Message("PodTemplateSpec")),
            (7, "backoffLimit", IntPointer),
            (8, "ttlSecondsAfterFinished", IntPointer),
            (9, "completionMode", Text),
            (10, "suspend", BoolPointer),
        ],
    ),
    (
        "Deployment",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("DeploymentSpec")),
        ],
    ),
    (
        "DeploymentSpec",
        &[
            (1, "replicas", IntPointer),
            (2, "selector", MessagePointer("LabelSelector")),
            (3, "template", Message("PodTemplateSpec")),
            (5, "minReadySeconds", Int),
            (6, "revisionHistoryLimit", IntPointer),
            (7, "paused", Bool),
            (9, "progressDeadlineSeconds", IntPointer),
        ],
    ),
    ("LabelSelector", &[(1, "matchLabels", MapOf(&Text))]),
    (
        "PodTemplateSpec",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("PodSpec")),
        ],
    ),
    (
        "Pod",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("PodSpec")),
        ],
    ),
    (
        "PodSpec",
        &[
            (1, "volumes", Many(&Message("Volume"))),
            (2, "containers", Many(&Message("Container"))),
            (3, "restartPolicy", Text),
            (4, "terminationGracePeriodSeconds", IntPointer),
            (5, "activeDeadlineSeconds", IntPointer),
            (6, "dnsPolicy", Text),
            (7, "nodeSelector", MapOf(&Text)),
            (8, "serviceAccountName", Text),
            (9, "serviceAccount", Text),
            (10, "nodeName", Text),
            (11, "hostNetwork", Bool),
            (12, "hostPID", Bool),
            (13, "hostIPC", Bool),
            (16, "hostname", Text),
            (19, "schedulerName", Text),
            (20, "initContainers", Many(&Message("Container"))),
            (21, "automountServiceAccountToken", BoolPointer),
            (22, "tolerations", Many(&Message("Toleration"))),
            (24, "priorityClassName", Text),
        ],
    ),
    (
        "Toleration",
        &[
            (1, "key", Text),
            (2, "operator", Text),
            (3, "value", Text),
            (4, "effect", Text),
            (5, "tolerationSeconds", IntPointer),
        ],
    ),
    (
        "Container",
        &[
            (1, "name", Text),
            (2, "image", Text),
            (3, "command", TEXTS),
            (4, "args", TEXTS),
            (5, "workingDir", Text),
            (6, "ports", Many(&Message("ContainerPort"))),
            (7, "env", Many(&Message("EnvVar"))),
            (8, "resources", Message("Resources")),
            (9, "volumeMounts", Many(&Message("VolumeMount"))),
            (13, "terminationMessagePath", Text),
            (14, "imagePullPolicy", Text),
            (20, "terminationMessagePolicy", Text),
        ],
    ),
    (
        "ContainerPort",
        &[
            (1, "name", Text),
            (2, "hostPort", Int),
            (3, "containerPort", Int),
            (4, "protocol", Text),
            (5, "hostIP", Text),
        ],
    ),
    ("EnvVar", &[(1, "name", Text), (2, "value", Text)]),
    (
        "VolumeMount",
        &[
            (1, "name", Text),
            (2, "readOnly", Bool),
            (3, "mountPath", Text),
            (4, "subPath", Text),
        ],
    ),
    (
        "Resources",
        &[
            (1, "limits", MapOf(&Quantity)),
            (2, "requests", MapOf(&Quantity)),
        ],
    ),
    ("Volume", &[(1, "name", Text)]),
    (
        "ClusterRole",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "rules", Many(&Message("PolicyRule"))),
        ],
    ),
    (
        "Role",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "rules", Many(&Message("PolicyRule"))),
        ],
    ),
    (
        "PolicyRule",
        &[
            (1, "verbs", TEXTS),
            (2, "apiGroups", TEXTS),
            (3, "resources", TEXTS),
            (4, "resourceNames", TEXTS),
            (5, "nonResourceURLs", TEXTS),
        ],
    ),
    (
        "ClusterRoleBinding",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "subjects", Many(&Message("Subject"))),
            (3, "roleRef", Message("RoleRef")),
        ],
    ),
    (
        "RoleBinding",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "subjects", Many(&Message("Subject"))),
            (3, "roleRef", Message("RoleRef")),
        ],
    ),
    (
        "Subject",
        &[
            (1, "kind", Text),
            (2, "apiGroup", Text),
            (3, "name", Text),
            (4, "namespace", Text),
        ],
    ),
    (
        "RoleRef",
        &[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)],
    ),
    (
        "PodDisruptionBudget",
        &[
            (1, "metadata", Message("ObjectMeta")),
            (2, "spec", Message("BudgetSpec")),
        ],
    ),
    (
        "BudgetSpec",
        &[
            (1, "minAvailable", IntOrString),
            (2, "selector", MessagePointer("LabelSelector")),
            (3, "maxUnavailable", IntOrString),
        ],
    ),
];

/// What every body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// A field as it lies in the bytes.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; nothing when the bytes are not one.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Wire<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok()?;
        let value = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Bytes(split(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Wire::Bytes(split(&mut bytes, length)?)
            }
            5 => Wire::Bytes(split(&mut bytes, 4)?),
            _ => return None,
        };
        out.push((number, value));
    }
    Some(out)
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = bytes.split_first()?;
        *bytes = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// The object in a body; nothing when it is of a kind that no table describes.
pub(super) fn decode(body: &[u8]) -> Option<Value> {
    let envelope = fields(body.strip_prefix(MAGIC)?)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[] as &[u8]);
    for (number, value) in envelope {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                for (number, value) in fields(bytes)? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(&kind, raw)?;
    object.insert("apiVersion".to_owned(), json!(api_version));
    object.insert("kind".to_owned(), json!(kind));
    Some(Value::Object(object))
}

fn message(name: &str, bytes: &[u8]) -> Option<Map<String, Value>> {
    let (_, shape) = MESSAGES.iter().find(|(known, _)| *known == name)?;
    let mut out = Map::new();
    for (number, wire) in fields(bytes)? {
        let Some((_, field, kind)) = shape.iter().find(|(known, ..)| *known == number) else {
            continue;
        };
        match kind {
            Many(item) => {
                if let Some(value) = value(item, &wire, true)? {
                    let list = out.entry(*field).or_insert_with(|| json!([]));
                    super::value::items(list).push(value);
                }
            }
            MapOf(item) => {
                let Wire::Bytes(bytes) = wire else {
                    return None;
                };
                let (mut key, mut found) = (String::new(), None);
                for (number, wire) in fields(bytes)? {
                    match (number, &wire) {
                        (1, Wire::Bytes(bytes)) => key = text(bytes)?,
                        (2, _) => found = value(item, &wire, true)?,
                        _ => {}
                    }
                }
                let map = out.entry(*field).or_insert_with(|| json!({}));
                super::value::members(map).insert(key, found.unwrap_or_else(|| json!("")));
            }
            kind => {
                if let Some(value) = value(kind, &wire, false)? {
                    out.insert((*field).to_owned(), value);
                }
            }
        }
    }
    Some(out)
}

/// One value: an error (outer), left out (inner), or there. Items of lists and maps are never left out.
#[expect(
    clippy::option_option,
    reason = "the outer one is a malformed body, the inner one a field left out"
)]
fn value(kind: &Kind, wire: &Wire<'_>, item: bool) -> Option<Option<Value>> {
    Some(match (kind, wire) {
        (Text, Wire::Bytes(bytes)) => {
            let text = text(bytes)?;
            (item || !text.is_empty()).then(|| json!(text))
        }
        (Bytes, Wire::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Int, Wire::Number(number)) => (item || *number != 0).then(|| json!(*number as i64)),
        (IntPointer, Wire::Number(number)) => Some(json!(*number as i64)),
        (Bool, Wire::Number(number)) => (item || *number != 0).then(|| json!(*number != 0)),
        (BoolPointer, Wire::Number(number)) => Some(json!(*number != 0)),
        (Time, Wire::Bytes(bytes)) => time(bytes)?,
        (Quantity, Wire::Bytes(bytes)) => match fields(bytes)?.first() {
            Some((1, Wire::Bytes(bytes))) => Some(json!(text(bytes)?)),
            _ => None,
        },
        (Fields, Wire::Bytes(bytes)) => match fields(bytes)?.first() {
            Some((1, Wire::Bytes(bytes))) => Some(serde_json::from_slice(bytes).ok()?),
            _ => None,
        },
        (IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes)?,
        (Message(name), Wire::Bytes(bytes)) => {
            let map = message(name, bytes)?;
            (item || !map.is_empty()).then_some(Value::Object(map))
        }
        (MessagePointer(name), Wire::Bytes(bytes)) => Some(Value::Object(message(name, bytes)?)),
        _ => return None,
    })
}

#[expect(
    clippy::option_option,
    reason = "the outer one is a malformed body, the inner one a field left out"
)]
fn time(bytes: &[u8]) -> Option<Option<Value>> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    for (number, wire) in fields(bytes)? {
        match (number, wire) {
            (1, Wire::Number(number)) => seconds = number as i64,
            (2, Wire::Number(number)) => nanos = number as i32,
            _ => {}
        }
    }
    // A zero time is none.
    if bytes.is_empty() || seconds <= 0 {
        return Some(None);
    }
    let moment = jiff::Timestamp::new(seconds, nanos).ok()?;
    Some(Some(json!(moment.to_string())))
}

#[expect(
    clippy::option_option,
    reason = "the outer one is a malformed body, the inner one a field left out"
)]
fn int_or_string(bytes: &[u8]) -> Option<Option<Value>> {
    let (mut is_text, mut number, mut string) = (false, 0_i64, String::new());
    for (field, wire) in fields(bytes)? {
        match (field, wire) {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(value)) => number = value as i64,
            (3, Wire::Bytes(bytes)) => string = text(bytes)?,
            _ => {}
        }
    }
    Some(match (is_text, number) {
        (true, _) => Some(json!(string)),
        (false, 0) => None,
        (false, number) => Some(json!(number)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::decode;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_secret_is_read() {
        let metadata = [field(1, b"a"), field(2, b""), field(8, b"")].concat();
        let entry = [field(1, b"k"), field(2, b"hello")].concat();
        let secret = [field(1, &metadata), field(2, &entry), field(3, b"Opaque")].concat();
        let kind = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [b"k8s\0".to_vec(), field(1, &kind), field(2, &secret)].concat();
        assert_eq!(
            decode(&body),
            Some(json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
                "type": "Opaque", "data": { "k": "aGVsbG8=" },
            }))
        );
        assert_eq!(decode(&body[..body.len() - 1]), None, "cut short");
        assert_eq!(decode(b"{}"), None);
    }
}
