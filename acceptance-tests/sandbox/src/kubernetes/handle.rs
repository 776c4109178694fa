//! One request: who asks, what for, and which function answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Form};
use super::api::{ApiServer, Request, State};
use super::apply::{self, Writer};
use super::pki::Identity;
use super::registry::{REVIEWS, Resource};
use super::route::{self, Route};
use super::selector::{Fields, Labels};
use super::server::Body;
use super::shape::Shapes;
use super::status::{Cause, Status};
use super::store::Store;
use super::value::{members, name, namespace, text};
use super::watch::{self, Scope, Watch};
use super::write::{self, Deletion, Options};
use super::{authorize, discovery, patch, subresource};

/// What a request for a resource carries.
pub(super) struct Call {
    pub resource: Arc<Resource>,
    pub namespace: String,
    pub name: Option<String>,
    pub subresource: String,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    pub content_type: String,
    pub form: Form,
    pub manager: String,
}

impl Call {
    pub fn query(&self, key: &str) -> &str {
        self.query.get(key).map(String::as_str).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.query(key), "true" | "1" | "True")
    }

    pub fn options(&self) -> Options {
        Options {
            manager: self.manager.clone(),
            dry_run: self.dry_run(),
            strict: self.query("fieldValidation") == "Strict",
            subresource: self.subresource.clone(),
            applied: false,
        }
    }

    fn dry_run(&self) -> bool {
        self.query("dryRun") == "All"
            || self.body["dryRun"]
                .as_array()
                .is_some_and(|list| list.contains(&json!("All")))
    }

    /// The object that the path names.
    pub fn find(&self, store: &Store) -> Result<Arc<Value>, Status> {
        let name = self.name.as_deref().unwrap_or_default();
        store
            .get(&self.resource.key(), &self.namespace, name)
            .cloned()
            .ok_or_else(|| Status::not_found(&self.resource.group, &self.resource.plural, name))
    }

    pub fn scope(&self) -> Result<Scope, Status> {
        let mut fields = self.query("fieldSelector").to_owned();
        if let Some(name) = &self.name {
            if !fields.is_empty() {
                fields.push(',');
            }
            fields.push_str("metadata.name=");
            fields.push_str(name);
        }
        let fields = Fields::parse(&fields)?;
        fields.check(&self.resource.kind)?;
        Ok(Scope {
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            labels: Labels::parse(self.query("labelSelector"))?,
            fields,
        })
    }

    fn show(&self, code: StatusCode, object: &Value) -> Response<Body> {
        let mut shown = object.clone();
        if shown["metadata"].is_object() && text(&shown["kind"]) == self.resource.kind {
            shown["apiVersion"] = json!(self.resource.api_version());
        }
        let include = self.query("includeObject");
        answer::json(
            code,
            &answer::object(self.form, &self.resource, &shown, include, true),
        )
    }
}

impl ApiServer {
    /// Answers one request.
    pub(super) fn handle(&self, request: Request) -> Response<Body> {
        match self.try_handle(&request) {
            Ok(response) => response,
            Err(status) => answer::refusal(&status),
        }
    }

    fn try_handle(&self, request: &Request) -> Result<Response<Body>, Status> {
        if request.identity.is_anonymous() {
            return Err(Status::unauthorized());
        }
        let accept = header(request, http::header::ACCEPT);
        let route = route::parse(request.uri.path());
        let (group, version, plural, namespace, name, subresource) = match route {
            Route::Other(parts) => return self.other(&parts, accept),
            Route::Group(group) => {
                return discovery::one_group(&self.lock().store, &group)
                    .map(|found| answer::json(StatusCode::OK, &found))
                    .ok_or_else(Status::no_such_path);
            }
            Route::Version { group, version } => {
                return discovery::resource_list(&self.lock().store, &group, &version)
                    .map(|found| answer::json(StatusCode::OK, &found))
                    .ok_or_else(Status::no_such_path);
            }
            Route::Resource {
                group,
                version,
                plural,
                namespace,
                name,
                subresource,
            } => (group, version, plural, namespace, name, subresource),
        };
        let body = body(request)?;
        if REVIEWS
            .iter()
            .any(|review| review.0 == group && review.2 == plural)
        {
            let state = self.lock();
            let review = authorize::review(&state.store, &request.identity, &plural, body);
            return Ok(answer::json(StatusCode::CREATED, &review));
        }
        let resource = self
            .lock()
            .store
            .resource(&group, &version, &plural)
            .ok_or_else(Status::no_such_path)?;
        let call = Call {
            manager: String::new(),
            query: route::query(request.uri.query()),
            content_type: header(request, http::header::CONTENT_TYPE)
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            form: Form::of(accept),
            resource,
            namespace,
            name,
            subresource,
            body,
        };
        let manager = manager(&call, request);
        self.call(&request.method, &request.identity, Call { manager, ..call })
    }

