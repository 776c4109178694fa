//! `Status`: how the API says no.

use http::StatusCode;
use serde_json::{Value, json};

/// A refusal, in the words of the real server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    pub code: StatusCode,
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
}

/// One cause in the details of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub reason: &'static str,
    pub message: String,
    pub field: String,
}

impl Cause {
    /// A value that must not change.
    pub fn immutable(field: &str, value: &Value) -> Self {
        Self::refused(field, value, "field is immutable")
    }

    /// A value that is missing.
    pub fn required(field: &str) -> Self {
        Self {
            reason: "FieldValueRequired",
            message: "Required value".to_owned(),
            field: field.to_owned(),
        }
    }

    /// A value of any type that is not allowed.
    pub fn refused(field: &str, value: &Value, why: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {why}"),
            field: field.to_owned(),
        }
    }

    /// A text that is not allowed.
    pub fn invalid(field: &str, value: &str, why: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: \"{value}\": {why}"),
            field: field.to_owned(),
        }
    }

    fn json(&self) -> Value {
        json!({ "reason": self.reason, "message": self.message, "field": self.field })
    }
}

/// `deployments.apps`, or `pods` for the core group.
pub(super) fn group_resource(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

fn details(group: &str, resource: &str, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": resource });
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    details
}

impl Status {
    fn new(code: StatusCode, reason: &'static str, message: String, details: Value) -> Self {
        Self {
            code,
            reason,
            message,
            details,
        }
    }

    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", group_resource(group, resource));
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            message,
            details(group, resource, name),
        )
    }

    /// A path that no resource answers to.
    pub fn no_such_path() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, json!({}))
    }

    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!(
            "{} \"{name}\" already exists",
            group_resource(group, resource)
        );
        Self::new(
            StatusCode::CONFLICT,
            "AlreadyExists",
            message,
            details(group, resource, name),
        )
    }

    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            group_resource(group, resource)
        );
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            message,
            details(group, resource, name),
        )
    }

    /// A server-side apply that meets fields of other managers.
    pub fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes.iter().map(Cause::json).collect();
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            message,
            json!({ "causes": causes }),
        )
    }

    pub fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let told: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = details(group, kind, name);
        details["causes"] = causes.iter().map(Cause::json).collect();
        let message = format!(
            "{} \"{name}\" is invalid: {told}",
            group_resource(group, kind)
        );
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            message,
            details,
        )
    }

    /// What the real server does not expect either.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "",
            message.into(),
            json!({}),
        )
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            message.into(),
            json!({}),
        )
    }

    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "Unauthorized".to_owned(),
            json!({}),
        )
    }

    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = group_resource(group, resource);
        let message = if name.is_empty() {
            format!("{what} is forbidden: {why}")
        } else {
            format!("{what} \"{name}\" is forbidden: {why}")
        };
        Self::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            message,
            details(group, resource, name),
        )
    }

    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            message,
            json!({}),
        )
    }

    pub fn unsupported_media_type(seen: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml (seen: {seen})"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
            json!({}),
        )
    }

    /// No form of an answer that the caller takes.
    pub fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json".to_owned();
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            message,
            json!({}),
        )
    }

    /// A version that is still to come.
    pub fn too_large_version(asked: &str, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let cause = json!({
            "reason": "ResourceVersionTooLarge", "message": "Too large resource version",
        });
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            message,
            json!({ "causes": [cause], "retryAfterSeconds": 1 }),
        )
    }

    /// A page of a list that is no longer known.
    pub fn expired_token() -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. \
                       You can start a new list without the continue parameter.";
        Self::new(StatusCode::GONE, "Expired", message.to_owned(), json!({}))
    }

    /// A list or watch that asks for a version no longer kept.
    pub fn expired() -> Self {
        let message = "The resourceVersion for the provided watch is too old.".to_owned();
        Self::new(StatusCode::GONE, "Expired", message, json!({}))
    }

    /// An eviction that a disruption budget forbids.
    pub fn too_many_disruptions(budget: &str, needs: u64, has: u64) -> Self {
        let message =
            "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
        let cause = json!({
            "reason": "DisruptionBudget",
            "message": format!(
                "The disruption budget {budget} needs {needs} healthy pods and has {has} currently"
            ),
        });
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            message,
            json!({ "causes": [cause] }),
        )
    }

    /// As a `Status` object.
    pub fn json(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code.as_u16(),
        })
    }
}
