//! Listings that arrive in pages, and what may be asked for before the last one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use regimg_core::{Digest, Tag};
use regimg_select::{
    CapturePolicy, Constraint, Cursor, MatchPolicy, Pattern, Policy, PreReleases, VersionPattern,
    VersionPolicy,
};

use crate::registry::{digest, tag};

fn cursor(text: &str, name: &str) -> Cursor {
    Cursor {
        tag: tag(text),
        digest: Some(digest(name)),
    }
}

fn texts<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Vec<&'a str> {
    tags.into_iter().map(Tag::as_str).collect()
}

#[test]
fn only_what_a_cursor_may_leave_out_has_to_wait() {
    let policy = Policy::Versions(VersionPolicy::default());
    let mut listing = policy.listing(Some(&cursor("1.2", "a")));
    assert_eq!(
        texts(listing.add(["1.3", "1.1", "x", "latest"])),
        ["1.3", "latest"]
    );
    assert_eq!(
        texts(listing.add(["1.3", "1.2.0", "1.2", "latest"])),
        ["1.2"]
    );
    assert_eq!(texts(listing.add(["2", "1.2"])), ["2"]);
    let candidates = listing.finish();
    assert_eq!(
        texts(candidates.tags()),
        ["1.3", "1.1", "1.2.0", "1.2", "2", "latest"]
    );
    // It was not moved: what waited is not asked for. It was: all else is.
    let cursor = cursor("1.2", "a");
    let same = candidates.clone().after(&cursor, Some(digest("a")));
    assert_eq!(texts(same.tags()), ["1.3", "2", "latest"]);
    let moved = candidates.after(&cursor, Some(digest("b")));
    assert_eq!(texts(moved.tags()), ["1.3", "1.1", "1.2.0", "2", "latest"]);
}

#[test]
fn nothing_waits_for_a_cursor_that_leaves_nothing_out() {
    let mut captures = CapturePolicy::new(VersionPattern::parse("(?P<version>.*)").unwrap());
    captures.exclude = Some(Pattern::parse("^1.1$").unwrap());
    let matches = MatchPolicy::new(Pattern::parse("").unwrap());
    let versions = Policy::Versions(VersionPolicy::default());
    let unknown = Cursor {
        tag: tag("1.2"),
        digest: None,
    };
    let cases = [
        (&versions, unknown),
        (&versions, cursor("latest", "a")),
        (&versions, cursor("1.2-rc.1", "a")),
        (&Policy::Captures(captures), cursor("1.1", "a")),
        (&Policy::Matches(matches), cursor("1.2", "a")),
    ];
    for (policy, cursor) in cases {
        let mut listing = policy.listing(Some(&cursor));
        assert_eq!(
            texts(listing.add(["1.0", "1.3"])),
            ["1.0", "1.3"],
            "{policy:?}"
        );
    }
}

#[test]
fn what_no_registry_can_have_is_told_apart() {
    let policy = Policy::Versions(VersionPolicy::default());
    let long = format!("1.0.0-rc.{}", "1".repeat(120));
    let tags = ["1.0.0+b", "1.0.0+b", "x:y", "1.0.1", long.as_str()];
    let candidates = policy.candidates(tags);
    assert_eq!(texts(candidates.tags()), ["1.0.1"]);
    assert_eq!(candidates.illegal_tags(), ["1.0.0+b"]);
}

/// All kinds of policies.
fn policies() -> impl Strategy<Value = Policy> {
    let versions =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(variant, pre, only)| {
            let mut policy = VersionPolicy::default();
            policy.variant = variant.then(|| "a".to_owned());
            if pre {
                policy.pre_releases = PreReleases::Wanted {
                    prefixes: Vec::new(),
                };
            }
            policy.constraint = only.then(|| Constraint::parse("<2").unwrap());
            Policy::Versions(policy)
        });
    prop_oneof![
        3 => versions,
        1 => Just(Policy::Captures(CapturePolicy::new(
            VersionPattern::parse(r"^v?(?P<version>[\d.]+)").unwrap(),
        ))),
        1 => Just(Policy::Matches(MatchPolicy::new(Pattern::parse("1").unwrap()))),
    ]
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    let tag = "latest|a|(v?[0-2](\\.[0-2]){0,2}(-rc\\.[12])?(-a)?)";
    prop::collection::vec(tag, 0..20)
}

/// Says what each tag points at: one of few images, or nothing.
fn images(seed: u8) -> impl Fn(&Tag) -> Option<Digest> {
    move |tag| {
        let sum = tag
            .as_str()
            .bytes()
            .fold(seed, |sum, byte| sum.wrapping_mul(31) ^ byte);
        (!sum.is_multiple_of(9)).then(|| digest(&(sum % 6).to_string()))
    }
}

