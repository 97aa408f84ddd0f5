//! A repository in memory, and `check` as a program does it: the pure steps, with a
//! question to the registry between them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use regimg_core::{Algorithm, Digest, Tag};
use regimg_select::{Cursor, Policy, Version};

/// Stands for the digest of that name.
pub(crate) fn digest(name: &str) -> Digest {
    Digest::of(Algorithm::Sha256, name.as_bytes())
}

pub(crate) fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

/// Tags in the order in which they are listed, and what they point at.
pub(crate) struct Repository {
    pub(crate) tags: Vec<(String, Option<Digest>)>,
    pub(crate) asked: RefCell<BTreeSet<String>>,
    /// What was asked only to be sure about the tag that is named after no version.
    pub(crate) asked_in_doubt: RefCell<BTreeSet<String>>,
}

impl Repository {
    pub(crate) fn new(tags: impl IntoIterator<Item = (String, Option<Digest>)>) -> Self {
        Self {
            tags: tags.into_iter().collect(),
            asked: RefCell::default(),
            asked_in_doubt: RefCell::default(),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|(name, _)| name.as_str())
    }

    fn find(&self, tag: &Tag) -> Option<Digest> {
        let mut tags = self.tags.iter();
        tags.find(|(name, _)| name == tag.as_str())?.1.clone()
    }

    /// Answers what a tag points at.
    pub(crate) fn digest(&self, tag: &Tag) -> Option<Digest> {
        self.asked.borrow_mut().insert(tag.to_string());
        self.find(tag)
    }

    fn digests<'a>(&self, tags: impl Iterator<Item = &'a Tag>) -> BTreeMap<Tag, Digest> {
        tags.filter_map(|tag| Some((tag.clone(), self.digest(tag)?)))
            .collect()
    }

    /// Selects versions.
    pub(crate) fn check(&self, policy: &Policy, cursor: Option<&Cursor>) -> Vec<Version> {
        let mut candidates = policy.candidates(self.names());
        if let Some(cursor) = cursor.filter(|cursor| candidates.need(cursor)) {
            candidates = candidates.after(cursor, self.digest(&cursor.tag));
        }
        let digests = self.digests(candidates.tags());
        let resolved = candidates.resolve(&digests);
        let in_doubt: BTreeMap<_, _> = resolved
            .tags()
            .filter_map(|tag| {
                self.asked_in_doubt.borrow_mut().insert(tag.to_string());
                Some((tag.clone(), self.find(tag)?))
            })
            .collect();
        resolved.versions(&in_doubt)
    }
}
