//! The parsers of what strangers write, for fuzzing. Nothing here is kept stable.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::auth::{challenge, reply};
use crate::blob::content_range::{ContentRange, received};
use crate::masking::Mask;
use crate::transport::retry;
use crate::{RateLimit, envelope, link};

/// Reads `WWW-Authenticate`; returns the schemes.
pub fn challenges(line: &str) -> Vec<String> {
    let challenges = challenge::parse(line).into_iter();
    challenges.map(|challenge| challenge.scheme).collect()
}

/// Reads `Link`; returns where the next page is.
pub fn next_page(line: &str) -> Option<String> {
    link::next(&header("link", line)?)
}

/// Reads the body of a failed answer; returns its codes and its message.
pub fn envelope(body: &[u8]) -> (Vec<String>, String) {
    let (envelope, nothing) = (envelope::parse(body), Mask::default());
    (envelope.codes(&nothing), envelope.message(&nothing))
}

/// Reads a token server's reply; returns how long the token lives.
pub fn token_reply(body: &[u8]) -> Option<Duration> {
    reply::parse(body).ok().map(|reply| reply.life)
}

/// Reads a page of a tag list.
pub fn tag_page(body: &[u8]) -> Option<Vec<String>> {
    Some(crate::tags::read(body).ok()?.texts)
}

/// Reads `Retry-After` on a given day.
pub fn retry_after(value: &str, today: SystemTime) -> Option<Duration> {
    retry::retry_after(value, today)
}

/// Reads `Content-Range`; returns the first and last byte and the size.
pub fn content_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    ContentRange::parse(value).map(|range| (range.first, range.last, range.total))
}

/// Reads the `Range` of an upload; returns how many bytes were received.
pub fn received_bytes(value: &str) -> Option<u64> {
    received(value)
}

/// Reads `RateLimit`.
pub fn rate_limit(value: &str) -> Option<RateLimit> {
    RateLimit::of(&header("ratelimit", value)?)
}

fn header(name: &'static str, value: &str) -> Option<HeaderMap> {
    let value = HeaderValue::from_str(value).ok()?;
    Some(HeaderMap::from_iter([(
        HeaderName::from_static(name),
        value,
    )]))
}

/// Reads a file of trust data as every kind of document; returns those kinds that it is, after having
/// seen that each would be written as it was read.
#[cfg(feature = "notary")]
pub fn trust_document(file: &[u8]) -> Vec<&'static str> {
    crate::notary::fuzzing::document(file)
}

/// Reads a private key that is not encrypted; returns its ID. Of one that is, only how it is.
#[cfg(feature = "notary")]
pub fn signing_key(text: &str) -> Option<String> {
    let key = crate::SigningKey::from_pem(&text.into(), &"".into()).ok()?;
    Some(key.id().to_owned())
}

/// Says whether a certificate may vouch for the trust data of a repository.
#[cfg(feature = "notary")]
pub fn root_certificate(pem: &[u8], gun: &str, today: SystemTime) -> bool {
    crate::notary::fuzzing::root_certificate(pem, gun, today)
}
