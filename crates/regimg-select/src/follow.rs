//! Following one tag, wherever it is moved.

use regimg_core::{Digest, Tag};

use crate::Version;

/// Follows one tag from a cursor: the digest that was its newest version before.
///
/// ```
/// use regimg_core::{Algorithm, Digest, Tag};
/// use regimg_select::Follow;
///
/// let [old, new] = ["old", "new"].map(|text| Digest::of(Algorithm::Sha256, text.as_bytes()));
/// let follow = Follow::new(Tag::parse("stable")?, Some(old.clone()));
///
/// // The registry says that the tag points at `new`; so somebody has to ask for `old`.
/// let moved = follow.at(Some(new.clone()));
/// assert_eq!(moved.unknown(), Some(&old));
///
/// // It is still there: the old version, then the new one.
/// let digests: Vec<_> = moved.resolve(true).into_iter().map(|version| version.digest).collect();
/// assert_eq!(digests, [old, new]);
/// # Ok::<(), regimg_core::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Follow {
    tag: Tag,
    cursor: Option<Digest>,
}

impl Follow {
    /// Follows `tag` from `cursor` on.
    pub fn new(tag: Tag, cursor: Option<Digest>) -> Self {
        Self { tag, cursor }
    }

    /// Takes what the tag points at now; none if there is no such tag.
    pub fn at(self, current: Option<Digest>) -> Followed {
        let cursor = self
            .cursor
            .filter(|cursor| current.is_some() && current.as_ref() != Some(cursor));
        Followed {
            tag: self.tag,
            cursor,
            current,
        }
    }
}

/// A tag of which is known what it points at.
#[derive(Clone, Debug)]
pub struct Followed {
    tag: Tag,
    cursor: Option<Digest>,
    current: Option<Digest>,
}

impl Followed {
    /// Names the digest of which has to be known whether it still exists, if there is
    /// one: asking for it costs a request, and mostly the tag has not moved.
    pub fn unknown(&self) -> Option<&Digest> {
        self.cursor.as_ref()
    }

    /// Lists the versions, oldest first: the cursor's while it exists, then the current
    /// one. All have the tag that is followed. A tag that does not exist has none.
    pub fn resolve(self, cursor_exists: bool) -> Vec<Version> {
        let cursor = self.cursor.filter(|_| cursor_exists);
        let digests = cursor.into_iter().chain(self.current);
        digests
            .map(|digest| Version {
                tag: self.tag.clone(),
                digest,
            })
            .collect()
    }
}
