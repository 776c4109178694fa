//! The one place that sends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::json;
use tokio::time::timeout;
use transport::{Backoff, CancellationToken, pause};

use crate::login::Token;
use crate::request::Rules;
use crate::{ActivityId, Class, Client, Error, Handle, Request, decode};

/// After an interrupt, the time for the answer to a write that is already on its way.
const GRACE: Duration = Duration::from_secs(10);
/// The longest rest taken when the platform asks for one.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A success.
pub(crate) struct Reply {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// What came of one attempt.
enum Outcome {
    Answer {
        reply: Reply,
        retry_after: Option<Duration>,
    },
    /// The request surely never left.
    NotSent(String),
    /// The request may have left, and no whole answer came.
    NoAnswer(String),
}

impl Client {
    /// The tenant that the credentials belong to.
    ///
    /// # Errors
    /// As a login.
    pub async fn tenant(&self, cancel: &CancellationToken) -> Result<String, Error> {
        Ok(self.token(cancel).await?.tenant)
    }

    /// Sends a request under the rules of its class and returns the answer when it is a success.
    pub(crate) async fn send(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Reply, Error> {
        if !request.class.rules().writes {
            return self.deliver(request, true, cancel).await;
        }
        let writes = &self.inner().writes;
        writes.fetch_add(1, Ordering::SeqCst);
        let result = self.deliver(request, true, cancel).await;
        writes.fetch_add(1, Ordering::SeqCst);
        result
    }

    /// Sends a write and returns the activity that it started.
    pub(crate) async fn submit(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<ActivityId, Error> {
        let reply = self.send(request, cancel).await?;
        let location = reply.location.unwrap_or_default();
        // A bare identifier is documented; the last segment of a URL would be the same.
        let id = location.trim_end_matches('/').rsplit('/').next();
        match id.filter(|id| !id.is_empty()) {
            Some(id) => {
                tracing::debug!(call = %request.call(), activity = id, "activity started");
                Ok(ActivityId::new(id))
            }
            None => Err(Error::NoActivity {
                call: request.call(),
                status: reply.status,
            }),
        }
    }

    /// Sends a write, waits for its activity, and returns the activity's result.
    pub(crate) async fn carry_out(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<String, Error> {
        let id = self.submit(request, cancel).await?;
        self.wait(&id, request.activity_limit, cancel).await
    }

    /// As [`Self::carry_out`], for writes that make something: the result must name it.
    pub(crate) async fn make(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<String, Error> {
        let id = self.submit(request, cancel).await?;
        let result = self.wait(&id, request.activity_limit, cancel).await?;
        if result.is_empty() {
            return Err(Error::NoResult { id });
        }
        Ok(result)
    }

    async fn deliver(
        &self,
        request: &Request,
        signed: bool,
        cancel: &CancellationToken,
    ) -> Result<Reply, Error> {
        let rules = request.class.rules();
        let inner = self.inner();
        let mut renewed = false;
        let mut failures = 0;
        loop {
            let token = if signed {
                Some(self.token(cancel).await?)
            } else {
                None
            };
            let turn = inner.bucket.take(cancel).await?;
            inner.counter.sent(request, failures > 0);
            let outcome = self.attempt(request, token.as_ref(), rules, cancel).await?;
            drop(turn);
            let error = match outcome {
                Outcome::Answer { reply, .. } if (200..300).contains(&reply.status) => {
                    inner.bucket.speed_up().await;
                    return Ok(reply);
                }
                Outcome::Answer { reply, .. }
                    if reply.status == 401 && !renewed && token.is_some() =>
                {
                    // Refused before it was looked at: a new token, and once more.
                    renewed = true;
                    self.forget(token.as_ref()).await;
                    continue;
                }
                Outcome::Answer { reply, retry_after } if reply.status == 429 => {
                    // A definite refusal, so that a write may be sent again as well.
                    let rest = retry_after.unwrap_or(Duration::from_secs(1));
                    inner.bucket.slow_down(rest.min(LONGEST_REST)).await;
                    refusal(request, &reply)
                }
                Outcome::Answer { reply, .. } if reply.status >= 500 && rules.writes => {
                    let words = decode::message(&reply.body);
                    return Err(lost(request, format!("HTTP {}: {words}", reply.status)));
                }
                Outcome::Answer { reply, .. } if reply.status >= 500 => refusal(request, &reply),
                Outcome::Answer { reply, .. } => return Err(refusal(request, &reply)),
                Outcome::NoAnswer(reason) if rules.writes => return Err(lost(request, reason)),
                Outcome::NoAnswer(reason) | Outcome::NotSent(reason) => Error::Unreachable {
                    call: request.call(),
                    attempts: failures + 1,
                    reason,
                },
            };
            failures += 1;
            if failures >= rules.attempts {
                return Err(error);
            }
            let wait = patience().delay(failures - 1, &inner.jitter);
            tracing::debug!(%error, wait_ms = wait.as_millis() as u64, "again");
            pause(inner.clock.as_ref(), wait, cancel).await?;
        }
    }

    /// One attempt. An interrupt ends a read at once; a write that is on its way is given a little
    /// time for its answer.
    async fn attempt(
        &self,
        request: &Request,
        token: Option<&Token>,
        rules: Rules,
        cancel: &CancellationToken,
    ) -> Result<Outcome, Error> {
        let inner = self.inner();
        let url = inner.endpoint.url(&request.path, &request.query);
        let mut builder = inner.http.request(request.method.clone(), url);
        if let Some(token) = token {
            let value = format!("Bearer {}", token.jwt.expose_secret());
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let start = inner.clock.now();
        let exchange = async {
            match timeout(rules.deadline, exchange(builder)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    Outcome::NoAnswer(format!("no answer within {} s", rules.deadline.as_secs()))
                }
            }
        };
        let interrupted = async {
            cancel.cancelled().await;
            if rules.writes {
                tokio::time::sleep(GRACE).await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = exchange => outcome,
            () = interrupted => {
                return Err(if rules.writes {
                    lost(request, "interrupted".to_owned())
                } else {
                    Error::Cancelled
                });
            }
        };
        let elapsed = inner.clock.now().saturating_duration_since(start);
        let status = match &outcome {
            Outcome::Answer { reply, .. } => reply.status,
            Outcome::NotSent(_) | Outcome::NoAnswer(_) => 0,
        };
        tracing::debug!(
            method = request.method.as_str(),
            path = request.path,
            status,
            elapsed_ms = elapsed.as_millis() as u64,
            "api call"
        );
        Ok(outcome)
    }

    /// The token of this run, bought or renewed under a lock: one login for all who wait.
    async fn token(&self, cancel: &CancellationToken) -> Result<Token, Error> {
        let inner = self.inner();
        let mut kept = transport::or_cancelled(cancel, inner.token.lock()).await?;
        if let Some(token) = kept.as_ref()
            && inner.clock.now() < token.renew_at
        {
            return Ok(token.clone());
        }
        let request =
            Request::post("/iam/v2/auth/personal_access_token", &[], Class::Login).body(json!({
                "id": inner.credentials.id,
                "secret": inner.credentials.secret.expose_secret(),
            }));
        let asked = inner.clock.now();
        let reply = match Box::pin(self.deliver(&request, false, cancel)).await {
            Ok(reply) => reply,
            Err(Error::Status {
                status: status @ (400 | 401),
                message,
                ..
            }) => return Err(Error::Credentials { status, message }),
            Err(Error::Denied { message, .. }) => {
                return Err(Error::Credentials {
                    status: 403,
                    message,
                });
            }
            Err(error) => return Err(error),
        };
        let token = Token::read(&reply.body, asked, inner.clock.wall())?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that was refused, unless another caller has a newer one already.
    async fn forget(&self, refused: Option<&Token>) {
        let mut kept = self.inner().token.lock().await;
        let same = |kept: &Token| {
            refused.is_some_and(|token| token.jwt.expose_secret() == kept.jwt.expose_secret())
        };
        if kept.as_ref().is_some_and(same) {
            *kept = None;
        }
    }
}

async fn exchange(builder: reqwest::RequestBuilder) -> Outcome {
    let response = match builder.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Outcome::NotSent(words(error));
        }
        Err(error) => return Outcome::NoAnswer(words(error)),
    };
    let status = response.status().as_u16();
    let header = |name| {
        response
            .headers()
            .get(name)?
            .to_str()
            .ok()
            .map(str::to_owned)
    };
    let location = header(LOCATION);
    let retry_after = header(RETRY_AFTER)
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    match response.bytes().await {
        Ok(body) => Outcome::Answer {
            reply: Reply {
                status,
                location,
                body: body.into(),
            },
            retry_after,
        },
        // The status and its headers say what happened to a write; only a body is lost.
        Err(_) if location.is_some() => Outcome::Answer {
            reply: Reply {
                status,
                location,
                body: Vec::new(),
            },
            retry_after,
        },
        Err(error) => Outcome::NoAnswer(words(error)),
    }
}

/// The whole chain of causes in one line, without the URL.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}

fn lost(request: &Request, reason: String) -> Error {
    let find_by = match &request.class {
        Class::Create { find_by } => find_by.clone(),
        Class::Read
        | Class::SlowRead
        | Class::Poll
        | Class::Update
        | Class::Delete
        | Class::Login => Handle::Read,
    };
    Error::AnswerLost {
        call: request.call(),
        find_by,
        reason,
    }
}

fn refusal(request: &Request, reply: &Reply) -> Error {
    let message = decode::message(&reply.body);
    if reply.status == 403 {
        return Error::Denied {
            call: request.call(),
            right: request.right,
            message,
        };
    }
    Error::Status {
        call: request.call(),
        status: reply.status,
        message,
    }
}

fn patience() -> Backoff {
    let (first, cap) = (Duration::from_millis(500), Duration::from_secs(5));
    Backoff::new(first, cap, 2.0, 0.2).expect("the constants are sound")
}
