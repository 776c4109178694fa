//! Keys, certificates and kubeconfigs of a control plane, each under the authority of the machine configuration.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

use super::process::API_PORT;
use super::{RealError, Spec};
use crate::kubernetes::pki;
use crate::kubernetes::{Authority, ServeError};

/// A certificate and its key in PEM.
pub(super) struct Leaf {
    pub certificate: String,
    pub key: String,
}

/// The subject of a certificate and the request for one.
pub(super) fn params(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    subject.push(DnType::CommonName, user);
    params.distinguished_name = subject;
    params
}

fn leaf(
    ca: &Authority,
    mut params: CertificateParams,
    names: &BTreeSet<String>,
) -> Result<Leaf, RealError> {
    let make = |error| RealError::Certificate(ServeError::Certificate(error));
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.clone().try_into().map_err(make)?),
        });
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = if names.is_empty() {
        vec![ExtendedKeyUsagePurpose::ClientAuth]
    } else {
        vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ]
    };
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(
        &ca.certificate_pem,
        pki::ca_key(ca).map_err(RealError::Certificate)?,
    )
    .map_err(make)?;
    let key = KeyPair::generate().map_err(make)?;
    let certificate = params.signed_by(&key, &issuer).map_err(make)?;
    Ok(Leaf {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// A client of the cluster's CA.
pub(super) fn client(spec: &Spec, user: &str, group: &str) -> Result<Leaf, RealError> {
    leaf(
        &spec.settings.ca,
        params(user, Some(group)),
        &BTreeSet::new(),
    )
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), RealError> {
    let path = folder.join(name);
    // A reader never finds half a file.
    let next = folder.join(format!("{name}.next"));
    std::fs::write(&next, text)
        .and_then(|()| std::fs::rename(&next, &path))
        .map_err(|source| RealError::Write { path, source })
}

fn write_leaf(folder: &Path, name: &str, leaf: &Leaf) -> Result<(), RealError> {
    write(folder, &format!("{name}.key"), &leaf.key)?;
    write(folder, &format!("{name}.crt"), &leaf.certificate)
}

/// The serving certificate, for all members. The server notices when it changes.
pub(super) fn serving(
    folder: &Path,
    spec: &Spec,
    address: Ipv4Addr,
    names: &BTreeSet<String>,
) -> Result<(), RealError> {
    let mut all: BTreeSet<String> = pki::standard_names(&spec.settings).into_iter().collect();
    all.extend(names.iter().cloned());
    all.insert(address.to_string());
    let leaf = leaf(
        &spec.settings.ca,
        params("kube-apiserver", Some("kube-master")),
        &all,
    )?;
    write_leaf(folder, "apiserver", &leaf)
}

/// Everything that the parts read, in a folder of its own. What the API server dials in the cluster goes to `socket`.
pub(super) fn all(
    folder: &Path,
    spec: &Spec,
    address: Ipv4Addr,
    names: &BTreeSet<String>,
    socket: &Path,
) -> Result<(), RealError> {
    std::fs::create_dir_all(folder).map_err(|source| RealError::Write {
        path: folder.to_owned(),
        source,
    })?;
    for (name, text) in spec.files() {
        write(folder, name, &text)?;
    }
    let egress = json!({
        "apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
        "egressSelections": [{ "name": "cluster", "connection": {
            "proxyProtocol": "HTTPConnect", "transport": { "uds": { "udsName": socket } },
        } }],
    });
    write(folder, "egress.json", &egress.to_string())?;
    write(folder, "stages.yaml", include_str!("stages.yaml"))?;
    serving(folder, spec, address, names)?;
    let own = BTreeSet::from([address.to_string()]);
    write_leaf(
        folder,
        "etcd",
        &leaf(&spec.etcd_ca, params("etcd", Some("etcd")), &own)?,
    )?;
    write_leaf(
        folder,
        "front-proxy-client",
        &leaf(
            &spec.aggregator_ca,
            params("front-proxy-client", None),
            &BTreeSet::new(),
        )?,
    )?;
    for (name, user, group) in [
        (
            "controllers",
            "system:kube-controller-manager",
            "system:kube-controller-manager",
        ),
        (
            "scheduler",
            "system:kube-scheduler",
            "system:kube-scheduler",
        ),
        ("kubelets", "kwok", "system:masters"),
        ("admin", "admin", "system:masters"),
    ] {
        let text = kubeconfig(spec, address, &client(spec, user, group)?);
        write(folder, &format!("{name}.kubeconfig"), &text)?;
    }
    Ok(())
}

fn kubeconfig(spec: &Spec, address: Ipv4Addr, leaf: &Leaf) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "own",
        "clusters": [{ "name": "own", "cluster": {
            "server": format!("https://{address}:{API_PORT}"),
            "certificate-authority-data": STANDARD.encode(&spec.settings.ca.certificate_pem),
        } }],
        "users": [{ "name": "own", "user": {
            "client-certificate-data": STANDARD.encode(&leaf.certificate),
            "client-key-data": STANDARD.encode(&leaf.key),
        } }],
        "contexts": [{ "name": "own", "context": { "cluster": "own", "user": "own" } }],
    })
    .to_string()
}
