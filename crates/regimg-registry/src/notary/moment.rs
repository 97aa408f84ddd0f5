//! Points in time as the documents write them.

use std::time::{Duration, SystemTime};

const DAY: i64 = 24 * 60 * 60;

/// Bytes of the longest text that Go writes: nanoseconds, and an offset.
const LONGEST: usize = "2029-11-22T13:53:10.123456789+01:00".len();

/// Seconds since 1970; a fraction in a text is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.as_ref().map_or(0, Duration::as_secs);
        Self(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Takes seconds since 1970.
    pub(super) fn at(seconds: i64) -> Self {
        Self(seconds)
    }

    pub(super) fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// Reads `2029-11-22T13:53:10.5Z` or `2029-11-22T13:53:10+01:00`
    /// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6)).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.get(..19).filter(|_| bytes.len() <= LONGEST)?;
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if marks.iter().any(|&(at, mark)| shape[at] != mark) {
            return None;
        }
        let field =
            |at: usize, most: i64| number(&shape[at..at + 2]).filter(|&value| value <= most);
        let year = number(&shape[..4])?;
        let (month, day) = (field(5, 12)?, field(8, 31)?);
        let (hour, minute, second) = (field(11, 23)?, field(14, 59)?, field(17, 59)?);
        if month == 0 || day == 0 || day > days_in(year, month) {
            return None;
        }
        let time = days_before(year, month, day) * DAY + (hour * 60 + minute) * 60 + second;
        Some(Self(time - offset(after_fraction(&bytes[19..])?)?))
    }

    /// Writes whole seconds of UTC, which is how Go writes what it reads.
    pub(super) fn text(self) -> String {
        let (days, second) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(value * 10 + i64::from(digit))
    })
}

fn after_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else {
        return Some(rest);
    };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
    match digits.count() {
        0 => None,
        digits => Some(&fraction[digits..]),
    }
}

/// Reads `Z` or `+01:00`, in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        b"Z" => return Some(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => (*sign, number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    let offset = (hours * 60 + minutes) * 60;
    let is_one = hours < 24 && minutes < 60;
    is_one.then_some(if sign == b'-' { -offset } else { offset })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts the days from 1970 to a date of the Gregorian calendar, with years that begin in March,
/// so that the day that leap years add comes last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * from_march + 2) / 5 + day - 1 - 719_468
}

/// The date that many days after 1970 began.
fn date(days: i64) -> (i64, i64, i64) {
    // 400 years have 146 097 days; not later than the year looked for, and hardly before it.
    let mut year = 1969 + (days * 400).div_euclid(146_097);
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut rest = days - days_before(year, 1, 1);
    let mut month = 1;
    while rest >= days_in(year, month) {
        rest -= days_in(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_and_seconds() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-11-24T13:53:10.745878385Z", Some(1_795_528_390)),
            (
                "2026-11-24T13:53:10.123456789+01:00",
                Some(1_795_528_390 - 3600),
            ),
            ("2026-11-24T13:53:10+01:30", Some(1_795_528_390 - 5400)),
            ("2026-11-24T13:53:10.5-07:00", Some(1_795_528_390 + 25_200)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-11-24T24:00:00Z", None),
            ("2026-11-24T13:53:10", None),
            ("2026-11-24T13:53:10.Z", None),
            ("2026-11-24T13:53:10+1:30", None),
            ("2026-11-24 13:53:10Z", None),
            ("2026-11-24T13:53:10.1234567890+01:00", None),
            ("2026-11-24T13:53:10Zz", None),
            ("\u{661}026-11-24T13:53:1Z", None),
            ("", None),
        ] {
            assert_eq!(Moment::parse(text), wanted.map(Moment), "{text}");
        }
    }

    #[test]
    fn three_years_are_1095_days() {
        let now = Moment::parse("2026-11-24T13:53:10.9Z").unwrap();
        assert_eq!(now.plus_days(1095).text(), "2029-11-23T13:53:10Z");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(seconds in 0_i64..253_402_300_800) {
            let moment = Moment(seconds);
            prop_assert_eq!(Moment::parse(&moment.text()), Some(moment));
        }

        #[test]
        fn any_text_can_be_read(text in "[0-9TZ:.+-]{0,32}|\\PC{0,32}") {
            Moment::parse(&text);
        }
    }
}
