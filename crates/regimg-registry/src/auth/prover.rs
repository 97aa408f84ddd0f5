//! What to present to a registry: nothing, a password, or a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use regimg_core::Registry;

use super::challenge::{Bearer, Scheme};
use super::scope::{self, Scope};
use super::token::{Buyer, Purpose, Token, Tokens};
use super::{Credential, CredentialError, CredentialSource};
use crate::ping::{self, Endpoint};
use crate::session::Call;
use crate::sync::{Flight, lock};
use crate::transport::{Authorization, Body, Response, Transport, address};
use crate::{Error, ErrorKind};

/// A token must live this long when a large body follows it: a refusal in the middle of the body
/// arrives as a broken connection, not as 401.
const LIFE_FOR_A_BODY: Duration = Duration::from_mins(1);

/// Knows one registry's ways of asking, and one credential.
pub(crate) struct Prover {
    transport: Arc<Transport>,
    registry: Registry,
    source: Arc<dyn CredentialSource>,
    credential: Flight<Credential>,
    /// What the registry did not take last, to be replaced by the source.
    refused: Mutex<Option<Arc<Credential>>>,
    endpoint: Flight<Endpoint>,
    /// What a refused request taught; the answer to `/v2/` is not always the whole truth.
    learned: Mutex<Option<Scheme>>,
    /// Scopes that were demanded beyond those asked for.
    widened: Mutex<HashMap<Vec<Scope>, Vec<Scope>>>,
    tokens: Tokens,
    /// Whether a password is shown to a registry that did not ask for one.
    is_forward: bool,
}

/// What one try presents.
pub(crate) enum Proof {
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
    pub(crate) fn authorization(&self) -> Option<&Authorization> {
        match self {
            Self::Nothing => None,
            Self::Basic(authorization)
            | Self::RegistryToken(authorization)
            | Self::Token { authorization, .. } => Some(authorization),
        }
    }
}

impl Prover {
    pub(crate) fn new(
        transport: Arc<Transport>,
        registry: Registry,
        source: Arc<dyn CredentialSource>,
    ) -> Self {
        Self {
            transport,
            registry,
            source,
            credential: Flight::default(),
            refused: Mutex::default(),
            endpoint: Flight::default(),
            learned: Mutex::default(),
            widened: Mutex::default(),
            tokens: Tokens::default(),
            is_forward: true,
        }
    }

