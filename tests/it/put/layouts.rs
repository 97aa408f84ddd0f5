//! `out` of OCI layouts: what went in is what comes out.

use std::fs;
use std::path::Path;

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Blob, Compression, Digest, Image, Index, Layer, OciLayout, Platform};
use serde_json::json;

use super::{assert_untouched, push_bytes, push_from};
use crate::driver::Outcome;

fn image(text: &str, platform: &str) -> Image {
    Image::builder()
        .layer(Layer::parse("file large random=300000"))
        .layer(Layer::new().file("text", text))
        .platform(platform)
        .annotation("org.opencontainers.image.title", text)
        .build()
}

fn docker_image(text: &str) -> Image {
    Image::builder()
        .docker()
        .layer(Layer::new().file("text", text))
        .build()
}

fn index() -> Index {
    let amd64 = image("amd64", "linux/amd64");
    Index::builder()
        .image(&amd64)
        .image(&image("arm64", "linux/arm64/v8"))
        .attestation_for(&amd64)
        .annotation("made", "by hand")
        .build()
}

/// Everything that a layout may hold, each of its own kind.
fn artifacts() -> Vec<(&'static str, Box<dyn Artifact>)> {
    let zstd = Image::builder()
        .layer_with(Layer::parse("file a random=90000"), Compression::Zstd)
        .layer_with(Layer::parse("file b \"b\""), Compression::None)
        .build();
    let chart = Image::builder()
        .layer_blob(
            Layer::new(),
            Blob::new(
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "chart",
            ),
        )
        .edit_manifest(|manifest| {
            manifest["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
            manifest["artifactType"] = json!("application/vnd.example");
            manifest["unknown"] = json!({"kept": [1, 2]});
        })
        .build();
    let sha512 = Image::builder()
        .layer_blob(
            Layer::new(),
            Blob::sha512("application/vnd.oci.image.layer.v1.tar", "long digest"),
        )
        .build();
    let foreign = Image::builder()
        .foreign_layer(
            Layer::parse("file far random=5000"),
            &["https://example.com/far"],
        )
        .layer(Layer::parse("file near \"\""))
        .build();
    let untyped = Image::builder()
        .layer(Layer::parse("file a \"a\""))
        .edit_manifest(|manifest| {
            manifest.as_object_mut().unwrap().remove("mediaType");
        })
        .build();
    let list = Index::builder()
        .docker()
        .image(&docker_image("one"))
        .image_for(&docker_image("two"), Some(Platform::parse("linux/arm64")))
        .build();
    let nested = Index::builder().index(&index()).index(&list).build();
    let twice = Index::builder()
        .image(&image("same", "linux/amd64"))
        .image_for(
            &image("same", "linux/amd64"),
            Some(Platform::parse("linux/386")),
        )
        .build();
    vec![
        ("image", Box::new(image("one", "linux/amd64"))),
        ("docker image", Box::new(docker_image("one"))),
        ("zstd and plain layers", Box::new(zstd)),
        ("chart", Box::new(chart)),
        ("sha512", Box::new(sha512)),
        ("foreign layer", Box::new(foreign)),
        ("no media type of its own", Box::new(untyped)),
        ("index", Box::new(index())),
        ("manifest list", Box::new(list)),
        ("nested", Box::new(nested)),
        ("one image twice", Box::new(twice)),
    ]
}

/// Checks that the registry holds an artifact byte for byte.
#[track_caller]
fn assert_arrived(registry: &Registry, artifact: &dyn Artifact, outcome: &Outcome, what: &str) {
    let digest = artifact.digest();
    assert_eq!(
        outcome.answer()["version"]["digest"],
        digest.to_string(),
        "{what}"
    );
    assert_eq!(registry.tag_digest("app", "1.0"), Some(digest), "{what}");
    for manifest in artifact.manifests() {
        let (media_type, bytes) = registry
            .manifest("app", manifest.digest().as_str())
            .unwrap();
        assert_eq!(media_type, manifest.media_type(), "{what}");
        assert_eq!(bytes, manifest.content().bytes(), "{what}");
    }
    for blob in artifact.blobs() {
        let arrived = registry.blob("app", blob.digest()).unwrap().bytes();
        assert!(
            arrived == blob.content().bytes(),
            "{what}: {}",
            blob.digest()
        );
    }
}

fn push_layout(registry: &Registry, layout: &OciLayout) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    layout.write(directory.path().join("oci")).unwrap();
    push_from(registry, directory.path(), &json!({"image": "oci"}))
}

