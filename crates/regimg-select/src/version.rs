//! What selection answers, and what it goes on from.

use regimg_core::{Digest, Tag};

/// Names one version of an image: a tag and the digest it pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The tag.
    pub tag: Tag,
    /// The digest.
    pub digest: Digest,
}

/// Names the newest version that was reported before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The tag.
    pub tag: Tag,
    /// The digest; none if it is not known, so that nothing can be left out because of
    /// the cursor.
    pub digest: Option<Digest>,
}

impl From<Version> for Cursor {
    fn from(version: Version) -> Self {
        Self {
            tag: version.tag,
            digest: Some(version.digest),
        }
    }
}
