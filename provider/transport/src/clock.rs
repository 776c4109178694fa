//! Time as a value that tests can move.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use crate::{CancellationToken, Cancelled, or_cancelled};

/// A clock that several clients share.
pub type SharedClock = Arc<dyn Clock>;

/// The only source of time where behaviour depends on it.
pub trait Clock: Send + Sync {
    /// Monotonic time: for deadlines and pauses.
    fn now(&self) -> Instant;

    /// The time of day: for certificates and expiry of tokens.
    fn wall(&self) -> SystemTime;

    /// Ends when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Sleeps for `duration` unless the token fires first.
pub async fn pause(
    clock: &dyn Clock,
    duration: Duration,
    cancel: &CancellationToken,
) -> Result<(), Cancelled> {
    or_cancelled(cancel, clock.sleep(duration)).await
}

/// The result of `work`, or `None` when `limit` passes on `clock` first.
pub async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(limit) => None,
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to be shared.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock for tests, moved by hand or by the sleeps themselves.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

struct Manual {
    start: Instant,
    wall_start: SystemTime,
    passed: Duration,
    leaps: bool,
    number: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that stands still until [`Self::advance`] moves it.
    pub fn standing(wall: SystemTime) -> Self {
        Self::new(wall, false)
    }

    /// A clock on which every sleep ends at once and moves the time by its length.
    pub fn leaping(wall: SystemTime) -> Self {
        Self::new(wall, true)
    }

    fn new(wall: SystemTime, leaps: bool) -> Self {
        Self(Arc::new(Mutex::new(Manual {
            start: Instant::now(),
            wall_start: wall,
            passed: Duration::ZERO,
            leaps,
            number: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// Moves the time and wakes every sleeper whose end was reached.
    pub fn advance(&self, by: Duration) {
        let mut manual = self.lock();
        manual.passed += by;
        let now = manual.passed;
        let mut due = manual.sleepers.split_off(&(now, u64::MAX));
        std::mem::swap(&mut due, &mut manual.sleepers);
        for (_, sleeper) in due {
            // A sleeper that was dropped needs no waking.
            let _ = sleeper.send(());
        }
    }

    /// How far the clock was moved since it was made.
    pub fn passed(&self) -> Duration {
        self.lock().passed
    }

    /// How many sleeps wait for the clock to move.
    pub fn sleepers(&self) -> usize {
        let mut manual = self.lock();
        manual.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        manual.sleepers.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Manual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        let manual = self.lock();
        manual.start + manual.passed
    }

    fn wall(&self) -> SystemTime {
        let manual = self.lock();
        manual.wall_start + manual.passed
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // Never ready at the first poll: a leaping sleep must not win a race against real work.
            tokio::task::yield_now().await;
            let sleeper = {
                let mut manual = self.lock();
                if manual.leaps {
                    manual.passed += duration;
                    None
                } else {
                    let (wake, sleeper) = oneshot::channel();
                    manual.number += 1;
                    let key = (manual.passed + duration, manual.number);
                    manual.sleepers.insert(key, wake);
                    Some(sleeper)
                }
            };
            if let Some(sleeper) = sleeper {
                // The sender lives as long as the clock, which this future borrows.
                let _ = sleeper.await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standing_clock_wakes_who_is_due_and_nobody_else() {
        let clock = ManualClock::standing(SystemTime::UNIX_EPOCH);
        let sleep = |seconds| {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(Duration::from_secs(seconds)).await })
        };
        let short = sleep(1);
        let long = sleep(5);
        while clock.sleepers() < 2 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
        short.await.expect("no panic");
        assert!(!long.is_finished());
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(4));
        long.await.expect("no panic");
        assert_eq!(
            clock.wall(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(5)
        );
    }

    #[tokio::test]
    async fn a_pause_ends_when_the_token_fires() {
        let clock = ManualClock::standing(SystemTime::UNIX_EPOCH);
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(
            pause(&clock, Duration::from_secs(9), &cancel).await,
            Err(Cancelled)
        );
        let leaping = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let free = CancellationToken::new();
        assert_eq!(pause(&leaping, Duration::from_secs(9), &free).await, Ok(()));
        assert_eq!(leaping.passed(), Duration::from_secs(9));
    }
}