#[test]
fn every_kind_of_artifact_arrives_byte_for_byte_from_every_form() {
    for (what, artifact) in artifacts() {
        let layout = OciLayout::new().entry(&*artifact, Some("latest"));
        let registry = Registry::start();
        let outcome = push_layout(&registry, &layout);
        assert_arrived(&registry, &*artifact, &outcome, what);

        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let registry = Registry::start();
            let tar = Layer::new().raw(&layout.to_tar()).ending_with_zeros(0);
            let outcome = push_bytes(&registry, &tar.compressed(compression), &json!({}));
            assert_arrived(&registry, &*artifact, &outcome, what);
        }
    }
}

#[test]
fn an_index_that_in_fetched_is_pushed_itself() {
    let lone = Index::builder()
        .image(&image("lone", "linux/amd64"))
        .build();
    let list = Index::builder()
        .docker()
        .image(&docker_image("a"))
        .image(&docker_image("b"))
        .build();
    let cases: [&dyn Artifact; 3] = [&index(), &lone, &list];
    for fetched in cases {
        let registry = Registry::start();
        let directory = tempfile::tempdir().unwrap();
        let layout = OciLayout::new().with_index(fetched);
        layout.write(directory.path().join("oci")).unwrap();
        fs::write(
            directory.path().join("digest"),
            fetched.digest().to_string(),
        )
        .unwrap();
        let outcome = push_from(&registry, directory.path(), &json!({"image": "oci"}));
        assert_arrived(&registry, fetched, &outcome, "fetched");
    }
}

