//! The address of a proxy.

use secret::SecretString;
use thiserror::Error;
use url::Url;

/// Why a text is not the address of a proxy. It never repeats a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// Not a URL at all.
    #[error(
        "the proxy address is not a URL ({reason}); write http://HOST:PORT or socks5://HOST:PORT"
    )]
    NotAUrl {
        /// The parser's words.
        reason: String,
    },
    /// A scheme that is not spoken here.
    #[error("proxy scheme {scheme:?} is not known; use http:// (CONNECT), socks5:// or socks5h://")]
    Scheme {
        /// The scheme seen.
        scheme: String,
    },
    /// No host.
    #[error("the proxy address names no host; write http://HOST:PORT or socks5://HOST:PORT")]
    NoHost,
    /// A path, query or fragment, which a proxy does not have.
    #[error("the proxy address has a path or query; write http://HOST:PORT or socks5://HOST:PORT")]
    Path,
    /// A name or password for SOCKS5 outside 1 to 255 bytes (RFC 1929).
    #[error("name and password of a SOCKS5 proxy are 1 to 255 bytes each")]
    Credentials,
}

/// How to speak to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Socks5,
}

/// A proxy: HTTP CONNECT (`http://`) or SOCKS5 (`socks5://`, `socks5h://`), with an optional name
/// and password. Names are always resolved by the proxy: it stands where they mean something.
#[derive(Clone)]
pub struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<(String, SecretString)>,
}

impl Proxy {
    /// Reads a proxy URL. The default port is 8080 for HTTP and 1080 for SOCKS5.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text.trim()).map_err(|error| ProxyError::NotAUrl {
            reason: error.to_string(),
        })?;
        let (kind, port) = match url.scheme() {
            "http" => (Kind::Connect, 8080),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            scheme => {
                return Err(ProxyError::Scheme {
                    scheme: scheme.to_owned(),
                });
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(ProxyError::NoHost)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        let login = match (decode(url.username()), url.password().map(decode)) {
            (name, None) if name.is_empty() => None,
            (name, password) => {
                let password = password.unwrap_or_default();
                secret::register(&password);
                Some((name, SecretString::new(password)))
            }
        };
        if let (Kind::Socks5, Some((name, password))) = (kind, &login) {
            let sound = |text: &str| (1..=255).contains(&text.len());
            if !sound(name) || !sound(password.expose_secret()) {
                return Err(ProxyError::Credentials);
            }
        }
        Ok(Self {
            kind,
            // The URL type writes IPv6 addresses in brackets, the resolver wants none.
            host: host.trim_matches(['[', ']']).to_owned(),
            // For http the URL type drops a port 80 that was written, which is its default.
            port: url
                .port()
                .unwrap_or(if text.trim().trim_end_matches('/').ends_with(":80") {
                    80
                } else {
                    port
                }),
            login,
        })
    }

    pub(crate) fn for_reqwest(&self) -> reqwest::Result<reqwest::Proxy> {
        let scheme = match self.kind {
            Kind::Connect => "http",
            // The h: names are resolved by the proxy.
            Kind::Socks5 => "socks5h",
        };
        let proxy =
            reqwest::Proxy::all(format!("{scheme}://{}", authority(&self.host, self.port)))?;
        Ok(match &self.login {
            None => proxy,
            Some((name, password)) => proxy.basic_auth(name, password.expose_secret()),
        })
    }

    /// The address without credentials, for messages.
    pub fn address(&self) -> String {
        let scheme = match self.kind {
            Kind::Connect => "http",
            Kind::Socks5 => "socks5",
        };
        format!("{scheme}://{}", authority(&self.host, self.port))
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let ahead = rest.clone();
            let digits: Vec<u8> = ahead.take(2).collect();
            let value = std::str::from_utf8(&digits)
                .ok()
                .filter(|digits| digits.len() == 2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            if let Some(value) = value {
                bytes.push(value);
                rest.nth(1);
                continue;
            }
        }
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<String, ProxyError> {
        Proxy::parse(text).map(|proxy| proxy.address())
    }

    #[test]
    fn addresses_are_read_with_their_default_ports() {
        assert_eq!(
            address("http://bastion:3128"),
            Ok("http://bastion:3128".into())
        );
        assert_eq!(address("http://bastion"), Ok("http://bastion:8080".into()));
        assert_eq!(
            address("http://bastion:80/"),
            Ok("http://bastion:80".into())
        );
        assert_eq!(address("socks5://[::1]"), Ok("socks5://[::1]:1080".into()));
        assert_eq!(
            address("socks5h://10.0.0.9:9"),
            Ok("socks5://10.0.0.9:9".into())
        );
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let proxy = Proxy::parse("http://ann%40x:p%3Aw%25rd-long@bastion:1").expect("sound");
        let (name, password) = proxy.login.clone().expect("a login");
        assert_eq!(
            (name.as_str(), password.expose_secret()),
            ("ann@x", "p:w%rd-long")
        );
        assert_eq!(proxy.address(), "http://bastion:1");
    }

    #[test]
    fn what_is_not_a_proxy_is_refused() {
        assert_eq!(
            address("https://bastion"),
            Err(ProxyError::Scheme {
                scheme: "https".into()
            })
        );
        assert!(matches!(
            address("bastion"),
            Err(ProxyError::NotAUrl { .. })
        ));
        assert!(matches!(
            address("bastion:3128"),
            Err(ProxyError::Scheme { .. })
        ));
        assert_eq!(address("http://bastion/x"), Err(ProxyError::Path));
        assert_eq!(
            address("socks5://ann@bastion"),
            Err(ProxyError::Credentials)
        );
    }
}
