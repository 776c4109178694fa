//! Sending: which member, which certificate, what is repeated.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt as _};
use helm::{ClusterError, Discovery};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use tokio::sync::Mutex;
use transport::{
    Backoff, CancellationToken, Connector, Jitter, Rounds, SharedClock, chain, or_cancelled, pause,
};

use crate::{Error, Node, Settings, status};

/// A member that does not accept a connection within this time is passed over.
const CONNECT: Duration = Duration::from_secs(5);
/// The next member is tried beside the first after this time.
const STAGGER: Duration = Duration::from_millis(250);
/// A certificate is minted anew this long before it ends.
const RESERVE: Duration = Duration::from_mins(1);
/// After an interrupt, the time for the answer to a write that is already on its way.
const GRACE: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(30);
const WRITE: Duration = Duration::from_mins(1);
const ATTEMPTS: u32 = 4;

type Https = Pool<Connector, Full<Bytes>>;

/// The client of one cluster. Cheap to clone; clones share connections, discovery and polls.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    settings: Settings,
    pub(crate) clock: SharedClock,
    jitter: Jitter,
    pool: Mutex<Option<Minted>>,
    /// The member that answered last.
    member: Mutex<Option<usize>>,
    pub(crate) discovery: Mutex<Option<Arc<Discovery>>>,
    pub(crate) nodes: Rounds<Arc<Vec<Node>>>,
    pub(crate) kept_nodes: Mutex<Option<crate::node::Kept>>,
    /// Counts the beginning and the end of every write.
    pub(crate) writes: AtomicU64,
    calls: AtomicU64,
}

struct Minted {
    pool: Https,
    not_after: SystemTime,
}

/// One call that has not been made yet.
pub(crate) struct Ask {
    pub method: Method,
    /// Path and query, encoded.
    pub path: String,
    pub body: Option<Vec<u8>>,
    pub content_type: &'static str,
    pub accept: &'static str,
    /// The API's word for it, for messages.
    pub verb: &'static str,
    /// What it is about, for messages.
    pub target: String,
    /// Whether it changes something: such a call is sent once.
    pub writes: bool,
    /// Whether the server stores nothing of it.
    pub dry_run: bool,
    /// Whether 429 is an answer for the caller and not a request for patience.
    pub takes_429: bool,
}

impl Ask {
    pub(crate) fn read(verb: &'static str, path: String, target: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            content_type: "application/json",
            accept: "application/json",
            verb,
            target: target.into(),
            writes: false,
            dry_run: false,
            takes_429: false,
        }
    }

    pub(crate) fn write(
        verb: &'static str,
        method: Method,
        path: String,
        body: &Value,
        target: impl Into<String>,
    ) -> Self {
        Self {
            method,
            body: Some(body.to_string().into_bytes()),
            writes: true,
            ..Self::read(verb, path, target)
        }
    }

    /// The server stores nothing: what was read before stays true.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    pub(crate) fn content(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }
}

/// An answer of the API server, whatever its status.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
}

impl Answer {
    pub(crate) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    pub(crate) fn json(&self, ask: &Ask) -> Result<Value, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|error| ClusterError::Unreachable {
            verb: ask.verb,
            target: ask.target.clone(),
            source: Box::new(error),
        })
    }
}

/// What came of one attempt.
enum Outcome {
    Answer(Answer, Option<Duration>),
    /// The request surely never left.
    NotSent(String),
    /// The request may have left, and no whole answer came.
    NoAnswer(String),
}

impl Client {
    /// A client that has not dialled yet.
    ///
    /// # Errors
    /// [`Error::NoMembers`] for an empty list of addresses.
    pub fn new(settings: Settings, clock: SharedClock) -> Result<Self, Error> {
        if settings.members.is_empty() {
            return Err(Error::NoMembers);
        }
        Ok(Self(Arc::new(Inner {
            settings,
            jitter: Jitter::random(),
            pool: Mutex::new(None),
            member: Mutex::new(None),
            discovery: Mutex::new(None),
            nodes: Rounds::new(Arc::clone(&clock)),
            kept_nodes: Mutex::new(None),
            writes: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            clock,
        })))
    }

