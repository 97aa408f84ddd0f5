//! Buying tokens, each one once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use regimg_core::Secret;
use url::Url;
use url::form_urlencoded::Serializer;

use super::challenge::Bearer;
use super::reply;
use super::scope::Scope;
use super::{Credential, TOKEN_USER, basic};
use crate::masking::Mask;
use crate::sync::{Flight, lock};
use crate::transport::address::{self, PlainText};
use crate::transport::{Authorization, Body, Outgoing, Response, Transport};
use crate::{Error, ErrorKind};

/// Bytes of a token server's reply that are read.
const REPLY_LIMIT: u64 = 64 << 10;

/// Tokens are renewed this long before they end, so that they do not end on the way.
const MARGIN: Duration = Duration::from_secs(10);

/// Named to token servers that want to know the kind of client.
const CLIENT_ID: &str = "regimg";

/// A token and when it was bought.
pub(crate) struct Token {
    pub(crate) authorization: HeaderValue,
    expires: Instant,
    life: Duration,
}

impl Token {
    /// Reports whether the token lasts for `needed`, or, should the server sell none that do, for
    /// half of what it sells.
    fn lasts(&self, needed: Duration, now: Instant) -> bool {
        self.expires > now + needed.min(self.life / 2).max(MARGIN)
    }
}

/// What a token is bought for: the server, the registry's name there, the scopes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Purpose {
    /// The origin of a host that we were only redirected to and that the token is for. It may
    /// ask in the registry's own words, and must not get the token that our password bought.
    pub(crate) guest: Option<String>,
    pub(crate) realm: String,
    pub(crate) service: Option<String>,
    pub(crate) scopes: Vec<Scope>,
}

impl Purpose {
    pub(crate) fn new(bearer: &Bearer, scopes: Vec<Scope>) -> Self {
        Self {
            guest: None,
            realm: bearer.realm.clone(),
            service: bearer.service.clone(),
            scopes,
        }
    }
}

/// The tokens of one session.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<Purpose, Arc<Flight<Token>>>>);

impl Tokens {
    /// Returns a token that lasts for `needed` at least, if the server sells any that do.
    pub(crate) async fn get(
        &self,
        purpose: &Purpose,
        needed: Duration,
        buyer: Buyer,
    ) -> Result<Arc<Token>, Error> {
        let flight = self.flight(purpose);
        let now = buyer.transport.config().clock.now();
        let purpose = purpose.clone();
        flight
            .get(
                move |token| token.lasts(needed, now),
                move || async move { buyer.buy(&purpose).await }.boxed(),
            )
            .await
    }

    /// Makes the next request for the same purpose buy a new token, unless one was bought since.
    pub(crate) fn discard(&self, purpose: &Purpose, useless: &Arc<Token>) {
        self.flight(purpose).discard(useless);
    }

    fn flight(&self, purpose: &Purpose) -> Arc<Flight<Token>> {
        lock(&self.0).entry(purpose.clone()).or_default().clone()
    }
}

/// Goes to the token server on behalf of a registry.
pub(crate) struct Buyer {
    pub(crate) transport: Arc<Transport>,
    /// Who named the token server.
    pub(crate) registry: Url,
    pub(crate) credential: Arc<Credential>,
    /// Whether `registry` is a host that we were only redirected to.
    pub(crate) is_guest: bool,
}

