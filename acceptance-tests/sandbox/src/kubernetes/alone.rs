//! A cluster without machines: a control plane with six nodes of its own, for tests of what talks to Kubernetes only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::pkcs8::DecodePrivateKey as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::real::{Place, Real, RealError, Spec};
use super::{
    ApiServer, Authority, ControlPlane, Delays, NodeRegistration, NodeRole, ServeError, Settings,
};
use crate::talos::LoopbackClaim;

/// Why there is no such cluster.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// No loopback address is free.
    #[error(transparent)]
    Loopback(#[from] crate::StartError),
    /// No port is free.
    #[error("no port is free")]
    Listen(#[from] std::io::Error),
    /// The real control plane does not start.
    #[error(transparent)]
    Real(#[from] RealError),
    /// The real control plane's task was killed.
    #[error("the control plane's task was killed")]
    Killed,
}

/// A control plane, running until this is dropped.
pub struct Alone {
    /// The control plane, for nodes that come and go.
    pub plane: ControlPlane,
    /// Its settings.
    pub settings: Settings,
    /// Where the API is.
    pub url: String,
    task: Option<tokio::task::JoinHandle<Result<(), RealError>>>,
    _claim: LoopbackClaim,
    stop: CancellationToken,
    _guard: DropGuard,
}

/// The nodes: name, role, last number of the address.
pub const NODES: [(&str, NodeRole, u8); 6] = [
    ("cp-1", NodeRole::ControlPlane, 11),
    ("cp-2", NodeRole::ControlPlane, 12),
    ("cp-3", NodeRole::ControlPlane, 13),
    ("wrk-1", NodeRole::Worker, 21),
    ("wrk-2", NodeRole::Worker, 22),
    ("wrk-3", NodeRole::Worker, 23),
];

fn subject(name: Option<&str>, organisation: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    if let Some(name) = name {
        subject.push(DnType::CommonName, name);
    }
    subject
}

/// A key as machine configurations carry it: SEC1, not PKCS#8.
fn sec1(key: &KeyPair) -> Result<String, rcgen::Error> {
    p256::SecretKey::from_pkcs8_der(&key.serialize_der())
        .ok()
        .and_then(|key| key.to_sec1_pem(p256::pkcs8::LineEnding::LF).ok())
        .map(|pem| pem.to_string())
        .ok_or(rcgen::Error::CouldNotParseKeyPair)
}

fn authority(organisation: &str) -> Result<Authority, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(None, organisation);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    Ok(Authority {
        certificate_pem: params.self_signed(&key)?.pem(),
        key_pem: sec1(&key)?,
    })
}

/// A registration with the taint of its role.
pub fn node(name: &str, role: NodeRole, number: u8) -> NodeRegistration {
    let control_plane = role == NodeRole::ControlPlane;
    NodeRegistration {
        name: name.to_owned(),
        addresses: vec![[10, 20, 0, number].into()],
        labels: BTreeMap::from([(
            "topology.kubernetes.io/zone".to_owned(),
            format!("AZ0{}", 5 + number % 3),
        )]),
        annotations: BTreeMap::new(),
        taints: if control_plane {
            vec!["node-role.kubernetes.io/control-plane:NoSchedule".to_owned()]
        } else {
            Vec::new()
        },
        role,
        kubelet_version: "1.36.3".to_owned(),
        os_image: "Talos (v1.13.9)".to_owned(),
        provider_id: None,
        cpus: 4,
        memory_bytes: 8 << 30,
    }
}

/// A daemon under the name of a CNI: nodes are ready where it runs.
pub fn network_agent() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": { "name": "cilium", "namespace": "kube-system" },
        "spec": {
            "selector": { "matchLabels": { "k8s-app": "cilium" } },
            "template": {
                "metadata": { "labels": { "k8s-app": "cilium" } },
                "spec": {
                    "hostNetwork": true,
                    "tolerations": [{ "operator": "Exists" }],
                    "containers": [{ "name": "agent", "image": "cilium:1" }],
                },
            },
        },
    })
}

fn settings(ca: Authority) -> Settings {
    let range = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| ipnet::Ipv4Net::default().into())
    };
    Settings {
        cluster_name: "alpha".to_owned(),
        kubernetes_version: "1.36.3".to_owned(),
        ca,
        aggregator_ca_pem: None,
        service_account_key_pem: None,
        service_cidr: range("10.96.0.0/12"),
        pod_cidr: range("10.244.0.0/16"),
        dns_domain: "alpha-cluster.local".to_owned(),
        control_plane_addresses: vec![[10, 20, 0, 11].into()],
        api_port: 6443,
        delays: Delays::default(),
        gate: crate::gate::Gate::default(),
    }
}

