//! `format: oci-layout`: `oci/`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Blob, Compression, Image, Index, Layer, Platform};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{names, read, request};
use crate::driver;

/// Publishes something and fetches its layout.
#[track_caller]
fn fetch(artifact: &impl Artifact, mut params: Value) -> TempDir {
    let registry = Registry::start();
    registry.publish("app", "latest", artifact);
    params["format"] = json!("oci-layout");
    let request = request(&registry, "app", artifact, params);
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request, directory.path()).answer();
    directory
}

/// Reads a layout's blobs: mode and content by digest.
fn blobs(directory: &TempDir) -> BTreeMap<String, (u32, Vec<u8>)> {
    let root = directory.path().join("oci/blobs");
    let mut blobs = BTreeMap::new();
    for algorithm in names(&root) {
        for name in names(&root.join(&algorithm)) {
            let path = root.join(&algorithm).join(&name);
            let content = (mode(&path), fs::read(path).unwrap());
            blobs.insert(format!("{algorithm}:{name}"), content);
        }
    }
    blobs
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns what this process's mask leaves of a mode.
fn masked(wanted: u32) -> u32 {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(wanted);
    options.open(&path).unwrap();
    mode(&path)
}

#[track_caller]
fn holds(blobs: &BTreeMap<String, (u32, Vec<u8>)>, blob: &Blob, mode: u32) {
    let (actual, content) = &blobs[blob.digest().as_str()];
    assert!(*content == blob.content().bytes(), "{}", blob.digest());
    assert_eq!(*actual, mode, "{actual:o} {}", blob.digest());
}

fn image(platform: &str) -> Image {
    Image::builder()
        .platform(platform)
        .label("platform", platform)
        .layer(Layer::parse(&format!("file platform \"{platform}\"")))
        .layer_with(Layer::parse("file large random=90000"), Compression::Zstd)
        .build()
}

#[test]
fn an_index_is_kept_byte_for_byte_with_everything_beneath_it() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let nested = Index::builder().image(&arm64).build();
    let index = Index::builder()
        .image(&amd64)
        .index(&nested)
        .attestation_for(&amd64)
        .annotation("a", "<1>")
        .build();
    let directory = fetch(&index, json!({}));
    let oci = directory.path().join("oci");
    assert_eq!(names(&oci), ["blobs", "index.json", "oci-layout"]);
    assert_eq!(
        read(oci.join("oci-layout")),
        "{\n    \"imageLayoutVersion\": \"1.0.0\"\n}"
    );
    let manifest = index.manifest().content().bytes();
    assert!(fs::read(oci.join("index.json")).unwrap() == manifest);
    for name in ["oci-layout", "index.json"] {
        assert_eq!(mode(&oci.join(name)), masked(0o777), "{name}");
    }

    let blobs = blobs(&directory);
    let layers: Vec<_> = [&amd64, &arm64].iter().flat_map(|it| it.layers()).collect();
    for layer in &layers {
        holds(&blobs, layer, 0o600);
    }
    for image in [&amd64, &arm64] {
        holds(&blobs, image.config(), masked(0o666));
        holds(&blobs, image.manifest(), masked(0o666));
    }
    holds(&blobs, nested.manifest(), masked(0o777));
    let all = index.manifests().into_iter().chain(index.blobs());
    let mut all: Vec<_> = all.map(|blob| blob.digest().to_string()).collect();
    all.retain(|digest| *digest != index.digest().to_string());
    all.sort();
    all.dedup();
    assert_eq!(blobs.keys().cloned().collect::<Vec<_>>(), all);
}

