//! Logging in to Azure Container Registry.

mod ask;
mod config;
mod exchange;
mod federated;
mod identity;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use regimg_core::{Registry, Secret};
use tracing::debug;

pub use config::{AcrConfig, AzureCloud, AzureIdentity, FederatedToken, ManagedIdentity};

use self::identity::Entra;
use crate::auth::renewal::Had;
use crate::sync::{Flight, lock};
use crate::transport::Transport;
use crate::{Config, Credential, CredentialError, CredentialSource, Error, ErrorKind};

/// The user name that stands for "the password is a refresh token" at Azure.
const USER: &str = "00000000-0000-0000-0000-000000000000";

/// A token for registries alone. It is all that one accepts that was told not to listen to
/// [tokens of the resource manager](https://learn.microsoft.com/en-us/azure/container-registry/container-registry-disable-authentication-as-arm).
const REGISTRIES_ALONE: &str = "https://containerregistry.azure.net";

/// Refresh tokens are given out until this long before their end.
const MARGIN: Duration = Duration::from_mins(5);

/// Logs in to Azure Container Registry with an identity of Microsoft Entra.
///
/// | Step | Asked | For |
/// | --- | --- | --- |
/// | 1 | the registry's `/v2/`, unless [`AcrConfig::tenant_id`] is set | its tenant |
/// | 2 | the machine's metadata service, or the cloud's authority | a token of Entra |
/// | 3 | the registry's `/oauth2/exchange` | a refresh token, good for hours |
///
/// The refresh token is the password of the [`Credential::Basic`] that comes out. It is kept
/// until shortly before it ends; one that the registry refuses is replaced once. Passing failures are tried
/// again as the client's configuration says, six times at most, and no try lasts longer than 30
/// seconds.
///
/// ```
/// use regimg_registry::{Acr, AcrConfig, AzureIdentity, Client, Config, ManagedIdentity};
///
/// let identity = AzureIdentity::Managed { service: ManagedIdentity::default(), client_id: None };
/// let config = Config::default();
/// let client = Client::new(config.clone(), Acr::new(AcrConfig::new(identity), &config)?)?;
/// # Ok::<(), regimg_registry::Error>(())
/// ```
///
/// # Security
///
/// The token of Entra goes to the registry's own host, by `https` with a verified certificate,
/// whatever [`Config::plain_http`] and [`Config::server_certificates`] allow: it may open more
/// than the registry. Secrets and federated tokens go to the authority alone, likewise. The
/// metadata service is asked without a proxy. No redirect is followed.
pub struct Acr {
    shared: Arc<Shared>,
    kept: Mutex<HashMap<String, Arc<Flight<Kept>>>>,
}

struct Shared {
    config: AcrConfig,
    entra: Entra,
    transport: Transport,
}

/// A credential and until when it is given out.
struct Kept {
    credential: Credential,
    until: Instant,
    had: Had,
}

impl Kept {
    fn in_place_of_refused(mut self) -> Self {
        self.had = self.had.in_place_of_refused();
        self
    }
}

