//! Who may work on a release: one process at a time, and another one when that has died.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use transport::pause;

use crate::release::{Busy, Error, Release, ReleaseId, Releases, Status};

/// How long one of ours may be silent before it counts as dead.
const DEAD: Duration = Duration::from_secs(40);

impl Releases {
    /// The history once nobody else works on the release: waits for a live process to finish, takes
    /// over from a dead one.
    pub(in crate::release) async fn settled(
        &self,
        id: &ReleaseId,
        timeout: Duration,
        takeover_after: Duration,
        cancel: &CancellationToken,
    ) -> Result<Vec<Release>, Error> {
        let start = self.clock.now();
        loop {
            let mut history = self.store.history(id, cancel).await?;
            let Some(last) = history.last_mut().filter(|r| r.info.status.is_pending()) else {
                return Ok(history);
            };
            let (sign, limit) = match last.heartbeat {
                Some(beat) => (Some(beat), DEAD.min(takeover_after)),
                None => (last.info.last_deployed, takeover_after),
            };
            let silent = silence(sign, self.store.now());
            if silent >= limit {
                tracing::warn!(release = %id, revision = last.revision, "taking over a release whose process died");
                last.info.description = format!(
                    "interrupted: its process has not shown life for {}s",
                    silent.as_secs()
                );
                last.info.status = Status::Failed;
                last.heartbeat = None;
                self.store.update(last, cancel).await?;
                return Ok(history);
            }
            let waited = self.clock.now().saturating_duration_since(start);
            if waited >= timeout {
                return Err(Error::Busy(Box::new(Busy {
                    release: id.clone(),
                    revision: last.revision,
                    status: last.info.status.as_str().to_owned(),
                    since: last
                        .info
                        .last_deployed
                        .map(|time| time.to_string())
                        .unwrap_or_default(),
                    takeover: limit,
                    retry_in: limit.saturating_sub(silent),
                })));
            }
            let nap = Duration::from_secs(2).min(timeout.saturating_sub(waited));
            pause(&*self.clock, nap.max(Duration::from_millis(100)), cancel)
                .await
                .map_err(|_| Error::Cancelled(id.clone()))?;
        }
    }
}

fn silence(sign: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(sign) = sign else {
        return Duration::MAX;
    };
    Duration::try_from(now.duration_since(sign)).unwrap_or_default()
}
