//! A named collection of images in one registry.

use std::{fmt, str::FromStr};

use super::{
    Registry,
    error::{Kind, ParseReferenceError, Part},
};

/// A named collection of images in one registry.
///
/// A name without a host belongs to Docker Hub, where a name without a slash
/// belongs to `library`. The full name is what is shown.
///
/// ```
/// use regimg_core::Repository;
///
/// # fn main() -> Result<(), regimg_core::ParseReferenceError> {
/// let repository = Repository::parse("alpine")?;
/// assert_eq!(repository.path(), "library/alpine");
/// assert_eq!(repository.to_string(), "index.docker.io/library/alpine");
///
/// let repository = Repository::parse("localhost:5000/team/app")?;
/// assert_eq!(repository.registry().host(), "localhost:5000");
/// assert_eq!(repository.path(), "team/app");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: Registry,
    path: String,
}

impl Repository {
    const OFFICIAL: &'static str = "library";

    /// The shortest path go-containerregistry lets through.
    const MIN: usize = 2;

    /// The longest path that registries store.
    const MAX: usize = 255;

    /// Reads `[registry/]path`.
    ///
    /// What stands before the first slash is the registry when it holds a dot
    /// or a colon, or is `localhost`. The path has 2 to 255 of the characters
    /// `a-z0-9._-/`; no part between slashes is empty, `.` or `..`, because
    /// such a path would lead a URL elsewhere.
    ///
    /// # Errors
    ///
    /// Says which of these rules is broken. A tag or a digest is none of a
    /// repository's name; [`Reference`](crate::Reference) takes them.
    pub fn parse(name: &str) -> Result<Self, ParseReferenceError> {
        Self::from_name(name).map_err(|kind| ParseReferenceError::new(name, kind))
    }

    /// Joins a registry and a path, which holds no host.
    ///
    /// # Errors
    ///
    /// Fails for the same paths as [`parse`](Self::parse).
    pub fn new(registry: Registry, path: &str) -> Result<Self, ParseReferenceError> {
        Self::joined(registry, path).map_err(|kind| ParseReferenceError::new(path, kind))
    }

    /// Returns the registry that serves this repository.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns what stands between `/v2/` and `/manifests/` in URLs, with
    /// `library/` for Docker Hub's official images.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the repository of the same path on another registry, which is
    /// where a mirror of this one keeps it.
    #[must_use]
    pub fn on_registry(&self, registry: Registry) -> Self {
        Self::complete(registry, &self.path)
    }

    pub(super) fn from_name(name: &str) -> Result<Self, Kind> {
        if name.is_empty() {
            return Err(Kind::Empty(Part::Repository));
        }
        if name.contains("://") {
            return Err(Kind::Scheme);
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if Registry::is_named_by(host) => (Registry::from_host(host)?, path),
            _ => (Registry::docker_hub(), name),
        };
        Self::joined(registry, path)
    }

    fn joined(registry: Registry, path: &str) -> Result<Self, Kind> {
        check_path(path)?;
        let completed = Self::complete(registry, path);
        check_length(&completed.path)?;
        Ok(completed)
    }

    /// Puts Docker Hub's official images where they are.
    fn complete(registry: Registry, path: &str) -> Self {
        let path = if registry.is_docker_hub() && !path.contains('/') {
            format!("{}/{path}", Self::OFFICIAL)
        } else {
            path.to_owned()
        };
        Self { registry, path }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl FromStr for Repository {
    type Err = ParseReferenceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

fn check_path(path: &str) -> Result<(), Kind> {
    let part = Part::Repository;
    if path.is_empty() {
        return Err(Kind::Empty(part));
    }
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/');
    if let Some(found) = path.chars().find(|&c| !allowed(c)) {
        return Err(Kind::Character { part, found });
    }
    check_length(path)?;
    match path
        .split('/')
        .find(|name| matches!(*name, "" | "." | ".."))
    {
        Some(name) => Err(Kind::Component(name.to_owned())),
        None => Ok(()),
    }
}

/// Counts bytes, which are characters here.
fn check_length(path: &str) -> Result<(), Kind> {
    let (part, min, max) = (Part::Repository, Repository::MIN, Repository::MAX);
    if (min..=max).contains(&path.len()) {
        Ok(())
    } else {
        Err(Kind::Length { part, min, max })
    }
}
