//! Downloads that survive cuts and are verified to the last byte.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use http::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use regimg_core::{Descriptor, Digest, Verifier, VerifyError};
use tracing::warn;
use url::Url;

use super::content_range::ContentRange;
use crate::auth::scope::Scope;
use crate::error::{Patience, chain};
use crate::session::{Call, Lane};
use crate::transport::address::{self, PlainText};
use crate::transport::limit::Place;
use crate::transport::{Outgoing, Redirects, Response, Retry};
use crate::{Error, ErrorKind, RepositoryClient};

/// Bytes after which a cut is forgiven, and those before it that were not. They add up over
/// several cuts, so that a blob which moves on in small steps arrives.
const PROGRESS: u64 = 1 << 20;

/// The same for a cut that was ours, because nothing came for as long as one waits: else a few
/// bytes after each wait would keep a transfer alive for days.
const PROGRESS_BETWEEN_STALLS: u64 = 16 << 20;

/// Parts that may be small without anything being wrong, and bytes for which there may be one more.
/// A server may cut what was asked for into pieces as it likes
/// ([RFC 9110, section 15.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7)); but a
/// request for every few bytes is no transfer any more.
const SMALL_PARTS: u64 = 256;
const BYTES_A_PART: u64 = 16 << 10;

/// Bytes of a blob that takes no longer than a request's answer may.
const SMALL: u64 = 1 << 20;

/// Addresses of a descriptor that are tried; a manifest could name any number of hosts.
const MAX_URLS: usize = 8;

/// How long the end of a complete body is waited for, to see that nothing follows.
const END: Duration = Duration::from_secs(5);

impl RepositoryClient {
    /// Begins to download a blob. The reader counts among
    /// [`Config::max_transfers`](crate::Config::max_transfers) until it is dropped; where too many
    /// are open, this waits.
    ///
    /// A blob that the registry does not have is looked for at the descriptor's `urls`, by `https`
    /// and without credentials.
    pub async fn open_blob(&self, descriptor: &Descriptor) -> Result<BlobReader, Error> {
        let place = self.session().transfer();
        self.open_blob_at(place, descriptor).await
    }

    async fn open_blob_at(
        &self,
        place: impl Future<Output = Place>,
        descriptor: &Descriptor,
    ) -> Result<BlobReader, Error> {
        let opened = async {
            let place = place.await;
            let mut reader = BlobReader::new(self.clone(), descriptor.clone(), place);
            reader.open().await?;
            Ok(reader)
        };
        self.session().in_time(opened).await
    }

    /// Downloads a small blob as a whole. Up to 1 MiB it counts as a request, as a manifest does,
    /// and not as a transfer: most configurations are smaller than many a manifest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] without any request when it has more than `limit` bytes.
    pub async fn read_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Bytes, Error> {
        if descriptor.size > limit {
            let message = format!(
                "blob {} has {} bytes, more than {limit}",
                descriptor.digest, descriptor.size
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let mut reader = if descriptor.size > SMALL {
            self.open_blob(descriptor).await?
        } else {
            let place = self.session().short_transfer();
            self.open_blob_at(place, descriptor).await?
        };
        let mut content = BytesMut::new();
        while let Some(piece) = reader.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content.freeze())
    }

    /// Reports whether the repository has a blob.
    pub async fn blob_exists(&self, digest: &Digest) -> Result<bool, Error> {
        let asked = self.has_blob(digest, Scope::pull(self.path()));
        self.session().in_time(asked).await
    }

    pub(crate) async fn has_blob(&self, digest: &Digest, scope: Scope) -> Result<bool, Error> {
        let mut request = self
            .session()
            .transport()
            .outgoing(Method::HEAD, self.blob_url(digest).await?);
        request.redirects = Redirects::Verified;
        let call = Call {
            request,
            scopes: vec![scope],
            lane: Lane::Request,
        };
        let accepted = [StatusCode::OK, StatusCode::NOT_FOUND];
        let response = self.session().request(&call, &accepted).await?;
        Ok(response.status() == StatusCode::OK)
    }

    async fn blob_url(&self, digest: &Digest) -> Result<Url, Error> {
        self.url(&format!("blobs/{digest}")).await
    }
}

/// A blob on its way down.
///
/// Cut connections are taken up where they broke. The last piece is handed out only after the
/// digest of the whole was found to be right, so whoever has seen `None` has seen the blob.
pub struct BlobReader {
    repository: RepositoryClient,
    descriptor: Descriptor,
    /// `None` once the blob was verified, or was found to be wrong.
    verifier: Option<Verifier>,
    response: Option<Response>,
    /// Where the blob is, when the registry itself does not have it.
    elsewhere: Option<Url>,
    /// What the response holds of the blob, when it says that it is not all the rest.
    part: Option<Part>,
    /// Parts that came so far.
    parts: u64,
    /// Bytes at the beginning of the response that were handed out before.
    skip: u64,
    /// Bytes handed out.
    offset: u64,
    etag: Option<HeaderValue>,
    /// The last piece, while its end is waited for.
    last: Option<Bytes>,
    /// Whether the host knows what a range is.
    by_range: bool,
    cuts: Cuts,
    place: Place,
}

/// A piece of a blob, shorter than what was asked for.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// What had been handed out when it began.
    begun: u64,
    /// Where it ends.
    end: u64,
}

