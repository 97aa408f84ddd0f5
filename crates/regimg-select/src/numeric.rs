//! Versions of any number of numbers: dates, builds, four parts.

use std::{cmp::Ordering, error, fmt, str::FromStr};

use crate::{quote::Quoted, semver::precedence, shape::is_identifier};

/// A version that consists of numbers: `2024.01.05`, `1.2.3.4`, `v2024-01-05_2`.
///
/// The numbers are separated by `.`, `-` or `_`; each is at most [`u64::MAX`]. A `v` may
/// stand in front. After a `-`, a pre-release may follow that begins with a letter:
/// `1.2.3.4-rc.1`. At most 256 bytes.
///
/// ```
/// use regimg_select::NumericVersion;
///
/// let version = NumericVersion::parse("2024.01.05-rc.1")?;
/// assert_eq!(version.numbers(), [2024, 1, 5]);
/// assert_eq!(version.pre_release(), "rc.1");
/// assert!(version.cmp_precedence(&NumericVersion::parse("2024-01-05")?).is_lt());
/// # Ok::<(), regimg_select::ParseNumericVersionError>(())
/// ```
///
/// As for [`Semver`](crate::Semver), `==` compares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NumericVersion {
    text: Box<str>,
    numbers: Box<[u64]>,
    /// Where the pre-release starts, which is the end if there is none.
    pre_release: usize,
}

impl NumericVersion {
    /// The most bytes that a version may have.
    pub const MAX_LENGTH: usize = 256;

    /// Reads a version, which must be the whole of `text`.
    ///
    /// # Errors
    ///
    /// Fails if `text` is no such version.
    pub fn parse(text: &str) -> Result<Self, ParseNumericVersionError> {
        Self::read(text).ok_or_else(|| ParseNumericVersionError(text.to_owned()))
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_LENGTH {
            return None;
        }
        let mut numbers = Vec::new();
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        loop {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            numbers.push(rest[..digits].parse().ok()?);
            rest = &rest[digits..];
            match rest.strip_prefix(['.', '-', '_']) {
                Some(next) if next.starts_with(|next: char| next.is_ascii_digit()) => rest = next,
                _ => break,
            }
        }
        let pre_release = match rest.strip_prefix('-') {
            Some(pre_release) => Some(pre_release).filter(|text| is_pre_release(text))?,
            None => Some(rest).filter(|rest| rest.is_empty())?,
        };
        Some(Self {
            text: text.into(),
            numbers: numbers.into(),
            pre_release: text.len() - pre_release.len(),
        })
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the numbers, of which there is at least one.
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Returns the pre-release; empty for a final release.
    pub fn pre_release(&self) -> &str {
        &self.text[self.pre_release..]
    }

    /// Reports whether this is a pre-release.
    pub fn is_pre_release(&self) -> bool {
        self.pre_release < self.text.len()
    }

    /// Orders versions by their numbers, where missing ones are 0, then as
    /// [`Semver::cmp_precedence`](crate::Semver::cmp_precedence) does by pre-release.
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        significant(&self.numbers)
            .cmp(significant(&other.numbers))
            .then_with(|| precedence::pre_releases(self.pre_release(), other.pre_release()))
    }
}

/// Leaves out zeros at the end.
fn significant(numbers: &[u64]) -> &[u64] {
    let length = numbers.iter().rposition(|&number| number != 0);
    &numbers[..length.map_or(0, |last| last + 1)]
}

fn is_pre_release(text: &str) -> bool {
    let mut identifiers = text.split('.');
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && identifiers.all(|text| !text.is_empty() && text.bytes().all(is_identifier))
}

impl FromStr for NumericVersion {
    type Err = ParseNumericVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for NumericVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for NumericVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumericVersion({})", self.text)
    }
}

/// Says that a text is not a [`NumericVersion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseNumericVersionError(String);

impl fmt::Display for ParseNumericVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a version of numbers", Quoted(&self.0))
    }
}

impl error::Error for ParseNumericVersionError {}
