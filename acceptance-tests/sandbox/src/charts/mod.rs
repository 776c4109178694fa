//! Chart repositories over HTTP and a minimal OCI registry, made from folders.

mod pack;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;

pub use pack::Repository;

use crate::gate::{Admission, Call, Surface};
use crate::http::{Answer, Cut, Request};
use crate::world::World;

/// Serves the charts until the world ends.
pub async fn serve(world: Arc<World>, repository: Repository, listener: TcpListener) {
    let stop = world.stop.clone();
    let repository = Arc::new(repository);
    crate::http::serve(listener, None, stop, move |request| {
        answer(Arc::clone(&world), Arc::clone(&repository), request)
    })
    .await;
}

async fn answer(world: Arc<World>, repository: Arc<Repository>, request: Request) -> Answer {
    let call = Call {
        surface: Surface::Charts,
        method: request.method.to_string(),
        path: request.path.clone(),
        write: false,
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
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match segments.as_slice() {
        ["v2"] => Some(("application/json", Bytes::from_static(b"{}"))),
        ["v2", name @ .., "tags", "list"] => repository.tags(&name.join("/")),
        ["v2", name @ .., "manifests", reference] => {
            return Ok(match repository.manifest(&name.join("/"), reference) {
                Some((digest, bytes)) => {
                    let mut reply =
                        crate::http::raw(200, "application/vnd.oci.image.manifest.v1+json", bytes);
                    if let Ok(value) = digest.parse() {
                        reply.headers_mut().insert("Docker-Content-Digest", value);
                    }
                    reply
                }
                None => missing("MANIFEST_UNKNOWN"),
            });
        }
        ["v2", _name @ .., "blobs", digest] => repository.blob(digest),
        ["v2", ..] => return Ok(missing("NAME_UNKNOWN")),
        path => repository.file(&path.join("/")),
    };
    Ok(match found {
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
