//! Writes whose answer was lost: they are looked up, never sent again (design law 4).

use std::time::Duration;

use openiaas::Error as CloudError;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::Machines;
use crate::Error;

/// How long the work of a write may go on after its answer was lost.
const SETTLE: Duration = Duration::from_secs(30);

impl Machines {
    /// Looks whether a write did its work although it ended with this error: for a while when the platform may still
    /// be at it, once when it said that it is not.
    pub(super) async fn done_anyway<T, F>(
        &self,
        error: &CloudError,
        cancel: &CancellationToken,
        look: impl Fn() -> F + Send + Sync,
    ) -> Result<Option<T>, Error>
    where
        F: Future<Output = Result<Option<T>, Error>> + Send,
    {
        if matches!(error, CloudError::Cancelled) {
            return Err(Error::Cancelled);
        }
        let limit = match error {
            CloudError::AnswerLost { .. }
            | CloudError::NoActivity { .. }
            | CloudError::ActivityMissing { .. } => SETTLE,
            _ => Duration::ZERO,
        };
        let look = || async {
            let seen = look().await?;
            Ok(seen.map_or(Probe::Pending(()), Probe::Ready))
        };
        match poll_until(self.clock.as_ref(), cancel, &mut Pace::new(), limit, look).await {
            Ok(seen) => Ok(Some(seen)),
            Err(WaitError::Deadline { .. }) => Ok(None),
            Err(WaitError::Cancelled) => Err(Error::Cancelled),
            Err(WaitError::Look(error)) => Err(error),
        }
    }
}
