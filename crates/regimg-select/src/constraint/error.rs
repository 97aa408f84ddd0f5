//! Why a text is not a constraint.

use std::{error, fmt};

use super::Constraint;
use crate::{ParseSemverError, quote::Quoted};

/// Says why a text is not a [`Constraint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseConstraintError(Fault);

/// What is wrong with a text that is not a [`Constraint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseConstraintErrorKind {
    /// It has more than [`Constraint::MAX_LENGTH`] bytes.
    TooLong,
    /// It has more than [`Constraint::MAX_ALTERNATIVES`] alternatives.
    TooManyAlternatives,
    /// An alternative is not a list of comparisons.
    Improper,
    /// The version of a comparison is none, such as `1x`; the cause is in `source()`.
    Version,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLong,
    TooManyAlternatives,
    /// Holds the alternative.
    Improper(String),
    Version(ParseSemverError),
}

impl ParseConstraintError {
    pub(super) fn new(fault: Fault) -> Self {
        Self(fault)
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ParseConstraintErrorKind {
        match self.0 {
            Fault::TooLong => ParseConstraintErrorKind::TooLong,
            Fault::TooManyAlternatives => ParseConstraintErrorKind::TooManyAlternatives,
            Fault::Improper(_) => ParseConstraintErrorKind::Improper,
            Fault::Version(_) => ParseConstraintErrorKind::Version,
        }
    }
}

/// Compat: people search for the texts of the Go resource, so they are kept.
impl fmt::Display for ParseConstraintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::TooLong => {
                let max = Constraint::MAX_LENGTH;
                write!(f, "constraint string is too long (max {max} bytes)")
            }
            Fault::TooManyAlternatives => {
                let max = Constraint::MAX_ALTERNATIVES;
                write!(f, "too many constraint groups (max {max})")
            }
            Fault::Improper(text) => write!(f, "improper constraint: {}", Quoted(text)),
            Fault::Version(_) => f.write_str("constraint parser error"),
        }
    }
}

impl error::Error for ParseConstraintError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0 {
            Fault::Version(cause) => Some(cause),
            _ => None,
        }
    }
}
