//! Tags to push.

use proptest::prelude::*;
use regimg_core::Tag;
use regimg_select::{PushError, PushErrorKind as Kind, PushPlan, PushPolicy, PushTags};
use serde::Deserialize;

use crate::vectors::{self, chain};

#[derive(Deserialize)]
struct Case {
    name: String,
    remote_tags: Vec<String>,
    /// The code with which the registry refuses to list its tags.
    list_error: Option<String>,
    #[serde(default)]
    variant: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    tag_prefix: String,
    #[serde(default)]
    bump_aliases: bool,
    additional_tags_content: Option<String>,
    #[serde(default)]
    expect: Vec<String>,
    error: Option<String>,
}

impl Case {
    fn policy(&self) -> PushPolicy {
        let mut policy = PushPolicy::default();
        policy.tag.clone_from(&self.tag);
        policy.version.clone_from(&self.version);
        policy.variant.clone_from(&self.variant);
        policy.tag_prefix.clone_from(&self.tag_prefix);
        policy.bump_aliases = self.bump_aliases;
        policy
    }

    /// Lists the repository's tags, as a program has to.
    fn list(&self) -> Result<&[String], &'static str> {
        match self.list_error.as_deref() {
            None => Ok(&self.remote_tags),
            Some("NAME_UNKNOWN" | "NOT_FOUND") => Ok(&[]),
            Some(_) => Err("determine aliases: list repository tags: transport error"),
        }
    }

    fn tags(&self) -> Result<PushTags, String> {
        let text = |error: PushError| chain(&error);
        let mut plan = self.policy().plan().map_err(text)?;
        if plan.needs_remote_tags() {
            plan.see(self.list()?);
        }
        let additional = self.additional_tags_content.as_deref().unwrap_or_default();
        plan.tags(additional).map_err(text)
    }
}

fn listed(tags: &PushTags) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

#[test]
fn tags_are_the_go_resources() {
    for case in vectors::cases::<Case>("aliases.json") {
        let name = &case.name;
        let illegal = case.expect.iter().find(|tag| Tag::parse(tag).is_err());
        match (case.tags(), illegal) {
            // A deliberate deviation: Go leaves it to the registry to refuse them.
            (Err(error), Some(tag)) => {
                assert!(error.starts_with("illegal tag"), "{name}: {error}");
                assert!(error.contains(tag), "{name}: {error}");
            }
            (Err(error), None) => assert_eq!(Some(error), case.error, "{name}"),
            (Ok(tags), _) => {
                assert_eq!(case.error, None, "{name}");
                assert_eq!(listed(&tags), case.expect, "{name}");
                assert_eq!(tags.first().as_str(), case.expect[0], "{name}");
                assert_eq!(tags.to_string(), case.expect.join(" "), "{name}");
            }
        }
    }
}

fn plan(version: &str) -> PushPlan {
    let mut policy = PushPolicy::default();
    policy.version = version.into();
    policy.bump_aliases = true;
    policy.plan().unwrap()
}

#[test]
fn the_repository_is_asked_only_while_it_matters() {
    for version in ["1.0.0-rc.1", ""] {
        assert!(!plan(version).needs_remote_tags(), "{version}");
    }
    let mut plan = plan("1.4.0");
    for (tag, needs) in [
        ("3", true),
        ("1.5", true),
        ("1.4.1-rc.1", true),
        ("1.4.1", false),
    ] {
        plan.see([tag]);
        assert_eq!(plan.needs_remote_tags(), needs, "{tag}");
    }
    assert_eq!(listed(&plan.tags("").unwrap()), ["1.4.0"]);
}

#[test]
fn aliases_are_pushed_last_and_nothing_twice() {
    let mut policy = PushPolicy::default();
    policy.tag = "stable".to_owned();
    policy.version = "v1.2".to_owned();
    policy.bump_aliases = true;
    let tags = policy.plan().unwrap().tags("1.2 b 1.2.0 stable b").unwrap();
    let reported = [
        "stable", "1.2.0", "latest", "1", "1.2", "1.2", "b", "1.2.0", "stable", "b",
    ];
    assert_eq!(listed(&tags), reported);
    let pushed: Vec<_> = tags.in_push_order().map(Tag::as_str).collect();
    assert_eq!(pushed, ["1.2.0", "stable", "1.2", "b", "latest", "1"]);
}

#[test]
fn listed_tags_come_last_without_a_prefix_and_before_aliases_move() {
    let mut policy = PushPolicy::default();
    policy.version = "1.2.3".to_owned();
    policy.bump_aliases = true;
    policy.tag_prefix = "p-".to_owned();
    policy.tags = ["nightly", "a_b", "1.2"].map(str::to_owned).to_vec();
    let tags = policy.plan().unwrap().tags("x").unwrap();
    let reported = [
        "1.2.3", "latest", "1", "1.2", "p-x", "nightly", "a_b", "1.2",
    ];
    assert_eq!(listed(&tags), reported);
    let pushed: Vec<_> = tags.in_push_order().map(Tag::as_str).collect();
    let order = ["1.2.3", "p-x", "nightly", "a_b", "1.2", "latest", "1"];
    assert_eq!(pushed, order);
    let mut policy = PushPolicy::default();
    policy.tags = vec!["a b".to_owned()];
    let error = policy.plan().unwrap().tags("").unwrap_err();
    assert_eq!(error.kind(), Kind::IllegalTag);
}

#[test]
fn dates_lose_their_zeros_and_somebody_can_say_so() {
    let check = |version: &str, expected: Option<&str>| {
        assert_eq!(plan(version).rewritten().as_deref(), expected, "{version}");
    };
    check("2024.01.05", Some("2024.1.5"));
    check("v1.02-rc.1", Some("1.2.0-rc.1"));
    check("v1.2", None);
    check("1.0.0-0a.b+01", None);
    check("0.0.0", None);
    check("", None);
}

#[test]
fn what_is_wrong_is_told_by_kind() {
    let check = |version: &str, prefix: &str, additional: &str, kind: Kind| {
        let mut policy = PushPolicy::default();
        policy.version = version.into();
        policy.tag_prefix = prefix.into();
        let tags = policy.plan().and_then(|plan| plan.tags(additional));
        assert_eq!(tags.unwrap_err().kind(), kind, "{version:?} {additional:?}");
    };
    check("1.2.3.4", "", "", Kind::InvalidVersion);
    check("1.2.3-01", "", "", Kind::Version);
    check("1.2.3", "a-", " \n", Kind::PrefixAlone);
    check("", "", "", Kind::NoTag);
    check("1.2.3+b", "", "", Kind::IllegalTag);
    check("", "", "a:b", Kind::IllegalTag);
    check("", "-", "a", Kind::IllegalTag);
    check("", "", &"a".repeat(129), Kind::IllegalTag);
}

proptest! {
    #[test]
    fn pages_and_their_order_do_not_matter(
        version in "[0-2]\\.[0-2]\\.[0-2]",
        mut remote in prop::collection::vec("[0-3](\\.[0-3]){0,2}(-a)?", 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut whole = plan(&version);
        whole.see(&remote);
        let mut paged = plan(&version);
        remote.reverse();
        let (first, second) = remote.split_at(cut.index(remote.len() + 1));
        paged.see(first);
        if paged.needs_remote_tags() {
            paged.see(second);
        }
        prop_assert_eq!(whole.tags("").unwrap(), paged.tags("").unwrap());
    }
}
