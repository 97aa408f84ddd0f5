//! Lists that come in pages, each naming the next one in `Link`.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use http::HeaderMap;
use url::Url;

use crate::transport::address;
use crate::{Error, ErrorKind, link};

/// The way through the pages of one list.
#[derive(Debug)]
pub(crate) struct Pages {
    /// What is listed, for errors: `tag list`.
    what: &'static str,
    limit: usize,
    next: Option<Url>,
    /// Hashes of the addresses so far, which a registry could make very long. It does not know the
    /// key, so two of the same hash are the same address for all practical purposes.
    seen: HashSet<u64>,
    key: RandomState,
}

impl Pages {
    /// Makes a list of at most `limit` pages.
    pub(crate) fn new(what: &'static str, limit: usize, first: Url) -> Self {
        Self {
            what,
            limit,
            next: Some(first),
            seen: HashSet::new(),
            key: RandomState::new(),
        }
    }

    /// Returns the address of the next page, `None` after the last one; the same one until
    /// [`learn`](Self::learn) is told that it came.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] when the list goes in circles or does not end.
    pub(crate) fn next(&self) -> Result<Option<Url>, Error> {
        let Some(url) = &self.next else {
            return Ok(None);
        };
        if self.seen.contains(&self.key.hash_one(url)) {
            return Err(self.error(url, "goes in circles"));
        }
        if self.seen.len() >= self.limit {
            let limit = self.limit;
            return Err(self.error(url, &format!("does not end within {limit} pages")));
        }
        Ok(Some(url.clone()))
    }

    /// Reads from an answer of `from` where the list goes on. The cursor is the registry's business
    /// and followed as it stands, on the same host only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when that is elsewhere.
    pub(crate) fn learn(&mut self, headers: &HeaderMap, from: &Url) -> Result<(), Error> {
        self.seen
            .extend(self.next.take().map(|url| self.key.hash_one(url)));
        let Some(target) = link::next(headers) else {
            return Ok(());
        };
        let url = from.join(&target).map_err(|error| {
            self.error(from, "goes on at what is no address")
                .with_source(error)
        })?;
        let mut url = address::with_agreed_scheme(url, from);
        if !address::same_origin(&url, from) {
            let what = format!("goes on elsewhere, at {}", address::redacted(&url));
            return Err(self.error(from, &what).with_kind(ErrorKind::Refused));
        }
        if !url.path().starts_with("/v2/") {
            // Compat: Nexus names the path that it has behind its own proxy, which nobody can
            // reach (https://github.com/sonatype/nexus-public/issues/1011).
            url.set_path(from.path());
        }
        self.next = Some(url);
        Ok(())
    }

    fn error(&self, url: &Url, what: &str) -> Error {
        let message = format!("the {} of {} {what}", self.what, address::authority(url));
        Error::new(ErrorKind::Protocol, message).at(url)
    }
}
