//! Tag lists, page by page.

use std::collections::HashSet;

use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::auth::scope::Scope;
use crate::session::{Call, Lane};
use crate::transport::address;
use crate::{Error, ErrorKind, RepositoryClient, link};

/// Bytes of one page: 1000 tags of 128 characters take a quarter of a megabyte, and there are
/// registries that ignore the page size.
const PAGE_LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Wire {
    /// `null` in a repository whose tags were all deleted.
    tags: Option<Vec<String>>,
}

/// The pages of a tag list, fetched as they are asked for.
#[derive(Debug)]
pub struct TagPages {
    repository: RepositoryClient,
    next: Next,
    seen: HashSet<Url>,
}

#[derive(Debug)]
enum Next {
    First,
    Page(Url),
    End,
}

impl TagPages {
    pub(crate) fn new(repository: RepositoryClient) -> Self {
        Self {
            repository,
            next: Next::First,
            seen: HashSet::new(),
        }
    }

    /// Fetches the next page, `None` after the last one. Tags come in the registry's order; they
    /// are texts, because registries hold tags that the specification does not allow.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such repository, [`ErrorKind::Protocol`] when the
    /// pages go in circles or do not end, [`ErrorKind::Refused`] when one is on another host.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>, Error> {
        let url = match std::mem::replace(&mut self.next, Next::End) {
            Next::First => self.first().await?,
            Next::Page(url) => url,
            Next::End => return Ok(None),
        };
        self.check_progress(&url)?;
        let session = self.repository.session();
        let call = Call {
            request: session.transport().outgoing(Method::GET, url),
            scopes: vec![Scope::pull(self.repository.path())],
            lane: Lane::Request,
        };
        let answer = session.read(&call, &[StatusCode::OK], PAGE_LIMIT).await?;
        let page: Wire = serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!(
                "the tag list of {} is not understood",
                address::authority(&answer.url)
            );
            Error::new(ErrorKind::Protocol, message)
                .at(&answer.url)
                .with_source(error)
        })?;
        if let Some(url) = following(&answer.headers, &answer.url)? {
            self.next = Next::Page(url);
        }
        Ok(Some(page.tags.unwrap_or_default()))
    }

    async fn first(&self) -> Result<Url, Error> {
        let mut url = self.repository.url("tags/list").await?;
        let size = self.repository.session().transport().config().tag_page_size;
        url.query_pairs_mut().append_pair("n", &size.to_string());
        Ok(url)
    }

    fn check_progress(&mut self, url: &Url) -> Result<(), Error> {
        let limit = self.repository.session().transport().config().max_tag_pages;
        let error = |what: &str| {
            Error::new(
                ErrorKind::Protocol,
                format!("the tag list of {} {what}", address::authority(url)),
            )
            .at(url)
        };
        if !self.seen.insert(url.clone()) {
            return Err(error("goes in circles"));
        }
        if self.seen.len() > limit {
            return Err(error(&format!("does not end within {limit} pages")));
        }
        Ok(())
    }
}

/// The cursor is the registry's business and followed as it stands, on the same host only.
fn following(headers: &HeaderMap, from: &Url) -> Result<Option<Url>, Error> {
    let Some(target) = link::next(headers) else {
        return Ok(None);
    };
    let host = address::authority(from);
    let url = from.join(&target).map_err(|error| {
        let message = format!("the next page of tags of {host} has no address");
        Error::new(ErrorKind::Protocol, message)
            .at(from)
            .with_source(error)
    })?;
    let mut url = address::with_agreed_scheme(url, from);
    if !address::same_origin(&url, from) {
        let message = format!(
            "{host} has its next page of tags elsewhere, at {}",
            address::redacted(&url)
        );
        return Err(Error::new(ErrorKind::Refused, message).at(from));
    }
    if !url.path().starts_with("/v2/") {
        // Compat: Nexus names the path that it has behind its own proxy, which nobody can
        // reach (https://github.com/sonatype/nexus-public/issues/1011).
        url.set_path(from.path());
    }
    Ok(Some(url))
}
