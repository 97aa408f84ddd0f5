//! `format: oci`: `image.tar`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, Compression, Image, Layer};
use serde_json::{Value, json};

use super::{fetch, names, read, request};
use crate::driver;

/// Reads a tar archive: names in their order, and contents.
fn entries(path: &Path) -> (Vec<String>, BTreeMap<String, Vec<u8>>) {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let (mut order, mut contents) = (Vec::new(), BTreeMap::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.entry_type().is_file());
        let numbers = (header.mode(), header.uid(), header.gid(), header.mtime());
        assert_eq!(numbers.0.unwrap(), 0o644);
        assert_eq!(
            (numbers.1.unwrap(), numbers.2.unwrap(), numbers.3.unwrap()),
            (0, 0, 0)
        );
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        order.push(name.clone());
        contents.insert(name, content);
    }
    (order, contents)
}

#[test]
fn the_archive_holds_the_blobs_byte_for_byte() {
    let registry = Registry::start();
    let first = || Layer::parse("file a \"1\"");
    let image = Image::builder()
        .layer(first())
        .layer_with(Layer::parse("file b \"2\""), Compression::Zstd)
        .layer_with(Layer::parse("file c \"3\""), Compression::None)
        .layer(first())
        .label("a", "1")
        .build();
    let directory = tempfile::tempdir().unwrap();
    fetch(
        &registry,
        &image,
        json!({"format": "oci"}),
        directory.path(),
    )
    .answer();
    assert_eq!(
        names(directory.path()),
        [
            "annotations.json",
            "config.json",
            "digest",
            "image-manifest.json",
            "image.tar",
            "labels.json",
            "repository",
            "tag"
        ]
    );
    assert_eq!(
        read(directory.path().join("labels.json")),
        "{\"a\":\"1\"}\n"
    );

    let (order, contents) = entries(&directory.path().join("image.tar"));
    let hex = |index: usize| {
        image.layers()[index]
            .digest()
            .to_string()
            .replace("sha256:", "")
    };
    let config = image.config().digest().to_string();
    let layers = [
        format!("{}.tar.gz", hex(0)),
        format!("{}.tar.zst", hex(1)),
        format!("{}.tar", hex(2)),
        format!("{}.tar.gz", hex(3)),
    ];
    let expected = [
        &config,
        &layers[0],
        &layers[1],
        &layers[2],
        &"manifest.json".to_owned(),
    ]
    .map(String::clone);
    assert_eq!(
        order, expected,
        "a layer that is there twice is written once"
    );
    for (name, blob) in layers.iter().zip(image.layers()) {
        assert!(contents[name] == blob.content().bytes(), "{name}");
    }
    assert!(contents[&config] == image.config().content().bytes());

    let manifest: Value = serde_json::from_slice(&contents["manifest.json"]).unwrap();
    let name = format!("{}/app:latest", registry.host());
    assert_eq!(
        manifest,
        json!([{"Config": config, "RepoTags": [name], "Layers": layers}])
    );
    assert!(contents["manifest.json"].ends_with(b"]"), "no newline");
}

/// `repo:` is what the Go resource writes for a version without a tag, and what nothing
/// can load.
#[test]
fn the_image_has_a_name_whatever_the_version_lacks() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("app", "latest", &image);
    let host = registry.host();
    let pinned = |name: &str| format!("{host}/{name}@{}", image.digest());
    let plain = format!("{host}/app");
    let cases = [
        (plain.clone(), "1.2", "3.4", "1.2"),
        (plain.clone(), "", "3.4", "3.4"),
        (plain, "", "", "latest"),
        (pinned("app"), "", "", "latest"),
        (pinned("app:5.6"), "", "", "5.6"),
    ];
    for (repository, version, source, expected) in cases {
        let mut request = request(&registry, "app", &image, json!({"format": "oci"}));
        request["source"] = json!({"repository": repository, "tag": source});
        request["version"]["tag"] = json!(version);
        let directory = tempfile::tempdir().unwrap();
        driver::get(&request, directory.path()).answer();
        let (_, contents) = entries(&directory.path().join("image.tar"));
        let manifest: Value = serde_json::from_slice(&contents["manifest.json"]).unwrap();
        assert_eq!(
            manifest[0]["RepoTags"],
            json!([format!("{host}/app:{expected}")]),
            "{repository} {version:?} {source:?}"
        );
        assert_eq!(read(directory.path().join("tag")), version);
    }
}

/// A name of Docker Hub is written out: loaded, it is the image that everyone means.
#[test]
fn the_image_is_named_after_its_origin_canonically() {
    let mirror = Registry::start();
    let image = Image::with_text("one");
    mirror.publish("library/fake-image", "latest", &image);
    let request = json!({
        "source": {"repository": "fake-image", "registry_mirror": {"host": mirror.host()}},
        "params": {"format": "oci"},
        "version": {"tag": "latest", "digest": image.digest().to_string()},
    });
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request, directory.path()).answer();
    let (_, contents) = entries(&directory.path().join("image.tar"));
    let manifest: Value = serde_json::from_slice(&contents["manifest.json"]).unwrap();
    assert_eq!(
        manifest[0]["RepoTags"],
        json!(["index.docker.io/library/fake-image:latest"])
    );
    assert_eq!(read(directory.path().join("repository")), "fake-image");
}

#[test]
fn foreign_layers_come_from_elsewhere_and_are_said_to() {
    let registry = Registry::start();
    let elsewhere = Registry::builder().tls().start();
    let layer = Layer::parse("file a \"licensed\"");
    let there = Image::builder().layer(layer.clone()).build();
    elsewhere.publish("b", "latest", &there);
    let blob = there.layers()[0];
    let url = format!("https://{}/v2/b/blobs/{}", elsewhere.host(), blob.digest());
    let image = Image::builder().foreign_layer(layer, &[&url]).build();
    registry.publish("app", "latest", &image);
    let mut request = request(&registry, "app", &image, json!({"format": "oci"}));
    request["source"]["ca_certs"] = json!([elsewhere.ca_pem()]);
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request, directory.path()).answer();
    let (_, contents) = entries(&directory.path().join("image.tar"));
    let manifest: Value = serde_json::from_slice(&contents["manifest.json"]).unwrap();
    let diff_id = image.diff_ids()[0].to_string();
    let descriptor = json!(image.layers()[0].descriptor());
    assert_eq!(manifest[0]["LayerSources"], json!({diff_id: descriptor}));
    let name = manifest[0]["Layers"][0].as_str().unwrap();
    assert!(contents[name] == blob.content().bytes());
}

/// What `in` wrote, `out` pushes with the same layers.
#[test]
fn the_archive_can_be_pushed_again() {
    let registry = Registry::start();
    let image = Image::builder()
        .layer(Layer::parse("file a \"1\""))
        .layer_with(Layer::parse("file b \"2\""), Compression::Zstd)
        .build();
    let directory = tempfile::tempdir().unwrap();
    fetch(
        &registry,
        &image,
        json!({"format": "oci"}),
        directory.path(),
    )
    .answer();
    let request = json!({
        "source": {"repository": format!("{}/copy", registry.host()), "tag": "1"},
        "params": {"image": "image.tar"},
    });
    driver::put(&request, directory.path()).answer();
    let (media_type, bytes) = registry.manifest("copy", "1").unwrap();
    assert_eq!(media_type, "application/vnd.oci.image.manifest.v1+json");
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let digests: Vec<_> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["digest"].clone())
        .collect();
    assert_eq!(
        digests,
        image
            .layers()
            .iter()
            .map(|layer| json!(layer.digest().to_string()))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        manifest["layers"][1]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+zstd"
    );
}
