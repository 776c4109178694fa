//! Adaptive polling: quick when the endpoint is quick, patient when nothing moves.

use std::future::Future;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::{Backoff, CancellationToken, Cancelled, Clock, Jitter, pause};

/// The first wait when the endpoint answers quickly.
const QUICK: Duration = Duration::from_millis(100);
/// The first wait otherwise, and how slow an answer may be to count as quick.
const PATIENT: Duration = Duration::from_secs(1);
const QUICK_ANSWER: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(5);
const GROWTH: f64 = 1.6;
const SPREAD: f64 = 0.2;

/// How long to wait before the next look: 100 ms when answers come within 100 ms, else 1 s, growing
/// to 5 s with ±20 % jitter while nothing moves.
#[derive(Debug)]
pub struct Pace {
    jitter: Jitter,
    quick: bool,
    looks: u32,
}

impl Pace {
    /// A pace for an endpoint that has not answered yet.
    pub fn new() -> Self {
        Self::with_jitter(Jitter::random())
    }

    /// A pace whose spread is repeatable, for tests.
    pub const fn with_jitter(jitter: Jitter) -> Self {
        Self {
            jitter,
            quick: false,
            looks: 0,
        }
    }

    /// The endpoint answered and took this long.
    pub fn answered(&mut self, took: Duration) {
        self.quick = took <= QUICK_ANSWER;
    }

    /// Something moved: the next look is soon again.
    pub fn progressed(&mut self) {
        self.looks = 0;
    }

    /// The wait before the next look.
    pub fn next_wait(&mut self) -> Duration {
        let first = if self.quick { QUICK } else { PATIENT };
        let wait = Backoff::new(first, CAP, GROWTH, SPREAD)
            .expect("the constants are sound")
            .delay(self.looks, &self.jitter)
            .min(CAP);
        self.looks = self.looks.saturating_add(1);
        wait
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe<T, P> {
    /// What was waited for.
    Ready(T),
    /// Not yet. The value says how far things are: another value than at the last look is progress,
    /// and the last one is what the reader of a deadline error is shown.
    Pending(P),
}

/// Why a wait ended without what was waited for.
#[derive(Debug, Error)]
pub enum WaitError<P, E> {
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// The deadline passed.
    #[error("not reached after {} s", elapsed.as_secs())]
    Deadline {
        /// The last state seen.
        last: P,
        /// The time waited.
        elapsed: Duration,
    },
    /// A look failed for good.
    #[error(transparent)]
    Look(E),
}

impl<P, E> From<Cancelled> for WaitError<P, E> {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Looks until something is ready, at an adaptive pace. The first look is at once, and one look is
/// made at or after the deadline, so that a slow machine does not miss what has happened.
///
/// # Errors
/// [`WaitError`]; an error of `look` ends the wait, so `look` itself decides which faults are
/// passing and reports those as pending.
pub async fn poll_until<T, P, E, F>(
    clock: &dyn Clock,
    cancel: &CancellationToken,
    pace: &mut Pace,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, WaitError<P, E>>
where
    P: PartialEq,
    F: Future<Output = Result<Probe<T, P>, E>>,
{
    let start = clock.now();
    let mut before: Option<P> = None;
    loop {
        let asked: Instant = clock.now();
        let probe = crate::or_cancelled(cancel, look()).await?;
        let now = clock.now();
        pace.answered(now.saturating_duration_since(asked));
        let seen = match probe.map_err(WaitError::Look)? {
            Probe::Ready(value) => return Ok(value),
            Probe::Pending(seen) => seen,
        };
        let elapsed = now.saturating_duration_since(start);
        if elapsed >= limit {
            return Err(WaitError::Deadline {
                last: seen,
                elapsed,
            });
        }
        if before.as_ref().is_some_and(|before| *before != seen) {
            pace.progressed();
        }
        before = Some(seen);
        let wait = pace.next_wait().min(limit.saturating_sub(elapsed));
        pause(clock, wait, cancel).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::SystemTime;

    use super::*;
    use crate::ManualClock;

    fn waits(pace: &mut Pace, count: usize) -> Vec<Duration> {
        (0..count).map(|_| pace.next_wait()).collect()
    }

    #[test]
    fn the_pace_starts_by_the_answers_grows_to_five_seconds_and_starts_anew() {
        let mut pace = Pace::with_jitter(Jitter::seeded(3));
        let slow = waits(&mut pace, 1)[0];
        assert!((800..=1200).contains(&slow.as_millis()), "{slow:?}");
        pace.answered(Duration::from_millis(3));
        pace.progressed();
        let quick = waits(&mut pace, 12);
        assert!((80..=120).contains(&quick[0].as_millis()), "{quick:?}");
        assert!(quick.iter().all(|wait| *wait <= CAP));
        assert!(quick[11] >= CAP.mul_f64(0.8), "{quick:?}");
        pace.progressed();
        assert!(waits(&mut pace, 1)[0].as_millis() <= 120);
    }

    #[tokio::test]
    async fn a_wait_ends_at_its_deadline_with_the_last_state() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let looks = Cell::new(0);
        let result: Result<(), WaitError<&str, ()>> = poll_until(
            &clock,
            &CancellationToken::new(),
            &mut Pace::new(),
            Duration::from_mins(1),
            || {
                looks.set(looks.get() + 1);
                async { Ok(Probe::Pending("booting")) }
            },
        )
        .await;
        let Err(WaitError::Deadline { last, elapsed }) = result else {
            panic!("{result:?}");
        };
        assert_eq!((last, elapsed.as_secs()), ("booting", 60));
        assert!((14..40).contains(&looks.get()), "{}", looks.get());
    }

    #[tokio::test]
    async fn a_wait_ends_when_it_is_interrupted() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let cancel = CancellationToken::new();
        let result: Result<(), WaitError<u8, ()>> = poll_until(
            &clock,
            &cancel,
            &mut Pace::new(),
            Duration::from_mins(1),
            || {
                cancel.cancel();
                async { Ok(Probe::Pending(1)) }
            },
        )
        .await;
        assert!(matches!(result, Err(WaitError::Cancelled)));
    }
}
