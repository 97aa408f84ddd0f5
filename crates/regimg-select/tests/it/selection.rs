//! Selection, from tags to versions.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use regimg_core::Digest;
use regimg_select::{
    Constraint, Created, Cursor, Follow, MatchPolicy, Pattern, Policy, PreReleases, Version,
    VersionPolicy, in_creation_order,
};
use serde::Deserialize;

use crate::{
    registry::{Repository, digest, tag},
    vectors,
};

#[derive(Deserialize)]
struct Case {
    name: String,
    class: String,
    source: Source,
    tags: Vec<Listed>,
    /// What exists besides what the tags point at.
    #[serde(default)]
    digests: Vec<String>,
    from: Option<Reported>,
    expect: Vec<Reported>,
    #[serde(default)]
    upstream: Vec<Vec<Reported>>,
    heads: BTreeSet<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(default)]
    tag: String,
    #[serde(default)]
    tag_regex: String,
    #[serde(default)]
    created_at_sort: bool,
    #[serde(default)]
    semver_constraint: String,
    #[serde(default)]
    pre_releases: bool,
    #[serde(default)]
    pre_release_prefixes: Vec<String>,
    #[serde(default)]
    variant: String,
}

#[derive(Deserialize)]
struct Listed {
    tag: String,
    digest: Option<String>,
    created: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Reported {
    tag: String,
    digest: String,
}

impl Source {
    /// Reads the policy of a source without a tag.
    fn policy(&self) -> Result<Policy, String> {
        if !self.tag_regex.is_empty() {
            let pattern = Pattern::parse(&self.tag_regex);
            let pattern = pattern.map_err(|error| format!("invalid regex pattern: {error}"))?;
            return Ok(Policy::Matches(MatchPolicy::new(pattern)));
        }
        let mut policy = VersionPolicy::default();
        policy.variant = Some(self.variant.clone());
        if !self.semver_constraint.is_empty() {
            let constraint = Constraint::parse(&self.semver_constraint);
            let constraint =
                constraint.map_err(|error| format!("parse semver constraint: {error}"))?;
            policy.constraint = Some(constraint);
        }
        if self.pre_releases {
            policy.pre_releases = PreReleases::Wanted {
                prefixes: self.pre_release_prefixes.clone(),
            };
        }
        Ok(Policy::Versions(policy))
    }
}

impl Case {
    fn repository(&self) -> Repository {
        let tags = self.tags.iter();
        Repository::new(
            tags.map(|listed| (listed.tag.clone(), listed.digest.as_deref().map(digest))),
        )
    }

    fn exists(&self, wanted: &Digest) -> bool {
        let tags = self.tags.iter().filter_map(|listed| listed.digest.as_ref());
        tags.chain(&self.digests)
            .any(|name| digest(name) == *wanted)
    }

    fn check(&self, repository: &Repository) -> Result<Vec<Version>, String> {
        if !self.source.tag.is_empty() {
            return Ok(self.follow(repository));
        }
        let policy = self.source.policy()?;
        let cursor = self.from.as_ref().map(|from| Cursor {
            tag: tag(&from.tag),
            digest: Some(digest(&from.digest)),
        });
        let versions = repository.check(&policy, cursor.as_ref());
        Ok(match &policy {
            Policy::Matches(_) if self.source.created_at_sort => self.by_creation(versions),
            _ => versions,
        })
    }

    fn follow(&self, repository: &Repository) -> Vec<Version> {
        let tag = tag(&self.source.tag);
        let cursor = self.from.as_ref().map(|from| digest(&from.digest));
        let followed = Follow::new(tag.clone(), cursor).at(repository.digest(&tag));
        let exists = followed
            .unknown()
            .is_some_and(|unknown| self.exists(unknown));
        followed.resolve(exists)
    }

    fn by_creation(&self, versions: Vec<Version>) -> Vec<Version> {
        let created = |version: Version| {
            let mut tags = self.tags.iter();
            let listed = tags
                .find(|listed| listed.tag == version.tag.as_str())
                .unwrap();
            let created = listed.created.as_deref();
            let created = created.map_or(Created::UNKNOWN, |text| Created::parse(text).unwrap());
            (version, created)
        };
        in_creation_order(versions.into_iter().map(created))
    }

    /// Writes versions as the vectors do.
    fn reported(&self, versions: &[Version]) -> Vec<Reported> {
        let names: BTreeMap<Digest, &String> = self
            .tags
            .iter()
            .filter_map(|listed| listed.digest.as_ref())
            .chain(&self.digests)
            .chain(self.from.as_ref().map(|from| &from.digest))
            .map(|name| (digest(name), name))
            .collect();
        let reported = |version: &Version| Reported {
            tag: version.tag.to_string(),
            digest: names[&version.digest].clone(),
        };
        versions.iter().map(reported).collect()
    }
}

#[test]
fn versions_are_the_go_resources() {
    for case in vectors::cases::<Case>("selection.json") {
        let name = &case.name;
        let repository = case.repository();
        let versions = match case.check(&repository) {
            Ok(versions) => case.reported(&versions),
            Err(error) => {
                assert_eq!(case.class, "error", "{name}: {error}");
                assert_eq!(Some(error), case.error, "{name}");
                continue;
            }
        };
        assert_eq!(versions, case.expect, "{name}");
        let Repository {
            asked,
            asked_in_doubt,
            ..
        } = &repository;
        let [asked, in_doubt] = [asked, asked_in_doubt].map(RefCell::borrow);
        assert!(
            asked.is_subset(&case.heads),
            "{name}: {asked:?} > {:?}",
            case.heads
        );
        match case.class.as_str() {
            "agree" => {}
            "upstream_nondeterministic" => assert!(case.upstream.contains(&versions), "{name}"),
            "bare_tag_missing" | "from_sort_artifact" | "created_tie_artifact" => {
                assert!(!case.upstream.contains(&versions), "{name}: no deviation");
            }
            "bare_below_cursor" => assert!(in_doubt.is_subset(&case.heads), "{name}"),
            other => panic!("{name} is in the class {other}"),
        }
    }
}
