//! A cluster to test against: a fresh CA, a server on a loopback port, an administrator's certificate.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::kubernetes::real::{Place, Real, RealError, Spec};
use crate::kubernetes::{ApiServer, Authority, Delays, NodeRegistration, NodeRole, Settings};
use crate::talos::LoopbackClaim;

/// An API server to ask, ours or a real one.
pub(super) struct Target {
    pub url: String,
    pub client: reqwest::Client,
}

/// Our server, running, and the way to it.
pub(super) struct Bed {
    pub api: ApiServer,
    pub gate: crate::gate::Gate,
    pub target: Target,
    folder: tempfile::TempDir,
    _stop: DropGuard,
}

impl std::ops::Deref for Bed {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

fn subject(name: Option<&str>, organisation: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    if let Some(name) = name {
        subject.push(DnType::CommonName, name);
    }
    subject
}

fn authority() -> (String, KeyPair) {
    let key = KeyPair::generate().expect("P-256 keys can be made");
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(None, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    let certificate = params
        .self_signed(&key)
        .expect("the parameters are complete");
    (certificate.pem(), key)
}

/// A client certificate and its key in PEM.
fn client_certificate(ca: &str, key: &KeyPair, user: &str, group: &str) -> (String, String) {
    let issuer = Issuer::from_ca_cert_pem(ca, key).expect("the CA was made above");
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(Some(user), group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let own = KeyPair::generate().expect("P-256 keys can be made");
    let certificate = params
        .signed_by(&own, &issuer)
        .expect("the parameters are complete");
    (certificate.pem(), own.serialize_pem())
}

fn http_client(ca: &str, identity: Option<&(String, String)>) -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(ca.as_bytes()).expect("the CA is PEM");
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    if let Some((certificate, key)) = identity {
        let pem = format!("{certificate}{key}");
        builder = builder
            .identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("the identity is PEM"));
    }
    builder.build().expect("the settings are complete")
}

/// A registration with the taint of its role.
pub(super) fn node(name: &str, role: NodeRole, number: u8) -> NodeRegistration {
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

/// A key as machine configurations carry it: SEC1, not PKCS#8.
fn account_key() -> String {
    use p256::pkcs8::DecodePrivateKey as _;
    let key = KeyPair::generate().expect("P-256 keys can be made");
    p256::SecretKey::from_pkcs8_der(&key.serialize_der())
        .ok()
        .and_then(|key| key.to_sec1_pem(p256::pkcs8::LineEnding::LF).ok())
        .map(|pem| pem.to_string())
        .expect("rcgen writes PKCS#8")
}

fn settings(ca: &str, key: &KeyPair) -> Settings {
    Settings {
        cluster_name: "alpha".to_owned(),
        kubernetes_version: "1.36.3".to_owned(),
        ca: Authority {
            certificate_pem: ca.to_owned(),
            key_pem: key.serialize_pem(),
        },
        aggregator_ca_pem: None,
        service_account_key_pem: None,
        service_cidr: "10.96.0.0/12".parse().expect("a range"),
        pod_cidr: "10.244.0.0/16".parse().expect("a range"),
        dns_domain: "alpha-cluster.local".to_owned(),
        control_plane_addresses: vec![[10, 20, 0, 11].into()],
        api_port: 6443,
        delays: Delays::default(),
        gate: crate::gate::Gate::default(),
    }
}

/// The nodes of a bed: name, role, last number of the address.
const NODES: [(&str, NodeRole, u8); 6] = [
    ("cp-1", NodeRole::ControlPlane, 11),
    ("cp-2", NodeRole::ControlPlane, 12),
    ("cp-3", NodeRole::ControlPlane, 13),
    ("wrk-1", NodeRole::Worker, 21),
    ("wrk-2", NodeRole::Worker, 22),
    ("wrk-3", NodeRole::Worker, 23),
];

/// The real control plane, running, and the way to it.
pub(super) struct RealBed {
    pub real: Arc<Real>,
    pub target: Target,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), RealError>>,
    _claim: LoopbackClaim,
}

impl std::ops::Deref for RealBed {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl RealBed {
    /// As [`Bed::with_nodes`], of real programs; nothing when those have not been built.
    pub async fn with_nodes() -> Option<Self> {
        let oracles = std::env::var_os("MANAGEDK8S_KUBERNETES_ORACLES")?.into();
        // What ends by itself says why.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let (ca, key) = authority();
        let pair = |(certificate_pem, key): (String, KeyPair)| Authority {
            certificate_pem,
            key_pem: key.serialize_pem(),
        };
        let spec = Spec {
            settings: settings(&ca, &key),
            endpoint: "https://10.20.0.10:6443".to_owned(),
            bootstrap_token: "abcdef.0123456789abcdef".to_owned(),
            etcd_ca: pair(authority()),
            aggregator_ca: pair(authority()),
            service_account_key: account_key(),
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
        let claim = LoopbackClaim::take(None).await.expect("a network is free");
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
            early = &mut task => panic!("the control plane ended: {early:?}"),
        }
        let identity = client_certificate(&ca, &key, "admin", "system:masters");
        let bed = Self {
            real,
            target: Target {
                client: http_client(&ca, Some(&identity)),
                url: format!("https://{address}:6443"),
            },
            stop,
            task,
            _claim: claim,
        };
        for (name, role, number) in NODES {
            bed.real.node_up(node(name, role, number));
        }
        bed.networked().await;
        Some(bed)
    }

