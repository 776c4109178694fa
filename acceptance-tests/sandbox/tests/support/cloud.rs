//! A client of the OpenIaaS API.

use std::time::{Duration, Instant};

use sandbox::Addresses;
use serde_json::{Value, json};

use super::GIB;

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
