//! Logging in to Azure Container Registry: what the source says, and what the environment adds.

use std::collections::HashMap;

use regimg_core::{Repository, Secret};
use regimg_registry::{AcrConfig, AzureCloud, AzureIdentity, FederatedToken, ManagedIdentity};
use tracing::warn;

use crate::error::Error;
use crate::protocol::Source;

use super::field;

/// What the source says.
#[derive(Clone, Debug)]
pub(super) struct Azure {
    client_id: Option<String>,
    tenant_id: Option<String>,
    environment: Option<String>,
    proof: Proof,
    has_login: bool,
}

/// What proves who asks.
#[derive(Clone, Debug)]
enum Proof {
    /// The machine, or the environment.
    None,
    Secret(Secret),
    Token(FederatedToken),
}

/// The variables by which Azure tells programs who they are and whom to ask; its own libraries
/// read the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    client_id: Option<String>,
    tenant_id: Option<String>,
    token_file: Option<String>,
    authority: Option<String>,
    metadata_service: Option<String>,
    app_service: Option<(String, Secret)>,
}

impl Environment {
    pub(super) fn of(variables: &HashMap<String, String>) -> Self {
        let value = |name: &str| {
            variables
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        };
        Self {
            client_id: value("AZURE_CLIENT_ID"),
            tenant_id: value("AZURE_TENANT_ID"),
            token_file: value("AZURE_FEDERATED_TOKEN_FILE"),
            authority: value("AZURE_AUTHORITY_HOST"),
            metadata_service: value("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
            app_service: value("IDENTITY_ENDPOINT").zip(value("IDENTITY_HEADER").map(Secret::new)),
        }
    }

    fn managed_identity(&self) -> ManagedIdentity {
        match (&self.app_service, &self.metadata_service) {
            (Some((endpoint, header)), _) => ManagedIdentity::AppService {
                endpoint: endpoint.clone(),
                header: header.clone(),
            },
            (None, Some(endpoint)) => ManagedIdentity::Machine {
                endpoint: endpoint.clone(),
            },
            (None, None) => ManagedIdentity::default(),
        }
    }
}

impl Azure {
    /// Reads the fields; none unless `azure_acr` is set. As in the Go resource, the ones that say
    /// who or where then mean nothing.
    ///
    /// # Errors
    ///
    /// Fields that contradict each other, or a repository that is not at Azure for sure.
    pub(super) fn of(source: &Source, repository: &Repository) -> Result<Option<Self>, Error> {
        const SECRET: &str = "source.azure_client_secret";
        const TOKEN: &str = "source.azure_federated_token";
        const FILE: &str = "source.azure_federated_token_file";
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let file = given(&source.azure_federated_token_file);
        let proofs = [
            (SECRET, !source.azure_client_secret.is_empty()),
            (TOKEN, !source.azure_federated_token.is_empty()),
            (FILE, file.is_some()),
        ];
        let mut proofs = proofs.iter().filter(|(_, given)| *given);
        let (first, second) = (proofs.next(), proofs.next());
        if !source.azure_acr {
            return first.map_or(Ok(None), |(name, _)| {
                Err(field(name, "is given without source.azure_acr"))
            });
        }
        if let (Some((first, _)), Some((second, _))) = (first, second) {
            return Err(field(second, &format!("is given together with {first}")));
        }
        if repository.registry().is_docker_hub() {
            let problem = "names no registry of Azure's, such as example.azurecr.io/app";
            return Err(field("source.repository", problem));
        }
        let proof = match first.map(|(name, _)| *name) {
            Some(SECRET) => Proof::Secret(source.azure_client_secret.0.clone()),
            Some(TOKEN) => {
                Proof::Token(FederatedToken::Text(source.azure_federated_token.0.clone()))
            }
            Some(_) => Proof::Token(FederatedToken::File(file.unwrap_or_default().into())),
            None => Proof::None,
        };
        Ok(Some(Self {
            client_id: given(&source.azure_client_id),
            tenant_id: given(&source.azure_tenant_id),
            environment: given(&source.azure_environment),
            proof,
            has_login: !source.username.is_empty() || !source.password.is_empty(),
        }))
    }

    /// Joins what the source says with what the environment says, where the source leaves it open.
    ///
    /// # Errors
    ///
    /// Nobody says whose secret or token is given.
    pub(super) fn config(&self, environment: &Environment) -> Result<AcrConfig, Error> {
        if self.has_login {
            warn!("azure_acr logs in: the source's username and password are not used");
        }
        let mut config = AcrConfig::new(self.identity(environment)?);
        config.tenant_id.clone_from(&self.tenant_id);
        config.authority.clone_from(&environment.authority);
        if let Some(name) = &self.environment {
            config.cloud = AzureCloud::parse(name);
            if config.cloud.is_none() {
                warn!("unknown azure_environment {name:?}, falling back to the registry's name");
            }
        }
        Ok(config)
    }

    fn identity(&self, environment: &Environment) -> Result<AzureIdentity, Error> {
        let token = match &self.proof {
            Proof::None => self.token_of_cluster(environment),
            Proof::Token(token) => Some(token.clone()),
            Proof::Secret(secret) => {
                return Ok(AzureIdentity::ServicePrincipal {
                    client_id: self.client_id(environment)?.to_owned(),
                    client_secret: secret.clone(),
                });
            }
        };
        Ok(match token {
            Some(token) => AzureIdentity::Federated {
                client_id: self.client_id(environment)?.to_owned(),
                tenant_id: self.tenant_of_cluster(environment),
                token,
            },
            None => AzureIdentity::Managed {
                service: environment.managed_identity(),
                client_id: self.client_id.clone(),
            },
        })
    }

    fn client_id<'a>(&'a self, environment: &'a Environment) -> Result<&'a str, Error> {
        let environments = environment.client_id.as_deref();
        self.client_id.as_deref().or(environments).ok_or_else(|| {
            let problem = "is missing: it says whose secret or token is given";
            field("source.azure_client_id", problem)
        })
    }

    /// Says whether the identity meant is the one that a Kubernetes cluster gave to this program.
    fn is_clusters(&self, environment: &Environment) -> bool {
        let theirs = environment.client_id.as_ref();
        theirs.is_some() && (self.client_id.is_none() || self.client_id.as_ref() == theirs)
    }

    fn tenant_of_cluster(&self, environment: &Environment) -> Option<String> {
        let tenant_id = environment.tenant_id.clone();
        tenant_id.filter(|_| self.is_clusters(environment))
    }

    /// Returns the token that a cluster provides if all of its variables are there, unless the
    /// source asks for another identity than the cluster's.
    fn token_of_cluster(&self, environment: &Environment) -> Option<FederatedToken> {
        let file = environment.token_file.as_ref()?;
        self.tenant_of_cluster(environment)?;
        Some(FederatedToken::File(file.into()))
    }
}
