//! Manifests: finding their digests, fetching and pushing them.

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use regimg_core::{Digest, Identifier, MediaType, RawManifest};
use url::Url;

use crate::auth::scope::Scope;
use crate::session::{Answer, Call, Lane};
use crate::transport::{Body, address};
use crate::{Error, ErrorKind, RepositoryClient};

/// Look-ups that are prepared at one time.
const WINDOW: usize = 64;

/// Every kind of manifest, in the order in which Go clients name them. Docker's first schema is
/// among them so that the digests of old images can be found.
const ACCEPTED: &str = "application/vnd.docker.distribution.manifest.v1+json,\
    application/vnd.docker.distribution.manifest.v1+prettyjws,\
    application/vnd.docker.distribution.manifest.v2+json,\
    application/vnd.oci.image.manifest.v1+json,\
    application/vnd.docker.distribution.manifest.list.v2+json,\
    application/vnd.oci.image.index.v1+json";

const CONTENT_DIGEST: &str = "docker-content-digest";

/// What became of a manifest to push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestOutcome {
    /// The registry had it under this name already; nothing was sent.
    Existed,
    /// It was sent.
    Pushed,
}

/// What `HEAD` told.
enum Head {
    Found(Digest),
    Missing,
    /// The answer is of no use; `GET` has to find out.
    Unusable,
}

impl RepositoryClient {
    /// Looks up the digest behind a tag, `None` when the registry has none.
    ///
    /// Asks by `HEAD`, which costs nothing where pulls are counted. Only when its answer is
    /// unusable the manifest is fetched and its bytes are hashed; a 429 is waited for instead.
    pub async fn digest(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        self.session().in_time(self.look_up(identifier)).await
    }

    /// Looks up many digests side by side, in no order; how many requests are under way at one
    /// time is limited by [`Config::max_requests`](crate::Config::max_requests).
    pub fn digests<I>(
        &self,
        identifiers: I,
    ) -> impl Stream<Item = (Identifier, Result<Option<Digest>, Error>)> + use<I>
    where
        I: IntoIterator<Item = Identifier>,
    {
        let repository = self.clone();
        let look_up = move |identifier: Identifier| {
            let repository = repository.clone();
            async move {
                let digest = repository.digest(&identifier).await;
                (identifier, digest)
            }
        };
        stream::iter(identifiers)
            .map(look_up)
            .buffer_unordered(WINDOW)
    }

