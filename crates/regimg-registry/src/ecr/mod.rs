//! Credentials of Amazon's ECR, bought with whatever AWS takes as an identity.

mod ask;
mod host;
mod http;
mod refusal;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use regimg_core::{Registry, Secret};

pub use host::EcrHost;

use self::ask::Place;
use self::http::Http;
use self::token::Token;
use crate::sync::{Flight, lock};
use crate::{
    Clock, Credential, CredentialError, CredentialSource, Error, ErrorKind, Proxy, SystemClock,
};

/// How long everything that a token takes may last: an identity, roles, the token itself.
const LIMIT: Duration = Duration::from_mins(3);

/// Amazon's Elastic Container Registry as a source of credentials.
///
/// For a private registry (see [`EcrHost`]) it gets an authorization token of that registry's
/// region, for `public.ecr.aws` one of ECR Public, which also lets the owner push; any other
/// registry is asked anonymously. Whose token depends on the [`EcrConfig`]: the keys in it,
/// or what the AWS SDKs' default chain finds (environment, profile, web identity, ECS, EC2's metadata
/// service, version 2), and after that each of the roles in turn.
///
/// A token is kept until a quarter of an hour before its end, and one that the registry refuses
/// is replaced once. Clones share what was bought.
///
/// ```no_run
/// use regimg_core::{Reference, Secret};
/// use regimg_registry::{AwsKeys, Client, Config, Ecr, EcrConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = EcrConfig::default();
/// config.keys = Some(AwsKeys::new("AKIAIOSFODNN7EXAMPLE", Secret::new("...")));
/// config.roles = vec!["arn:aws:iam::123456789012:role/puller".to_owned()];
/// let client = Client::new(Config::default(), Ecr::new(config)?)?;
///
/// let reference = Reference::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1.0")?;
/// let tags = client.repository(reference.repository()).tags().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Failures to get a token are of [`ErrorKind::Credential`]. Their sources name the call, what AWS
/// said, its code and the request's id, and [`Error::hint`] says what to do.
///
/// # Security
///
/// The password goes to registries of ECR alone, the keys to AWS's endpoints alone. AWS is
/// trusted by the system's authorities, whatever `ca_certs` a registry is trusted by. Three tries, a
/// limit for each and one for all: a silent AWS is an error after minutes at most.
#[derive(Clone)]
pub struct Ecr(Arc<Inner>);

struct Inner {
    config: EcrConfig,
    http: Http,
    tokens: Mutex<HashMap<Place, Arc<Flight<Token>>>>,
}

/// Who asks for ECR's tokens, and how. Start from `EcrConfig::default()` and assign the fields that
/// differ.
#[derive(Clone)]
#[non_exhaustive]
pub struct EcrConfig {
    /// The region of [`Ecr::home`] and of STS, such as `eu-west-1`. Without it, roles are assumed in the
    /// region of the registry.
    pub region: Option<String>,
    /// The keys to begin with. Without them the default chain of the AWS SDKs decides; profiles that
    /// log in with SSO or run a program are left out of it.
    pub keys: Option<AwsKeys>,
    /// The roles to assume, each as the one before.
    pub roles: Vec<String>,
    /// Said when assuming each role, for trust policies that ask for it.
    pub external_id: Option<String>,
    /// What the roles' sessions are called in AWS's logs; `regimg` without it.
    pub role_session_name: Option<String>,
    /// The account whose registry [`Ecr::home`] is. AWS has deprecated this: a token is good for
    /// every registry that its identity may use.
    pub registry_id: Option<String>,
    /// The environment that the default chain reads, and where endpoints are overridden
    /// (`AWS_ENDPOINT_URL_ECR` and the like). Without it, that of the process.
    pub variables: Option<HashMap<String, String>>,
    /// Through which proxy AWS is asked. Metadata services are asked directly, always.
    pub proxy: Proxy,
    /// How long one try of a call may take; there are three.
    pub attempt_timeout: Duration,
    /// The longest wait before the second try; the third waits up to twice as long.
    pub initial_interval: Duration,
    /// Tells when tokens end.
    pub clock: Arc<dyn Clock>,
}

impl Default for EcrConfig {
    fn default() -> Self {
        Self {
            region: None,
            keys: None,
            roles: Vec::new(),
            external_id: None,
            role_session_name: None,
            registry_id: None,
            variables: None,
            proxy: Proxy::none(),
            attempt_timeout: Duration::from_secs(20),
            initial_interval: Duration::from_secs(1),
            clock: Arc::new(SystemClock),
        }
    }
}

/// The environment may hold secrets, so that there is one is all that is shown of it.
impl fmt::Debug for EcrConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcrConfig")
            .field("region", &self.region)
            .field("keys", &self.keys)
            .field("roles", &self.roles)
            .field("external_id", &self.external_id)
            .field("role_session_name", &self.role_session_name)
            .field("registry_id", &self.registry_id)
            .field("variables", &self.variables.as_ref().map(HashMap::len))
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// Keys of AWS's identity management.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AwsKeys {
    /// Which keys these are: `AKIA...`, or `ASIA...` for temporary ones.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: Secret,
    /// What goes with temporary keys.
    pub session_token: Option<Secret>,
}

impl AwsKeys {
    /// Joins the two that there always are.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: Secret) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key,
            session_token: None,
        }
    }
}

