//! A repository with the tag, the digest or both that pick an image in it.

use std::{fmt, str::FromStr};

use super::{
    Repository, Tag,
    error::{Kind, ParseReferenceError},
};
use crate::Digest;

/// A repository with the tag, the digest, or both, of an image in it.
///
/// ```
/// use regimg_core::Reference;
///
/// # fn main() -> Result<(), regimg_core::ParseReferenceError> {
/// let reference = Reference::parse("ghcr.io/team/app:1.2")?;
/// assert_eq!(reference.repository().to_string(), "ghcr.io/team/app");
/// assert_eq!(reference.identifier().to_string(), "1.2");
///
/// let reference = Reference::parse("alpine")?;
/// assert_eq!(reference.tag(), None);
/// assert_eq!(reference.identifier().to_string(), "latest");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// What picks a manifest in a repository: the text after `/manifests/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// The manifest that the tag points at now.
    Tag(Tag),
    /// The one manifest with this digest.
    Digest(Digest),
}

impl Reference {
    /// Reads `repository[:tag][@digest]`.
    ///
    /// A colon starts a tag when no slash follows it, so `localhost:5000` is
    /// Docker Hub's image `localhost` with the tag `5000`.
    ///
    /// # Errors
    ///
    /// Fails when a part breaks its own rules, which are those of
    /// [`Repository`], [`Tag`] and [`Digest`], and for a second `@`.
    pub fn parse(reference: &str) -> Result<Self, ParseReferenceError> {
        Self::from_text(reference).map_err(|kind| ParseReferenceError::new(reference, kind))
    }

    /// Puts a reference together from its parts.
    pub fn new(repository: Repository, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        Self {
            repository,
            tag,
            digest,
        }
    }

    /// Returns the repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tag, if one is written out.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Returns the digest, if one is written out.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns what to ask the registry for: the digest if there is one,
    /// otherwise the tag, otherwise `latest`.
    pub fn identifier(&self) -> Identifier {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Identifier::Digest(digest.clone()),
            (None, Some(tag)) => Identifier::Tag(tag.clone()),
            (None, None) => Identifier::Tag(Tag::latest()),
        }
    }

    fn from_text(reference: &str) -> Result<Self, Kind> {
        let (name, digest) = match reference.split_once('@') {
            Some((_, digest)) if digest.contains('@') => return Err(Kind::TwoDigests),
            Some((name, digest)) => (name, Some(Digest::parse(digest).map_err(Kind::Digest)?)),
            None => (reference, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(Tag::from_text(tag)?)),
            _ => (name, None),
        };
        Ok(Self::new(Repository::from_name(name)?, tag, digest))
    }
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

    fn from_str(reference: &str) -> Result<Self, Self::Err> {
        Self::parse(reference)
    }
}

impl Identifier {
    /// Reads a digest when there is a colon in the text, otherwise a tag.
    ///
    /// # Errors
    ///
    /// Fails when the text is neither.
    pub fn parse(identifier: &str) -> Result<Self, ParseReferenceError> {
        let parsed = if identifier.contains(':') {
            let digest = Digest::parse(identifier).map_err(Kind::Digest);
            digest.map(Self::Digest)
        } else {
            Tag::from_text(identifier).map(Self::Tag)
        };
        parsed.map_err(|kind| ParseReferenceError::new(identifier, kind))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Identifier {
    type Err = ParseReferenceError;

    fn from_str(identifier: &str) -> Result<Self, Self::Err> {
        Self::parse(identifier)
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
