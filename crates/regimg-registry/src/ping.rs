//! Finding out how a registry is reached: `https` or `http`, and what it wants to know.

use http::{Method, StatusCode};
use regimg_core::Registry;
use tracing::debug;
use url::Url;

use crate::auth::challenge::Scheme;
use crate::error::chain;
use crate::transport::address::same_origin;
use crate::transport::{Response, Transport};
use crate::{Error, ErrorKind, PlainHttp};

/// Where a registry is and how it greets.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// `https://ghcr.io/`.
    pub(crate) base: Url,
    /// What the answer to `/v2/` asks for.
    pub(crate) scheme: Scheme,
}

/// Asks for `/v2/` by `https`, and by `http` only where that is allowed and `https` has failed.
///
/// Go clients let the two race; here a slow `https` is never overtaken, so that nobody can slow
/// it down to get a password in the clear.
pub(crate) async fn find(transport: &Transport, registry: &Registry) -> Result<Endpoint, Error> {
    let mut retry = transport.retry();
    let may_be_plain = match transport.config().plain_http {
        PlainHttp::Never => false,
        PlainHttp::LocalOnly => registry.is_local(),
        PlainHttp::Allowed => true,
    };
    loop {
        let found = if may_be_plain {
            either(transport, registry).await
        } else {
            secure(transport, registry).await
        };
        match found {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => retry.pause(error).await?,
        }
    }
}

async fn secure(transport: &Transport, registry: &Registry) -> Result<Endpoint, Error> {
    let response = ask(transport, registry, "https")
        .await
        .map_err(|error| transport.blame_certificate(error))?;
    let status = response.status();
    let is_final = status.is_success() || status.is_client_error();
    let agreed = response.url().scheme().to_owned();
    let scheme = challenge(registry, &response);
    // Some registries do not know `/v2/` itself; what counts will be the answer to the request.
    let error = response.into_error().await;
    if !is_final || error.is_transient() {
        return Err(error);
    }
    endpoint(registry, &agreed, scheme)
}

async fn either(transport: &Transport, registry: &Registry) -> Result<Endpoint, Error> {
    let limit = transport.config().timeouts.https_probe;
    let refused = match tokio::time::timeout(limit, secure(transport, registry)).await {
        // Whoever answers in HTTP is there: its error is the registry's, not the scheme's. Nor is
        // it the scheme's when a connection breaks that stood already.
        Ok(Err(error)) if error.status().is_some() || error.kind() == ErrorKind::Interrupted => {
            return Err(error);
        }
        Ok(Ok(endpoint)) => return Ok(endpoint),
        Ok(Err(error)) => error,
        Err(_) => transport.unanswered(&address(registry, "https")?),
    };
    debug!(error = chain(&refused), "no https, trying http");
    plain(transport, registry)
        .await
        .map_err(|error| both(registry, &refused, error))
}

/// A TLS server answers 400 to plain HTTP, so only the two expected answers count here.
async fn plain(transport: &Transport, registry: &Registry) -> Result<Endpoint, Error> {
    let response = ask(transport, registry, "http").await?;
    if !matches!(response.status(), StatusCode::OK | StatusCode::UNAUTHORIZED) {
        return Err(response.into_error().await);
    }
    let scheme = challenge(registry, &response);
    endpoint(registry, response.url().scheme(), scheme)
}

async fn ask(transport: &Transport, registry: &Registry, scheme: &str) -> Result<Response, Error> {
    let url = address(registry, scheme)?;
    transport.pass(&url).await;
    let mut request = transport.outgoing(Method::GET, url);
    request.shows_identity = true;
    transport.send(&request, None).await
}

/// A host that the greeting was redirected to may not say where the registry's password goes; the
/// registry itself will, when it refuses a request.
fn challenge(registry: &Registry, response: &Response) -> Scheme {
    let base = address(registry, response.url().scheme());
    if base.is_ok_and(|base| same_origin(&base, response.url())) {
        Scheme::of(response.headers())
    } else {
        Scheme::None
    }
}

fn address(registry: &Registry, scheme: &str) -> Result<Url, Error> {
    let text = format!("{scheme}://{}/v2/", registry.host());
    Url::parse(&text).map_err(|error| {
        let message = format!("{} is no host to connect to", registry.host());
        Error::new(ErrorKind::Configuration, message).with_source(error)
    })
}

/// The registry stays where the user said it is; a redirect of the greeting changes at most the scheme.
fn endpoint(registry: &Registry, agreed: &str, scheme: Scheme) -> Result<Endpoint, Error> {
    let mut base = address(registry, agreed)?;
    base.set_path("/");
    Ok(Endpoint { base, scheme })
}

fn both(registry: &Registry, https: &Error, http: Error) -> Error {
    if http.status().is_some_and(|status| status != 400) {
        return http;
    }
    let message = format!(
        "{} is reached neither by https ({}) nor by http ({})",
        registry.host(),
        chain(https),
        chain(&http)
    );
    // A server that shows a certificate speaks TLS, so what it makes of plain HTTP says nothing.
    let patience = if https.kind() == ErrorKind::Tls {
        None
    } else {
        http.patience()
    };
    let error = Error::new(https.kind(), message);
    let error = https
        .hint()
        .map_or(error.clone(), |hint| error.with_hint(hint));
    patience.map_or(error.clone(), |patience| error.with_patience(patience))
}
