//! What one request learns about a host's patience, all others to that host obey.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use url::Url;

use super::address::authority;
use crate::Clock;
use crate::sync::lock;

/// For each host the instant before which nothing is sent to it.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<String, Instant>>);

impl Gates {
    /// Holds requests to the host of `url` back for `wait` from now, or longer if they are already.
    pub(crate) fn close(&self, url: &Url, wait: Duration, clock: &dyn Clock) {
        let Some(until) = clock.now().checked_add(wait) else {
            return;
        };
        let mut gates = lock(&self.0);
        let gate = gates.entry(authority(url)).or_insert(until);
        *gate = until.max(*gate);
    }

    /// Waits until requests to the host of `url` may be sent.
    pub(crate) async fn pass(&self, url: &Url, clock: &dyn Clock) {
        while let Some(wait) = self.wait(url, clock) {
            clock.sleep(wait).await;
        }
    }

    /// Returns how long the gate stays closed; `None` when it is open.
    pub(crate) fn wait(&self, url: &Url, clock: &dyn Clock) -> Option<Duration> {
        let until = *lock(&self.0).get(&authority(url))?;
        until
            .checked_duration_since(clock.now())
            .filter(|wait| !wait.is_zero())
    }
}
