//! Limits on whole operations: when the time is over, the work is told to stop as if the user had interrupted it, so that
//! it ends in a state that the next run can go on from.

use std::time::Duration;

use transport::CancellationToken;

/// Runs `work` with a token that is cancelled with `cancel`, or when `limit` is over.
pub async fn within<T, F: Future<Output = T>>(
    limit: Duration,
    cancel: &CancellationToken,
    work: impl FnOnce(CancellationToken) -> F,
) -> T {
    let token = cancel.child_token();
    let work = work(token.clone());
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(limit) => token.cancel(),
    }
    tracing::warn!(
        limit_s = limit.as_secs(),
        "the time limit of this operation is over"
    );
    work.await
}
