//! Starting a provider as go-plugin does: environment, handshake line, mutual TLS with a one-time certificate.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

use crate::Error;

/// The value of `TF_PLUGIN_MAGIC_COOKIE` that core sends.
pub const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// How to start a provider.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The provider's binary.
    pub program: PathBuf,
    /// Its arguments; core gives none.
    pub arguments: Vec<OsString>,
    /// Variables on top of the handshake's own and of the inherited environment.
    pub environment: Vec<(String, OsString)>,
    /// Whether core makes a certificate (`TF_DISABLE_PLUGIN_TLS` turns that off).
    pub tls: bool,
    /// `PLUGIN_PROTOCOL_VERSIONS`; `None` leaves it out.
    pub versions: Option<String>,
    /// The only version of TLS to offer; every one that core offers by default.
    pub tls_version: Option<TlsVersion>,
    /// Whether the host asks for multiplexing, which adds a seventh field to the handshake line.
    pub multiplex: bool,
}

impl Launch {
    /// As Terraform starts it.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            tls: true,
            versions: Some("5,6".into()),
            tls_version: None,
            multiplex: false,
        }
    }

    /// The command without a certificate of core's, not started: for tests that look at the process alone.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE)
            .env("PLUGIN_MIN_PORT", "10000")
            .env("PLUGIN_MAX_PORT", "25000")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(versions) = &self.versions {
            command.env("PLUGIN_PROTOCOL_VERSIONS", versions);
        }
        if self.multiplex {
            command.env("PLUGIN_MULTIPLEX_GRPC", "true");
        }
        command
    }

    /// Sets a variable of the provider's environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// The one line a provider prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The line as printed.
    pub line: String,
    /// The protocol's major version.
    pub protocol: String,
    /// `unix` or `tcp`.
    pub network: String,
    /// Socket path, or address and port.
    pub address: String,
    /// The server's certificate; absent without TLS.
    pub certificate: Option<Vec<u8>>,
    /// The answer to a host that asks for multiplexing.
    pub multiplex: Option<String>,
}

impl Handshake {
    /// Reads the line as go-plugin does.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] with what core would complain about.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::Handshake(format!("{why}: {line:?}")));
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        let [core, protocol, network, address, kind, rest @ ..] = fields.as_slice() else {
            return refuse("unrecognized remote plugin message");
        };
        if *core != "1" {
            return refuse("incompatible core API version");
        }
        if *kind != "grpc" {
            return refuse("not a gRPC plugin");
        }
        let encoded = rest.first().copied().unwrap_or_default();
        let certificate = if encoded.is_empty() {
            None
        } else {
            match base64::engine::general_purpose::STANDARD_NO_PAD.decode(encoded) {
                Ok(der) => Some(der),
                Err(error) => {
                    return refuse(&format!("certificate is not unpadded base64 ({error})"));
                }
            }
        };
        Ok(Self {
            line: line.to_owned(),
            protocol: (*protocol).to_owned(),
            network: (*network).to_owned(),
            address: (*address).to_owned(),
            certificate,
            multiplex: rest.get(1).map(|flag| (*flag).to_owned()),
        })
    }
}

/// A started provider and the connection to it.
#[derive(Debug)]
pub struct Process {
    /// The child, for signals and exit codes.
    pub child: Child,
    /// What it announced.
    pub handshake: Handshake,
    /// The gRPC connection.
    pub channel: Channel,
    stderr: tokio::task::JoinHandle<String>,
    stdout: tokio::task::JoinHandle<String>,
}

impl Process {
    /// Starts a provider and connects to it.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it cannot be started or ends early (with its standard error), [`Error::Handshake`] when its
    /// line is wrong or no connection comes about.
    pub async fn launch(launch: &Launch) -> Result<Self, Error> {
        let identity = if launch.tls {
            Some(Identity::generate()?)
        } else {
            None
        };
        let mut command = launch.command();
        if let Some(identity) = &identity {
            command.env("PLUGIN_CLIENT_CERT", &identity.pem);
        }
        let mut child = command
            .spawn()
            .map_err(|error| Error::Start(error.to_string()))?;
        let stderr = collect(child.stderr.take());
        let mut stdout = BufReader::new(
            child
                .stdout
                .take()
                .ok_or_else(|| Error::Start("no stdout".into()))?,
        );
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(length)) if length > 0) {
            let _ = child.kill().await;
            return Err(Error::Start(stderr.await.unwrap_or_default()));
        }
        let stdout = collect(Some(stdout));
        let handshake = Handshake::parse(&line)?;
        let channel = connect_with(&handshake, identity.as_ref(), launch.tls_version).await?;
        Ok(Self {
            child,
            handshake,
            channel,
            stderr,
            stdout,
        })
    }

    /// Asks it to shut down as core does, waits for its end and returns its exit status and what it printed on standard
    /// error and, after the handshake line, on standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it does not end within the two seconds core grants.
    pub async fn shutdown(self) -> Result<(ExitStatus, String, String), Error> {
        self.shutdown_within(Duration::from_secs(2)).await
    }

    /// As [`Self::shutdown`], with more patience than core has: for a provider under an instrument.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when it does not end in time.
    pub async fn shutdown_within(
        mut self,
        limit: Duration,
    ) -> Result<(ExitStatus, String, String), Error> {
        let mut controller =
            proto_plugin::plugin::grpc_controller_client::GrpcControllerClient::new(
                self.channel.clone(),
            );
        // Go plugins stop abruptly, so core ignores the answer of this call.
        let _ = controller.shutdown(proto_plugin::plugin::Empty {}).await;
        drop(controller);
        drop(self.channel);
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .map_err(|_| Error::Start("plugin failed to exit gracefully".into()))?
            .map_err(|error| Error::Start(error.to_string()))?;
        Ok((
            status,
            self.stderr.await.unwrap_or_default(),
            self.stdout.await.unwrap_or_default(),
        ))
    }
}

