//! The connection to a provider: mutual TLS with a one-time certificate, and HTTP/2.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, Endpoint};

use crate::{Error, Handshake};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TlsVersion {
    V1_2,
    V1_3,
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
