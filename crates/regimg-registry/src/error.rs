//! What can go wrong, told so that a person knows whom to ask.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use url::Url;

use crate::envelope::Envelope;
use crate::masking::Mask;
use crate::transport::address::{authority, redacted};

/// A request that did not do what was asked.
///
/// `Display` names the host and what it answered, this level only: the cause, when there is one,
/// stands in [`source`](StdError::source). No credential, token or signed address is ever part of it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    /// What the answer said, uncut: message and codes are made of it again when there is another
    /// secret to take out.
    said: Option<Envelope>,
    host: String,
    method: Option<Method>,
    url: Option<String>,
    status: Option<StatusCode>,
    codes: Vec<String>,
    attempts: u32,
    hint: Option<String>,
    retry_after: Option<Duration>,
    is_known: bool,
    patience: Option<Patience>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The registry has no such repository, tag, manifest or blob.
    NotFound,
    /// Credentials are missing or were not accepted.
    Unauthorized,
    /// The credentials are known and do not suffice.
    Denied,
    /// Too many requests, and waiting did not help or would have lasted too long.
    RateLimited,
    /// The registry is out of order.
    Unavailable,
    /// The registry refused the request for another reason.
    Rejected,
    /// The bytes received are not the ones that the digest or size promises.
    Digest,
    /// The answer breaks the specification.
    Protocol,
    /// The certificate or the handshake was not acceptable.
    Tls,
    /// No connection could be made.
    Connect,
    /// A connection broke, or fell silent for too long.
    Interrupted,
    /// Following the answer would have been dangerous, so it was not done.
    Refused,
    /// The answer is larger than allowed.
    TooLarge,
    /// The index holds no image for the platform, or too many levels.
    NoPlatform,
    /// The manifest is of a kind that nothing can be made of, such as Docker's first schema.
    Unsupported,
    /// The credential could not be produced.
    Credential,
    /// A setting cannot be used, such as a certificate that is none.
    Configuration,
    /// [`Config::deadline`](crate::Config::deadline) passed.
    Deadline,
    /// The blob to push could not be read.
    Source,
}

/// For how long a failure is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the retry policy lasts: the host is there and will recover.
    Long,
    /// A few times: the host may be wrong altogether.
    Short,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            said: None,
            host: String::new(),
            method: None,
            url: None,
            status: None,
            codes: Vec::new(),
            attempts: 0,
            hint: None,
            retry_after: None,
            is_known: false,
            patience: None,
            source: None,
        }))
    }

    /// An answer that is no success, with what its body says.
    pub(crate) fn answer(url: &Url, status: StatusCode, envelope: Envelope) -> Self {
        let nothing = Mask::default();
        let mut error = Self::new(kind_of(status), envelope.message(&nothing)).at(url);
        error.0.status = Some(status);
        error.0.codes = envelope.codes(&nothing);
        error.0.said = Some(envelope);
        error.0.patience = is_temporary(status).then_some(Patience::Long);
        error
    }

    pub(crate) fn at(mut self, url: &Url) -> Self {
        self.0.host = authority(url);
        self.0.url = Some(redacted(url));
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn with_patience(mut self, patience: Patience) -> Self {
        self.0.patience = Some(patience);
        self
    }

    /// Marks the error as one that another try cannot cure.
    pub(crate) fn permanent(mut self) -> Self {
        self.0.patience = None;
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = self.0.attempts.max(attempts);
        self
    }

    /// Says how long the host asked to wait, and whether that is known from another answer.
    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>, is_known: bool) -> Self {
        self.0.retry_after = wait;
        self.0.is_known = is_known;
        self
    }

    pub(crate) fn is_known(&self) -> bool {
        self.0.is_known
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps what the one that refused calls it.
    #[cfg(any(feature = "ecr", feature = "notary"))]
    pub(crate) fn with_codes(mut self, codes: impl Into<Vec<String>>) -> Self {
        self.0.codes = codes.into();
        self
    }

    /// Names the proxy that an answer came through, or is of.
    pub(crate) fn through(mut self, proxy: Option<&str>) -> Self {
        let Some(proxy) = proxy else { return self };
        if self.0.status == Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED) {
            self.0.host = format!("the proxy {proxy}");
            return self.with_hint("the proxy wants a user name and a password, in its URL");
        }
        self.0.host = format!("{} through the proxy {proxy}", self.0.host);
        self
    }

    /// Says of which request this is the outcome, unless that is known already.
    pub(crate) fn by(mut self, method: &Method) -> Self {
        self.0.method.get_or_insert_with(|| method.clone());
        self
    }

    /// Blackens what was presented to the host, should its answer repeat it.
    pub(crate) fn without<S: AsRef<str>>(mut self, secrets: impl IntoIterator<Item = S>) -> Self {
        let mask = Mask::new(secrets);
        let inner = &mut *self.0;
        if let Some(said) = &mut inner.said {
            said.mask(&mask);
            inner.message = said.message(&mask);
            inner.codes = said.codes(&mask);
        } else {
            let texts = inner.codes.iter_mut().chain([&mut inner.message]);
            for text in texts {
                *text = mask.apply(text);
            }
        }
        self
    }

    pub(crate) fn patience(&self) -> Option<Patience> {
        self.0.patience
    }

    /// Returns how long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns what a caller may branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the HTTP status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status.map(|status| status.as_u16())
    }

    /// Returns the codes of the
    /// [error envelope](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes),
    /// such as `MANIFEST_UNKNOWN`.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.0.codes.iter().map(String::as_str)
    }

    /// Returns what the host said about it, or what is wrong where the host said nothing; one line,
    /// which may be empty.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the method of the request that failed, such as `GET`.
    pub fn method(&self) -> Option<&str> {
        self.0.method.as_ref().map(Method::as_str)
    }

    /// Returns the address that was asked, without credentials and without what a query may hide.
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// Returns after how many tries the request was given up; 0 when it is not a request that
    /// failed, but something about its answer or before it.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Reports whether the registry answered 404, whatever the body said.
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// Reports whether the registry answered that nothing was ever pushed to this repository.
    ///
    /// GCR and Artifact Registry say `NOT_FOUND` where others say `NAME_UNKNOWN`.
    pub fn is_new_repository(&self) -> bool {
        self.is_not_found()
            && self
                .codes()
                .any(|code| matches!(code, "NAME_UNKNOWN" | "NOT_FOUND"))
    }

    /// Reports whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        self.0.patience.is_some()
    }
}

/// Joins an error and its causes with `: `.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::UNAUTHORIZED => ErrorKind::Unauthorized,
        StatusCode::FORBIDDEN => ErrorKind::Denied,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::RateLimited,
        status if status.is_client_error() => ErrorKind::Rejected,
        status if status.is_server_error() => ErrorKind::Unavailable,
        _ => ErrorKind::Protocol,
    }
}

/// 499 and 522 are what proxies in front of registries say about a connection lost behind them.
fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 429 | 499 | 500 | 502 | 503 | 504 | 522
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let Some(status) = inner.status else {
            return f.write_str(&inner.message);
        };
        write!(f, "{}", status.as_u16())?;
        match (inner.codes.first(), status.canonical_reason()) {
            (Some(code), _) => write!(f, " {code}")?,
            (None, Some(reason)) => write!(f, " {reason}")?,
            (None, None) => {}
        }
        write!(f, " from {}", inner.host)?;
        if !inner.message.is_empty() {
            write!(f, ": {}", inner.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("display", &self.to_string())
            .field("method", &inner.method)
            .field("url", &inner.url)
            .field("attempts", &inner.attempts)
            .field("hint", &inner.hint)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
