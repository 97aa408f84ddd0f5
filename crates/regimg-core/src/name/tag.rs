//! A movable name for an image.

use std::{fmt, str::FromStr};

use super::error::{Kind, ParseReferenceError, Part};

/// A movable name for an image within its repository.
///
/// It follows the [distribution specification]: 1 to 128 of the characters
/// `A-Za-z0-9._-`, the first of them neither a dot nor a hyphen.
///
/// ```
/// use regimg_core::Tag;
///
/// assert_eq!(Tag::parse("3.20-alpine").unwrap().as_str(), "3.20-alpine");
/// assert!(Tag::parse("1.0.0+build").is_err());
/// assert_eq!(Tag::latest().as_str(), "latest");
/// ```
///
/// [distribution specification]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    const MAX: usize = 128;

    /// Reads a tag.
    ///
    /// # Errors
    ///
    /// Says which of the rules above is broken.
    pub fn parse(tag: &str) -> Result<Self, ParseReferenceError> {
        Self::from_text(tag).map_err(|kind| ParseReferenceError::new(tag, kind))
    }

    /// Returns `latest`, the tag meant when none is given.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// Returns the tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_text(tag: &str) -> Result<Self, Kind> {
        let part = Part::Tag;
        let Some(first) = tag.chars().next() else {
            return Err(Kind::Empty(part));
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(found) = tag.chars().find(|&c| !allowed(c)) {
            return Err(Kind::Character { part, found });
        }
        if matches!(first, '.' | '-') {
            return Err(Kind::TagStart(first));
        }
        let (min, max) = (1, Self::MAX);
        if tag.len() > max {
            return Err(Kind::Length { part, min, max });
        }
        Ok(Self(tag.to_owned()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ParseReferenceError;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        Self::parse(tag)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
