//! The verbs of a resource: list, create, update, patch, apply, delete.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Form};
use super::api::State;
use super::apply::{self, Writer};
use super::delete::Deletion;
use super::handle::Call;
use super::server::Body;
use super::shape::Shapes;
use super::status::{Cause, Status};
use super::store::Store;
use super::value::{members, name, namespace, text};
use super::write::{self, Options};
use super::{delete as deletions, patch, typed, validate};

/// The version that a list or a watch begins with.
pub(super) fn asked_version(call: &Call) -> Result<Option<u64>, Status> {
    match call.query("resourceVersion") {
        "" => Ok(None),
        version => version
            .parse()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("invalid resource version \"{version}\""))),
    }
}

/// A page's successor: the version that all pages show, and the last object of the page before.
type Token = (u64, String, String);

fn token(call: &Call) -> Result<Option<Token>, Status> {
    match call.query("continue") {
        "" => Ok(None),
        given => URL_SAFE_NO_PAD
            .decode(given)
            .ok()
            .and_then(|token| serde_json::from_slice(&token).ok())
            .map(Some)
            .ok_or_else(|| Status::bad_request("continue key is not valid")),
    }
}

pub(super) fn list(store: &Store, call: &Call) -> Result<Response<Body>, Status> {
    let scope = call.scope()?;
    let asked = asked_version(call)?;
    if asked.is_none() && !call.query("resourceVersionMatch").is_empty() {
        let cause = Cause {
            reason: "FieldValueForbidden",
            message:
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
                    .to_owned(),
            field: "resourceVersionMatch".to_owned(),
        };
        return Err(Status::invalid("meta.k8s.io", "ListOptions", "", &[cause]));
    }
    if asked.is_some_and(|asked| asked > store.version()) {
        return Err(Status::too_large_version(
            call.query("resourceVersion"),
            store.version(),
        ));
    }
    let limit: usize = match call.query("limit") {
        "" => 0,
        limit => limit
            .parse()
            .map_err(|_| Status::bad_request(format!("invalid limit \"{limit}\"")))?,
    };
    let token = token(call)?;
    let version = token.as_ref().map_or(store.version(), |token| token.0);
    let all = store
        .list_at(&call.resource.key(), version)
        .ok_or_else(Status::expired_token)?;
    let mut found: Vec<&Arc<Value>> = all
        .iter()
        .filter(|object| scope.contains(object))
        .filter(|object| {
            token.as_ref().is_none_or(|(_, space, last)| {
                (namespace(object), name(object)) > (space.as_str(), last.as_str())
            })
        })
        .collect();
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if limit > 0 && found.len() > limit {
        if call.query("labelSelector").is_empty() && call.query("fieldSelector").is_empty() {
            metadata["remainingItemCount"] = json!(found.len() - limit);
        }
        found.truncate(limit);
        if let Some(last) = found.last() {
            let token = json!([version, namespace(last), name(last)]).to_string();
            metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(token));
        }
    }
    let shown: Vec<Value> = found
        .into_iter()
        .map(|object| scope.shown(object))
        .collect();
    let include = call.query("includeObject");
    let value = answer::list(call.form, &call.resource, shown, metadata, include);
    Ok(answer::json(StatusCode::OK, &value))
}

