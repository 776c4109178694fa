//! Connections to nodes.

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Response, Status};
use transport::{
    CancellationToken, Connector, DialError, Dialer, SharedClock, crypto_provider, or_cancelled,
    within,
};

use super::TalosError;
use super::watched::{Fault, Watched};
use crate::pki::{ClusterPki, PkiError, TalosRole, Validity};

/// The port of the machine API on every node.
const PORT: u16 = 50_000;
/// Largest message either way, as the servers set it.
const LARGEST_MESSAGE: usize = 32 * 1024 * 1024;
/// Time of life of a client certificate, and how early the next one is made.
const CERTIFICATE_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
const CERTIFICATE_SPARE: SignedDuration = SignedDuration::from_mins(5);
/// A node that reboots leaves connections half open: pings tell.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(5);
const WINDOW: u32 = 2 * 1024 * 1024;

/// Deadline of one read.
pub(super) const READ: Duration = Duration::from_secs(10);

/// What is common to the nodes of one cluster. Cheap to clone.
#[derive(Clone)]
pub struct TalosClient(Arc<Shared>);

struct Shared {
    pki: ClusterPki,
    role: TalosRole,
    dialer: Dialer,
    clock: SharedClock,
    current: Mutex<Option<Credentials>>,
}

#[derive(Clone)]
struct Credentials {
    tls: Arc<ClientConfig>,
    until: Timestamp,
}

/// One connection to one node. Calls side by side share it; when it breaks a new one is made.
#[derive(Clone)]
pub struct Node {
    pub(super) address: IpAddr,
    pub(super) channel: Channel,
    fault: Fault,
    clock: SharedClock,
    cancel: CancellationToken,
}

impl TalosClient {
    /// A client that acts as `role`. Certificates are minted when they are needed and live for
    /// minutes.
    pub fn new(pki: ClusterPki, role: TalosRole, dialer: Dialer, clock: SharedClock) -> Self {
        Self(Arc::new(Shared {
            pki,
            role,
            dialer,
            clock,
            current: Mutex::new(None),
        }))
    }

    /// The clock that deadlines are counted on.
    pub(super) fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    /// A connection to a node that runs under this cluster's configuration.
    ///
    /// # Errors
    /// [`TalosError::Dial`] when the port is closed or the node's certificate is another's.
    pub async fn node(
        &self,
        address: IpAddr,
        cancel: &CancellationToken,
    ) -> Result<Node, TalosError> {
        let tls = self.credentials()?;
        self.connect(address, tls, cancel).await
    }

    /// A connection to a node in maintenance, which has no certificate to check and knows no
    /// caller. It is for reading only and is kept inside this crate: a configuration must never
    /// travel over it.
    pub(super) async fn maintenance(
        &self,
        address: IpAddr,
        cancel: &CancellationToken,
    ) -> Result<Node, TalosError> {
        let provider = crypto_provider();
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        self.connect(address, Arc::new(tls), cancel).await
    }

    async fn connect(
        &self,
        address: IpAddr,
        tls: Arc<ClientConfig>,
        cancel: &CancellationToken,
    ) -> Result<Node, TalosError> {
        let failed = |source| match source {
            DialError::Cancelled => TalosError::Cancelled,
            source => TalosError::Dial { address, source },
        };
        let connector = Connector::tls(self.0.dialer.clone(), tls).cancelled_by(cancel.clone());
        let stream = connector
            .connect(&address.to_string(), PORT)
            .await
            .map_err(failed)?;
        let fault = Fault::default();
        let stream = Watched::new(stream, fault.clone());
        let channel = or_cancelled(cancel, one_stream_channel(address, stream)).await??;
        Ok(Node {
            address,
            channel,
            fault,
            clock: Arc::clone(&self.0.clock),
            cancel: cancel.clone(),
        })
    }

