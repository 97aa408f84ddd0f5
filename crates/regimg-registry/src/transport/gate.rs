//! What one request learns about a host's patience, all others to that host obey.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use url::Url;

use super::address::authority;
use crate::Clock;
use crate::sync::lock;

/// By how much longer a wait has to be for that to be worth another word: the seconds of a
/// `Retry-After` begin anew with each answer.
const NOTICEABLE: Duration = Duration::from_secs(5);

/// For each host the instant before which nothing is sent to it.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<String, Instant>>);

impl Gates {
    /// Holds requests to the host of `url` back for `wait` from now, or longer if they are already.
    ///
    /// Returns whether that is news: of many who are told the same at one time, the first one
    /// closes the gate.
    pub(crate) fn close(&self, url: &Url, wait: Duration, clock: &dyn Clock) -> bool {
        let now = clock.now();
        let Some(until) = now.checked_add(wait) else {
            return true;
        };
        let mut gates = lock(&self.0);
        let gate = gates.entry(authority(url)).or_insert(now);
        let is_news = *gate <= now || until > *gate + NOTICEABLE;
        *gate = until.max(*gate);
        is_news
    }

    /// Waits until requests to the host of `url` may be sent.
    pub(crate) async fn pass(&self, url: &Url, clock: &dyn Clock) {
        while let Some(wait) = self.wait(url, clock) {
            clock.sleep(wait).await;
        }
    }

    /// Returns how long the gate stays closed; `None` when it is open.
    pub(crate) fn wait(&self, url: &Url, clock: &dyn Clock) -> Option<Duration> {
        self.wait_for(&authority(url), clock)
    }

    /// Does the same for `host` or `host:port`.
    pub(crate) fn wait_for(&self, host: &str, clock: &dyn Clock) -> Option<Duration> {
        let until = *lock(&self.0).get(host)?;
        until
            .checked_duration_since(clock.now())
            .filter(|wait| !wait.is_zero())
    }
}
