//! The dialler as a connector of HTTP libraries.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use crate::{CancellationToken, DialError, Dialer, or_cancelled};

/// A connection, with or without TLS.
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(_) => Connected::new(),
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Self::Tls(_) => Connected::new(),
        }
    }
}

/// Opens connections for hyper, tonic and kube: a `Service<Uri>`. With a TLS configuration every
/// connection is TLS, whatever the scheme, and the certificate must name the dialled host unless
/// [`Self::named`] says another name.
#[derive(Clone)]
pub struct Connector {
    dialer: Dialer,
    tls: Option<Arc<ClientConfig>>,
    name: Option<ServerName<'static>>,
    cancel: Option<CancellationToken>,
}

impl Connector {
    /// Connections without TLS.
    pub fn plain(dialer: Dialer) -> Self {
        Self {
            dialer,
            tls: None,
            name: None,
            cancel: None,
        }
    }

    /// Connections with TLS under `config`, whose ALPN list decides between HTTP/1.1 and HTTP/2.
    pub fn tls(dialer: Dialer, config: Arc<ClientConfig>) -> Self {
        Self {
            tls: Some(config),
            ..Self::plain(dialer)
        }
    }

    /// Demands this name of the certificate in place of the dialled host.
    pub fn named(mut self, name: ServerName<'static>) -> Self {
        self.name = Some(name);
        self
    }

    /// Gives up dialling when `cancel` fires.
    pub fn cancelled_by(mut self, cancel: CancellationToken) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// A connection to `host:port`, its TLS session ready.
    ///
    /// # Errors
    /// [`DialError`], naming the target.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream, DialError> {
        let work = self.open(host, port);
        match &self.cancel {
            None => work.await,
            Some(cancel) => or_cancelled(cancel, work)
                .await
                .unwrap_or(Err(DialError::Cancelled)),
        }
    }

    async fn open(&self, host: &str, port: u16) -> Result<Stream, DialError> {
        let stream = self.dialer.open(host, port).await?;
        let Some(config) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        let address = crate::proxy::authority(host, port);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| DialError::NoHost {
                address: address.clone(),
            })?,
        };
        let limit = self.dialer.limit();
        let session = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        match tokio::time::timeout(limit, session).await {
            Ok(Ok(session)) => Ok(Stream::Tls(Box::new(session))),
            Ok(Err(source)) => Err(DialError::Tls { address, source }),
            Err(_) => Err(DialError::Timeout { address, limit }),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = uri.host().map(|host| host.trim_matches(['[', ']']));
            let Some(host) = host.filter(|host| !host.is_empty()) else {
                return Err(DialError::NoHost {
                    address: uri.to_string(),
                });
            };
            let default = match uri.scheme_str() {
                Some("http") if connector.tls.is_none() => 80,
                _ => 443,
            };
            let port = uri.port_u16().unwrap_or(default);
            connector.connect(host, port).await.map(TokioIo::new)
        })
    }
}
