//! `check`: which versions are there?

use regimg_core::{Digest, Identifier, Tag};
use regimg_registry::RepositoryClient;

use crate::error::{During, Error};
use crate::protocol::{CheckRequest, RequestedVersion, Version};
use crate::resolve::{self, Origin, Settings};

/// Lists the versions from the cursor on, oldest first; none if the tag does not exist.
///
/// # Errors
///
/// A source that cannot be meant, or a registry that does not answer it.
pub(crate) async fn check(
    request: &CheckRequest,
    settings: &Settings,
) -> Result<Vec<Version>, Error> {
    let source = &request.source;
    let origin = Origin::of(source).during("resolve repository")?;
    resolve::refuse_for_check(source, &origin.repository)?;
    let tag = resolve::tag(source)?.ok_or(Error::NoTag)?;
    let repository = origin.connect(settings)?;
    follow(&repository, &tag, request.version.as_ref())
        .await
        .during(format!("checking origin {} failed", origin.repository))
}

/// Follows one tag: what it points at now, after what it pointed at before if that
/// still exists.
async fn follow(
    repository: &RepositoryClient,
    tag: &Tag,
    cursor: Option<&RequestedVersion>,
) -> Result<Vec<Version>, Error> {
    let follow = regimg_select::Follow::new(tag.clone(), cursor.and_then(known_digest));
    let current = repository
        .digest(&Identifier::Tag(tag.clone()))
        .await
        .during("get tag digest")?;
    let followed = follow.at(current);
    let cursor_exists = match followed.unknown() {
        None => false,
        Some(digest) => exists(repository, digest).await?,
    };
    let versions = followed.resolve(cursor_exists).into_iter();
    Ok(versions
        .map(|version| Version {
            tag: version.tag.to_string(),
            digest: version.digest,
        })
        .collect())
}

/// Reads the digest of a cursor. One that is no digest names nothing that could still
/// exist.
fn known_digest(cursor: &RequestedVersion) -> Option<Digest> {
    cursor.digest.parse().ok()
}

/// Says whether the registry still has what a cursor names.
async fn exists(repository: &RepositoryClient, digest: &Digest) -> Result<bool, Error> {
    let found = repository.digest(&Identifier::Digest(digest.clone())).await;
    Ok(found.during("get cursor digest")?.is_some())
}
