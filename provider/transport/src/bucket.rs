//! A token bucket, and a cap on requests in flight.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::{CancellationToken, Cancelled, SharedClock, or_cancelled};

/// Lets `rate` requests a second pass, `burst` at once after a rest, at most `in_flight` together.
pub struct Bucket {
    clock: SharedClock,
    rate: f64,
    burst: f64,
    state: Mutex<State>,
    in_flight: Semaphore,
}

struct State {
    rate: f64,
    tokens: f64,
    counted: Instant,
    closed_until: Option<Instant>,
}

impl Bucket {
    /// A full bucket. Numbers below one are raised to one: a bucket that lets nothing pass is a
    /// deadlock.
    pub fn new(clock: SharedClock, rate: f64, burst: f64, in_flight: usize) -> Self {
        let burst = if burst.is_finite() {
            burst.max(1.0)
        } else {
            1.0
        };
        let rate = if rate.is_finite() { rate.max(1.0) } else { 1.0 };
        let state = State {
            rate,
            tokens: burst,
            counted: clock.now(),
            closed_until: None,
        };
        Self {
            rate,
            burst,
            state: Mutex::new(state),
            in_flight: Semaphore::new(in_flight.max(1)),
            clock,
        }
    }

    /// Waits for a turn. The permit is held for as long as the request is under way.
    ///
    /// # Errors
    /// [`Cancelled`] when the token fires first.
    pub async fn take(&self, cancel: &CancellationToken) -> Result<SemaphorePermit<'_>, Cancelled> {
        or_cancelled(cancel, async {
            let permit = self.in_flight.acquire().await;
            // The lock is held across the wait: turns are given in the order of asking.
            let mut state = self.state.lock().await;
            loop {
                let now = self.clock.now();
                if let Some(until) = state.closed_until {
                    if until > now {
                        self.clock.sleep(until - now).await;
                        continue;
                    }
                    state.closed_until = None;
                }
                let rested = now.saturating_duration_since(state.counted).as_secs_f64();
                state.tokens = rested.mul_add(state.rate, state.tokens).min(self.burst);
                state.counted = now;
                // Slightly under one: sums of fractions must not cost one more wait of nothing.
                if state.tokens > 0.999_999 {
                    state.tokens -= 1.0;
                    break;
                }
                let missing = (1.0 - state.tokens) / state.rate;
                self.clock.sleep(Duration::from_secs_f64(missing)).await;
            }
            permit.expect("the semaphore is never closed")
        })
        .await
    }

    /// The remote end asked for less: nothing passes for `rest`, and half as much afterwards.
    pub async fn slow_down(&self, rest: Duration) {
        let until = self.clock.now() + rest;
        let mut state = self.state.lock().await;
        state.closed_until = Some(state.closed_until.map_or(until, |old| old.max(until)));
        state.rate = (state.rate / 2.0).max(1.0);
        state.tokens = state.tokens.min(1.0);
    }

    /// A request went well: the rate climbs back by a fiftieth of the whole.
    pub async fn speed_up(&self) {
        let mut state = self.state.lock().await;
        state.rate = (state.rate + self.rate / 50.0).min(self.rate);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::ManualClock;

    #[tokio::test]
    async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let bucket = Bucket::new(Arc::new(clock.clone()), 10.0, 5.0, 3);
        let cancel = CancellationToken::new();
        for _ in 0..5 {
            drop(bucket.take(&cancel).await);
        }
        assert_eq!(clock.passed(), Duration::ZERO);
        for _ in 0..10 {
            drop(bucket.take(&cancel).await);
        }
        let passed = clock.passed().as_millis();
        assert!((990..1010).contains(&passed), "{passed}");
    }

    #[tokio::test]
    async fn a_bucket_that_was_told_to_slow_down_rests_and_recovers() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let bucket = Bucket::new(Arc::new(clock.clone()), 10.0, 5.0, 3);
        let cancel = CancellationToken::new();
        bucket.slow_down(Duration::from_secs(4)).await;
        bucket.slow_down(Duration::from_secs(1)).await;
        drop(bucket.take(&cancel).await);
        assert_eq!(clock.passed(), Duration::from_secs(4));
        for _ in 0..50 {
            bucket.speed_up().await;
        }
        clock.advance(Duration::from_mins(1));
        let before = clock.passed();
        for _ in 0..15 {
            drop(bucket.take(&cancel).await);
        }
        let took = clock.passed().saturating_sub(before).as_millis();
        assert!((990..1010).contains(&took), "{took}");
    }

    #[tokio::test]
    async fn no_more_than_the_cap_are_in_flight() {
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let bucket = Bucket::new(Arc::new(clock), 10.0, 5.0, 1);
        let cancel = CancellationToken::new();
        let held = bucket.take(&cancel).await;
        cancel.cancel();
        assert!(bucket.take(&cancel).await.is_err());
        drop(held);
        assert!(bucket.take(&CancellationToken::new()).await.is_ok());
    }
}
