//! Picking an image from an index.

use proptest::prelude::*;
use regimg_core::{Algorithm, Descriptor, Digest, Index, MediaType, Platform};

/// Makes an index of `os/architecture[/variant]` entries, their sizes their
/// positions; an empty text is an entry without a platform, and
/// `index:` and `text:` before it change the media type.
fn index(entries: &[&str]) -> Index {
    let entry = |(position, text): (usize, &&str)| {
        let (media_type, platform) = match text.split_once(':') {
            Some(("index", platform)) => (MediaType::OCI_INDEX, platform),
            Some((_, platform)) => (MediaType::new("text/plain"), platform),
            None => (MediaType::OCI_MANIFEST, *text),
        };
        let digest = Digest::of(Algorithm::Sha256, b"");
        let mut entry = Descriptor::new(media_type, digest, position as u64);
        entry.platform = platform
            .split_once('/')
            .map(|(os, rest)| Platform::from_parts(os, rest));
        entry
    };
    Index::new(entries.iter().enumerate().map(entry).collect())
}

#[track_caller]
fn check(entries: &[&str], wanted: &str, want: &[u64]) {
    let index = index(entries);
    let wanted = Platform::parse(wanted).unwrap();
    let candidates = index.candidates(&wanted);
    let got: Vec<_> = candidates.iter().map(|entry| entry.size).collect();
    assert_eq!(got, want);
    assert_eq!(index.select(&wanted).ok(), candidates.first().copied());
}

#[test]
fn the_nearest_variant_comes_first() {
    let arm = [
        "linux/arm/v5",
        "linux/arm/v7",
        "linux/arm64/v8",
        "linux/arm/v6",
        "linux/arm/v8",
    ];
    check(&arm, "linux/arm", &[1, 3, 0, 4]);
    check(&arm, "linux/arm/v7", &[1, 3, 0]);
    check(&arm, "linux/arm/v6", &[3, 0]);
    check(&arm, "linux/arm/v5", &[0]);
    check(&arm, "linux/arm/v8", &[4, 1, 3, 0]);
    check(&arm, "linux/arm64", &[2]);
    check(&arm, "arm64/v8", &[2]);
    check(&arm, "linux/amd64", &[]);

    let amd = [
        "linux/amd64/v4",
        "linux/amd64/odd",
        "linux/amd64/v3",
        "linux/amd64",
        "linux/amd64/v1",
    ];
    check(&amd, "linux/amd64", &[3, 4, 2, 0, 1]);
    check(&amd, "linux/amd64/v3", &[2, 3, 4]);
    check(&amd, "linux/amd64/v2", &[3, 4]);
    check(&amd, "linux/amd64/odd", &[1]);
}

#[test]
fn an_image_without_a_platform_is_for_linux_on_amd64() {
    check(&[""], "linux/amd64", &[0]);
    check(&[""], "linux/amd64/v3", &[0]);
    check(&[""], "linux/arm64", &[]);
    check(&["", "linux/amd64"], "linux/amd64", &[1, 0]);
}

#[test]
fn an_index_without_a_platform_may_hold_every_image() {
    check(&["index:", "linux/arm64"], "linux/arm64", &[1, 0]);
    check(&["index:", ""], "linux/arm64", &[0]);
    check(&["index:linux/amd64"], "linux/arm64", &[]);
}

#[test]
fn attestations_and_other_things_are_never_picked() {
    check(&["unknown/unknown", "linux/amd64"], "linux/amd64", &[1]);
    check(&["unknown/unknown"], "unknown/unknown", &[]);
    check(&["text:linux/amd64"], "linux/amd64", &[]);
    check(&["text:"], "linux/amd64", &[]);

    let mut noted = index(&["linux/amd64"]);
    let kind = ("vnd.docker.reference.type", "attestation-manifest");
    noted.manifests[0]
        .annotations
        .insert(kind.0.to_owned(), kind.1.to_owned());
    assert!(noted.manifests[0].is_attestation());
    assert!(noted.select(&Platform::default()).is_err());

    let mut signature = index(&[""]);
    signature.manifests[0].artifact_type = Some("application/vnd.example.signature".to_owned());
    assert!(signature.select(&Platform::default()).is_err());
    signature.manifests[0].artifact_type = Some(MediaType::OCI_CONFIG.to_string());
    assert!(signature.select(&Platform::default()).is_ok());
}

