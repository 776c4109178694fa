//! The sandbox's own certificate authority, for the OpenIaaS API over HTTPS.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server's TLS settings and the authority that clients have to trust.
pub struct Server {
    /// For the listener.
    pub config: Arc<rustls::ServerConfig>,
    /// For clients.
    pub ca_pem: String,
}

/// A new authority and a server certificate for the address and `localhost`.
pub fn server(address: IpAddr) -> Result<Server, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name = DistinguishedName::new();
    ca.distinguished_name
        .push(DnType::CommonName, "sandbox authority");
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let names = vec![
        "localhost".to_owned(),
        "shiva.cloud-temple.com".to_owned(),
        address.to_string(),
    ];
    let leaf = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    Ok(Server {
        config: Arc::new(config),
        ca_pem,
    })
}
