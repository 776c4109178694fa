//! A gRPC channel to the machine API, through the proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use sandbox::Addresses;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A TCP connection to a private address through the HTTP CONNECT proxy.
pub async fn tunnel(addresses: &Addresses, target: &str, port: u16) -> Result<TcpStream, String> {
    let proxy = addresses.proxy.trim_start_matches("http://");
    let mut stream = TcpStream::connect(proxy)
        .await
        .map_err(|error| error.to_string())?;
    let request = format!("CONNECT {target}:{port} HTTP/1.1\r\nHost: {target}:{port}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(|error| error.to_string())?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if head.starts_with("HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(head.lines().next().unwrap_or_default().into())
    }
}

pub async fn channel(
    addresses: &Addresses,
    target: &str,
    mut config: rustls::ClientConfig,
) -> Result<Channel, String> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tunnel(addresses, target, 50_000).await?;
    let name = ServerName::try_from(target.to_owned()).map_err(|error| error.to_string())?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    let (sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(Channel(sender))
}

/// A gRPC channel over one connection.
#[derive(Clone)]
pub struct Channel(hyper::client::conn::http2::SendRequest<tonic::body::Body>);

impl tower::Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

pub type Machine = proto_talos::machine::machine_service_client::MachineServiceClient<Channel>;

pub fn machine(channel: Channel) -> Machine {
    let origin = http::Uri::from_static("https://node");
    proto_talos::machine::machine_service_client::MachineServiceClient::with_origin(channel, origin)
}

pub fn state(channel: Channel) -> proto_talos::cosi::resource::state_client::StateClient<Channel> {
    let origin = http::Uri::from_static("https://node");
    proto_talos::cosi::resource::state_client::StateClient::with_origin(channel, origin)
}
