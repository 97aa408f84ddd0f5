//! Tokens of Microsoft Entra: from the machine, or by signing in.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use regimg_core::Secret;
use serde::Deserialize;
use url::Url;

use super::config::{AcrConfig, AzureCloud, AzureIdentity, ManagedIdentity};
use super::{ask, federated};
use crate::error::Patience;
use crate::transport::address::authority;
use crate::transport::{Outgoing, Response, Transport};
use crate::{Config, Error, ErrorKind, Proxy};

/// Says that a JWT stands in place of a secret
/// ([RFC 7523, section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long a connection to a service on the same machine may take to stand. Where there is none,
/// the address often leads nowhere without a word.
const NEARBY: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Granted {
    #[serde(default)]
    access_token: Secret,
}

/// Gets tokens for one identity.
pub(super) struct Entra {
    transport: Transport,
    identity: AzureIdentity,
    authority: Option<Url>,
    managed: Option<Managed>,
}

/// The service of managed identities, as it is asked.
struct Managed {
    url: Url,
    header: (HeaderName, HeaderValue),
    version: &'static str,
}

impl Entra {
    pub(super) fn new(config: &AcrConfig, client: &Config) -> Result<Self, Error> {
        let mut client = ask::bounded(client);
        // The registry's certificate is none of their business.
        client.client_identity = None;
        let managed = match &config.identity {
            AzureIdentity::Managed { service, .. } => {
                // It is on this machine or beside it, and a proxy is another machine.
                client.proxy = Proxy::none();
                let connect = &mut client.timeouts.connect;
                *connect = NEARBY.min(*connect);
                Some(Managed::of(service)?)
            }
            _ => None,
        };
        let authority = config.authority.as_deref().map(sign_in_address);
        Ok(Self {
            transport: Transport::new(client)?,
            identity: config.identity.clone(),
            authority: authority.transpose()?,
            managed,
        })
    }

    /// Says whether the tenant of the registry is where this identity signs in.
    pub(super) fn signs_in_at_the_registrys_tenant(&self) -> bool {
        match &self.identity {
            AzureIdentity::Managed { .. } => false,
            AzureIdentity::ServicePrincipal { .. } => true,
            AzureIdentity::Federated { tenant_id, .. } => tenant_id.is_none(),
        }
    }

    /// Gets a token for `audience`.
    pub(super) async fn token(
        &self,
        cloud: AzureCloud,
        tenant: &str,
        audience: &str,
    ) -> Result<Secret, Error> {
        match (&self.identity, &self.managed) {
            (AzureIdentity::Managed { client_id, .. }, Some(managed)) => {
                let client_id = client_id.as_deref();
                self.of_machine(managed, client_id, audience).await
            }
            (
                AzureIdentity::ServicePrincipal {
                    client_id,
                    client_secret,
                },
                _,
            ) => {
                let proof = [("client_secret", client_secret)];
                self.signed_in(cloud, tenant, client_id, audience, &proof)
                    .await
            }
            (
                AzureIdentity::Federated {
                    client_id,
                    tenant_id,
                    token,
                },
                _,
            ) => {
                let (kind, token) = (Secret::new(JWT_BEARER), federated::read(token).await?);
                let proof = [
                    ("client_assertion_type", &kind),
                    ("client_assertion", &token),
                ];
                let tenant = tenant_id.as_deref().unwrap_or(tenant);
                self.signed_in(cloud, tenant, client_id, audience, &proof)
                    .await
            }
            (AzureIdentity::Managed { .. }, None) => Err(Error::new(
                ErrorKind::Configuration,
                "nobody hands out the identity's tokens",
            )),
        }
    }

