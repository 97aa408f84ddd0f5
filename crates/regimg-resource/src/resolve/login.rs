//! Who asks at a place, and how that is proved.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::Arc;

use regimg_core::Repository;
use regimg_registry::{
    Acr, Client, Config, Credential, CredentialSource, DockerConfig, Ecr, Helpers,
};

use crate::error::{During, Error};
use crate::protocol::{ContentTrust, MaybeSecret, RegistryMirror, Source};

use super::azure::Azure;
use super::located::Located;
use super::{Settings, field};

/// Where the credential for one place comes from.
#[derive(Clone, Debug)]
pub(super) enum Login {
    /// The request says it, or says that there is none.
    Given(Credential),
    /// A Docker configuration, which knows several places.
    Docker(DockerConfig),
    /// An identity of Azure.
    Azure(Azure),
    /// Whoever AWS takes, for ECR.
    Aws(Ecr),
}

impl Login {
    /// Reads who asks at the origin: a cloud's identity, else the login, else what a Docker
    /// configuration has for it.
    ///
    /// # Errors
    ///
    /// Half a login, fields that contradict each other, or a broken Docker configuration, used or
    /// not.
    pub(super) fn of(
        source: &Source,
        located: &Located,
        repository: &Repository,
    ) -> Result<Self, Error> {
        let docker = docker(source)?;
        if let Some(ecr) = &located.ecr {
            return Ok(Self::Aws(ecr.clone()));
        }
        if let Some(azure) = Azure::of(source, repository)? {
            return Ok(Self::Azure(azure));
        }
        let fields = ["source.username", "source.password"];
        let given = credential(&source.username, &source.password, fields)?;
        Ok(Self::or_docker(given, docker))
    }

    /// Reads who asks at the mirror: its own login, else what a Docker configuration has for it.
    ///
    /// # Errors
    ///
    /// Half a login, or a broken Docker configuration.
    pub(super) fn of_mirror(source: &Source, mirror: &RegistryMirror) -> Result<Self, Error> {
        let fields = [
            "source.registry_mirror.username",
            "source.registry_mirror.password",
        ];
        let given = credential(&mirror.username, &mirror.password, fields)?;
        Ok(Self::or_docker(given, docker(source)?))
    }

    /// Reads who asks at the notary server: its own login, else whoever asks at the origin. Compat:
    /// upstream does the same. What a cloud gives out is for its own registry, though.
    ///
    /// # Errors
    ///
    /// Half a login.
    pub(super) fn of_notary(
        trust: &ContentTrust,
        origin: &Self,
        is_registry: bool,
    ) -> Result<Self, Error> {
        let fields = [
            "source.content_trust.username",
            "source.content_trust.password",
        ];
        let given = credential(&trust.username, &trust.password, fields)?;
        Ok(match origin {
            _ if !given.is_anonymous() => Self::Given(given),
            Self::Azure(_) | Self::Aws(_) if !is_registry => Self::Given(given),
            origin => origin.clone(),
        })
    }

    fn or_docker(given: Credential, docker: Option<DockerConfig>) -> Self {
        match docker {
            Some(docker) if given.is_anonymous() => Self::Docker(docker),
            _ => Self::Given(given),
        }
    }

    /// Prepares a client that logs in so.
    ///
    /// # Errors
    ///
    /// A configuration or an environment that cannot be meant.
    pub(super) fn client(&self, config: Config, settings: &Settings) -> Result<Client, Error> {
        let source = self.source(&config, settings)?;
        Client::new(config, source).during("initialize transport")
    }

    /// Prepares what logs in so, for any client.
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client).
    pub(super) fn source(
        &self,
        config: &Config,
        settings: &Settings,
    ) -> Result<Arc<dyn CredentialSource>, Error> {
        Ok(match self {
            Self::Given(credential) => Arc::new(credential.clone()),
            Self::Docker(docker) => {
                let docker = docker.clone();
                Arc::new(match &settings.helpers {
                    Some(helpers) => docker.with_helpers(helpers.clone()),
                    None => docker,
                })
            }
            Self::Azure(azure) => {
                let acr = Acr::new(azure.config(&settings.azure)?, config);
                Arc::new(acr.during("initialize login to ACR")?)
            }
            Self::Aws(ecr) => Arc::new(ecr.clone()),
        })
    }
}

/// Reads the Docker configuration. It is read whoever logs in: that it is broken shall not show on
/// another day.
///
/// # Errors
///
/// A text that is none.
pub(super) fn docker(source: &Source) -> Result<Option<DockerConfig>, Error> {
    let text = &source.docker_config_json.0;
    (!text.is_empty())
        .then(|| DockerConfig::parse(text.expose()))
        .transpose()
        .during("source.docker_config_json")
}

/// Finds out how the helpers that a Docker configuration may name are run: from the directories
/// of `PATH`, with the environment that this program has.
pub(super) fn helpers(variables: &HashMap<String, String>) -> Option<Helpers> {
    let mut helpers = Helpers::in_path(OsStr::new(variables.get("PATH")?));
    let pairs = variables.iter();
    helpers.environment = pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Some(helpers)
}

/// Reads a login. The Go resource silently goes without one when half of it is missing,
/// and the registry's answer then sends people looking in the wrong place.
fn credential(
    username: &str,
    password: &MaybeSecret,
    [username_field, password_field]: [&'static str; 2],
) -> Result<Credential, Error> {
    let without = |other: &str| format!("is given without {other}");
    match (username.is_empty(), password.is_empty()) {
        (true, true) => Ok(Credential::Anonymous),
        (false, false) => Ok(Credential::Basic {
            username: username.to_owned(),
            password: password.0.clone(),
        }),
        (false, true) => Err(field(username_field, &without(password_field))),
        (true, false) => Err(field(password_field, &without(username_field))),
    }
}
