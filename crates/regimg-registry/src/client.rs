//! The front door.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use regimg_core::Repository;

use crate::session::Session;
use crate::sync::lock;
use crate::transport::Transport;
use crate::{Config, CredentialSource, Error, RepositoryClient};

/// Speaks to registries with one configuration and one source of credentials.
///
/// Clones are cheap and share connections, tokens and what was learned about each registry, so
/// one client serves a whole program, inside one tokio runtime.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    transport: Arc<Transport>,
    credentials: Arc<dyn CredentialSource>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for an entry of `ca_certs`
    /// that holds no certificate.
    pub fn new(
        config: Config,
        credentials: impl CredentialSource + 'static,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            transport: Arc::new(Transport::new(config)?),
            credentials: Arc::new(credentials),
            sessions: Mutex::default(),
        })))
    }

    /// Opens a repository. Repositories of one registry share a session.
    pub fn repository(&self, repository: &Repository) -> RepositoryClient {
        let registry = repository.registry();
        let mut sessions = lock(&self.0.sessions);
        let session = sessions
            .entry(registry.host().to_owned())
            .or_insert_with(|| {
                Arc::new(Session::new(
                    self.0.transport.clone(),
                    registry.clone(),
                    self.0.credentials.clone(),
                ))
            });
        RepositoryClient::new(session.clone(), repository.clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", self.0.transport.config())
            .finish_non_exhaustive()
    }
}
