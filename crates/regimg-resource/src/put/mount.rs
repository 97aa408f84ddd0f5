//! Repositories of the same registry that may have a blob already.

use regimg_core::{Reference, Repository};

use crate::error::{During, Error};
use crate::image::Blob;
use crate::protocol::PutParams;

/// Knows from where blobs may be mounted into one repository.
#[derive(Debug)]
pub(super) struct Mounts {
    into: Repository,
    /// What `params.mount_from` lists.
    listed: Vec<Repository>,
}

impl Mounts {
    /// Reads `params.mount_from`.
    ///
    /// # Errors
    ///
    /// A name that is none, or is on another registry, which could not share anything.
    pub(super) fn of(params: &PutParams, into: &Repository) -> Result<Self, Error> {
        let listed = params.mount_from.iter().map(|name| listed(name, into));
        Ok(Self {
            into: into.clone(),
            listed: listed.collect::<Result<_, _>>()?,
        })
    }

    /// Lists the repositories to ask for a blob, those that the image itself names first:
    /// there it has been.
    pub(super) fn of_blob(&self, blob: &Blob) -> Vec<Repository> {
        let named = blob.origins().iter();
        let named = named.filter_map(|name| Reference::parse(name).ok());
        let named = named.map(|reference| reference.repository().clone());
        let mut from: Vec<Repository> = Vec::new();
        for repository in named.chain(self.listed.iter().cloned()) {
            let is_here = repository.registry() == self.into.registry();
            if is_here && repository != self.into && !from.contains(&repository) {
                from.push(repository);
            }
        }
        from
    }
}

/// Reads one name. Without a host it is a repository of the registry that is pushed to.
fn listed(name: &str, into: &Repository) -> Result<Repository, Error> {
    const FIELD: &str = "params.mount_from";
    let parsed = Repository::parse(name).during(FIELD)?;
    let names_host = !parsed.registry().is_docker_hub() || is_hub(name);
    let repository = if names_host || into.registry().is_docker_hub() {
        parsed
    } else {
        Repository::new(into.registry().clone(), name).during(FIELD)?
    };
    if repository.registry() == into.registry() {
        return Ok(repository);
    }
    Err(Error::Field {
        field: FIELD,
        problem: format!("{name} is on another registry than {into}"),
    })
}

/// Says whether a name of Docker Hub's says so.
fn is_hub(name: &str) -> bool {
    let host = name.split_once('/').map(|(host, _)| host);
    host.is_some_and(|host| host.contains(['.', ':']))
}
