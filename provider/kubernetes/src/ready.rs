//! Whether the API serves.

use std::time::Duration;

use helm::ClusterError;
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use crate::client::Ask;
use crate::{Client, Error};

impl Client {
    /// Whether a member says that it is ready (`/readyz`).
    ///
    /// # Errors
    /// [`ClusterError::Denied`] when it does not accept our certificate,
    /// [`ClusterError::Unreachable`] when no member answers.
    pub async fn ready(&self, cancel: &CancellationToken) -> Result<bool, Error> {
        let ask = Ask::read("get", "/readyz".to_owned(), "/readyz");
        let answer = self.send(&ask, cancel).await?;
        if answer.status == 401 || answer.status == 403 {
            return Err(crate::status::error(&ask, &answer, None).into());
        }
        Ok(answer.is_success())
    }

    /// Waits until the API is ready.
    ///
    /// # Errors
    /// [`Error::NotReached`] after `limit`; what kept it from being ready is told there, so that only
    /// an interrupt ends the wait earlier.
    pub async fn wait_until_ready(
        &self,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let look = || async {
            match self.ready(cancel).await {
                Ok(true) => Ok(Probe::Ready(())),
                Ok(false) => Ok(Probe::Pending(
                    "the API answers, but is not ready".to_owned(),
                )),
                Err(error) if error.is_cancelled() => Err(error),
                // An authority that is not trusted yet, a certificate from the future: both pass
                // while a node boots.
                Err(Error::Call(ClusterError::Unreachable { source, .. })) => {
                    Ok(Probe::Pending(source.to_string()))
                }
                Err(error) => Ok(Probe::Pending(error.to_string())),
            }
        };
        let clock = self.0.clock.as_ref();
        poll_until(clock, cancel, &mut Pace::new(), limit, look)
            .await
            .map_err(|error| not_reached("the Kubernetes API is not ready", error))
    }
}

/// The end of a wait as an error of this crate.
pub(crate) fn not_reached(what: &str, error: WaitError<String, Error>) -> Error {
    match error {
        WaitError::Cancelled => Error::Call(ClusterError::Cancelled),
        WaitError::Look(error) => error,
        WaitError::Deadline { last, elapsed } => Error::NotReached {
            what: what.to_owned(),
            last,
            elapsed,
        },
    }
}