/// How patiently cuts are met.
struct Cuts {
    /// Where the last one was that was forgiven.
    offset: u64,
    /// Those since then.
    count: u32,
    retry: Retry,
}

impl BlobReader {
    fn new(repository: RepositoryClient, descriptor: Descriptor, place: Place) -> Self {
        let retry = repository.session().transport().retry();
        Self {
            verifier: Some(Verifier::new(&descriptor.digest, Some(descriptor.size))),
            repository,
            descriptor,
            response: None,
            elsewhere: None,
            part: None,
            parts: 0,
            skip: 0,
            offset: 0,
            etag: None,
            last: None,
            by_range: true,
            cuts: Cuts {
                offset: 0,
                count: 0,
                retry,
            },
            place,
        }
    }

    /// Returns the next piece, `None` after the end of the verified blob. May be cancelled
    /// and called again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Digest`] for other bytes than promised, [`ErrorKind::Interrupted`] when the
    /// connection broke too often. After an error there are no more pieces.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let repository = self.repository.clone();
        let session = repository.session();
        let next = match session.transport().config().deadline {
            // Without a detour: this is done for every few kilobytes.
            None => self.try_next().await,
            Some(_) => session.in_time(self.try_next()).await,
        };
        next.map_err(|error| self.fail(error))
    }

    /// Makes a stream of the pieces; it ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::try_unfold(self, |mut reader| async move {
            Ok(reader.next().await?.map(|piece| (piece, reader)))
        })
    }

    async fn try_next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.verifier.is_some() {
            if self.last.is_some() {
                // A call before this one was cancelled while it waited for the end.
                return self.end().await;
            }
            match self.piece().await {
                Ok(Some(piece)) => {
                    if let Some(piece) = self.take(piece).await? {
                        return Ok(Some(piece));
                    }
                }
                Ok(None) => self.ended().await?,
                Err(error) => {
                    let response = self.response.take();
                    let has_stalled = response.is_some_and(|response| response.has_stalled());
                    let progress = if has_stalled {
                        PROGRESS_BETWEEN_STALLS
                    } else {
                        PROGRESS
                    };
                    self.endure(error, progress).await?;
                }
            }
        }
        Ok(None)
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.response.is_none()
            && let Err(error) = self.open().await
        {
            // Opening has had its own tries.
            return Err(error.permanent());
        }
        match &mut self.response {
            Some(response) => response.chunk().await,
            None => Ok(None),
        }
    }

    /// Meets the end of a response that was not the end of the blob: of a part in good order, of a
    /// body that was cut in a way that does not show, or of a blob that is too short.
    async fn ended(&mut self) -> Result<(), Error> {
        let position = self.offset.saturating_sub(self.skip);
        if let Some(part) = self.part.filter(|part| part.end == position) {
            return self.part_ended(part).await;
        }
        if let Some(response) = &self.response
            && self.offset < self.descriptor.size
            && !response.has_an_end()
        {
            let error = response.cut_short();
            self.response = None;
            return self.endure(error, PROGRESS).await;
        }
        self.finish()
    }

    /// Goes on behind a part, at once if it brought anything.
    async fn part_ended(&mut self, part: Part) -> Result<(), Error> {
        self.response = None;
        self.parts += 1;
        if self.parts > SMALL_PARTS + self.offset / BYTES_A_PART {
            let what = format!(
                "sends its blob in {} parts up to byte {}",
                self.parts, self.offset
            );
            return Err(self.wrong(&what).with_kind(ErrorKind::Protocol));
        }
        if self.offset > part.begun {
            return Ok(());
        }
        let error = self.wrong("sends nothing of what is missing");
        let error = error.with_kind(ErrorKind::Interrupted);
        self.endure(error.with_patience(Patience::Long), PROGRESS)
            .await
    }

    fn fail(&mut self, error: Error) -> Error {
        self.verifier = None;
        self.response = None;
        error
    }

    /// Leaves out what was handed out before, and hashes the rest.
    async fn take(&mut self, mut piece: Bytes) -> Result<Option<Bytes>, Error> {
        let known = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        self.skip -= known as u64;
        piece = piece.split_off(known);
        if piece.is_empty() {
            return Ok(None);
        }
        if let Some(verifier) = &mut self.verifier {
            verifier
                .update(&piece)
                .map_err(|error| self.mismatch(error))?;
        }
        self.offset += piece.len() as u64;
        if self.offset == self.descriptor.size {
            self.last = Some(piece);
            return self.end().await;
        }
        Ok(Some(piece))
    }

    /// Hands out the last piece, once nothing follows it and the digest is right.
    async fn end(&mut self) -> Result<Option<Bytes>, Error> {
        self.expect_end().await?;
        self.finish()?;
        Ok(self.last.take())
    }

    /// Sees that nothing follows. How the connection ends does not matter any more.
    async fn expect_end(&mut self) -> Result<(), Error> {
        let Some(response) = &mut self.response else {
            return Ok(());
        };
        let after = tokio::time::timeout(END, response.chunk()).await;
        match (after, &mut self.verifier) {
            (Ok(Ok(Some(more))), Some(verifier)) => {
                verifier.update(&more).map_err(|error| self.mismatch(error))
            }
            _ => Ok(()),
        }
    }

    /// Compares the digest. A body that ends in good order but too early is as wrong as any other.
    fn finish(&mut self) -> Result<(), Error> {
        self.response = None;
        if let Some(verifier) = self.verifier.take() {
            verifier.finish().map_err(|error| self.mismatch(error))?;
            self.place.praise();
        }
        Ok(())
    }

    fn mismatch(&self, error: VerifyError) -> Error {
        self.wrong("sent another blob than asked for")
            .with_source(error)
    }

    fn wrong(&self, what: &str) -> Error {
        let host = match &self.elsewhere {
            Some(url) => address::authority(url),
            None => self.repository.session().registry().host().to_owned(),
        };
        Error::new(ErrorKind::Digest, format!("{host} {what}"))
    }

    /// Decides whether a cut is worth another try, and waits for it. It is forgiven if `progress`
    /// bytes came since the last one that was.
    async fn endure(&mut self, error: Error, progress: u64) -> Result<(), Error> {
        if !error.is_transient() {
            return Err(error);
        }
        self.place.complain();
        let transport = self.repository.session().transport();
        if self.offset - self.cuts.offset >= progress {
            self.cuts = Cuts {
                offset: self.offset,
                count: 0,
                retry: transport.retry(),
            };
            warn!(
                "transient error: {}; resuming at byte {}",
                chain(&error),
                self.offset
            );
            return Ok(());
        }
        self.cuts.count += 1;
        if self.cuts.count >= transport.config().retry.max_stalls {
            return Err(error.with_attempts(self.cuts.count));
        }
        self.cuts.retry.pause(error).await
    }

    /// Asks for what is missing, always the registry first: the address that it redirects to may
    /// be good for a short time only.
    async fn open(&mut self) -> Result<(), Error> {
        let response = match self.ask().await {
            // The rest of what it has is none: another blob, or a server that counts wrong. The
            // whole will tell.
            Err(error) if self.offset > 0 && self.by_range && is_unsatisfiable(&error) => {
                self.by_range = false;
                self.ask().await?
            }
            asked => asked?,
        };
        self.skip = self.beginning(&response)?;
        self.part = self.part_of(&response);
        if self.offset == 0 {
            self.etag = response
                .headers()
                .get(ETAG)
                .filter(|etag| !etag.as_bytes().starts_with(b"W/"))
                .cloned();
        }
        self.response = Some(response);
        Ok(())
    }

    async fn ask(&mut self) -> Result<Response, Error> {
        if let Some(url) = &self.elsewhere {
            let mut retry = self.repository.session().transport().retry();
            return self.ask_elsewhere(url.clone(), &mut retry).await;
        }
        match self.ask_registry().await {
            Err(error) if error.is_not_found() && !self.descriptor.urls.is_empty() => {
                self.search(error).await
            }
            asked => asked,
        }
    }

    async fn ask_registry(&self) -> Result<Response, Error> {
        let url = self.repository.blob_url(&self.descriptor.digest).await?;
        let call = Call {
            request: self.request(url),
            scopes: vec![Scope::pull(self.repository.path())],
            lane: Lane::Transfer(&self.place),
        };
        self.repository
            .session()
            .request(&call, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT])
            .await
    }

    /// Tries the descriptor's own addresses in turn; if none will do, the registry's answer stands.
    async fn search(&mut self, refusal: Error) -> Result<Response, Error> {
        let urls = self.descriptor.urls.iter().take(MAX_URLS).cloned();
        // One time for all of them: a manifest could name eight hosts that are out of order.
        let mut retry = self.repository.session().transport().retry();
        for text in urls.collect::<Vec<_>>() {
            let Ok(url) = Url::parse(&text) else { continue };
            retry.start_over();
            match self.ask_elsewhere(url.clone(), &mut retry).await {
                Ok(response) => {
                    self.elsewhere = Some(url);
                    return Ok(response);
                }
                Err(error) => warn!(
                    "blob {} is not at {}: {}",
                    self.descriptor.digest,
                    address::redacted(&url),
                    chain(&error)
                ),
            }
        }
        Err(refusal)
    }

    async fn ask_elsewhere(&self, url: Url, retry: &mut Retry) -> Result<Response, Error> {
        let base = self.repository.session().base().await?;
        address::check(&url, &base, PlainText::Keep)?;
        if url.scheme() != "https" && !address::same_origin(&url, &base) {
            let message = format!("{} is no https address", address::redacted(&url));
            return Err(Error::new(ErrorKind::Refused, message).at(&url));
        }
        let transport = self.repository.session().transport();
        loop {
            transport.pass(&url).await;
            let error = match transport.send(&self.request(url.clone()), None).await {
                Ok(response)
                    if matches!(
                        response.status(),
                        StatusCode::OK | StatusCode::PARTIAL_CONTENT
                    ) =>
                {
                    return Ok(response);
                }
                Ok(response) => response.into_error().await,
                Err(error) => error,
            };
            retry.pause(error).await?;
        }
    }

    fn request(&self, url: Url) -> Outgoing<'static> {
        let mut request = self
            .repository
            .session()
            .transport()
            .outgoing(Method::GET, url);
        request.redirects = Redirects::Verified;
        if self.offset > 0 && self.by_range {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.offset));
            request
                .headers
                .insert(RANGE, range.expect("digits are fit for a header"));
            if let Some(etag) = &self.etag {
                request.headers.insert(IF_RANGE, etag.clone());
            }
        }
        request
    }

    /// Returns how much of the response was handed out before.
    fn beginning(&self, response: &Response) -> Result<u64, Error> {
        let size = self.descriptor.size;
        if response.status() == StatusCode::OK {
            return match response.length() {
                Some(length) if length != size => {
                    Err(self.wrong(&format!("sends {length} bytes for a blob of {size}")))
                }
                _ => Ok(self.offset),
            };
        }
        let Some(range) = range_of(response) else {
            return Err(self.misplaced("a part without saying which", response.url()));
        };
        if range.total.is_some_and(|total| total != size) {
            return Err(self.wrong("has another blob now than at the beginning of the download"));
        }
        // A part that begins too early holds what is missing too.
        self.offset.checked_sub(range.first).ok_or_else(|| {
            self.misplaced(
                &format!("bytes from {} on instead of {}", range.first, self.offset),
                response.url(),
            )
        })
    }

    /// Returns what the response says it holds, if that is not all that is missing.
    fn part_of(&self, response: &Response) -> Option<Part> {
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let end = range_of(response)?.last.checked_add(1)?;
        let part = Part {
            begun: self.offset,
            end,
        };
        (end < self.descriptor.size).then_some(part)
    }

    fn misplaced(&self, what: &str, url: &Url) -> Error {
        let message = format!(
            "{} sent {what} of blob {}",
            address::authority(url),
            self.descriptor.digest
        );
        Error::new(ErrorKind::Protocol, message).at(url)
    }
}

fn range_of(response: &Response) -> Option<ContentRange> {
    ContentRange::parse(response.header(CONTENT_RANGE.as_str())?)
}

fn is_unsatisfiable(error: &Error) -> bool {
    error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16())
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("digest", &self.descriptor.digest)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