    /// The calls sent so far, each attempt counted.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Sends a call. Reads are repeated after passing faults, on another member where there is one;
    /// a write is sent again only when it surely never left or was turned away (429).
    pub(crate) async fn send(
        &self,
        ask: &Ask,
        cancel: &CancellationToken,
    ) -> Result<Answer, ClusterError> {
        if !ask.writes || ask.dry_run {
            return self.deliver(ask, cancel).await;
        }
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        let result = self.deliver(ask, cancel).await;
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        result
    }

    /// As [`Self::send`]; an answer that is not a success becomes the error it stands for.
    pub(crate) async fn ask(
        &self,
        ask: &Ask,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let answer = self.send(ask, cancel).await?;
        if answer.is_success() {
            return answer.json(ask);
        }
        Err(status::error(ask, &answer, None))
    }

    async fn deliver(&self, ask: &Ask, cancel: &CancellationToken) -> Result<Answer, ClusterError> {
        let unreachable = |reason: String| ClusterError::Unreachable {
            verb: ask.verb,
            target: ask.target.clone(),
            source: Box::new(io::Error::other(reason)),
        };
        let mut tried = BTreeSet::new();
        let mut failures = 0;
        loop {
            let member = or_cancelled(cancel, self.member(&tried))
                .await
                .map_err(|_| ClusterError::Cancelled)?
                .map_err(unreachable)?;
            let pool = self
                .pool()
                .await
                .map_err(|error| ClusterError::Unreachable {
                    verb: ask.verb,
                    target: ask.target.clone(),
                    source: Box::new(error),
                })?;
            let outcome = self.attempt(ask, &pool, member, cancel).await?;
            let mut rest = None;
            let last = match outcome {
                Outcome::Answer(answer, retry_after) => {
                    let busy = answer.status == 429 && !ask.takes_429;
                    let broken = answer.status >= 500 && !ask.writes;
                    if !busy && !broken {
                        return Ok(answer);
                    }
                    if failures + 1 >= ATTEMPTS {
                        return Ok(answer);
                    }
                    rest = retry_after;
                    format!("HTTP {}", answer.status)
                }
                Outcome::NotSent(reason) => {
                    // Another member may accept what this one did not.
                    tried.insert(member);
                    if tried.len() >= self.0.settings.members.len() {
                        return Err(unreachable(reason));
                    }
                    self.leave(member).await;
                    continue;
                }
                Outcome::NoAnswer(reason) if ask.writes => return Err(unreachable(reason)),
                Outcome::NoAnswer(reason) => reason,
            };
            self.leave(member).await;
            failures += 1;
            if failures >= ATTEMPTS {
                return Err(unreachable(last));
            }
            let wait = patience().delay(failures - 1, &self.0.jitter);
            let wait = rest.map_or(wait, |rest| wait.max(rest.min(CONNECT)));
            tracing::debug!(verb = ask.verb, target = ask.target, last, "again");
            pause(self.0.clock.as_ref(), wait, cancel)
                .await
                .map_err(|_| ClusterError::Cancelled)?;
        }
    }

    /// The member to ask: the one that answered last, else the first that accepts a connection.
    async fn member(&self, tried: &BTreeSet<usize>) -> Result<usize, String> {
        let mut kept = self.0.member.lock().await;
        if let Some(member) = kept.filter(|member| !tried.contains(member)) {
            return Ok(member);
        }
        let settings = &self.0.settings;
        let dialer = settings.dialer.clone().connect_within(CONNECT);
        let never = CancellationToken::new();
        let mut dials: FuturesUnordered<_> = settings
            .members
            .iter()
            .enumerate()
            .filter(|(index, _)| !tried.contains(index))
            .enumerate()
            .map(|(turn, (index, host))| {
                let (dialer, never) = (&dialer, &never);
                async move {
                    tokio::time::sleep(STAGGER * u32::try_from(turn).unwrap_or(u32::MAX)).await;
                    let dialled = dialer.dial(host, settings.port, never).await;
                    (index, dialled.map(drop))
                }
            })
            .collect();
        let mut reasons = Vec::new();
        while let Some((index, dialled)) = dials.next().await {
            match dialled {
                Ok(()) => {
                    *kept = Some(index);
                    return Ok(index);
                }
                Err(error) => reasons.push(chain(&error)),
            }
        }
        reasons.sort();
        Err(reasons.join("; "))
    }

