//! Tag lists, page by page.

use futures_util::stream::{self, Stream};
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::auth::scope::Scope;
use crate::json::{Object, Texts};
use crate::paging::Pages;
use crate::session::{Call, Lane};
use crate::transport::address;
use crate::{Error, ErrorKind, RepositoryClient, json};

/// Bytes of one page. A thousand tags of 128 characters take 140 kB; there are registries that
/// ignore the page size and send everything at once, which is a hundred thousand tags of ordinary
/// length here.
const PAGE_LIMIT: u64 = 8 << 20;

/// Tags of one page: one of a single letter takes 4 bytes on the way and 50 here.
const PAGE_TAGS: usize = 1 << 18;

#[derive(Deserialize)]
struct Wire {
    /// `null` in a repository whose tags were all deleted.
    #[serde(default)]
    tags: Texts<PAGE_TAGS>,
}

/// The pages of a tag list, fetched as they are asked for.
#[derive(Debug)]
pub struct TagPages {
    repository: RepositoryClient,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Begun(Pages),
    /// There was an error.
    Broken,
}

impl TagPages {
    pub(crate) fn new(repository: RepositoryClient) -> Self {
        Self {
            repository,
            state: State::New,
        }
    }

    /// Fetches the next page, `None` after the last one and after an error. Tags come in the
    /// registry's order; they are texts, because registries hold tags that the specification does
    /// not allow. May be cancelled and called again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such repository, [`ErrorKind::Protocol`] when the
    /// pages go in circles, do not end, or are not understood, [`ErrorKind::Refused`] when one is on
    /// another host, [`ErrorKind::TooLarge`] when one has more than 8 MiB or 262,144 tags.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>, Error> {
        let repository = self.repository.clone();
        let next = repository.session().in_time(self.go_on()).await;
        if next.is_err() {
            self.state = State::Broken;
        }
        next
    }

    /// Makes a stream of the pages; it ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Vec<String>, Error>> + Send + 'static {
        stream::try_unfold(self, |mut pages| async move {
            Ok(pages.next().await?.map(|page| (page, pages)))
        })
    }

    async fn go_on(&mut self) -> Result<Option<Vec<String>>, Error> {
        if matches!(self.state, State::New) {
            self.state = State::Begun(self.first().await?);
        }
        let State::Begun(pages) = &mut self.state else {
            return Ok(None);
        };
        match pages.next()? {
            Some(url) => fetch(&self.repository, pages, url).await.map(Some),
            None => Ok(None),
        }
    }

    async fn first(&self) -> Result<Pages, Error> {
        let mut url = self.repository.url("tags/list").await?;
        let config = self.repository.session().transport().config();
        let size = config.tag_page_size.to_string();
        url.query_pairs_mut().append_pair("n", &size);
        Ok(Pages::new("tag list", config.max_tag_pages, url))
    }
}

async fn fetch(
    repository: &RepositoryClient,
    pages: &mut Pages,
    url: Url,
) -> Result<Vec<String>, Error> {
    let session = repository.session();
    let call = Call {
        request: session.transport().outgoing(Method::GET, url),
        scopes: vec![Scope::pull(repository.path())],
        lane: Lane::Request,
    };
    let answer = session.read(&call, &[StatusCode::OK], PAGE_LIMIT).await?;
    let page = read(&answer.body)
        .map_err(|error| json::not_understood("tag list", &answer.url, &error))?;
    if page.is_cut {
        let host = address::authority(&answer.url);
        let message = format!("{host} sends more than {PAGE_TAGS} tags at once");
        let error = Error::new(ErrorKind::TooLarge, message).at(&answer.url);
        return Err(error.with_hint("look up a single tag, which takes no list"));
    }
    pages.learn(&answer.headers, &answer.url)?;
    Ok(page.texts)
}

/// Reads one page.
pub(crate) fn read(body: &[u8]) -> Result<Texts<PAGE_TAGS>, serde_json::Error> {
    let Object(page) = serde_json::from_slice::<Object<Wire>>(body)?;
    Ok(page.tags)
}
