//! Versions as tags write them: semantic versions with parts left out.

mod error;
#[cfg(feature = "semver")]
mod interop;
pub(crate) mod precedence;

use std::{cmp::Ordering, fmt, str::FromStr};

pub use error::{ParseSemverError, ParseSemverErrorKind};
#[cfg(feature = "semver")]
pub use interop::IntoSemverCrateError;

use crate::shape::Shape;
use error::Fault;

/// A semantic version, read as leniently as tags are written.
///
/// Beyond [semver.org]'s grammar a `v` may stand in front, the minor and the patch
/// number may be missing and numbers may have leading zeros. At most 256 bytes, and each
/// number at most [`u64::MAX`]. This is the grammar of [Masterminds/semver] v3.5.0.
///
/// ```
/// use regimg_select::Semver;
///
/// let version = Semver::parse("v1.02-rc.1")?;
/// assert_eq!(version.canonical().to_string(), "1.2.0-rc.1");
/// assert!(version.cmp_precedence(&Semver::parse("1.2")?).is_lt());
/// assert_eq!(Semver::parse("1.2.3.4").unwrap_err().to_string(), "invalid semantic version");
/// # Ok::<(), regimg_select::ParseSemverError>(())
/// ```
///
/// `==` compares the text. Whether two versions are the same to a reader of versions
/// (`1.0` and `v1.0.0`) is a question for [`cmp_precedence`](Self::cmp_precedence).
///
/// [semver.org]: https://semver.org/spec/v2.0.0.html
/// [Masterminds/semver]: https://github.com/Masterminds/semver/blob/v3.5.0/version.go
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Semver {
    text: Box<str>,
    numbers: [u64; 3],
    /// How many of the numbers are written.
    written: u8,
    /// Where the numbers end. At most 256, as all offsets here.
    core_end: u16,
    /// Where the pre-release ends; there is none if it equals `core_end`.
    pre_release_end: u16,
}

impl Semver {
    /// The most bytes that a version may have.
    pub const MAX_LENGTH: usize = 256;

    /// Reads a version, which must be the whole of `text`.
    ///
    /// # Errors
    ///
    /// [`ParseSemverErrorKind`] lists them, in the order in which they are looked for.
    pub fn parse(text: &str) -> Result<Self, ParseSemverError> {
        Self::read(text).map_err(ParseSemverError::new)
    }

    fn read(text: &str) -> Result<Self, Fault> {
        if text.len() > Self::MAX_LENGTH {
            return Err(Fault::TooLong);
        }
        let shape = Shape::of_prefix(text, |byte| byte.is_ascii_digit())
            .filter(|shape| shape.end == text.len())
            .ok_or(Fault::Invalid)?;
        let written = [Some(shape.major), shape.minor, shape.patch];
        let core_end = written.iter().flatten().last().map_or(0, |range| range.end);
        let mut numbers = [0; 3];
        for (number, range) in numbers.iter_mut().zip(written.iter().flatten()) {
            *number = precedence::number(&text[range.clone()])?;
        }
        let pre_release = shape.pre_release.map(|range| &text[range]);
        if pre_release.is_some_and(precedence::has_leading_zero) {
            return Err(Fault::LeadingZero);
        }
        let pre_release_end = core_end + pre_release.map_or(0, |text| 1 + text.len());
        Ok(Self {
            text: text.into(),
            numbers,
            written: u8::try_from(written.iter().flatten().count()).unwrap_or(3),
            core_end: offset(core_end),
            pre_release_end: offset(pre_release_end),
        })
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first number.
    pub fn major(&self) -> u64 {
        self.numbers[0]
    }

    /// Returns the second number; 0 if it is not written.
    pub fn minor(&self) -> u64 {
        self.numbers[1]
    }

    /// Returns the third number; 0 if it is not written.
    pub fn patch(&self) -> u64 {
        self.numbers[2]
    }

    /// Returns all three numbers.
    pub fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// Counts the numbers that are written: 1 to 3.
    pub fn written_numbers(&self) -> u8 {
        self.written
    }

    /// Returns what stands between the `-` and the metadata; empty for a final release.
    pub fn pre_release(&self) -> &str {
        let end = usize::from(self.pre_release_end);
        after_sign(&self.text[usize::from(self.core_end)..end])
    }

    /// Returns what stands after the `+`; empty if there is none.
    pub fn metadata(&self) -> &str {
        after_sign(&self.text[usize::from(self.pre_release_end)..])
    }

    /// Reports whether this is a pre-release.
    pub fn is_pre_release(&self) -> bool {
        self.pre_release_end > self.core_end
    }

    /// Reports whether a number is written with zeros in front, which
    /// [`canonical`](Self::canonical) leaves out: `2024.01.05`.
    pub fn has_leading_zeros(&self) -> bool {
        let core = &self.text[..usize::from(self.core_end)];
        let numbers = core.strip_prefix('v').unwrap_or(core).split('.');
        let mut padded = numbers.filter(|number| number.len() > 1 && number.starts_with('0'));
        padded.next().is_some()
    }

    /// Displays the version in full: three numbers without leading zeros and without
    /// `v`; pre-release and metadata as they are.
    pub fn canonical(&self) -> Canonical<'_> {
        Canonical(self)
    }

    /// Orders versions by [precedence]: the numbers, then final releases above
    /// pre-releases, then the pre-releases' identifiers. Metadata does not count.
    ///
    /// One detail is [Masterminds/semver]'s: a numeric identifier above [`u64::MAX`] is
    /// compared as text.
    ///
    /// [precedence]: https://semver.org/spec/v2.0.0.html#spec-item-11
    /// [Masterminds/semver]: https://github.com/Masterminds/semver/blob/v3.5.0/version.go
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| precedence::pre_releases(self.pre_release(), other.pre_release()))
    }
}

fn offset(offset: usize) -> u16 {
    u16::try_from(offset).expect("an offset in at most 256 bytes")
}

fn after_sign(text: &str) -> &str {
    text.get(1..).unwrap_or_default()
}

impl FromStr for Semver {
    type Err = ParseSemverError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Semver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Semver({})", self.text)
    }
}

/// Displays a [`Semver`] in full; see [`Semver::canonical`].
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a>(&'a Semver);

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Semver { text, numbers, .. } = self.0;
        let [major, minor, patch] = numbers;
        let tail = &text[usize::from(self.0.core_end)..];
        write!(f, "{major}.{minor}.{patch}{tail}")
    }
}
