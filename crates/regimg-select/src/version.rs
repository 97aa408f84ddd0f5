//! What selection answers.

use regimg_core::{Digest, Tag};

/// Names one version of an image: a tag and the digest it pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The tag.
    pub tag: Tag,
    /// The digest.
    pub digest: Digest,
}
