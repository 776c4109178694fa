//! Who asks, and whom.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use talos::ClientCredential;
use transport::{Dialer, Trust};

/// A client certificate with its key.
pub struct Identity {
    /// The certificate, then its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
    /// When it ends.
    pub not_after: SystemTime,
}

impl From<&ClientCredential> for Identity {
    fn from(credential: &ClientCredential) -> Self {
        Self {
            chain: vec![credential.certificate.to_rustls()],
            key: credential.key.to_rustls(),
            not_after: credential.validity.not_after.into(),
        }
    }
}

/// Mints a client certificate. Certificates live for minutes and an apply longer, so the client asks
/// again when the last one is about to end.
pub type Mint = Arc<dyn Fn() -> Result<Identity, Box<dyn StdError + Send + Sync>> + Send + Sync>;

/// How the client reaches a cluster.
#[derive(Clone)]
pub struct Settings {
    /// Addresses of the control-plane members, never the virtual one: the certificate of each
    /// member must name the address that is dialled.
    pub members: Vec<String>,
    /// The port of the API, 6443.
    pub port: u16,
    /// The cluster's own authority.
    pub trust: Trust,
    /// Where client certificates come from.
    pub mint: Mint,
    /// How connections are opened.
    pub dialer: Dialer,
    /// The `User-Agent`.
    pub user_agent: String,
}
