//! Where the image is and who asks for it there, clouds' own ways included.

use std::fmt;
use std::sync::Arc;

use regimg_registry::CredentialSource;

use crate::error::Error;
use crate::protocol::Source;
use crate::report::Reporter;

use super::{Settings, aws, origin};

/// Who asks a registry: a login that was given, or one that a cloud gives when it is needed.
#[derive(Clone)]
pub(crate) struct Login(Arc<dyn CredentialSource>);

impl Login {
    pub(super) fn of(source: impl CredentialSource + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn source(&self) -> Arc<dyn CredentialSource> {
        self.0.clone()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(****)")
    }
}

/// What the source says of a place: its repository in full, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// As `source.repository` is written, behind the registry that a cloud puts it in.
    pub(crate) repository: String,
    pub(super) login: Login,
}

impl Located {
    /// Finds the place. A cloud may have to be asked where it is.
    ///
    /// # Errors
    ///
    /// A login that cannot be meant, or a cloud that does not give one.
    pub(crate) async fn of(
        source: &Source,
        settings: &Settings,
        report: &Reporter,
    ) -> Result<Self, Error> {
        // Without a name there is nothing to ask for, which is said later in better words.
        if aws::is_meant(source) && !source.repository.is_empty() {
            return aws::locate(source, settings, report).await;
        }
        Ok(Self {
            repository: source.repository.clone(),
            login: Login::of(origin::credential(
                &source.username,
                &source.password,
                ["source.username", "source.password"],
            )?),
        })
    }

    #[cfg(test)]
    pub(super) fn anonymous(repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            login: Login::of(regimg_registry::Credential::Anonymous),
        }
    }
}
