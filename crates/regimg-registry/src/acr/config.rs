//! What a program says of Azure: who asks, and which of its clouds.

use std::path::PathBuf;

use regimg_core::{Registry, Secret};

/// How [`Acr`](super::Acr) logs in. Start from [`AcrConfig::new`] and assign the fields that differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcrConfig {
    /// Who asks.
    pub identity: AzureIdentity,
    /// The tenant of the registry, an id or a domain. Without it the registry is asked for it.
    pub tenant_id: Option<String>,
    /// The cloud. Without it the registry's name tells.
    pub cloud: Option<AzureCloud>,
    /// The `https` address at which service principals and federated identities sign in, instead
    /// of the cloud's own; Azure's libraries read it from `AZURE_AUTHORITY_HOST`.
    pub authority: Option<String>,
}

impl AcrConfig {
    /// Lets `identity` ask, and finds out everything else.
    pub fn new(identity: AzureIdentity) -> Self {
        Self {
            identity,
            tenant_id: None,
            cloud: None,
            authority: None,
        }
    }
}

/// Who asks Azure for a token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AzureIdentity {
    /// An identity that Azure gave to the machine or the app that this program runs on.
    Managed {
        /// Who hands out its tokens.
        service: ManagedIdentity,
        /// Which identity, where there are several; otherwise the system's.
        client_id: Option<String>,
    },
    /// An application with a secret, signed in at the registry's tenant.
    ServicePrincipal {
        /// The application's id.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// An application or identity that trusts the tokens of somebody else, such as those of a
    /// Kubernetes cluster ([workload identity](https://azure.github.io/azure-workload-identity/docs/)).
    Federated {
        /// The id of the application or identity.
        client_id: String,
        /// The tenant at which it signs in; otherwise that of the registry.
        tenant_id: Option<String>,
        /// What it shows.
        token: FederatedToken,
    },
}

/// Who hands out the tokens of managed identities.
#[derive(Clone, Debug)]
pub enum ManagedIdentity {
    /// The machine's metadata service.
    Machine {
        /// Its address without a path: [`ManagedIdentity::METADATA_SERVICE`], or what
        /// `AZURE_POD_IDENTITY_AUTHORITY_HOST` says.
        endpoint: String,
    },
    /// The service beside an app of App Service, Functions or Container Apps.
    AppService {
        /// What `IDENTITY_ENDPOINT` says.
        endpoint: String,
        /// What `IDENTITY_HEADER` says.
        header: Secret,
    },
}

impl ManagedIdentity {
    /// Where every machine of Azure has its metadata service.
    pub const METADATA_SERVICE: &str = "http://169.254.169.254";
}

impl Default for ManagedIdentity {
    fn default() -> Self {
        Self::Machine {
            endpoint: Self::METADATA_SERVICE.to_owned(),
        }
    }
}

/// A token that somebody else than Azure vouches for.
#[derive(Clone, Debug)]
pub enum FederatedToken {
    /// The token itself.
    Text(Secret),
    /// A file, read each time, since whoever writes it renews it.
    File(PathBuf),
}

/// One of Azure's clouds, which know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AzureCloud {
    /// `azurecr.io`, and every name that is of none of the others.
    Public,
    /// `azurecr.us`.
    Government,
    /// `azurecr.cn`.
    China,
}

impl AzureCloud {
    /// Reads `AzurePublic`, `AzureGovernment` or `AzureChina`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "AzurePublic" => Self::Public,
            "AzureGovernment" => Self::Government,
            "AzureChina" => Self::China,
            _ => return None,
        })
    }

    /// Returns the cloud that a registry's name belongs to.
    pub fn of(registry: &Registry) -> Self {
        let host = registry.host().to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default();
        if name.ends_with(".azurecr.us") {
            Self::Government
        } else if name.ends_with(".azurecr.cn") {
            Self::China
        } else {
            Self::Public
        }
    }

    /// Returns what tokens have to be for: the cloud's resource manager, which every registry
    /// listens to unless it was told not to.
    pub(super) fn audience(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::Government => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    pub(super) fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::Government => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_cloud() {
        for (host, cloud) in [
            ("example.azurecr.io", AzureCloud::Public),
            ("example.azurecr.us", AzureCloud::Government),
            ("Example.AzureCR.US", AzureCloud::Government),
            ("example.azurecr.us:443", AzureCloud::Government),
            ("example.azurecr.cn", AzureCloud::China),
            ("registry.example.com", AzureCloud::Public),
            ("azurecr.us.example.com", AzureCloud::Public),
        ] {
            let registry = Registry::parse(host).unwrap();
            assert_eq!(AzureCloud::of(&registry), cloud, "{host}");
        }
        assert_eq!(AzureCloud::parse("AzureChina"), Some(AzureCloud::China));
        assert_eq!(AzureCloud::parse("AzureGermany"), None);
    }
}