/// Reads everything in the background, so that the child never blocks on a full pipe.
fn collect(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
) -> tokio::task::JoinHandle<String> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // A broken pipe ends the collection; what came before counts.
            let _ = stream.read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A certificate as core makes one for every started provider: self-signed, ECDSA P-521, CA:TRUE.
pub struct Identity {
    pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificate as `PLUGIN_CLIENT_CERT` carries it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Makes one.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] when key or certificate cannot be made.
    pub fn generate() -> Result<Self, Error> {
        let fail = |error: rcgen::Error| Error::Start(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).map_err(fail)?;
        let mut parameters =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).map_err(fail)?;
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "HashiCorp");
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "localhost");
        parameters.key_usages = vec![
            rcgen::KeyUsagePurpose::DigitalSignature,
            rcgen::KeyUsagePurpose::KeyEncipherment,
            rcgen::KeyUsagePurpose::KeyAgreement,
            rcgen::KeyUsagePurpose::KeyCertSign,
        ];
        parameters.extended_key_usages = vec![
            rcgen::ExtendedKeyUsagePurpose::ClientAuth,
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let certificate = parameters.self_signed(&key).map_err(fail)?;
        Ok(Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

/// Opens the connection of a handshake; `identity` is presented when the server asks for one.
///
/// # Errors
///
/// [`Error::Handshake`] when the socket, TLS or HTTP/2 fails.
pub async fn connect(handshake: &Handshake, identity: Option<&Identity>) -> Result<Channel, Error> {
    connect_with(handshake, identity, None).await
}

/// As [`connect`], with one version of TLS alone.
///
/// # Errors
///
/// As [`connect`].
pub async fn connect_with(
    handshake: &Handshake,
    identity: Option<&Identity>,
    version: Option<TlsVersion>,
) -> Result<Channel, Error> {
    let tls = match &handshake.certificate {
        Some(der) => Some(tokio_rustls::TlsConnector::from(Arc::new(client_config(
            der, identity, version,
        )?))),
        None => None,
    };
    let (network, address) = (handshake.network.clone(), handshake.address.clone());
    let connector = tower::service_fn(move |_: http::Uri| {
        let (network, address, tls) = (network.clone(), address.clone(), tls.clone());
        async move {
            let stream: Box<dyn Stream> = match network.as_str() {
                "unix" => Box::new(UnixStream::connect(&address).await?),
                _ => Box::new(TcpStream::connect(&address).await?),
            };
            let Some(tls) = tls else {
                return Ok(TokioIo::new(stream));
            };
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            let stream = tls.connect(name, stream).await?;
            // gRPC of Go hangs up when the server does not agree to HTTP/2 by ALPN.
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err(std::io::Error::other("the server did not choose h2"));
            }
            let stream: Box<dyn Stream> = Box::new(stream);
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    // Core's own authority; servers must not filter on it.
    Endpoint::from_static("http://unused")
        .connect_with_connector(connector)
        .await
        .map_err(|error| Error::Handshake(chain(&error)))
}

fn client_config(
    server: &[u8],
    identity: Option<&Identity>,
    version: Option<TlsVersion>,
) -> Result<rustls::ClientConfig, Error> {
    let fail = |error: rustls::Error| Error::Handshake(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from(server.to_vec()))
        .map_err(fail)?;
    let versions = match version {
        None => rustls::ALL_VERSIONS.to_vec(),
        Some(TlsVersion::V1_2) => vec![&rustls::version::TLS12],
        Some(TlsVersion::V1_3) => vec![&rustls::version::TLS13],
    };
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(fail)?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => builder
            .with_client_auth_cert(vec![identity.der.clone()], identity.key.clone_key())
            .map_err(fail)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Both directions of a connection, whatever it runs over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
