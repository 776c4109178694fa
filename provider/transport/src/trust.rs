//! Whose certificates are believed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;
use thiserror::Error;

/// Why a set of trust roots or a client certificate could not be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file with additional authorities could not be read.
    #[error("cannot read the certificate authorities in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no certificate where at least one is needed.
    #[error("no PEM certificate in {place}")]
    NoCertificate {
        /// The file or the value.
        place: String,
    },
    /// A certificate is broken.
    #[error("certificate {number} of {place} is broken: {reason}")]
    Broken {
        /// Counted from one.
        number: usize,
        /// The file or the value.
        place: String,
        /// The parser's words.
        reason: String,
    },
    /// The TLS library refused the set, or the client's certificate and key.
    #[error("the TLS library refused the certificates")]
    Tls(#[from] rustls::Error),
}

/// The one crypto provider of the product.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Whose certificates are believed: the system's authorities and additional ones, or pinned ones
/// alone.
#[derive(Clone, Debug)]
pub struct Trust {
    system: bool,
    authorities: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The authorities of the operating system.
    pub const fn system() -> Self {
        Self {
            system: true,
            authorities: Vec::new(),
        }
    }

    /// These authorities and no others: a cluster's own.
    pub const fn pinned(authorities: Vec<CertificateDer<'static>>) -> Self {
        Self {
            system: false,
            authorities,
        }
    }

    /// The authorities in this PEM text and no others. `place` names it in errors.
    ///
    /// # Errors
    /// A certificate that is missing or broken.
    pub fn pinned_pem(pem: &str, place: &str) -> Result<Self, TrustError> {
        certificates(pem.as_bytes(), place).map(Self::pinned)
    }

    /// Adds the authorities in a PEM file.
    ///
    /// # Errors
    /// A file that cannot be read or holds no sound certificate.
    pub fn and_file(mut self, path: &Path) -> Result<Self, TrustError> {
        let pem = fs::read(path).map_err(|source| TrustError::File {
            path: path.to_owned(),
            source,
        })?;
        let place = path.display().to_string();
        self.authorities.extend(certificates(&pem, &place)?);
        Ok(self)
    }

    /// A TLS configuration under this trust, with the client's certificate chain and key when the
    /// server asks for one, and the ALPN protocols in the order of preference.
    ///
    /// # Errors
    /// Authorities or a client certificate that the TLS library refuses.
    pub fn client_config(
        &self,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        alpn: &[&[u8]],
    ) -> Result<ClientConfig, TrustError> {
        let provider = crypto_provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.system {
            let verifier =
                Verifier::new_with_extra_roots(self.authorities.iter().cloned(), provider)?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            let mut roots = RootCertStore::empty();
            for (index, authority) in self.authorities.iter().enumerate() {
                roots
                    .add(authority.clone())
                    .map_err(|error| TrustError::Broken {
                        number: index + 1,
                        place: "the pinned authorities".to_owned(),
                        reason: error.to_string(),
                    })?;
            }
            builder.with_root_certificates(roots)
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

fn certificates(pem: &[u8], place: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let number = found.len() + 1;
        let broken = |reason: String| TrustError::Broken {
            number,
            place: place.to_owned(),
            reason,
        };
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|error| broken(error.to_string()))?;
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(TrustError::NoCertificate {
            place: place.to_owned(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_certificates_is_refused_by_name() {
        let error = Trust::pinned_pem("no pem here", "ca_file").expect_err("nothing there");
        assert_eq!(error.to_string(), "no PEM certificate in ca_file");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Trust::pinned_pem(junk, "ca_file").expect_err("junk");
        assert!(
            error
                .to_string()
                .starts_with("certificate 1 of ca_file is broken"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let path = Path::new("does/not/exist.pem");
        let error = Trust::system().and_file(path).expect_err("no file");
        assert_eq!(
            error.to_string(),
            "cannot read the certificate authorities in does/not/exist.pem"
        );
    }

    #[test]
    fn a_configuration_comes_without_a_process_wide_provider() {
        let config = Trust::pinned(Vec::new()).client_config(None, &[b"h2"]);
        assert_eq!(config.expect("sound").alpn_protocols, [b"h2".to_vec()]);
    }
}
