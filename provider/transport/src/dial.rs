//! Opening a connection, straight or through a proxy.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use crate::proxy::{Kind, authority};
use crate::{CancellationToken, Proxy, or_cancelled};

/// Time for name resolution, connection and the proxy's consent together.
const CONNECT: Duration = Duration::from_secs(10);
/// A proxy's answer to CONNECT is a line and a few headers.
const LONGEST_ANSWER: usize = 8 * 1024;

/// Why no connection came about.
#[derive(Debug, Error)]
pub enum DialError {
    /// The target, or the proxy, did not accept the connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// What was dialled.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing answered in time.
    #[error("no answer from {address} within {} s", limit.as_secs())]
    Timeout {
        /// What was dialled.
        address: String,
        /// The time allowed.
        limit: Duration,
    },
    /// The proxy was reached and refused, or could not reach the target.
    #[error("proxy {proxy} did not open a connection to {target}: {reason}")]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// The target.
        target: String,
        /// What the proxy answered.
        reason: String,
        /// Whether it says that the target itself refused: only SOCKS5 can say so.
        by_target: bool,
    },
    /// The address to dial has no host.
    #[error("address {address:?} names no host")]
    NoHost {
        /// The address seen.
        address: String,
    },
    /// The TLS handshake failed.
    #[error("no TLS session with {address}")]
    Tls {
        /// What was dialled.
        address: String,
        /// The TLS library's reason.
        source: io::Error,
    },
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
}

/// Opens TCP connections, straight or through a proxy. Cheap to clone.
#[derive(Clone, Default)]
pub struct Dialer {
    proxy: Option<Arc<Proxy>>,
    limit: Option<Duration>,
}

impl Dialer {
    /// Connects straight to the target.
    pub fn direct() -> Self {
        Self::default()
    }

    /// Connects through `proxy`, which also resolves names.
    pub fn through(proxy: Proxy) -> Self {
        Self {
            proxy: Some(Arc::new(proxy)),
            limit: None,
        }
    }

    /// Sets the time for one connection; 10 s otherwise.
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The proxy, if there is one.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_deref()
    }

    /// The time for one connection.
    pub(crate) fn limit(&self) -> Duration {
        self.limit.unwrap_or(CONNECT)
    }

    /// A connection to `host:port`. `host` is a name or an address, IPv6 without brackets.
    ///
    /// # Errors
    /// [`DialError`], naming the target and the proxy.
    pub async fn dial(
        &self,
        host: &str,
        port: u16,
        cancel: &CancellationToken,
    ) -> Result<TcpStream, DialError> {
        or_cancelled(cancel, self.open(host, port))
            .await
            .unwrap_or(Err(DialError::Cancelled))
    }

    pub(crate) async fn open(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let target = authority(host, port);
        let limit = self.limit();
        tokio::time::timeout(limit, self.connect(host, port, &target))
            .await
            .unwrap_or(Err(DialError::Timeout {
                address: target,
                limit,
            }))
    }

    async fn connect(&self, host: &str, port: u16, target: &str) -> Result<TcpStream, DialError> {
        let Some(proxy) = &self.proxy else {
            return tcp(host, port, target).await;
        };
        let mut stream = tcp(&proxy.host, proxy.port, &proxy.address()).await?;
        let refused = |reason: String, by_target| DialError::Proxy {
            proxy: proxy.address(),
            target: target.to_owned(),
            reason,
            by_target,
        };
        match proxy.kind {
            Kind::Connect => {
                ask_connect(&mut stream, proxy, target)
                    .await
                    .map_err(|error| refused(error.to_string(), false))?;
                Ok(stream)
            }
            Kind::Socks5 => {
                let login = proxy.login.as_ref();
                match login {
                    None => Socks5Stream::connect_with_socket(stream, (host, port)).await,
                    Some((name, password)) => {
                        Socks5Stream::connect_with_password_and_socket(
                            stream,
                            (host, port),
                            name,
                            password.expose_secret(),
                        )
                        .await
                    }
                }
                .map(Socks5Stream::into_inner)
                .map_err(|error| {
                    let by_target = matches!(error, tokio_socks::Error::ConnectionRefused);
                    refused(error.to_string(), by_target)
                })
            }
        }
    }
}

async fn tcp(host: &str, port: u16, address: &str) -> Result<TcpStream, DialError> {
    let failed = |source| DialError::Connect {
        address: address.to_owned(),
        source,
    };
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// RFC 9110, section 9.3.6. The answer is read byte by byte: what follows it belongs to the target.
async fn ask_connect(stream: &mut TcpStream, proxy: &Proxy, target: &str) -> io::Result<()> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some((name, password)) = &proxy.login {
        let login = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
        request.extend(["Proxy-Authorization: Basic ", &login, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(128);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == LONGEST_ANSWER {
            return Err(io::Error::other("the answer has no end"));
        }
        let byte = stream.read_u8().await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("the connection was closed"),
            _ => error,
        })?;
        answer.push(byte);
    }
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ');
    let (protocol, status) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if protocol.starts_with("HTTP/1.") && status.len() == 3 && status.starts_with('2') {
        return Ok(());
    }
    Err(io::Error::other(match status {
        "407" => "it asks for a name and password (HTTP 407)".to_owned(),
        _ => format!(
            "it answered {:?}",
            line.chars().take(200).collect::<String>()
        ),
    }))
}

#[cfg(test)]
mod tests;
