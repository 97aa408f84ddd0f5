//! A mirror, which is asked before the origin.

use regimg_core::{Registry, Repository};
use regimg_registry::PlainHttp;

use crate::error::{During, Error, describe, is_local};
use crate::protocol::{RegistryMirror, Source};
use crate::report::Reporter;

use super::located::Located;
use super::login::Login;
use super::tls::Tls;
use super::{Name, Origin, Patience, field};

/// The places that can serve the image.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    mirror: Option<Origin>,
    origin: Origin,
}

impl Origins {
    /// Reads where the image is, and who asks for it there.
    ///
    /// A mirror serves Docker Hub only; for another registry the field says nothing.
    ///
    /// # Errors
    ///
    /// A name, an address or a login that cannot be meant.
    pub(crate) fn of(
        source: &Source,
        located: &Located,
        name: &Name,
        patience: Patience,
    ) -> Result<Self, Error> {
        let origin = Origin::of(source, located, name.repository.clone(), patience)?;
        let mirror = source
            .registry_mirror
            .as_ref()
            .filter(|mirror| !mirror.host.is_empty())
            .filter(|_| name.repository.registry().is_docker_hub())
            .map(|mirror| at_mirror(source, mirror, &origin))
            .transpose()
            .during("failed to resolve mirror")?;
        Ok(Self { mirror, origin })
    }

    /// Returns the repository that the image is named after, whoever serves it.
    pub(crate) fn repository(&self) -> &Repository {
        &self.origin.repository
    }

    /// Asks the mirror, if there is one, and then the origin unless the mirror had an
    /// answer. What kept the mirror from answering is a warning that begins with `phase`.
    ///
    /// # Errors
    ///
    /// Those of the origin.
    pub(crate) async fn first_answer<T>(
        &self,
        report: &Reporter,
        phase: &str,
        attempt: impl AsyncFn(&Origin) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if let Some(mirror) = &self.mirror {
            let name = &mirror.repository;
            let problem = match attempt(mirror).await {
                Ok(Some(answer)) => {
                    report.info(&format!("served by mirror {name}"));
                    return Ok(Some(answer));
                }
                Ok(None) => "tag not found".to_owned(),
                // What this machine's disk refuses, it refuses from the origin as well.
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => describe(&error),
            };
            report.warn(&format!("{phase} mirror {name} failed: {problem}"));
        }
        attempt(&self.origin).await
    }
}

/// Finds the image at the mirror: `mirror.example`, `https://mirror.example/hub/` or the
/// like. The same authorities are trusted there as at the origin; who asks, by login or by
/// certificate, is the mirror's own, and so is whether it has to prove who it is.
fn at_mirror(source: &Source, mirror: &RegistryMirror, origin: &Origin) -> Result<Origin, Error> {
    const HOST: &str = "source.registry_mirror.host";
    let (plain_http, address) = match mirror.host.split_once("://") {
        None => (origin.plain_http, mirror.host.as_str()),
        Some(("https", address)) => (PlainHttp::LocalOnly, address),
        Some(("http", address)) => (PlainHttp::Allowed, address),
        Some((scheme, _)) => {
            return Err(field(
                HOST,
                &format!("has the scheme {scheme:?}, which is neither https nor http"),
            ));
        }
    };
    let (host, prefix) = address.split_once('/').unwrap_or((address, ""));
    let registry = Registry::parse(host).during(HOST)?;
    let path = match prefix.trim_matches('/') {
        "" => origin.repository.path().to_owned(),
        prefix => format!("{prefix}/{}", origin.repository.path()),
    };
    Ok(Origin {
        repository: Repository::new(registry, &path).during(HOST)?,
        login: Login::of_mirror(source, mirror)?,
        tls: Tls::of_mirror(source, mirror)?,
        plain_http,
        patience: Patience::Mirror,
        ..origin.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror_of(repository: &str, host: &str) -> Result<Option<String>, String> {
        let source = Source {
            repository: repository.to_owned(),
            registry_mirror: Some(RegistryMirror {
                host: host.to_owned(),
                ..RegistryMirror::default()
            }),
            ..Source::default()
        };
        let name = Name::of(repository).map_err(|error| describe(&error))?;
        let located = Located::as_written(repository);
        let origins = Origins::of(&source, &located, &name, Patience::Step);
        let origins = origins.map_err(|error| describe(&error))?;
        Ok(origins.mirror.map(|mirror| mirror.repository.to_string()))
    }

    #[test]
    fn a_mirror_stands_in_for_docker_hub() {
        let cases = [
            (
                "alpine",
                "mirror.example",
                Some("mirror.example/library/alpine"),
            ),
            (
                "a/b",
                "mirror.example:5000",
                Some("mirror.example:5000/a/b"),
            ),
            (
                "index.docker.io/a/b",
                "https://mirror.example",
                Some("mirror.example/a/b"),
            ),
            (
                "alpine",
                "http://mirror.example/hub/",
                Some("mirror.example/hub/library/alpine"),
            ),
            ("ghcr.io/a/b", "mirror.example", None),
            ("alpine", "", None),
        ];
        for (repository, host, expected) in cases {
            assert_eq!(
                mirror_of(repository, host).unwrap().as_deref(),
                expected,
                "{repository} at {host}"
            );
        }
        for host in [
            "ftp://mirror.example",
            "mirror example",
            "https:///hub",
            "m/UPPER",
        ] {
            let error = mirror_of("alpine", host).unwrap_err();
            assert!(
                error.starts_with("failed to resolve mirror: source.registry_mirror.host: "),
                "{error}"
            );
        }
    }
}
