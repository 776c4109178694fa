//! One poller for all who wait for the same remote kind.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use thiserror::Error;
use tokio::sync::Mutex;

use crate::{CancellationToken, Cancelled, Pace, SharedClock, or_cancelled};

/// Why a round gave no value.
#[derive(Debug, Error)]
pub enum RoundsError<E> {
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// The read failed.
    #[error(transparent)]
    Read(E),
}

impl<E> From<Cancelled> for RoundsError<E> {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Reads shared by all who ask: whoever asks gets a value whose read *began* after the question, so
/// that a read-back after a write is a true one, and all who wait together share one read.
pub struct Rounds<T> {
    clock: SharedClock,
    begun: AtomicU64,
    state: Mutex<State<T>>,
}

struct State<T> {
    finished: u64,
    value: Option<T>,
    due: Option<Instant>,
    pace: Pace,
}

impl<T: Clone> Rounds<T> {
    /// No read made yet.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            begun: AtomicU64::new(0),
            state: Mutex::new(State {
                finished: 0,
                value: None,
                due: None,
                pace: Pace::new(),
            }),
        }
    }

    /// A value read after this call, at once or as soon as the read under way is over.
    ///
    /// # Errors
    /// Those of `read`, for the caller whose read failed; the others then read themselves.
    pub async fn fresh<E, F: Future<Output = Result<T, E>>>(
        &self,
        cancel: &CancellationToken,
        read: impl FnOnce() -> F,
    ) -> Result<T, RoundsError<E>> {
        self.round(cancel, false, read).await
    }

    /// As [`Self::fresh`], but not before the shared pace allows the next read: for loops that wait
    /// for a change.
    ///
    /// # Errors
    /// As [`Self::fresh`].
    pub async fn paced<E, F: Future<Output = Result<T, E>>>(
        &self,
        cancel: &CancellationToken,
        read: impl FnOnce() -> F,
    ) -> Result<T, RoundsError<E>> {
        self.round(cancel, true, read).await
    }

    /// Someone saw what it waited for move: the next reads are soon again.
    pub async fn progressed(&self) {
        let mut state = self.state.lock().await;
        state.pace.progressed();
        let soon = self.clock.now() + state.pace.next_wait();
        state.due = state.due.map(|due| due.min(soon));
    }

    async fn round<E, F: Future<Output = Result<T, E>>>(
        &self,
        cancel: &CancellationToken,
        paced: bool,
        read: impl FnOnce() -> F,
    ) -> Result<T, RoundsError<E>> {
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        or_cancelled(cancel, async {
            let mut state = loop {
                let state = self.state.lock().await;
                if state.finished >= wanted
                    && let Some(value) = &state.value
                {
                    return Ok(value.clone());
                }
                let now = self.clock.now();
                match state.due {
                    Some(due) if paced && due > now => {
                        // Without the lock: a fresh read does not wait for the pace.
                        drop(state);
                        self.clock.sleep(due - now).await;
                    }
                    _ => break state,
                }
            };
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let asked = self.clock.now();
            let value = read().await.map_err(RoundsError::Read)?;
            let now = self.clock.now();
            state.pace.answered(now.saturating_duration_since(asked));
            state.due = Some(now + state.pace.next_wait());
            state.finished = number;
            state.value = Some(value.clone());
            Ok(value)
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::ManualClock;

    #[tokio::test]
    async fn who_asks_during_a_read_gets_the_next_one_and_shares_it() {
        let clock = ManualClock::standing(SystemTime::UNIX_EPOCH);
        let rounds = Arc::new(Rounds::<usize>::new(Arc::new(clock.clone())));
        let reads = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (rounds, reads, clock) = (Arc::clone(&rounds), Arc::clone(&reads), clock.clone());
            tokio::spawn(async move {
                let read = || async {
                    let number = reads.fetch_add(1, Ordering::SeqCst);
                    crate::Clock::sleep(&clock, Duration::from_secs(1)).await;
                    Ok::<_, ()>(number)
                };
                rounds.fresh(&CancellationToken::new(), read).await.ok()
            })
        };
        let first = ask();
        while clock.sleepers() < 1 {
            tokio::task::yield_now().await;
        }
        let late = [ask(), ask(), ask()];
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(first.await.expect("no panic"), Some(0));
        while clock.sleepers() < 1 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
        for asked in late {
            assert_eq!(asked.await.expect("no panic"), Some(1));
        }
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn paced_reads_keep_their_distance() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let rounds = Rounds::<()>::new(Arc::new(clock.clone()));
        let cancel = CancellationToken::new();
        for _ in 0..3 {
            let read = rounds.paced(&cancel, || async { Ok::<_, ()>(()) }).await;
            assert!(read.is_ok());
        }
        // 100 ms, then 160 ms, each spread by a fifth.
        let passed = clock.passed().as_millis();
        assert!((200..=320).contains(&passed), "{passed}");
    }
}
