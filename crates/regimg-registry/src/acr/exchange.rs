//! What the registry does for it: naming its tenant, and taking a token of Entra for one of its own.

use std::time::Duration;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use regimg_core::{Registry, Secret};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::ask;
use crate::auth::unbase64;
use crate::transport::address::authority;
use crate::transport::{Response, Transport};
use crate::{Error, ErrorKind};

/// The tenant where none is named.
pub(super) const COMMON: &str = "common";

/// How long a refresh token lives that does not say.
const ASSUMED_LIFE: Duration = Duration::from_hours(1);

/// The longest life that is believed. Three hours are usual.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
struct Exchanged {
    #[serde(default)]
    refresh_token: Secret,
}

/// Returns the registry's root, always `https`: what is sent there opens more than the registry.
pub(super) fn address(registry: &Registry) -> Result<Url, Error> {
    Url::parse(&format!("https://{}/", registry.host())).map_err(|error| {
        let message = format!("{} is no host to connect to", registry.host());
        Error::new(ErrorKind::Configuration, message).with_source(error)
    })
}

/// Asks the registry for its tenant.
pub(super) async fn tenant(transport: &Transport, registry: &Url) -> Result<String, Error> {
    let mut url = registry.clone();
    url.set_path("/v2/");
    let mut request = ask::get(transport, url);
    request.shows_identity = true;
    let read = async |response: Response| {
        let challenge = response.header(WWW_AUTHENTICATE.as_str());
        let challenge = challenge.filter(|_| response.status() == StatusCode::UNAUTHORIZED);
        let tenant = challenge.and_then(named).unwrap_or(COMMON).to_owned();
        match response.into_error().await {
            error if error.is_transient() => Err(error),
            _ => Ok(tenant),
        }
    };
    ask::answer(transport, &request, &[], read).await
}

/// Finds the tenant in `Bearer realm="https://…/oauth2/exchange?tenant=…"`.
fn named(challenge: &str) -> Option<&str> {
    let (_, rest) = challenge.strip_prefix("Bearer ")?.split_once("tenant=")?;
    let tenant = rest.split(['"', '&']).next().unwrap_or_default();
    is_tenant(tenant).then_some(tenant)
}

/// Says whether a text is an id or a domain, and so may be a part of an address.
pub(super) fn is_tenant(text: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_dots = text.bytes().all(|byte| byte == b'.');
    !is_dots && text.len() <= 255 && text.bytes().all(belongs)
}

/// Exchanges a token of Entra for a refresh token of the registry.
pub(super) async fn refresh_token(
    transport: &Transport,
    registry: &Url,
    tenant: &str,
    token: &Secret,
) -> Result<Secret, Error> {
    let host = authority(registry);
    let mut url = registry.clone();
    url.set_path("/oauth2/exchange");
    let fields = [
        ("grant_type", "access_token"),
        ("service", &host),
        ("tenant", tenant),
        ("access_token", token.expose()),
    ];
    let mut request = ask::form(transport, url, &fields);
    request.shows_identity = true;
    let answer = ask::answer(transport, &request, &[token.expose()], ask::body).await;
    let answer = answer.map_err(|error| match error.status() {
        Some(status) => {
            let message = format!("the token exchange at {host} returned status {status}");
            ask::failed(message, error.clone()).with_kind(error.kind())
        }
        None => error,
    })?;
    let exchanged: Exchanged = ask::decode(&request.url, &answer, "token exchange")?;
    if exchanged.refresh_token.is_empty() {
        let message = format!("received an empty refresh token from {host}");
        return Err(Error::new(ErrorKind::Protocol, message).at(registry));
    }
    Ok(exchanged.refresh_token)
}

/// Returns how long a refresh token lives, as the difference of two times that the server wrote
/// into it, so that our clock need not be right.
pub(super) fn life(token: &Secret) -> Duration {
    let life = claims(token).and_then(|claims| {
        let time = |name: &str| claims.get(name)?.as_u64();
        time("exp")?.checked_sub(time("iat").or_else(|| time("nbf"))?)
    });
    life.map_or(ASSUMED_LIFE, Duration::from_secs)
        .min(LONGEST_LIFE)
}

/// Reads what a JWT says ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-3)); it was
/// made by the registry, and is for the registry to verify.
fn claims(token: &Secret) -> Option<Value> {
    let text = token.expose().split('.').nth(1)?;
    let text = text.replace('-', "+").replace('_', "/");
    serde_json::from_slice(&unbase64(&text)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::base64;

    #[test]
    fn tenants_are_found() {
        let realm = |query: &str| {
            format!(r#"Bearer realm="https://r.azurecr.io/oauth2/exchange{query}",service="r""#)
        };
        let id = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        for (challenge, wanted) in [
            (realm(&format!("?tenant={id}")), Some(id)),
            (realm("?foo=bar&tenant=abc-123&baz=qux"), Some("abc-123")),
            (
                realm("?tenant=example.onmicrosoft.com"),
                Some("example.onmicrosoft.com"),
            ),
            (realm(""), None),
            (realm("?tenant="), None),
            (realm("?tenant=../x"), None),
            (realm("?tenant=.."), None),
            (realm("?tenant=a%2Fb"), None),
            (r#"Bearer service="r""#.to_owned(), None),
            (r#"Basic realm="?tenant=abc""#.to_owned(), None),
            (String::new(), None),
        ] {
            let wanted = wanted.filter(|tenant| !tenant.is_empty());
            assert_eq!(named(&challenge), wanted, "{challenge}");
        }
    }

    fn token(claims: &str) -> Secret {
        let text = base64(claims.as_bytes());
        let text = text.replace('+', "-").replace('/', "_");
        Secret::new(format!("e30.{}.x", text.trim_end_matches('=')))
    }

    #[test]
    fn tokens_tell_their_life() {
        for (token, wanted) in [
            (token(r#"{"iat":1000,"exp":11800,"n":"ÿÿÿ??>>"}"#), 10_800),
            (token(r#"{"nbf":1000,"exp":1060}"#), 60),
            (token(r#"{"iat":1,"exp":99999999999}"#), 86_400),
            (token(r#"{"iat":2000,"exp":1000}"#), 3600),
            (token(r#"{"exp":1000}"#), 3600),
            (token("[]"), 3600),
            (Secret::new("opaque"), 3600),
            (Secret::new("a.!.b"), 3600),
        ] {
            assert_eq!(life(&token).as_secs(), wanted, "{}", token.expose());
        }
    }

    proptest! {
        #[test]
        fn any_token_and_challenge_can_be_read(text in "\\PC{0,80}") {
            life(&Secret::new(text.clone()));
            let challenge = format!("Bearer tenant={text}");
            if let Some(tenant) = named(&challenge) {
                let address = format!("https://h/{tenant}/token");
                let url = Url::parse(&address).unwrap();
                prop_assert_eq!(url.as_str(), address);
            }
        }
    }
}