proptest! {
    #[test]
    fn pages_make_no_difference_and_certain_is_needed(
        policy in policies(),
        tags in tags(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        from in any::<prop::sample::Index>(),
        seed: u8,
        moved: bool,
    ) {
        let image = images(seed);
        let cursor = (!tags.is_empty()).then(|| {
            let tag = tag(from.get::<String>(&tags));
            let digest = if moved { Some(digest("other")) } else { image(&tag) };
            Cursor { tag, digest }
        });
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(tags.len() + 1)).collect();
        cuts.extend([0, tags.len()]);
        cuts.sort_unstable();
        let mut listing = policy.listing(cursor.as_ref());
        let mut certain = Vec::new();
        for cut in cuts.windows(2) {
            certain.extend(listing.add(&tags[cut[0]..cut[1]]).into_iter().cloned());
        }
        let finish = |candidates: regimg_select::Candidates| {
            let Some(cursor) = cursor.as_ref().filter(|cursor| candidates.need(cursor)) else {
                return candidates;
            };
            candidates.after(cursor, image(&cursor.tag))
        };
        let paged = finish(listing.finish());
        let whole = finish(policy.candidates(&tags));

        // The same tags are asked for, and what was certain is among them.
        prop_assert!(paged.tags().eq(whole.tags()));
        let mut needed: BTreeSet<_> = whole.tags().cloned().collect();
        needed.extend(cursor.iter().map(|cursor| cursor.tag.clone()));
        let distinct: BTreeSet<_> = certain.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), certain.len());
        prop_assert!(distinct.is_subset(&needed), "{:?} > {:?}", distinct, needed);
        if cursor.is_none() {
            prop_assert_eq!(&distinct, &needed);
        }

        // The same versions are found; nobody minds if more is known than was asked for.
        let all = tags.iter().map(|text| tag(text));
        let all: BTreeMap<_, _> = all.filter_map(|tag| Some((tag.clone(), image(&tag)?))).collect();
        let asked = |tags: Vec<Tag>| -> BTreeMap<_, _> {
            all.clone().into_iter().filter(|(tag, _)| tags.contains(tag)).collect()
        };
        let digests = asked(whole.tags().cloned().collect());
        let whole = whole.resolve(&digests);
        let digests = asked(whole.tags().cloned().collect());
        prop_assert_eq!(whole.versions(&digests), paged.resolve(&all).versions(&all));
    }

    #[test]
    fn the_listed_order_decides_only_among_aliases(policy in policies(), tags in tags(), seed: u8) {
        if let Policy::Matches(_) = policy {
            return Ok(());
        }
        let image = images(seed);
        let digests = |tags: &[String]| -> BTreeMap<Tag, Digest> {
            let tags = tags.iter().map(|text| tag(text));
            tags.filter_map(|tag| Some((tag.clone(), image(&tag)?))).collect()
        };
        let digests = digests(&tags);
        let select = |tags: &[String]| {
            policy.candidates(tags).resolve(&digests).versions(&digests)
        };
        let mut reversed = tags.clone();
        reversed.reverse();
        let images = |versions: Vec<regimg_select::Version>| -> BTreeSet<String> {
            versions.into_iter().map(|version| version.digest.to_string()).collect()
        };
        prop_assert_eq!(images(select(&tags)), images(select(&reversed)));
    }
}

#[test]
fn the_search_for_an_alias_may_stop_when_it_is_found() {
    let policy = Policy::Versions(VersionPolicy::default());
    let cursor = cursor("2", "two");
    let candidates = policy.candidates(["1", "1.5", "2", "0", "latest"]);
    let candidates = candidates.after(&cursor, Some(digest("two")));
    let digests = BTreeMap::from([(tag("latest"), digest("one"))]);
    let resolved = candidates.resolve(&digests);
    // The highest version is the likeliest.
    assert_eq!(texts(resolved.tags()), ["1.5", "1", "0"]);
    assert!(!resolved.is_settled_by(&digest("two")));
    assert!(resolved.is_settled_by(&digest("one")));
    let found = BTreeMap::from([(tag("1"), digest("one"))]);
    let versions = resolved.clone().versions(&found);
    assert_eq!(texts(versions.iter().map(|version| &version.tag)), ["2"]);
    let versions = resolved.versions(&BTreeMap::new());
    assert_eq!(
        texts(versions.iter().map(|version| &version.tag)),
        ["2", "latest"]
    );
}

#[test]
fn a_cursor_that_is_told_twice_is_told_anew() {
    let policy = Policy::Versions(VersionPolicy::default());
    let cursor = cursor("1", "a");
    let candidates = policy.candidates(["2", "1"]);
    let candidates = candidates.after(&cursor, Some(digest("b")));
    let candidates = candidates.after(&cursor, None);
    assert_eq!(texts(candidates.tags()), ["2"]);
    assert_eq!(
        candidates
            .resolve(&BTreeMap::new())
            .versions(&BTreeMap::new()),
        []
    );
}
