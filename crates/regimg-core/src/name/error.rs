//! Why a name is none.

use std::fmt;

/// Says which name breaks which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseReferenceError {
    what: &'static str,
    input: String,
    problem: String,
}

impl ParseReferenceError {
    pub(super) fn new(what: &'static str, input: &str, problem: impl Into<String>) -> Self {
        Self {
            what,
            input: input.to_owned(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for ParseReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.what, self.input, self.problem)
    }
}

impl std::error::Error for ParseReferenceError {}
