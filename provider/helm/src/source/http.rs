//! One GET: bounded in time and size, redirects followed by hand so that credentials stay home.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use tokio_util::sync::CancellationToken;
use transport::{SharedClock, or_cancelled, pause, within};
use url::Url;

use super::{Credentials, Error};

/// Helm's own limit for a download.
const TIMEOUT: Duration = Duration::from_mins(2);
/// Redirects of one request.
const HOPS: usize = 5;
/// Reads may be repeated.
const ATTEMPTS: u32 = 3;

#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    clock: SharedClock,
    timeout: Duration,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where it came from in the end.
    pub(super) url: Url,
}

/// What goes along with a request.
#[derive(Clone, Copy, Default)]
pub(super) struct Extras<'a> {
    pub(super) accept: &'a str,
    /// The value of `Authorization`; for the first host only.
    pub(super) authorization: Option<&'a HeaderValue>,
}

impl Http {
    /// The time of day.
    pub(super) fn wall_clock(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.clock.wall()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    pub(super) fn new(client: reqwest::Client, clock: SharedClock) -> Self {
        Self {
            client,
            clock,
            timeout: TIMEOUT,
        }
    }

    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The body of a successful answer.
    pub(super) async fn read(
        &self,
        url: &Url,
        credentials: Option<&Credentials>,
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, Error> {
        let authorization = credentials.map(basic);
        let extras = Extras {
            authorization: authorization.as_ref(),
            ..Extras::default()
        };
        let answer = self.get(url, extras, limit, cancel).await?;
        answer.success()
    }

    /// Any answer; trouble on the way and answers of an overloaded server are tried again.
    pub(super) async fn get(
        &self,
        url: &Url,
        extras: Extras<'_>,
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Answer, Error> {
        let mut attempt = 1;
        loop {
            let once = within(&*self.clock, self.timeout, self.once(url, extras, limit));
            let outcome = or_cancelled(cancel, once)
                .await
                .map_err(|_| Error::Cancelled)?
                .unwrap_or_else(|| {
                    Err(Error::Answer {
                        url: url.to_string(),
                        reason: format!("no complete answer within {}s", self.timeout.as_secs()),
                    })
                });
            let again = match &outcome {
                Ok(answer) => matches!(answer.status, 429 | 500 | 502 | 503 | 504),
                Err(Error::Unreachable { .. }) => true,
                Err(_) => false,
            };
            if !again || attempt == ATTEMPTS {
                return outcome;
            }
            let nap = Duration::from_millis(200) * 4_u32.pow(attempt - 1);
            pause(&*self.clock, nap, cancel)
                .await
                .map_err(|_| Error::Cancelled)?;
            attempt += 1;
        }
    }

    async fn once(&self, url: &Url, extras: Extras<'_>, limit: usize) -> Result<Answer, Error> {
        let mut target = url.clone();
        for _ in 0..=HOPS {
            let unreachable = |source: reqwest::Error| Error::Unreachable {
                url: plain(&target),
                source: Box::new(source.without_url()),
            };
            let mut request = self.client.get(target.clone());
            if !extras.accept.is_empty() {
                request = request.header(ACCEPT, extras.accept);
            }
            if let Some(value) = extras.authorization
                && target.origin() == url.origin()
            {
                request = request.header(AUTHORIZATION, value);
            }
            let mut response = request.send().await.map_err(unreachable)?;
            if response.status().is_redirection()
                && let Some(location) = response.headers().get(LOCATION)
            {
                target = redirect(&target, location)?;
                continue;
            }
            let answer = |reason: String| Error::Answer {
                url: plain(&target),
                reason,
            };
            let declared = response.content_length().unwrap_or(0);
            if declared > limit as u64 {
                return Err(answer(format!("{declared} bytes are more than {limit}")));
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
                if body.len() + chunk.len() > limit {
                    return Err(answer(format!("more than {limit} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            return Ok(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body,
                url: target,
            });
        }
        Err(Error::Answer {
            url: url.to_string(),
            reason: format!("more than {HOPS} redirects"),
        })
    }
}

impl Answer {
    /// The body, or why there is none.
    pub(super) fn success(self) -> Result<Vec<u8>, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(Error::Status {
            url: plain(&self.url),
            status: self.status,
            hint: match self.status {
                401 | 403 => "; check the repository's user name and password",
                404 => "; check the repository's address, the chart's name and version",
                _ => "",
            },
        })
    }
}

/// Without query: signed addresses carry secrets there.
fn plain(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn redirect(from: &Url, location: &HeaderValue) -> Result<Url, Error> {
    let refuse = |reason: String| Error::Answer {
        url: plain(from),
        reason,
    };
    let text = location
        .to_str()
        .map_err(|_| refuse("it redirects to no address".into()))?;
    let target = from
        .join(text)
        .map_err(|error| refuse(format!("it redirects to no address: {error}")))?;
    match (from.scheme(), target.scheme()) {
        (_, "https") | ("http", "http") => Ok(target),
        (_, other) => Err(refuse(format!(
            "it redirects from {} to {other}, which is not followed",
            from.scheme()
        ))),
    }
}

/// The `Authorization` of a user name and password.
pub(super) fn basic(credentials: &Credentials) -> HeaderValue {
    use base64::Engine as _;
    let text = format!(
        "{}:{}",
        credentials.username,
        credentials.password.expose_secret()
    );
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_never_leave_encryption() {
        let secure = Url::parse("https://a/x").expect("an address");
        let go = |from: &Url, to: &'static str| redirect(from, &HeaderValue::from_static(to));
        assert!(go(&secure, "http://a/x").is_err());
        assert!(go(&secure, "file:///x").is_err());
        assert_eq!(go(&secure, "/y").expect("a path").as_str(), "https://a/y");
        let open = Url::parse("http://a/x").expect("an address");
        assert!(go(&open, "http://b/x").is_ok());
    }
}
