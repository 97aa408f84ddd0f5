//! The calls to AWS, one after the other: who am I, each role, the token.

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    Credentials, ProvideCredentials as _, Region, SharedCredentialsProvider,
};
use aws_types::os_shim_internal::Env;

use super::host::EcrHost;
use super::http::Http;
use super::refusal::{self, Asked};
use super::token::Token;
use super::{AwsKeys, EcrConfig};
use crate::{Error, ErrorKind};

/// Where the public registry's tokens come from, wherever it is used.
const PUBLIC_REGION: &str = "us-east-1";

/// Tries of one call, the first included.
const TRIES: u32 = 3;

/// Who a session of a role is unless the user says.
const SESSION: &str = "regimg";

/// A kind of token. One is good for every registry that the identity may use there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Public,
    Private {
        region: String,
        is_fips: bool,
        is_dual_stack: bool,
    },
}

impl Place {
    pub(super) fn of(host: &EcrHost) -> Self {
        Self::Private {
            region: host.region().to_owned(),
            is_fips: host.is_fips(),
            is_dual_stack: host.is_dual_stack(),
        }
    }

    fn region(&self) -> &str {
        match self {
            Self::Public => PUBLIC_REGION,
            Self::Private { region, .. } => region,
        }
    }
}

/// Buys a token.
pub(super) async fn token(config: &EcrConfig, http: &Http, place: &Place) -> Result<Token, Error> {
    let sdk = load(config, http, place).await;
    let mut secrets = secrets_of_variables(config);
    let mut identity = identity(&sdk, &mut secrets).await?;
    for role in &config.roles {
        identity = assume(config, &sdk, identity, role, &mut secrets)
            .await
            .map_err(|error| wrapped(format!("error assuming role '{role}'"), error))?;
    }
    let sdk = acting_as(&sdk, identity, place.region());
    let token = match place {
        Place::Public => public_token(config, &sdk, &secrets).await,
        Place::Private { .. } => private_token(config, &sdk, place.region(), &secrets).await,
    };
    token.map_err(|error| wrapped("failed to authenticate to ECR", error))
}

async fn load(config: &EcrConfig, http: &Http, place: &Place) -> SdkConfig {
    let region = config.region.as_deref().unwrap_or(place.region());
    let mut loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http.clone())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(TRIES)
                .with_initial_backoff(config.initial_interval),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(config.attempt_timeout)
                .read_timeout(config.attempt_timeout)
                .operation_attempt_timeout(config.attempt_timeout)
                .build(),
        );
    if let Some(variables) = &config.variables {
        loader = loader.env(Env::from(variables.clone()));
    }
    if let Some(keys) = &config.keys {
        loader = loader.credentials_provider(given(keys));
    }
    // Otherwise it is for the environment to say.
    if let Place::Private {
        is_fips,
        is_dual_stack,
        ..
    } = place
    {
        if *is_fips {
            loader = loader.use_fips(true);
        }
        if *is_dual_stack {
            loader = loader.use_dual_stack(true);
        }
    }
    loader.load().await
}

fn given(keys: &AwsKeys) -> Credentials {
    let session = keys.session_token.as_ref();
    Credentials::new(
        &keys.access_key_id,
        keys.secret_access_key.expose(),
        session.map(|token| token.expose().to_owned()),
        None,
        "given",
    )
}

/// Asks who this is: the keys that were given, or what the default chain finds.
async fn identity(sdk: &SdkConfig, secrets: &mut Vec<String>) -> Result<Credentials, Error> {
    let provider = sdk
        .credentials_provider()
        .expect("the loader sets a provider");
    let found = provider.provide_credentials().await;
    let identity = found.map_err(|error| {
        let error = refusal::of_identity(&error, secrets);
        wrapped("failed to authenticate to ECR", error)
    })?;
    secrets.extend(secrets_of(&identity));
    Ok(identity)
}

