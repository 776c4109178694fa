//! What the tests share: an API client, configurations with their own PKI, a gRPC channel through the proxy.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use sandbox::{Addresses, Config, Running, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const GIB: u64 = 1 << 30;

pub async fn start(config: Config) -> Running {
    Sandbox::start(config).await.expect("the sandbox starts")
}

/// A client of the OpenIaaS API with a token.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub http: reqwest::Client,
    pub token: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text))
    }

    pub fn location(&self) -> String {
        self.headers
            .get("location")
            .expect("an activity")
            .to_str()
            .expect("text")
            .to_owned()
    }
}

impl Api {
    pub async fn new(addresses: &Addresses) -> Self {
        let base = format!("{}://{}/api", addresses.api_scheme, addresses.api);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let mut api = Self {
            base,
            http,
            token: String::new(),
        };
        let body = json!({"id": addresses.client_id, "secret": addresses.client_secret});
        let reply = api
            .send("POST", "/iam/v2/auth/personal_access_token", Some(body))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        api.token = reply.text;
        api
    }

    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self
            .http
            .request(
                method.parse().expect("a method"),
                format!("{}{path}", self.base),
            )
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let reply = request.send().await?;
        Ok(Reply {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            text: reply.text().await?,
        })
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_send(method, path, body).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, None).await;
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.text);
        reply.json()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.send("GET", path, None).await.status
    }

    /// A write that is accepted, and the end of its activity: the result, or the reason of the failure.
    pub async fn write(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<String, String> {
        let reply = self.send(method, path, body).await;
        assert_eq!(reply.status, 201, "{method} {path}: {}", reply.text);
        assert!(reply.text.is_empty());
        self.wait(&reply.location()).await
    }

    pub async fn wait(&self, activity: &str) -> Result<String, String> {
        let start = Instant::now();
        loop {
            let reply = self
                .send("GET", &format!("/activity/v1/activities/{activity}"), None)
                .await;
            if reply.status == 200 {
                let state = reply.json()["state"].clone();
                assert_eq!(
                    state.as_object().expect("an object").len(),
                    1,
                    "one key: {state}"
                );
                if let Some(done) = state.get("completed") {
                    return Ok(done["result"].as_str().expect("a result").to_owned());
                }
                if let Some(done) = state.get("failed") {
                    return Err(done["reason"].as_str().expect("a reason").to_owned());
                }
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "the activity does not end"
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    pub async fn zone(&self, name: &str) -> String {
        named(&self.get("/compute/v1/open_iaas").await, name)
    }

    pub async fn find(&self, collection: &str, zone: &str, name: &str) -> String {
        let list = self
            .get(&format!(
                "/compute/v1/open_iaas/{collection}?machineManagerId={zone}"
            ))
            .await;
        named(&list, name)
    }

    pub async fn policy(&self, zone: &str, name: &str) -> String {
        let list = self
            .get(&format!(
                "/backup/v1/open_iaas/policies?name={name}&machineManagerId={zone}"
            ))
            .await;
        named(&list, name)
    }

    /// The body of a create with the Talos template and one adapter on `cluster-vlan`.
    pub async fn vm_body(
        &self,
        zone: &str,
        name: &str,
        mac: &str,
        user_data: Option<&str>,
    ) -> Value {
        let mut body = json!({
            "name": name, "templateId": self.find("templates", zone, "talos-1.13").await,
            "cpu": 2, "memory": 4 * GIB,
            "networkAdapters": [{"networkId": self.find("networks", zone, "cluster-vlan").await, "mac": mac}],
        });
        if let Some(user_data) = user_data {
            body["cloudInit"] = json!({"cloudConfig": user_data, "networkConfig": "# none\n"});
        }
        body
    }

    /// A halted VM with a backup policy.
    pub async fn vm(&self, zone: &str, name: &str, mac: &str, user_data: Option<&str>) -> String {
        let zone = self.zone(zone).await;
        let body = self.vm_body(&zone, name, mac, user_data).await;
        let vm = self
            .write("POST", "/compute/v1/open_iaas/virtual_machines", Some(body))
            .await
            .expect("a VM");
        let policy = self.policy(&zone, "nobackup").await;
        self.write(
            "POST",
            "/backup/v1/open_iaas/policies/assign",
            Some(json!({"virtualMachineId": vm, "policyIds": [policy]})),
        )
        .await
        .expect("a policy");
        vm
    }

    pub async fn power(&self, vm: &str, on: bool, force: bool) -> Result<String, String> {
        let body = json!({"powerState": if on { "on" } else { "off" }, "force": force});
        self.write(
            "PATCH",
            &format!("/compute/v1/open_iaas/virtual_machines/{vm}/power"),
            Some(body),
        )
        .await
    }
}

pub fn named(list: &Value, name: &str) -> String {
    let list = list.as_array().expect("a list");
    let found = list
        .iter()
        .find(|item| item["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {list:?}"));
    found["id"].as_str().expect("an id").to_owned()
}

/// A certificate authority of a test cluster.
pub struct Authority {
    pub pem: String,
    pub key_pem: String,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub fn new(ed25519: bool) -> Self {
        let key = if ed25519 {
            KeyPair::generate_for(&rcgen::PKCS_ED25519)
        } else {
            KeyPair::generate()
        }
        .expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "talos");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let key_pem = if ed25519 {
            // The short form of the key, under the label that Talos writes.
            let der = key.serialize_der();
            let seed_at = der
                .windows(2)
                .position(|pair| pair == [4, 32])
                .expect("a seed")
                + 2;
            let mut short = vec![
                0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
                0x04, 0x20,
            ];
            short.extend_from_slice(&der[seed_at..seed_at + 32]);
            format!(
                "-----BEGIN ED25519 PRIVATE KEY-----\n{}\n-----END ED25519 PRIVATE KEY-----\n",
                STANDARD.encode(short)
            )
        } else {
            key.serialize_pem()
        };
        Self {
            pem,
            key_pem,
            params,
            key,
        }
    }

    /// A client certificate of these organisations and purposes.
    pub fn client(
        &self,
        organisation: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> (CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
        // Kubernetes takes the user from it; Talos does not look.
        params.distinguished_name.push(DnType::CommonName, "admin");
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        (
            params
                .signed_by(&key, &issuer)
                .expect("a certificate")
                .der()
                .clone(),
            key,
        )
    }
}

/// The secrets of a test cluster, and its configurations.
pub struct Cluster {
    pub os: Authority,
    pub kubernetes: Authority,
    pub etcd: Authority,
    pub aggregator: Authority,
}

impl Cluster {
    pub fn new() -> Self {
        Self {
            os: Authority::new(true),
            kubernetes: Authority::new(false),
            etcd: Authority::new(false),
            aggregator: Authority::new(false),
        }
    }

    pub fn control_plane(&self, hostname: &str, address: &str, mac: &str) -> String {
        let pair = |authority: &Authority| {
            format!(
                "{{ crt: {}, key: {} }}",
                STANDARD.encode(&authority.pem),
                STANDARD.encode(&authority.key_pem)
            )
        };
        format!(
            "version: v1alpha1\ndebug: false\npersist: true\nmachine:\n    type: controlplane\n    token: abcdef.0123456789abcdef\n    \
             ca: {}\n    kubelet:\n        image: ghcr.io/siderolabs/kubelet:v1.36.3\n    nodeLabels:\n        example.org/pool: control\ncluster:\n    \
             id: aWQ=\n    secret: c2VjcmV0\n    controlPlane:\n        endpoint: https://10.20.0.20:6443\n    clusterName: alpha\n    \
             network:\n        cni:\n            name: none\n        dnsDomain: cluster.local\n        podSubnets: [10.244.0.0/16]\n        \
             serviceSubnets: [10.96.0.0/12]\n    token: ghijkl.0123456789abcdef\n    ca: {}\n    aggregatorCA: {}\n    serviceAccount:\n        key: {}\n    \
             apiServer:\n        image: registry.k8s.io/kube-apiserver:v1.36.3\n    proxy:\n        disabled: true\n    etcd:\n        ca: {}\n{}",
            pair(&self.os),
            pair(&self.kubernetes),
            pair(&self.aggregator),
            STANDARD.encode(&self.kubernetes.key_pem),
            pair(&self.etcd),
            documents(hostname, address, mac)
        ) + "---\napiVersion: v1alpha1\nkind: Layer2VIPConfig\nname: 10.20.0.20\nlink: net0\n"
    }

    pub fn worker(&self, hostname: &str, address: &str, mac: &str) -> String {
        let public = |authority: &Authority| {
            format!("{{ crt: {}, key: \"\" }}", STANDARD.encode(&authority.pem))
        };
        format!(
            "version: v1alpha1\nmachine:\n    type: worker\n    token: abcdef.0123456789abcdef\n    ca: {}\n    kubelet:\n        \
             image: ghcr.io/siderolabs/kubelet:v1.36.3\ncluster:\n    id: aWQ=\n    secret: c2VjcmV0\n    controlPlane:\n        \
             endpoint: https://10.20.0.20:6443\n    clusterName: alpha\n    token: ghijkl.0123456789abcdef\n    ca: {}\n{}",
            public(&self.os),
            public(&self.kubernetes),
            documents(hostname, address, mac)
        )
    }

    /// A channel to the machine API of a private address, with a client certificate of this role.
    pub async fn connect(
        &self,
        addresses: &Addresses,
        target: &str,
        role: &str,
    ) -> Result<Channel, String> {
        self.connect_with(
            addresses,
            target,
            role,
            &[ExtendedKeyUsagePurpose::ClientAuth],
        )
        .await
    }

    pub async fn connect_with(
        &self,
        addresses: &Addresses,
        target: &str,
        role: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<Channel, String> {
        let (certificate, key) = self.os.client(role, usages);
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::pem::PemObject as _;
        roots
            .add(CertificateDer::from_pem_slice(self.os.pem.as_bytes()).expect("a certificate"))
            .expect("a root");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .expect("a client configuration");
        channel(addresses, target, config).await
    }

    /// Tries until the machine API answers.
    pub async fn reach(&self, addresses: &Addresses, target: &str) -> Channel {
        let start = Instant::now();
        loop {
            match self.connect(addresses, target, "os:admin").await {
                Ok(channel) => return channel,
                Err(error) => assert!(
                    start.elapsed() < Duration::from_secs(10),
                    "{target}: {error}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn documents(hostname: &str, address: &str, mac: &str) -> String {
    format!(
        "---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: {hostname}\n---\napiVersion: v1alpha1\n\
         kind: LinkAliasConfig\nname: net0\nselector:\n    match: mac(link.permanent_addr) == \"{mac}\"\n---\napiVersion: v1alpha1\n\
         kind: LinkConfig\nname: net0\nup: true\naddresses:\n    - address: {address}/22\nroutes:\n    - gateway: 10.20.3.254\n"
    )
}

/// A TCP connection to a private address through the HTTP CONNECT proxy.
pub async fn tunnel(addresses: &Addresses, target: &str, port: u16) -> Result<TcpStream, String> {
    let proxy = addresses.proxy.trim_start_matches("http://");
    let mut stream = TcpStream::connect(proxy)
        .await
        .map_err(|error| error.to_string())?;
    let request = format!("CONNECT {target}:{port} HTTP/1.1\r\nHost: {target}:{port}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(|error| error.to_string())?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if head.starts_with("HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(head.lines().next().unwrap_or_default().into())
    }
}

pub async fn channel(
    addresses: &Addresses,
    target: &str,
    mut config: rustls::ClientConfig,
) -> Result<Channel, String> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tunnel(addresses, target, 50_000).await?;
    let name = ServerName::try_from(target.to_owned()).map_err(|error| error.to_string())?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    let (sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(Channel(sender))
}

/// A gRPC channel over one connection.
#[derive(Clone)]
pub struct Channel(hyper::client::conn::http2::SendRequest<tonic::body::Body>);

impl tower::Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

pub type Machine = proto_talos::machine::machine_service_client::MachineServiceClient<Channel>;

pub fn machine(channel: Channel) -> Machine {
    let origin = http::Uri::from_static("https://node");
    proto_talos::machine::machine_service_client::MachineServiceClient::with_origin(channel, origin)
}

pub fn state(channel: Channel) -> proto_talos::cosi::resource::state_client::StateClient<Channel> {
    let origin = http::Uri::from_static("https://node");
    proto_talos::cosi::resource::state_client::StateClient::with_origin(channel, origin)
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A read of the Kubernetes API of a private address as an administrator; null when it is not reached.
pub async fn kubernetes_get(
    cluster: &Cluster,
    addresses: &Addresses,
    target: &str,
    path: &str,
) -> Value {
    use http_body_util::BodyExt as _;
    use rustls::pki_types::pem::PemObject as _;
    let (certificate, key) = cluster
        .kubernetes
        .client("system:masters", &[ExtendedKeyUsagePurpose::ClientAuth]);
    let mut roots = rustls::RootCertStore::empty();
    let root =
        CertificateDer::from_pem_slice(cluster.kubernetes.pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .expect("a client configuration");
    let Ok(stream) = tunnel(addresses, target, 6443).await else {
        return Value::Null;
    };
    let name = ServerName::try_from(target.to_owned()).expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let Ok(stream) = connector.connect(name, stream).await else {
        return Value::Null;
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get(path)
        .header("host", target)
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .expect("a request");
    let Ok(answer) = sender.send_request(request).await else {
        return Value::Null;
    };
    let body = answer
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}
