//! From the flat `source` of a request to something to talk to.

mod aws;
mod azure;
mod located;
mod login;
mod mirror;
mod name;
mod origin;
mod tls;
mod trust;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use regimg_core::{Platform, Tag};
use regimg_registry::{Config, Helpers, Proxy};

use crate::error::{During, Error};
use crate::protocol::{PlatformSpec, Source};

pub(crate) use located::Located;
pub(crate) use mirror::Origins;
pub(crate) use name::{Name, Pinned};
pub(crate) use origin::{Origin, Patience};
pub(crate) use trust::Trust;

/// First wait between two tries when the environment says `TEST=true`. Compat: what
/// upstream's suite sets so that it need not wait.
const TEST_RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// How long a registry may be silent in the middle of a transfer when the environment says
/// `TEST=true`: long for one on this machine, and short for who waits.
pub(crate) const TEST_SILENCE: Duration = Duration::from_secs(2);

/// What the environment says, whatever the request.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    retry_interval: Option<Duration>,
    proxy: Proxy,
    aws: AwsVariables,
    azure: azure::Environment,
    /// None where nothing says in which directories programs are.
    helpers: Option<Helpers>,
}

/// What the AWS libraries may know of the environment: whatever they read there is named so,
/// but for where the user's files are.
#[derive(Clone)]
struct AwsVariables(HashMap<String, String>);

/// Some of them are keys.
impl fmt::Debug for AwsVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// Reads the variables that matter.
    ///
    /// # Errors
    ///
    /// A proxy whose address is none.
    pub(crate) fn from_environment(variables: &HashMap<String, String>) -> Result<Self, Error> {
        let is_test = variables.get("TEST").is_some_and(|value| value == "true");
        let aws = variables
            .iter()
            .filter(|(name, _)| name.starts_with("AWS_") || name.as_str() == "HOME");
        let owned = |(name, value): (&String, &String)| (name.clone(), value.clone());
        let proxy = Proxy::from_variables(|name| variables.get(name).cloned());
        Ok(Self {
            retry_interval: is_test.then_some(TEST_RETRY_INTERVAL),
            proxy: proxy.during("reading the environment")?,
            aws: AwsVariables(aws.map(owned).collect()),
            azure: azure::Environment::of(variables),
            helpers: login::helpers(variables),
        })
    }

    /// Configures a client as every one of this program is.
    fn config(&self) -> Config {
        let mut config = Config::default();
        config.user_agent = String::from(concat!("regimg/", env!("CARGO_PKG_VERSION")));
        config.proxy = self.proxy.clone();
        if let Some(interval) = self.retry_interval {
            config.retry.initial_interval = interval;
            config.timeouts.idle = TEST_SILENCE;
        }
        config
    }

    /// Returns how long to wait where `usual` is usual.
    pub(crate) fn wait(&self, usual: Duration) -> Duration {
        self.retry_interval.unwrap_or(usual)
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
    Platform::from_parts(&os, &architecture).normalized()
}

/// Says what is wrong with a field.
pub(crate) fn field(field: &'static str, problem: &str) -> Error {
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
                platform(Some(&spec("linux", std::env::consts::ARCH)), None).to_string(),
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
                platform(source, step.as_ref()).to_string(),
                expected,
                "{source:?} {step:?}"
            );
        }
    }
}
