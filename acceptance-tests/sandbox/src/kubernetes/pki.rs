//! The serving certificate and the verifier of client certificates, both under the cluster's CA.

use std::net::IpAddr;
use std::sync::Arc;

use p256::pkcs8::EncodePrivateKey as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::ServeError;
use super::settings::{Authority, Settings};

/// Who a verified client certificate names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The certificate's common name; empty for an anonymous caller.
    pub user: String,
    /// Its organisations.
    pub groups: Vec<String>,
}

impl Identity {
    /// True for a caller without client certificate.
    pub fn is_anonymous(&self) -> bool {
        self.user.is_empty()
    }
}

/// The user and groups of a certificate: common name and organisations ("Kubernetes docs", X.509 client certificates).
pub(super) fn identity(certificate: &CertificateDer<'_>) -> Identity {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return Identity::default();
    };
    let subject = parsed.subject();
    Identity {
        user: subject
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .unwrap_or_default()
            .to_owned(),
        groups: subject
            .iter_organization()
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect(),
    }
}

pub(super) fn ca_key(authority: &Authority) -> Result<KeyPair, ServeError> {
    let pem = &authority.key_pem;
    if pem.contains("EC PRIVATE KEY") {
        // rcgen reads PKCS#8 only; machine configurations carry SEC1.
        let key = p256::SecretKey::from_sec1_pem(pem).map_err(|_| ServeError::AuthorityKey)?;
        let der = key.to_pkcs8_der().map_err(|_| ServeError::AuthorityKey)?;
        let der = PrivatePkcs8KeyDer::from(der.as_bytes().to_vec());
        return KeyPair::try_from(&der).map_err(ServeError::Certificate);
    }
    KeyPair::from_pem(pem).map_err(ServeError::Certificate)
}

/// Names that every API server's certificate carries ("Talos docs", Kubernetes certificates).
pub(super) fn standard_names(settings: &Settings) -> Vec<String> {
    let mut names = vec![
        "kubernetes".to_owned(),
        "kubernetes.default".to_owned(),
        "kubernetes.default.svc".to_owned(),
        format!("kubernetes.default.svc.{}", settings.dns_domain),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    if let Some(first) = settings.service_cidr.hosts().next() {
        names.push(first.to_string());
    }
    names
}

/// TLS settings of a server: a fresh certificate for `names`, client certificates verified when they are given.
pub(super) fn server_config(
    settings: &Settings,
    names: &[String],
) -> Result<Arc<ServerConfig>, ServeError> {
    let mut all = standard_names(settings);
    for name in names {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    let mut params = CertificateParams::default();
    for name in all {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => rcgen::SanType::IpAddress(address),
            Err(_) => rcgen::SanType::DnsName(name.try_into().map_err(ServeError::Certificate)?),
        });
    }
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "kube-apiserver");
    subject.push(DnType::OrganizationName, "kube-master");
    params.distinguished_name = subject;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&settings.ca.certificate_pem, ca_key(&settings.ca)?)
        .map_err(ServeError::Certificate)?;
    let key = KeyPair::generate().map_err(ServeError::Certificate)?;
    let certificate = params
        .signed_by(&key, &issuer)
        .map_err(ServeError::Certificate)?;

    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(settings.ca.certificate_pem.as_bytes()) {
        let root = root.map_err(|_| ServeError::AuthorityCertificate)?;
        roots
            .add(root)
            .map_err(|_| ServeError::AuthorityCertificate)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|_| ServeError::AuthorityCertificate)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
