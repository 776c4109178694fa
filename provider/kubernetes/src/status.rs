//! The API server's refusals, typed (Kubernetes API conventions, response status kind).

use helm::{ClusterError, FieldCause, FieldConflict, ObjectRef};
use serde::Deserialize;

use crate::client::{Answer, Ask};

/// The `Status` object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    kind: String,
    pub message: String,
    pub reason: String,
    pub details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    pub name: String,
    pub kind: String,
    pub causes: Vec<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

impl Status {
    /// The status in a body; a body that is none becomes a status with its text as message.
    pub(crate) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Self>(body) {
            Ok(status) if status.kind == "Status" => status,
            _ => Self {
                message: String::from_utf8_lossy(body)
                    .trim()
                    .chars()
                    .take(500)
                    .collect(),
                ..Self::default()
            },
        }
    }

    /// Whether the object that was named does not exist, as opposed to the kind or the namespace.
    pub(crate) fn is_missing(&self, name: &str) -> bool {
        self.reason == "NotFound" && (self.details.name.is_empty() || self.details.name == name)
    }
}

/// The error that an answer stands for. `object` is what the call was about, where it was about one.
pub(crate) fn error(ask: &Ask, answer: &Answer, object: Option<&ObjectRef>) -> ClusterError {
    let status = Status::read(&answer.body);
    let message = if status.message.is_empty() {
        "no explanation".to_owned()
    } else {
        status.message.clone()
    };
    let refused = |message: String| ClusterError::Refused {
        verb: ask.verb,
        target: ask.target.clone(),
        status: answer.status,
        message,
    };
    let denied = |message: String| ClusterError::Denied {
        verb: ask.verb,
        target: ask.target.clone(),
        message,
    };
    let Some(object) = object else {
        return match answer.status {
            401 | 403 => denied(message),
            _ => refused(message),
        };
    };
    let object = Box::new(object.clone());
    match answer.status {
        401 => denied(message),
        // The authorizer's own sentence; admission plug-ins write others.
        403 if !ask.writes || message.contains(" is forbidden: User ") => denied(message),
        404 if status.is_missing(&object.name) => ClusterError::NotFound { object },
        404 if status.reason.is_empty() => ClusterError::UnknownKind {
            api_version: object.api_version,
            kind: object.kind,
        },
        409 if status.reason == "AlreadyExists" => ClusterError::AlreadyExists { object },
        409 => {
            let fields = conflicts(&status);
            if fields.is_empty() {
                ClusterError::Stale { object, message }
            } else {
                ClusterError::Conflict { object, fields }
            }
        }
        400 | 403 | 422 => ClusterError::Invalid {
            object,
            message,
            causes: causes(status),
        },
        _ => refused(message),
    }
}

fn conflicts(status: &Status) -> Vec<FieldConflict> {
    status
        .details
        .causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| FieldConflict {
            field: cause.field.clone(),
            // `conflict with "kubectl-edit" using apps/v1`.
            manager: cause
                .message
                .split('"')
                .nth(1)
                .unwrap_or(&cause.message)
                .to_owned(),
        })
        .collect()
}

fn causes(status: Status) -> Vec<FieldCause> {
    status
        .details
        .causes
        .into_iter()
        .map(|cause| FieldCause {
            field: cause.field,
            reason: cause.reason,
            message: cause.message,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    fn refusal(code: u16, body: &str, writes: bool) -> ClusterError {
        let ask = if writes {
            Ask::write(
                "patch",
                Method::PATCH,
                "/x".into(),
                &json!({}),
                "deployments a/b",
            )
        } else {
            Ask::read("get", "/x".into(), "deployments a/b")
        };
        let answer = Answer {
            status: code,
            body: body.to_owned().into(),
        };
        let object = ObjectRef::namespaced("apps/v1", "Deployment", "a", "b");
        error(&ask, &answer, Some(&object))
    }

    fn status(reason: &str, message: &str, details: serde_json::Value) -> String {
        json!({"kind": "Status", "reason": reason, "message": message, "details": details})
            .to_string()
    }

    #[test]
    fn an_apply_conflict_names_fields_and_owners() {
        let body = status(
            "Conflict",
            "Apply failed with 1 conflict",
            json!({"causes": [{"reason": "FieldManagerConflict", "field": ".spec.replicas",
                "message": "conflict with \"kubectl-edit\" using apps/v1"}]}),
        );
        let ClusterError::Conflict { fields, .. } = refusal(409, &body, true) else {
            panic!("a conflict");
        };
        assert_eq!(fields[0].field, ".spec.replicas");
        assert_eq!(fields[0].manager, "kubectl-edit");
    }

    #[test]
    fn each_refusal_has_its_own_type() {
        let missing = status(
            "NotFound",
            "deployments.apps \"b\" not found",
            json!({"name": "b"}),
        );
        assert!(matches!(
            refusal(404, &missing, true),
            ClusterError::NotFound { .. }
        ));
        let namespace = status(
            "NotFound",
            "namespaces \"a\" not found",
            json!({"name": "a"}),
        );
        assert!(matches!(
            refusal(404, &namespace, true),
            ClusterError::Refused { status: 404, .. }
        ));
        assert!(matches!(
            refusal(404, "404 page not found", false),
            ClusterError::UnknownKind { .. }
        ));
        let exists = status("AlreadyExists", "x", json!({}));
        assert!(matches!(
            refusal(409, &exists, true),
            ClusterError::AlreadyExists { .. }
        ));
        let stale = status("Conflict", "the object has been modified", json!({}));
        assert!(matches!(
            refusal(409, &stale, true),
            ClusterError::Stale { .. }
        ));
        let invalid = status(
            "Invalid",
            "bad",
            json!({"causes": [{"reason": "FieldValueInvalid", "field": "spec.x", "message": "m"}]}),
        );
        let ClusterError::Invalid { causes, .. } = refusal(422, &invalid, true) else {
            panic!("invalid");
        };
        assert_eq!(causes[0].field, "spec.x");
        let rbac = status(
            "Forbidden",
            "deployments.apps \"b\" is forbidden: User \"u\" cannot",
            json!({}),
        );
        assert!(matches!(
            refusal(403, &rbac, true),
            ClusterError::Denied { .. }
        ));
        let quota = status(
            "Forbidden",
            "pods \"b\" is forbidden: exceeded quota: q",
            json!({}),
        );
        assert!(matches!(
            refusal(403, &quota, true),
            ClusterError::Invalid { .. }
        ));
        assert!(matches!(
            refusal(401, "Unauthorized", true),
            ClusterError::Denied { .. }
        ));
        assert!(matches!(
            refusal(500, "oops", true),
            ClusterError::Refused { status: 500, .. }
        ));
    }
}
