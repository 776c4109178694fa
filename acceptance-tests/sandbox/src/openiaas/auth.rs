//! Tokens and rate limits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::model::now;
use super::{Refusal, Reply, Result, body};
use crate::http::Request;
use crate::world::World;

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    id: String,
    #[serde(default)]
    secret: String,
}

/// Answers a login with the bare text of a token.
pub fn login(world: &World, request: &Request) -> Result<Reply> {
    let login: Login = body(request)?;
    let config = &world.config;
    let cloud = world.cloud();
    let configured = login.id == config.client_id && login.secret == config.client_secret;
    let made = cloud
        .access_tokens
        .get(&login.id)
        .is_some_and(|token| token.secret == login.secret && token.expires > now());
    if !configured && !made {
        return Err(Refusal::new(401, "Unauthorized"));
    }
    let issued = now() / 1000;
    let payload = json!({
        "userId": cloud.user, "companyId": cloud.company, "scope": {"id": cloud.tenant}, "iat": issued,
        "exp": issued + world.behaviour().token_lifetime as i64,
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string()),
        URL_SAFE_NO_PAD.encode(payload.to_string())
    );
    let token = format!("{signed}.{}", seal(world, &signed));
    Ok(crate::http::raw(
        200,
        "text/html; charset=utf-8",
        token.into(),
    ))
}

/// A third part that only this sandbox can make. It need not be a real signature: no client may check it.
fn seal(world: &World, signed: &str) -> String {
    let hash = Sha256::new()
        .chain_update(&world.config.client_secret)
        .chain_update([0])
        .chain_update(signed)
        .finalize();
    URL_SAFE_NO_PAD.encode(hash)
}

/// Refuses a call without a valid token.
pub fn check(world: &World, request: &Request) -> Result<()> {
    let refuse = || Refusal::new(401, "Unauthorized");
    let header = request
        .headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = header
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(refuse)?;
    let (signed, signature) = token.rsplit_once('.').ok_or_else(refuse)?;
    if seal(world, signed) != signature {
        return Err(refuse());
    }
    let payload = signed
        .split_once('.')
        .map(|(_, payload)| payload)
        .ok_or_else(refuse)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refuse())?;
    let payload: Value = serde_json::from_slice(&payload).map_err(|_| refuse())?;
    if payload["exp"]
        .as_i64()
        .is_none_or(|expiry| expiry * 1000 <= now())
    {
        return Err(refuse());
    }
    Ok(())
}

/// Calls of the running second, by source and kind.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<BTreeMap<(IpAddr, bool), (i64, u32)>>);

impl Limiter {
    /// Counts a call, and refuses it when the second is full.
    pub fn admit(&self, world: &World, peer: IpAddr, is_login: bool) -> Result<()> {
        let behaviour = world.behaviour();
        let limit = if is_login {
            behaviour.auth_rate_limit
        } else {
            behaviour.rate_limit
        };
        if limit == 0 {
            return Ok(());
        }
        let second = now() / 1000;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry((peer, is_login)).or_insert((second, 0));
        if entry.0 != second {
            *entry = (second, 0);
        }
        if entry.1 >= limit {
            let mut refusal = Refusal::new(429, "Too Many Requests");
            refusal.headers.push(("Retry-After", "1".into()));
            return Err(refusal);
        }
        entry.1 += 1;
        Ok(())
    }
}
