//! Credentials from Docker's `config.json` and the helpers that it names.

mod file;
mod helper;

use std::path::Path;

use futures_util::future::BoxFuture;
use regimg_core::{Registry, Secret};

pub use helper::Helpers;

use self::file::File;
use crate::auth::TOKEN_USER;
use crate::{Credential, CredentialError, CredentialSource, Error, ErrorKind};

/// How Docker calls its Hub, in the file and towards helpers.
const HUB: &str = "https://index.docker.io/v1/";

/// Docker's `config.json`, or Podman's `auth.json`, as a source of credentials.
///
/// For a registry it asks, in this order: the helper that `credHelpers` names for it, the one
/// that `credsStore` names for all, the entry in `auths`. A registry that none knows is asked
/// anonymously.
///
/// | In `auths` | Becomes |
/// | --- | --- |
/// | `auth`, or `username` and `password` | [`Credential::Basic`] |
/// | `identitytoken`, or the user name `<token>` | [`Credential::IdentityToken`] |
/// | `registrytoken` | [`Credential::RegistryToken`] |
///
/// `ghcr.io`, `https://ghcr.io` and `https://ghcr.io/v2/` are the same key, as are all names of
/// Docker Hub. Keys with a repository's path, which Podman knows, are left aside.
///
/// ```
/// use regimg_registry::{Client, Config, DockerConfig};
///
/// let text = r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNzd29yZA=="}}}"#;
/// let client = Client::new(Config::default(), DockerConfig::parse(text)?)?;
/// # Ok::<(), regimg_registry::Error>(())
/// ```
///
/// # Security
///
/// Programs are run only after [`with_helpers`](Self::with_helpers), and only from the directories
/// named there. Nothing that the file or a helper says is repeated in an error while it may be secret.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    file: File,
    helpers: Option<Helpers>,
}

impl DockerConfig {
    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when it is not such a file, or an entry is half a login; the
    /// error names the entry.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file = File::parse(text).map_err(|why| unusable(&why))?;
        Ok(Self {
            file,
            helpers: None,
        })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and when the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            unusable(&format!("{} cannot be read", path.display())).with_source(error)
        })?;
        Self::parse(&text)
    }

    /// Runs the helpers that the file names. Without this they are an error where one is needed.
    #[must_use]
    pub fn with_helpers(mut self, helpers: Helpers) -> Self {
        self.helpers = Some(helpers);
        self
    }

    async fn look_up(&self, registry: &Registry) -> Result<Credential, CredentialError> {
        let own = self.file.helper_of(registry.host());
        for name in own.into_iter().chain(self.file.store()) {
            let helpers = self.helpers.as_ref().ok_or_else(|| {
                format!("the configuration names the helper {name:?}, but no helpers may be run")
            })?;
            let server = if registry.is_docker_hub() {
                HUB
            } else {
                registry.host()
            };
            if let Some(login) = helpers.ask(name, server).await? {
                return Ok(login.into_credential());
            }
        }
        Ok(self
            .file
            .credential(registry.host())
            .unwrap_or(Credential::Anonymous))
    }
}

impl CredentialSource for DockerConfig {
    fn credential<'a>(
        &'a self,
        registry: &'a Registry,
    ) -> BoxFuture<'a, Result<Credential, CredentialError>> {
        Box::pin(self.look_up(registry))
    }
}

fn unusable(why: &str) -> Error {
    let message = format!("the Docker configuration cannot be used: {why}");
    Error::new(ErrorKind::Configuration, message)
}

/// A user name and what goes with it.
struct Login {
    username: String,
    secret: Secret,
}

impl Login {
    fn into_credential(self) -> Credential {
        if self.username == TOKEN_USER {
            return Credential::IdentityToken(self.secret);
        }
        Credential::Basic {
            username: self.username,
            password: self.secret,
        }
    }
}
