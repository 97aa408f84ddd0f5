//! What can go wrong, in the words that people see.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::protocol::DecodeError;

/// An error of any kind, to be wrapped.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// Says why a command failed. `Display` is this level alone; `describe` joins it
/// with its causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Stdin did not hold a request.
    #[error("invalid payload")]
    Payload(#[source] DecodeError),
    /// The directory of the step is missing on the command line. Compat: the text is
    /// the same for `in` and `out`.
    #[error("destination path not specified")]
    MissingDirectory,
    /// A field of the request holds something that cannot be meant.
    #[error("{field}: {problem}")]
    Field {
        /// The field's path in the request, such as `source.username`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The format is none of the known ones.
    #[error("unknown format provided, must be one of 'rootfs', 'oci', 'oci-layout: {0}")]
    UnknownFormat(String),
    /// Nothing says under which tag to push.
    #[error("no tag specified - need either 'version:' in params or 'tag:' in source")]
    NoTag,
    /// The image of a put step does not exist.
    #[error("no files match glob '{0}'")]
    NoImage(String),
    /// There is more than one image of a put step.
    #[error("too many files/directories match glob '{glob}': [{paths}]")]
    SeveralImages {
        /// What `params.image` holds.
        glob: String,
        /// What it matches.
        paths: String,
    },
    /// The tags of a put step cannot be meant.
    #[error(transparent)]
    Tags(#[from] regimg_select::PushError),
    /// A phase of the command failed for the reason given as its source.
    #[error("{phase}")]
    During {
        /// What was being done.
        phase: Cow<'static, str>,
        /// Why it failed.
        source: Cause,
    },
    /// A check took longer than anybody waits for one.
    #[error("gave up after {} minutes", .0.as_secs() / 60)]
    TooSlow(Duration),
    /// The program was told to end.
    #[error("interrupted by {0}")]
    Interrupted(Signal),
}

/// A signal that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What Concourse sends when a build is aborted.
    Terminate,
}

impl Signal {
    /// Returns the exit status by which shells tell a process that this signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

impl Error {
    /// Returns the exit status of the program: 1, or as a shell reports a process that
    /// a signal ended.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted(signal) => signal.exit_code(),
            _ => 1,
        }
    }
}

/// Adds to an error what was being done.
pub(crate) trait During<T> {
    /// Wraps an error so that it reads `<phase>: <error>`.
    fn during(self, phase: impl Into<Cow<'static, str>>) -> Result<T, Error>;
}

impl<T, E: Into<Cause>> During<T> for Result<T, E> {
    fn during(self, phase: impl Into<Cow<'static, str>>) -> Result<T, Error> {
        self.map_err(|error| Error::During {
            phase: phase.into(),
            source: error.into(),
        })
    }
}

/// Joins an error and its causes into one line.
pub(crate) fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // A transparent wrapper would otherwise say everything twice.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Finds the advice that belongs to an error, if one of its causes has some.
pub(crate) fn hint<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e str> {
    causes(error)
        .find_map(|error| error.downcast_ref::<regimg_registry::Error>())?
        .hint()
}

/// Says whether an error is this machine's, of its disk for example, so that another
/// registry would not cure it.
pub(crate) fn is_local(error: &(dyn StdError + 'static)) -> bool {
    let decisive = causes(error).find_map(|error| {
        // A registry's error may have one of the network below it.
        let remote = error.is::<regimg_registry::Error>().then_some(false);
        let local = error.is::<io::Error>() || error.is::<regimg_unpack::Error>();
        remote.or(local.then_some(true))
    });
    decisive.unwrap_or(false)
}

fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_read_from_the_outside_in() {
        let failed: Result<(), _> = Err(io::Error::other("no space left"));
        let error = failed
            .during("write rootfs")
            .during("download failed")
            .unwrap_err();
        assert_eq!(
            describe(&error),
            "download failed: write rootfs: no space left"
        );
    }
}
