//! Chart repositories over HTTP and a small OCI registry, made from folders, and from what is uploaded: a `PUT` of a file, a
//! push of an image. Asked directly and not as a mirror, everything below `private/` wants a password, and what is below
//! `strangers/` refuses whoever sends one.

mod access;
mod pack;
mod registry;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tokio::net::TcpListener;

pub use access::{CHARTS_PASSWORD, CHARTS_USER};
pub use pack::Repository;

use crate::gate::{Admission, Call, Surface};
use crate::http::{Answer, Cut, Request};
use crate::world::World;

/// Serves the charts until the world ends.
pub async fn serve(world: Arc<World>, repository: Repository, listener: TcpListener) {
    let stop = world.stop.clone();
    let repository = Arc::new(Mutex::new(repository));
    crate::http::serve(listener, None, stop, move |request| {
        answer(Arc::clone(&world), Arc::clone(&repository), request)
    })
    .await;
}

async fn answer(world: Arc<World>, repository: Arc<Mutex<Repository>>, request: Request) -> Answer {
    let call = Call {
        surface: Surface::Charts,
        method: request.method.to_string(),
        path: request.path.clone(),
        write: !matches!(request.method, Method::GET | Method::HEAD),
        operation: None,
        target: None,
    };
    let ticket = match world.gate.admit(call).await {
        Admission::Proceed(ticket) => ticket,
        Admission::Cut => return Err(Cut),
        Admission::Answer { status, body, .. } => {
            return Ok(crate::http::raw(status, "text/plain", body.into()));
        }
    };
    if !world.gate.worked(&ticket).await {
        return Err(Cut);
    }
    if let Some(refusal) = access::check(&request) {
        return Ok(refusal);
    }
    let mut repository = repository.lock().unwrap_or_else(PoisonError::into_inner);
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let ["v2", rest @ ..] = segments.as_slice() {
        return Ok(registry::answer(&mut repository, &request, rest));
    }
    let path = segments.join("/");
    if request.method == Method::PUT {
        repository.put_file(&path, request.body);
        return Ok(crate::http::empty(201));
    }
    Ok(match repository.file(&path) {
        Some((kind, bytes)) => crate::http::raw(200, kind, bytes),
        None => crate::http::raw(
            404,
            "text/plain",
            format!("no such file: {}", request.path).into(),
        ),
    })
}

fn missing(code: &str) -> http::Response<http_body_util::Full<Bytes>> {
    crate::http::json(404, &json!({"errors": [{"code": code, "message": code}]}))
}
