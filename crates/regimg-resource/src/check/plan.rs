//! What a source asks `check` to look for.

use regimg_core::{Platform, Tag};
use regimg_registry::RepositoryClient;
use regimg_select::{
    CapturePolicy, Constraint, MatchPolicy, Pattern, Policy, PreReleases, Scheme, VersionPattern,
    VersionPolicy,
};

use crate::error::{During, Error};
use crate::protocol::{RequestedVersion, Source, Version};
use crate::report::Reporter;
use crate::resolve::{self, Pinned, field};

use super::{created, follow, select};

/// What to look for.
#[derive(Debug)]
pub(super) enum Plan {
    /// One image, while it exists.
    Pinned(Pinned),
    /// What a tag points at.
    Follow(Tag),
    /// The tags that a policy wants, in its order.
    Select(Policy),
    /// The tags that a policy wants, in the order in which their images were made.
    ByCreation(Policy, Platform),
}

impl Plan {
    /// Reads a source: one image, else `tag`, else `tag_regex`, else versions. Like the Go
    /// resource it does not mind fields that are for another of these.
    ///
    /// # Errors
    ///
    /// A field that cannot be meant.
    pub(super) fn of(source: &Source, pinned: Option<&Pinned>) -> Result<Self, Error> {
        let tag = resolve::tag(source)?;
        if let Some(pinned) = pinned {
            refuse_additions(source, "a digest in source.repository")?;
            return pin(pinned, tag).map(Self::Pinned);
        }
        if let Some(tag) = tag {
            refuse_additions(source, "source.tag")?;
            return Ok(Self::Follow(tag));
        }
        let policy = if source.tag_regex.is_empty() {
            Policy::Versions(version_policy(source)?)
        } else {
            pattern_policy(source)?
        };
        match policy {
            Policy::Matches(_) if source.created_at_sort => {
                let platform = resolve::platform(source.platform.as_ref(), None);
                Ok(Self::ByCreation(policy, platform))
            }
            policy => Ok(Self::Select(policy)),
        }
    }

    /// Looks in one repository.
    pub(super) async fn versions(
        &self,
        repository: &RepositoryClient,
        cursor: Option<&RequestedVersion>,
        report: &Reporter,
    ) -> Result<Vec<Version>, Error> {
        let versions = match self {
            Self::Pinned(pinned) => return pinned_version(repository, pinned).await,
            Self::Follow(tag) => follow::tag(repository, tag, cursor).await?,
            Self::Select(policy) => select::select(repository, policy, cursor, report).await?,
            Self::ByCreation(policy, platform) => {
                let versions = select::select(repository, policy, cursor, report).await?;
                created::sort(repository, versions, platform, report).await?
            }
        };
        let versions = versions.into_iter().map(|version| Version {
            tag: version.tag.to_string(),
            digest: version.digest,
        });
        Ok(versions.collect())
    }
}

/// Refuses fields that the Go resource does not have where they have no say.
fn refuse_additions(source: &Source, beside: &str) -> Result<(), Error> {
    let given = [
        (
            "source.tag_exclude_regex",
            !source.tag_exclude_regex.is_empty(),
        ),
        ("source.version_scheme", !source.version_scheme.is_empty()),
        ("source.version_group_sort", source.version_group_sort),
        (
            "source.max_integer_version",
            source.max_integer_version.is_some(),
        ),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(field(name, &format!("has no say beside {beside}"))),
    }
}

/// Gives a pinned image the configured tag, unless it names another itself.
fn pin(pinned: &Pinned, tag: Option<Tag>) -> Result<Pinned, Error> {
    match (&pinned.tag, tag) {
        (Some(pinned), Some(tag)) if *pinned != tag => Err(field(
            "source.tag",
            &format!("is {tag}, and source.repository names {pinned}"),
        )),
        (named, tag) => Ok(Pinned {
            tag: named.clone().or(tag),
            digest: pinned.digest.clone(),
        }),
    }
}

async fn pinned_version(
    repository: &RepositoryClient,
    Pinned { tag, digest }: &Pinned,
) -> Result<Vec<Version>, Error> {
    let exists = follow::exists(repository, digest)
        .await
        .during("get digest")?;
    let version = exists.then(|| Version {
        tag: tag.as_ref().map_or_else(String::new, Tag::to_string),
        digest: digest.clone(),
    });
    Ok(version.into_iter().collect())
}

fn version_policy(source: &Source) -> Result<VersionPolicy, Error> {
    let mut policy = VersionPolicy::default();
    policy.variant = Some(source.variant.clone());
    if !source.semver_constraint.is_empty() {
        let constraint = Constraint::parse(&source.semver_constraint);
        policy.constraint = Some(constraint.during("parse semver constraint")?);
    }
    if source.pre_releases {
        policy.pre_releases = PreReleases::Wanted {
            prefixes: source.pre_release_prefixes.clone(),
        };
    }
    policy.scheme = scheme(source)?;
    policy.max_integer = source.max_integer_version;
    policy.exclude = exclude(source)?;
    Ok(policy)
}

fn pattern_policy(source: &Source) -> Result<Policy, Error> {
    const PHASE: &str = "invalid regex pattern";
    let text = &source.tag_regex;
    if !source.version_group_sort {
        let mut policy = MatchPolicy::new(Pattern::parse(text).during(PHASE)?);
        policy.exclude = exclude(source)?;
        return Ok(Policy::Matches(policy));
    }
    if source.created_at_sort {
        let problem = "cannot be combined with source.version_group_sort: there is one order";
        return Err(field("source.created_at_sort", problem));
    }
    let mut policy = CapturePolicy::new(VersionPattern::parse(text).during(PHASE)?);
    policy.scheme = scheme(source)?;
    policy.max_integer = source.max_integer_version;
    policy.exclude = exclude(source)?;
    Ok(Policy::Captures(policy))
}

fn scheme(source: &Source) -> Result<Scheme, Error> {
    match source.version_scheme.as_str() {
        "" | "semver" => Ok(Scheme::Semver),
        "numeric" => Ok(Scheme::Numeric),
        other => Err(field(
            "source.version_scheme",
            &format!("is {other:?}; it can be \"semver\" or \"numeric\""),
        )),
    }
}

fn exclude(source: &Source) -> Result<Option<Pattern>, Error> {
    if source.tag_exclude_regex.is_empty() {
        return Ok(None);
    }
    let pattern = Pattern::parse(&source.tag_exclude_regex);
    pattern.during("source.tag_exclude_regex").map(Some)
}
