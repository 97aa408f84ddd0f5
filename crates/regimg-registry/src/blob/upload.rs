//! Uploads: mounted if possible, streamed, resumed after cuts.
//!
//! The wire is the one that every registry takes, Go clients having sent nothing else for years:
//! `POST`, one `PATCH` with the whole blob, `PUT`.

use std::time::Duration;

use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderValue, Method, StatusCode};
use regimg_core::{Algorithm, Descriptor, Digest, Repository};
use tracing::debug;
use url::Url;

use super::content_range::received;
use super::{BlobOutcome, BlobSource};
use crate::auth::scope::Scope;
use crate::error::chain;
use crate::session::{Call, Lane};
use crate::transport::address::{self, PlainText};
use crate::transport::limit::Place;
use crate::transport::{Body, Outgoing, Response, Retry};
use crate::{Error, ErrorKind, RepositoryClient};

/// Bytes of one chunk, where a registry or the proxy in front of it does not take the whole.
const CHUNK: u64 = 8 << 20;

/// Upload sessions begun for one blob because the registry lost the one before.
const MAX_SESSIONS: u32 = 3;

/// Bytes after which a cut is met as if it were the first; they add up over several cuts.
const PROGRESS: u64 = 1 << 20;

/// Requests of which a registry may take little; beyond them each has to bring the blob on.
const SMALL_PARTS: u64 = 64;

/// How long the end of a failed upload may take.
const CLEANUP: Duration = Duration::from_secs(10);

/// How often it is tried while connections break.
const CLEANUP_TRIES: usize = 3;

impl RepositoryClient {
    /// Pushes a blob, unless the repository has it. Of `mount_from`, repositories of the same
    /// registry are asked first to share theirs.
    ///
    /// Pushing the same blob twice at one time sends it once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] when the blob cannot be read or is shorter than its descriptor says,
    /// [`ErrorKind::Rejected`] when the registry finds another digest.
    pub async fn push_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[Repository],
    ) -> Result<BlobOutcome, Error> {
        let session = self.session();
        let digest = &source.descriptor().digest;
        let turn = session.turn(self.path(), digest);
        let asked = async {
            let turn = turn.lock().await;
            let known = self.is_known(digest).await?;
            Ok((turn, known))
        };
        let (_turn, known) = session.in_time(asked).await?;
        if known {
            return Ok(BlobOutcome::Existed);
        }
        let place = session
            .in_time(async { Ok(session.transfer().await) })
            .await?;
        let mounts = mount_from
            .iter()
            .filter(|from| from.registry() == self.repository().registry())
            .filter(|from| from.path() != self.path());
        let mut upload = Upload::new(self, source, &place);
        let outcome = session.in_time(upload.run(mounts.collect())).await;
        match outcome {
            Ok(_) => place.praise(),
            Err(_) => upload.give_up().await,
        }
        outcome
    }

    /// Registries answer this `HEAD` with all sorts of refusals; only the upload itself will tell.
    async fn is_known(&self, digest: &Digest) -> Result<bool, Error> {
        match self.has_blob(digest, Scope::push(self.path())).await {
            Err(error) if error.status().is_some() && !error.is_transient() => Ok(false),
            known => known,
        }
    }
}

/// One blob on its way up.
struct Upload<'a> {
    repository: &'a RepositoryClient,
    source: &'a dyn BlobSource,
    place: &'a Place,
    retry: Retry,
    /// Where the next request of this upload goes; `None` before the first.
    location: Option<Url>,
    /// Bytes that the registry has.
    offset: u64,
    /// How far it had come when cuts were last counted anew, whatever was lost since.
    counted: u64,
    /// Bytes of one request; `None` for all.
    chunk: Option<u64>,
    /// The least size of a chunk that the registry asked for.
    minimal_chunk: u64,
    /// Whether the registry's own count of what it received is believed.
    believes_count: bool,
    sessions: u32,
    stalls: u32,
    /// Requests of which the registry took a part only.
    parts: u64,
}

