//! Certificates that nodes make and check.

use std::net::IpAddr;
use std::sync::Arc;

use p256::pkcs8::EncodePrivateKey as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::config::{MachineConfig, Pair};

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key of the configuration cannot be read.
    #[error("a private key of the configuration cannot be read")]
    Key,
    /// A certificate of the configuration cannot be read.
    #[error("a certificate of the configuration cannot be read")]
    Certificate,
    /// The certificate cannot be made.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// The TLS settings cannot be made.
    #[error("the TLS settings cannot be made")]
    Tls(#[from] rustls::Error),
}

/// A signing key under any of the labels that Talos writes.
pub fn key_pair(pem: &str) -> Result<KeyPair, PkiError> {
    if pem.contains("EC PRIVATE KEY") {
        let key = p256::SecretKey::from_sec1_pem(pem).map_err(|_| PkiError::Key)?;
        let der = key.to_pkcs8_der().map_err(|_| PkiError::Key)?;
        return KeyPair::try_from(&PrivatePkcs8KeyDer::from(der.as_bytes().to_vec()))
            .map_err(|_| PkiError::Key);
    }
    // Talos has its own label for Ed25519 keys in PKCS#8.
    KeyPair::from_pem(&pem.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")).map_err(|_| PkiError::Key)
}

fn names(names: &[String]) -> Vec<SanType> {
    names
        .iter()
        .filter_map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Some(SanType::IpAddress(address)),
            Err(_) => name.clone().try_into().ok().map(SanType::DnsName),
        })
        .collect()
}

fn backdated(params: &mut CertificateParams, seconds: i64) {
    let now = std::time::SystemTime::now();
    params.not_before = (now - std::time::Duration::from_mins(1)).into();
    params.not_after = (now + std::time::Duration::from_secs(seconds.max(1).unsigned_abs())).into();
}

/// A certificate under an authority, with its key in PEM.
fn leaf(
    ca: &Pair,
    mut params: CertificateParams,
    seconds: i64,
) -> Result<(CertificateDer<'static>, KeyPair), PkiError> {
    backdated(&mut params, seconds);
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, key_pair(&ca.key)?)
        .map_err(|_| PkiError::Certificate)?;
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((certificate.der().clone(), key))
}

/// TLS settings of the machine API of a configured node. `ca` is the OS authority with its key.
pub fn machine_api(
    config: &MachineConfig,
    ca: &Pair,
    hostname: &str,
    san: &[String],
) -> Result<Arc<ServerConfig>, PkiError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names(san);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, hostname);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (certificate, key) = leaf(ca, params, 24 * 3600)?;
    let mut roots = RootCertStore::empty();
    for pem in std::iter::once(&config.os_ca.certificate).chain(&config.accepted_os_cas) {
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots
                .add(root.map_err(|_| PkiError::Certificate)?)
                .map_err(|_| PkiError::Certificate)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| PkiError::Certificate)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )?;
    Ok(with_h2(config))
}

fn with_h2(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// TLS settings of the machine API in maintenance: a self-made certificate, no client authentication.
pub fn maintenance_api(addresses: &[String]) -> Result<Arc<ServerConfig>, PkiError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names(addresses);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "maintenance-service.talos.dev");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    backdated(&mut params, 24 * 3600);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let certificate = params.self_signed(&key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )?;
    Ok(with_h2(config))
}

/// The roles of a client certificate; none when it may not be used for the machine API.
pub fn roles(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let only_client = parsed
        .extended_key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| {
            let usage = usage.value;
            usage.client_auth
                && !usage.any
                && !usage.server_auth
                && !usage.code_signing
                && !usage.email_protection
                && !usage.time_stamping
                && !usage.ocsp_signing
                && usage.other.is_empty()
        });
    if !only_client {
        return Vec::new();
    }
    parsed
        .subject()
        .iter_organization()
        .filter_map(|name| name.as_str().ok().map(str::to_owned))
        .collect()
}

/// A client certificate with these roles: certificate and key in PEM.
pub fn client(ca: &Pair, roles: &[String], seconds: i64) -> Result<(String, String), PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for role in roles {
        params
            .distinguished_name
            .push(DnType::OrganizationName, role.as_str());
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (certificate, key) = leaf(ca, params, seconds)?;
    let pem = |label: &str, der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    };
    Ok((
        pem("CERTIFICATE", &certificate),
        pem("ED25519 PRIVATE KEY", &key.serialize_der()),
    ))
}

/// A client certificate for the Kubernetes API: certificate and key in PEM.
pub fn kubernetes_client(ca: &Pair, user: &str, group: &str) -> Result<(String, String), PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    backdated(&mut params, 8760 * 3600);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, key_pair(&ca.key)?)
        .map_err(|_| PkiError::Certificate)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
