//! What the tests share: an API client, configurations with their own PKI, a gRPC channel through the proxy.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod bed;
mod channel;
mod cloud;
mod cluster;
mod kubernetes;

use std::future::Future;
use std::time::{Duration, Instant};

use sandbox::{Config, Running, Sandbox};

pub use bed::{ADDRESSES, Bed, MACS};
pub use channel::{Machine, machine, state, tunnel};
pub use cloud::{Api, named};
pub use cluster::Cluster;
pub use kubernetes::Caller;

pub const GIB: u64 = 1 << 30;

pub async fn start(config: Config) -> Running {
    Sandbox::start(config).await.expect("the sandbox starts")
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, check: impl FnMut() -> F) {
    until_within(Duration::from_secs(10), what, check).await;
}

/// The same with patience for real programs.
pub async fn until_real<F: Future<Output = bool>>(what: &str, check: impl FnMut() -> F) {
    until_within(Duration::from_mins(2), what, check).await;
}

async fn until_within<F: Future<Output = bool>>(
    limit: Duration,
    what: &str,
    mut check: impl FnMut() -> F,
) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < limit, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
