//! The first step of selection: which of the tags that a registry lists may be wanted?

use std::collections::HashSet;

use regimg_core::Tag;

use crate::{
    Candidates, Cursor, Policy, Refusal,
    candidates::{Candidate, Rule},
    scheme::Ranked,
};

impl Policy {
    /// Picks the tags that may be wanted; `tags` are in the registry's order.
    ///
    /// Repeated tags count once. Tags that are no legal ones count only for
    /// [`Candidates::illegal_tags`].
    pub fn candidates<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Candidates {
        let mut listing = self.listing(None);
        tags.into_iter().for_each(|tag| listing.take(tag.as_ref()));
        listing.finish()
    }

    /// Picks the tags that may be wanted from pages as they arrive, so that digests can be
    /// asked for while the registry still lists.
    pub fn listing(&self, cursor: Option<&Cursor>) -> Listing<'_> {
        Listing {
            policy: self,
            least: cursor.and_then(|cursor| self.least(cursor)),
            seen: HashSet::new(),
            candidates: Candidates::new(self.rule()),
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Versions(_) => Rule::OnePerImage,
            Self::Captures(_) => Rule::ByVersion,
            Self::Matches(_) => Rule::AsListed,
        }
    }

    /// Returns what the cursor stands for if something may be left out because of it.
    fn least(&self, cursor: &Cursor) -> Option<Candidate> {
        cursor.digest.as_ref()?;
        match self.pick(cursor.tag.as_str()).ok()? {
            Pick::Version(version) => Some(Candidate {
                tag: cursor.tag.clone(),
                version: Some(version),
            }),
            Pick::Bare | Pick::Match => None,
        }
    }

    /// Decides about one tag.
    pub(crate) fn pick(&self, tag: &str) -> Result<Pick, Refusal> {
        let pick = match self {
            // Compat: with a constraint, the tag named after no version is not wanted.
            Self::Versions(policy) if tag == policy.bare() => match policy.constraint {
                None => Pick::Bare,
                Some(_) => return Err(Refusal::NoVersion),
            },
            Self::Versions(policy) => Pick::Version(policy.version(tag)?),
            Self::Captures(policy) => Pick::Version(policy.version(tag)?),
            Self::Matches(policy) if policy.pattern.is_match(tag) => Pick::Match,
            Self::Matches(_) => return Err(Refusal::NoMatch),
        };
        if self.excludes(tag) {
            return Err(Refusal::Excluded);
        }
        Ok(pick)
    }

    fn excludes(&self, tag: &str) -> bool {
        let exclude = match self {
            Self::Versions(policy) => &policy.exclude,
            Self::Captures(policy) => &policy.exclude,
            Self::Matches(policy) => &policy.exclude,
        };
        let mut exclude = exclude.iter();
        exclude.any(|pattern| pattern.is_match(tag))
    }
}

/// Why a tag is picked.
pub(crate) enum Pick {
    Version(Ranked),
    Bare,
    Match,
}

/// The tags of a repository, as far as its registry has listed them.
///
/// ```
/// use regimg_select::{Policy, VersionPolicy};
///
/// let policy = Policy::Versions(VersionPolicy::default());
/// let mut listing = policy.listing(None);
/// for page in [["1.0", "nightly"], ["1.0", "1.1"]] {
///     let certain = listing.add(page);
///     // Requests for the digests of these may start now.
///     assert_eq!(certain.len(), 1);
/// }
/// let candidates = listing.finish();
/// assert!(candidates.tags().map(|tag| tag.as_str()).eq(["1.0", "1.1"]));
/// ```
///
/// However the tags are spread over pages, the candidates are those of
/// [`Policy::candidates`]. Which digests are certain to be needed before all is listed:
///
/// | Tag | Certain |
/// | --- | --- |
/// | every candidate, without a cursor | at once |
/// | every candidate, if the cursor's tag is not wanted (any more) or has no digest | at once |
/// | the cursor's own tag | as soon as it is listed |
/// | candidates above the cursor's version | at once |
/// | all others | only when the cursor's tag is known to have moved, or not to be listed |
/// | the tag that is named after no version | at once |
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    policy: &'a Policy,
    /// What the cursor stands for; candidates that are not above it have to wait.
    least: Option<Candidate>,
    /// The candidates' texts. A registry may list a tag again on another page.
    seen: HashSet<Box<str>>,
    candidates: Candidates,
}

impl Listing<'_> {
    /// Takes the tags of one page, in their order, and returns those of which the digest
    /// is needed whatever is still to come. No tag is returned twice.
    pub fn add<T: AsRef<str>>(&mut self, page: impl IntoIterator<Item = T>) -> Vec<&Tag> {
        let known = self.candidates.wanted.len();
        let bare_is_known = self.candidates.bare.is_some();
        page.into_iter().for_each(|tag| self.take(tag.as_ref()));
        let new = self.candidates.wanted[known..].iter();
        let certain = new.filter(|candidate| self.is_certain(candidate));
        let bare = self.candidates.bare.iter().filter(|_| !bare_is_known);
        certain
            .map(|candidate| &candidate.tag)
            .chain(bare)
            .collect()
    }

    /// Ends the listing.
    pub fn finish(self) -> Candidates {
        self.candidates
    }

    fn take(&mut self, text: &str) {
        let Ok(pick) = self.policy.pick(text) else {
            return;
        };
        if !self.seen.insert(text.into()) {
            return;
        }
        let Ok(tag) = Tag::parse(text) else {
            self.candidates.illegal.push(text.to_owned());
            return;
        };
        let version = match pick {
            Pick::Version(version) => Some(version),
            Pick::Match => None,
            Pick::Bare => {
                self.candidates.bare = Some(tag);
                return;
            }
        };
        self.candidates.wanted.push(Candidate { tag, version });
    }

    fn is_certain(&self, candidate: &Candidate) -> bool {
        self.least.as_ref().is_none_or(|least| {
            let order = candidate.cmp_precedence(least);
            candidate.tag == least.tag || self.candidates.rule.wants(order)
        })
    }
}
