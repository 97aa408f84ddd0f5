//! Conversions for those who live in the `semver` crate.

use std::{error, fmt};

use super::{ParseSemverError, Semver};

/// Says that the `semver` crate does not accept a version's pre-release or metadata.
///
/// Its grammar is as wide as ours there, so that this is not known to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntoSemverCrateError {
    message: String,
}

impl fmt::Display for IntoSemverCrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for IntoSemverCrateError {}

/// The result is what [`Semver::canonical`] displays. The `semver` crate has no limit for
/// numeric identifiers and orders by metadata too, so that its `Ord` is not
/// [`Semver::cmp_precedence`].
impl TryFrom<&Semver> for semver::Version {
    type Error = IntoSemverCrateError;

    fn try_from(version: &Semver) -> Result<Self, Self::Error> {
        let [major, minor, patch] = version.numbers();
        let refused = |error: semver::Error| IntoSemverCrateError {
            message: error.to_string(),
        };
        Ok(Self {
            major,
            minor,
            patch,
            pre: semver::Prerelease::new(version.pre_release()).map_err(refused)?,
            build: semver::BuildMetadata::new(version.metadata()).map_err(refused)?,
        })
    }
}

/// Fails only for a version of more than [`Semver::MAX_LENGTH`] bytes.
impl TryFrom<&semver::Version> for Semver {
    type Error = ParseSemverError;

    fn try_from(version: &semver::Version) -> Result<Self, Self::Error> {
        Self::parse(&version.to_string())
    }
}
