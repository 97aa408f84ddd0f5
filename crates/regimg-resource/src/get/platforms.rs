//! Some of an index's images instead of all.

use std::collections::BTreeSet;

use regimg_core::{Descriptor, Digest, Index, MediaType, Platform};

use crate::error::{During, Error};

/// Selects from an index the images for some platforms, for each the one that a container
/// engine there would take. None when nothing is left out.
///
/// What is said about an image that is kept is kept as well, and everything that is no image.
/// An index within the index is kept whole if it may hold one of the images.
///
/// # Errors
///
/// A platform that nothing in the index is for.
pub(super) fn select(index: &Index, platforms: &[Platform]) -> Result<Option<Index>, Error> {
    if platforms.is_empty() {
        return Ok(None);
    }
    let chosen = platforms.iter().map(|platform| index.select(platform));
    let chosen = chosen.collect::<Result<Vec<_>, _>>();
    let chosen = chosen.during("params.platforms")?.into_iter();
    let chosen: BTreeSet<&Digest> = chosen.map(|entry| &entry.digest).collect();
    let mut selected = index.clone();
    selected.manifests.retain(|entry| stays(entry, &chosen));
    Ok((selected != *index).then_some(selected))
}

fn stays(entry: &Descriptor, chosen: &BTreeSet<&Digest>) -> bool {
    if entry.is_attestation() {
        let subject = entry.annotations.get("vnd.docker.reference.digest");
        return subject.is_none_or(|subject| chosen.iter().any(|it| it.as_str() == subject));
    }
    chosen.contains(&entry.digest) || is_artifact(entry)
}

/// Tells a chart or a signature from an image by what its entry says of it.
fn is_artifact(entry: &Descriptor) -> bool {
    let kind = &entry.media_type;
    let is_other = !(kind.is_empty() || kind.is_image_manifest() || kind.is_index());
    let named = entry.artifact_type.as_deref();
    is_other || named.is_some_and(|kind| !MediaType::new(kind).is_image_config())
}
