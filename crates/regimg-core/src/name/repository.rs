//! A named set of images in a registry.

use std::fmt;
use std::str::FromStr;

use super::{ParseReferenceError, Registry};

/// The lengths that go-containerregistry lets a path have.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=255;

/// Names a repository.
///
/// ```
/// use regimg_core::Repository;
///
/// assert_eq!(Repository::parse("alpine")?.to_string(), "index.docker.io/library/alpine");
/// assert_eq!(Repository::parse("localhost:5000/app")?.path(), "app");
/// assert!(Repository::parse("Upper").is_err());
/// # Ok::<(), regimg_core::ParseReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: Registry,
    path: String,
}

impl Repository {
    /// Reads `[registry/]path`.
    ///
    /// # Errors
    ///
    /// A path that is shorter than 2 or longer than 255 characters or has others than
    /// `a-z`, `0-9`, `_`, `-`, `.` and `/`; an illegal registry.
    pub fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if names_a_registry(first) => (first, rest),
            _ => ("", text),
        };
        let registry = Registry::parse(registry)?;
        check_path(path)
            .map_err(|problem| ParseReferenceError::new("repository", text, problem))?;
        let path = if registry.is_docker_hub() && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self { registry, path })
    }

    /// Returns where the repository is.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns what stands between `/v2/` and `/manifests/` in a URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Names the repository of the same path in another registry: a mirror.
    #[must_use]
    pub fn on_registry(&self, registry: Registry) -> Self {
        Self {
            registry,
            path: self.path.clone(),
        }
    }
}

/// Says whether the first component of a name is a registry.
fn names_a_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn check_path(path: &str) -> Result<(), String> {
    if let Some(other) = path
        .chars()
        .find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | '/'))
    {
        return Err(format!(
            "{other:?} is not one of a-z, 0-9, '_', '-', '.', '/'"
        ));
    }
    if !LENGTH.contains(&path.len()) {
        return Err(format!(
            "has {} characters, a repository has {} to {}",
            path.len(),
            LENGTH.start(),
            LENGTH.end()
        ));
    }
    // Such a path would name another URL than it seems to.
    match path
        .split('/')
        .find(|part| matches!(*part, "" | "." | ".."))
    {
        Some(part) => Err(format!("the component {part:?} names nothing")),
        None => Ok(()),
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl FromStr for Repository {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        Self::parse(text)
    }
}
