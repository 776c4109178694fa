//! The OpenIaaS HTTP API.

mod activities;
mod auth;
mod iam;
pub mod model;
pub mod operations;
mod read;
pub mod seed;
mod storage;
mod views;
mod vpc;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use activities::resume;
pub use auth::Limiter;

use crate::gate::{Admission, Call, Surface};
use crate::http::{Answer, Cut, Request};
use crate::world::World;

type Reply = Response<Full<Bytes>>;

/// An answer that is not the wanted one.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    fn absent() -> Self {
        Self::new(404, "Not Found")
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }
}

type Result<T, E = Refusal> = std::result::Result<T, E>;

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let status = http::StatusCode::from_u16(refusal.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"error": {"status": status.to_string(), "message": refusal.message}});
        let mut reply = crate::http::json(refusal.status, &body);
        for (name, value) in refusal.headers {
            if let Ok(value) = value.parse() {
                reply.headers_mut().insert(name, value);
            }
        }
        reply
    }
}

/// Serves the API until the world ends.
pub async fn serve(
    world: Arc<World>,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
) {
    let stop = world.stop.clone();
    let limiter = Arc::new(Limiter::default());
    crate::http::serve(listener, tls, stop, move |request| {
        answer(Arc::clone(&world), Arc::clone(&limiter), request)
    })
    .await;
}

async fn answer(world: Arc<World>, limiter: Arc<Limiter>, mut request: Request) -> Answer {
    if let Some(rest) = request.path.strip_prefix("/api")
        && rest.starts_with('/')
    {
        request.path = rest.to_owned();
    }
    let path = if request.query.is_empty() {
        request.path.clone()
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let is_login = request.path == LOGIN;
    let call = Call {
        surface: Surface::Openiaas,
        method: request.method.to_string(),
        path,
        write: request.method != Method::GET && !is_login,
        operation: None,
        target: target(&request),
    };
    let ticket = match world.gate.admit(call).await {
        Admission::Proceed(ticket) => ticket,
        Admission::Cut => return Err(Cut),
        Admission::Answer {
            status,
            headers,
            body,
        } => {
            let mut reply =
                crate::http::raw(status, "application/json; charset=utf-8", body.into());
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), value.parse()) {
                    reply.headers_mut().insert(name, value);
                }
            }
            return Ok(reply);
        }
    };
    let reply = limiter
        .admit(&world, request.peer, is_login)
        .and_then(|()| route(&world, &request))
        .unwrap_or_else(Reply::from);
    tracing::debug!(method = %request.method, path = %request.path, status = %reply.status(), "answered");
    if !world.gate.worked(&ticket).await {
        return Err(Cut);
    }
    Ok(reply)
}

const LOGIN: &str = "/iam/v2/auth/personal_access_token";

/// The name in the body, so that faults can aim at one object.
fn target(request: &Request) -> Option<String> {
    if request.method == Method::GET || request.path == LOGIN {
        return None;
    }
    serde_json::from_slice::<Value>(&request.body)
        .ok()?
        .get("name")?
        .as_str()
        .map(str::to_owned)
}

/// The right a path needs; absent when a valid token is enough.
fn right(method: &Method, segments: &[&str]) -> Option<&'static str> {
    let read = method == Method::GET;
    Some(match segments {
        ["activity", ..] => "activity_read",
        [
            "compute",
            "v1",
            "open_iaas",
            "hosts" | "pools" | "storage_repositories",
            ..,
        ] => "compute_iaas_opensource_infrastructure_read",
        ["compute", "v1", "open_iaas", "virtual_machines", _, "power"] => {
            "compute_iaas_opensource_virtual_machine_power"
        }
        ["compute", ..] if read => "compute_iaas_opensource_read",
        ["compute", ..] => "compute_iaas_opensource_management",
        ["backup", ..] if read => "backup_iaas_opensource_read",
        ["backup", ..] => "backup_iaas_opensource_write",
        ["tag", ..] if read => "tag_read",
        ["tag", ..] => "tag_write",
        ["vpc", ..] if read => "vpc_read",
        ["vpc", ..] => "vpc_write",
        ["storage", ..] if read => "object-storage_read",
        ["storage", ..] => "object-storage_write",
        ["iam", "v2", "personal_access_tokens", ..] => "iam_offline_access",
        ["iam", ..] => "iam_read",
        _ => return None,
    })
}

fn route(world: &Arc<World>, request: &Request) -> Result<Reply> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if request.path == LOGIN && request.method == Method::POST {
        return auth::login(world, request);
    }
    auth::check(world, request)?;
    if let Some(right) = right(&request.method, &segments)
        && world
            .behaviour()
            .denied_rights
            .iter()
            .any(|denied| denied == right)
    {
        return Err(Refusal::new(403, format!("Forbidden: {right} is missing")));
    }
    let found = match segments.as_slice() {
        ["compute", "v1", "open_iaas", rest @ ..] => {
            if request.method == Method::GET {
                read::compute(world, request, rest)
            } else {
                write::compute(world, request, rest)
            }
        }
        ["activity", "v1", "activities", rest @ ..] => read::activities(world, request, rest),
        ["backup", "v1", "open_iaas", rest @ ..] => read::backup(world, request, rest),
        ["tag", "v1", "tags", rest @ ..] => write::tags(world, request, rest),
        ["marketplace", "v1", "items", ..] if request.method == Method::GET => match segments.len()
        {
            3 => Some(Ok(crate::http::json(200, &json!([])))),
            _ => Some(Err(Refusal::absent())),
        },
        ["vpc", "v1", rest @ ..] => vpc::handle(world, request, rest),
        ["storage", "object", "v1", rest @ ..] => storage::handle(world, request, rest),
        ["iam", "v2", rest @ ..] => iam::handle(world, request, rest),
        _ => None,
    };
    found.unwrap_or_else(|| {
        let route = format!("{} {}", request.method, request.path);
        world.event("gap", &route, "a route that the sandbox does not know");
        Err(Refusal::new(404, format!("unknown route: {route}")))
    })
}

/// The JSON body of a request.
fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T> {
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::invalid(format!("invalid body: {error}")))
}

fn ok(value: &Value) -> Reply {
    crate::http::json(200, value)
}

/// `201` with the activity in `Location` and an empty body.
fn accepted(activity: &str) -> Reply {
    let mut reply = crate::http::empty(201);
    if let Ok(value) = activity.parse() {
        reply.headers_mut().insert(http::header::LOCATION, value);
    }
    reply.headers_mut().insert(
        http::header::ACCESS_CONTROL_EXPOSE_HEADERS,
        http::HeaderValue::from_static("Location"),
    );
    reply
}