/// Becomes `role`, as whoever `identity` is.
async fn assume(
    config: &EcrConfig,
    sdk: &SdkConfig,
    identity: Credentials,
    role: &str,
    secrets: &mut Vec<String>,
) -> Result<Credentials, Error> {
    let region = sdk.region().map_or(PUBLIC_REGION, Region::as_ref);
    let what = format!("AssumeRole in {region}");
    let session = config.role_session_name.as_deref().unwrap_or(SESSION);
    let call = aws_sdk_sts::Client::new(&acting_as(sdk, identity, region))
        .assume_role()
        .role_arn(role)
        .role_session_name(session)
        .set_external_id(config.external_id.clone());
    let answer = call.send().await;
    let answer = answer.map_err(|error| refusal::of_call(Asked::Role, &what, &error, secrets))?;
    let assumed = answer.credentials().ok_or_else(|| {
        let message = format!("{what}: the answer has no credentials");
        Error::new(ErrorKind::Credential, message)
    })?;
    let identity = Credentials::new(
        assumed.access_key_id(),
        assumed.secret_access_key(),
        Some(assumed.session_token().to_owned()),
        None,
        "role",
    );
    secrets.extend(secrets_of(&identity));
    Ok(identity)
}

async fn private_token(
    config: &EcrConfig,
    sdk: &SdkConfig,
    region: &str,
    secrets: &[String],
) -> Result<Token, Error> {
    let what = format!("GetAuthorizationToken in {region}");
    let mut call = aws_sdk_ecr::Client::new(sdk).get_authorization_token();
    if let Some(id) = &config.registry_id {
        #[expect(deprecated, reason = "so is the field of the resource that has it")]
        {
            call = call.registry_ids(id);
        }
    }
    let answer = call.send().await;
    let answer = answer.map_err(|error| refusal::of_call(Asked::Token, &what, &error, secrets))?;
    // Upstream takes the host of the first and the password of the last; there is one.
    let data = answer.authorization_data().first();
    let token = Token::read(
        data.and_then(|data| data.authorization_token()),
        data.and_then(|data| data.expires_at()).and_then(seconds),
        data.and_then(|data| data.proxy_endpoint()),
        config.clock.today(),
    );
    token.map_err(|error| wrapped(what, error))
}

async fn public_token(
    config: &EcrConfig,
    sdk: &SdkConfig,
    secrets: &[String],
) -> Result<Token, Error> {
    let what = format!("GetAuthorizationToken of ECR Public in {PUBLIC_REGION}");
    let call = aws_sdk_ecrpublic::Client::new(sdk).get_authorization_token();
    let answer = call.send().await;
    let answer =
        answer.map_err(|error| refusal::of_call(Asked::PublicToken, &what, &error, secrets))?;
    let data = answer.authorization_data();
    let token = Token::read(
        data.and_then(|data| data.authorization_token()),
        data.and_then(|data| data.expires_at()).and_then(seconds),
        None,
        config.clock.today(),
    );
    token.map_err(|error| wrapped(what, error))
}

fn seconds(time: &aws_smithy_types::DateTime) -> Option<u64> {
    u64::try_from(time.secs()).ok()
}

/// Lets `identity` ask, in `region`.
fn acting_as(sdk: &SdkConfig, identity: Credentials, region: &str) -> SdkConfig {
    sdk.to_builder()
        .credentials_provider(SharedCredentialsProvider::new(identity))
        .region(Region::new(region.to_owned()))
        .build()
}

/// Adds what was being done, and keeps the advice where it is looked for.
pub(super) fn wrapped(doing: impl Into<String>, error: Error) -> Error {
    let outer = Error::new(ErrorKind::Credential, doing);
    let outer = match error.hint() {
        Some(hint) => outer.with_hint(hint.to_owned()),
        None => outer,
    };
    outer.with_source(error)
}

fn secrets_of(identity: &Credentials) -> impl Iterator<Item = String> {
    let secret = identity.secret_access_key().to_owned();
    let session = identity.session_token().map(str::to_owned);
    std::iter::once(secret).chain(session)
}

fn secrets_of_variables(config: &EcrConfig) -> Vec<String> {
    let names = [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    ];
    let variables = config.variables.as_ref();
    let values = names.iter().filter_map(|name| variables?.get(*name));
    values.cloned().collect()
}
