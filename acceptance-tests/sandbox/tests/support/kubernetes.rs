//! The Kubernetes API of a cluster, through the proxy.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use sandbox::Addresses;
use serde_json::{Value, json};

use super::channel::tunnel;
use super::cluster::Cluster;

/// How somebody comes to the API.
pub struct Caller<'a> {
    /// The cluster whose authority is trusted, and signs the client's certificate.
    pub cluster: &'a Cluster,
    /// The way.
    pub addresses: &'a Addresses,
    /// The machine.
    pub target: &'a str,
    /// The name that its certificate must carry.
    pub name: &'a str,
    /// With an administrator's certificate, or with none.
    pub known: bool,
}

impl<'a> Caller<'a> {
    /// An administrator.
    pub fn new(cluster: &'a Cluster, addresses: &'a Addresses, target: &'a str) -> Self {
        Self {
            cluster,
            addresses,
            target,
            name: target,
            known: true,
        }
    }

    fn tls(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let authority = &self.cluster.kubernetes;
        let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate");
        roots.add(root).expect("a root");
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        if !self.known {
            return config.with_no_client_auth();
        }
        let usages = [ExtendedKeyUsagePurpose::ClientAuth];
        let (certificate, key) = authority.client("system:masters", &usages);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        config
            .with_client_auth_cert(vec![certificate], key)
            .expect("a client configuration")
    }

    /// One request; code 0 when nobody answers, with the reason.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        match self.try_send(method, path, body).await {
            Ok(answer) => answer,
            Err(why) => (0, json!(why)),
        }
    }

    async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Value,
    ) -> Result<(u16, Value), String> {
        let stream = tunnel(self.addresses, self.target, 6443).await?;
        let name = ServerName::try_from(self.name.to_owned()).map_err(|error| error.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(self.tls()));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.target)
            .header("content-type", "application/json")
            .body(http_body_util::Full::<bytes::Bytes>::from(body))
            .expect("a request");
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        Ok((
            code,
            serde_json::from_slice(&body).unwrap_or_else(|_| text()),
        ))
    }

    /// GET; null when nobody answers.
    pub async fn get(&self, path: &str) -> Value {
        match self.send("GET", path, Value::Null).await {
            (0, _) => Value::Null,
            (_, body) => body,
        }
    }
}