#[test]
fn the_digest_of_a_single_image_counts() {
    let [one, other] = ["one", "other"].map(|text| image(text, "linux/amd64"));
    for newline in ["", "\n", " \r\n"] {
        let layout = OciLayout::new().entry(&one, None).entry(&other, None).file(
            "single-image-digest",
            format!("{}{newline}", other.digest()),
        );
        let registry = Registry::start();
        let outcome = push_layout(&registry, &layout);
        assert_arrived(&registry, &other, &outcome, "single");
        let first = registry.manifest("app", one.digest().as_str());
        assert!(first.is_none(), "nothing else was pushed");
    }
    // Also when no index lists it.
    let layout = OciLayout::new()
        .entry(&one, None)
        .file("index.json", r#"{"schemaVersion":2,"manifests":[]}"#)
        .file("single-image-digest", one.digest().to_string())
        .without_version();
    let registry = Registry::start();
    assert_arrived(
        &registry,
        &one,
        &push_layout(&registry, &layout),
        "unlisted",
    );
}

#[test]
fn children_come_before_parents_and_the_tag_last() {
    let registry = Registry::start();
    let nested = Index::builder()
        .index(&index())
        .image(&image("top", "linux/riscv64"))
        .build();
    push_layout(&registry, &OciLayout::new().entry(&nested, None)).answer();
    let requests = registry.requests();
    let puts = requests.iter().filter(|request| request.method == "PUT");
    let puts: Vec<_> = puts.map(|request| request.path.as_str()).collect();
    let at = |path: String| puts.iter().position(|put| *put == path).unwrap();
    let of = |digest: Digest| at(format!("/v2/app/manifests/{digest}"));
    assert!(of(image("arm64", "linux/arm64/v8").digest()) < of(index().digest()));
    assert!(of(index().digest()) < at("/v2/app/manifests/1.0".to_owned()));
    let last_blob = puts.iter().rposition(|put| put.contains("/blobs/"));
    let first_manifest = puts.iter().position(|put| put.contains("/manifests/"));
    assert!(last_blob < first_manifest, "{puts:?}");
    assert_eq!(puts.last(), Some(&"/v2/app/manifests/1.0"));

    registry.clear_requests();
    push_layout(&registry, &OciLayout::new().entry(&nested, None)).answer();
    assert_eq!(
        registry.count("PUT", "/v2/"),
        0,
        "{}",
        registry.transcript()
    );
}

#[test]
fn no_tag_moves_before_everything_is_there() {
    let index = index();
    let child = index.manifests()[1].digest().clone();
    let layer = index.blobs()[1].digest().clone();
    for (what, rule) in [
        ("a blob", Match::put("/v2/app/blobs/uploads/*")),
        ("a child", Match::put(&format!("/v2/app/manifests/{child}"))),
        ("a start", Match::post("/v2/app/blobs/uploads/*")),
    ] {
        let registry = Registry::start();
        registry.publish("app", "1.0", &Image::with_text("old"));
        let old = registry.tag_digest("app", "1.0");
        registry.fault(rule, Fault::status(400));
        let failure = push_layout(&registry, &OciLayout::new().entry(&index, None)).failure();
        assert!(
            failure.starts_with("pushing image failed: pushing tag(s): "),
            "{what}: {failure}"
        );
        assert_eq!(registry.tag_digest("app", "1.0"), old, "{what}");
        assert_eq!(
            registry.count("PUT", "/v2/app/manifests/1.0"),
            0,
            "{what} {layer}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn layouts_that_are_not_one_whole_image_are_refused() {
    let one = image("one", "linux/amd64");
    let [a, b] = ["a", "b"].map(|text| image(text, "linux/amd64"));
    let whole = || OciLayout::new().entry(&one, Some("latest"));
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let layer = one.layers()[0].digest().clone();
    let deep = (0..10).fold(Index::builder().image(&one).build(), |inner, _| {
        Index::builder().index(&inner).build()
    });
    let schema1 = Blob::new(
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        r#"{"schemaVersion":1}"#,
    );
    let partial = Index::builder()
        .image(&one)
        .missing(
            Blob::new("application/vnd.oci.image.manifest.v1+json", "absent")
                .descriptor()
                .clone(),
        )
        .build();
    let old = Index::builder()
        .image(&one)
        .missing(schema1.descriptor().clone())
        .build();
    let ambiguous = Image::builder()
        .edit_manifest(|manifest| manifest["manifests"] = json!([]))
        .build();
    let cases = [
        ("missing layer", whole().without_blob(&layer), "not found"),
        (
            "missing config",
            whole().without_blob(one.config().digest()),
            "not found",
        ),
        (
            "missing manifest",
            whole().without_blob(&one.digest()),
            "not found",
        ),
        (
            "missing child",
            OciLayout::new().entry(&partial, None),
            "not found",
        ),
        (
            "short layer",
            whole().file(&blob(&layer), "short"),
            "has 5 bytes, not the",
        ),
        (
            "other manifest",
            whole().file(
                &blob(&one.digest()),
                one.manifest()
                    .content()
                    .bytes()
                    .iter()
                    .rev()
                    .copied()
                    .collect::<Vec<u8>>(),
            ),
            "want sha256:",
        ),
        ("no entries", OciLayout::new(), "index.json: lists no image"),
        (
            "no index",
            whole().file("index.json", "[]"),
            "index.json: invalid manifest",
        ),
        (
            "an image for index",
            whole().file("index.json", one.manifest().content().bytes()),
            "index.json: is the manifest of an image",
        ),
        (
            "a lone blob",
            whole().file(
                "index.json",
                json!({"schemaVersion": 2, "manifests": [one.config().descriptor()]}).to_string(),
            ),
            "which is no image",
        ),
        (
            "bad digest",
            whole().file("single-image-digest", "sha256:12"),
            "single-image-digest: ",
        ),
        (
            "digest of nothing",
            whole().file("single-image-digest", format!("sha256:{}", "1".repeat(64))),
            "not found",
        ),
        (
            "too deep",
            OciLayout::new().entry(&deep, None),
            "more than 8 indexes",
        ),
        (
            "schema 1",
            OciLayout::new()
                .entry(&old, None)
                .file(&blob(schema1.digest()), schema1.content().bytes()),
            "schema 1",
        ),
        (
            "ambiguous",
            OciLayout::new().entry(&ambiguous, None),
            "ambiguous manifest",
        ),
        (
            "several",
            OciLayout::new().entry(&a, Some("a")).entry(&b, Some("b")),
            "holds 2 images (a, b)",
        ),
    ];
    let registry = Registry::start();
    for (what, layout, problem) in cases {
        let failure = push_layout(&registry, &layout).failure();
        assert!(
            failure.starts_with("could not load image from path '"),
            "{what}: {failure}"
        );
        assert!(failure.contains(problem), "{what}: {failure}");
        let failure = push_bytes(&registry, &layout.to_tar(), &json!({})).failure();
        assert!(failure.contains(problem), "{what}: {failure}");
    }
    assert_eq!(registry.transcript(), "");
}

/// A blob of the right size with other bytes is found while it is sent, and not committed.
#[test]
fn a_digest_that_lies_is_never_committed() {
    let one = image("one", "linux/amd64");
    for blob in [one.layers()[0], one.config()] {
        let mut bytes = blob.content().bytes().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let path = format!("blobs/sha256/{}", blob.digest().hex());
        let layout = OciLayout::new().entry(&one, None).file(&path, bytes);
        for archive in [false, true] {
            let registry = Registry::start();
            let outcome = if archive {
                push_bytes(&registry, &layout.to_tar(), &json!({}))
            } else {
                push_layout(&registry, &layout)
            };
            let failure = outcome.failure();
            assert!(
                failure.contains("its content has the digest sha256:"),
                "{failure}"
            );
            let named = failure.matches(blob.digest().as_str());
            assert_eq!(named.count(), 1, "{failure}");
            assert!(registry.blob("app", blob.digest()).is_none());
            let commit = format!(
                "/v2/app/blobs/uploads/*digest=sha256%3A{}",
                blob.digest().hex()
            );
            assert_eq!(
                registry.count("PUT", &commit),
                0,
                "{}",
                registry.transcript()
            );
            assert!(registry.tags("app").is_empty());
            assert_eq!(registry.count("PUT", "/v2/app/manifests/"), 0);
        }
    }
}

#[test]
fn files_of_a_layout_that_lead_outside_are_refused() {
    let one = image("one", "linux/amd64");
    let outside = tempfile::tempdir().unwrap();
    let layout = OciLayout::new().entry(&one, None);
    let link = |path: &Path| {
        let target = outside.path().join(path.file_name().unwrap());
        fs::rename(path, &target).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    for path in [
        format!("blobs/sha256/{}", one.layers()[0].digest().hex()),
        format!("blobs/sha256/{}", one.digest().hex()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        layout.write(directory.path().join("oci")).unwrap();
        link(&directory.path().join("oci").join(&path));
        let registry = Registry::start();
        let failure = push_from(&registry, directory.path(), &json!({"image": "oci"})).failure();
        assert!(
            failure.contains("leads out of the step's directory"),
            "{failure}"
        );
        assert_untouched(&registry, &path);
    }
    // Links between the step's own inputs are what bazel writes.
    let directory = tempfile::tempdir().unwrap();
    layout.write(directory.path().join("real")).unwrap();
    layout.write(directory.path().join("oci")).unwrap();
    fs::remove_dir_all(directory.path().join("oci/blobs")).unwrap();
    std::os::unix::fs::symlink("../real/blobs", directory.path().join("oci/blobs")).unwrap();
    let registry = Registry::start();
    let outcome = push_from(&registry, directory.path(), &json!({"image": "oci"}));
    assert_arrived(&registry, &one, &outcome, "linked");
}

#[test]
fn annotations_name_the_repository_to_mount_from() {
    let registry = Registry::start();
    let source = format!("containerd.io/distribution.source.{}", registry.host());
    let one = Image::builder()
        .layer(Layer::parse("file large random=300000"))
        .edit_manifest(move |manifest| {
            manifest["layers"][0]["annotations"] = json!({source: "other,base"});
        })
        .build();
    registry.put_blob("other", one.layers()[0]);
    push_layout(&registry, &OciLayout::new().entry(&one, None)).answer();
    assert_eq!(
        registry.count("PATCH", "/v2/app/"),
        1,
        "the configuration only"
    );
    assert_eq!(registry.count("POST", "/v2/app/blobs/uploads/?mount="), 1);
}
