//! Where the API is.

use std::fmt;

use thiserror::Error;
use url::Url;

/// Why a text is not the address of the API.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Neither `https` nor `http`.
    #[error("scheme {scheme:?} is not spoken by the API; use https")]
    Scheme {
        /// The scheme seen.
        scheme: String,
    },
    /// Not a host with an optional port.
    #[error("API address {address:?} is not HOST or HOST:PORT ({reason})")]
    Address {
        /// The address seen.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The base of every URL: scheme, host, port and the `/api` prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address of the form `HOST`, `HOST:PORT` or `SCHEME://HOST:PORT`; a scheme inside the
    /// address wins over `scheme`. With `api_prefix` every path starts with `/api`, as on the real
    /// platform.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(address: &str, scheme: &str, api_prefix: bool) -> Result<Self, EndpointError> {
        let address = address.trim().trim_end_matches('/');
        let (scheme, host) = address
            .split_once("://")
            .unwrap_or_else(|| (scheme.trim(), address));
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return Err(EndpointError::Scheme { scheme });
        }
        let wrong = |reason: String| EndpointError::Address {
            address: address.to_owned(),
            reason,
        };
        if host.is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        if host.contains(['/', '?', '#', '@']) {
            return Err(wrong("it has more than a host and a port".to_owned()));
        }
        let prefix = if api_prefix { "/api" } else { "" };
        let url = Url::parse(&format!("{scheme}://{host}{prefix}"))
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self(url))
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The URL of a path (`/compute/...`, its segments encoded already) with a query.
    pub(crate) fn url(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        let prefix = self.0.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(address: &str, scheme: &str, prefix: bool) -> Result<String, EndpointError> {
        Endpoint::parse(address, scheme, prefix).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn a_scheme_in_the_address_wins() {
        let shiva = "shiva.cloud-temple.com";
        assert_eq!(
            base(shiva, "https", true),
            Ok(format!("https://{shiva}/api"))
        );
        assert_eq!(
            base("http://127.0.0.1:8080/", "https", true),
            Ok("http://127.0.0.1:8080/api".into())
        );
        assert_eq!(base("[::1]:80", "HTTP", false), Ok("http://[::1]".into()));
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        assert_eq!(
            base("host", "ftp", true),
            Err(EndpointError::Scheme {
                scheme: "ftp".into()
            })
        );
        for address in ["", "host/path", "user@host", "host:port"] {
            let error = base(address, "https", true).expect_err("no address");
            assert!(
                matches!(error, EndpointError::Address { .. }),
                "{address}: {error}"
            );
        }
    }

    #[test]
    fn a_query_is_encoded() {
        let endpoint = Endpoint::parse("h", "https", true).expect("sound");
        let url = endpoint.url("/x/y", &[("types[]", "nfs".into()), ("name", "a b".into())]);
        assert_eq!(url.as_str(), "https://h/api/x/y?types%5B%5D=nfs&name=a+b");
    }
}
