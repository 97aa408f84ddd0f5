//! What goes beyond the Go resource, and that all of it is off unless it is asked for.

use proptest::prelude::*;
use regimg_select::{
    CapturePolicy, Constraint, MatchPolicy, NumericVersion, Pattern, Policy, PreReleases, Scheme,
    VersionPattern, VersionPolicy,
};

use crate::registry::{Repository, digest};

/// Selects among tags that all point at different images.
#[track_caller]
fn check(policy: &Policy, tags: &[&str], expected: &[&str]) {
    let tags = tags
        .iter()
        .map(|tag| ((*tag).to_owned(), Some(digest(tag))));
    let versions = Repository::new(tags).check(policy, None);
    let found: Vec<_> = versions
        .iter()
        .map(|version| version.tag.as_str())
        .collect();
    assert_eq!(found, expected);
}

fn versions(change: impl FnOnce(&mut VersionPolicy)) -> Policy {
    let mut policy = VersionPolicy::default();
    change(&mut policy);
    Policy::Versions(policy)
}

fn captures(pattern: &str, change: impl FnOnce(&mut CapturePolicy)) -> Policy {
    let mut policy = CapturePolicy::new(VersionPattern::parse(pattern).unwrap());
    change(&mut policy);
    Policy::Captures(policy)
}

const DATES: [&str; 6] = [
    "2024.01.05",
    "2024.01.05.2",
    "2024-1-4",
    "20231231",
    "1.2.3.4",
    "2.0",
];

#[test]
fn numbers_and_dates_are_a_scheme() {
    check(
        &versions(|_| {}),
        &DATES,
        &["2.0", "2024.01.05", "20231231"],
    );
    let numeric = versions(|policy| policy.scheme = Scheme::Numeric);
    let expected = [
        "1.2.3.4",
        "2.0",
        "2024-1-4",
        "2024.01.05",
        "2024.01.05.2",
        "20231231",
    ];
    check(&numeric, &DATES, &expected);
    check(
        &numeric,
        &["1.10.0.2", "1.9.0.10", "1.9.0.9", "v1.9.1_1"],
        &["1.9.0.9", "1.9.0.10", "v1.9.1_1", "1.10.0.2"],
    );
}

#[test]
fn variants_pre_releases_and_constraints_hold_in_both_schemes() {
    let policy = versions(|policy| {
        policy.scheme = Scheme::Numeric;
        policy.variant = Some("alpine".to_owned());
        policy.pre_releases = PreReleases::Wanted {
            prefixes: Vec::new(),
        };
        policy.constraint = Some(Constraint::parse(">=1.2.3-0 <1.4").unwrap());
    });
    let tags = [
        "1.2.3.9-alpine",
        "1.2.3.10-rc.1-alpine",
        "1.2.3.10",
        "1.3.0.0-alpine",
        "1.4.0.1-alpine",
        "alpine",
        "1.2.2.99-alpine",
    ];
    check(
        &policy,
        &tags,
        &["1.2.3.9-alpine", "1.2.3.10-rc.1-alpine", "1.3.0.0-alpine"],
    );
}

#[test]
fn a_cap_keeps_dates_from_being_versions() {
    let tags = ["1", "1.2", "20240105", "2024", "v20231231", "20240105.1"];
    let all = ["1", "1.2", "2024", "v20231231", "20240105", "20240105.1"];
    check(&versions(|_| {}), &tags, &all);
    let capped = |max| versions(move |policy| policy.max_integer = Some(max));
    check(&capped(2024), &tags, &["1", "1.2", "2024", "20240105.1"]);
    check(&capped(2023), &tags, &["1", "1.2", "20240105.1"]);
    check(&capped(0), &["0", "1", "1.0"], &["0", "1.0"]);
    let numeric = versions(|policy| {
        policy.max_integer = Some(9);
        policy.scheme = Scheme::Numeric;
    });
    check(&numeric, &tags, &["1", "1.2", "20240105.1"]);
}

