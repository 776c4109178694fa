//! The listener: TLS, client identity, HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::api::{ApiServer, Request};
use super::pki::{self, Identity};
use crate::gate::{Admission, Call, Surface};

/// Body of every answer: a whole text or a watch.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Largest request body: what the real server allows, 3 MiB.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The CA's private key cannot be read.
    #[error("the private key of the cluster's CA is neither SEC1 nor PKCS#8 in PEM")]
    AuthorityKey,
    /// The CA's certificate cannot be read.
    #[error("the certificate of the cluster's CA is not a certificate in PEM")]
    AuthorityCertificate,
    /// The serving certificate cannot be made.
    #[error("making the serving certificate failed")]
    Certificate(#[source] rcgen::Error),
    /// The TLS settings are contradictory.
    #[error("setting up TLS failed")]
    Tls(#[source] rustls::Error),
}

/// Accepts connections until `stop`, which also ends the open ones.
pub(super) async fn serve(
    api: ApiServer,
    listener: TcpListener,
    names: Vec<String>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let acceptor = TlsAcceptor::from(pki::server_config(api.settings(), &names)?);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        // A failed accept concerns one client, or a lack of descriptors that passes.
        let Ok((stream, _)) = accepted else { continue };
        let (api, acceptor, stop) = (api.clone(), acceptor.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(api, acceptor, stream) => {}
            }
        });
    }
}

async fn connection(api: ApiServer, acceptor: TlsAcceptor, stream: TcpStream) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let identity = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(pki::identity)
        .unwrap_or_default();
    let identity = Arc::new(identity);
    let cut = CancellationToken::new();
    let mine = cut.clone();
    let service = service_fn(move |request| {
        let (api, identity, cut) = (api.clone(), identity.clone(), cut.clone());
        async move {
            let answer = gated(api, identity, request).await;
            if answer.is_none() {
                // Over HTTP/2 an error ends only one stream: the whole connection goes.
                cut.cancel();
            }
            answer.ok_or(Cut)
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        () = mine.cancelled() => {}
        _ = builder.serve_connection(TokioIo::new(stream), service) => {}
    }
}

/// The connection is closed instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

/// True for a request that can change something.
fn writes(request: &http::Request<Incoming>) -> bool {
    let path = request.uri().path();
    let asks = path.starts_with("/apis/authorization.k8s.io/")
        || path.starts_with("/apis/authentication.k8s.io/");
    let tries = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("dryRun=All"));
    !matches!(*request.method(), http::Method::GET | http::Method::HEAD) && !asks && !tries
}

/// Answers behind the gate; nothing when the connection is to be cut.
async fn gated(
    api: ApiServer,
    identity: Arc<Identity>,
    request: http::Request<Incoming>,
) -> Option<http::Response<Body>> {
    let gate = api.settings().gate.clone();
    let call = Call {
        surface: Surface::Kubernetes,
        method: request.method().to_string(),
        path: request
            .uri()
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        write: writes(&request),
        operation: None,
        target: None,
    };
    match gate.admit(call).await {
        Admission::Proceed(ticket) => {
            let response = answer(api, identity, request).await;
            gate.worked(&ticket).await.then_some(response)
        }
        Admission::Answer {
            status,
            headers,
            body,
        } => {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(super::answer::full(body)).ok()
        }
        Admission::Cut => None,
    }
}

async fn answer(
    api: ApiServer,
    identity: Arc<Identity>,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    api.handle(Request {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
        identity,
    })
}
