//! What the caller says in environment variables.

use std::env;

/// The value that shows a go-plugin host speaking terraform's dialect.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The caller's side of the handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// Whether terraform or OpenTofu started the process.
    pub started_by_host: bool,
    /// The caller's one-time certificate; none means no TLS.
    pub client_certificate: Option<String>,
    /// The first and last port that TCP may use; zeros for any.
    pub ports: (u16, u16),
    /// Where the socket is to be; none for the system's temporary directory.
    pub socket_dir: Option<String>,
    /// The group that may use the socket.
    pub socket_group: Option<String>,
    /// Whether the caller asks if several servers can share a connection.
    pub asks_multiplexing: bool,
}

impl Environment {
    pub fn read() -> Self {
        Self::from(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let port = |name: &str| get(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        // PLUGIN_PROTOCOL_VERSIONS is not looked at: only 6 is spoken, and core names the mismatch best.
        Self {
            started_by_host: get("TF_PLUGIN_MAGIC_COOKIE").as_deref() == Some(COOKIE),
            client_certificate: get("PLUGIN_CLIENT_CERT"),
            ports: (port("PLUGIN_MIN_PORT"), port("PLUGIN_MAX_PORT")),
            socket_dir: get("PLUGIN_UNIX_SOCKET_DIR"),
            socket_group: get("PLUGIN_UNIX_SOCKET_GROUP"),
            asks_multiplexing: get("PLUGIN_MULTIPLEX_GRPC").is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_is_told_by_its_cookie() {
        let with = |cookie: &str| {
            let cookie = cookie.to_owned();
            Environment::from(move |name| {
                (name == "TF_PLUGIN_MAGIC_COOKIE").then(|| cookie.clone())
            })
        };
        assert!(with(COOKIE).started_by_host);
        assert!(!with("other").started_by_host);
        assert!(!Environment::from(|_| None).started_by_host);
    }
}
