//! Where something was found or went wrong: what every error names.

use std::fmt;

use super::verify::Flaw;
use crate::{Error, ErrorKind, envelope};

/// A repository at a notary server.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) gun: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.gun, self.host)
    }
}

impl Place {
    /// Makes an error that ends with the repository.
    pub(super) fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("{what} {self}"))
    }

    /// Makes an error about one of its files.
    pub(super) fn flawed(&self, file: &str, kind: ErrorKind, how: impl fmt::Display) -> Error {
        let file = envelope::clean(file);
        Error::new(kind, format!("the file {file} of {self} {how}"))
    }

    /// Makes an error of what is wrong with a file.
    pub(super) fn judge<T>(&self, file: &str, found: Result<T, Flaw>) -> Result<T, Error> {
        found.map_err(|flaw| self.flawed(file, flaw.kind(), flaw))
    }

    /// Says what a request was for, and keeps what else is known.
    pub(super) fn failed(&self, what: &str, cause: Error) -> Error {
        let codes: Vec<String> = cause.codes().map(str::to_owned).collect();
        let error = self.error(cause.kind(), what).with_codes(codes);
        let error = error.with_attempts(cause.attempts());
        let error = match cause.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        let error = match cause.patience() {
            Some(patience) => error.with_patience(patience),
            None => error,
        };
        error.with_source(cause)
    }
}
