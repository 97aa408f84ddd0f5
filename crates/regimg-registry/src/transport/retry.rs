//! Trying again: how long to wait, and when to stop.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::{debug, warn};

use crate::error::{Patience, chain};
use crate::{Clock, Config, Error, RetryPolicy};

/// The tries of one request.
pub(crate) struct Retry {
    policy: RetryPolicy,
    deadline: Option<Instant>,
    clock: Arc<dyn Clock>,
    begun: Instant,
    interval: Duration,
    attempts: u32,
}

impl Retry {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            policy: config.retry.clone(),
            deadline: config.deadline,
            clock: config.clock.clone(),
            begun: config.clock.now(),
            interval: config.retry.initial_interval,
            attempts: 0,
        }
    }

    /// Begins to count anew, within the same time, for another host that may do as well.
    pub(crate) fn start_over(&mut self) {
        self.attempts = 0;
        self.interval = self.policy.initial_interval;
    }

    /// Waits until the next try, or gives the error back when there shall be none.
    pub(crate) async fn pause(&mut self, error: Error) -> Result<(), Error> {
        self.attempts += 1;
        let error = error.with_attempts(self.attempts);
        let Some(patience) = error.patience() else {
            return Err(error);
        };
        let error = match error.retry_after() {
            Some(asked) if !asked.is_zero() => error.with_hint(asked_to_wait(asked)),
            _ => error,
        };
        let tries = match patience {
            Patience::Short => self.policy.unreachable_tries.min(self.policy.max_tries),
            Patience::Long => self.policy.max_tries,
        };
        if self.attempts >= tries {
            return Err(error);
        }
        let wait = self.next_wait(&error)?;
        let now = self.clock.now();
        let elapsed = now.duration_since(self.begun);
        if elapsed.saturating_add(wait) > self.policy.max_elapsed {
            return Err(error);
        }
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(now));
        if left.is_some_and(|left| wait > left) {
            let hint = format!("the next try would begin in {}, too late", spelled(wait));
            return Err(match error.hint() {
                Some(_) => error,
                None => error.with_hint(hint),
            });
        }
        let (told, pause) = (chain(&error), spelled(wait));
        // When a host holds everybody back, one of them says so.
        if error.is_known() {
            debug!("transient error: {told}; retrying in {pause}");
        } else {
            warn!("transient error: {told}; retrying in {pause}");
        }
        self.clock.sleep(wait).await;
        Ok(())
    }

    fn next_wait(&mut self, error: &Error) -> Result<Duration, Error> {
        let backoff = self.backoff();
        match error.retry_after() {
            Some(asked) if asked > self.policy.max_retry_after => Err(error.clone()),
            Some(asked) if !asked.is_zero() => Ok(asked),
            _ => Ok(backoff),
        }
    }

    fn backoff(&mut self) -> Duration {
        let wait = jittered(self.interval, self.policy.jitter, self.clock.jitter());
        self.interval = scaled(self.interval, self.policy.multiplier).min(self.policy.max_interval);
        wait
    }
}

impl RetryPolicy {
    /// The least that a first wait may last.
    pub(crate) fn shortest_wait(&self) -> Duration {
        jittered(self.initial_interval, self.jitter, 0.0)
    }
}

/// Changes `interval` by at most `share` of itself; `drawn` out of `0.0..1.0` says by how much.
fn jittered(interval: Duration, share: f64, drawn: f64) -> Duration {
    scaled(interval, 1.0 + share.clamp(0.0, 1.0) * (2.0 * drawn - 1.0))
}

/// Multiplies without the panics of `Duration::mul_f64`.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

/// What to do about a host that wants to be left alone.
pub(crate) fn asked_to_wait(wait: Duration) -> String {
    format!(
        "the registry asks to wait {}; try again then",
        spelled(wait)
    )
}

/// Reads `Retry-After`: seconds, or a date, which is in the past when it is over already
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
pub(crate) fn retry_after(value: &str, today: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds still mean: very long.
        return Some(Duration::from_secs(
            value.parse().unwrap_or(u64::from(u32::MAX)),
        ));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(today).unwrap_or_default())
}

/// Spells a duration as Go programs do: `1h2m3s`, `7.5s`, `312ms`.
pub(crate) fn spelled(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if milliseconds < 1000 {
        return if milliseconds == 0 {
            "0s".to_owned()
        } else {
            format!("{milliseconds}ms")
        };
    }
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = format!(".{rest:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let tail = format!("{}{fraction}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => tail,
        (0, minutes) => format!("{minutes}m{tail}"),
        (hours, minutes) => format!("{hours}h{minutes}m{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_spelled_as_in_go() {
        let spelled = |milliseconds| spelled(Duration::from_millis(milliseconds));
        for (milliseconds, wanted) in [
            (0, "0s"),
            (5, "5ms"),
            (999, "999ms"),
            (1000, "1s"),
            (7500, "7.5s"),
            (7050, "7.05s"),
            (60_000, "1m0s"),
            (61_001, "1m1.001s"),
            (3_600_000, "1h0m0s"),
            (3_723_000, "1h2m3s"),
        ] {
            assert_eq!(spelled(milliseconds), wanted);
        }
    }

    #[track_caller]
    fn check(value: &str, wanted: Option<u64>) {
        let today = httpdate::parse_http_date("Tue, 15 Nov 1994 08:12:31 GMT").unwrap();
        assert_eq!(
            retry_after(value, today),
            wanted.map(Duration::from_secs),
            "{value}"
        );
    }

    #[test]
    fn retry_after_in_every_form() {
        check("0", Some(0));
        check(" 120 ", Some(120));
        check("Tue, 15 Nov 1994 08:13:31 GMT", Some(60));
        check("Tue, 15 Nov 1994 08:12:00 GMT", Some(0));
        check("99999999999999999999999", Some(u64::from(u32::MAX)));
        check("18446744073709551615", Some(u64::MAX));
        check("-1", None);
        check("1.5", None);
        check("soon", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_value_can_be_read(value in "\\PC{0,40}") {
            retry_after(&value, SystemTime::UNIX_EPOCH);
        }

        #[test]
        fn jitter_stays_within_its_share(seconds in 0_u32..400, drawn in 0.0..1.0_f64) {
            let interval = Duration::from_secs(u64::from(seconds));
            let wait = jittered(interval, 0.5, drawn);
            prop_assert!(wait >= interval / 2 && wait <= interval * 3 / 2);
        }
    }
}
