//! Docker Content Trust: signing tags into the trust data of a notary server (Notary v1).
//!
//! Requests, documents and key files are those of
//! [notary 0.7](https://github.com/theupdateframework/notary/tree/v0.7.0); the format is older
//! than TUF 1.0, and not the same.

// From the outside in.
mod config;
mod key;
mod signer;

mod read;
mod refusal;
mod trust;
mod update;
mod wire;

mod document;
mod verify;

mod canonical;
mod certificate;
mod der;
mod key_file;
mod moment;
mod place;
mod public;

#[cfg(feature = "__fuzzing")]
pub(crate) mod fuzzing;

use std::fmt;
use std::sync::Arc;

pub use config::NotaryConfig;
pub use key::SigningKey;
pub use signer::{Published, Signer, Target};

use place::Place;
use trust::Trust;
use wire::Wire;

use crate::session::Session;
use crate::transport::Transport;
use crate::{Config, CredentialSource, Error, PlainHttp, ServerCertificates};

/// Signs the tags of one repository at a notary server.
///
/// Its trust data is what `docker trust`, `docker pull` with `DOCKER_CONTENT_TRUST=1` and the
/// `notary` command read. Nothing here makes or rotates keys, or begins the trust data of a
/// repository: that takes the root key, which belongs on nobody's build machine.
///
/// ```
/// use regimg_core::{Digest, Secret};
/// use regimg_registry::{Config, Credential, Notary, NotaryConfig, SigningKey, Target};
///
/// # use regimg_tests::notary::{Key, Owner};
/// # use regimg_tests::registry::{Origin, Registry};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())
/// # }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let (registry, key) = (Registry::builder().tls().start(), Key::new());
/// # registry.entrust(&Owner::new("registry.example.com/app").targets(&key));
/// # let (server, file) = (registry.url(Origin::Registry), key.encrypted_pem("passphrase"));
/// # let mut config = Config::default();
/// # config.ca_certs = vec![registry.ca_pem().to_owned()];
/// // What `notary` keeps as `<id>.key`.
/// let key = SigningKey::from_pem(&Secret::new(file), &Secret::new("passphrase"))?;
/// // For example "https://notary.example.com".
/// let notary = NotaryConfig::new(server, "registry.example.com/app");
/// let notary = Notary::new(config, notary, Credential::Anonymous)?;
///
/// let signer = notary.open(&key, &["1.2"]).await?;
/// // Here the image is pushed; whatever would keep it from being signed is known before.
/// let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let target = Target {
///     name: "1.2".to_owned(),
///     digest: Digest::parse(digest)?,
///     length: 528,
/// };
/// let published = signer.publish(&[target]).await?;
/// assert_eq!(published.roles, ["targets"]);
/// # Ok(())
/// # }
/// ```
pub struct Notary {
    config: NotaryConfig,
    place: Place,
    session: Session,
}

impl Notary {
    /// Makes a signer for one repository. Nothing is sent yet.
    ///
    /// Of `config` everything counts but two things: the server is reached by `https` alone,
    /// and has to prove who it is, whatever
    /// [`plain_http`](Config::plain_http) and [`server_certificates`](Config::server_certificates)
    /// allow for registries. `credentials` are asked for the notary server's host, and shown to
    /// it or the token server that it names when it demands them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a `server` that is no `https` address of a host, for a
    /// GUN that cannot be a part of an address, and where [`Client::new`](crate::Client::new) has
    /// it.
    pub fn new(
        config: Config,
        notary: NotaryConfig,
        credentials: impl CredentialSource + 'static,
    ) -> Result<Self, Error> {
        let registry = notary.registry()?;
        let place = Place {
            host: registry.host().to_owned(),
            gun: notary.checked_gun()?.to_owned(),
        };
        let config = Config {
            plain_http: PlainHttp::Never,
            server_certificates: ServerCertificates::Verified,
            ..config
        };
        let transport = Arc::new(Transport::new(config)?);
        Ok(Self {
            config: notary,
            place,
            session: Session::new(transport, registry, Arc::new(credentials)).reserved(),
        })
    }

    /// Reads and verifies the trust data, and finds the roles that `key` may sign `names` as, so
    /// that whatever can be known to fail does so before anything else is done.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the repository has no trust data: it has to be initialised
    /// once by the holder of its root key. [`Denied`](crate::ErrorKind::Denied) when `key` is that of no role
    /// for one of the names, and where one key does not suffice. [`Digest`](crate::ErrorKind::Digest) for trust
    /// data that is out of date, or not what it is vouched for or signed to be,
    /// [`Protocol`](crate::ErrorKind::Protocol) for what is not understood, [`TooLarge`](crate::ErrorKind::TooLarge) for a file of more than 16 MiB
    /// and more than 1000 delegations, and every error of a request.
    pub async fn open(&self, key: &SigningKey, names: &[&str]) -> Result<Signer<'_>, Error> {
        let wire = Wire::new(self, key);
        let work = async {
            for name in names {
                update::check_name(&self.place, name)?;
            }
            let trust = Trust::load(&wire, wire.now()).await?;
            for name in names {
                trust.seats(key, name)?;
            }
            Ok(trust)
        };
        Ok(Signer {
            trust: self.session.in_time(work).await?,
            notary: self,
            key: key.clone(),
        })
    }
}

impl fmt::Debug for Notary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notary")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
