//! Whether a body is what its path says.

use serde_json::{Value, json};

use super::registry::Resource;
use super::status::Status;
use super::value::{members, text};

/// Checks that the body is an object of this resource and fills in what the path says.
pub(super) fn conform(
    resource: &Resource,
    namespace: &str,
    name: Option<&str>,
    object: &mut Value,
) -> Result<(), Status> {
    if !object.is_object() || !(object["metadata"].is_object() || object["metadata"].is_null()) {
        return Err(Status::bad_request(
            "the body is not an object with metadata",
        ));
    }
    for field in ["labels", "annotations"] {
        for (key, value) in object["metadata"][field].as_object().into_iter().flatten() {
            if !value.is_string() && !value.is_null() {
                return Err(Status::bad_request(format!(
                    "{} in version \"{}\" cannot be handled as a {}: metadata.{field}.{key} is {value}, not a string",
                    resource.kind, resource.version, resource.kind
                )));
            }
        }
    }
    if resource.kind == "Lease" {
        for field in ["acquireTime", "renewTime"] {
            let time = text(&object["spec"][field]);
            if !time.is_empty() && time.parse::<jiff::Timestamp>().is_err() {
                return Err(Status::bad_request(format!(
                    "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"{time}\" as \"2006-01-02T15:04:05.000000Z07:00\""
                )));
            }
        }
    }
    let flat = !object["spec"].is_null() && !object["spec"].is_object();
    if flat && !resource.custom {
        return Err(Status::bad_request("spec is not an object"));
    }
    let (kind, version) = (text(&object["kind"]), text(&object["apiVersion"]));
    if (!kind.is_empty() && kind != resource.kind)
        || (!version.is_empty() && version != resource.api_version())
    {
        return Err(Status::bad_request(format!(
            "{version}, Kind={kind} in the body does not match {}, Kind={} of the path",
            resource.api_version(),
            resource.kind
        )));
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    let metadata = members(&mut object["metadata"]);
    if resource.namespaced {
        let seen = metadata.get("namespace").map(text).unwrap_or_default();
        if !seen.is_empty() && seen != namespace {
            return Err(Status::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the request ({seen}, {namespace})"
            )));
        }
        metadata.insert("namespace".to_owned(), json!(namespace));
    } else {
        metadata.remove("namespace");
    }
    if let Some(name) = name {
        let seen = metadata.get("name").map(text).unwrap_or_default();
        if !seen.is_empty() && seen != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({seen}) does not match the name on the URL ({name})"
            )));
        }
        metadata.insert("name".to_owned(), json!(name));
    }
    Ok(())
}
