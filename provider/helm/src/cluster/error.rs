//! Why a call failed.

use std::error::Error as StdError;
use std::fmt::Write as _;

use super::ObjectRef;

/// One field of an apply conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The path as the server writes it: `.spec.replicas`.
    pub field: String,
    /// The manager that owns it, as the server writes it: `kubectl-edit`.
    pub manager: String,
}

/// One finding of the server's validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCause {
    /// The field: `spec.selector`; may be empty.
    pub field: String,
    /// The server's reason word: `FieldValueInvalid`, `FieldValueForbidden`, ...; may be empty.
    pub reason: String,
    /// The server's text.
    pub message: String,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Server-side apply met fields that others own (409 with `FieldManagerConflict` causes).
    #[error("{object}: {}", conflict_text(.fields))]
    Conflict {
        /// The object.
        object: Box<ObjectRef>,
        /// Every field in conflict.
        fields: Vec<FieldConflict>,
    },
    /// Create of a name that is taken (409 `AlreadyExists`).
    #[error("{object} already exists")]
    AlreadyExists {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// The object changed since it was read, or its UID is another (409 `Conflict`).
    #[error("{object} was changed by someone else at the same time: {message}")]
    Stale {
        /// The object.
        object: Box<ObjectRef>,
        /// The server's text.
        message: String,
    },
    /// The object to replace or patch does not exist (404).
    #[error("{object} not found")]
    NotFound {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// Validation or admission refused it (400, 422, or 403 of an admission plug-in).
    #[error("{object} is refused: {message}")]
    Invalid {
        /// The object.
        object: Box<ObjectRef>,
        /// The server's text.
        message: String,
        /// The findings by field, where the server lists them.
        causes: Vec<FieldCause>,
    },
    /// The server does not have this kind.
    #[error("no matches for kind \"{kind}\" in version \"{api_version}\"")]
    UnknownKind {
        /// Group and version asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
    },
    /// Credentials were refused or do not allow this (401, 403).
    #[error("{verb} {target} is not allowed: {message}")]
    Denied {
        /// The verb: `get`, `patch`, ...
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The server's text.
        message: String,
    },
    /// Any other refusal of the server.
    #[error("{verb} {target}: the server answered {status}: {message}")]
    Refused {
        /// The verb.
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
    /// No usable answer. After a write it is unknown whether it was done.
    #[error("{verb} {target}: no answer from the cluster")]
    Unreachable {
        /// The verb.
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The transport's own error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}

fn conflict_text(fields: &[FieldConflict]) -> String {
    let mut text = match fields.len() {
        1 => "a field is owned by someone else: ".to_owned(),
        n => format!("{n} fields are owned by someone else: "),
    };
    for (position, conflict) in fields.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "{} by \"{}\"", conflict.field, conflict.manager);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_each_field_with_its_owner() {
        let error = ClusterError::Conflict {
            object: Box::new(ObjectRef::namespaced(
                "apps/v1",
                "Deployment",
                "lb",
                "speaker",
            )),
            fields: vec![FieldConflict {
                field: ".spec.replicas".into(),
                manager: "kubectl-edit".into(),
            }],
        };
        assert_eq!(
            error.to_string(),
            "apps/v1 Deployment lb/speaker: a field is owned by someone else: .spec.replicas by \"kubectl-edit\""
        );
    }
}
