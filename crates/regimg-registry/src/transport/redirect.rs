//! Redirects, followed by hand: each hop is checked, and secrets do not travel along.

use http::header::LOCATION;
use http::{Method, StatusCode};
use url::Url;

use super::address::{self, PlainText};
use super::{Body, Outgoing, Response};
use crate::{Error, ErrorKind};

/// Redirects followed before the chain counts as endless.
pub(crate) const MAX_HOPS: usize = 10;

/// Where the answers of a request may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// To no address that is less protected than the one before.
    Strict,
    /// Even from `https` to `http`, because a digest vouches for the bytes.
    Verified,
    /// Nowhere: whoever is asked answers itself.
    #[cfg(any(feature = "acr", feature = "notary"))]
    Never,
}

impl Redirects {
    fn plain_text(self) -> PlainText {
        match self {
            Self::Strict => PlainText::Keep,
            #[cfg(any(feature = "acr", feature = "notary"))]
            Self::Never => PlainText::Keep,
            Self::Verified => PlainText::Accept,
        }
    }
}

/// Returns where the answer sends the request, `None` when it is an answer proper.
///
/// Only `307` and `308` promise that method and body stay, so only they move an upload.
pub(crate) fn next(request: &Outgoing<'_>, response: &Response) -> Result<Option<Url>, Error> {
    #[cfg(any(feature = "acr", feature = "notary"))]
    if request.redirects == Redirects::Never {
        return Ok(None);
    }
    let is_reading = matches!(request.method, Method::GET | Method::HEAD);
    match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {}
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER if is_reading => {
        }
        _ => return Ok(None),
    }
    let Some(location) = response.header(LOCATION.as_str()) else {
        return Ok(None);
    };
    let plain = request.redirects.plain_text();
    let url = address::target(location, response.url(), plain, "redirects")?;
    if matches!(request.body, Body::Form(_)) && !address::same_origin(&url, response.url()) {
        let message = format!(
            "{} sends a secret elsewhere",
            address::authority(response.url())
        );
        return Err(Error::new(ErrorKind::Refused, message).at(response.url()));
    }
    Ok(Some(url))
}