pub(super) fn create(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
    let mut object = call.body.clone();
    call.conform(&mut object)?;
    if !text(&object["metadata"]["resourceVersion"]).is_empty() {
        return Err(Status::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let created = write::create(store, &call.resource, object, &call.options())?;
    Ok(call.show(StatusCode::CREATED, &created))
}

pub(super) fn update(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
    let mut object = call.body.clone();
    call.conform(&mut object)?;
    let old = call.find(store)?;
    if call.resource.custom && text(&object["metadata"]["resourceVersion"]).is_empty() {
        let why = "must be specified for an update";
        let cause = Cause::refused("metadata.resourceVersion", &json!(0), why);
        return Err(Status::invalid(
            &call.resource.group,
            &call.resource.kind,
            name(&old),
            &[cause],
        ));
    }
    let updated = write::update(store, &call.resource, &old, object, &call.options())?;
    Ok(call.show(StatusCode::OK, &updated))
}

pub(super) fn patched(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
    let shapes = Shapes::of(&call.resource);
    let mut options = call.options();
    if call.content_type.starts_with("application/apply-patch") {
        return applied(store, call, &shapes, options);
    }
    let old = call.find(store)?;
    let mut object = (*old).clone();
    object["apiVersion"] = json!(call.resource.api_version());
    match call.content_type.as_str() {
        "application/json-patch+json" => patch::json_patch(&mut object, &call.body)?,
        "application/merge-patch+json" => patch::merge_patch(&mut object, &call.body),
        "application/strategic-merge-patch+json" if !call.resource.custom => {
            patch::strategic(&mut object, &call.body, &shapes);
        }
        other => return Err(Status::unsupported_media_type(other)),
    }
    call.conform(&mut object)?;
    options.applied = false;
    let updated = write::update(store, &call.resource, &old, object, &options)?;
    Ok(call.show(StatusCode::OK, &updated))
}

fn applied(
    store: &mut Store,
    call: &Call,
    shapes: &Shapes,
    mut options: Options,
) -> Result<Response<Body>, Status> {
    if call.query("fieldManager").is_empty() {
        return Err(Status::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let mut object = call.body.clone();
    call.conform(&mut object)?;
    if object["metadata"]
        .get("managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    declared(call, &object)?;
    let old = call.find(store).ok();
    if let (Some(old), wanted) = (&old, text(&object["metadata"]["resourceVersion"]))
        && !wanted.is_empty()
        && wanted != text(&old["metadata"]["resourceVersion"])
    {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Status::conflict(
            &call.resource.group,
            &call.resource.plural,
            name(old),
            why,
        ));
    }
    let now = Store::now();
    let version = call.resource.api_version();
    let writer = Writer {
        manager: &options.manager,
        api_version: &version,
        subresource: &options.subresource,
        force: call.flag("force"),
        now: &now,
    };
    if call.resource.kind == "Secret" {
        super::defaults::fill("Secret", &mut object);
    }
    if call.subresource.is_empty() && call.resource.status {
        members(&mut object).remove("status");
    }
    let mut merged = apply::apply(shapes, old.as_deref(), &object, &writer)?;
    options.applied = true;
    members(&mut merged["metadata"]).remove("resourceVersion");
    match old {
        None if call.subresource.is_empty() => {
            let uid = text(&merged["metadata"]["uid"]);
            if !uid.is_empty() {
                // Whoever names an identity means an object that was there.
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Status::conflict(
                    &call.resource.group,
                    &call.resource.plural,
                    name(&merged),
                    &why,
                ));
            }
            let created = write::create(store, &call.resource, merged, &options)?;
            Ok(call.show(StatusCode::CREATED, &created))
        }
        None => Err(Status::not_found(
            &call.resource.group,
            &call.resource.plural,
            call.name.as_deref().unwrap_or_default(),
        )),
        Some(old) => {
            let updated = write::update(store, &call.resource, &old, merged, &options)?;
            Ok(call.show(StatusCode::OK, &updated))
        }
    }
}

/// An apply may only hold what its kind declares.
fn declared(call: &Call, object: &Value) -> Result<(), Status> {
    let mut object = object.clone();
    let unknown = match &call.resource.schema {
        Some(schema) => validate::prune(schema, &mut object),
        None => typed::prune(&mut object),
    };
    let Some(first) = unknown.first() else {
        return Ok(());
    };
    Err(Status::internal(format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): .{first}: field not declared in schema",
        call.namespace,
        name(&object),
        call.resource.api_version(),
        call.resource.kind
    )))
}

fn deletion(call: &Call) -> Deletion {
    let mut deletion = Deletion {
        propagation: text(&call.body["propagationPolicy"]).to_owned(),
        grace: call.body["gracePeriodSeconds"].as_i64(),
        uid: text(&call.body["preconditions"]["uid"]).to_owned(),
        resource_version: text(&call.body["preconditions"]["resourceVersion"]).to_owned(),
        dry_run: call.dry_run(),
    };
    if !call.query("propagationPolicy").is_empty() {
        call.query("propagationPolicy")
            .clone_into(&mut deletion.propagation);
    }
    if let Ok(grace) = call.query("gracePeriodSeconds").parse() {
        deletion.grace = Some(grace);
    }
    deletion
}

pub(super) fn delete(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
    let old = call.find(&state.store)?;
    let (object, gone) =
        deletions::delete(&mut state.store, &call.resource, &old, &deletion(call))?;
    if !gone || call.resource.kind == "Pod" {
        return Ok(call.show(StatusCode::OK, &object));
    }
    let mut details = json!({
        "name": name(&old), "kind": call.resource.plural, "uid": old["metadata"]["uid"],
    });
    if !call.resource.group.is_empty() {
        details["group"] = json!(call.resource.group);
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Ok(answer::json(StatusCode::OK, &status))
}

pub(super) fn delete_collection(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
    let scope = call.scope()?;
    let found: Vec<Arc<Value>> = state
        .store
        .list(&call.resource.key())
        .filter(|object| scope.contains(object))
        .cloned()
        .collect();
    let mut shown = Vec::new();
    for object in found {
        let (object, _) =
            deletions::delete(&mut state.store, &call.resource, &object, &deletion(call))?;
        shown.push(scope.shown(&object));
    }
    let metadata = json!({ "resourceVersion": state.store.version().to_string() });
    let value = answer::list(Form::Object, &call.resource, shown, metadata, "");
    Ok(answer::json(StatusCode::OK, &value))
}