    /// Asks the [metadata service](https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token)
    /// or that of [App Service](https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference).
    async fn of_machine(
        &self,
        managed: &Managed,
        client_id: Option<&str>,
        audience: &str,
    ) -> Result<Secret, Error> {
        let mut url = managed.url.clone();
        url.query_pairs_mut()
            .append_pair("api-version", managed.version)
            .append_pair("resource", audience)
            .extend_pairs(client_id.map(|id| ("client_id", id)));
        let mut request = ask::get(&self.transport, url);
        let (name, value) = &managed.header;
        request.headers.insert(name.clone(), value.clone());
        let read = async |response: Response| match response.status() {
            // So it answers while it starts or is replaced, for a minute or so.
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(response.into_error().await.with_patience(Patience::Short))
            }
            _ => ask::body(response).await,
        };
        let host = authority(&managed.url);
        let shown = [value.to_str().unwrap_or_default()];
        let answer = ask::answer(&self.transport, &request, &shown, read).await;
        let answer = answer.map_err(|error| match error.status() {
            None => {
                let message = format!("no managed identity endpoint answers at {host}");
                ask::failed(message, error).with_hint(
                    "is this an Azure VM with an identity? Elsewhere log in as a service principal or by a federated token",
                )
            }
            Some(400) => unanswered(&host, error).with_hint(
                "is an identity assigned to this machine, and, if there are several, one chosen by its client id?",
            ),
            Some(_) => unanswered(&host, error),
        })?;
        granted(&request, &answer)
    }

    /// Signs in with a [secret](https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow)
    /// or what stands in its place.
    async fn signed_in(
        &self,
        cloud: AzureCloud,
        tenant: &str,
        client_id: &str,
        audience: &str,
        proof: &[(&str, &Secret)],
    ) -> Result<Secret, Error> {
        let mut url = match &self.authority {
            Some(url) => url.clone(),
            None => sign_in_address(cloud.authority())?,
        };
        url.set_path(&format!("{tenant}/oauth2/v2.0/token"));
        let scope = format!("{audience}/.default");
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", &scope),
        ];
        fields.extend(proof.iter().map(|(name, value)| (*name, value.expose())));
        let request = ask::form(&self.transport, url, &fields);
        let shown: Vec<&str> = proof.iter().map(|(_, value)| value.expose()).collect();
        let answer = ask::answer(&self.transport, &request, &shown, ask::body).await;
        let answer = answer.map_err(|error| {
            let host = authority(&request.url);
            let message = format!("{client_id:?} cannot sign in to tenant {tenant} at {host}");
            ask::failed(message, error)
        })?;
        granted(&request, &answer)
    }
}

fn unanswered(host: &str, error: Error) -> Error {
    ask::failed(format!("{host} hands out no token of an identity"), error)
}

fn granted(request: &Outgoing<'_>, answer: &[u8]) -> Result<Secret, Error> {
    let granted: Granted = ask::decode(&request.url, answer, "token")?;
    if granted.access_token.is_empty() {
        let message = format!("{} sent an empty token", authority(&request.url));
        return Err(Error::new(ErrorKind::Protocol, message).at(&request.url));
    }
    Ok(granted.access_token)
}

impl Managed {
    fn of(service: &ManagedIdentity) -> Result<Self, Error> {
        let (endpoint, header, version) = match service {
            ManagedIdentity::Machine { endpoint } => {
                let value = HeaderValue::from_static("true");
                let header = (HeaderName::from_static("metadata"), value);
                (endpoint, header, "2018-02-01")
            }
            ManagedIdentity::AppService { endpoint, header } => {
                let value = HeaderValue::from_str(header.expose());
                let mut value = value.map_err(|_| {
                    let message = "the identity header holds characters that no header may carry";
                    Error::new(ErrorKind::Configuration, message)
                })?;
                value.set_sensitive(true);
                let name = HeaderName::from_static("x-identity-header");
                (endpoint, (name, value), "2019-08-01")
            }
        };
        let mut url = address(endpoint, "the endpoint of managed identities")?;
        if matches!(service, ManagedIdentity::Machine { .. }) {
            url.set_path("/metadata/identity/oauth2/token");
        }
        Ok(Self {
            url,
            header,
            version,
        })
    }
}

fn address(text: &str, what: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        let message = format!("{what} has an address that is none");
        Error::new(ErrorKind::Configuration, message)
    })
}

/// Secrets go there, so nobody may listen.
fn sign_in_address(text: &str) -> Result<Url, Error> {
    let url = address(text, "the authority")?;
    if url.scheme() != "https" {
        let message = format!("the authority {} is not an https address", authority(&url));
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    Ok(url)
}
