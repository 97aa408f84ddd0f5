//! What a failed exchange means: where it broke, and whether it is worth another try.
//!
//! Errors of HTTP libraries nest. What counts is the innermost one, and the stage at which it
//! struck; texts and the outer library's own kinds change with its versions and are not used.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::AlertDescription;

use super::route::Route;
use crate::error::Patience;
use crate::{Error, ErrorKind, envelope};

/// Explains a request that got no response.
pub(crate) fn unsent(route: &Route<'_>, error: &reqwest::Error) -> Error {
    if let Some(failure) = find::<SourceFailure>(error) {
        return Error::new(ErrorKind::Source, failure.0.clone()).at(route.url);
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return untrusted(route, tls);
    }
    if error.is_connect() || error.is_builder() {
        return unconnected(route, error);
    }
    let cause = Cause::new(innermost(error));
    let garbage = find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    let failure = if garbage {
        Error::new(
            ErrorKind::Protocol,
            format!("{route} did not answer in HTTP"),
        )
        .with_patience(Patience::Short)
    } else {
        Error::new(
            ErrorKind::Interrupted,
            format!("the connection to {route} broke"),
        )
        .with_patience(Patience::Long)
    };
    failure.at(route.url).with_source(cause)
}

/// Explains a connection that was not made. Behind a proxy it is the proxy that did not make it.
fn unconnected(route: &Route<'_>, error: &reqwest::Error) -> Error {
    let failure = Error::new(ErrorKind::Connect, format!("could not connect to {route}"))
        .at(route.url)
        .with_source(Cause::new(innermost(error)));
    let is_lost = error.is_dns() || error.is_builder();
    let failure = match &route.proxy {
        Some(_) if error.is_dns() => failure.with_hint("check the name in the proxy's address"),
        // What is left is the answer to `CONNECT`, whose status the library keeps to itself.
        Some(_) if !is_lost && find::<io::Error>(error).is_none() => failure.with_hint(
            "the proxy does not let the connection through; ask those who run it, or reach the host directly (no_proxy)",
        ),
        _ => failure,
    };
    if is_lost {
        failure
    } else {
        failure.with_patience(Patience::Short)
    }
}

/// Explains a response whose body broke off.
pub(crate) fn cut(route: &Route<'_>, error: &reqwest::Error) -> Error {
    let message = format!("the answer of {route} broke off");
    Error::new(ErrorKind::Interrupted, message)
        .at(route.url)
        .with_source(Cause::new(innermost(error)))
        .with_patience(Patience::Long)
}

/// Explains a response whose body ended too early, and without an error.
pub(crate) fn short(route: &Route<'_>, received: u64) -> Error {
    let message = format!("the answer of {route} ended after {received} bytes");
    Error::new(ErrorKind::Interrupted, message)
        .at(route.url)
        .with_patience(Patience::Long)
}

/// Explains a response that would take for ever: of what it sent, `lately` bytes came in `waited`.
pub(crate) fn slow(
    route: &Route<'_>,
    received: u64,
    lately: u64,
    waited: std::time::Duration,
) -> Error {
    let message = format!(
        "the answer of {route} is too slow: {received} bytes so far, {lately} of them in {}",
        super::retry::spelled(waited)
    );
    Error::new(ErrorKind::Interrupted, message)
        .at(route.url)
        .with_patience(Patience::Long)
}

/// Explains a wait that lasted too long.
pub(crate) fn silent(route: &Route<'_>, stage: &str, waited: std::time::Duration) -> Error {
    let message = format!(
        "{route} was silent for {} {stage}",
        super::retry::spelled(waited)
    );
    Error::new(ErrorKind::Interrupted, message)
        .at(route.url)
        .with_patience(Patience::Long)
}

/// A server that does not speak TLS at all is told from one that is not trusted.
fn untrusted(route: &Route<'_>, tls: &rustls::Error) -> Error {
    let error = if matches!(tls, rustls::Error::InvalidMessage(_)) {
        Error::new(ErrorKind::Connect, format!("{route} does not speak TLS"))
            .with_hint(if route.proxy.is_some() {
                "the registry may speak plain http, which has to be allowed, or the proxy answers in its place"
            } else {
                "the registry may speak plain http, which has to be allowed"
            })
    } else {
        Error::new(ErrorKind::Tls, format!("no trusted connection to {route}"))
            .with_hint(tls_hint(tls))
    };
    error.at(route.url).with_source(tls_cause(tls))
}

/// What our own verification says stands on its own; rustls would only print its type.
fn tls_cause(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            Cause::of(&other.0)
        }
        _ => Cause::new(error),
    }
}

fn tls_hint(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::{
        BadSignature, NotValidForName, NotValidForNameContext, Other, UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature | Other(_)) => {
            "add the authority that issued the certificate, or the certificate itself, to ca_certs"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "the certificate is for another name; check the repository's host"
        }
        rustls::Error::InvalidCertificate(_) => "the registry's certificate has to be replaced",
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure,
        ) => "the registry may want a client certificate, or another one",
        _ => "the registry may accept other versions of TLS only, or want a client certificate",
    }
}

/// What our own side of an upload reports through the HTTP library.
#[derive(Clone, Debug)]
pub(crate) struct SourceFailure(pub(crate) String);

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for SourceFailure {}

/// The text of an inner error, cut loose from the library that made it.
#[derive(Debug)]
pub(crate) struct Cause(String);

impl Cause {
    fn new(error: &(dyn StdError + 'static)) -> Self {
        Self::of(error)
    }

    /// Takes the text, which may quote what a stranger sent: one line of it, and not too long a one.
    pub(crate) fn of(error: &dyn fmt::Display) -> Self {
        Self(envelope::clean(&error.to_string()))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// Steps inwards. An `io::Error` hides what it wraps from `source`, so it is asked by `get_ref`.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
        None => error.source(),
    }
}

fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    std::iter::successors(Some(error), |error| inner(*error))
        .last()
        .unwrap_or(error)
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| inner(*error)).find_map(|error| error.downcast_ref())
}
