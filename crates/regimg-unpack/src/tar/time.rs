//! Points in time, as archives write them.

use rustix::fs::Timespec;

/// Seconds since 1970, perhaps before, and nanoseconds after that second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl Time {
    pub(super) fn from_seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }

    /// Reads `[-]SECONDS[.FRACTION]`; digits beyond nanoseconds are cut.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (negative, digits) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let seconds: i64 = whole.parse().ok()?;
        let nanoseconds: u32 = format!("{fraction:0<9}")[..9].parse().ok()?;
        Some(match (negative, nanoseconds) {
            (false, _) => Self {
                seconds,
                nanoseconds,
            },
            (true, 0) => Self {
                seconds: -seconds,
                nanoseconds,
            },
            (true, _) => Self {
                seconds: -seconds - 1,
                nanoseconds: 1_000_000_000 - nanoseconds,
            },
        })
    }
}

impl From<Time> for Timespec {
    fn from(time: Time) -> Self {
        Self {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn fractions_count_forward_also_before_1970() {
        let cases: [(&str, Option<(i64, u32)>); 10] = [
            ("0", Some((0, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("1.", Some((1, 0))),
            ("1.0000000019", Some((1, 1))),
            ("-1", Some((-1, 0))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.25", Some((-1, 750_000_000))),
            ("", None),
            (".5", None),
            ("1e3", None),
        ];
        for (text, expected) in cases {
            let parsed = Time::parse(text.as_bytes()).map(|time| (time.seconds, time.nanoseconds));
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
