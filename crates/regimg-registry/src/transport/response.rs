//! One answer: its head, and its body piece by piece.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use serde::de::IgnoredAny;
use url::Url;

use super::address::authority;
use super::limit::Place;
use super::route::Route;
use super::{Outgoing, classify};
use crate::envelope;
use crate::error::Patience;
use crate::{Error, ErrorKind};

/// Bytes of a failed answer's body that are read for its message.
const ENVELOPE_LIMIT: u64 = 64 << 10;

/// Bytes that an answer has to bring in each second that it is waited for, on average over the
/// time for which it may be silent: a server that sends one now and then is as good as one that
/// is silent.
const SLOWEST: u64 = 1 << 10;

/// An answer whose body has not been read yet.
pub(crate) struct Response {
    inner: reqwest::Response,
    method: Method,
    url: Url,
    /// Where the proxy is that the answer came through.
    proxy: Option<String>,
    /// Bytes of the body that came.
    received: u64,
    pace: Pace,
    has_stalled: bool,
    /// How long a 429 or 503 asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether another answer has said so before.
    pub(crate) is_known: bool,
    /// What was shown to the host that answered.
    pub(crate) presented: Option<HeaderValue>,
    /// Held until the body is read or dropped, so that the limit covers the whole exchange.
    pub(crate) place: Option<Place>,
}

/// How fast the body comes. Time in which nobody asks for more does not count.
///
/// It is measured from where the last bytes came that were enough, and not in spans of one length:
/// a body that dries up behind a good beginning would have all of that span and another one.
struct Pace {
    /// How long an answer may be silent.
    idle: Duration,
    waited: Duration,
    received: u64,
}

impl Pace {
    fn new(idle: Duration) -> Self {
        Self {
            idle,
            waited: Duration::ZERO,
            received: 0,
        }
    }

    /// How long the next piece may take.
    fn patience(&self) -> Duration {
        self.idle.saturating_sub(self.waited)
    }

    fn note(&mut self, waited: Duration, received: u64) {
        self.waited += waited;
        self.received += received;
        if u128::from(self.received) * 1000 >= self.idle.as_millis() * u128::from(SLOWEST) {
            *self = Self::new(self.idle);
        }
    }
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
            received: 0,
            pace: Pace::new(idle),
            has_stalled: false,
            retry_after: None,
            is_known: false,
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

    /// Returns the declared length of the body.
    pub(crate) fn length(&self) -> Option<u64> {
        let length = self.header(CONTENT_LENGTH.as_str())?;
        length.parse().ok()
    }

    /// Reports whether the end of the body can be told from a cut: by its length, or because it
    /// comes in chunks, of which the last one says so.
    pub(crate) fn has_an_end(&self) -> bool {
        let is_chunked =
            self.version() == Version::HTTP_11 && self.headers().contains_key(TRANSFER_ENCODING);
        self.length().is_some() || is_chunked
    }

    /// Makes the error that a body without a trustworthy end is when it stops too early.
    pub(crate) fn cut_short(&self) -> Error {
        classify::short(&self.route(), self.received).by(&self.method)
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
    ///
    /// A body that ends before its declared length was cut. Over HTTP/2 a stream that is reset
    /// with `NO_ERROR` looks like one that has ended
    /// ([RFC 9113, section 8.1](https://www.rfc-editor.org/rfc/rfc9113#section-8.1)).
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let asked = Instant::now();
        let patience = self.pace.patience();
        let error = match tokio::time::timeout(patience, self.inner.chunk()).await {
            Ok(Ok(Some(piece))) => {
                self.received += piece.len() as u64;
                self.pace.note(asked.elapsed(), piece.len() as u64);
                return Ok(Some(piece));
            }
            Ok(Ok(None)) if self.length().is_none_or(|length| self.received >= length) => {
                return Ok(None);
            }
            Ok(Ok(None)) => classify::short(&self.route(), self.received),
            Ok(Err(error)) => classify::cut(&self.route(), &error),
            Err(_) => {
                self.has_stalled = true;
                let Pace { idle, received, .. } = self.pace;
                match received {
                    0 => classify::silent(&self.route(), "within an answer", idle),
                    _ => classify::slow(&self.route(), self.received, received, idle),
                }
            }
        };
        Err(error.by(&self.method))
    }