#[test]
fn an_image_is_wrapped_into_an_index_of_its_own() {
    let cases = [
        (
            Image::builder().annotation("a", "<1>"),
            r#""annotations":{"a":"\u003c1\u003e"},"#,
        ),
        (Image::builder().docker(), ""),
    ];
    for (builder, annotations) in cases {
        let image = builder.layer(Layer::parse("file a \"1\"")).build();
        let directory = fetch(&image, json!({}));
        let oci = directory.path().join("oci");
        assert_eq!(
            names(&oci),
            ["blobs", "index.json", "oci-layout", "single-image-digest"]
        );
        let digest = image.digest();
        let manifest = image.manifest().descriptor();
        let (kind, size) = (&manifest.media_type, manifest.size);
        let config = image.config().media_type();
        assert_eq!(
            read(oci.join("index.json")),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"{kind}","size":{size},"digest":"{digest}",{annotations}"artifactType":"{config}"}}]}}"#
            )
        );
        assert_eq!(read(oci.join("single-image-digest")), digest.to_string());
        assert_eq!(mode(&oci.join("single-image-digest")), masked(0o777));
        let blobs = blobs(&directory);
        assert_eq!(blobs.len(), 3);
        holds(&blobs, image.manifest(), masked(0o666));
    }
}

/// An index of images, attestations and an artifact.
struct Several {
    images: [Image; 4],
    chart: Image,
    index: Index,
}

impl Several {
    fn new() -> Self {
        let platforms = [
            "linux/amd64",
            "linux/arm64/v8",
            "linux/arm/v6",
            "linux/arm/v7",
        ];
        let images = platforms.map(image);
        let chart = Image::builder()
            .layer(Layer::parse("file Chart.yaml \"chart\""))
            .edit_manifest(|manifest| {
                manifest["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
            })
            .build();
        let index = images.iter().fold(Index::builder(), |index, image| {
            index.image(image).attestation_for(image)
        });
        let index = index
            .annotation("index", "kept")
            .child(chart.clone(), |entry| {
                entry.artifact_type = Some("application/vnd.cncf.helm.config.v1+json".into());
            });
        Self {
            images,
            chart,
            index: index.build(),
        }
    }
}

#[test]
fn only_the_platforms_asked_for_are_kept_and_what_belongs_to_them() {
    let several = Several::new();
    let cases: [(&[&str], &[usize]); 3] = [
        (&["linux/amd64"], &[0]),
        (&["linux/arm64", "linux/amd64"], &[0, 1]),
        (&["linux/arm"], &[3]),
    ];
    for (platforms, expected) in cases {
        let directory = fetch(&several.index, json!({"platforms": platforms}));
        let oci = directory.path().join("oci");
        let original: Value =
            serde_json::from_slice(&several.index.manifest().content().bytes()).unwrap();
        let index: Value = serde_json::from_str(&read(oci.join("index.json"))).unwrap();
        // Each image stands before the attestation for it, the artifact last.
        let kept = expected
            .iter()
            .flat_map(|&at| [2 * at, 2 * at + 1])
            .chain([8]);
        let kept: Vec<_> = kept.map(|at| original["manifests"][at].clone()).collect();
        assert_eq!(index["manifests"], json!(kept), "{platforms:?}");
        for field in ["mediaType", "annotations", "schemaVersion"] {
            assert_eq!(index[field], original[field], "{platforms:?}");
        }
        let digest = several.index.digest().to_string();
        assert_eq!(read(oci.join("selected-from-digest")), digest);
        assert_eq!(read(directory.path().join("digest")), digest);

        let blobs = blobs(&directory);
        holds(&blobs, several.chart.manifest(), masked(0o666));
        for (at, image) in several.images.iter().enumerate() {
            let is_there = blobs.contains_key(image.digest().as_str());
            assert_eq!(is_there, expected.contains(&at), "{platforms:?} {at}");
        }
    }
}

#[test]
fn a_selection_that_leaves_nothing_out_changes_nothing() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let index = Index::builder()
        .docker()
        .image(&amd64)
        .image(&arm64)
        .build();
    let directory = fetch(&index, json!({"platforms": ["linux/arm64", "linux/amd64"]}));
    let oci = directory.path().join("oci");
    assert_eq!(names(&oci), ["blobs", "index.json", "oci-layout"]);
    assert!(fs::read(oci.join("index.json")).unwrap() == index.manifest().content().bytes());
}

