//! Where something was found or went wrong: what every error names.

use std::fmt;

use super::document::Unreadable;
use super::trust::{TARGETS, to_witness};
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

    /// Makes an error of what is wrong with a file, with what to do about it.
    pub(super) fn judge<T>(&self, file: &str, found: Result<T, Flaw>) -> Result<T, Error> {
        found.map_err(|flaw| {
            let advice = self.advice(file, &flaw);
            self.flawed(file, flaw.kind(), flaw).with_hint(advice)
        })
    }

    fn advice(&self, file: &str, flaw: &Flaw) -> String {
        let Self { host, gun } = self;
        match flaw {
            Flaw::Expired(_) if file.starts_with(TARGETS) => to_witness(gun, file),
            Flaw::Expired(_) if file == "root.json" => {
                format!("the holder of the root key of {gun} has to publish a new one")
            }
            Flaw::Expired(_) => format!("{host} has to sign it anew; ask those who run it"),
            Flaw::Unreadable(Unreadable::Unknown(_)) => {
                "`notary addhash` or `docker trust sign` may understand it".to_owned()
            }
            Flaw::Unreadable(_) | Flaw::Kind(_) | Flaw::Version | Flaw::Date | Flaw::Missing(_) => {
                format!("see whether {host} is a notary server")
            }
            Flaw::Unsigned { .. } | Flaw::Misnamed(_) | Flaw::Length { .. } | Flaw::Hash(_) => {
                format!("somebody may have tampered with it; see what `notary list {gun}` says")
            }
        }
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
