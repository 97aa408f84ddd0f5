//! Which notary server, and which repository there.

use regimg_core::Registry;
use url::Url;

use super::wire;
use crate::transport::address;
use crate::{Error, ErrorKind};

/// Where [`Notary`](super::Notary) signs. Start from [`NotaryConfig::new`] and assign the fields
/// that differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotaryConfig {
    /// The server's address, `https` and a host, such as `https://notary.example.com:4443`.
    pub server: String,
    /// The repository's name there, with its registry, such as `registry.example.com/team/app`:
    /// the globally unique name (GUN).
    pub gun: String,
    /// What the token server is asked to allow, in this order. `push` and `pull` unless changed.
    pub actions: Vec<String>,
}

impl NotaryConfig {
    /// Names the server and the repository.
    pub fn new(server: impl Into<String>, gun: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            gun: gun.into(),
            actions: vec!["push".to_owned(), "pull".to_owned()],
        }
    }

    /// Reads the server's address, which is that of a host and nothing else.
    pub(super) fn registry(&self) -> Result<Registry, Error> {
        let url = Url::parse(&self.server).map_err(|error| {
            let message = "the notary server's address cannot be read";
            Error::new(ErrorKind::Configuration, message).with_source(error)
        })?;
        let refused = |why: &str| {
            let message = format!(
                "the notary server's address {} {why}",
                address::redacted(&url)
            );
            Err(Error::new(ErrorKind::Configuration, message))
        };
        if url.scheme() != "https" {
            return refused("does not begin with https://");
        }
        let has_account = !url.username().is_empty() || url.password().is_some();
        if has_account || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refused("may hold a host and a port, and nothing more");
        }
        Registry::parse(&address::authority(&url)).or_else(|_| refused("holds no host"))
    }

    pub(super) fn checked_gun(&self) -> Result<&str, Error> {
        if wire::is_gun(&self.gun) {
            return Ok(&self.gun);
        }
        let message = format!("{:?} cannot be the name of a repository", self.gun);
        Err(Error::new(ErrorKind::Configuration, message))
    }
}