impl Acr {
    /// Prepares logging in; nothing is sent yet. `client` is the configuration of the client that
    /// will use it: proxies, authorities, retries, the clock.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for an address that is none, an authority that is not
    /// `https`, a tenant that cannot be one, and as [`Client::new`](crate::Client::new).
    pub fn new(config: AcrConfig, client: &Config) -> Result<Self, Error> {
        let identity_tenant = match &config.identity {
            AzureIdentity::Federated { tenant_id, .. } => tenant_id.as_deref(),
            _ => None,
        };
        let mut tenants = config
            .tenant_id
            .as_deref()
            .into_iter()
            .chain(identity_tenant);
        if let Some(wrong) = tenants.find(|tenant| !exchange::is_tenant(tenant)) {
            let message = format!("{wrong:?} is not the id or the domain of a tenant");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let shared = Shared {
            entra: Entra::new(&config, client)?,
            transport: Transport::new(ask::bounded(client))?,
            config,
        };
        Ok(Self {
            shared: Arc::new(shared),
            kept: Mutex::default(),
        })
    }

    fn kept(&self, registry: &Registry) -> Arc<Flight<Kept>> {
        let host = registry.host().to_owned();
        lock(&self.kept).entry(host).or_default().clone()
    }

    async fn log_in(&self, registry: &Registry) -> Result<Arc<Kept>, Error> {
        let (shared, name) = (self.shared.clone(), registry.clone());
        let now = shared.transport.config().clock.now();
        let make = || async move { shared.log_in(&name).await }.boxed();
        self.kept(registry).get(|kept| kept.until > now, make).await
    }

    /// Replaces a login that the registry refused, unless that was done just before.
    async fn replaced(
        &self,
        registry: &Registry,
        refused: &Credential,
    ) -> Result<Arc<Kept>, Error> {
        let kept = self.log_in(registry).await?;
        let (shared, name) = (self.shared.clone(), registry.clone());
        let today = shared.transport.config().clock.today();
        if kept.credential != *refused || !kept.had.is_worth_renewing(today) {
            return Ok(kept);
        }
        let flight = self.kept(registry);
        flight.discard(&kept);
        let make = || async move { shared.log_in(&name).await.map(Kept::in_place_of_refused) };
        flight.get(|_| true, || make().boxed()).await
    }
}

impl CredentialSource for Acr {
    fn credential<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async { given_out(self.log_in(registry).await) })
    }

    fn replacement<'a>(
        &'a self,
        registry: &'a Registry,
        refused: &'a Credential,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async { given_out(self.replaced(registry, refused).await) })
    }
}

fn given_out(kept: Result<Arc<Kept>, Error>) -> Result<Credential, CredentialError> {
    match kept {
        Ok(kept) => Ok(kept.credential.clone()),
        Err(error) => Err(ask::failed("cannot authenticate with ACR", error).into()),
    }
}

impl Shared {
    async fn log_in(&self, registry: &Registry) -> Result<Kept, Error> {
        let token = self.refresh_token(registry).await?;
        let life = exchange::life(&token);
        let clock = &self.transport.config().clock;
        debug!(registry = registry.host(), "logged in to ACR");
        Ok(Kept {
            credential: Credential::Basic {
                username: USER.to_owned(),
                password: token,
            },
            until: clock.now() + life.saturating_sub(MARGIN),
            had: Had::now(clock.today()),
        })
    }

    async fn refresh_token(&self, registry: &Registry) -> Result<Secret, Error> {
        let cloud = self.config.cloud;
        let cloud = cloud.unwrap_or_else(|| AzureCloud::of(registry));
        let registry = exchange::address(registry)?;
        let tenant = match &self.config.tenant_id {
            Some(tenant) => tenant.clone(),
            None => exchange::tenant(&self.transport, &registry).await?,
        };
        if tenant == exchange::COMMON && self.entra.signs_in_at_the_registrys_tenant() {
            let host = registry.host_str().unwrap_or_default();
            let message = format!("{host} does not name its tenant");
            let error = Error::new(ErrorKind::Protocol, message).at(&registry);
            return Err(error.with_hint("configure the id of the tenant"));
        }
        let exchanged = async |audience: &str| {
            let token = self.entra.token(cloud, &tenant, audience).await?;
            exchange::refresh_token(&self.transport, &registry, &tenant, &token).await
        };
        match exchanged(cloud.audience()).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                // What the first refusal says is of the usual case.
                exchanged(REGISTRIES_ALONE).await.map_err(|_| error)
            }
            outcome => outcome,
        }
        .map_err(|error| self.with_tenants_hint(error))
    }

    /// Says of a refused exchange what is most often wrong.
    fn with_tenants_hint(&self, error: Error) -> Error {
        let is_refused = matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Denied);
        match (&self.config.tenant_id, is_refused) {
            (_, false) => error,
            (Some(tenant), true) => error.with_hint(format!(
                "is {tenant} the tenant of the registry, and not that of the machine, and may the identity use the registry?"
            )),
            (None, true) => error.with_hint("may the identity use the registry (role AcrPull or AcrPush)?"),
        }
    }
}

impl fmt::Debug for Acr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acr")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
