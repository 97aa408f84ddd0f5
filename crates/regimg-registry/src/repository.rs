//! One repository of a registry: where every operation begins.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use regimg_core::Repository;
use url::Url;

use crate::session::Session;
use crate::{Error, ErrorKind, RateLimit, TagPages};

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
    /// As [`TagPages::next`]; whether nothing was ever pushed is told by
    /// [`Error::is_new_repository`].
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let mut pages = self.tag_pages();
        let (mut tags, mut seen) = (Vec::new(), HashSet::new());
        while let Some(page) = pages.next().await? {
            tags.extend(page.into_iter().filter(|tag| seen.insert(tag.clone())));
        }
        Ok(tags)
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

impl fmt::Debug for RepositoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RepositoryClient")
            .field(&self.repository.to_string())
            .finish()
    }
}
