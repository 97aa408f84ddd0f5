//! A movable name of an image.

use std::fmt;
use std::str::FromStr;

use super::ParseReferenceError;

/// Names an image inside a repository until somebody moves the name.
///
/// Source: OCI distribution specification, "Pulling manifests":
/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    ///
    /// No characters, more than 128, or others than a tag may have.
    pub fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        let failed = |problem: String| Err(ParseReferenceError::new("tag", text, problem));
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.chars().next() {
            None => return failed("is empty".to_owned()),
            Some(first) if !is_word(first) => {
                return failed(format!(
                    "begins with {first:?}, not with a letter, a digit or '_'"
                ));
            }
            Some(_) => {}
        }
        if let Some(other) = text
            .chars()
            .find(|c| !is_word(*c) && !matches!(c, '.' | '-'))
        {
            return failed(format!(
                "{other:?} is not one of a-z, A-Z, 0-9, '_', '-', '.'"
            ));
        }
        if text.len() > 128 {
            return failed(format!(
                "has {} characters, a tag has 128 at most",
                text.len()
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the tag that is meant when none is written: `latest`.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        Self::parse(text)
    }
}
