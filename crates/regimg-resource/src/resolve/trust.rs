//! Who signs what is pushed, and at which notary server.
//!
//! A field counts only where the command would use it: one `source` serves all three commands,
//! and `content_trust` means nothing to `check` and `in`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regimg_core::Repository;
use regimg_registry::{Clock, ErrorKind, Notary, NotaryConfig, SigningKey, SystemClock};

use crate::error::{Cause, During, Error};
use crate::protocol::{ContentTrust, Source};

use super::login::Login;
use super::origin::Origin;
use super::tls::Tls;
use super::{Settings, field};

/// Docker's own server, for images of Docker Hub. There they have another name than everywhere else.
const HUB_SERVER: &str = "notary.docker.io";

/// 8 December 2026, when Docker shuts it down, in seconds since 1970.
const HUB_SERVER_ENDS: u64 = 1_796_688_000;

/// What signs, and where.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) notary: Notary,
    pub(crate) key: SigningKey,
    /// The server's host, with its port if it has one.
    pub(crate) host: String,
}

impl Trust {
    /// Reads who signs; none if the source does not say so. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A key that is none or is another one, or fields that cannot be meant.
    pub(crate) fn of(
        source: &Source,
        origin: &Origin,
        settings: &Settings,
    ) -> Result<Option<Self>, Error> {
        let Some(trust) = &source.content_trust else {
            return Ok(None);
        };
        let key = key(trust)?;
        let server = server(trust, &origin.repository);
        let host = host(&server).to_owned();
        let mut notary = NotaryConfig::new(&server, gun(&host, &origin.repository));
        if let Some(actions) = actions(trust)? {
            notary.actions = actions;
        }
        let mut config = settings.config();
        Tls::of_notary(source, trust)?.apply(&mut config, origin.repository.registry());
        let is_registry = host == origin.repository.registry().host();
        let login = Login::of_notary(trust, &origin.login, is_registry)?;
        let credentials = login.source(&config, settings)?;
        let notary = Notary::new(config, notary, credentials);
        Ok(Some(Self {
            notary: notary.during("source.content_trust")?,
            key,
            host,
        }))
    }

    /// Says of a failure what the server's end has to do with it.
    pub(crate) fn told(&self, error: regimg_registry::Error) -> Cause {
        let kind = error.kind();
        let is_over = || is_absent(kind) || has_ended(SystemClock.today());
        if self.host == HUB_SERVER && is_over() {
            return Error::During {
                phase: "Docker shuts notary.docker.io down on 8 December 2026: name another server in source.content_trust.server, or sign no more".into(),
                source: error.into(),
            }
            .into();
        }
        error.into()
    }
}

/// Says whether an error may come of a server that is gone.
fn is_absent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Connect
            | ErrorKind::Tls
            | ErrorKind::Interrupted
            | ErrorKind::Unavailable
            | ErrorKind::Rejected
    )
}

fn has_ended(today: SystemTime) -> bool {
    today >= UNIX_EPOCH + Duration::from_secs(HUB_SERVER_ENDS)
}

/// Reads the key, and sees that it is the one that is meant: upstream takes the ID on trust, and
/// then says of a wrong one what it says of a wrong passphrase.
fn key(trust: &ContentTrust) -> Result<SigningKey, Error> {
    const ID: &str = "source.content_trust.repository_key_id";
    const KEY: &str = "source.content_trust.repository_key";
    for (name, is_missing) in [
        (ID, trust.repository_key_id.is_empty()),
        (KEY, trust.repository_key.is_empty()),
    ] {
        if is_missing {
            return Err(field(name, "is missing"));
        }
    }
    let passphrase = &trust.repository_passphrase.0;
    let key = SigningKey::from_pem(&trust.repository_key.0, passphrase).during(KEY)?;
    let wanted = trust.repository_key_id.trim();
    if wanted.eq_ignore_ascii_case(key.id()) {
        return Ok(key);
    }
    let problem = format!("is {wanted}, but the key in {KEY} has the ID {}", key.id());
    Err(field(ID, &problem))
}

fn server(trust: &ContentTrust, repository: &Repository) -> String {
    let registry = repository.registry();
    match trust.server.as_str() {
        "" if registry.is_docker_hub() => format!("https://{HUB_SERVER}"),
        "" => format!("https://{}", registry.host()),
        given => given.to_owned(),
    }
}

/// What stands between the scheme and the path.
fn host(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// Compat: what upstream calls the repository there, `index.docker.io/library/app` at servers
/// other than Docker's.
fn gun(host: &str, repository: &Repository) -> String {
    let registry = match repository.registry() {
        hub if hub.is_docker_hub() && host == HUB_SERVER => "docker.io",
        registry => registry.host(),
    };
    format!("{registry}/{}", repository.path())
}

/// Reads what to ask the token service for; none for what is usual. Compat: one of the texts that
/// upstream knows. It takes others for `pull`, with a warning, which cannot sign.
fn actions(trust: &ContentTrust) -> Result<Option<Vec<String>>, Error> {
    match trust.scopes.as_str() {
        "" => Ok(None),
        known @ ("pull" | "push,pull" | "push,pull,delete" | "catalog") => {
            Ok(Some(known.split(',').map(str::to_owned).collect()))
        }
        other => Err(field(
            "source.content_trust.scopes",
            &format!("'{other}' is none of 'pull', 'push,pull', 'push,pull,delete', 'catalog'"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(repository: &str, server: &str, expected: &str) {
        let trust = ContentTrust {
            server: server.to_owned(),
            ..ContentTrust::default()
        };
        let repository = Repository::parse(repository).unwrap();
        let server = self::server(&trust, &repository);
        let actual = format!("{} at {server}", gun(host(&server), &repository));
        assert_eq!(actual, expected);
    }

    #[test]
    fn repositories_have_a_name_at_a_server() {
        check(
            "alpine",
            "",
            "docker.io/library/alpine at https://notary.docker.io",
        );
        check(
            "a/b",
            "https://notary.docker.io/",
            "docker.io/a/b at https://notary.docker.io/",
        );
        check(
            "alpine",
            "https://notary.example:4443",
            "index.docker.io/library/alpine at https://notary.example:4443",
        );
        check(
            "registry.example:5000/a/b",
            "",
            "registry.example:5000/a/b at https://registry.example:5000",
        );
        check(
            "registry.example/ab",
            "https://notary.docker.io",
            "registry.example/ab at https://notary.docker.io",
        );
    }

    #[test]
    fn dockers_server_has_an_end() {
        let at = |seconds| has_ended(UNIX_EPOCH + Duration::from_secs(seconds));
        assert!(!at(HUB_SERVER_ENDS - 1));
        assert!(at(HUB_SERVER_ENDS));
        // 1970 to 2025 with their leap days, and what is over of 2026.
        let days = 56 * 365 + 14 + 341;
        assert_eq!(HUB_SERVER_ENDS, days * 24 * 60 * 60);
    }
}
