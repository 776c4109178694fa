//! The machine API's transport: mutual TLS, gRPC framing, rights, forwarding to other nodes.
//!
//! Calls are told apart by their path, so that every service answers through one door: rights, faults, pause points
//! and the `node`/`nodes` metadata are the same for all of them.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use proto_talos::{common, google};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::config::Role;
use super::machine::Machine;
use super::{pki, rpc};
use crate::gate::{Admission, Call, Surface};
use crate::http::Cut;
use crate::world::World;

/// Port of the machine API.
pub const PORT: u16 = 50_000;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer before it is framed.
pub enum Reply {
    /// One message.
    Unary(Vec<u8>),
    /// Messages until the sender is dropped.
    Stream(mpsc::Receiver<Result<Vec<u8>, Status>>),
}

/// Who calls, and whom.
#[derive(Clone)]
pub struct Context {
    /// The sandbox.
    pub world: Arc<World>,
    /// The machine that answers.
    pub machine: Arc<Machine>,
    /// Roles of the caller.
    pub roles: Vec<String>,
    /// The machine is in maintenance.
    pub maintenance: bool,
    /// The name that the caller used among several, for the metadata of the reply.
    pub host: Option<String>,
}

impl Context {
    /// Metadata of a reply element.
    pub fn metadata(&self) -> Option<common::Metadata> {
        self.host.as_ref().map(|host| common::Metadata {
            hostname: host.clone(),
            ..common::Metadata::default()
        })
    }

    /// Whether the caller may see secrets.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == "os:admin")
    }
}

/// Serves one machine's API until the session ends.
pub async fn serve(
    world: Arc<World>,
    machine: Arc<Machine>,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    session: CancellationToken,
) {
    let acceptor = tokio_rustls::TlsAcceptor::from(tls);
    loop {
        let accepted = tokio::select! {
            () = session.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (world, machine, acceptor) =
            (Arc::clone(&world), Arc::clone(&machine), acceptor.clone());
        let end = session.child_token();
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = connection(world, machine, acceptor, stream, end.clone()) => {}
            }
        });
    }
}

async fn connection(
    world: Arc<World>,
    machine: Arc<Machine>,
    acceptor: tokio_rustls::TlsAcceptor,
    stream: TcpStream,
    end: CancellationToken,
) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, node = machine.name, "TLS handshake of the machine API");
            return;
        }
    };
    let maintenance = !machine.is_configured();
    let roles = match stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
    {
        Some(certificate) => pki::roles(certificate),
        None if maintenance => vec!["os:reader".to_owned()],
        None => Vec::new(),
    };
    let context = Context {
        world,
        machine,
        roles,
        maintenance,
        host: None,
    };
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (context, end) = (context.clone(), end.clone());
        async move {
            match answer(context, request).await {
                Ok(response) => Ok(response),
                Err(Cut) => {
                    // A cut of the whole connection is what a lost answer looks like.
                    end.cancel();
                    Err(Cut)
                }
            }
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(2 << 20)
        .initial_connection_window_size(4 << 20);
    if let Err(error) = builder
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::trace!(%error, "machine API connection ended");
    }
}

/// Calls that change something.
fn writes(path: &str) -> bool {
    let rpc = path.rsplit('/').next().unwrap_or_default();
    matches!(
        rpc,
        "ApplyConfiguration"
            | "Bootstrap"
            | "Reboot"
            | "Shutdown"
            | "Reset"
            | "Rollback"
            | "Upgrade"
            | "Install"
            | "ServiceStart"
            | "ServiceStop"
            | "ServiceRestart"
            | "ImagePull"
            | "Pull"
            | "Remove"
            | "BlockDeviceWipe"
            | "EtcdRecover"
            | "EtcdAlarmDisarm"
            | "EtcdDefragment"
            | "EtcdForfeitLeadership"
            | "EtcdLeaveCluster"
            | "EtcdRemoveMemberByID"
    )
}

async fn answer(context: Context, request: http::Request<Incoming>) -> Result<Response<Body>, Cut> {
    let path = request.uri().path().to_owned();
    let metadata = request.headers().clone();
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(|_| Cut)?
        .to_bytes();
    let gate = context.world.gate.clone();
    let call = Call {
        surface: Surface::Talos,
        method: "GRPC".into(),
        write: writes(&path),
        path: path.clone(),
        operation: None,
        target: Some(context.machine.name.clone()),
    };
    let ticket = match gate.admit(call).await {
        Admission::Proceed(ticket) => ticket,
        Admission::Cut => return Err(Cut),
        Admission::Answer { status, body, .. } => {
            return Ok(failed(&Status::new(Code::from_i32(status.into()), body)));
        }
    };
    let reply = match frames(body) {
        Ok(messages) => route(&context, &path, &metadata, messages).await,
        Err(status) => Err(status),
    };
    if !gate.worked(&ticket).await {
        return Err(Cut);
    }
    Ok(match reply {
        Ok(Reply::Unary(message)) => {
            let (sender, receiver) = mpsc::channel(1);
            let _ = sender.try_send(Ok(message));
            drop(sender);
            streamed(receiver)
        }
        Ok(Reply::Stream(receiver)) => streamed(receiver),
        Err(status) => failed(&status),
    })
}