impl Ecr {
    /// Makes a source. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for keys, a role, an id or a name with white space in it, which
    /// AWS would refuse in words that name something else, and for a region that there cannot be.
    pub fn new(config: EcrConfig) -> Result<Self, Error> {
        check(&config)?;
        let http = Http::new(&config.proxy)?;
        Ok(Self(Arc::new(Inner {
            config,
            http,
            tokens: Mutex::default(),
        })))
    }

    /// Reports whether credentials for `registry` are what this source is about.
    pub fn covers(registry: &Registry) -> bool {
        place_of(registry).is_some()
    }

    /// Asks AWS for the identity's own registry in [`EcrConfig::region`], or that of
    /// [`EcrConfig::registry_id`]. The token that comes with the answer is kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] without a region, and whatever keeps a token from being had.
    pub async fn home(&self) -> Result<EcrHost, Error> {
        let region = self.0.config.region.clone().ok_or_else(|| {
            let message = "a region is needed to know which registry of ECR is meant";
            Error::new(ErrorKind::Configuration, message)
        })?;
        let place = Place::Private {
            region,
            is_fips: false,
            is_dual_stack: false,
        };
        let token = self.token(&place).await?;
        let host = token.host.as_deref().unwrap_or_default();
        EcrHost::parse(host).ok_or_else(|| {
            let message =
                format!("AWS says that the registry is at {host:?}, which is none of ECR");
            Error::new(ErrorKind::Refused, message)
                .with_hint("name the account, and the registry is known without asking")
        })
    }

    async fn token(&self, place: &Place) -> Result<Arc<Token>, Error> {
        let now = self.0.config.clock.today();
        let flight = self.flight(place);
        let buying = || buy(self.0.clone(), place.clone()).boxed();
        flight.get(|token| token.is_good(now), buying).await
    }

    /// Replaces a token that the registry refused, unless that was done just before.
    async fn replaced(&self, place: &Place, refused: &Credential) -> Result<Arc<Token>, Error> {
        let token = self.token(place).await?;
        let is_another = token.credential != *refused;
        if is_another || !token.had.is_worth_renewing(self.0.config.clock.today()) {
            return Ok(token);
        }
        let flight = self.flight(place);
        flight.discard(&token);
        let (inner, place) = (self.0.clone(), place.clone());
        let buying = || async { buy(inner, place).await.map(Token::in_place_of_refused) }.boxed();
        flight.get(|_| true, buying).await
    }

    fn flight(&self, place: &Place) -> Arc<Flight<Token>> {
        lock(&self.0.tokens)
            .entry(place.clone())
            .or_default()
            .clone()
    }
}

async fn buy(inner: Arc<Inner>, place: Place) -> Result<Token, Error> {
    let buying = ask::token(&inner.config, &inner.http, &place);
    let bought = match tokio::time::timeout(LIMIT, buying).await {
        Ok(bought) => bought,
        Err(_) => Err(Error::new(
            ErrorKind::Credential,
            format!("AWS was not done after {} minutes", LIMIT.as_secs() / 60),
        )),
    };
    bought.map_err(|error| ask::wrapped("cannot authenticate with ECR", error))
}

fn place_of(registry: &Registry) -> Option<Place> {
    let host = registry.host();
    if host == host::PUBLIC {
        return Some(Place::Public);
    }
    EcrHost::parse(host).map(|host| Place::of(&host))
}

impl CredentialSource for Ecr {
    fn credential<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async move {
            let Some(place) = place_of(registry) else {
                return Ok(Credential::Anonymous);
            };
            Ok(self.token(&place).await?.credential.clone())
        })
    }

    fn replacement<'a>(
        &'a self,
        registry: &'a Registry,
        refused: &'a Credential,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(async move {
            let Some(place) = place_of(registry) else {
                return Ok(Credential::Anonymous);
            };
            Ok(self.replaced(&place, refused).await?.credential.clone())
        })
    }
}

impl fmt::Debug for Ecr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ecr").field(&self.0.config).finish()
    }
}

fn check(config: &EcrConfig) -> Result<(), Error> {
    let unusable = |message: String| Err(Error::new(ErrorKind::Configuration, message));
    let keys = config.keys.as_ref();
    let session = keys.and_then(|keys| keys.session_token.as_ref());
    let texts = [
        (
            "access key id",
            keys.map(|keys| keys.access_key_id.as_str()),
        ),
        (
            "secret access key",
            keys.map(|keys| keys.secret_access_key.expose()),
        ),
        ("session token", session.map(Secret::expose)),
        ("external id", config.external_id.as_deref()),
        ("role session name", config.role_session_name.as_deref()),
        ("registry id", config.registry_id.as_deref()),
    ];
    let roles = config
        .roles
        .iter()
        .map(|role| ("role", Some(role.as_str())));
    for (name, text) in texts.into_iter().chain(roles) {
        let is_stray = |character: char| character.is_whitespace() || character.is_control();
        match text {
            Some("") => return unusable(format!("the {name} is empty")),
            Some(text) if text.contains(is_stray) => {
                return unusable(format!("the {name} has white space in it"));
            }
            _ => {}
        }
    }
    match &config.region {
        Some(region) if !host::is_region(region) => {
            unusable(format!("there can be no AWS region {region:?}"))
        }
        _ => Ok(()),
    }
}
