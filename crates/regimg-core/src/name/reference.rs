//! A repository and which of its images is meant.

use std::fmt;
use std::str::FromStr;

use super::{ParseReferenceError, Repository, Tag};
use crate::Digest;

/// Names an image: `repository[:tag][@digest]`.
///
/// ```
/// use regimg_core::Reference;
///
/// let reference = Reference::parse("ghcr.io/a/b:1.2")?;
/// assert_eq!(reference.repository().to_string(), "ghcr.io/a/b");
/// assert_eq!(reference.identifier().to_string(), "1.2");
/// assert_eq!(Reference::parse("alpine")?.identifier().to_string(), "latest");
/// # Ok::<(), regimg_core::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the repository, the tag or the digest.
    pub fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(parse_digest(text, digest)?)),
            None => (text, None),
        };
        // A colon before a slash belongs to a port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(Tag::parse(tag)?)),
            _ => (name, None),
        };
        Ok(Self {
            repository: Repository::parse(repository)?,
            tag,
            digest,
        })
    }

    /// Returns the repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tag, if one was written.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Returns the digest, if one was written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns what to ask a registry for: the digest, else the tag, else `latest`.
    pub fn identifier(&self) -> Identifier {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Identifier::Digest(digest.clone()),
            (None, Some(tag)) => Identifier::Tag(tag.clone()),
            (None, None) => Identifier::Tag(Tag::latest()),
        }
    }
}

fn parse_digest(reference: &str, digest: &str) -> Result<Digest, ParseReferenceError> {
    Digest::parse(digest)
        .map_err(|error| ParseReferenceError::new("reference", reference, error.to_string()))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        Self::parse(text)
    }
}

/// Says which image of a repository is meant: what stands after `/manifests/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// The image that a tag points at now.
    Tag(Tag),
    /// The image with these bytes.
    Digest(Digest),
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<Tag> for Identifier {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Identifier {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}