/// The messages of a request body.
fn frames(mut body: Bytes) -> Result<Vec<Bytes>, Status> {
    let mut messages = Vec::new();
    while body.len() >= 5 {
        let head = body.split_to(5);
        if head[0] != 0 {
            return Err(Status::unimplemented(
                "compressed messages are not supported",
            ));
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > body.len() {
            return Err(Status::internal("message is cut short"));
        }
        messages.push(body.split_to(length));
    }
    Ok(messages)
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.len() + 5);
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.extend_from_slice(message);
    bytes.freeze()
}

fn trailers(status: &Status) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("grpc-status", HeaderValue::from(i32::from(status.code())));
    if !status.message().is_empty() {
        let encoded: String = status
            .message()
            .bytes()
            .map(|byte| match byte {
                b'%' => "%25".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        if let Ok(value) = encoded.parse() {
            map.insert("grpc-message", value);
        }
    }
    map
}

fn failed(status: &Status) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.headers_mut() = trailers(status);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

fn streamed(receiver: mpsc::Receiver<Result<Vec<u8>, Status>>) -> Response<Body> {
    let frames = futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        Some(match receiver.recv().await {
            Some(Ok(message)) => (Ok(Frame::data(framed(&message))), Some(receiver)),
            Some(Err(status)) => (Ok(Frame::trailers(trailers(&status))), None),
            None => (Ok(Frame::trailers(trailers(&Status::ok("")))), None),
        })
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

fn values(metadata: &HeaderMap, key: &str) -> Vec<String> {
    metadata
        .get_all(key)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}

/// Services whose replies of several nodes can be merged.
fn merges(path: &str) -> bool {
    [
        "/machine.MachineService/",
        "/storage.StorageService/",
        "/cluster.ClusterService/",
        "/time.TimeService/",
    ]
    .iter()
    .any(|service| path.starts_with(service))
}

async fn route(
    context: &Context,
    path: &str,
    metadata: &HeaderMap,
    messages: Vec<Bytes>,
) -> Result<Reply, Status> {
    let (node, nodes) = (values(metadata, "node"), values(metadata, "nodes"));
    if let Some(target) = node.first() {
        let target = peer(context, target)?;
        let forwarded = Context {
            machine: target,
            ..context.clone()
        };
        return rpc::call(&forwarded, path, messages).await;
    }
    if nodes.is_empty() {
        return rpc::call(context, path, messages).await;
    }
    if !merges(path) {
        return Err(Status::invalid_argument(
            "one-to-many proxying is not supported for this service",
        ));
    }
    let mut merged = Vec::new();
    let mut streams = Vec::new();
    for name in nodes {
        let outcome = match peer(context, &name) {
            Ok(machine) => {
                let forwarded = Context {
                    machine,
                    host: Some(name.clone()),
                    ..context.clone()
                };
                rpc::call(&forwarded, path, messages.clone()).await
            }
            Err(status) if status.code() == Code::PermissionDenied => return Err(status),
            Err(status) => Err(status),
        };
        match outcome {
            // Repeated fields of joined encodings are joined lists.
            Ok(Reply::Unary(message)) => merged.extend(message),
            Ok(Reply::Stream(receiver)) => streams.push(receiver),
            Err(status) => merged.extend(element_of_error(&name, &status)),
        }
    }
    if streams.is_empty() {
        return Ok(Reply::Unary(merged));
    }
    let (sender, receiver) = mpsc::channel(16);
    for mut stream in streams {
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(item) = stream.recv().await {
                if sender.send(item).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(Reply::Stream(receiver))
}

/// `messages = 1 { metadata = 1 { hostname, error, status } }`, whatever the element's type.
fn element_of_error(name: &str, status: &Status) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Element {
        #[prost(message, optional, tag = "1")]
        metadata: Option<common::Metadata>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Wrapped {
        #[prost(message, repeated, tag = "1")]
        messages: Vec<Element>,
    }
    let text = format!(
        "rpc error: code = {:?} desc = {}",
        status.code(),
        status.message()
    );
    let metadata = common::Metadata {
        hostname: name.to_owned(),
        error: text,
        status: Some(google::rpc::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        }),
    };
    Wrapped {
        messages: vec![Element {
            metadata: Some(metadata),
        }],
    }
    .encode_to_vec()
}

/// The machine that a name in the metadata stands for.
fn peer(context: &Context, name: &str) -> Result<Arc<Machine>, Status> {
    let own = {
        let state = context.machine.state();
        state.hostname == name
            || state
                .addresses
                .iter()
                .any(|address| address.to_string() == name)
    };
    if own {
        return Ok(Arc::clone(&context.machine));
    }
    let Some(config) = context.machine.config() else {
        return Err(Status::permission_denied("no request forwarding"));
    };
    if config.role == Role::Worker {
        return Err(Status::permission_denied("no request forwarding"));
    }
    context
        .world
        .nodes
        .peer(&config, name)
        .filter(|machine| machine.state().services.get("apid").is_some_and(|apid| apid.state == "Running"))
        .ok_or_else(|| {
            Status::unavailable(format!(
                "connection error: desc = \"transport: Error while dialing: dial tcp {name}:{PORT}: connect: no route to host\""
            ))
        })
}
