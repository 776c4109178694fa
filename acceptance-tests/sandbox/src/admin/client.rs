//! A client of the admin endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Event, Inventory, NodeView};
use crate::config::{Behaviour, Delays};
use crate::gate::{ActiveFault, Fault, PausePoint, PauseState, WriteRecord};
use crate::running::Addresses;

/// Why a call of the admin endpoint failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The sandbox does not answer.
    #[error("the sandbox's admin endpoint {address} does not answer")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The sandbox refused.
    #[error("the sandbox answered {status} to {method} {path}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Method.
        method: String,
        /// Path.
        path: String,
        /// What it said.
        message: String,
    },
    /// The answer is not what was expected.
    #[error("the sandbox's answer to {path} cannot be read")]
    Answer {
        /// Path.
        path: String,
        /// Why not.
        source: serde_json::Error,
    },
}

type Result<T, E = ClientError> = std::result::Result<T, E>;

/// A client of the admin endpoint of a sandbox in this process or another one.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
}

impl Client {
    /// A client of the endpoint, `http://host:port` or `host:port`.
    pub fn new(address: &str) -> Self {
        let address = address
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self { address }
    }

    /// Where the sandbox's surfaces are.
    pub async fn addresses(&self) -> Result<Addresses> {
        self.get("/addresses").await
    }

    /// Everything that is there.
    pub async fn inventory(&self) -> Result<Inventory> {
        self.get("/inventory").await
    }

    /// The machines that are powered on.
    pub async fn nodes(&self) -> Result<Vec<NodeView>> {
        self.get("/nodes").await
    }

    /// What happened after the event of this number.
    pub async fn events(&self, after: u64) -> Result<Vec<Event>> {
        self.get(&format!("/events?after={after}")).await
    }

    /// Calls by surface, method and route.
    pub async fn calls(&self) -> Result<BTreeMap<String, u64>> {
        self.get("/calls").await
    }

    /// Sets the call counters and the write log back.
    pub async fn reset_calls(&self) -> Result<()> {
        self.send("DELETE", "/calls", None).await.map(|_: Value| ())
    }

    /// The writes that came in, oldest first.
    pub async fn writes(&self) -> Result<Vec<WriteRecord>> {
        self.get("/writes").await
    }

    /// Adds a fault and returns its number.
    pub async fn fault(&self, fault: &Fault) -> Result<u64> {
        self.numbered("/faults", json!(fault)).await
    }

    /// All faults with their counts.
    pub async fn faults(&self) -> Result<Vec<ActiveFault>> {
        self.get("/faults").await
    }

    /// Removes one fault.
    pub async fn remove_fault(&self, id: u64) -> Result<()> {
        self.send("DELETE", &format!("/faults/{id}"), None)
            .await
            .map(|_: Value| ())
    }

    /// Removes every fault.
    pub async fn clear_faults(&self) -> Result<()> {
        self.send("DELETE", "/faults", None)
            .await
            .map(|_: Value| ())
    }

    /// Sets a pause point and returns its number.
    pub async fn pause_at(&self, point: &PausePoint) -> Result<u64> {
        self.numbered("/pause-points", json!(point)).await
    }

    /// The state of a pause point; waits for it to be reached, at most this long.
    pub async fn pause_state(&self, id: u64, wait: Duration) -> Result<PauseState> {
        self.get(&format!("/pause-points/{id}?wait={}", wait.as_millis()))
            .await
    }

    /// Removes a pause point; a sandbox that it holds goes on.
    pub async fn release(&self, id: u64) -> Result<()> {
        self.send("DELETE", &format!("/pause-points/{id}"), None)
            .await
            .map(|_: Value| ())
    }

    /// The durations in force.
    pub async fn delays(&self) -> Result<Delays> {
        self.get("/delays").await
    }

    /// Sets the durations.
    pub async fn set_delays(&self, delays: &Delays) -> Result<()> {
        self.send("PUT", "/delays", Some(json!(delays)))
            .await
            .map(|_: Value| ())
    }

    /// Sets the speed factor.
    pub async fn set_speed(&self, speed: f64) -> Result<()> {
        self.send("PUT", "/speed", Some(json!({"speed": speed})))
            .await
            .map(|_: Value| ())
    }

    /// The behaviour in force.
    pub async fn behaviour(&self) -> Result<Behaviour> {
        self.get("/behaviour").await
    }

    /// Sets some fields of [`Behaviour`].
    pub async fn set_behaviour(&self, fields: Value) -> Result<()> {
        self.send("PATCH", "/behaviour", Some(fields))
            .await
            .map(|_: Value| ())
    }

    /// Sets what serves the Kubernetes API of clusters born from now on.
    pub async fn kubernetes(&self, kind: crate::KubernetesKind) -> Result<()> {
        self.send("PUT", "/kubernetes", Some(json!({"kind": kind})))
            .await
            .map(|_: Value| ())
    }

    /// Shuffles every listing from now on, or no longer.
    pub async fn shuffle(&self, seed: Option<u64>) -> Result<()> {
        self.send("PUT", "/shuffle", Some(json!({"seed": seed})))
            .await
            .map(|_: Value| ())
    }

    /// Deletes a VM, by name or identifier, as another hand would.
    pub async fn delete_vm(&self, name: &str) -> Result<()> {
        self.send("DELETE", &format!("/vms/{name}"), None)
            .await
            .map(|_: Value| ())
    }

    /// Powers a VM on, or takes its power.
    pub async fn power(&self, name: &str, on: bool) -> Result<()> {
        self.send(
            "PUT",
            &format!("/vms/{name}/power"),
            Some(json!({"on": on})),
        )
        .await
        .map(|_: Value| ())
    }

    /// The text on a VM's console.
    pub async fn console(&self, name: &str) -> Result<String> {
        let path = format!("/vms/{name}/console");
        let bytes = self.exchange("GET", &path, None).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Removes a template from a zone, both by name.
    pub async fn remove_template(&self, zone: &str, name: &str) -> Result<()> {
        self.send("DELETE", &format!("/templates/{zone}/{name}"), None)
            .await
            .map(|_: Value| ())
    }

    /// Sets the capacity of a storage repository, by name.
    pub async fn set_storage(&self, name: &str, gib: u64) -> Result<()> {
        self.send(
            "PUT",
            &format!("/storage/{name}"),
            Some(json!({"gib": gib})),
        )
        .await
        .map(|_: Value| ())
    }

    /// Stops the sandbox.
    pub async fn shut_down(&self) -> Result<()> {
        self.send("POST", "/shutdown", None)
            .await
            .map(|_: Value| ())
    }

    async fn numbered(&self, path: &str, body: Value) -> Result<u64> {
        let answer: Value = self.send("POST", path, Some(body)).await?;
        Ok(answer["id"].as_u64().unwrap_or_default())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send("GET", path, None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<T> {
        let bytes = self.exchange(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Answer {
            path: path.to_owned(),
            source,
        })
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> Result<Bytes> {
        let unreachable =
            |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Unreachable {
                address: self.address.clone(),
                source,
            };
        let stream = TcpStream::connect(&self.address)
            .await
            .map_err(|error| unreachable(error.into()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(error.into()))?;
        tokio::spawn(connection);
        let body = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.address)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| unreachable(error.into()))?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| unreachable(error.into()))?;
        let status = answer.status();
        let bytes = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| unreachable(error.into()))?
            .to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        Err(ClientError::Refused {
            status: status.as_u16(),
            method: method.to_owned(),
            path: path.to_owned(),
            message: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}
