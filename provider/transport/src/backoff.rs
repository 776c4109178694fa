//! Waiting times that grow, checked when they are made, and testable without sleeping.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use thiserror::Error;

/// Why numbers do not make a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BackoffError {
    /// The first wait is zero: the loop would spin.
    #[error("the first wait of a back-off must be longer than zero")]
    Zero,
    /// The cap is below the first wait.
    #[error("the cap of a back-off must not be below its first wait")]
    CapBelowFirst,
    /// The factor does not grow, or is not a number.
    #[error("the factor of a back-off must be a number of at least 1")]
    Factor,
    /// The jitter is not a share of the wait.
    #[error("the jitter of a back-off must be between 0 and 1")]
    Jitter,
}

/// Waits that start at `first`, grow by `factor` up to `cap`, each spread by ±`jitter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    factor: f64,
    jitter: f64,
}

impl Backoff {
    /// Checks the numbers. `jitter` is a share: 0.2 spreads each wait by ±20 %.
    ///
    /// # Errors
    /// The number that is out of range.
    pub fn new(
        first: Duration,
        cap: Duration,
        factor: f64,
        jitter: f64,
    ) -> Result<Self, BackoffError> {
        if first.is_zero() {
            return Err(BackoffError::Zero);
        }
        if cap < first {
            return Err(BackoffError::CapBelowFirst);
        }
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(BackoffError::Factor);
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(BackoffError::Jitter);
        }
        Ok(Self {
            first,
            cap,
            factor,
            jitter,
        })
    }

    /// The wait after `failures` failures before this one, spread by one draw of `jitter`.
    pub fn delay(&self, failures: u32, jitter: &Jitter) -> Duration {
        let exponent = i32::try_from(failures.min(1000)).unwrap_or(1000);
        let grown = self.first.as_secs_f64() * self.factor.powi(exponent);
        // Infinity and huge values end at the cap.
        let capped = grown.min(self.cap.as_secs_f64());
        jitter.spread(Duration::from_secs_f64(capped), self.jitter)
    }
}

/// A small source of randomness for spreading waits; not for secrets.
#[derive(Debug)]
pub struct Jitter(Mutex<u64>);

impl Jitter {
    /// Seeded by the operating system; by a constant when it has nothing to give.
    pub fn random() -> Self {
        Self::seeded(getrandom::u64().unwrap_or(0x9e37_79b9_7f4a_7c15))
    }

    /// A repeatable sequence, for tests.
    pub const fn seeded(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// `duration` times a factor in `1 - share ..= 1 + share`.
    pub fn spread(&self, duration: Duration, share: f64) -> Duration {
        let factor = share.mul_add(2.0 * self.unit() - 1.0, 1.0);
        duration.mul_f64(factor.max(0.0))
    }

    /// A number in `0..1` (splitmix64).
    fn unit(&self) -> f64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::random()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = Backoff::new(MS(500), MS(5000), 2.0, 0.0).expect("sound");
        let jitter = Jitter::seeded(1);
        let waits: Vec<_> = (0..6)
            .map(|n| backoff.delay(n, &jitter).as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(backoff.delay(u32::MAX, &jitter), MS(5000));
    }

    #[test]
    fn numbers_that_would_spin_or_shrink_are_refused() {
        let make = |first, cap, factor, jitter| Backoff::new(MS(first), MS(cap), factor, jitter);
        assert_eq!(make(0, 5, 2.0, 0.1), Err(BackoffError::Zero));
        assert_eq!(make(9, 5, 2.0, 0.1), Err(BackoffError::CapBelowFirst));
        assert_eq!(make(1, 5, 0.5, 0.1), Err(BackoffError::Factor));
        assert_eq!(make(1, 5, f64::NAN, 0.1), Err(BackoffError::Factor));
        assert_eq!(make(1, 5, 2.0, 1.5), Err(BackoffError::Jitter));
    }

    proptest! {
        #[test]
        fn jitter_stays_in_its_share(seed: u64, failures in 0_u32..2000) {
            let backoff = Backoff::new(MS(100), MS(5000), 1.7, 0.2).expect("sound");
            let wait = backoff.delay(failures, &Jitter::seeded(seed));
            prop_assert!(wait >= MS(80) && wait <= MS(6000), "{wait:?}");
        }
    }
}
