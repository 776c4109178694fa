//! Credentials and the token they buy.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secret::SecretString;
use serde_json::Value;

use crate::Error;

/// A personal access token of the platform: a client identifier and its secret.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

impl Credentials {
    /// Takes over both halves; the secret enters the scrub registry.
    pub fn new(id: impl Into<String>, secret: SecretString) -> Self {
        secret::register(secret.expose_secret());
        Self {
            id: id.into(),
            secret,
        }
    }
}

/// A token and what its claims say.
#[derive(Clone)]
pub(crate) struct Token {
    pub jwt: SecretString,
    /// `scope.id`: the tenant.
    pub tenant: String,
    /// From this moment on a new one is fetched.
    pub renew_at: Instant,
}

impl Token {
    /// Reads the body of a login: the bare text of a JWT. The signature is the platform's own
    /// affair; only the claims matter here.
    pub(crate) fn read(body: &[u8], now: Instant, wall: SystemTime) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Token {
            reason: reason.to_owned(),
        };
        let text = std::str::from_utf8(body).map_err(|_| wrong("it is not text"))?;
        let jwt = text.trim().trim_matches('"');
        secret::register(jwt);
        let mut parts = jwt.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it has not three parts"));
        };
        let claims = URL_SAFE_NO_PAD
            .decode(claims.trim_end_matches('='))
            .map_err(|_| wrong("its claims are not base64"))?;
        let claims: Value =
            serde_json::from_slice(&claims).map_err(|_| wrong("its claims are not JSON"))?;
        let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
        let expires = seconds("exp").ok_or_else(|| wrong("it has no expiry"))?;
        // Between the platform's own two times no clock difference matters.
        let issued = seconds("iat").unwrap_or_else(|| {
            wall.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64()
        });
        let life = (expires - issued).clamp(0.0, 86_400.0);
        let reserve = (life * 0.2).clamp(30.0, 60.0);
        let tenant = claims.pointer("/scope/id").and_then(Value::as_str);
        Ok(Self {
            jwt: SecretString::new(jwt),
            tenant: tenant
                .ok_or_else(|| wrong("it names no tenant"))?
                .to_owned(),
            renew_at: now + Duration::from_secs_f64((life - reserve).max(0.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renewed_after(claims: &str) -> Result<(u64, String), Error> {
        let body = format!("h.{}.s\n", URL_SAFE_NO_PAD.encode(claims));
        let now = Instant::now();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let token = Token::read(body.as_bytes(), now, wall)?;
        Ok(((token.renew_at - now).as_secs(), token.tenant))
    }

    #[test]
    fn renewal_leaves_a_fifth_but_no_more_than_a_minute() {
        let read = |claims| renewed_after(claims).expect("a token");
        let five_minutes = r#"{"iat":9000,"exp":9300,"scope":{"id":"t-1"}}"#;
        assert_eq!(read(five_minutes), (240, "t-1".into()));
        let half_an_hour = r#"{"iat":9000,"exp":10800,"scope":{"id":"t-1"}}"#;
        assert_eq!(read(half_an_hour).0, 1740);
        let one_minute = r#"{"iat":9000,"exp":9060,"scope":{"id":"t-1"}}"#;
        assert_eq!(read(one_minute).0, 30);
        let without_issue = r#"{"exp":1300,"scope":{"id":"t-1"}}"#;
        assert_eq!(read(without_issue).0, 240);
        let past = r#"{"iat":9000,"exp":8000,"scope":{"id":"t-1"}}"#;
        assert_eq!(read(past).0, 0);
    }

    #[test]
    fn what_is_not_a_token_is_told_without_its_text() {
        for (body, reason) in [
            ("<html>", "it has not three parts"),
            ("a.!.c", "its claims are not base64"),
            ("a.e30.c", "it has no expiry"),
        ] {
            let error = Token::read(body.as_bytes(), Instant::now(), SystemTime::now());
            let error = error.err().expect("no token").to_string();
            assert!(error.ends_with(reason), "{error}");
        }
    }
}
