//! A client of the real API, with just the calls that the sandbox makes.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{AuthInfo, Config};
use serde_json::{Value, json};

use super::files::Leaf;
use super::process::API_PORT;
use super::{RealError, Spec};

/// Who asks.
pub(super) enum Credential<'a> {
    Certificate(&'a Leaf),
    Token(&'a str),
}

/// A client with one identity.
#[derive(Clone)]
pub(super) struct Api(kube::Client);

/// What the server answered.
pub(super) struct Answer {
    what: String,
    pub code: u16,
    pub body: Value,
}

impl Answer {
    /// The body of a success; also of one of the codes in `fine`.
    pub fn or(self, fine: &[u16]) -> Result<Value, RealError> {
        if self.code < 300 || fine.contains(&self.code) {
            return Ok(self.body);
        }
        Err(RealError::Refused {
            message: self.body["message"].as_str().unwrap_or_default().to_owned(),
            what: self.what,
            code: self.code,
        })
    }
}

pub(super) const APPLY: &str = "application/apply-patch+yaml";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";

impl Api {
    /// A client of the server of a control plane.
    pub fn new(spec: &Spec, address: Ipv4Addr, who: &Credential<'_>) -> Result<Self, RealError> {
        let url = format!("https://{address}:{API_PORT}").parse().map_err(
            |error: http::uri::InvalidUri| RealError::Ask(kube::Error::HttpError(error.into())),
        )?;
        let mut config = Config::new(url);
        let ca = pem_body(&spec.settings.ca.certificate_pem);
        config.root_cert = Some(vec![ca]);
        config.auth_info = match who {
            Credential::Certificate(leaf) => AuthInfo {
                client_certificate_data: Some(STANDARD.encode(&leaf.certificate)),
                client_key_data: Some(STANDARD.encode(&leaf.key).into()),
                ..AuthInfo::default()
            },
            Credential::Token(token) => AuthInfo {
                token: Some((*token).to_owned().into()),
                ..AuthInfo::default()
            },
        };
        kube::Client::try_from(config)
            .map(Self)
            .map_err(RealError::Ask)
    }

    /// One request.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Answer, RealError> {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .header("accept", "application/json")
            .body(Body::from(bytes))
            .map_err(|error| RealError::Ask(kube::Error::HttpError(error)))?;
        let response = self.0.send(request).await.map_err(RealError::Ask)?;
        let code = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(RealError::Ask)?
            .to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Ok(Answer {
            what: format!("{method} {path}"),
            code,
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        })
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Answer, RealError> {
        self.call("GET", path, "application/json", &Value::Null)
            .await
    }

    /// Creates; what exists stays.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, RealError> {
        self.call("POST", path, "application/json", object)
            .await?
            .or(&[409])
    }

    /// Patches.
    pub async fn patch(&self, path: &str, kind: &str, patch: &Value) -> Result<Value, RealError> {
        self.call("PATCH", path, kind, patch).await?.or(&[])
    }

    /// Deletes at once; what is gone is gone.
    pub async fn delete(&self, path: &str) -> Result<Value, RealError> {
        let options =
            json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 });
        self.call("DELETE", path, "application/json", &options)
            .await?
            .or(&[404])
    }
}

/// The bytes in a PEM text's first block.
pub(super) fn pem_body(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes())
        .map(|der| der.to_vec())
        .unwrap_or_default()
}
