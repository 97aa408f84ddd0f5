//! The steps of selection, between which the registry is asked.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use regimg_core::{Digest, Tag};

use crate::{Cursor, Resolved, Version, scheme::Ranked};

/// The tags that may be wanted, before it is known what they point at.
///
/// Besides the tags it holds nothing: a repository of 100,000 tags of which three match
/// costs three.
#[derive(Clone, Debug)]
pub struct Candidates {
    pub(crate) rule: Rule,
    /// In the order in which aliases are decided: as listed, but the cursor's tag first.
    pub(crate) wanted: Vec<Candidate>,
    /// The first candidate's digest, if it is known from the cursor.
    known: Option<Digest>,
    /// What the cursor left out, highest version first; empty if nobody will ask.
    skipped: Vec<Tag>,
    /// The tag that is named after no version, if it is listed and wanted.
    pub(crate) bare: Option<Tag>,
    pub(crate) illegal: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) tag: Tag,
    /// There is one unless the rule is to keep the registry's order.
    pub(crate) version: Option<Ranked>,
}

/// Says which candidates become versions, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// One version for each digest, by precedence.
    OnePerImage,
    /// All, by precedence.
    ByVersion,
    /// All, as listed.
    AsListed,
}

impl Rule {
    /// Reports whether a candidate is wanted although its version was reported before,
    /// or one above it; `order` is how it compares with that one. One image has one
    /// version, but where all are wanted, those of equal precedence are different ones.
    pub(crate) fn wants(self, order: Ordering) -> bool {
        match self {
            Self::OnePerImage => order.is_gt(),
            Self::ByVersion => order.is_ge(),
            Self::AsListed => true,
        }
    }
}

impl Candidates {
    pub(crate) fn new(rule: Rule) -> Self {
        Self {
            rule,
            wanted: Vec::new(),
            known: None,
            skipped: Vec::new(),
            bare: None,
            illegal: Vec::new(),
        }
    }

    /// Reports whether it matters what the cursor's tag points at, so that somebody has
    /// to ask for its digest and call [`after`](Self::after).
    ///
    /// It does not if the tag is not wanted any more or if versions are not compared.
    pub fn need(&self, cursor: &Cursor) -> bool {
        self.position(cursor).is_some()
    }

    fn position(&self, cursor: &Cursor) -> Option<usize> {
        let mut candidates = self.wanted.iter();
        candidates
            .position(|candidate| candidate.tag == cursor.tag)
            .filter(|_| self.rule != Rule::AsListed)
    }

    /// Leaves out what is not above the cursor, whose tag points at `digest` now.
    ///
    /// If the tag was moved, everything is reported anew; it is only first among its
    /// aliases. If it is gone (`None`), it is left out itself. If it is not
    /// [needed](Self::need), nothing happens.
    #[must_use]
    pub fn after(mut self, cursor: &Cursor, digest: Option<Digest>) -> Self {
        let Some(position) = self.position(cursor) else {
            return self;
        };
        let current = self.wanted.remove(position);
        self.known = None;
        let Some(digest) = digest else {
            return self;
        };
        if cursor.digest.as_ref() == Some(&digest) {
            self.skip_below(&current);
        }
        self.wanted.insert(0, current);
        self.known = Some(digest);
        self
    }

    /// Skips what is not above `current`.
    fn skip_below(&mut self, current: &Candidate) {
        let above = |candidate: &Candidate| self.rule.wants(candidate.cmp_precedence(current));
        let candidates = std::mem::take(&mut self.wanted);
        let (above, mut skipped) = candidates.into_iter().partition::<Vec<_>, _>(above);
        self.wanted = above;
        if self.bare.is_some() {
            skipped.sort_by(|left, right| right.cmp_order(left));
            let skipped = skipped.into_iter().map(|skipped| skipped.tag);
            self.skipped.extend(skipped);
        }
    }

    /// Lists the tags of which [`resolve`](Self::resolve) has to know the digest, in no
    /// order that matters: they may all be asked for at once.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        let known = usize::from(self.known.is_some());
        let candidates = self.wanted[known..].iter();
        candidates.map(|candidate| &candidate.tag).chain(&self.bare)
    }

    /// Lists the tags that would be candidates but cannot be asked for, because no
    /// registry can have them: too long, or with characters like `+`.
    pub fn illegal_tags(&self) -> &[String] {
        &self.illegal
    }

    /// Decides which candidates are versions. A tag without a digest does not exist any
    /// more and is left out.
    pub fn resolve(self, digests: &BTreeMap<Tag, Digest>) -> Resolved {
        let mut known = self.known;
        let digest = |tag: &Tag| known.take().or_else(|| digests.get(tag).cloned());
        let mut found: Vec<Found> = Found::all(self.wanted, digest);
        if self.rule == Rule::OnePerImage {
            found = one_per_image(found);
        }
        if self.rule != Rule::AsListed {
            found.sort_by(|left, right| left.candidate.cmp_order(&right.candidate));
        }
        let bare = self.bare.and_then(|tag| {
            let digest = digests.get(&tag)?.clone();
            let alone = found.iter().all(|found| found.digest != digest);
            alone.then_some(Version { tag, digest })
        });
        let versions = found.into_iter().map(Found::version).collect();
        Resolved::new(versions, bare, self.skipped)
    }
}

impl Candidate {
    pub(crate) fn cmp_precedence(&self, other: &Self) -> Ordering {
        match (&self.version, &other.version) {
            (Some(left), Some(right)) => left.cmp_precedence(right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        }
    }

    /// Orders all candidates: no two are equal, so the result does not depend on the
    /// order in which they came.
    fn cmp_order(&self, other: &Self) -> Ordering {
        let specificity = |candidate: &Self| candidate.version.as_ref().map(Ranked::specificity);
        self.cmp_precedence(other)
            .then_with(|| specificity(self).cmp(&specificity(other)))
            .then_with(|| self.tag.cmp(&other.tag))
    }

    fn rank(&self) -> Option<(bool, usize)> {
        self.version.as_ref().map(Ranked::rank)
    }
}

/// A candidate that exists.
struct Found {
    candidate: Candidate,
    digest: Digest,
}

impl Found {
    fn all(
        candidates: Vec<Candidate>,
        mut digest: impl FnMut(&Tag) -> Option<Digest>,
    ) -> Vec<Self> {
        let found = |candidate: Candidate| {
            let digest = digest(&candidate.tag)?;
            Some(Self { candidate, digest })
        };
        candidates.into_iter().filter_map(found).collect()
    }

    fn version(self) -> Version {
        Version {
            tag: self.candidate.tag,
            digest: self.digest,
        }
    }
}

/// Keeps the tag that tells most about each image; the first one among equals.
fn one_per_image(found: Vec<Found>) -> Vec<Found> {
    let mut winners: Vec<Found> = Vec::new();
    let mut positions: HashMap<Digest, usize> = HashMap::new();
    for newcomer in found {
        let position = *positions
            .entry(newcomer.digest.clone())
            .or_insert(winners.len());
        match winners.get_mut(position) {
            None => winners.push(newcomer),
            Some(holder) if newcomer.candidate.rank() > holder.candidate.rank() => {
                *holder = newcomer;
            }
            Some(_) => {}
        }
    }
    winners
}
