//! What hosts say about how many requests they will still answer.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;
use tracing::warn;
use url::Url;

use super::address::authority;
use super::retry::spelled;
use crate::sync::lock;

/// How many requests a registry will still answer, as it said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests that it answers in one window, where it says so.
    pub limit: Option<u64>,
    /// How many of them are left.
    pub remaining: u64,
    /// How long a window is, or how long this one lasts still, where it says so.
    pub window: Option<Duration>,
}

impl RateLimit {
    /// Reports whether a tenth or less is left; of an unknown number, ten requests or fewer.
    pub fn is_low(&self) -> bool {
        let tenth = self.limit.map_or(10, |limit| limit / 10);
        self.remaining <= tenth
    }

    /// Reads the headers in all their spellings:
    ///
    /// - `RateLimit-Limit: 100;w=21600` with `RateLimit-Remaining`, as Docker Hub has them;
    /// - the same with `X-` in front, and `RateLimit-Reset` in seconds;
    /// - `RateLimit: limit=100, remaining=50, reset=5` and `RateLimit: "default";r=50;t=5`, of the
    ///   [drafts](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/) of a standard.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let either = |name: &str| text(name).or_else(|| text(&format!("x-{name}")));
        if let Some(remaining) = either("ratelimit-remaining").and_then(first_number) {
            let limit = either("ratelimit-limit");
            let window = limit.and_then(|value| parameter(value, "w"));
            let reset = || text("ratelimit-reset").and_then(first_number);
            return Some(Self {
                limit: limit.and_then(first_number),
                remaining,
                window: window.or_else(reset).map(Duration::from_secs),
            });
        }
        let value = text("ratelimit")?;
        let named = |long, short| parameter(value, long).or_else(|| parameter(value, short));
        let policy = || text("ratelimit-policy").and_then(|policy| parameter(policy, "q"));
        Some(Self {
            limit: parameter(value, "limit").or_else(policy),
            remaining: named("remaining", "r")?,
            window: named("reset", "t").map(Duration::from_secs),
        })
    }
}

/// `100` of `100;w=21600`, or of `100, 100;w=60`.
fn first_number(value: &str) -> Option<u64> {
    value.split([';', ',']).next()?.trim().parse().ok()
}

/// `21600` of `100;w=21600`.
fn parameter(value: &str, name: &str) -> Option<u64> {
    let mut parts = value
        .split([';', ','])
        .filter_map(|part| part.split_once('='));
    let (_, number) = parts.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    number.trim().parse().ok()
}

/// For each host what it said last.
#[derive(Debug, Default)]
pub(crate) struct RateLimits(Mutex<HashMap<String, Known>>);

#[derive(Debug)]
struct Known {
    last: RateLimit,
    /// Once is enough: the next one hundred answers would say the same.
    warned: bool,
}

impl RateLimits {
    /// Remembers what an answer says, and tells once when little is left.
    pub(crate) fn learn(&self, url: &Url, headers: &HeaderMap) {
        let Some(last) = RateLimit::of(headers) else {
            return;
        };
        let host = authority(url);
        if self.is_news(&host, last) {
            warn!("{}", told(&host, &last));
        }
    }

    fn is_news(&self, host: &str, last: RateLimit) -> bool {
        let mut hosts = lock(&self.0);
        let known = hosts.entry(host.to_owned()).or_insert(Known {
            last,
            warned: false,
        });
        known.last = last;
        last.is_low() && !std::mem::replace(&mut known.warned, true)
    }

    /// Returns what the host of `url` said last.
    pub(crate) fn of(&self, url: &Url) -> Option<RateLimit> {
        lock(&self.0).get(&authority(url)).map(|known| known.last)
    }
}

fn told(host: &str, rate: &RateLimit) -> String {
    let of = rate.limit.map(|limit| format!(" of {limit}"));
    let window = rate
        .window
        .map(|window| format!(", in windows of {}", spelled(window)));
    format!(
        "rate limit: {}{} requests to {host} are left{}",
        rate.remaining,
        of.unwrap_or_default(),
        window.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(lines: &[(&str, &str)], wanted: Option<(Option<u64>, u64, Option<u64>)>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let got = RateLimit::of(&headers).map(|rate| {
            (
                rate.limit,
                rate.remaining,
                rate.window.map(|window| window.as_secs()),
            )
        });
        assert_eq!(got, wanted, "{lines:?}");
    }

    #[test]
    fn headers_in_every_spelling() {
        check(&[], None);
        let hub = [
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "76;w=21600"),
        ];
        check(&hub, Some((Some(100), 76, Some(21_600))));
        check(&hub[..1], None);
        check(&hub[1..], Some((None, 76, None)));
        let plain = [("X-RateLimit-Limit", "60"), ("X-RateLimit-Remaining", "0")];
        check(&plain, Some((Some(60), 0, None)));
        let timed = [("RateLimit-Remaining", "3"), ("RateLimit-Reset", "7")];
        check(&timed, Some((None, 3, Some(7))));
        let one = [("RateLimit", "limit=100, remaining=50, reset=5")];
        check(&one, Some((Some(100), 50, Some(5))));
        let structured = [
            ("RateLimit", r#""default";r=50;t=30"#),
            ("RateLimit-Policy", r#""default";q=100;w=60"#),
        ];
        check(&structured, Some((Some(100), 50, Some(30))));
        for nonsense in ["", "many", "-1", "1.5", ";w=1"] {
            check(&[("ratelimit-remaining", nonsense)], None);
        }
    }

    #[test]
    fn what_is_little() {
        let rate = |limit, remaining| RateLimit {
            limit,
            remaining,
            window: None,
        };
        assert!(rate(Some(100), 10).is_low() && !rate(Some(100), 11).is_low());
        assert!(rate(None, 10).is_low() && !rate(None, 11).is_low());
        assert!(rate(Some(5), 0).is_low() && !rate(Some(5), 1).is_low());
        let mut hub = rate(Some(100), 9);
        hub.window = Some(Duration::from_hours(6));
        let text = "rate limit: 9 of 100 requests to h are left, in windows of 6h0m0s";
        assert_eq!(told("h", &hub), text);
    }

    proptest! {
        #[test]
        fn any_value_can_be_read(value in "[ -~]{0,60}") {
            let value = HeaderValue::from_str(&value).unwrap();
            for name in ["ratelimit", "ratelimit-remaining", "ratelimit-limit"] {
                RateLimit::of(&HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]));
            }
        }
    }
}
