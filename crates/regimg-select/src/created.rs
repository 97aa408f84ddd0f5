//! The order in which images were made.

use std::{error, fmt, str::FromStr};

use crate::{Version, quote::Quoted};

/// When an image was made, to the nanosecond.
///
/// ```
/// use regimg_select::Created;
///
/// let utc = Created::parse("2024-01-04T05:00:00Z")?;
/// assert_eq!(utc, Created::parse("2024-01-04T06:00:00+01:00")?);
/// assert!(utc < Created::parse("2024-01-04T05:00:00.000000001Z")?);
/// assert!(utc > Created::UNKNOWN);
/// # Ok::<(), regimg_select::ParseCreatedError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Created {
    /// Since the start of the year 0, in the calendar as it is extended backwards.
    seconds: i64,
    nanoseconds: u32,
}

impl Created {
    /// Stands for a time that is not known: the start of the year 1, so that such
    /// images come first.
    pub const UNKNOWN: Self = Self {
        seconds: 366 * 86_400,
        nanoseconds: 0,
    };

    /// Reads a time as the `created` field of a configuration has it, which is
    /// [RFC 3339]. Digits beyond the nanoseconds are ignored.
    ///
    /// # Errors
    ///
    /// Fails if `text` is no such time.
    ///
    /// [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
    pub fn parse(text: &str) -> Result<Self, ParseCreatedError> {
        read(text).ok_or_else(|| ParseCreatedError(text.to_owned()))
    }
}

/// Orders versions by the time at which their images were made, newest last. Those of
/// the same time stay in the order in which they came.
pub fn in_creation_order(versions: impl IntoIterator<Item = (Version, Created)>) -> Vec<Version> {
    let mut versions: Vec<_> = versions.into_iter().collect();
    versions.sort_by_key(|(_, created)| *created);
    versions.into_iter().map(|(version, _)| version).collect()
}

fn read(text: &str) -> Option<Created> {
    let mut rest = text;
    let year = number(&mut rest, 4, 0..=9999)?;
    let month = literal(&mut rest, '-').and_then(|()| number(&mut rest, 2, 1..=12))?;
    let days = days_in_month(year, month);
    let day = literal(&mut rest, '-').and_then(|()| number(&mut rest, 2, 1..=days))?;
    literal(&mut rest, 'T')?;
    let hour = number(&mut rest, 2, 0..=23)?;
    let minute = literal(&mut rest, ':').and_then(|()| number(&mut rest, 2, 0..=59))?;
    let second = literal(&mut rest, ':').and_then(|()| number(&mut rest, 2, 0..=59))?;
    let nanoseconds = fraction(&mut rest)?;
    let offset = offset(rest)?;
    let day = days_before(year, month) + day - 1;
    Some(Created {
        seconds: ((day * 24 + hour) * 60 + minute) * 60 + second - offset,
        nanoseconds,
    })
}

/// Takes `digits` digits off `text`, which must be a number in `range`.
fn number(text: &mut &str, digits: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let (number, rest) = text.split_at_checked(digits)?;
    let number = number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(number)?;
    *text = rest;
    number.parse().ok().filter(|number| range.contains(number))
}

fn literal(text: &mut &str, character: char) -> Option<()> {
    *text = text.strip_prefix(character)?;
    Some(())
}

/// Takes the fraction of a second, if there is one, and returns nanoseconds.
fn fraction(text: &mut &str) -> Option<u32> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some(0);
    };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(length);
    *text = rest;
    let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = nine.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    (length > 0).then_some(nanoseconds)
}

/// Reads the time zone, which must be all of `text`, and returns seconds.
fn offset(mut text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match literal(&mut text, '+') {
        Some(()) => 1,
        None => literal(&mut text, '-').map(|()| -1)?,
    };
    let hours = number(&mut text, 2, 0..=23)?;
    let minutes = literal(&mut text, ':').and_then(|()| number(&mut text, 2, 0..=59))?;
    text.is_empty()
        .then_some(sign * (hours * 60 + minutes) * 60)
}

/// Counts the days from the start of the year 0 to that of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let leap_days = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let months = (1..month).map(|month| days_in_month(year, month));
    year * 365 + leap_days + months.sum::<i64>()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Created {
    type Err = ParseCreatedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Says that a text is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCreatedError(String);

impl fmt::Display for ParseCreatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a time as RFC 3339 writes it", Quoted(&self.0))
    }
}

impl error::Error for ParseCreatedError {}

#[cfg(test)]
mod tests {
    use super::{Created, days_before};

    #[test]
    fn days_are_counted_with_leap_years() {
        let unix_epoch = days_before(1970, 1);
        for (year, month, since_epoch) in [(2000, 3, 11_017), (2024, 1, 19_723), (2100, 3, 47_541)]
        {
            assert_eq!(days_before(year, month) - unix_epoch, since_epoch);
        }
        assert_eq!(Created::parse("0001-01-01T00:00:00Z"), Ok(Created::UNKNOWN));
    }

    #[test]
    fn times_of_the_year_are_ordered() {
        let texts = [
            "0000-01-01T00:00:00Z",
            "1999-12-31T23:59:59.999999999Z",
            "2000-02-29T00:00:00+23:59",
            "2000-02-28T00:30:00-00:30",
            "2000-02-29T00:00:00.000000000999Z",
            "2000-02-29T00:00:00.1Z",
            "9999-12-31T23:59:59-23:59",
        ];
        let times: Vec<_> = texts
            .iter()
            .map(|text| Created::parse(text).unwrap())
            .collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let texts = [
            "",
            "2024",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00z",
            "2024-01-01T00:00:00Zx",
            "2024-01-01T00:00:00+1:00",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-0éT00:00:00Z",
        ];
        for text in texts {
            assert!(Created::parse(text).is_err(), "{text}");
        }
    }
}