#[track_caller]
fn check_error(entries: &[&str], wanted: &str, it: &str) {
    let error = index(entries)
        .select(&Platform::parse(wanted).unwrap())
        .unwrap_err();
    let want = format!("no image for {wanted} in the index; it {it}");
    assert_eq!(error.to_string(), want);
}

#[test]
fn a_missing_platform_is_answered_with_those_there_are() {
    let usual = ["linux/amd64", "unknown/unknown", "linux/arm64/v8"];
    check_error(&usual, "linux/s390x", "has linux/amd64, linux/arm64/v8");
    check_error(&usual, "linux/amd64/odd", "has linux/amd64, linux/arm64/v8");
    check_error(&[], "linux/amd64", "is empty");
    check_error(&[""], "linux/s390x", "names no platform");
    check_error(&["unknown/unknown"], "linux/amd64", "names no platform");
    let windows = ["windows/amd64", "windows/amd64", "linux/amd64"];
    check_error(&windows, "linux/arm", "has windows/amd64, linux/amd64");

    let escape = ["linux/a\x1b[31m"];
    check_error(&escape, "linux/arm", "has linux/a\u{fffd}[31m");

    let many: Vec<_> = (0..40).map(|n| format!("linux/arch{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let shown = format!("has {} and 8 more", many[..32].join(", "));
    check_error(&many, "linux/arm", &shown);

    let error = index(&usual)
        .select(&Platform::from_parts("linux", "s390x"))
        .unwrap_err();
    assert_eq!(error.wanted().architecture, "s390x");
    assert_eq!(error.available().len(), 2);
}

#[test]
fn an_index_is_read_leniently() {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let entry = format!(
        r#"{{"digest": "{digest}", "size": 1, "platform": null, "urls": null, "x": {{}}}}"#
    );
    let json = format!(r#"{{"manifests": [{entry}], "annotations": null, "subject": null}}"#);
    let index: Index = serde_json::from_str(&json).unwrap();
    let entry = index.select(&Platform::default()).unwrap();
    assert!(entry.media_type.is_empty());
    assert_eq!(entry.digest, digest);
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let text =
        "((|index:|text:)(linux|windows|unknown)/(amd64|arm|arm64|unknown)(|/v[5-9](|[.][0-6]))|)";
    prop::collection::vec(text, 0..9)
}

proptest! {
    #[test]
    fn what_is_picked_serves(entries in entries(), wanted in "linux/(amd64|arm|arm64)(|/v[5-9])") {
        let entries: Vec<_> = entries.iter().map(String::as_str).collect();
        let (index, wanted) = (index(&entries), Platform::parse(&wanted).unwrap());
        let candidates = index.candidates(&wanted);
        for entry in &candidates {
            prop_assert!(!entry.is_attestation() && entry.media_type != "text/plain");
            let stated = entry.platform.as_ref();
            prop_assert!(stated.is_none_or(|platform| wanted.is_satisfied_by(platform)));
        }
        let serving = index.images().filter(|entry| {
            entry.platform.as_ref().is_some_and(|platform| wanted.is_satisfied_by(platform))
        });
        let stated = candidates.iter().filter(|entry| entry.platform.is_some());
        prop_assert_eq!(serving.count(), stated.count());
        let exact = index.images().find(|entry| {
            entry.platform.as_ref().is_some_and(|it| it.normalized() == wanted.normalized())
        });
        if let Some(exact) = exact {
            prop_assert_eq!(index.select(&wanted).unwrap(), exact);
        }
    }
}