    /// Says whether the body was given up because it did not come any more, or hardly.
    pub(crate) fn has_stalled(&self) -> bool {
        self.has_stalled
    }

    /// Reads the whole body, a JSON document of at most `limit` bytes.
    ///
    /// Where the end of a body cannot be told from a cut, that of the document tells: one that
    /// breaks off was cut. It may also be all that the server has, so it is not asked for long.
    pub(crate) async fn document(mut self, limit: u64) -> Result<Bytes, Error> {
        let body = self.bytes(limit).await?;
        if !self.has_an_end() && breaks_off(&body) {
            return Err(self.cut_short().with_patience(Patience::Short));
        }
        Ok(body)
    }

    async fn bytes(&mut self, limit: u64) -> Result<Bytes, Error> {
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
        let patience = self.pace.idle;
        let reading = async {
            // A body that breaks off or is endless still has a beginning worth showing.
            while let Ok(Some(piece)) = self.chunk().await {
                body.extend_from_slice(&piece);
                if body.len() as u64 > ENVELOPE_LIMIT {
                    break;
                }
            }
        };
        // So has one that comes drop by drop.
        let _ = tokio::time::timeout(patience, reading).await;
        let presented = self
            .presented
            .as_ref()
            .and_then(|value| value.to_str().ok());
        let secret = presented.and_then(|value| Some(value.split_once(' ')?.1));
        Error::answer(&self.url, self.status(), envelope::parse(&body))
            .without(secret)
            .through(self.meddling_proxy())
            .by(&self.method)
            .with_retry_after(self.retry_after, self.is_known)
    }
}

/// Says whether a JSON document is not finished; one that is none at all is not for us to judge.
fn breaks_off(document: &[u8]) -> bool {
    let read = serde_json::from_slice::<IgnoredAny>(document);
    read.is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Waits for `pieces`, each a number of bytes and the seconds that it takes, and returns after
    /// how many seconds that was given up.
    fn given_up(pieces: impl IntoIterator<Item = (u32, u64)>) -> Option<u64> {
        let mut pace = Pace::new(100 * SECOND);
        let mut waited = Duration::ZERO;
        for (seconds, bytes) in pieces {
            let takes = seconds * SECOND;
            if takes > pace.patience() {
                return Some((waited + pace.patience()).as_secs());
            }
            waited += takes;
            pace.note(takes, bytes);
        }
        None
    }

    #[test]
    fn bodies_that_dry_up_are_given_up_within_the_time_for_silence() {
        let drops = || (1, 1);
        let drop_by_drop = || std::iter::repeat_with(drops).take(1000);
        assert_eq!(given_up(drop_by_drop()), Some(100));
        let rest = std::iter::once((50, 10 << 20)).chain(drop_by_drop());
        assert_eq!(given_up(rest), Some(150));
        let rare = std::iter::repeat_n((99, 1), 10);
        assert_eq!(given_up(rare), Some(100));
        assert_eq!(given_up([(1, 500), (101, 1 << 20)]), Some(100));
        assert_eq!(given_up([(101, 1 << 20)]), Some(100));
    }

    #[test]
    fn bodies_that_come_are_waited_for() {
        let steady = std::iter::repeat_n((1, SLOWEST), 10_000);
        assert_eq!(given_up(steady), None);
        let in_bursts = std::iter::repeat_n((100, 100 * SLOWEST), 100);
        assert_eq!(given_up(in_bursts), None);
        let mixed = [(90, 1), (9, 200 << 10), (100, 200 << 10)];
        assert_eq!(given_up(mixed.into_iter().cycle().take(100)), None);
    }
}