    fn call(
        &self,
        method: &Method,
        identity: &Identity,
        call: Call,
    ) -> Result<Response<Body>, Status> {
        let watch = call.flag("watch");
        let verb = match (method, &call.name, watch) {
            (&Method::GET, _, true) => "watch",
            (&Method::GET, Some(_), _) => "get",
            (&Method::GET, None, _) => "list",
            (&Method::POST, ..) => "create",
            (&Method::PUT, ..) => "update",
            (&Method::PATCH, ..) => "patch",
            (&Method::DELETE, Some(_), _) => "delete",
            (&Method::DELETE, None, _) => "deletecollection",
            _ => return Err(Status::method_not_allowed()),
        };
        let mut state = self.lock();
        if !authorize::allowed(&state.store, identity, verb, &call) {
            let why = format!(
                "User \"{}\" cannot {verb} resource \"{}\" in API group \"{}\"{}",
                identity.user,
                call.resource.plural,
                call.resource.group,
                if call.namespace.is_empty() {
                    " at the cluster scope".to_owned()
                } else {
                    format!(" in the namespace \"{}\"", call.namespace)
                }
            );
            let name = call.name.clone().unwrap_or_default();
            return Err(Status::forbidden(
                &call.resource.group,
                &call.resource.plural,
                &name,
                &why,
            ));
        }
        if verb == "watch" {
            drop(state);
            return self.watch(&call);
        }
        if !call.subresource.is_empty() && call.subresource != "status" {
            return subresource::answer(&mut state, method, &call);
        }
        match verb {
            "get" => Ok(call.show(StatusCode::OK, &*call.find(&state.store)?)),
            "list" => list(&state.store, &call),
            "create" => create(&mut state.store, &call),
            "update" => update(&mut state.store, &call),
            "patch" => patched(&mut state.store, &call),
            "delete" => delete(&mut state, &call),
            _ => delete_collection(&mut state, &call),
        }
    }

    fn watch(&self, call: &Call) -> Result<Response<Body>, Status> {
        let from = asked_version(call)?;
        let timeout = call.query("timeoutSeconds").parse().unwrap_or(2700);
        let watch = Watch {
            scope: call.scope()?,
            form: call.form,
            include: call.query("includeObject").to_owned(),
            from,
            initial: call.flag("sendInitialEvents"),
            bookmarks: call.flag("allowWatchBookmarks"),
            timeout: Duration::from_secs(timeout),
        };
        let mut response = Response::new(watch::body(self, watch)?);
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        Ok(response)
    }

    /// Paths that are not about a resource.
    fn other(&self, parts: &[String], accept: &str) -> Result<Response<Body>, Status> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let state = self.lock();
        let store = &state.store;
        let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
        let found = match parts.as_slice() {
            ["api" | "apis"] if aggregated => {
                let value = discovery::aggregated(store, parts[0] == "api");
                return Ok(answer::typed(
                    StatusCode::OK,
                    discovery::AGGREGATED,
                    value.to_string(),
                ));
            }
            ["api"] => Some(discovery::core_versions()),
            ["apis"] => Some(discovery::group_list(store)),
            ["version"] => Some(discovery::version(&state.version)),
            ["openapi", "v2"] if accept.contains("proto-openapi") => {
                let (kind, body) = discovery::SWAGGER_PROTOBUF;
                return Ok(answer::typed(StatusCode::OK, kind, body));
            }
            ["openapi", "v2"] => Some(discovery::swagger(store)),
            ["openapi", "v3"] => Some(discovery::openapi_index(store)),
            ["openapi", "v3", "api", version] => discovery::openapi(store, "", version),
            ["openapi", "v3", "apis", group, version] => discovery::openapi(store, group, version),
            ["healthz" | "livez" | "readyz", ..] => {
                return Ok(answer::typed(
                    StatusCode::OK,
                    "text/plain; charset=utf-8",
                    "ok",
                ));
            }
            _ => None,
        };
        found
            .map(|value| answer::json(StatusCode::OK, &value))
            .ok_or_else(Status::no_such_path)
    }
}

