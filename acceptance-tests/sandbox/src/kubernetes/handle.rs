//! One request: who asks, what for, and which function answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Form};
use super::api::{ApiServer, Request};
use super::conform::conform;
use super::pki::Identity;
use super::registry::{REVIEWS, Resource};
use super::route::{self, Route};
use super::selector::{Fields, Labels};
use super::server::Body;
use super::status::{Cause, Status};
use super::store::Store;
use super::value::text;
use super::watch::{self, Scope, Watch};
use super::write::Options;
use super::{authorize, discovery, subresource, verbs};

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
    /// Gives a body its kind, name and place as the path has them.
    pub fn conform(&self, object: &mut Value) -> Result<(), Status> {
        conform(
            &self.resource,
            &self.namespace,
            self.name.as_deref(),
            object,
        )
    }

    pub fn query(&self, key: &str) -> &str {
        self.query.get(key).map(String::as_str).unwrap_or_default()
    }

    pub fn flag(&self, key: &str) -> bool {
        truthy(self.query(key))
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

    pub fn dry_run(&self) -> bool {
        self.query("dryRun") == "All"
            || self.body["dryRun"]
                .as_array()
                .is_some_and(|list| list.contains(&json!("All")))
    }

    /// What a request may say of how it is to be done.
    fn check(&self, method: &Method) -> Result<(), Status> {
        let kind = match *method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            Method::DELETE => "DeleteOptions",
            _ => return Ok(()),
        };
        let allowed: [(&str, &[&str]); 2] = [
            ("dryRun", &["All"]),
            ("fieldValidation", &["Ignore", "Warn", "Strict"]),
        ];
        for (field, values) in allowed {
            let seen = self.query(field);
            if !seen.is_empty() && !values.contains(&seen) {
                let cause = Cause {
                    reason: "FieldValueNotSupported",
                    message: format!(
                        "Unsupported value: \"{seen}\": supported values: \"{}\"",
                        values.join("\", \"")
                    ),
                    field: field.to_owned(),
                };
                return Err(Status::invalid("meta.k8s.io", kind, "", &[cause]));
            }
        }
        Ok(())
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

    pub fn show(&self, code: StatusCode, object: &Value) -> Response<Body> {
        let mut shown = object.clone();
        if shown["metadata"].is_object() && text(&shown["kind"]) == self.resource.kind {
            shown["apiVersion"] = json!(self.resource.api_version());
        }
        let include = self.query("includeObject");
        let shown = answer::object(self.form, &self.resource, &shown, include, true);
        answer::json(code, &shown)
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
        let query = route::query(request.uri.query());
        let watch = query.get("watch").is_some_and(|value| truthy(value));
        let list = request.method == Method::GET && name.is_none() && !watch;
        let call = Call {
            manager: String::new(),
            query,
            content_type: header(request, http::header::CONTENT_TYPE)
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            form: Form::of(accept, list)?,
            resource,
            namespace,
            name,
            subresource,
            body,
        };
        call.check(&request.method)?;
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
            "list" => verbs::list(&state.store, &call),
            "create" => verbs::create(&mut state.store, &call),
            "update" => verbs::update(&mut state.store, &call),
            "patch" => verbs::patched(&mut state.store, &call),
            "delete" => verbs::delete(&mut state, &call),
            _ => verbs::delete_collection(&mut state, &call),
        }
    }

    fn watch(&self, call: &Call) -> Result<Response<Body>, Status> {
        let from = verbs::asked_version(call)?;
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

fn truthy(value: &str) -> bool {
    matches!(value, "true" | "1" | "True")
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
