//! Uploads: in one piece, in a stream, in chunks, by mounting; asked about and cancelled.

use std::sync::Mutex;

use http::{HeaderMap, StatusCode, header};

use super::body::{Broken, RequestBody};
use super::lock;
use super::reply::{CONTENT_DIGEST, Reply, UPLOAD_UUID};
use super::store::Store;
use crate::Digest;

/// Where an upload's `Location` points, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UploadLocation {
    /// An absolute URL with a query that must come back byte for byte, as Debian's registry sends it.
    #[default]
    Absolute,
    /// A path that begins with a slash.
    Path,
    /// A path relative to that of the request, without a slash in front.
    Relative,
    /// An absolute URL on the second address, which takes no credentials.
    Elsewhere,
}

/// The query of every upload's location: escaped and bare characters that a client must not touch.
pub(super) const STATE: &str = "_state=a%2Fb%3d+c==";

/// One request about uploads.
pub(super) struct Uploads<'a> {
    pub(super) store: &'a Mutex<Store>,
    pub(super) location: UploadLocation,
    /// The base URL of absolute locations, without a slash at the end.
    pub(super) base: &'a str,
    pub(super) minimal_chunk: Option<u64>,
    pub(super) repository: &'a str,
    pub(super) query: &'a [(String, String)],
    pub(super) raw_query: &'a str,
}

impl Uploads<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// `POST`: a mount, a whole blob, or the beginning of an upload. `may_read` guards the source of a mount.
    pub(super) async fn start(
        &self,
        body: &mut RequestBody,
        may_read: impl Fn(&str) -> bool,
    ) -> Result<Reply, Broken> {
        if let (Some(mount), Some(from)) = (self.query("mount"), self.query("from")) {
            let digest = Digest::parse(mount).filter(|_| may_read(from));
            let mounted =
                digest.filter(|digest| lock(self.store).mount(self.repository, digest, from));
            if let Some(digest) = mounted {
                body.drain().await;
                return Ok(self.created(&digest));
            }
        }
        let id = lock(self.store).start_upload(self.repository);
        if self.query("digest").is_some() {
            return self.finish(&id, body).await;
        }
        body.drain().await;
        let mut reply = self.accepted(StatusCode::ACCEPTED, &id, true);
        if let Some(minimum) = self.minimal_chunk {
            reply = reply.with(super::reply::CHUNK_MINIMUM, minimum.to_string());
        }
        Ok(reply)
    }

    /// `PATCH`: bytes, which must begin where the upload ends when `Content-Range` says where they begin.
    pub(super) async fn append(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: &mut RequestBody,
    ) -> Result<Reply, Broken> {
        if !self.raw_query.contains(STATE) {
            body.drain().await;
            return Ok(Reply::error(
                StatusCode::BAD_REQUEST,
                "BLOB_UPLOAD_INVALID",
                "the query changed",
            ));
        }
        let Some(length) = self.length(id) else {
            return Ok(unknown());
        };
        if !continues(headers, length) {
            body.drain().await;
            return Ok(self.accepted(StatusCode::RANGE_NOT_SATISFIABLE, id, true));
        }
        if let Some(refusal) = self.receive(id, body).await? {
            return Ok(refusal);
        }
        Ok(self.accepted(StatusCode::ACCEPTED, id, true))
    }

    /// `PUT`: perhaps the rest or all of the bytes, and the digest of everything.
    pub(super) async fn finish(&self, id: &str, body: &mut RequestBody) -> Result<Reply, Broken> {
        if let Some(refusal) = self.receive(id, body).await? {
            return Ok(refusal);
        }
        let Some(digest) = self.query("digest").and_then(Digest::parse) else {
            return Ok(Reply::error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "no usable digest",
            ));
        };
        let Some(upload) = lock(self.store).take_upload(self.repository, id) else {
            return Ok(unknown());
        };
        let content = upload.spool.finish().map_err(|_| Broken)?;
        if !digest.matches(content.reader()).is_ok_and(|fits| fits) {
            return Ok(Reply::error(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "digest did not match",
            ));
        }
        lock(self.store).put_blob(self.repository, digest.clone(), content);
        Ok(self.created(&digest))
    }

    /// `GET`: how much has arrived.
    pub(super) fn status(&self, id: &str) -> Reply {
        match self.length(id) {
            Some(_) => self.accepted(StatusCode::NO_CONTENT, id, true),
            None => unknown(),
        }
    }

    /// `DELETE`: forgets the upload.
    pub(super) fn cancel(&self, id: &str) -> Reply {
        match lock(self.store).take_upload(self.repository, id) {
            Some(_) => Reply::empty(StatusCode::NO_CONTENT),
            None => unknown(),
        }
    }

    fn length(&self, id: &str) -> Option<u64> {
        lock(self.store)
            .upload(self.repository, id)
            .map(|upload| upload.spool.len())
    }

    /// Adds the body to the upload; what came before a break is kept.
    async fn receive(&self, id: &str, body: &mut RequestBody) -> Result<Option<Reply>, Broken> {
        while let Some(bytes) = body.next().await? {
            match lock(self.store).upload(self.repository, id) {
                Some(upload) => upload.spool.append(&bytes).map_err(|_| Broken)?,
                None => return Ok(Some(unknown())),
            }
        }
        Ok(None)
    }

    fn accepted(&self, status: StatusCode, id: &str, with_range: bool) -> Reply {
        let path = format!("/v2/{}/blobs/uploads/{id}?{STATE}", self.repository);
        let location = match self.location {
            UploadLocation::Absolute | UploadLocation::Elsewhere => format!("{}{path}", self.base),
            UploadLocation::Path => path,
            UploadLocation::Relative => format!("{id}?{STATE}"),
        };
        let reply = Reply::empty(status)
            .with(header::LOCATION, location)
            .with(UPLOAD_UUID, id);
        let last = self.length(id).unwrap_or_default().saturating_sub(1);
        if with_range {
            reply.with(header::RANGE, format!("0-{last}"))
        } else {
            reply
        }
    }

    fn created(&self, digest: &Digest) -> Reply {
        Reply::empty(StatusCode::CREATED)
            .with(
                header::LOCATION,
                format!("/v2/{}/blobs/{digest}", self.repository),
            )
            .with(CONTENT_DIGEST, digest)
    }
}

/// Says whether `Content-Range: FIRST-LAST`, when it is there, begins at `length`.
fn continues(headers: &HeaderMap, length: u64) -> bool {
    let Some(value) = headers.get(header::CONTENT_RANGE) else {
        return true;
    };
    let text = value.to_str().unwrap_or_default();
    let first = text.trim_start_matches("bytes ").split('-').next();
    first.is_some_and(|first| first.parse() == Ok(length))
}

fn unknown() -> Reply {
    Reply::not_found("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}
