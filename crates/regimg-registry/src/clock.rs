//! Time as a value: what waits between tries, replaceable so that tests need none.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;

/// Tells the time and waits, for everything that is retried.
///
/// Back-off, the lifetime of tokens and `Retry-After` go through this trait. Timeouts
/// of connections and bodies do not: they guard against real stalls and use tokio's timer.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the monotonic time.
    fn now(&self) -> Instant;

    /// Returns the time of day. It counts for what others date without saying what time it is
    /// with them: the end of AWS's tokens, and a `Retry-After` date in an answer without a `Date`.
    fn today(&self) -> SystemTime;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Returns a number of the range `0.0..1.0`, each time another one.
    fn jitter(&self) -> f64;
}

/// The machine's clock and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time of day comes from"
    )]
    fn today(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    /// Draws from the random keys that the standard library gives each hash map: spreading
    /// clients over time needs no better source, and so no further dependency.
    fn jitter(&self) -> f64 {
        let bits = RandomState::new().hash_one(0_u8) >> 32;
        f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_range_and_varies() {
        let drawn: Vec<f64> = (0..64).map(|_| SystemClock.jitter()).collect();
        assert!(
            drawn.iter().all(|value| (0.0..1.0).contains(value)),
            "{drawn:?}"
        );
        let spread = drawn.iter().fold(0.0_f64, |spread, value| {
            spread.max((value - drawn[0]).abs())
        });
        assert!(spread > 0.0, "{drawn:?}");
    }
}