#[test]
fn excluded_tags_are_as_if_they_were_not_listed() {
    let exclude = || Some(Pattern::parse(r"^2\.7\.0$|latest|-bad$").unwrap());
    let tags = ["2.7.0", "latest", "1.0", "2.7.0-rc.1", "1.1-bad"];
    check(
        &versions(|policy| policy.exclude = exclude()),
        &tags,
        &["1.0"],
    );
    let mut policy = MatchPolicy::new(Pattern::parse("").unwrap());
    check(&Policy::Matches(policy.clone()), &tags, &tags);
    policy.exclude = exclude();
    check(&Policy::Matches(policy), &tags, &["1.0", "2.7.0-rc.1"]);
    let policy = captures("^(?P<version>[0-9.]+)", |policy| policy.exclude = exclude());
    check(&policy, &tags, &["1.0", "2.7.0-rc.1"]);
}

#[test]
fn a_group_named_version_gives_the_order() {
    let pattern = r"^build-(?P<version>\d+\.\d+\.\d+)-linux$";
    let tags = [
        "build-1.10.0-linux",
        "build-1.9.0-linux",
        "build-1.9-linux",
        "build-1.9.1",
        "1.0",
    ];
    check(
        &captures(pattern, |_| {}),
        &tags,
        &["build-1.9.0-linux", "build-1.10.0-linux"],
    );
    // One of several groups; what it captures may be no version.
    let pattern = "^(?:jdk(?P<version>.*)|(?P<version>.*)-jre)$";
    check(
        &captures(pattern, |_| {}),
        &["jdk21.0.2", "17-jre", "jdkx", "21"],
        &["17-jre", "jdk21.0.2"],
    );
    let pattern = r"^nightly-(?<version>[\d-]+)$";
    let tags = ["nightly-2024-01-05", "nightly-2023-12-31", "nightly-7"];
    let numeric = captures(pattern, |policy| {
        policy.scheme = Scheme::Numeric;
        policy.max_integer = Some(6);
    });
    check(
        &numeric,
        &tags,
        &["nightly-2023-12-31", "nightly-2024-01-05"],
    );
}

#[test]
fn versions_of_numbers_are_read_as_a_whole() {
    for text in [
        "1",
        "v1.2.3.4.5",
        "2024-01-05",
        "1_2.3-4",
        "1.2.3.4-rc.1",
        "0",
        "1-a-b",
    ] {
        assert_eq!(NumericVersion::parse(text).unwrap().to_string(), text);
    }
    let long = "1.".repeat(128) + "1";
    for text in [
        "", "v", "1.", "1..2", "a1", "1.2-", "1-rc..1", "1 ", "1+b", "V1", "1.-2", &long,
    ] {
        assert!(NumericVersion::parse(text).is_err(), "{text}");
    }
    assert!(NumericVersion::parse("18446744073709551616").is_err());
    let error = NumericVersion::parse("1.x").unwrap_err().to_string();
    assert_eq!(error, r#""1.x" is not a version of numbers"#);
}

fn numeric() -> impl Strategy<Value = NumericVersion> {
    "v?[0-3]{1,2}([._-][0-3]){0,4}(-[a-b]([0-1.][0-9a]){0,1})?"
        .prop_map(|text| NumericVersion::parse(&text).unwrap())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        if let Ok(version) = NumericVersion::parse(&text) {
            prop_assert_eq!(version.as_str(), text);
            prop_assert!(!version.numbers().is_empty());
        }
    }

    #[test]
    fn the_order_is_total_and_transitive(versions in prop::collection::vec(numeric(), 3)) {
        let [a, b, c] = [&versions[0], &versions[1], &versions[2]];
        prop_assert_eq!(a.cmp_precedence(b), b.cmp_precedence(a).reverse());
        let [ab, bc, ac] = [a.cmp_precedence(b), b.cmp_precedence(c), a.cmp_precedence(c)];
        if ab == bc {
            prop_assert_eq!(ac, ab);
        }
        if ab.is_eq() {
            prop_assert_eq!(ac, bc);
        }
    }
}