    async fn look_up(&self, identifier: &Identifier) -> Result<Option<Digest>, Error> {
        match self.head(identifier, Scope::pull(self.path())).await? {
            Head::Found(digest) => Ok(Some(digest)),
            Head::Missing => Ok(None),
            Head::Unusable => match self.fetch(identifier).await {
                Ok(answer) => fetched_digest(&answer, identifier).map(Some),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Fetches a manifest. Asked for by digest, its bytes are verified; asked for by tag, its
    /// digest is that of its bytes, whatever the registry's headers say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Digest`] for other bytes than asked for, [`ErrorKind::TooLarge`] beyond
    /// [`Config::max_manifest_bytes`](crate::Config::max_manifest_bytes).
    pub async fn manifest(&self, identifier: &Identifier) -> Result<RawManifest, Error> {
        self.session()
            .in_time(self.fetch_manifest(identifier))
            .await
    }

    pub(crate) async fn fetch_manifest(
        &self,
        identifier: &Identifier,
    ) -> Result<RawManifest, Error> {
        let answer = self.fetch(identifier).await?;
        raw_manifest(&answer, identifier)
    }

    /// Pushes a manifest under a tag or its digest, unless the registry has it there already.
    /// Everything that it refers to must have been pushed before.
    pub async fn push_manifest(
        &self,
        identifier: &Identifier,
        manifest: &RawManifest,
    ) -> Result<ManifestOutcome, Error> {
        let pushed = self.head_and_put(identifier, manifest);
        self.session().in_time(pushed).await
    }

    async fn head_and_put(
        &self,
        identifier: &Identifier,
        manifest: &RawManifest,
    ) -> Result<ManifestOutcome, Error> {
        let scope = Scope::push(self.path());
        if matches!(self.head(identifier, scope.clone()).await?, Head::Found(digest) if digest == *manifest.digest())
        {
            return Ok(ManifestOutcome::Existed);
        }
        let url = self.manifest_url(identifier).await?;
        let mut request = self.session().transport().outgoing(Method::PUT, url);
        request
            .headers
            .insert(CONTENT_TYPE, media_type_header(manifest.media_type())?);
        request.body = Body::Bytes(manifest.bytes().clone());
        let call = Call {
            request,
            scopes: vec![scope],
            lane: Lane::Request,
        };
        let accepted = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
        self.session().request(&call, &accepted).await?;
        Ok(ManifestOutcome::Pushed)
    }

    /// Asks by `HEAD`; waits over rate limits and broken connections, and gives up on anything else.
    async fn head(&self, identifier: &Identifier, scope: Scope) -> Result<Head, Error> {
        let mut request = self
            .session()
            .transport()
            .outgoing(Method::HEAD, self.manifest_url(identifier).await?);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let call = Call {
            request,
            scopes: vec![scope],
            lane: Lane::Request,
        };
        let mut retry = self.session().transport().retry();
        loop {
            let error = match self.session().exchange(&call).await {
                Ok(response) => match response.status() {
                    StatusCode::OK => return Ok(head_of(response.headers(), identifier)),
                    StatusCode::NOT_FOUND => return Ok(Head::Missing),
                    StatusCode::TOO_MANY_REQUESTS => response.into_error().await,
                    _ => return Ok(Head::Unusable),
                },
                Err(error) => error,
            };
            retry.pause(error).await?;
        }
    }

    pub(crate) async fn fetch(&self, identifier: &Identifier) -> Result<Answer, Error> {
        let mut request = self
            .session()
            .transport()
            .outgoing(Method::GET, self.manifest_url(identifier).await?);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let call = Call {
            request,
            scopes: vec![Scope::pull(self.path())],
            lane: Lane::Request,
        };
        let limit = self.session().transport().config().max_manifest_bytes;
        self.session().read(&call, &[StatusCode::OK], limit).await
    }

    async fn manifest_url(&self, identifier: &Identifier) -> Result<Url, Error> {
        self.url(&format!("manifests/{identifier}")).await
    }
}

/// The digest is believed only from an answer that is complete otherwise too: registries that
/// leave one of these headers out get the others wrong. Nor is one believed that contradicts the
/// digest that was asked for.
fn head_of(headers: &HeaderMap, identifier: &Identifier) -> Head {
    let complete = headers.contains_key(CONTENT_TYPE) && headers.contains_key(CONTENT_LENGTH);
    match (announced(headers), identifier) {
        (Some(digest), Identifier::Digest(asked)) if complete && digest == *asked => {
            Head::Found(digest)
        }
        (Some(digest), Identifier::Tag(_)) if complete => Head::Found(digest),
        _ => Head::Unusable,
    }
}

fn announced(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get(CONTENT_DIGEST)?.to_str().ok()?).ok()
}

fn fetched_digest(answer: &Answer, identifier: &Identifier) -> Result<Digest, Error> {
    let is_signed = media_type(&answer.headers)
        .is_some_and(|media_type| media_type == MediaType::DOCKER_SCHEMA1_SIGNED);
    match announced(&answer.headers) {
        // The digest of a signed manifest leaves the signatures out, which takes a parser of
        // their format to compute; nothing can be made of such an image anyway.
        Some(digest) if is_signed => Ok(digest),
        _ => Ok(raw_manifest(answer, identifier)?.digest().clone()),
    }
}

fn raw_manifest(answer: &Answer, identifier: &Identifier) -> Result<RawManifest, Error> {
    let (media_type, bytes): (_, Bytes) = (media_type(&answer.headers), answer.body.clone());
    match identifier {
        // A login page would have a digest as well, and be reported as a version.
        Identifier::Tag(_) if !bytes.trim_ascii_start().starts_with(b"{") => {
            let kind = media_type
                .as_ref()
                .map_or("nothing known", MediaType::as_str);
            let host = address::authority(&answer.url);
            let message = format!("{host} sent no manifest but {kind}");
            let error = Error::new(ErrorKind::Protocol, message).at(&answer.url);
            Err(error.with_hint(
                "does something else answer in the registry's place, such as a page to log in?",
            ))
        }
        Identifier::Tag(_) => Ok(RawManifest::new(media_type, bytes)),
        Identifier::Digest(digest) => {
            RawManifest::verified(media_type, bytes, digest).map_err(|error| {
                let message = format!(
                    "{} sent another manifest than asked for",
                    address::authority(&answer.url)
                );
                Error::new(ErrorKind::Digest, message)
                    .at(&answer.url)
                    .with_source(error)
            })
        }
    }
}

/// The media type without parameters such as `; charset=utf-8`.
fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next()?.trim();
    (!essence.is_empty()).then(|| MediaType::new(essence))
}

fn media_type_header(media_type: &MediaType) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(media_type.as_str()).map_err(|_| {
        let message = format!("{:?} is no media type", media_type.as_str());
        Error::new(ErrorKind::Unsupported, message)
    })
}
