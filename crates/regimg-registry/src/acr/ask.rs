//! Asking services that are no registry: one answer, in bounded time and of bounded length.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde::de::DeserializeOwned;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::error::Patience;
use crate::transport::address::authority;
use crate::transport::{Body, Outgoing, Redirects, Response, Transport};
use crate::{Config, Error, ErrorKind};

/// How long one try may take, as in the Go resource.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Tries of one request. With the default waits they last for the minute that a metadata service
/// may be away.
const TRIES: u32 = 6;

/// Bytes of an answer that are read. Tokens of people in many groups are long.
const ANSWER_LIMIT: u64 = 256 << 10;

/// Shortens the waits of a client's configuration to what such a service may take. Certificates
/// are verified whatever the client does with those of registries: what is sent here opens more.
pub(super) fn bounded(config: &Config) -> Config {
    let mut config = config.clone();
    let timeouts = &mut config.timeouts;
    for wait in [
        &mut timeouts.connect,
        &mut timeouts.first_byte,
        &mut timeouts.idle,
    ] {
        *wait = LIMIT.min(*wait);
    }
    config.retry.max_tries = TRIES.min(config.retry.max_tries);
    config.server_certificates = crate::ServerCertificates::Verified;
    config
}

/// Prepares a request that follows no redirect, so that what it holds stays with one host.
pub(super) fn get(transport: &Transport, url: Url) -> Outgoing<'static> {
    let mut request = transport.outgoing(Method::GET, url);
    request.redirects = Redirects::Never;
    request
}

/// Prepares a form with secrets in it.
pub(super) fn form(transport: &Transport, url: Url, fields: &[(&str, &str)]) -> Outgoing<'static> {
    let form = Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = get(transport, url);
    request.method = Method::POST;
    request.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    request.body = Body::Form(form.into());
    request
}

/// Sends a request, again while its answer is one that passes, and returns the first that does
/// not. Should an answer repeat one of `secrets`, nobody will read it.
pub(super) async fn answer<T>(
    transport: &Transport,
    request: &Outgoing<'_>,
    secrets: &[&str],
    read: impl AsyncFn(Response) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut retry = transport.retry();
    loop {
        transport.pass(&request.url).await;
        let once = async { read(transport.send(request, None).await?).await };
        let outcome = match tokio::time::timeout(LIMIT, once).await {
            Ok(outcome) => outcome,
            Err(_) => Err(slow(&request.url)),
        };
        match outcome {
            Ok(answer) => return Ok(answer),
            Err(error) => retry.pause(error.without(secrets)).await?,
        }
    }
}

fn slow(url: &Url) -> Error {
    let message = format!("{} took longer than {LIMIT:?}", authority(url));
    let error = Error::new(ErrorKind::Interrupted, message).at(url);
    error.with_patience(Patience::Short)
}

/// Reads the body of a success, and the error of anything else.
pub(super) async fn body(response: Response) -> Result<Bytes, Error> {
    if response.status().is_success() {
        return response.document(ANSWER_LIMIT).await;
    }
    Err(response.into_error().await)
}

/// Reads JSON; what is wrong with it is not said, since a part of it may be secret.
pub(super) fn decode<T: DeserializeOwned>(url: &Url, body: &[u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| {
        let message = format!("failed to decode the {what} of {}", authority(url));
        Error::new(ErrorKind::Protocol, message).at(url)
    })
}

/// Says what was being done, and keeps the advice of what went wrong.
pub(super) fn failed(message: impl Into<String>, cause: Error) -> Error {
    let hint = cause.hint().map(str::to_owned);
    let error = Error::new(ErrorKind::Credential, message).with_source(cause);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerCertificates;

    #[test]
    fn no_wait_is_longer_than_half_a_minute() {
        let mut given = Config {
            server_certificates: ServerCertificates::DangerouslyIgnored,
            ..Config::default()
        };
        given.timeouts.connect = Duration::from_secs(3);
        let bounded = bounded(&given);
        let timeouts = &bounded.timeouts;
        assert_eq!(timeouts.connect, Duration::from_secs(3));
        assert_eq!((timeouts.first_byte, timeouts.idle), (LIMIT, LIMIT));
        assert_eq!(bounded.retry.max_tries, TRIES);
        assert_eq!(bounded.server_certificates, ServerCertificates::Verified);
    }
}
