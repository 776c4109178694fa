//! Subresources that are not a part of their object: scale, eviction, token, log, finalize, approval.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::answer;
use super::api::State;
use super::delete::{self, Deletion};
use super::handle::Call;
use super::patch;
use super::registry::Resource;
use super::selector::Labels;
use super::server::Body;
use super::shape::Shapes;
use super::status::{Cause, Status};
use super::store::Store;
use super::value::{int, is_true, name, namespace, text, uid};
use super::write;

/// Answers a request for a subresource other than `status`.
///
/// # Errors
/// As the API.
pub(super) fn answer(
    state: &mut State,
    method: &Method,
    call: &Call,
) -> Result<Response<Body>, Status> {
    match (call.resource.kind.as_str(), call.subresource.as_str()) {
        (_, "scale") if call.resource.scale => scale(&mut state.store, method, call),
        ("Pod", "eviction") if method == Method::POST => evict(state, call),
        ("Pod", "log") => {
            let pod = call.find(&state.store)?;
            Ok(answer::typed(
                StatusCode::OK,
                "text/plain",
                output(name(&pod)),
            ))
        }
        ("ServiceAccount", "token") if method == Method::POST => token(state, call),
        ("Namespace", "finalize") | ("CertificateSigningRequest", "approval") => {
            replace(&mut state.store, method, call)
        }
        _ => Err(Status::no_such_path()),
    }
}

/// What each container of a pod printed.
pub(super) fn output(pod: &str) -> String {
    format!("{pod} runs in a sandbox and says nothing\n")
}

/// The pointer of a path such as `spec.replicas`.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn as_scale(resource: &Resource, object: &Value) -> Value {
    let [wanted, seen, chosen] = &resource.scale_paths;
    let count = |path: &str| int(object.pointer(&pointer(path)).unwrap_or(&Value::Null));
    let selector = if resource.custom {
        let chosen = object.pointer(&pointer(chosen)).unwrap_or(&Value::Null);
        text(chosen).to_owned()
    } else {
        selector_text(&object["spec"]["selector"])
    };
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": name(object),
            "namespace": namespace(object),
            "uid": uid(object),
            "resourceVersion": object["metadata"]["resourceVersion"],
            "creationTimestamp": object["metadata"]["creationTimestamp"],
        },
        "spec": { "replicas": count(wanted) },
        "status": { "replicas": count(seen) },
    });
    if !selector.is_empty() {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

fn selector_text(selector: &Value) -> String {
    super::value::texts(&selector["matchLabels"])
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn scale(store: &mut Store, method: &Method, call: &Call) -> Result<Response<Body>, Status> {
    let old = call.find(store)?;
    let mut scale = as_scale(&call.resource, &old);
    match *method {
        Method::GET => return Ok(answer::json(StatusCode::OK, &scale)),
        Method::PUT => scale = call.body.clone(),
        Method::PATCH if call.content_type == "application/json-patch+json" => {
            patch::json_patch(&mut scale, &call.body)?;
        }
        Method::PATCH => patch::merge_patch(&mut scale, &call.body),
        _ => return Err(Status::method_not_allowed()),
    }
    let replicas = int(&scale["spec"]["replicas"]);
    if replicas < 0 {
        let why = "must be greater than or equal to 0";
        let cause = Cause::refused("spec.replicas", &json!(replicas), why);
        return Err(Status::invalid(
            "autoscaling",
            "Scale",
            name(&old),
            &[cause],
        ));
    }
    let mut object = (*old).clone();
    let (parent, last) = call.resource.scale_paths[0]
        .rsplit_once('.')
        .unwrap_or(("", &call.resource.scale_paths[0]));
    if let Some(parent) = object.pointer_mut(&pointer(parent)) {
        parent[last] = json!(replicas);
    }
    object["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
    let mut options = call.options();
    "scale".clone_into(&mut options.subresource);
    let updated = write::update(store, &call.resource, &old, object, &options)?;
    Ok(answer::json(
        StatusCode::OK,
        &as_scale(&call.resource, &updated),
    ))
}

fn replace(store: &mut Store, method: &Method, call: &Call) -> Result<Response<Body>, Status> {
    let old = call.find(store)?;
    let mut object = match *method {
        Method::GET => return Ok(answer::json(StatusCode::OK, &old)),
        Method::PUT => call.body.clone(),
        _ => {
            let mut object = (*old).clone();
            patch::strategic(&mut object, &call.body, &Shapes::of(&call.resource));
            object
        }
    };
    call.conform(&mut object)?;
    let mut options = call.options();
    if call.subresource == "approval" {
        "status".clone_into(&mut options.subresource);
    }
    let updated = write::update(store, &call.resource, &old, object, &options)?;
    Ok(answer::json(StatusCode::OK, &updated))
}

/// A token that nobody can use: no workload runs here that would.
fn token(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
    call.find(&state.store)?;
    let mut review = call.body.clone();
    let seconds = review["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    let until = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + seconds)
        .map(|until| until.to_string())
        .unwrap_or_default();
    review["kind"] = json!("TokenRequest");
    review["apiVersion"] = json!("authentication.k8s.io/v1");
    review["status"] = json!({
        "token": format!("sandbox.{}", uuid::Uuid::new_v4()),
        "expirationTimestamp": until,
    });
    Ok(answer::json(StatusCode::CREATED, &review))
}

/// Deletes a pod unless a disruption budget needs it ("Kubernetes docs", API-initiated eviction).
fn evict(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
    let pod = call.find(&state.store)?;
    let finished = matches!(
        text(&pod["status"]["phase"]),
        "Succeeded" | "Failed" | "Pending"
    );
    if !finished && !super::value::deleting(&pod) {
        let budgets: Vec<_> = state
            .store
            .list_in("poddisruptionbudgets.policy", namespace(&pod))
            .filter(|budget| {
                Labels::of(&budget["spec"]["selector"]).matches(&pod["metadata"]["labels"])
            })
            .cloned()
            .collect();
        for budget in budgets {
            let (allowed, needs, has) = super::controllers::budget::count(&state.store, &budget);
            // A pod that is not ready does not count, and may go while the others are enough.
            let spare = !is_true(&pod, "Ready") && has >= needs;
            if allowed == 0 && !spare {
                return Err(Status::too_many_disruptions(name(&budget), needs, has));
            }
        }
    }
    let options = &call.body["deleteOptions"];
    let deletion = Deletion {
        propagation: String::new(),
        grace: options["gracePeriodSeconds"].as_i64(),
        uid: text(&options["preconditions"]["uid"]).to_owned(),
        resource_version: String::new(),
        dry_run: call.options().dry_run
            || options["dryRun"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
    };
    delete::delete(&mut state.store, &call.resource, &pod, &deletion)?;
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    Ok(answer::json(StatusCode::CREATED, &status))
}
