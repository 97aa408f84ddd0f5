//! The last step of selection: is the tag that is named after no version one itself?

use std::collections::BTreeMap;

use regimg_core::{Digest, Tag};

use crate::Version;

/// The versions, up to one last question.
///
/// The tag that is named after no version is one itself only if no other tag has its
/// image. Those that the cursor left out were not looked at, so if it comes down to
/// them, they are asked for now.
#[derive(Clone, Debug)]
pub struct Resolved {
    versions: Vec<Version>,
    /// The tag that is named after no version, unless it is known to be an alias.
    bare: Option<Version>,
    /// What the cursor left out, highest version first.
    skipped: Vec<Tag>,
}

impl Resolved {
    pub(crate) fn new(versions: Vec<Version>, bare: Option<Version>, skipped: Vec<Tag>) -> Self {
        Self {
            versions,
            bare,
            skipped,
        }
    }

    /// Lists the tags of which [`versions`](Self::versions) has to know the digest.
    /// Mostly there are none.
    ///
    /// They may all be asked for at once. Who asks for some at a time, in this order, may
    /// stop at the first answer that [settles](Self::is_settled_by) the question.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        let in_doubt = self.bare.is_some();
        self.skipped.iter().filter(move |_| in_doubt)
    }

    /// Reports whether one of the [tags](Self::tags) that points at `digest` makes the
    /// others irrelevant.
    pub fn is_settled_by(&self, digest: &Digest) -> bool {
        self.bare
            .as_ref()
            .is_some_and(|bare| bare.digest == *digest)
    }

    /// Lists the versions, oldest first.
    pub fn versions(self, digests: &BTreeMap<Tag, Digest>) -> Vec<Version> {
        let mut skipped = self.skipped.iter().filter_map(|tag| digests.get(tag));
        let mut is_alias = |bare: &Version| skipped.any(|digest| *digest == bare.digest);
        let mut versions = self.versions;
        versions.extend(self.bare.filter(|bare| !is_alias(bare)));
        versions
    }
}