#[test]
fn a_platform_that_is_not_there_is_an_error_that_lists_what_is() {
    let several = Several::new();
    let registry = Registry::start();
    registry.publish("app", "latest", &several.index);
    let params = json!({"format": "oci-layout", "platforms": ["linux/amd64", "linux/s390x"]});
    let request = request(&registry, "app", &several.index, params);
    let directory = tempfile::tempdir().unwrap();
    let message = driver::get(&request, directory.path()).failure();
    assert!(
        message.starts_with(
            "download failed: write oci layout: params.platforms: no image for linux/s390x"
        ),
        "{message}"
    );
    assert!(message.contains("linux/arm64/v8"), "{message}");
    assert!(names(directory.path()).is_empty());
}

#[test]
fn things_that_are_neither_image_nor_index_are_kept() {
    let note = Blob::new("application/vnd.example.note", "a note");
    let wasm = Image::builder()
        .layer(Layer::parse("file module.wasm \"x\""))
        .edit_manifest(|manifest| manifest["config"]["mediaType"] = json!("application/wasm"))
        .build();
    let index = Index::builder()
        .image(&image("linux/amd64"))
        .image_for(&wasm, Some(Platform::parse("wasi/wasm")))
        .missing(note.descriptor().clone())
        .build();
    let registry = Registry::start();
    registry.publish("app", "latest", &index);
    registry.put_blob("app", &note);
    let request = request(&registry, "app", &index, json!({"format": "oci-layout"}));
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request, directory.path()).answer();
    let blobs = blobs(&directory);
    holds(&blobs, &note, masked(0o666));
    holds(&blobs, wasm.manifest(), masked(0o666));
    holds(&blobs, wasm.layers()[0], 0o600);
}

/// Some registries use SHA-512; some images name the same blob as two things.
#[test]
fn every_blob_is_fetched_once_under_its_own_algorithm() {
    let registry = Registry::start();
    let layer = || Layer::parse("file a \"1\"");
    let strong = Blob::sha512(
        "application/vnd.oci.image.layer.v1.tar",
        layer().compressed(Compression::None),
    );
    let image = Image::builder()
        .layer(layer())
        .layer_blob(layer(), strong.clone())
        .layer(layer())
        .build();
    let index = Index::builder()
        .image(&image)
        .image_for(&image, None)
        .build();
    registry.publish("app", "latest", &index);
    let request = request(&registry, "app", &index, json!({"format": "oci-layout"}));
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request, directory.path()).answer();
    assert_eq!(
        names(&directory.path().join("oci/blobs")),
        ["sha256", "sha512"]
    );
    holds(&blobs(&directory), &strong, 0o600);
    assert_eq!(registry.count("GET", "/v2/app/blobs/"), 3);
    assert_eq!(registry.count("GET", "/v2/app/manifests/"), 2);
}

#[test]
fn a_blob_that_is_not_what_it_should_be_leaves_no_layout() {
    let image = image("linux/amd64");
    let index = Index::builder().image(&image).build();
    let targets = [
        format!("/v2/app/manifests/{}", image.digest()),
        format!("/v2/app/blobs/{}", image.config().digest()),
        format!("/v2/app/blobs/{}", image.layers()[1].digest()),
    ];
    for target in targets {
        let registry = Registry::start();
        registry.publish("app", "latest", &index);
        registry.fault(Match::get(&target), Fault::corrupt_at(5));
        let request = request(&registry, "app", &index, json!({"format": "oci-layout"}));
        let directory = tempfile::tempdir().unwrap();
        let message = driver::get(&request, directory.path()).failure();
        assert!(
            message.starts_with("download failed: write oci layout: "),
            "{message}"
        );
        let digest = target.rsplit('/').next().unwrap();
        assert!(message.contains(digest), "{message}");
        assert!(message.contains(&registry.host()), "{message}");
        assert!(names(directory.path()).is_empty());
    }
}
