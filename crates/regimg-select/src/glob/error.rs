//! Why a text is not a path with wildcards.

use std::{error, fmt};

/// Says why a text is not a [`Glob`](super::Glob) or a [`Wildcard`](super::Wildcard).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseGlobError(Fault);

/// What is wrong with a text that is not a [`Glob`](super::Glob).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseGlobErrorKind {
    /// A name is malformed: `[a`, `[]`, `[a-]`, `a\`.
    Syntax,
    /// The path leads out of the directory that it is below: `../a`, `a/../../b`.
    Outside,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Holds the name.
    Syntax(String),
    Outside,
}

impl ParseGlobError {
    pub(super) fn new(fault: Fault) -> Self {
        Self(fault)
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ParseGlobErrorKind {
        match self.0 {
            Fault::Syntax(_) => ParseGlobErrorKind::Syntax,
            Fault::Outside => ParseGlobErrorKind::Outside,
        }
    }

    /// Returns the name that is malformed, if that is what is wrong.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Fault::Syntax(name) => Some(name),
            Fault::Outside => None,
        }
    }
}

/// Compat: people search for the text of the Go resource, so it is kept.
impl fmt::Display for ParseGlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Fault::Syntax(_) => "syntax error in pattern",
            Fault::Outside => "the path leads out of the directory",
        })
    }
}

impl error::Error for ParseGlobError {}