    /// Makes it wait until it is asked.
    #[cfg(feature = "notary")]
    pub(crate) fn reserved(self) -> Self {
        Self {
            is_forward: false,
            ..self
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Chooses what to present before anything was refused.
    pub(crate) async fn proof(&self, call: &Call<'_>) -> Result<Proof, Error> {
        let endpoint = self.endpoint().await?;
        let credential = self.credential().await?;
        let learned = lock(&self.learned).clone();
        let scheme = learned.as_ref().unwrap_or(&endpoint.scheme);
        match (credential.as_ref(), scheme) {
            (Credential::RegistryToken(token), _) => {
                let value = super::bearer(token)?;
                Ok(Proof::RegistryToken(Authorization {
                    origin: endpoint.base.clone(),
                    value,
                }))
            }
            (_, Scheme::Bearer(bearer)) => {
                let widened = lock(&self.widened).get(&call.scopes).cloned();
                let purpose = Purpose::new(bearer, widened.unwrap_or_else(|| call.scopes.clone()));
                let buyer = self.buyer(&endpoint, credential.clone());
                self.token_proof(call, buyer, purpose).await
            }
            // Nexus and Artifactory let `/v2/` pass and refuse what follows; a password given for
            // this registry is shown to it unasked.
            (Credential::Basic { .. }, Scheme::None) if !self.is_forward => Ok(Proof::Nothing),
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
    pub(crate) async fn better_proof(
        &self,
        call: &Call<'_>,
        response: &Response,
        presented: &Proof,
    ) -> Result<Option<Proof>, Error> {
        let endpoint = self.endpoint().await?;
        if !address::same_origin(response.url(), &endpoint.base) {
            return self.guest_proof(call, response).await;
        }
        if matches!(presented, Proof::RegistryToken(_)) {
            return Ok(None);
        }
        let credential = self.credential().await?;
        let scheme = Scheme::of(response.headers());
        match &scheme {
            Scheme::Bearer(bearer) => {
                let purpose = self.refused_purpose(call, bearer, presented);
                let buyer = self.buyer(&endpoint, credential);
                let proof = self.token_proof(call, buyer, purpose).await?;
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
            Scheme::Basic if matches!(presented, Proof::Nothing) => {
                self.learn(&scheme);
                Ok(None)
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

    /// Answers the challenge of a host that the registry redirected to. It gets a token of its own
    /// and none of our secrets; there are stores that want one even from strangers.
    async fn guest_proof(
        &self,
        call: &Call<'_>,
        response: &Response,
    ) -> Result<Option<Proof>, Error> {
        let Scheme::Bearer(bearer) = Scheme::of(response.headers()) else {
            return Ok(None);
        };
        let purpose = Purpose {
            guest: Some(response.url().origin().ascii_serialization()),
            ..Purpose::new(&bearer, scope::merge(bearer.scope.as_deref(), &[]))
        };
        let buyer = Buyer {
            transport: self.transport.clone(),
            registry: response.url().clone(),
            credential: Arc::new(Credential::Anonymous),
            is_guest: true,
        };
        self.token_proof(call, buyer, purpose).await.map(Some)
    }

    fn buyer(&self, endpoint: &Endpoint, credential: Arc<Credential>) -> Buyer {
        Buyer {
            transport: self.transport.clone(),
            registry: endpoint.base.clone(),
            credential,
            is_guest: false,
        }
    }

    async fn token_proof(
        &self,
        call: &Call<'_>,
        buyer: Buyer,
        purpose: Purpose,
    ) -> Result<Proof, Error> {
        let needed = match call.request.body {
            Body::Blob { .. } => LIFE_FOR_A_BODY,
            Body::Empty | Body::Bytes(_) | Body::Form(_) => Duration::ZERO,
        };
        let origin = buyer.registry.clone();
        let token = self.tokens.get(&purpose, needed, buyer).await?;
        let value = token.authorization.clone();
        let authorization = Authorization { origin, value };
        Ok(Proof::Token {
            purpose,
            token,
            authorization,
        })
    }

    /// Asks the source again after a refusal; true when it has another credential now, as for
    /// clouds whose passwords last for hours.
    pub(crate) async fn renew(&self, refused: &Arc<Credential>) -> Result<bool, Error> {
        *lock(&self.refused) = Some(refused.clone());
        self.credential.discard(refused);
        Ok(self.credential().await? != *refused)
    }

    pub(crate) async fn credential(&self) -> Result<Arc<Credential>, Error> {
        let (source, registry) = (self.source.clone(), self.registry.clone());
        let refused = lock(&self.refused).clone();
        let make = move || {
            async move {
                let made = match refused.as_deref() {
                    None => source.credential(&registry).await,
                    Some(refused) => source.replacement(&registry, refused).await,
                };
                made.map_err(|error| no_credential(&registry, error))
            }
            .boxed()
        };
        self.credential.get(|_| true, make).await
    }

    /// Returns where the registry is, after having greeted it once.
    pub(crate) async fn endpoint(&self) -> Result<Arc<Endpoint>, Error> {
        let (transport, registry) = (self.transport.clone(), self.registry.clone());
        let make = move || async move { ping::find(&transport, &registry).await }.boxed();
        self.endpoint.get(|_| true, make).await
    }

    /// Says whether the registry asks for a user name and a password, and takes no tokens.
    async fn takes_passwords_alone(&self) -> bool {
        let learned = lock(&self.learned).clone();
        let scheme = match learned {
            Some(scheme) => Some(scheme),
            None => self.endpoint().await.ok().map(|found| found.scheme.clone()),
        };
        matches!(scheme, Some(Scheme::Basic))
    }

    /// Says of a refusal whether there were credentials at all, and takes them out of what the
    /// registry said.
    pub(crate) async fn explain(&self, error: Error) -> Error {
        let error = match self.credential().await.as_deref() {
            Ok(credential) => error.without(credential.secrets()),
            Err(_) => error,
        };
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
            Ok(Credential::IdentityToken(_)) if self.takes_passwords_alone().await => error
                .with_hint(format!(
                    "{host} takes only a user name and a password, and an identity token was given"
                )),
            _ => error.with_hint(format!("the credentials given for {host} do not suffice")),
        }
    }
}

/// Says whose fault it is, with the source's own advice if it has some.
fn no_credential(registry: &Registry, error: CredentialError) -> Error {
    let message = format!("no credential for {}", registry.host());
    let hint = error.downcast_ref::<Error>().and_then(Error::hint);
    let outer = Error::new(ErrorKind::Credential, message);
    let outer = match hint {
        Some(hint) => outer.with_hint(hint.to_owned()),
        None => outer,
    };
    outer.with_source(error)
}

fn basic_proof(endpoint: &Endpoint, credential: &Credential) -> Result<Proof, Error> {
    let Credential::Basic { username, password } = credential else {
        return Ok(Proof::Nothing);
    };
    // As in Go clients: half an account is none.
    if username.is_empty() || password.is_empty() {
        return Ok(Proof::Nothing);
    }
    let value = super::basic(username, password)?;
    Ok(Proof::Basic(Authorization {
        origin: endpoint.base.clone(),
        value,
    }))
}
