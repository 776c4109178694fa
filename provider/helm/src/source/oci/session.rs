//! Requests to a registry, with whatever it wants to see first: a password, or a token in exchange for it.

use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::super::http::{Answer, Extras, basic};
use super::{Error, MAX_JSON, Registry, check};

/// Requests to one registry that share a token.
pub(super) struct Session<'s, 'a> {
    registry: &'s Registry<'a>,
    authorization: Option<HeaderValue>,
}

impl<'s, 'a> Session<'s, 'a> {
    pub(super) const fn new(registry: &'s Registry<'a>) -> Self {
        Self {
            registry,
            authorization: None,
        }
    }

    pub(super) async fn blob(
        &mut self,
        digest: &str,
        limit: usize,
        origin: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, Error> {
        let path = format!("blobs/{digest}");
        let bytes = self.get(&path, "", limit, cancel).await?.success()?;
        check(&bytes, Some(digest), "the manifest", origin)?;
        Ok(bytes)
    }

    pub(super) async fn get(
        &mut self,
        path: &str,
        accept: &str,
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Answer, Error> {
        let registry = self.registry;
        let text = format!("/v2/{}/{path}", registry.name);
        let url = registry
            .base
            .join(&text)
            .map_err(|error| Error::Request(format!("{text}: {error}")))?;
        let known = self.authorization.clone();
        let extras = Extras {
            accept,
            authorization: known.as_ref(),
        };
        let answer = registry.http.get(&url, extras, limit, cancel).await?;
        if answer.status != 401 || self.authorization.is_some() {
            return Ok(answer);
        }
        let Some(challenge) = answer
            .headers
            .get(WWW_AUTHENTICATE)
            .and_then(|value| value.to_str().ok())
        else {
            return Ok(answer);
        };
        self.authorization = self.authorize(challenge, cancel).await?;
        if self.authorization.is_none() {
            return Ok(answer);
        }
        let extras = Extras {
            accept,
            authorization: self.authorization.as_ref(),
        };
        registry.http.get(&url, extras, limit, cancel).await
    }

    /// Answers a challenge: a password directly, or a token in exchange for it.
    async fn authorize(
        &self,
        challenge: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<HeaderValue>, Error> {
        let registry = self.registry;
        let password = registry.credentials.map(basic);
        let Some(parameters) = strip_scheme(challenge, "bearer") else {
            return Ok(password);
        };
        let parameter = |name: &str| parameter(parameters, name);
        let Some(mut realm) = parameter("realm").and_then(|realm| Url::parse(&realm).ok()) else {
            return Ok(None);
        };
        if realm.scheme() != registry.base.scheme() && realm.scheme() != "https" {
            return Ok(None);
        }
        let scope =
            parameter("scope").unwrap_or_else(|| format!("repository:{}:pull", registry.name));
        if let Some(service) = parameter("service") {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        realm.query_pairs_mut().append_pair("scope", &scope);
        // The registry names who gives tokens; a password goes there only if it is the same site.
        let password = password.filter(|_| same_site(&registry.base, &realm));
        let extras = Extras {
            accept: "application/json",
            authorization: password.as_ref(),
        };
        let answer = registry.http.get(&realm, extras, MAX_JSON, cancel).await?;
        let body: Value = serde_json::from_slice(&answer.success()?).unwrap_or_default();
        let token = body["token"]
            .as_str()
            .or_else(|| body["access_token"].as_str());
        Ok(token.and_then(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        }))
    }
}

fn strip_scheme<'c>(challenge: &'c str, scheme: &str) -> Option<&'c str> {
    let (first, rest) = challenge.split_once(' ')?;
    first.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// A parameter of `realm="...",service="..."`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.trim_start().strip_prefix(',').unwrap_or(""))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
}

/// The same host, or hosts of one domain (`registry-1.docker.io` and `auth.docker.io`). Short
/// second labels (`co.uk`) are taken for a registrar's, where neighbours are strangers.
fn same_site(a: &Url, b: &Url) -> bool {
    let site = |url: &Url| {
        let host = url.host_str().unwrap_or_default().to_owned();
        if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
            return host;
        }
        let labels: Vec<&str> = host.rsplit('.').collect();
        let registrar = labels.get(1).is_none_or(|label| label.len() <= 3);
        let count = if registrar { 3 } else { 2 };
        if labels.len() < count {
            return host;
        }
        labels[..count].join(".")
    };
    a.host_str() == b.host_str() || site(a) == site(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text =
            r#"realm="https://auth.example.com/token",service="r, s" , scope="repository:a:pull""#;
        assert_eq!(
            parameter(text, "realm").as_deref(),
            Some("https://auth.example.com/token")
        );
        assert_eq!(parameter(text, "service").as_deref(), Some("r, s"));
        assert_eq!(
            parameter(text, "scope").as_deref(),
            Some("repository:a:pull")
        );
        assert_eq!(parameter(text, "other"), None);
        assert!(strip_scheme("Bearer realm=\"x\"", "bearer").is_some());
    }

    #[test]
    fn passwords_stay_on_their_site() {
        let url = |text: &str| Url::parse(text).expect("an address");
        let docker = url("https://registry-1.docker.io");
        assert!(same_site(&docker, &url("https://auth.docker.io/token")));
        assert!(!same_site(&docker, &url("https://evil.example/token")));
        assert!(!same_site(&url("https://a.co.uk"), &url("https://b.co.uk")));
        assert!(same_site(
            &url("https://r.a.co.uk"),
            &url("https://g.a.co.uk")
        ));
        assert!(!same_site(
            &url("https://10.0.0.1"),
            &url("https://20.0.0.1")
        ));
    }
}
