//! One tag or one digest, followed.

use regimg_core::{Digest, Identifier, Tag};
use regimg_registry::RepositoryClient;
use regimg_select::{Follow, Version};

use crate::error::{During, Error};
use crate::protocol::RequestedVersion;

/// Follows one tag: what it points at now, after what it pointed at before if that still
/// exists.
pub(super) async fn tag(
    repository: &RepositoryClient,
    tag: &Tag,
    cursor: Option<&RequestedVersion>,
) -> Result<Vec<Version>, Error> {
    let follow = Follow::new(tag.clone(), cursor.and_then(known_digest));
    let current = repository
        .digest(&Identifier::Tag(tag.clone()))
        .await
        .during(format!("get tag digest: {tag}"))?;
    let followed = follow.at(current);
    let cursor_exists = match followed.unknown() {
        None => false,
        Some(digest) => exists(repository, digest)
            .await
            .during("get cursor digest")?,
    };
    Ok(followed.resolve(cursor_exists))
}

/// Says whether the registry has what a digest names.
pub(super) async fn exists(
    repository: &RepositoryClient,
    digest: &Digest,
) -> Result<bool, regimg_registry::Error> {
    let found = repository
        .digest(&Identifier::Digest(digest.clone()))
        .await?;
    Ok(found.is_some())
}

/// Reads the digest of a cursor. One that is no digest names nothing that could still
/// exist.
pub(super) fn known_digest(cursor: &RequestedVersion) -> Option<Digest> {
    cursor.digest.parse().ok()
}