/// How an upload goes on.
enum Begun {
    Mounted,
    Started,
}

impl<'a> Upload<'a> {
    fn new(repository: &'a RepositoryClient, source: &'a dyn BlobSource, place: &'a Place) -> Self {
        Self {
            repository,
            source,
            place,
            retry: repository.session().transport().retry(),
            location: None,
            offset: 0,
            counted: 0,
            chunk: None,
            minimal_chunk: 0,
            believes_count: true,
            sessions: 0,
            stalls: 0,
            parts: 0,
        }
    }

    fn descriptor(&self) -> &'a Descriptor {
        self.source.descriptor()
    }

    async fn run(&mut self, mounts: Vec<&Repository>) -> Result<BlobOutcome, Error> {
        loop {
            let error = match self.try_all(&mounts).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            self.endure(error).await?;
            if self.location.is_some() && self.resume().await {
                return Ok(self.uploaded());
            }
        }
    }

    /// Does whatever is left to do, without any patience.
    async fn try_all(&mut self, mounts: &[&Repository]) -> Result<BlobOutcome, Error> {
        if self.location.is_none()
            && let Begun::Mounted = self.begin(mounts).await?
        {
            return Ok(BlobOutcome::Mounted);
        }
        while self.offset < self.descriptor().size {
            self.send().await?;
        }
        self.commit().await?;
        Ok(self.uploaded())
    }

    fn uploaded(&self) -> BlobOutcome {
        BlobOutcome::Uploaded {
            bytes: self.descriptor().size,
        }
    }

    /// Opens a session, by way of a mount where there is one to try. A mount that is refused, for
    /// whatever reason, is a mount less.
    async fn begin(&mut self, mounts: &[&Repository]) -> Result<Begun, Error> {
        for (at, from) in mounts.iter().enumerate() {
            match self.post(Some(from)).await {
                // The one that has the blob may be the next. Sessions that are only begun to
                // find out do not count.
                Ok(Begun::Started) if at + 1 < mounts.len() => {
                    self.sessions -= 1;
                    self.abandon().await;
                }
                Ok(begun) => return Ok(begun),
                Err(error)
                    if error.status().is_some() && error.kind() != ErrorKind::RateLimited =>
                {
                    debug!(
                        "mounting {} from {from}: {}",
                        self.descriptor().digest,
                        chain(&error)
                    );
                }
                Err(error) => return Err(error),
            }
        }
        self.post(None).await
    }

    async fn post(&mut self, mount: Option<&Repository>) -> Result<Begun, Error> {
        let digest = &self.descriptor().digest;
        let mut url = self.repository.url("blobs/uploads/").await?;
        let mut scopes = vec![Scope::push(self.repository.path())];
        if let Some(from) = mount {
            url.query_pairs_mut()
                .append_pair("mount", digest.as_str())
                .append_pair("from", from.path());
            scopes.push(Scope::pull(from.path()));
        } else if digest.algorithm() != Algorithm::Sha256 {
            url.query_pairs_mut()
                .append_pair("digest-algorithm", digest.algorithm().as_str());
        }
        let request = self.outgoing(Method::POST, url);
        let call = Call {
            request,
            scopes,
            lane: Lane::Transfer(self.place),
        };
        let accepted: &[StatusCode] = if mount.is_some() {
            &[StatusCode::CREATED, StatusCode::ACCEPTED]
        } else {
            &[StatusCode::ACCEPTED]
        };
        let response = self.repository.session().attempt(&call, accepted).await?;
        if response.status() == StatusCode::CREATED {
            return Ok(Begun::Mounted);
        }
        self.start(&response)?;
        Ok(Begun::Started)
    }

    fn start(&mut self, response: &Response) -> Result<(), Error> {
        self.location = Some(location(response)?.ok_or_else(|| {
            let message = format!(
                "{} began an upload without saying where",
                address::authority(response.url())
            );
            Error::new(ErrorKind::Protocol, message).at(response.url())
        })?);
        let minimal = response
            .header("oci-chunk-min-length")
            .and_then(|value| value.trim().parse().ok());
        self.minimal_chunk = minimal.unwrap_or(0);
        self.offset = 0;
        self.sessions += 1;
        Ok(())
    }

    /// Sends the rest, or the next chunk of it.
    async fn send(&mut self) -> Result<(), Error> {
        let left = self.descriptor().size - self.offset;
        let length = self.chunk.map_or(left, |chunk| chunk.min(left));
        let mut request = self.outgoing(Method::PATCH, self.here()?);
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        if self.chunk.is_some() || self.offset > 0 {
            let range = format!("{}-{}", self.offset, self.offset + length - 1);
            request.headers.insert(
                CONTENT_RANGE,
                HeaderValue::from_str(&range).expect("digits are fit for a header"),
            );
        }
        request.body = Body::Blob {
            source: self.source,
            offset: self.offset,
            length,
        };
        // ECR says 201 here, others 204.
        let accepted = [
            StatusCode::ACCEPTED,
            StatusCode::CREATED,
            StatusCode::NO_CONTENT,
        ];
        let response = self.ask(request, &accepted).await?;
        let sent = self.offset + length;
        self.advance(&response)?;
        match self.count(&response) {
            // A registry that took a part only gets the rest; one that counts backwards is wrong.
            Some(count) if count > self.offset && count < sent => self.took(count, &response),
            _ => {
                self.offset = sent;
                Ok(())
            }
        }
    }

    /// Goes on behind the part that the registry took, unless it takes next to nothing each time.
    fn took(&mut self, count: u64, response: &Response) -> Result<(), Error> {
        self.parts += 1;
        self.offset = count;
        if self.parts > SMALL_PARTS + count / PROGRESS {
            let host = address::authority(response.url());
            let message = format!(
                "{host} took {count} bytes of a blob in {} parts",
                self.parts
            );
            return Err(Error::new(ErrorKind::Protocol, message).at(response.url()));
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let mut url = self.here()?;
        let digest = self.descriptor().digest.as_str().replace(':', "%3A");
        // What the registry put into the query must come back byte for byte.
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&digest={digest}"),
            _ => format!("digest={digest}"),
        };
        url.set_query(Some(&query));
        let mut request = self.outgoing(Method::PUT, url);
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        request.patience = self
            .repository
            .session()
            .transport()
            .config()
            .timeouts
            .commit;
        let accepted = [StatusCode::CREATED, StatusCode::NO_CONTENT, StatusCode::OK];
        let response = self.ask(request, &accepted).await?;
        self.check_stored(&response)
    }

    /// A registry that says what it stored must have stored what was sent.
    fn check_stored(&self, response: &Response) -> Result<(), Error> {
        let wanted = &self.descriptor().digest;
        let stored = response
            .header("docker-content-digest")
            .and_then(|text| Digest::parse(text).ok());
        match stored {
            Some(stored) if stored.algorithm() == wanted.algorithm() && stored != *wanted => {
                let host = address::authority(response.url());
                let message = format!("{host} stored {stored} instead of {wanted}");
                Err(Error::new(ErrorKind::Digest, message).at(response.url()))
            }
            _ => Ok(()),
        }
    }

    /// Waits after a failure that may pass, and draws the lesson of one that will not.
    async fn endure(&mut self, error: Error) -> Result<(), Error> {
        let status = error
            .status()
            .and_then(|status| StatusCode::from_u16(status).ok());
        match status {
            Some(StatusCode::PAYLOAD_TOO_LARGE)
                if self.chunk.is_none() && self.location.is_some() =>
            {
                self.chunk = Some(CHUNK.max(self.minimal_chunk));
                self.abandon().await;
                return Ok(());
            }
            Some(StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE)
                if self.location.is_some() && self.sessions < MAX_SESSIONS =>
            {
                debug!("upload lost, beginning again: {}", chain(&error));
                self.believes_count = false;
                self.abandon().await;
                return Ok(());
            }
            _ => {}
        }
        if self.offset.saturating_sub(self.counted) >= PROGRESS {
            self.counted = self.offset;
            self.retry = self.repository.session().transport().retry();
            self.stalls = 0;
        }
        if error.kind() == ErrorKind::Interrupted {
            self.stalls += 1;
            if self.stalls
                >= self
                    .repository
                    .session()
                    .transport()
                    .config()
                    .retry
                    .max_stalls
            {
                return Err(error.with_attempts(self.stalls));
            }
        }
        self.retry.pause(error).await
    }

    /// Finds out what the registry has after a cut; true when it has everything and is done.
    ///
    /// Whatever cannot be found out means a new session: it costs bytes, never correctness.
    async fn resume(&mut self) -> bool {
        if self.offset == self.descriptor().size
            && self
                .repository
                .is_known(&self.descriptor().digest)
                .await
                .unwrap_or(false)
        {
            return true;
        }
        let Ok(url) = self.here() else { return false };
        let status = self
            .ask(
                self.outgoing(Method::GET, url),
                &[StatusCode::NO_CONTENT, StatusCode::OK],
            )
            .await;
        let count = match &status {
            Ok(response) if self.advance(response).is_ok() => self.count(response),
            _ => None,
        };
        match count {
            // Of nothing and of one byte registries say the same.
            Some(count) if (1..=self.descriptor().size).contains(&count) => self.offset = count,
            _ => self.abandon().await,
        }
        false
    }

    /// Cleans up after a failure, without waiting long for it.
    async fn give_up(&mut self) {
        if tokio::time::timeout(CLEANUP, self.abandon()).await.is_err() {
            debug!("ending an upload took too long");
        }
    }

    /// Ends a session that will not be used again, so that the registry need not keep its bytes.
    async fn abandon(&mut self) {
        let Some(url) = self.location.take() else {
            return;
        };
        self.offset = 0;
        let accepted = [StatusCode::NO_CONTENT, StatusCode::ACCEPTED, StatusCode::OK];
        for _ in 0..CLEANUP_TRIES {
            let request = self.outgoing(Method::DELETE, url.clone());
            let Err(error) = self.ask(request, &accepted).await else {
                return;
            };
            debug!("ending an upload: {}", chain(&error));
            if error.kind() != ErrorKind::Interrupted {
                return;
            }
        }
    }

    async fn ask(&self, request: Outgoing<'_>, accepted: &[StatusCode]) -> Result<Response, Error> {
        let scopes = vec![Scope::push(self.repository.path())];
        let call = Call {
            request,
            scopes,
            lane: Lane::Transfer(self.place),
        };
        self.repository.session().attempt(&call, accepted).await
    }

    fn outgoing(&self, method: Method, url: Url) -> Outgoing<'a> {
        self.repository.session().transport().outgoing(method, url)
    }

    fn here(&self) -> Result<Url, Error> {
        self.location
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "the upload has no address"))
    }

    /// Follows the upload to the address that the answer gives for the next step, if any.
    fn advance(&mut self, response: &Response) -> Result<(), Error> {
        if let Some(url) = location(response)? {
            self.location = Some(url);
        }
        Ok(())
    }

    fn count(&self, response: &Response) -> Option<u64> {
        if !self.believes_count {
            return None;
        }
        response.header(RANGE.as_str()).and_then(received)
    }
}

/// Resolves `Location` against the address that answered, which may be another host than the
/// registry by now, and checks it.
fn location(response: &Response) -> Result<Option<Url>, Error> {
    let Some(text) = response.header(LOCATION.as_str()) else {
        return Ok(None);
    };
    let url = address::target(text, response.url(), PlainText::Keep, "sends the upload")?;
    Ok(Some(url))
}
