//! Which image a version names.

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Image};
use serde_json::{Value, json};

use super::read;
use crate::driver;

/// Fetches a version and compares what is said of it everywhere.
#[track_caller]
fn check(registry: &Registry, image: &Image, repository: &str, version: &Value, tag: &str) {
    let name = |name: &str| format!("{}/{name}", registry.host());
    let request = json!({"source": {"repository": name(repository)}, "version": version});
    let directory = tempfile::tempdir().unwrap();
    let answer = driver::get(&request, directory.path()).answer();
    let digest = image.digest().to_string();
    let expected = json!({
        "version": {"tag": tag, "digest": digest},
        "metadata": [{"name": "repository", "value": name("app")}, {"name": "tag", "value": tag}],
    });
    assert_eq!(answer, expected, "{repository} {version}");
    for (file, content) in [
        ("tag", tag),
        ("digest", &digest),
        ("repository", &name("app")),
    ] {
        assert_eq!(
            read(directory.path().join(file)),
            content,
            "{repository} {version}"
        );
    }
    assert_eq!(read(directory.path().join("rootfs/text")), "wanted");
}

#[test]
fn a_version_may_lack_either_half_and_the_source_may_name_the_image() {
    let registry = Registry::start();
    let (wanted, other) = (Image::with_text("wanted"), Image::with_text("other"));
    registry.publish("app", "1.0", &wanted);
    registry.publish("app", "2.0", &other);
    let digest = wanted.digest().to_string();
    let (both, by_digest) = (
        json!({"tag": "1.0", "digest": digest}),
        json!({"digest": digest}),
    );
    let by_tag = json!({"tag": "1.0"});
    check(&registry, &wanted, "app", &both, "1.0");
    check(&registry, &wanted, "app", &by_digest, "");
    check(
        &registry,
        &wanted,
        "app",
        &json!({"tag": "", "digest": digest}),
        "",
    );
    check(&registry, &wanted, "app", &by_tag, "1.0");
    // The digest is what counts, wherever the tag has gone.
    check(
        &registry,
        &wanted,
        "app",
        &json!({"tag": "2.0", "digest": digest}),
        "2.0",
    );

    let pinned = format!("app@{digest}");
    check(&registry, &wanted, &pinned, &both, "1.0");
    check(&registry, &wanted, &pinned, &json!({}), "");
    check(&registry, &wanted, &pinned, &json!({"tag": "2.0"}), "2.0");
    let pinned = format!("app:1.0@{digest}");
    check(&registry, &wanted, &pinned, &both, "1.0");
    // A version that was found before the source named an image is still that version.
    let other = format!("app:2.0@{}", other.digest());
    check(&registry, &wanted, &other, &both, "1.0");
}

/// A tag alone leaves open what it points at, which only the registry knows.
#[test]
fn a_version_by_tag_alone_is_resolved_by_one_request() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("app", "1.0", &image);
    let repository = format!("{}/app", registry.host());
    let request = json!({
        "source": {"repository": repository},
        "params": {"skip_download": true},
        "version": {"tag": "1.0"},
    });
    let directory = tempfile::tempdir().unwrap();
    let answer = driver::get(&request, directory.path()).answer();
    assert_eq!(answer["version"]["digest"], image.digest().to_string());
    assert_eq!(
        read(directory.path().join("digest")),
        image.digest().to_string()
    );
    let transcript = registry.transcript();
    assert_eq!(
        transcript,
        "GET /v2/ -> 200\nHEAD /v2/app/manifests/1.0 -> 200\n"
    );
}

#[test]
fn a_tag_that_does_not_exist_is_an_error_that_says_so() {
    let registry = Registry::start();
    registry.publish("app", "1.0", &Image::with_text("one"));
    let repository = format!("{}/app", registry.host());
    let request = json!({"source": {"repository": repository}, "version": {"tag": "2.0"}});
    let directory = tempfile::tempdir().unwrap();
    let message = driver::get(&request, directory.path()).failure();
    assert_eq!(
        message,
        format!("download failed: version.tag: {repository} has no tag 2.0")
    );
}

#[test]
fn what_is_no_version_is_refused_before_anything_is_sent() {
    let registry = Registry::start();
    let cases = [
        (json!({"tag": "a b", "digest": ""}), "version.tag"),
        (json!({"tag": "a", "digest": "sha256:12"}), "version.digest"),
        (json!({}), "version: names neither a digest nor a tag"),
    ];
    for (version, expected) in cases {
        let source = json!({"repository": format!("{}/app", registry.host())});
        let request = json!({"source": source, "version": version});
        let directory = tempfile::tempdir().unwrap();
        let message = driver::get(&request, directory.path()).failure();
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(registry.transcript(), "");
}

#[test]
fn dockers_first_schema_is_refused_clearly() {
    let documents = [
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            r#"{"schemaVersion":1,"name":"app","fsLayers":[],"history":[]}"#,
        ),
        ("application/json", r#"{"schemaVersion":1,"fsLayers":[]}"#),
    ];
    for (media_type, body) in documents {
        for format in ["rootfs", "oci", "oci-layout"] {
            let registry = Registry::start();
            let manifest = regimg_tests::Blob::new(media_type, body);
            registry.put_manifest("app", &manifest);
            let target = format!("/v2/app/manifests/{}", manifest.digest());
            let header = Fault::answer().header("content-type", media_type);
            registry.fault(Match::get(&target), header);
            let request = json!({
                "source": {"repository": format!("{}/app", registry.host())},
                "params": {"format": format},
                "version": {"tag": "1", "digest": manifest.digest().to_string()},
            });
            let directory = tempfile::tempdir().unwrap();
            let message = driver::get(&request, directory.path()).failure();
            assert!(
                message.contains("schema 1 is obsolete"),
                "{format}: {message}"
            );
        }
    }
}
