//! The registry's part: tags, manifests, blobs, read and pushed (OCI distribution specification 1.1).

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;

use super::missing;
use super::pack::Repository;
use crate::http::{Request, empty, raw};

/// Answers a request below `/v2/`.
pub(super) fn answer(
    repository: &mut Repository,
    request: &Request,
    path: &[&str],
) -> Response<Full<Bytes>> {
    match (&request.method, path) {
        (_, []) => raw(200, "application/json", Bytes::from_static(b"{}")),
        (&Method::POST, [name @ .., "blobs", "uploads"]) => {
            let place = format!(
                "/v2/{}/blobs/uploads/{}",
                name.join("/"),
                uuid::Uuid::new_v4()
            );
            located(empty(202), &place)
        }
        (&Method::PUT, [name @ .., "blobs", "uploads", _]) => {
            let digest = repository.add_blob(&request.body);
            if request.query("digest").as_deref() != Some(digest.as_str()) {
                return refused("DIGEST_INVALID");
            }
            located(
                empty(201),
                &format!("/v2/{}/blobs/{digest}", name.join("/")),
            )
        }
        (&Method::PUT, [name @ .., "manifests", reference]) => {
            let name = name.join("/");
            let digest = repository.put_manifest(&name, reference, &request.body);
            let answer = located(empty(201), &format!("/v2/{name}/manifests/{digest}"));
            with_digest(answer, &digest)
        }
        (_, [name @ .., "tags", "list"]) => match repository.tags(&name.join("/")) {
            Some((kind, bytes)) => raw(200, kind, bytes),
            None => missing("NAME_UNKNOWN"),
        },
        (_, [name @ .., "manifests", reference]) => {
            match repository.manifest(&name.join("/"), reference) {
                Some((digest, bytes)) => {
                    let kind = "application/vnd.oci.image.manifest.v1+json";
                    with_digest(raw(200, kind, bytes), &digest)
                }
                None => missing("MANIFEST_UNKNOWN"),
            }
        }
        (_, [_name @ .., "blobs", digest]) => match repository.blob(digest) {
            Some((kind, bytes)) => with_digest(raw(200, kind, bytes), digest),
            None => missing("BLOB_UNKNOWN"),
        },
        _ => missing("NAME_UNKNOWN"),
    }
}

fn refused(code: &str) -> Response<Full<Bytes>> {
    let mut answer = missing(code);
    *answer.status_mut() = http::StatusCode::BAD_REQUEST;
    answer
}

fn with_header(
    mut answer: Response<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Response<Full<Bytes>> {
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn with_digest(answer: Response<Full<Bytes>>, digest: &str) -> Response<Full<Bytes>> {
    with_header(answer, "docker-content-digest", digest)
}

fn located(answer: Response<Full<Bytes>>, place: &str) -> Response<Full<Bytes>> {
    with_header(answer, "location", place)
}
