//! From the flat `source` of a request to something to talk to.

mod unsupported;

use std::collections::HashMap;
use std::time::Duration;

use regimg_core::{Platform, Repository, Tag};
use regimg_registry::{Client, Config, Credential, PlainHttp, Proxy, RepositoryClient};

use crate::error::{During, Error};
use crate::protocol::{PlatformSpec, Source};

pub(crate) use unsupported::{refuse_for_check, refuse_for_get, refuse_for_put};

/// First wait between two tries when the environment says `TEST=true`. Compat: what
/// upstream's suite sets so that it need not wait.
const TEST_RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// What the environment says, whatever the request.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    retry_interval: Option<Duration>,
    proxy: Proxy,
}

impl Settings {
    /// Reads the variables that matter.
    ///
    /// # Errors
    ///
    /// A proxy whose address is none.
    pub(crate) fn from_environment(variables: &HashMap<String, String>) -> Result<Self, Error> {
        let is_test = variables.get("TEST").is_some_and(|value| value == "true");
        let proxy = Proxy::from_variables(|name| variables.get(name).cloned());
        Ok(Self {
            retry_interval: is_test.then_some(TEST_RETRY_INTERVAL),
            proxy: proxy.during("reading the environment")?,
        })
    }

    /// Returns how long to wait where `usual` is usual.
    pub(crate) fn wait(&self, usual: Duration) -> Duration {
        self.retry_interval.unwrap_or(usual)
    }
}

/// One place that can serve the image, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) repository: Repository,
    credential: Credential,
    plain_http: PlainHttp,
    ca_certs: Vec<String>,
}

impl Origin {
    /// Reads where the image is and who asks for it.
    ///
    /// # Errors
    ///
    /// The repository has no name or an illegal one; half of a login is missing.
    pub(crate) fn of(source: &Source) -> Result<Self, Error> {
        Ok(Self {
            repository: repository(source)?,
            credential: credential(source)?,
            plain_http: if source.insecure {
                PlainHttp::Allowed
            } else {
                PlainHttp::LocalOnly
            },
            ca_certs: source.ca_certs.clone(),
        })
    }

    /// Prepares a client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A certificate authority that is none.
    pub(crate) fn connect(&self, settings: &Settings) -> Result<RepositoryClient, Error> {
        let mut config = Config::default();
        config.user_agent = String::from(concat!("regimg/", env!("CARGO_PKG_VERSION")));
        config.plain_http = self.plain_http;
        config.ca_certs.clone_from(&self.ca_certs);
        config.proxy = settings.proxy.clone();
        if let Some(interval) = settings.retry_interval {
            config.retry.initial_interval = interval;
        }
        let client = Client::new(config, self.credential.clone()).during("initialize transport")?;
        Ok(client.repository(&self.repository))
    }
}

fn repository(source: &Source) -> Result<Repository, Error> {
    if source.repository.is_empty() {
        return Err(field("source.repository", "is missing"));
    }
    Repository::parse(&source.repository).during("source.repository")
}

/// Reads the login. The Go resource silently goes without one when half of it is
/// missing, and the registry's answer then sends people looking in the wrong place.
fn credential(source: &Source) -> Result<Credential, Error> {
    match (source.username.is_empty(), source.password.is_empty()) {
        (true, true) => Ok(Credential::Anonymous),
        (false, false) => Ok(Credential::Basic {
            username: source.username.clone(),
            password: source.password.0.clone(),
        }),
        (false, true) => Err(field("source.username", "is given without source.password")),
        (true, false) => Err(field("source.password", "is given without source.username")),
    }
}

/// Reads the configured tag, if there is one.
///
/// # Errors
///
/// Characters or a length that no registry takes as a tag.
pub(crate) fn tag(source: &Source) -> Result<Option<Tag>, Error> {
    if source.tag.0.is_empty() {
        return Ok(None);
    }
    Tag::parse(&source.tag.0).during("source.tag").map(Some)
}

/// Merges the step's platform over the source's, field by field, over the platform
/// that this program runs on.
pub(crate) fn platform(source: Option<&PlatformSpec>, step: Option<&PlatformSpec>) -> Platform {
    let pick = |part: fn(&PlatformSpec) -> &String, default: &str| {
        [step, source]
            .into_iter()
            .flatten()
            .map(part)
            .find(|value| !value.is_empty())
            .map_or_else(|| default.to_owned(), Clone::clone)
    };
    let os = pick(|platform| &platform.os, "linux");
    let architecture = pick(|platform| &platform.architecture, std::env::consts::ARCH);
    Platform::from_parts(&os, &architecture)
}

fn field(field: &'static str, problem: &str) -> Error {
    Error::Field {
        field,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_merged_field_by_field() {
        let spec = |os: &str, architecture: &str| PlatformSpec {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
        };
        let source = spec("", "arm64/v8");
        let cases = [
            (
                None,
                None,
                platform(Some(&spec("linux", std::env::consts::ARCH)), None)
                    .normalized()
                    .to_string(),
            ),
            (Some(&source), None, "linux/arm64".to_owned()),
            (
                Some(&source),
                Some(spec("windows", "")),
                "windows/arm64".to_owned(),
            ),
            (
                Some(&source),
                Some(spec("", "s390x")),
                "linux/s390x".to_owned(),
            ),
        ];
        for (source, step, expected) in cases {
            assert_eq!(
                platform(source, step.as_ref()).normalized().to_string(),
                expected,
                "{source:?} {step:?}"
            );
        }
    }
}
