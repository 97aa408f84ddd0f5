//! How many tags are selected in a second.
//!
//! ```sh
//! cargo bench -p regimg-select
//! ```

use std::collections::BTreeMap;

use divan::{Bencher, counter::ItemsCount};
use regimg_core::{Algorithm, Digest, Tag};
use regimg_select::{
    CapturePolicy, Constraint, MatchPolicy, Pattern, Policy, PreReleases, PushPolicy, Scheme,
    VersionPattern, VersionPolicy,
};

fn main() {
    let divan = divan::Divan::default().sample_count(20);
    divan.config_with_args().main();
}

/// How many tags a large repository has.
const TAGS: usize = 100_000;

/// Makes tags as repositories have them: versions, variants, pre-releases, hashes, dates.
fn tags() -> Vec<String> {
    let tag = |index: usize| {
        let (major, minor, patch) = (index / 10_000, index / 100 % 100, index % 100);
        match index % 8 {
            0 | 1 => format!("{major}.{minor}.{patch}"),
            2 => format!("v{major}.{minor}.{patch}-rc.{}", index % 3),
            3 => format!("{major}.{minor}.{patch}-alpine3.20"),
            4 => format!("sha-{:07x}", index * 0x9e37),
            5 => format!("2024{:04}.{minor}.1.{patch}", index % 1231),
            6 => format!("build-{major}.{minor}.{patch}-linux-amd64"),
            _ => format!("main-{index}"),
        }
    };
    (0..TAGS).map(tag).collect()
}

fn versions(change: impl FnOnce(&mut VersionPolicy)) -> Policy {
    let mut policy = VersionPolicy::default();
    change(&mut policy);
    Policy::Versions(policy)
}

fn matches(pattern: &str) -> Policy {
    let pattern = Pattern::parse(pattern).expect("a pattern");
    Policy::Matches(MatchPolicy::new(pattern))
}

/// Selects from all tags, from the list to the versions, with one digest in ten shared.
fn bench(bencher: Bencher<'_, '_>, policy: &Policy) {
    let tags = tags();
    let digests: BTreeMap<Tag, Digest> = policy
        .candidates(&tags)
        .tags()
        .enumerate()
        .map(|(index, tag)| {
            let image = (index - index % 10 / 9).to_string();
            (tag.clone(), Digest::of(Algorithm::Sha256, image.as_bytes()))
        })
        .collect();
    bencher.counter(ItemsCount::new(TAGS)).bench(|| {
        let resolved = policy.candidates(&tags).resolve(&digests);
        resolved.versions(&BTreeMap::new())
    });
}

#[divan::bench]
fn semver(bencher: Bencher<'_, '_>) {
    bench(bencher, &versions(|_| {}));
}

#[divan::bench]
fn semver_with_variant_and_pre_releases(bencher: Bencher<'_, '_>) {
    let policy = versions(|policy| {
        policy.variant = Some("alpine3.20".to_owned());
        policy.pre_releases = PreReleases::Wanted {
            prefixes: Vec::new(),
        };
    });
    bench(bencher, &policy);
}

#[divan::bench]
fn constraint(bencher: Bencher<'_, '_>) {
    let constraint = Constraint::parse(">=1.2 <3 !=2.5.x || ^4.1").expect("a constraint");
    bench(
        bencher,
        &versions(|policy| policy.constraint = Some(constraint)),
    );
}

/// As long as a constraint can be.
#[divan::bench]
fn constraint_of_32_alternatives(bencher: Bencher<'_, '_>) {
    let alternatives: Vec<_> = (10..42)
        .map(|major| format!(">={major}.1 <{major}.2"))
        .collect();
    let constraint = Constraint::parse(&alternatives.join("||")).expect("a constraint");
    bench(
        bencher,
        &versions(|policy| policy.constraint = Some(constraint)),
    );
}

#[divan::bench]
fn numeric_scheme(bencher: Bencher<'_, '_>) {
    bench(bencher, &versions(|policy| policy.scheme = Scheme::Numeric));
}

#[divan::bench]
fn regex(bencher: Bencher<'_, '_>) {
    bench(
        bencher,
        &matches(r"^build-\d+\.\d+\.\d+-linux-(amd|arm)64$"),
    );
}

#[divan::bench]
fn regex_that_matches_all(bencher: Bencher<'_, '_>) {
    bench(bencher, &matches(".*"));
}

/// What takes exponential time where matching goes back.
#[divan::bench]
fn regex_that_is_pathological(bencher: Bencher<'_, '_>) {
    bench(
        bencher,
        &matches(r"^(([a-z0-9.-]+)*)*(x+x+)+y$|(.*.*.*){10}=$|\pL{1000}"),
    );
}

#[divan::bench]
fn regex_with_a_version(bencher: Bencher<'_, '_>) {
    let pattern = VersionPattern::parse(r"^build-(?P<version>\d+\.\d+\.\d+)-").expect("a pattern");
    bench(bencher, &Policy::Captures(CapturePolicy::new(pattern)));
}

/// The time for each tag should not grow with their number.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn semver_of_so_many(bencher: Bencher<'_, '_>, count: usize) {
    let tags: Vec<_> = tags().into_iter().take(count).collect();
    let policy = versions(|_| {});
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| policy.candidates(&tags));
}

#[divan::bench]
fn aliases(bencher: Bencher<'_, '_>) {
    let tags = tags();
    let mut policy = PushPolicy::default();
    policy.version = "99.0.0".into();
    policy.bump_aliases = true;
    let plan = policy.plan().expect("a version");
    bencher.counter(ItemsCount::new(TAGS)).bench(|| {
        let mut plan = plan.clone();
        plan.see(&tags);
        plan.tags("")
    });
}

#[divan::bench]
fn patterns_are_read(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Pattern::parse(r"^build-\d+\.\d+\.\d+-linux-(amd|arm)64$"));
}
