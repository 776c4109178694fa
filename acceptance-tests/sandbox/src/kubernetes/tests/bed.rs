//! A cluster to test against, ours or the real one, and an administrator's client.

use std::path::PathBuf;

use serde_json::Value;

use crate::kubernetes::alone::{Alone, NODES, network_agent};
use crate::kubernetes::{ApiServer, ControlPlane};

pub(super) use crate::kubernetes::alone::node;

const JSON: &str = "application/json";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// How often it looks, and how many times: two minutes, which real programs may need on a busy machine.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);
const LOOKS: u32 = 6000;

/// How many real control planes run at once: each takes half a gibibyte.
static ROOM: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// An API server to ask, ours or a real one.
pub(super) struct Target {
    pub url: String,
    pub client: reqwest::Client,
}

/// A control plane, running, and the way to it.
pub(super) struct Bed {
    pub plane: ControlPlane,
    pub gate: crate::gate::Gate,
    pub target: Target,
    folder: tempfile::TempDir,
    alone: Alone,
    _room: Option<tokio::sync::SemaphorePermit<'static>>,
}

impl std::ops::Deref for Bed {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

fn target(alone: &Alone) -> Target {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ca = alone.settings.ca.certificate_pem.as_bytes();
    let root = reqwest::Certificate::from_pem(ca).expect("the CA is PEM");
    let (certificate, key) = alone.client("admin", "system:masters").expect("a client");
    let identity = reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes());
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .identity(identity.expect("the identity is PEM"))
        .build()
        .expect("the settings are complete");
    Target {
        url: alone.url.clone(),
        client,
    }
}

impl Bed {
    /// An empty cluster of ours.
    pub async fn new() -> Self {
        Self::of(Alone::built_in().await.expect("it starts"), None)
    }

    /// An empty cluster of real programs; nothing when those have not been built.
    pub async fn real() -> Option<Self> {
        let oracles = std::env::var_os("MANAGEDK8S_KUBERNETES_ORACLES")?.into();
        // What ends by itself says why.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_test_writer()
            .try_init();
        let room = ROOM.acquire().await.ok();
        Some(Self::of(
            Alone::real(oracles).await.expect("it starts"),
            room,
        ))
    }

    fn of(alone: Alone, room: Option<tokio::sync::SemaphorePermit<'static>>) -> Self {
        let bed = Self {
            plane: alone.plane.clone(),
            gate: alone.settings.gate.clone(),
            target: target(&alone),
            folder: tempfile::tempdir().expect("the temporary folder is writable"),
            alone,
            _room: room,
        };
        for (name, user, group) in [
            ("reader", "reader", "readers"),
            ("config", "admin", "system:masters"),
        ] {
            let identity = bed.alone.client(user, group).expect("a client");
            std::fs::write(bed.path(name), bed.alone.kubeconfig(&identity))
                .expect("the temporary folder is writable");
        }
        bed
    }

    /// Three control-plane nodes and three workers, ready by a daemon named `cilium`.
    pub async fn with_nodes() -> Self {
        let bed = Self::new().await;
        bed.nodes_up().await;
        bed
    }

    /// The same of real programs.
    pub async fn real_with_nodes() -> Option<Self> {
        let bed = Self::real().await?;
        bed.nodes_up().await;
        Some(bed)
    }

    /// Registers all nodes and waits for them.
    pub async fn nodes_up(&self) {
        self.alone.nodes_up();
        self.networked().await;
    }

    /// Our own server.
    pub fn api(&self) -> &ApiServer {
        match &self.plane {
            ControlPlane::BuiltIn(api) => api,
            ControlPlane::Real(_) => panic!("it is not ours"),
        }
    }

    /// A file of the bed.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends every process.
    pub async fn end(self) {
        self.alone.end().await.expect("nothing ended by itself");
    }
}

impl Target {
    /// Waits until all nodes are ready, by a daemon named `cilium`.
    async fn networked(&self) {
        let agent = network_agent();
        self.make("/apis/apps/v1/namespaces/kube-system/daemonsets", &agent)
            .await;
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

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, JSON, body).await
    }

    /// A POST that must succeed.
    pub async fn make(&self, path: &str, body: &Value) -> Value {
        let (code, made) = self.post(path, body).await;
        assert_eq!(code, 201, "{path}: {made}");
        made
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PUT", path, JSON, body).await
    }

    /// A merge patch.
    pub async fn merge(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, "application/merge-patch+json", body)
            .await
    }

    /// A strategic merge patch.
    pub async fn strategic(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(
            "PATCH",
            path,
            "application/strategic-merge-patch+json",
            body,
        )
        .await
    }

    /// A server-side apply.
    pub async fn apply(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", path, "application/apply-patch+yaml", body)
            .await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send("DELETE", path, JSON, &Value::Null).await
    }

    /// DELETE with options.
    pub async fn delete_with(&self, path: &str, options: &Value) -> (u16, Value) {
        self.send("DELETE", path, JSON, options).await
    }

    /// GET with its code.
    pub async fn read(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "", &Value::Null).await
    }

    /// GET of some representation: code, content type, body.
    pub async fn accept(&self, path: &str, accept: &str) -> (u16, String, Vec<u8>) {
        let request = self.client.get(format!("{}{path}", self.url));
        let answer = request.header("accept", accept).send().await;
        let answer = answer.expect("the server answers");
        let kind = answer
            .headers()
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let code = answer.status().as_u16();
        let body = answer.bytes().await.expect("the answer is whole");
        (code, kind, body.to_vec())
    }

    /// Creates a definition of `things` and waits until they are served.
    pub async fn define(&self, definition: &Value, space: &str) {
        self.make(DEFINITIONS, definition).await;
        let group = definition["spec"]["group"].as_str().unwrap_or_default();
        let path = format!("/apis/{group}/v1/namespaces/{space}/things");
        self.until(&path, |seen| seen["kind"] == "ThingList").await;
    }

    /// Deletes it.
    pub async fn undefine(&self, group: &str) {
        let path = format!("{DEFINITIONS}/things.{group}");
        self.delete(&path).await;
        self.until_gone(&path).await;
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "", &Value::Null).await.1
    }

    /// Reads until nothing is there; fails after a while. A path that nobody serves has no status to look into.
    pub async fn until_gone(&self, path: &str) {
        for _ in 0..LOOKS {
            if self.send("GET", path, "", &Value::Null).await.0 == 404 {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("{path} stays");
    }

    /// Reads until it is so; fails after a while.
    pub async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        for _ in 0..LOOKS {
            seen = self.get(path).await;
            if so(&seen) {
                return seen;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("{path} did not get there: {seen:#}");
    }
}