    /// Does not start with this member the next time.
    async fn leave(&self, member: usize) {
        let mut kept = self.0.member.lock().await;
        if *kept == Some(member) {
            *kept = None;
        }
    }

    /// Connections under a certificate that is still good for a while.
    async fn pool(&self) -> Result<Https, Error> {
        let mut kept = self.0.pool.lock().await;
        let now = self.0.clock.wall();
        if let Some(minted) = kept.as_ref()
            && now + RESERVE < minted.not_after
        {
            return Ok(minted.pool.clone());
        }
        let settings = &self.0.settings;
        let identity = (settings.mint)().map_err(Error::Mint)?;
        let alpn: [&[u8]; 2] = [b"h2", b"http/1.1"];
        let config = settings
            .trust
            .client_config(Some((identity.chain, identity.key)), &alpn)?;
        let dialer = settings.dialer.clone().connect_within(CONNECT);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(Connector::tls(dialer, Arc::new(config)));
        *kept = Some(Minted {
            pool: pool.clone(),
            not_after: identity.not_after,
        });
        Ok(pool)
    }

    async fn attempt(
        &self,
        ask: &Ask,
        pool: &Https,
        member: usize,
        cancel: &CancellationToken,
    ) -> Result<Outcome, ClusterError> {
        let settings = &self.0.settings;
        let host = &settings.members[member];
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let mut builder = Request::builder()
            .method(ask.method.clone())
            .uri(format!("https://{host}:{}{}", settings.port, ask.path))
            .header(USER_AGENT, &settings.user_agent)
            .header(ACCEPT, ask.accept);
        if ask.body.is_some() {
            builder = builder.header(CONTENT_TYPE, ask.content_type);
        }
        let body = Full::new(Bytes::from(ask.body.clone().unwrap_or_default()));
        let request = match builder.body(body) {
            Ok(request) => request,
            Err(error) => return Ok(Outcome::NotSent(error.to_string())),
        };
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let limit = if ask.writes { WRITE } else { READ };
        let start = self.0.clock.now();
        let work = async {
            match tokio::time::timeout(limit, exchange(pool, request)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::NoAnswer(format!("no answer within {} s", limit.as_secs())),
            }
        };
        let interrupted = async {
            cancel.cancelled().await;
            if ask.writes {
                tokio::time::sleep(GRACE).await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = interrupted => return Err(ClusterError::Cancelled),
        };
        let elapsed = self.0.clock.now().saturating_duration_since(start);
        let status = match &outcome {
            Outcome::Answer(answer, _) => answer.status,
            Outcome::NotSent(_) | Outcome::NoAnswer(_) => 0,
        };
        tracing::debug!(
            verb = ask.verb,
            target = ask.target,
            host,
            status,
            elapsed_ms = elapsed.as_millis() as u64,
            "kubernetes call"
        );
        Ok(outcome)
    }
}

async fn exchange(pool: &Https, request: Request<Full<Bytes>>) -> Outcome {
    let response = match pool.request(request).await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Outcome::NotSent(chain(&error)),
        Err(error) => return Outcome::NoAnswer(chain(&error)),
    };
    let status = response.status().as_u16();
    let rest = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    match response.into_body().collect().await {
        Ok(body) => Outcome::Answer(
            Answer {
                status,
                body: body.to_bytes(),
            },
            rest,
        ),
        Err(error) => Outcome::NoAnswer(chain(&error)),
    }
}

fn patience() -> Backoff {
    let (first, cap) = (Duration::from_millis(250), Duration::from_secs(2));
    Backoff::new(first, cap, 2.0, 0.2).expect("the constants are sound")
}
