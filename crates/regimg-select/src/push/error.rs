//! Why it is not known under which tags to push.

use std::{error, fmt};

use regimg_core::ParseReferenceError;

use crate::{ParseSemverError, ParseSemverErrorKind, quote::Quoted};

/// Says why it is not known under which tags to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushError(Fault);

/// What is wrong with the tags to push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PushErrorKind {
    /// The version does not look like one.
    InvalidVersion,
    /// The version looks like one but cannot be read; the cause is in `source()`.
    Version,
    /// There is a prefix for additional tags, but no additional tag.
    PrefixAlone,
    /// There is no tag.
    NoTag,
    /// No registry can have such a tag; the cause is in `source()`.
    IllegalTag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Holds the text.
    InvalidVersion(String),
    Version(ParseSemverError),
    PrefixAlone,
    NoTag,
    IllegalTag(ParseReferenceError),
}

impl Fault {
    pub(super) fn version(text: &str, cause: ParseSemverError) -> Self {
        match cause.kind() {
            ParseSemverErrorKind::Invalid => Self::InvalidVersion(text.to_owned()),
            _ => Self::Version(cause),
        }
    }
}

impl From<Fault> for PushError {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl PushError {
    /// Returns what is wrong.
    pub fn kind(&self) -> PushErrorKind {
        match self.0 {
            Fault::InvalidVersion(_) => PushErrorKind::InvalidVersion,
            Fault::Version(_) => PushErrorKind::Version,
            Fault::PrefixAlone => PushErrorKind::PrefixAlone,
            Fault::NoTag => PushErrorKind::NoTag,
            Fault::IllegalTag(_) => PushErrorKind::IllegalTag,
        }
    }
}

/// Compat: people search for the texts of the Go resource, so they are kept.
impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Fault::InvalidVersion(text) => write!(f, "invalid semantic version: {}", Quoted(text)),
            Fault::Version(_) => f.write_str("failed to parse version"),
            Fault::PrefixAlone => {
                f.write_str("tag_prefix can only be used when additional_tags are specified")
            }
            Fault::NoTag => f.write_str(
                "no tag specified - need either 'version:' in params or 'tag:' in source",
            ),
            Fault::IllegalTag(_) => f.write_str("illegal tag"),
        }
    }
}

impl error::Error for PushError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0 {
            Fault::Version(cause) => Some(cause),
            Fault::IllegalTag(cause) => Some(cause),
            Fault::InvalidVersion(_) | Fault::PrefixAlone | Fault::NoTag => None,
        }
    }
}
