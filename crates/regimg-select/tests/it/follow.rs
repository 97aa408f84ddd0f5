//! One tag and its cursor.

use regimg_core::{Algorithm, Digest, Tag};
use regimg_select::Follow;

fn digest(name: &str) -> Digest {
    Digest::of(Algorithm::Sha256, name.as_bytes())
}

/// Follows a tag; `existing` are the digests that the registry still has.
#[track_caller]
fn check(
    cursor: Option<&str>,
    current: Option<&str>,
    existing: &[&str],
    expected: &[&str],
    questions: usize,
) {
    let tag = Tag::parse("stable").unwrap();
    let followed = Follow::new(tag.clone(), cursor.map(digest)).at(current.map(digest));
    let exists = match followed.unknown() {
        Some(unknown) => existing.iter().any(|name| digest(name) == *unknown),
        None => false,
    };
    assert_eq!(usize::from(followed.unknown().is_some()), questions);
    let versions = followed.resolve(exists);
    assert!(versions.iter().all(|version| version.tag == tag));
    let digests: Vec<_> = versions.into_iter().map(|version| version.digest).collect();
    assert_eq!(
        digests,
        expected.iter().map(|name| digest(name)).collect::<Vec<_>>()
    );
}

#[test]
fn the_cursor_comes_first_while_it_exists() {
    check(None, Some("a"), &["a"], &["a"], 0);
    check(Some("a"), Some("a"), &["a"], &["a"], 0);
    check(Some("a"), Some("b"), &["a", "b"], &["a", "b"], 1);
    check(Some("a"), Some("b"), &["b"], &["b"], 1);
}

#[test]
fn a_tag_that_is_gone_has_no_versions_and_costs_no_question() {
    check(None, None, &[], &[], 0);
    check(Some("a"), None, &["a"], &[], 0);
}
