//! The HTTP client of the public APIs: the cloud's and the chart repositories'.

use std::time::Duration;

use thiserror::Error;

use crate::{Dialer, Trust, TrustError};

/// Why there is no HTTP client.
#[derive(Debug, Error)]
pub enum HttpClientError {
    /// The trust roots cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The HTTP library refused the settings.
    #[error("the HTTP client refused its settings")]
    Settings(#[from] reqwest::Error),
}

/// An HTTP client under `trust`, through the proxy of `dialer` when it has one. It never looks at
/// the environment, follows no redirect, and sets no deadline of its own: the caller's class of
/// operation does.
///
/// # Errors
/// [`HttpClientError`].
pub fn http_client(
    trust: &Trust,
    dialer: &Dialer,
    user_agent: &str,
) -> Result<reqwest::Client, HttpClientError> {
    let tls = trust.client_config(None, &[b"h2", b"http/1.1"])?;
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(dialer.limit())
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true);
    if let Some(proxy) = dialer.proxy() {
        builder = builder.proxy(proxy.for_reqwest()?);
    }
    Ok(builder.build()?)
}
