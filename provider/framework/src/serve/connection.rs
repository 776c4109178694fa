//! Connections: HTTP/2 over the socket, and which service a request is for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto_plugin::health::health_server::HealthServer;
use proto_plugin::plugin::grpc_broker_server::GrpcBrokerServer;
use proto_plugin::plugin::grpc_controller_server::GrpcControllerServer;
use proto_plugin::plugin::grpc_stdio_server::GrpcStdioServer;
use proto_plugin::tfplugin6::provider_server::ProviderServer;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;
use tower::ServiceExt as _;

use super::Token;
use super::listener::Listener;
use super::services;
use super::tls::Tls;
use crate::Provider;
use crate::server::{Server, Session, Shared};

/// Large states pass several times per call; tonic's own limit is 4 MiB.
const MESSAGE_LIMIT: usize = 256 << 20;
/// Windows that let a large message pass without a pause per 64 KiB.
const WINDOW: u32 = 8 << 20;
/// How long an answer may take to reach the caller after the shutdown call.
const FLUSH: Duration = Duration::from_millis(100);

/// What ends what.
#[derive(Clone)]
pub(super) struct Lifetime {
    /// The caller said goodbye: leave at once.
    pub shutdown: Token,
    /// Nobody is there any more: end the work in flight, then leave.
    pub over: Token,
    /// The parent of every call's token.
    pub work: Token,
}

impl Lifetime {
    pub fn new() -> Self {
        Self {
            shutdown: Token::new(),
            over: Token::new(),
            work: Token::new(),
        }
    }
}

/// What connections share.
pub(super) struct Host<P: Provider> {
    pub shared: Arc<Shared<P>>,
    /// The configuration of the process; in reattach mode each connection has its own.
    pub session: Option<Arc<Session<P::Data>>>,
    pub lifetime: Lifetime,
}

impl<P: Provider> Clone for Host<P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            session: self.session.clone(),
            lifetime: self.lifetime.clone(),
        }
    }
}

/// Accepts connections for ever. Outside reattach mode the process is over when the last
/// connection is.
pub(super) async fn accept<P: Provider>(listener: Listener, tls: Option<Tls>, host: Host<P>) {
    let reattach = host.session.is_none();
    let tls = tls.map(Arc::new);
    let file = listener.file();
    let open = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    loop {
        let stream = listener.accept().await;
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (host, tls, open) = (host.clone(), tls.clone(), Arc::clone(&open));
        let file = (!reattach).then(|| Arc::clone(&file));
        tokio::spawn(async move {
            use std::sync::atomic::Ordering::SeqCst;
            let lifetime = host.lifetime.clone();
            // Once the caller stands, the file has done its service.
            let stands = || {
                open.fetch_add(1, SeqCst);
                if let Some(file) = &file {
                    file.remove();
                }
            };
            let served = match tls {
                None => {
                    stands();
                    serve(stream, host).await;
                    true
                }
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => {
                        stands();
                        serve(stream, host).await;
                        true
                    }
                    Err(error) => {
                        tracing::warn!(%error, "TLS handshake refused");
                        false
                    }
                },
            };
            if served && open.fetch_sub(1, SeqCst) == 1 && !reattach {
                tracing::debug!("the caller hung up");
                lifetime.over.cancel();
            }
        });
    }
}

/// Serves one connection until it ends or the caller asks for the end.
async fn serve<P: Provider>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: Host<P>,
) {
    let session = match &host.session {
        Some(session) => Arc::clone(session),
        None => Arc::new(Session::new(host.lifetime.work.child_token())),
    };
    // In reattach mode a lost connection ends the work of that connection only.
    let guard = host
        .session
        .is_none()
        .then(|| session.cancel.clone().drop_guard());
    // The shutdown of one reattached client must not end the others' process.
    let lifetime = match host.session {
        Some(_) => host.lifetime.clone(),
        None => Lifetime::new(),
    };
    let router = Arc::new(Router::new(&host, session, &lifetime));
    let service = service_fn(move |request| {
        let router = Arc::clone(&router);
        async move { Ok::<_, Infallible>(router.call(request).await) }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .max_concurrent_streams(1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended");
            }
        }
        () = lifetime.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(FLUSH, connection).await;
            lifetime.over.cancel();
        }
    }
    drop(guard);
}

/// Knows which service a path belongs to.
struct Router<P: Provider> {
    shared: Arc<Shared<P>>,
    provider: ProviderServer<Server<P>>,
    controller: GrpcControllerServer<services::Host>,
    stdio: GrpcStdioServer<services::Host>,
    broker: GrpcBrokerServer<services::Host>,
    health: HealthServer<services::Host>,
}

impl<P: Provider> Router<P> {
    fn new(host: &Host<P>, session: Arc<Session<P::Data>>, lifetime: &Lifetime) -> Self {
        let server = Server {
            shared: Arc::clone(&host.shared),
            session,
        };
        let services = services::Host {
            lifetime: lifetime.clone(),
        };
        Self {
            shared: Arc::clone(&host.shared),
            provider: ProviderServer::new(server)
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
            controller: GrpcControllerServer::new(services.clone()),
            stdio: GrpcStdioServer::new(services.clone()),
            broker: GrpcBrokerServer::new(services.clone()),
            health: HealthServer::new(services),
        }
    }

    async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let service = path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let answered: Result<Response<Body>, Infallible> = match service {
            "tfplugin6.Provider" if path.ends_with("/GetProviderSchema") => Ok(self.schema()),
            "tfplugin6.Provider" => self.provider.clone().oneshot(request).await,
            "plugin.GRPCController" => self.controller.clone().oneshot(request).await,
            "plugin.GRPCStdio" => self.stdio.clone().oneshot(request).await,
            "plugin.GRPCBroker" => self.broker.clone().oneshot(request).await,
            "grpc.health.v1.Health" => self.health.clone().oneshot(request).await,
            other => {
                let status = tonic::Status::unimplemented(format!("no service {other:?}"));
                Ok(status.into_http())
            }
        };
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The schema, from bytes encoded once: the request is empty, so it is not even read.
    fn schema(&self) -> Response<Body> {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body =
            Full::new(self.shared.schema_frame()).with_trailers(async move { Some(Ok(trailers)) });
        let mut response = Response::new(Body::new(body));
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    }
}
