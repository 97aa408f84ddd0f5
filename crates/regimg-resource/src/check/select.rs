//! The versions among a repository's tags.

use regimg_core::Tag;
use regimg_registry::RepositoryClient;
use regimg_select::{Candidates, Cursor, Policy, Version};

use crate::error::{During, Error};
use crate::protocol::RequestedVersion;
use crate::report::Reporter;

use super::follow::known_digest;
use super::lookups::Lookups;
use super::nearest::Nearest;

/// Lists the tags, looks up the digests that the policy needs, and lets it decide.
///
/// Look-ups start while pages of tags still arrive. None is made that the policy does not
/// ask for.
pub(super) async fn select(
    repository: &RepositoryClient,
    policy: &Policy,
    cursor: Option<&RequestedVersion>,
    report: &Reporter,
) -> Result<Vec<Version>, Error> {
    let cursor = cursor.and_then(read_cursor);
    let mut lookups = Lookups::new(repository);
    let mut candidates = list(repository, policy, cursor.as_ref(), &mut lookups, report).await?;
    if let Some(cursor) = cursor.filter(|cursor| candidates.need(cursor)) {
        lookups.ask([&cursor.tag]);
        let digest = lookups.all().await?.get(&cursor.tag).cloned();
        candidates = candidates.after(&cursor, digest);
    }
    lookups.ask(candidates.tags());
    let wanted = candidates.tags().count();
    let resolved = candidates.resolve(lookups.all().await?);
    let doubtful: Vec<Tag> = resolved.tags().cloned().collect();
    lookups
        .until(&doubtful, |digest| resolved.is_settled_by(digest))
        .await?;
    let versions = resolved.versions(lookups.all().await?);
    if versions.is_empty() && wanted > 0 {
        let name = repository.repository();
        report.warn(&format!(
            "{name} lists {wanted} tags that are wanted, and has none of them"
        ));
    }
    Ok(versions)
}

async fn list(
    repository: &RepositoryClient,
    policy: &Policy,
    cursor: Option<&Cursor>,
    lookups: &mut Lookups<'_>,
    report: &Reporter,
) -> Result<Candidates, Error> {
    let mut listing = policy.listing(cursor);
    let mut pages = repository.tag_pages();
    let mut nearest = Nearest::default();
    while let Some(page) = lookups
        .meanwhile(pages.next())
        .await?
        .during("list repository tags")?
    {
        nearest.note(policy, &page);
        lookups.ask(listing.add(&page));
    }
    let candidates = listing.finish();
    if candidates.tags().next().is_none() {
        nearest.tell(repository.repository(), report);
    }
    for tag in candidates.illegal_tags() {
        report.debug(&format!(
            "tag {tag:?} is left out: no registry can be asked for it"
        ));
    }
    Ok(candidates)
}

/// Reads a cursor. A tag that cannot be one is not listed either, so it changes nothing.
fn read_cursor(cursor: &RequestedVersion) -> Option<Cursor> {
    Some(Cursor {
        tag: Tag::parse(&cursor.tag).ok()?,
        digest: known_digest(cursor),
    })
}