    fn credentials(&self) -> Result<Arc<ClientConfig>, TalosError> {
        let now = Timestamp::try_from(self.0.clock.wall()).map_err(|error| PkiError::Time {
            reason: error.to_string(),
        })?;
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = current.as_ref().filter(|known| now < known.until) {
            return Ok(Arc::clone(&credentials.tls));
        }
        let validity = Validity::starting(now, CERTIFICATE_LIFETIME)?;
        let tls = Arc::new(self.tls(validity)?);
        *current = Some(Credentials {
            tls: Arc::clone(&tls),
            until: validity.not_after - CERTIFICATE_SPARE,
        });
        Ok(tls)
    }

    fn tls(&self, validity: Validity) -> Result<ClientConfig, TalosError> {
        let credential = self.0.pki.talos_client(self.0.role, validity)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.0.pki.talos.certificate().to_rustls())?;
        let mut tls = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![credential.certificate.to_rustls()],
                credential.key.to_rustls(),
            )?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(tls)
    }
}

/// A channel on a connection that stands already. It does not dial again: after a break the node
/// may be another one, so the caller looks first.
async fn one_stream_channel(address: IpAddr, stream: Watched) -> Result<Channel, TalosError> {
    let uri = match address {
        IpAddr::V4(address) => format!("https://{address}:{PORT}"),
        IpAddr::V6(address) => format!("https://[{address}]:{PORT}"),
    };
    let broken = |reason: String| TalosError::Broken {
        address,
        rpc: "connect",
        reason,
    };
    let endpoint = Endpoint::from_shared(uri)
        .map_err(|error| broken(error.to_string()))?
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let slot = Arc::new(Mutex::new(Some(stream)));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            stream
                .map(TokioIo::new)
                .ok_or_else(|| std::io::Error::other("the connection was closed"))
        }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| broken(error.to_string()))
}

impl Node {
    /// The address that was dialled.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Awaits one call, no longer than `limit`.
    pub(super) fn call<'a, T>(
        &'a self,
        rpc: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<Response<T>, Status>> + Send + 'a,
    ) -> impl Future<Output = Result<T, TalosError>> + Send + 'a {
        let work = Box::pin(work);
        async move {
            let answer = self.bounded(rpc, limit, work).await?;
            Ok(answer.into_inner())
        }
    }

    /// Awaits one answer or one item of a stream, no longer than `limit`. The work lies on the
    /// heap: generated calls are large, and a look awaits nine of them side by side.
    pub(super) fn bounded<'a, T>(
        &'a self,
        rpc: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<T, Status>> + Send + 'a,
    ) -> impl Future<Output = Result<T, TalosError>> + Send + 'a {
        let work = Box::pin(work);
        async move {
            let timed = within(self.clock.as_ref(), limit, work);
            let answer = or_cancelled(&self.cancel, timed).await?;
            let deadline = TalosError::Deadline {
                address: self.address,
                rpc,
                limit,
            };
            answer
                .ok_or(deadline)?
                .map_err(|status| match self.fault.refused() {
                    Some(reason) => TalosError::Credentials {
                        address: self.address,
                        reason,
                    },
                    None => TalosError::from_status(self.address, rpc, &status),
                })
        }
    }

    /// An answer that cannot be used.
    pub(super) fn unexpected(&self, rpc: &'static str, reason: impl Into<String>) -> TalosError {
        TalosError::Unexpected {
            address: self.address,
            rpc,
            reason: reason.into(),
        }
    }
}

/// A request that tells the server its deadline too.
pub(super) fn timed<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Lets messages be as large as the servers do.
macro_rules! sized {
    ($client:expr) => {
        $client
            .max_decoding_message_size($crate::client::connect::largest_message())
            .max_encoding_message_size($crate::client::connect::largest_message())
    };
}
pub(super) use sized;

pub(super) const fn largest_message() -> usize {
    LARGEST_MESSAGE
}

/// Accepts whatever certificate a node in maintenance made for itself; that it holds the key of
/// it is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
