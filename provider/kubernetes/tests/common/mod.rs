//! A small API server over TLS on loopback: a test gives the answers as a function and reads what
//! was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use kubernetes::{Client, Identity, Mint, Settings};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use transport::{CancellationToken, Dialer, ManualClock, Trust, crypto_provider};

/// A call as the server saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method and path with query.
    pub line: String,
    /// The address on which it came in.
    pub member: String,
    pub content_type: String,
    pub body: Value,
}

/// Status and body; status 0 closes the connection without an answer.
pub type Answer = (u16, Value);
pub type Handler = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

pub struct Bench {
    pub client: Client,
    pub clock: ManualClock,
    pub cancel: CancellationToken,
    pub calls: Arc<Mutex<Vec<Call>>>,
    pub minted: Arc<Mutex<u32>>,
}

impl Bench {
    /// One member, whose certificate names it.
    pub async fn new(handler: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(handler, &["127.0.0.1"], &["127.0.0.1"], true).await
    }

    /// Members at `listening` addresses of one port, certificates that name `named`, and a client
    /// that knows three members of which the first does not listen unless it is in the list.
    pub async fn with(
        handler: impl Fn(&Call) -> Answer + Send + Sync + 'static,
        listening: &[&str],
        named: &[&str],
        leaping: bool,
    ) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&calls);
        let handler: Handler = Arc::new(move |call| {
            recorded.lock().expect("no panic").push(call.clone());
            handler(call)
        });
        let ca = authority();
        let mut port = 0;
        for address in listening {
            let listener = TcpListener::bind((*address, port)).await.expect("loopback");
            port = listener.local_addr().expect("bound").port();
            let names = vec![if named.contains(address) {
                (*address).to_owned()
            } else {
                "elsewhere".to_owned()
            }];
            let acceptor = TlsAcceptor::from(Arc::new(server_config(&ca, names)));
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let local = stream.local_addr().expect("connected");
                    let acceptor = acceptor.clone();
                    tokio::spawn(serve(stream, local, acceptor, Arc::clone(&handler)));
                }
            });
        }
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let clock = if leaping {
            ManualClock::leaping(wall)
        } else {
            ManualClock::standing(wall)
        };
        let minted = Arc::new(Mutex::new(0));
        let trust = Trust::pinned(vec![ca.der().clone()]);
        let mint = mint(ca, clock.clone(), Arc::clone(&minted));
        let mut members: Vec<String> = listening.iter().map(|it| (*it).to_owned()).collect();
        if listening.len() > 1 || listening[0] != "127.0.0.1" {
            members.insert(0, "127.0.0.9".to_owned());
        }
        let settings = Settings {
            members,
            port,
            trust,
            mint,
            dialer: Dialer::direct(),
            user_agent: "terraform-provider-managedk8s/0.0.0".to_owned(),
        };
        Self {
            client: Client::new(settings, Arc::new(clock.clone())).expect("members"),
            clock,
            cancel: CancellationToken::new(),
            calls,
            minted,
        }
    }

    pub fn lines(&self) -> Vec<String> {
        let calls = self.calls.lock().expect("no panic");
        calls.iter().map(|call| call.line.clone()).collect()
    }

    pub fn members(&self) -> Vec<String> {
        let calls = self.calls.lock().expect("no panic");
        calls.iter().map(|call| call.member.clone()).collect()
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

fn server_config(ca: &Authority, names: Vec<String>) -> ServerConfig {
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, ca).expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider())
        .build()
        .expect("a verifier");
    ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().expect("a key"),
        )
        .expect("a certificate with its key")
}

fn mint(ca: Authority, clock: ManualClock, minted: Arc<Mutex<u32>>) -> Mint {
    Arc::new(move || {
        *minted.lock().expect("no panic") += 1;
        let mut params = CertificateParams::new(Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &ca)?;
        Ok(Identity {
            chain: vec![certificate.der().clone()],
            key: key.serialize_der().try_into()?,
            not_after: transport::Clock::wall(&clock) + Duration::from_mins(10),
        })
    })
}

async fn serve(stream: TcpStream, local: SocketAddr, acceptor: TlsAcceptor, handler: Handler) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8(head).expect("text");
        let headers: BTreeMap<String, &str> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(key, value)| (key.to_ascii_lowercase(), value))
            .collect();
        let header = |name: &str| headers.get(name).copied().unwrap_or_default();
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let line = head.lines().next().expect("a line");
        let call = Call {
            line: line.replace(" HTTP/1.1", ""),
            member: local.ip().to_string(),
            content_type: header("content-type").to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let (status, body) = handler(&call);
        if status == 0 {
            return;
        }
        let body = match body {
            Value::String(text) => text,
            value => value.to_string(),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