    /// Ends every process.
    pub async fn end(self) {
        self.stop.cancel();
        let outcome = self.task.await.expect("the task ends");
        outcome.expect("nothing ended by itself");
    }
}

impl Bed {
    /// An empty cluster.
    pub async fn new() -> Self {
        let (ca, key) = authority();
        let settings = settings(&ca, &key);
        let gate = settings.gate.clone();
        let api = ApiServer::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        let url = format!("https://{}", listener.local_addr().expect("it is bound"));
        let stop = CancellationToken::new();
        let (server, until) = (api.clone(), stop.clone());
        tokio::spawn(async move { server.serve(listener, Vec::new(), until).await });
        let identity = client_certificate(&ca, &key, "admin", "system:masters");
        let bed = Self {
            api,
            gate,
            target: Target {
                client: http_client(&ca, Some(&identity)),
                url,
            },
            folder: tempfile::tempdir().expect("the temporary folder is writable"),
            _stop: stop.drop_guard(),
        };
        let other = client_certificate(&ca, &key, "reader", "readers");
        bed.kubeconfig("reader", &ca, &other);
        bed.kubeconfig("config", &ca, &identity);
        bed
    }

    /// Three control-plane nodes and three workers, ready by a daemon named `cilium`.
    pub async fn with_nodes() -> Self {
        let bed = Self::new().await;
        for (name, role, number) in NODES {
            bed.api.node_up(node(name, role, number));
        }
        bed.networked().await;
        bed
    }
    fn kubeconfig(&self, name: &str, ca: &str, identity: &(String, String)) {
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "alpha",
            "clusters": [{ "name": "alpha", "cluster": {
                "server": self.url, "certificate-authority-data": STANDARD.encode(ca),
            } }],
            "users": [{ "name": "admin", "user": {
                "client-certificate-data": STANDARD.encode(&identity.0),
                "client-key-data": STANDARD.encode(&identity.1),
            } }],
            "contexts": [{ "name": "alpha", "context": { "cluster": "alpha", "user": "admin", "namespace": "default" } }],
        });
        std::fs::write(self.path(name), text.to_string())
            .expect("the temporary folder is writable");
    }

    /// A file of the bed.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Target {
    /// Waits until all nodes are ready, by a daemon named `cilium`.
    async fn networked(&self) {
        let agent = json!({
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
        });
        let (code, _) = self
            .send(
                "POST",
                "/apis/apps/v1/namespaces/kube-system/daemonsets",
                "application/json",
                &agent,
            )
            .await;
        assert_eq!(code, 201);
        self.until("/api/v1/nodes", |list| {
            list["items"].as_array().is_some_and(|nodes| {
                nodes.len() == NODES.len()
                    && nodes
                        .iter()
                        .all(|node| crate::kubernetes::value::is_true(node, "Ready"))
            })
        })
        .await;
    }

    /// One request; the answer's code and body.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header("user-agent", "suite/1");
        if !body.is_null() {
            request = request
                .header("content-type", content_type)
                .body(body.to_string());
        }
        let response = request.send().await.expect("the server answers");
        let code = response.status().as_u16();
        let text = response.text().await.expect("the answer is text");
        (
            code,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "", &Value::Null).await.1
    }

    /// Reads until it is so; fails after a minute.
    pub async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        for _ in 0..3000 {
            seen = self.get(path).await;
            if so(&seen) {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} did not get there: {seen:#}");
    }
}
