//! One registry and one credential: which scheme, which challenge, which tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode};
use regimg_core::{Digest, Registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::auth::challenge::{Bearer, Scheme};
use crate::auth::scope::{self, Scope};
use crate::auth::token::{Buyer, Purpose, Token, Tokens};
use crate::auth::{self, Credential, CredentialSource};
use crate::ping::{self, Endpoint};
use crate::sync::{Flight, lock};
use crate::transport::address;
use crate::transport::{Authorization, Outgoing, Response, Transport};
use crate::{Error, ErrorKind};

/// A token must live this long when a large body follows it: a refusal in the middle of the body
/// arrives as a broken connection, not as 401.
const LIFE_FOR_A_BODY: Duration = Duration::from_mins(1);

/// Everything known about one registry.
pub(crate) struct Session {
    transport: Arc<Transport>,
    registry: Registry,
    source: Arc<dyn CredentialSource>,
    credential: Flight<Credential>,
    endpoint: Flight<Endpoint>,
    /// What a refused request taught; the answer to `/v2/` is not always the whole truth.
    learned: Mutex<Option<Scheme>>,
    /// Scopes that were demanded beyond those asked for.
    widened: Mutex<HashMap<Vec<Scope>, Vec<Scope>>>,
    tokens: Tokens,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    requests: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

/// A request to the registry and what it must be allowed to do.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub(crate) request: Outgoing<'a>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) lane: Lane,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which limit a request counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A short exchange.
    Request,
    /// Part of a transfer, whose permit is held by the transfer itself.
    Transfer,
}

/// What one try presents.
enum Proof {
    Nothing,
    Basic(Authorization),
    RegistryToken(Authorization),
    Token {
        purpose: Purpose,
        token: Arc<Token>,
        authorization: Authorization,
    },
}

impl Proof {
    fn authorization(&self) -> Option<&Authorization> {
        match self {
            Self::Nothing => None,
            Self::Basic(authorization)
            | Self::RegistryToken(authorization)
            | Self::Token { authorization, .. } => Some(authorization),
        }
    }
}

impl Session {
    pub(crate) fn new(
        transport: Arc<Transport>,
        registry: Registry,
        source: Arc<dyn CredentialSource>,
    ) -> Self {
        let limit =
            |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        let config = transport.config();
        let (requests, transfers) = (limit(config.max_requests), limit(config.max_transfers));
        Self {
            transport,
            registry,
            source,
            credential: Flight::default(),
            endpoint: Flight::default(),
            learned: Mutex::default(),
            widened: Mutex::default(),
            tokens: Tokens::default(),
            turns: Mutex::default(),
            requests,
            transfers,
        }
    }

    pub(crate) fn transport(&self) -> &Arc<Transport> {
        &self.transport
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the registry's root, `https://ghcr.io/`, after having found out that it is there.
    pub(crate) async fn base(&self) -> Result<Url, Error> {
        Ok(self.endpoint().await?.base.clone())
    }

    /// Waits for one of the places among the transfers.
    pub(crate) async fn transfer(&self) -> OwnedSemaphorePermit {
        let transfers = self.transfers.clone();
        transfers
            .acquire_owned()
            .await
            .expect("this semaphore is never closed")
    }

    /// Returns the lock that whoever pushes this blob holds meanwhile.
    pub(crate) fn turn(&self, path: &str, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let key = format!("{path}@{digest}");
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(key).or_default().clone()
    }

    /// Sends a request until it is answered by one of `accepted`, or by something final.
    pub(crate) async fn request(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
    ) -> Result<Response, Error> {
        let mut retry = self.transport.retry();
        loop {
            match self.attempt(call, accepted).await {
                Ok(response) => return Ok(response),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// Sends a request until its answer was read as a whole, `limit` bytes at most.
    pub(crate) async fn read(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
        limit: u64,
    ) -> Result<Answer, Error> {
        let mut retry = self.transport.retry();
        loop {
            match self.read_once(call, accepted, limit).await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    async fn read_once(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
        limit: u64,
    ) -> Result<Answer, Error> {
        let response = self.attempt(call, accepted).await?;
        let (url, headers) = (response.url().clone(), response.headers().clone());
        Ok(Answer {
            url,
            headers,
            body: response.bytes(limit).await?,
        })
    }

    /// Sends a request once; an answer that is not among `accepted` becomes the error that it is.
    pub(crate) async fn attempt(
        &self,
        call: &Call<'_>,
        accepted: &[StatusCode],
    ) -> Result<Response, Error> {
        let response = self.exchange(call).await?;
        if accepted.contains(&response.status()) {
            return Ok(response);
        }
        Err(self.explain(response.into_error().await).await)
    }

    /// Sends a request once, and a second time when it has to prove itself better.
    pub(crate) async fn exchange(&self, call: &Call<'_>) -> Result<Response, Error> {
        let proof = self.proof(call).await?;
        let response = self.dispatch(call, &proof).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(better) = self.better_proof(call, &response, &proof).await? else {
            return Ok(response);
        };
        drop(response);
        self.dispatch(call, &better).await
    }

    async fn dispatch(&self, call: &Call<'_>, proof: &Proof) -> Result<Response, Error> {
        let permit = self.admission(call).await;
        let mut response = self
            .transport
            .send(&call.request, proof.authorization())
            .await?;
        response.permit = permit;
        Ok(response)
    }

    /// Waits for the host's gate and for a place, both at one time.
    async fn admission(&self, call: &Call<'_>) -> Option<OwnedSemaphorePermit> {
        loop {
            self.transport.pass(&call.request.url).await;
            if call.lane == Lane::Transfer {
                return None;
            }
            let permit = self
                .requests
                .clone()
                .acquire_owned()
                .await
                .expect("this semaphore is never closed");
            if self.transport.is_open(&call.request.url) {
                return Some(permit);
            }
        }
    }

    async fn proof(&self, call: &Call<'_>) -> Result<Proof, Error> {
        let endpoint = self.endpoint().await?;
        let credential = self.credential().await?;
        let learned = lock(&self.learned).clone();
        let scheme = learned.as_ref().unwrap_or(&endpoint.scheme);
        match (credential.as_ref(), scheme) {
            (Credential::RegistryToken(token), _) => {
                let value = auth::bearer(token)?;
                Ok(Proof::RegistryToken(Authorization {
                    origin: endpoint.base.clone(),
                    value,
                }))
            }
            (_, Scheme::Bearer(bearer)) => {
                let widened = lock(&self.widened).get(&call.scopes).cloned();
                let purpose = Purpose::new(bearer, widened.unwrap_or_else(|| call.scopes.clone()));
                self.token_proof(call, &endpoint, credential, purpose).await
            }
            // Nexus and Artifactory let `/v2/` pass and refuse what follows; a password given for
            // this registry is shown to it unasked.
            (Credential::Basic { .. }, Scheme::Basic | Scheme::None) => {
                basic_proof(&endpoint, &credential)
            }
            (
                Credential::Anonymous | Credential::IdentityToken(_),
                Scheme::Basic | Scheme::None,
            ) => Ok(Proof::Nothing),
        }
    }

    /// Answers a refusal, if there is anything better to present than before.
    async fn better_proof(
        &self,
        call: &Call<'_>,
        response: &Response,
        presented: &Proof,
    ) -> Result<Option<Proof>, Error> {
        let endpoint = self.endpoint().await?;
        if !address::same_origin(response.url(), &endpoint.base) {
            return Ok(None);
        }
        let credential = self.credential().await?;
        let scheme = Scheme::of(response.headers());
        if matches!(presented, Proof::RegistryToken(_)) {
            return Ok(None);
        }
        match &scheme {
            Scheme::Bearer(bearer) => {
                let purpose = self.refused_purpose(call, bearer, presented);
                let proof = self
                    .token_proof(call, &endpoint, credential, purpose)
                    .await?;
                self.learn(&scheme);
                Ok(Some(proof))
            }
            Scheme::Basic
                if !matches!(presented, Proof::Basic(_))
                    && matches!(*credential, Credential::Basic { .. }) =>
            {
                self.learn(&scheme);
                basic_proof(&endpoint, &credential).map(Some)
            }
            Scheme::Basic | Scheme::None => Ok(None),
        }
    }

    /// Remembers a challenge for the requests to come, without the scope of this one.
    fn learn(&self, scheme: &Scheme) {
        *lock(&self.learned) = Some(scheme.clone());
    }

    /// Says what to buy instead of the token that was refused, and forgets that one.
    fn refused_purpose(&self, call: &Call<'_>, bearer: &Bearer, presented: &Proof) -> Purpose {
        if let Proof::Token { purpose, token, .. } = presented {
            self.tokens.discard(purpose, token);
        }
        let scopes = scope::merge(bearer.scope.as_deref(), &call.scopes);
        if scopes != call.scopes {
            lock(&self.widened).insert(call.scopes.clone(), scopes.clone());
        }
        Purpose::new(bearer, scopes)
    }

    async fn token_proof(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        credential: Arc<Credential>,
        purpose: Purpose,
    ) -> Result<Proof, Error> {
        let buyer = Buyer {
            transport: self.transport.clone(),
            registry: endpoint.base.clone(),
            credential,
        };
        let needed = match call.lane {
            Lane::Request => Duration::ZERO,
            Lane::Transfer => LIFE_FOR_A_BODY,
        };
        let token = self.tokens.get(&purpose, needed, buyer).await?;
        let value = token.authorization.clone();
        let authorization = Authorization {
            origin: endpoint.base.clone(),
            value,
        };
        Ok(Proof::Token {
            purpose,
            token,
            authorization,
        })
    }

    async fn credential(&self) -> Result<Arc<Credential>, Error> {
        let (source, registry) = (self.source.clone(), self.registry.clone());
        let make = move || {
            async move {
                source.credential(&registry).await.map_err(|error| {
                    let message = format!("no credential for {}", registry.host());
                    Error::new(ErrorKind::Credential, message).with_source(error)
                })
            }
            .boxed()
        };
        self.credential.get(|_| true, make).await
    }

    async fn endpoint(&self) -> Result<Arc<Endpoint>, Error> {
        let (transport, registry) = (self.transport.clone(), self.registry.clone());
        let make = move || async move { ping::find(&transport, &registry).await }.boxed();
        self.endpoint.get(|_| true, make).await
    }

    /// Says of a refusal whether there were credentials at all.
    async fn explain(&self, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Denied)
            || error.hint().is_some()
        {
            return error;
        }
        let host = self.registry.host();
        match self.credential().await.as_deref() {
            Ok(Credential::Anonymous) => {
                error.with_hint(format!("no credentials were given for {host}"))
            }
            _ => error.with_hint(format!("the credentials given for {host} do not suffice")),
        }
    }
}

fn basic_proof(endpoint: &Endpoint, credential: &Credential) -> Result<Proof, Error> {
    let Credential::Basic { username, password } = credential else {
        return Ok(Proof::Nothing);
    };
    // As in Go clients: half an account is none.
    if username.is_empty() || password.is_empty() {
        return Ok(Proof::Nothing);
    }
    let value = auth::basic(username, password)?;
    Ok(Proof::Basic(Authorization {
        origin: endpoint.base.clone(),
        value,
    }))
}
