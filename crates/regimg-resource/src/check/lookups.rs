//! The digests of many tags, asked for side by side.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::pin::pin;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use regimg_core::{Digest, Identifier, Tag};
use regimg_registry::RepositoryClient;

use crate::error::{During, Error};

/// Requests prepared at one time. How many of them are under way is the client's
/// business; this bounds what the others cost in memory.
const WINDOW: usize = 64;

/// The digests that are known, and those that are asked for.
pub(super) struct Lookups<'a> {
    repository: &'a RepositoryClient,
    asked: HashSet<Tag>,
    waiting: VecDeque<Tag>,
    running: FuturesUnordered<BoxFuture<'a, (Tag, Outcome)>>,
    digests: BTreeMap<Tag, Digest>,
}

/// A tag that is listed may be gone when it is asked for.
type Outcome = Result<Option<Digest>, regimg_registry::Error>;

impl<'a> Lookups<'a> {
    pub(super) fn new(repository: &'a RepositoryClient) -> Self {
        Self {
            repository,
            asked: HashSet::new(),
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            digests: BTreeMap::new(),
        }
    }

    /// Asks for digests, each once however often it is asked for here.
    pub(super) fn ask<'t>(&mut self, tags: impl IntoIterator<Item = &'t Tag>) {
        for tag in tags {
            if self.asked.insert(tag.clone()) {
                self.waiting.push_back(tag.clone());
            }
        }
    }

    /// Waits for something else while answers come in.
    ///
    /// # Errors
    ///
    /// The first answer that is none.
    pub(super) async fn meanwhile<T>(
        &mut self,
        other: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                outcome = &mut other => return Ok(outcome),
                step = self.step(), if self.is_busy() => step?,
            }
        }
    }

    /// Returns every digest that was asked for, of tags that exist.
    ///
    /// # Errors
    ///
    /// The first answer that is none.
    pub(super) async fn all(&mut self) -> Result<&BTreeMap<Tag, Digest>, Error> {
        while self.is_busy() {
            self.step().await?;
        }
        Ok(&self.digests)
    }

    /// Asks for the digests of tags in their order, some at a time, until one is enough.
    ///
    /// # Errors
    ///
    /// The first answer that is none.
    pub(super) async fn until(
        &mut self,
        tags: &[Tag],
        enough: impl Fn(&Digest) -> bool,
    ) -> Result<(), Error> {
        for some in tags.chunks(WINDOW) {
            self.ask(some);
            let digests = self.all().await?;
            if some.iter().filter_map(|tag| digests.get(tag)).any(&enough) {
                break;
            }
        }
        Ok(())
    }

    fn is_busy(&self) -> bool {
        !(self.waiting.is_empty() && self.running.is_empty())
    }

    /// Takes one answer. May be dropped while it waits.
    async fn step(&mut self) -> Result<(), Error> {
        while self.running.len() < WINDOW
            && let Some(tag) = self.waiting.pop_front()
        {
            self.running.push(look_up(self.repository, tag).boxed());
        }
        if let Some((tag, outcome)) = self.running.next().await
            && let Some(digest) = outcome.during(format!("get tag digest: {tag}"))?
        {
            self.digests.insert(tag, digest);
        }
        Ok(())
    }
}

async fn look_up(repository: &RepositoryClient, tag: Tag) -> (Tag, Outcome) {
    let outcome = repository.digest(&Identifier::Tag(tag.clone())).await;
    (tag, outcome)
}
