//! The tags under which an image is pushed, all of them legal.

use std::{collections::HashSet, fmt};

use regimg_core::Tag;

use super::{PushError, error::Fault};

/// The tags to push, of which there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTags {
    first: Tag,
    /// All of them, in the order in which they are reported.
    tags: Vec<(Role, Tag)>,
}

/// Where a tag comes from. The order is that of pushing: what others may look for by a
/// version is there before aliases move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Version,
    Source,
    Additional,
    Alias,
}

impl PushTags {
    pub(super) fn new(tags: impl Iterator<Item = (Role, String)>) -> Result<Self, PushError> {
        let legal = |(role, text): (Role, String)| match Tag::parse(&text) {
            Ok(tag) => Ok((role, tag)),
            Err(cause) => Err(PushError::from(Fault::IllegalTag(cause))),
        };
        let tags: Vec<_> = tags.map(legal).collect::<Result<_, _>>()?;
        let (_, first) = tags.first().ok_or(Fault::NoTag)?;
        Ok(Self {
            first: first.clone(),
            tags,
        })
    }

    /// Returns the tag that is reported as the version.
    pub fn first(&self) -> &Tag {
        &self.first
    }

    /// Lists all tags in the order in which they are reported: as they were asked for, so
    /// some may be repeated.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter().map(|(_, tag)| tag)
    }

    /// Lists the tags in the order in which to push them, each once: the version before
    /// what is merely a name, and last the aliases, which move.
    pub fn in_push_order(&self) -> impl Iterator<Item = &Tag> {
        let mut tags: Vec<_> = self.tags.iter().collect();
        tags.sort_by_key(|(role, _)| *role);
        let mut seen = HashSet::new();
        let tags = tags.into_iter().map(|(_, tag)| tag);
        tags.filter(move |tag| seen.insert(*tag))
    }
}

/// Joins the tags by spaces, as they are reported.
impl fmt::Display for PushTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, tag) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{tag}")?;
        }
        Ok(())
    }
}
