//! Answers: objects, lists, tables, refusals.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use super::registry::Resource;
use super::server::Body;
use super::status::Status;
use super::table;

/// In which form the caller wants objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    Table,
    Metadata,
}

impl Form {
    /// Reads the `Accept` header of a request for one object or its events, or else for a list; the first form known wins.
    ///
    /// # Errors
    /// 406 when none is.
    pub fn of(accept: &str, list: bool) -> Result<Self, Status> {
        if accept.trim().is_empty() {
            return Ok(Self::Object);
        }
        for media in accept.split(',') {
            let mut parts = media.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            if !matches!(kind, "application/json" | "application/*" | "*/*") {
                continue;
            }
            match parts.find_map(|part| part.strip_prefix("as=")) {
                None => return Ok(Self::Object),
                Some("Table") => return Ok(Self::Table),
                Some("PartialObjectMetadata") if !list => return Ok(Self::Metadata),
                Some("PartialObjectMetadataList") if list => return Ok(Self::Metadata),
                Some(_) => {}
            }
        }
        Err(Status::not_acceptable())
    }
}

/// A body of text.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer in JSON.
pub(super) fn json(code: StatusCode, value: &Value) -> Response<Body> {
    typed(code, "application/json", value.to_string())
}

/// An answer of any type.
pub(super) fn typed(
    code: StatusCode,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = code;
    if let Ok(value) = content_type.parse() {
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, value);
    }
    response
}

/// A refusal.
pub(super) fn refusal(status: &Status) -> Response<Body> {
    let mut response = json(status.code, &status.json());
    if status.code == StatusCode::TOO_MANY_REQUESTS
        && let Ok(value) = "10".parse()
    {
        response
            .headers_mut()
            .insert(http::header::RETRY_AFTER, value);
    }
    response
}

fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

/// One object in the form that the caller wants.
pub(super) fn object(
    form: Form,
    resource: &Resource,
    object: &Value,
    include: &str,
    header: bool,
) -> Value {
    match form {
        Form::Object => object.clone(),
        Form::Metadata => metadata_only(object),
        Form::Table => {
            let version = object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap_or_default();
            table::table(
                resource,
                std::slice::from_ref(object),
                version,
                include,
                header,
            )
        }
    }
}

/// A list in the form that the caller wants.
pub(super) fn list(
    form: Form,
    resource: &Resource,
    objects: Vec<Value>,
    metadata: Value,
    include: &str,
) -> Value {
    match form {
        Form::Table => {
            let version = metadata["resourceVersion"].as_str().unwrap_or_default();
            let mut table = table::table(resource, &objects, version, include, true);
            table["metadata"] = metadata;
            table
        }
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": objects.iter().map(metadata_only).collect::<Vec<_>>(),
        }),
        Form::Object => {
            let mut objects = objects;
            if !resource.custom {
                // Items of typed lists do not repeat what the list says.
                for object in &mut objects {
                    if let Some(map) = object.as_object_mut() {
                        map.remove("apiVersion");
                        map.remove("kind");
                    }
                }
            }
            json!({
                "kind": resource.list_kind,
                "apiVersion": resource.api_version(),
                "metadata": metadata,
                "items": objects,
            })
        }
    }
}
