//! One place that can serve the image, and how to speak to it.

use std::time::Duration;

use regimg_core::Repository;
use regimg_registry::{Config, PlainHttp, RepositoryClient};

use crate::error::Error;
use crate::protocol::Source;

use super::located::Located;
use super::login::Login;
use super::tls::Tls;
use super::{Name, Settings, field};

/// How long a mirror is waited for where the origin would be waited for much longer: who
/// has another place to ask does better to ask there.
const MIRROR_PATIENCE: Duration = Duration::from_secs(15);

/// How often a request is sent to a mirror.
const MIRROR_TRIES: u32 = 3;

/// How long a check waits for a registry that is busy. Concourse runs the next one soon.
const CHECK_PATIENCE: Duration = Duration::from_mins(5);

/// Requests under way at one time unless the source says otherwise. Those of a check are
/// look-ups, which cost a registry little; 500 of them at 20 ms each take half a second.
const REQUESTS: usize = 24;

/// Requests or transfers at one time that more cannot be asked for: no registry and no
/// network serve so many better.
const MOST: usize = 1024;

/// One place that can serve the image, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) repository: Repository,
    pub(super) login: Login,
    pub(super) plain_http: PlainHttp,
    pub(super) tls: Tls,
    pub(super) limits: Limits,
    pub(super) patience: Patience,
}

/// How much may be under way at one time; none where the client decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    requests: Option<usize>,
    transfers: Option<usize>,
}

/// How long to wait for a place that is busy or silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the client does: an hour, for a step that somebody waits for.
    Step,
    /// Minutes: another check follows.
    Check,
    /// Seconds: there is another place to ask.
    Mirror,
}

impl Origin {
    /// Reads where to push, and who pushes.
    ///
    /// # Errors
    ///
    /// The repository has no name or an illegal one; half of a login is missing.
    pub(crate) fn to_push_to(source: &Source, located: &Located) -> Result<Self, Error> {
        let name = Name::of(&located.repository)?;
        if name.pinned.is_some() {
            let problem = "names a digest: an image that is yet to be pushed has none";
            return Err(field("source.repository", problem));
        }
        Self::of(source, located, name.repository, Patience::Step)
    }

    pub(super) fn of(
        source: &Source,
        located: &Located,
        repository: Repository,
        patience: Patience,
    ) -> Result<Self, Error> {
        Ok(Self {
            login: Login::of(source, located, &repository)?,
            repository,
            plain_http: if source.insecure {
                PlainHttp::Allowed
            } else {
                PlainHttp::LocalOnly
            },
            tls: Tls::of(source)?,
            limits: Limits {
                requests: limit(
                    source.max_concurrent_requests,
                    "source.max_concurrent_requests",
                )?,
                transfers: limit(
                    source.max_concurrent_downloads,
                    "source.max_concurrent_downloads",
                )?,
            },
            patience,
        })
    }

    /// Says whether there is another place to ask after this one.
    pub(crate) fn is_mirror(&self) -> bool {
        self.patience == Patience::Mirror
    }

    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A certificate authority that is none, or an environment that says nonsense.
    pub(crate) fn connect(&self, settings: &Settings) -> Result<RepositoryClient, Error> {
        let mut config = settings.config();
        config.plain_http = self.plain_http;
        self.tls.apply(&mut config, self.repository.registry());
        config.max_requests = self.limits.requests.unwrap_or(REQUESTS);
        config.max_transfers = self.limits.transfers.unwrap_or(config.max_transfers);
        self.patience.limit(&mut config);
        let client = self.login.client(config, settings)?;
        Ok(client.repository(&self.repository))
    }
}

impl Patience {
    /// Shortens the client's waits.
    fn limit(self, config: &mut Config) {
        let limit = match self {
            Self::Step => return,
            Self::Check => CHECK_PATIENCE,
            Self::Mirror => MIRROR_PATIENCE,
        };
        let (retry, timeouts) = (&mut config.retry, &mut config.timeouts);
        if self == Self::Mirror {
            retry.max_tries = MIRROR_TRIES;
        }
        for wait in [
            &mut retry.max_elapsed,
            &mut retry.max_retry_after,
            &mut timeouts.connect,
            &mut timeouts.first_byte,
            &mut timeouts.idle,
        ] {
            *wait = limit.min(*wait);
        }
    }
}

fn limit(limit: Option<u64>, name: &'static str) -> Result<Option<usize>, Error> {
    match limit {
        Some(0) => Err(field(name, "is 0: nothing could be done")),
        limit => {
            Ok(limit.map(|limit| usize::try_from(limit).map_or(MOST, |limit| limit.min(MOST))))
        }
    }
}
