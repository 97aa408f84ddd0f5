//! One repository of a registry: where every operation begins.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use regimg_core::Repository;
use url::Url;

use crate::session::Session;
use crate::{Error, ErrorKind, RateLimit, TagPages};

/// Bytes of the longest tag that the
/// [specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests)
/// allows.
const LONGEST_TAG: usize = 128;

/// Reads and writes one repository. Clones are cheap and share everything.
#[derive(Clone)]
pub struct RepositoryClient {
    session: Arc<Session>,
    repository: Repository,
}

impl RepositoryClient {
    pub(crate) fn new(session: Arc<Session>, repository: Repository) -> Self {
        Self {
            session,
            repository,
        }
    }

    /// Returns the repository's name.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Begins to list the tags, page by page.
    pub fn tag_pages(&self) -> TagPages {
        TagPages::new(self.clone())
    }

    /// Lists all tags in the registry's order, each once.
    ///
    /// # Errors
    ///
    /// As [`TagPages::next`], and [`ErrorKind::TooLarge`] when there are more than
    /// [`Config::max_tags`](crate::Config::max_tags); [`tag_pages`](Self::tag_pages) has no such limit.
    /// Whether nothing was ever pushed is told by [`Error::is_new_repository`].
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let most = self.session.transport().config().max_tags;
        let mut pages = self.tag_pages();
        let (mut tags, mut bytes) = (Vec::new(), 0);
        while let Some(page) = pages.next().await? {
            bytes += page.iter().map(String::len).sum::<usize>();
            if tags.len() + page.len() > most || bytes > most.saturating_mul(LONGEST_TAG) {
                let host = self.session.registry().host();
                let message = format!("the tag list of {host} has more than {most} tags");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            tags.extend(page);
        }
        Ok(unique(tags))
    }

    /// Returns how many requests the registry will still answer, as it said last; `None` before
    /// the first answer, and from registries that do not say. When little is left, an event says
    /// so once.
    pub async fn rate_limit(&self) -> Option<RateLimit> {
        let base = self.session.base().await.ok()?;
        self.session.transport().rate_limit(&base)
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn path(&self) -> &str {
        self.repository.path()
    }

    /// Makes an address below `/v2/<repository>/`.
    pub(crate) async fn url(&self, rest: &str) -> Result<Url, Error> {
        let base = self.session.base().await?;
        let path = format!("v2/{}/{rest}", self.path());
        base.join(&path).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("{path:?} is no path"))
                .at(&base)
                .with_source(error)
        })
    }
}

/// Leaves every tag out that came before.
fn unique(mut tags: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(tags.len());
    let is_new: Vec<bool> = tags.iter().map(|tag| seen.insert(tag.as_str())).collect();
    drop(seen);
    let mut is_new = is_new.into_iter();
    tags.retain(|_| is_new.next().unwrap_or(true));
    tags
}

impl fmt::Debug for RepositoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RepositoryClient")
            .field(&self.repository.to_string())
            .finish()
    }
}