fn header(request: &Request, name: http::HeaderName) -> &str {
    request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn body(request: &Request) -> Result<Value, Status> {
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    let content_type = header(request, http::header::CONTENT_TYPE);
    if content_type.contains("protobuf") {
        return super::protobuf::decode(&request.body)
            .ok_or_else(|| Status::unsupported_media_type(content_type));
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| Status::bad_request(format!("the body is not JSON: {error}")))
}

/// The field manager: as given, else the first word of the user agent.
fn manager(call: &Call, request: &Request) -> String {
    match call.query("fieldManager") {
        "" => header(request, http::header::USER_AGENT)
            .split('/')
            .next()
            .filter(|agent| !agent.is_empty())
            .unwrap_or("unknown")
            .to_owned(),
        manager => manager.to_owned(),
    }
}

/// The version that a list or a watch begins with.
fn asked_version(call: &Call) -> Result<Option<u64>, Status> {
    match call.query("resourceVersion") {
        "" => Ok(None),
        version => version
            .parse()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("invalid resource version \"{version}\""))),
    }
}

fn list(store: &Store, call: &Call) -> Result<Response<Body>, Status> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let scope = call.scope()?;
    if asked_version(call)?.is_none() && !call.query("resourceVersionMatch").is_empty() {
        let cause = Cause {
            reason: "FieldValueForbidden",
            message:
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
                    .to_owned(),
            field: "resourceVersionMatch".to_owned(),
        };
        return Err(Status::invalid("meta.k8s.io", "ListOptions", "", &[cause]));
    }
    let limit: usize = call.query("limit").parse().unwrap_or(0);
    let mut version = store.version();
    let mut after: Option<(String, String)> = None;
    if !call.query("continue").is_empty() {
        let token = URL_SAFE_NO_PAD
            .decode(call.query("continue"))
            .ok()
            .and_then(|token| serde_json::from_slice::<(u64, String, String)>(&token).ok())
            .ok_or_else(|| Status::bad_request("continue key is not valid"))?;
        version = token.0;
        after = Some((token.1, token.2));
    }
    let mut found: Vec<&Arc<Value>> = store
        .list(&call.resource.key())
        .filter(|object| scope.contains(object))
        .filter(|object| {
            after.as_ref().is_none_or(|(space, last)| {
                (namespace(object), name(object)) > (space.as_str(), last.as_str())
            })
        })
        .collect();
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if limit > 0 && found.len() > limit {
        metadata["remainingItemCount"] = json!(found.len() - limit);
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

fn create(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
    let mut object = call.body.clone();
    write::conform(
        &call.resource,
        &call.namespace,
        call.name.as_deref(),
        &mut object,
    )?;
    if !text(&object["metadata"]["resourceVersion"]).is_empty() {
        return Err(Status::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let created = write::create(store, &call.resource, object, &call.options())?;
    Ok(call.show(StatusCode::CREATED, &created))
}

fn update(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
    let mut object = call.body.clone();
    write::conform(
        &call.resource,
        &call.namespace,
        call.name.as_deref(),
        &mut object,
    )?;
    let old = call.find(store)?;
    let updated = write::update(store, &call.resource, &old, object, &call.options())?;
    Ok(call.show(StatusCode::OK, &updated))
}

fn patched(store: &mut Store, call: &Call) -> Result<Response<Body>, Status> {
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
    write::conform(
        &call.resource,
        &call.namespace,
        call.name.as_deref(),
        &mut object,
    )?;
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
    write::conform(
        &call.resource,
        &call.namespace,
        call.name.as_deref(),
        &mut object,
    )?;
    if object["metadata"]
        .get("managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
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

fn delete(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
    let old = call.find(&state.store)?;
    let (object, gone) = write::delete(&mut state.store, &call.resource, &old, &deletion(call))?;
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

fn delete_collection(state: &mut State, call: &Call) -> Result<Response<Body>, Status> {
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
            write::delete(&mut state.store, &call.resource, &object, &deletion(call))?;
        shown.push(scope.shown(&object));
    }
    let metadata = json!({ "resourceVersion": state.store.version().to_string() });
    let value = answer::list(Form::Object, &call.resource, shown, metadata, "");
    Ok(answer::json(StatusCode::OK, &value))
}