impl Buyer {
    /// Buys a token, trying again while the server is out of order.
    async fn buy(&self, purpose: &Purpose) -> Result<Token, Error> {
        let realm = self.realm(&purpose.realm)?;
        let mut retry = self.transport.retry();
        loop {
            self.transport.pass(&realm).await;
            match self.try_buy(&realm, purpose).await {
                Ok(token) => return Ok(token),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// Checks where the registry sends us before a password goes there.
    ///
    /// A relative address is refused, as Go clients do: the
    /// [token specification](https://distribution.github.io/distribution/spec/auth/token/) has a URL here,
    /// and to guess what a place for passwords is relative to would be unwise.
    fn realm(&self, realm: &str) -> Result<Url, Error> {
        let url = Url::parse(realm).map_err(|error| {
            let host = address::authority(&self.registry);
            let realm = Mask::new(self.credential.secrets()).clean(realm);
            let message =
                format!("{host} names the token server {realm:?}, which is no absolute address");
            Error::new(ErrorKind::Protocol, message)
                .at(&self.registry)
                .with_source(error)
        })?;
        let url = address::with_agreed_scheme(url, &self.registry);
        address::check(&url, &self.registry, PlainText::Keep)?;
        Ok(url)
    }

    async fn try_buy(&self, realm: &Url, purpose: &Purpose) -> Result<Token, Error> {
        let response = match self.credential.as_ref() {
            Credential::IdentityToken(token) => self.exchange(realm, purpose, token).await?,
            Credential::Basic { username, password } => {
                self.ask(realm, purpose, Some((username, password))).await?
            }
            Credential::Anonymous | Credential::RegistryToken(_) => {
                self.ask(realm, purpose, None).await?
            }
        };
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        let url = response.url().clone();
        let body = response.document(REPLY_LIMIT).await?;
        let reply = reply::parse(&body).map_err(|why| {
            let message = format!(
                "the token server {} is not understood: {why}",
                address::authority(&url)
            );
            Error::new(ErrorKind::Protocol, message).at(&url)
        })?;
        let expires = self.transport.config().clock.now() + reply.life;
        Ok(Token {
            authorization: reply.authorization,
            expires,
            life: reply.life,
        })
    }

    /// The form of the [token specification](https://distribution.github.io/distribution/spec/auth/token/).
    async fn ask(
        &self,
        realm: &Url,
        purpose: &Purpose,
        account: Option<(&str, &Secret)>,
    ) -> Result<Response, Error> {
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            for scope in &purpose.scopes {
                query.append_pair("scope", &scope.to_string());
            }
            if let Some(service) = &purpose.service {
                query.append_pair("service", service);
            }
        }
        let mut request = self.transport.outgoing(Method::GET, url);
        request.shows_identity = !self.is_guest;
        let value = account
            .map(|(username, password)| basic(username, password))
            .transpose()?;
        let authorization = value.map(|value| Authorization {
            origin: realm.clone(),
            value,
        });
        self.transport.send(&request, authorization.as_ref()).await
    }

    /// The form of [OAuth 2](https://distribution.github.io/distribution/spec/auth/oauth/), and the
    /// other one where a server does not know it; Artifactory says so by 401.
    async fn exchange(
        &self,
        realm: &Url,
        purpose: &Purpose,
        token: &Secret,
    ) -> Result<Response, Error> {
        let response = self
            .transport
            .send(&self.oauth(realm, purpose, token), None)
            .await?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNAUTHORIZED => {
                self.ask(realm, purpose, Some((TOKEN_USER, token))).await
            }
            _ => Ok(response),
        }
    }

    fn oauth(&self, realm: &Url, purpose: &Purpose, token: &Secret) -> Outgoing<'static> {
        let scopes: Vec<String> = purpose.scopes.iter().map(ToString::to_string).collect();
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", token.expose())
            .append_pair("service", purpose.service.as_deref().unwrap_or_default())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("client_id", CLIENT_ID)
            .finish();
        let mut request = self.transport.outgoing(Method::POST, realm.clone());
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request.body = Body::Form(form.into());
        request.shows_identity = !self.is_guest;
        request
    }

    async fn refusal(&self, response: Response) -> Error {
        let is_final = response.status().is_client_error();
        let error = response.into_error().await;
        let error = error.without(self.credential.secrets());
        if !is_final || error.is_transient() {
            return error;
        }
        let registry = address::authority(&self.registry);
        let hint = match self.credential.as_ref() {
            Credential::Anonymous => format!("no credentials were given for {registry}"),
            _ => format!("the token server did not accept the credentials for {registry}"),
        };
        let kind = if error.kind() == ErrorKind::Denied {
            ErrorKind::Denied
        } else {
            ErrorKind::Unauthorized
        };
        error.with_kind(kind).with_hint(hint)
    }
}
