//! Cancellation: every function that waits takes the token.

use std::future::Future;

use thiserror::Error;
pub use tokio_util::sync::CancellationToken;

/// The run was interrupted while it waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("interrupted")]
pub struct Cancelled;

/// The result of `work`, unless the token fires first; `work` is then dropped where it stands.
pub async fn or_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Cancelled> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Cancelled),
        done = work => Ok(done),
    }
}
