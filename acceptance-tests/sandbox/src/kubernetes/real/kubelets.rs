//! What the API server asks of kubelets: the output of containers.
//!
//! All that it would dial in the cluster goes to a socket of the sandbox (its egress selector), so that nothing is dialled
//! at addresses which somebody else has on this machine's network. The ports of kubelets are answered here; Services and
//! pods, which nobody plays, are refused.

use std::convert::Infallible;
use std::path::Path;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::RealError;
use crate::kubernetes::server::Body;
use crate::kubernetes::{Settings, answer, pki, subresource};

/// Port of kubelets.
const PORT: &str = ":10250";
/// Longest head of a request for a connection.
const HEAD: usize = 4096;

/// Listens at `socket` and answers until `stop`.
pub(super) fn serve(
    socket: &Path,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<(), RealError> {
    let listener = UnixListener::bind(socket).map_err(|source| RealError::Write {
        path: socket.to_owned(),
        source,
    })?;
    // Kubelets sign for themselves, and the API server does not look: any certificate will do.
    let config = pki::server_config(settings, &[]).map_err(RealError::Certificate)?;
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            let (acceptor, stop) = (acceptor.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    // A connection that breaks concerns the API server, which says so.
                    _ = connection(stream, acceptor) => {}
                }
            });
        }
    });
    Ok(())
}

async fn connection(mut stream: UnixStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    let target = target(&mut stream).await?;
    if !target.ends_with(PORT) {
        let refusal = b"HTTP/1.1 502 Nobody Is There\r\ncontent-length: 0\r\n\r\n";
        return stream.write_all(refusal).await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(async |request| Ok::<_, Infallible>(asked(&request)));
    let builder = auto::Builder::new(TokioExecutor::new());
    // Its end is the caller's.
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
    Ok(())
}

/// Where a CONNECT wants to go, `host:port`. The caller is silent after it until it is answered.
async fn target(stream: &mut UnixStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    Ok(target.to_owned())
}

fn asked(request: &Request<Incoming>) -> Response<Body> {
    let parts: Vec<&str> = request.uri().path().split('/').collect();
    match parts[..] {
        ["", "containerLogs", _, pod, _] => {
            answer::typed(StatusCode::OK, "text/plain", subresource::output(pod))
        }
        _ => answer::typed(StatusCode::NOT_FOUND, "text/plain", "404 page not found\n"),
    }
}