impl Alone {
    /// The built-in control plane, without nodes.
    ///
    /// # Errors
    /// No free address.
    pub async fn built_in() -> Result<Self, AloneError> {
        let settings = settings(authority("kubernetes")?);
        let claim = LoopbackClaim::take(None).await?;
        let api = ApiServer::new(settings.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let (server, until) = (api.clone(), stop.clone());
        tokio::spawn(async move { server.serve(listener, Vec::new(), until).await });
        Ok(Self {
            plane: ControlPlane::BuiltIn(api),
            settings,
            url,
            task: None,
            _claim: claim,
            _guard: stop.clone().drop_guard(),
            stop,
        })
    }

    /// The real control plane of a folder of programs, without nodes.
    ///
    /// # Errors
    /// Programs that are missing or end.
    pub async fn real(oracles: PathBuf) -> Result<Self, AloneError> {
        let settings = settings(authority("kubernetes")?);
        let claim = LoopbackClaim::take(None).await?;
        let spec = Spec {
            settings: settings.clone(),
            endpoint: "https://10.20.0.10:6443".to_owned(),
            bootstrap_token: "abcdef.0123456789abcdef".to_owned(),
            etcd_ca: authority("etcd")?,
            aggregator_ca: authority("front-proxy")?,
            service_account_key: sec1(&KeyPair::generate()?)?,
            admission: Vec::new(),
            audit: json!({
                "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{ "level": "Metadata" }],
            }),
            authentication: Value::Null,
            encryption: json!({
                "resources": [{ "resources": ["secrets"], "providers": [{ "identity": {} }] }],
            }),
            extra_args: BTreeMap::new(),
            scheduler: Value::Null,
            core_dns: true,
        };
        let address = [127, claim.prefix(), 255, 1].into();
        let place = Place {
            oracles,
            address,
            folder: None,
        };
        let stop = CancellationToken::new();
        let names = vec!["10.20.0.11".to_owned()];
        let (real, task) = Real::new(place, spec, names, stop.clone());
        let mut task = tokio::spawn(task);
        tokio::select! {
            () = real.ready() => {}
            early = &mut task => {
                early.map_err(|_| AloneError::Killed)??;
                return Err(AloneError::Killed);
            }
        }
        Ok(Self {
            plane: ControlPlane::Real(Arc::clone(&real)),
            settings,
            url: format!("https://{address}:6443"),
            task: Some(task),
            _claim: claim,
            _guard: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Registers [`NODES`]. They are ready once [`network_agent`] runs on them.
    pub fn nodes_up(&self) {
        for (name, role, number) in NODES {
            self.plane.node_up(node(name, role, number));
        }
    }

    /// A client certificate and its key, PEM.
    ///
    /// # Errors
    /// None that happens with keys of this library.
    pub fn client(&self, user: &str, group: &str) -> Result<(String, String), AloneError> {
        let ca = &self.settings.ca;
        let key = super::pki::ca_key(ca).map_err(|error| match error {
            ServeError::Certificate(error) => error,
            _ => rcgen::Error::CouldNotParseKeyPair,
        })?;
        let issuer = Issuer::from_ca_cert_pem(&ca.certificate_pem, key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(Some(user), group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let own = KeyPair::generate()?;
        let certificate = params.signed_by(&own, &issuer)?;
        Ok((certificate.pem(), own.serialize_pem()))
    }

    /// A kubeconfig around a client certificate.
    pub fn kubeconfig(&self, identity: &(String, String)) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "alpha",
            "clusters": [{ "name": "alpha", "cluster": {
                "server": self.url,
                "certificate-authority-data": STANDARD.encode(&self.settings.ca.certificate_pem),
            } }],
            "users": [{ "name": "admin", "user": {
                "client-certificate-data": STANDARD.encode(&identity.0),
                "client-key-data": STANDARD.encode(&identity.1),
            } }],
            "contexts": [{ "name": "alpha", "context": { "cluster": "alpha", "user": "admin", "namespace": "default" } }],
        })
        .to_string()
    }

    /// Ends every process.
    ///
    /// # Errors
    /// A part that had ended by itself, with the end of its log.
    pub async fn end(mut self) -> Result<(), AloneError> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => Ok(task.await.map_err(|_| AloneError::Killed)??),
            None => Ok(()),
        }
    }
}
