//! One answer: its head, and its body piece by piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::address::authority;
use super::limit::Place;
use super::route::Route;
use super::{Outgoing, classify};
use crate::envelope;
use crate::{Error, ErrorKind};

/// Bytes of a failed answer's body that are read for its message.
const ENVELOPE_LIMIT: u64 = 64 << 10;

/// An answer whose body has not been read yet.
pub(crate) struct Response {
    inner: reqwest::Response,
    method: Method,
    url: Url,
    /// Where the proxy is that the answer came through.
    proxy: Option<String>,
    idle: Duration,
    /// How long a 429 or 503 asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// What was shown to the host that answered.
    pub(crate) presented: Option<HeaderValue>,
    /// Held until the body is read or dropped, so that the limit covers the whole exchange.
    pub(crate) place: Option<Place>,
}

impl Response {
    pub(crate) fn new(
        inner: reqwest::Response,
        request: &Outgoing<'_>,
        proxy: Option<String>,
        idle: Duration,
    ) -> Self {
        Self {
            inner,
            method: request.method.clone(),
            url: request.url.clone(),
            proxy,
            idle,
            retry_after: None,
            presented: None,
            place: None,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.inner.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    pub(crate) fn version(&self) -> http::Version {
        self.inner.version()
    }

    /// Returns the address that answered, after redirects.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    fn route(&self) -> Route<'_> {
        let (url, proxy) = (&self.url, self.proxy.as_deref());
        Route { url, proxy }
    }

    /// Returns a header's value, if it is there once at least and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Returns the next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let error = match tokio::time::timeout(self.idle, self.inner.chunk()).await {
            Ok(Ok(piece)) => return Ok(piece),
            Ok(Err(error)) => classify::cut(&self.route(), &error),
            Err(_) => classify::silent(&self.route(), "within an answer", self.idle),
        };
        Err(error.by(&self.method))
    }

    /// Reads the whole body, which must not be longer than `limit` bytes.
    pub(crate) async fn bytes(mut self, limit: u64) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if (body.len() + piece.len()) as u64 > limit {
                let message = format!(
                    "the answer of {} is longer than {limit} bytes",
                    authority(&self.url)
                );
                let error = Error::new(ErrorKind::TooLarge, message).at(&self.url);
                return Err(error.by(&self.method));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// Returns the proxy, if the answer may be its own: what goes through in TLS is not.
    fn meddling_proxy(&self) -> Option<&str> {
        self.proxy
            .as_deref()
            .filter(|_| self.url.scheme() == "http")
    }

    /// Makes the error that this answer is, with what its body says.
    pub(crate) async fn into_error(mut self) -> Error {
        let mut body = BytesMut::new();
        // A body that breaks off or is endless still has a beginning worth showing.
        while let Ok(Some(piece)) = self.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() as u64 > ENVELOPE_LIMIT {
                break;
            }
        }
        let presented = self
            .presented
            .as_ref()
            .and_then(|value| value.to_str().ok());
        let secret = presented.and_then(|value| Some(value.split_once(' ')?.1));
        Error::answer(&self.url, self.status(), envelope::parse(&body))
            .without(secret)
            .through(self.meddling_proxy())
            .by(&self.method)
            .with_retry_after(self.retry_after)
    }
}
