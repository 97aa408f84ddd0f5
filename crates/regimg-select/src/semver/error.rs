//! Why a text is not a version.

use std::{error, fmt};

use super::Semver;

/// Says why a text is not a [`Semver`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSemverError(Fault);

/// What is wrong with a text that is not a [`Semver`]. Only the first fault is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseSemverErrorKind {
    /// It has more than [`Semver::MAX_LENGTH`] bytes.
    TooLong,
    /// It does not look like a version.
    Invalid,
    /// A number is greater than [`u64::MAX`].
    Overflow,
    /// A numeric identifier of the pre-release starts with a zero.
    PreReleaseLeadingZero,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLong,
    Invalid,
    /// Holds the digits.
    Overflow(String),
    LeadingZero,
}

impl ParseSemverError {
    pub(super) fn new(fault: Fault) -> Self {
        Self(fault)
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ParseSemverErrorKind {
        match self.0 {
            Fault::TooLong => ParseSemverErrorKind::TooLong,
            Fault::Invalid => ParseSemverErrorKind::Invalid,
            Fault::Overflow(_) => ParseSemverErrorKind::Overflow,
            Fault::LeadingZero => ParseSemverErrorKind::PreReleaseLeadingZero,
        }
    }
}

/// Compat: people search for the texts of the Go resource, so they are kept.
impl fmt::Display for ParseSemverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::TooLong => {
                let max = Semver::MAX_LENGTH;
                write!(f, "version string is too long (max {max} bytes)")
            }
            Fault::Invalid => f.write_str("invalid semantic version"),
            Fault::Overflow(digits) => write!(
                f,
                "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"
            ),
            Fault::LeadingZero => f.write_str("version segment starts with 0"),
        }
    }
}

impl error::Error for ParseSemverError {}
