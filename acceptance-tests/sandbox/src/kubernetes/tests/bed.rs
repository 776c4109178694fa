//! A cluster to test against, ours or the real one, and an administrator's client.

use std::path::PathBuf;

use serde_json::Value;

use crate::kubernetes::alone::{Alone, NODES, network_agent};
use crate::kubernetes::{ApiServer, ControlPlane};

pub(super) use crate::kubernetes::alone::node;

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
    alone: Alone,
}

impl std::ops::Deref for Bed {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

/// The real control plane, running, and the way to it.
pub(super) struct RealBed {
    pub target: Target,
    alone: Alone,
}

impl std::ops::Deref for RealBed {
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

impl RealBed {
    /// As [`Bed::with_nodes`], of real programs; nothing when those have not been built.
    pub async fn with_nodes() -> Option<Self> {
        let oracles = std::env::var_os("MANAGEDK8S_KUBERNETES_ORACLES")?.into();
        // What ends by itself says why.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_test_writer()
            .try_init();
        let alone = Alone::real(oracles).await.expect("it starts");
        alone.nodes_up();
        let bed = Self {
            target: target(&alone),
            alone,
        };
        bed.networked().await;
        Some(bed)
    }

    /// Ends every process.
    pub async fn end(self) {
        self.alone.end().await.expect("nothing ended by itself");
    }
}

impl Bed {
    /// An empty cluster.
    pub async fn new() -> Self {
        let alone = Alone::built_in().await.expect("it starts");
        let ControlPlane::BuiltIn(api) = alone.plane.clone() else {
            panic!("it is built in");
        };
        let bed = Self {
            api,
            gate: alone.settings.gate.clone(),
            target: target(&alone),
            folder: tempfile::tempdir().expect("the temporary folder is writable"),
            alone,
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
        bed.alone.nodes_up();
        bed.networked().await;
        bed
    }

    /// A file of the bed.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Target {
    /// Waits until all nodes are ready, by a daemon named `cilium`.
    async fn networked(&self) {
        let agent = network_agent();
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

    /// Reads until nothing is there; fails after a minute. A path that nobody serves has no status to look into.
    pub async fn until_gone(&self, path: &str) {
        for _ in 0..3000 {
            if self.send("GET", path, "", &Value::Null).await.0 == 404 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} stays");
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
