//! Who may read: below `private/` whoever knows the password, or has a token for it; below `strangers/` whoever sends none.

use base64::Engine as _;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use crate::http::{Request, json, raw};

/// The user of everything below `private/`.
pub const CHARTS_USER: &str = "suite";
/// The password of that user.
pub const CHARTS_PASSWORD: &str = "a-password-of-the-chart-repository";
/// What the registry gives for the password.
const TOKEN: &str = "a-token-of-the-chart-registry";

/// The answer to whoever may not, and to whoever asks for a token.
pub(super) fn check(request: &Request) -> Option<Response<Full<Bytes>>> {
    let header = |name: &str| {
        let value = request.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let given = header("authorization");
    let password = base64::engine::general_purpose::STANDARD
        .encode(format!("{CHARTS_USER}:{CHARTS_PASSWORD}"));
    let knows = given.as_deref() == Some(format!("Basic {password}").as_str());
    let path = request.path.trim_start_matches('/');
    if path == "token" {
        return Some(if knows {
            json(200, &json!({"token": TOKEN}))
        } else {
            json(401, &json!({"details": "who are you?"}))
        });
    }
    if path.starts_with("strangers/") && given.is_some() {
        let told = "a password came along that is none of this host's business";
        return Some(raw(400, "text/plain", told.into()));
    }
    if path.starts_with("private/") && !knows {
        return Some(challenge("Basic realm=\"charts\""));
    }
    let has_token = given.as_deref() == Some(format!("Bearer {TOKEN}").as_str());
    if path.starts_with("v2/private/") && !has_token {
        let host = header("host").unwrap_or_default();
        let words = format!("Bearer realm=\"http://{host}/token\",service=\"sandbox\"");
        return Some(challenge(&words));
    }
    None
}

fn challenge(words: &str) -> Response<Full<Bytes>> {
    let mut answer = json(
        401,
        &json!({"errors": [{"code": "UNAUTHORIZED", "message": "a password is needed"}]}),
    );
    if let Ok(value) = words.parse() {
        answer.headers_mut().insert("www-authenticate", value);
    }
    answer
}
