//! Images read back with `oci-spec` and `tar`, which share nothing with the builder.

use std::collections::BTreeMap;
use std::io::Read;

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};
use serde_json::{Value, json};

use super::*;
use crate::Content;

fn image() -> Image {
    Image::builder()
        .layer(Layer::parse("file a \"1\""))
        .layer_with(Layer::parse("file b \"2\""), Compression::Zstd)
        .layer_with(Layer::parse("file c \"3\""), Compression::None)
        .platform("linux/arm64/v8")
        .env("A=1")
        .env("B=2")
        .cmd(["run"])
        .entrypoint(["/bin/sh", "-c"])
        .user("nobody")
        .working_dir("/srv")
        .label("key", "value")
        .created("2024-02-03T04:05:06Z")
        .annotation("note", "text")
        .build()
}

#[test]
fn a_manifest_describes_its_blobs() {
    let image = image();
    let manifest = ImageManifest::from_reader(image.manifest().content().reader()).unwrap();
    assert_eq!(manifest.annotations().as_ref().unwrap()["note"], "text");
    let described = std::iter::once(manifest.config()).chain(manifest.layers());
    let blobs = image.blobs();
    assert_eq!(blobs.len(), 4);
    for (descriptor, blob) in described.zip(blobs) {
        assert_eq!(
            descriptor.digest().to_string(),
            Digest::sha256(&blob.content().bytes()).as_str()
        );
        assert_eq!(descriptor.size(), blob.content().len());
        assert_eq!(descriptor.media_type().to_string(), blob.media_type());
    }
    let types: Vec<String> = manifest
        .layers()
        .iter()
        .map(|layer| layer.media_type().to_string())
        .collect();
    let base = "application/vnd.oci.image.layer.v1.tar";
    assert_eq!(
        types,
        [
            format!("{base}+gzip"),
            format!("{base}+zstd"),
            base.to_owned()
        ]
    );
}

#[test]
fn a_configuration_says_how_to_run() {
    let image = image();
    let config = ImageConfiguration::from_reader(image.config().content().reader()).unwrap();
    assert_eq!(config.architecture().to_string(), "arm64");
    assert_eq!(config.variant().as_deref(), Some("v8"));
    assert_eq!(config.created().as_deref(), Some("2024-02-03T04:05:06Z"));
    let diff_ids: Vec<String> = image.diff_ids().iter().map(ToString::to_string).collect();
    assert_eq!(*config.rootfs().diff_ids(), diff_ids);
    let container = config.config().as_ref().unwrap();
    assert_eq!(container.env().as_deref().unwrap(), ["A=1", "B=2"]);
    assert_eq!(container.cmd().as_deref().unwrap(), ["run"]);
    assert_eq!(
        container.entrypoint().as_deref().unwrap(),
        ["/bin/sh", "-c"]
    );
    assert_eq!(container.user().as_deref(), Some("nobody"));
    assert_eq!(container.working_dir().as_deref(), Some("/srv"));
    assert_eq!(config.labels_of_config().unwrap()["key"], "value");
}

#[test]
fn the_same_image_has_the_same_digest() {
    assert_eq!(image().digest(), image().digest());
    assert_ne!(
        Image::with_text("a").digest(),
        Image::with_text("b").digest()
    );
}

#[test]
fn docker_media_types() {
    let image = Image::builder()
        .layer(Layer::new())
        .layer_as(Layer::new(), Compression::Gzip, "application/x-odd")
        .docker()
        .build();
    let types: Vec<&str> = image.blobs().iter().map(|blob| blob.media_type()).collect();
    assert_eq!(
        types,
        [
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/x-odd",
        ]
    );
    assert_eq!(
        image.manifest().media_type(),
        "application/vnd.docker.distribution.manifest.v2+json"
    );
}

#[test]
fn foreign_layers_are_described_and_not_published() {
    let image = Image::builder()
        .foreign_layer(Layer::new(), &["https://example.com/x"])
        .build();
    assert_eq!(image.layers().len(), 1);
    assert_eq!(image.blobs().len(), 1);
    let manifest = ImageManifest::from_reader(image.manifest().content().reader()).unwrap();
    assert_eq!(
        manifest.layers()[0].urls().as_deref().unwrap(),
        ["https://example.com/x"]
    );
}

#[test]
fn manifests_and_configurations_can_be_made_odd() {
    let image = Image::builder()
        .edit_config(|config| config["created"] = json!("never"))
        .edit_manifest(|manifest| {
            manifest.as_object_mut().unwrap().remove("mediaType");
        })
        .build();
    let parse = |blob: &Blob| serde_json::from_slice::<Value>(&blob.content().bytes()).unwrap();
    assert_eq!(parse(image.config())["created"], "never");
    assert_eq!(parse(image.manifest()).get("mediaType"), None);
    let digest = Digest::sha256(&image.manifest().content().bytes());
    assert_eq!(image.digest(), digest);
}

#[test]
fn an_index_lists_platforms_attestations_and_indexes() {
    let image = image();
    let other = Image::with_text("x");
    let inner = Index::builder().image(&other).build();
    let index = Index::builder()
        .image(&image)
        .attestation_for(&image)
        .index(&inner)
        .image_for(&other, None)
        .annotation("note", "text")
        .build();
    let parsed = ImageIndex::from_reader(index.manifest().content().reader()).unwrap();
    let platforms: Vec<Option<String>> = parsed
        .manifests()
        .iter()
        .map(|entry| entry.platform().as_ref())
        .map(|platform| {
            platform.map(|p| format!("{}/{} {:?}", p.os(), p.architecture(), p.variant()))
        })
        .collect();
    let expected = [
        Some("linux/arm64 Some(\"v8\")"),
        Some("unknown/unknown None"),
        None,
        None,
    ];
    assert_eq!(platforms, expected.map(|text| text.map(str::to_owned)));
    let attestation = parsed.manifests()[1].annotations().as_ref().unwrap();
    assert_eq!(
        attestation["vnd.docker.reference.digest"],
        image.digest().as_str()
    );
    let digests: Vec<&Digest> = index.manifests().iter().map(|blob| blob.digest()).collect();
    assert_eq!(
        digests.last(),
        Some(&&index.digest()),
        "children stand before parents"
    );
    assert!(digests.contains(&&inner.digest()));
}

/// The members of an archive: type, name and content or target.
fn members(archive: &[u8]) -> BTreeMap<String, (char, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let kind = char::from(entry.header().entry_type().as_byte());
        let mut data = entry.link_name_bytes().unwrap_or_default().into_owned();
        entry.read_to_end(&mut data).unwrap();
        (name, (kind, data))
    };
    archive.entries().unwrap().map(read).collect()
}

/// Loads an archive as Docker does: follows `manifest.json`, resolves links, hashes.
#[track_caller]
fn check_archive(
    archive: &DockerArchive,
    compression: Compression,
) -> BTreeMap<String, (char, Vec<u8>)> {
    let members = members(&archive.to_tar());
    let manifest: Value = serde_json::from_slice(&members["manifest.json"].1).unwrap();
    for (entry, (image, tags)) in manifest.as_array().unwrap().iter().zip(&archive.images) {
        let config = &members[entry["Config"].as_str().unwrap()].1;
        assert_eq!(Digest::sha256(config), *image.config().digest());
        assert_eq!(entry["RepoTags"].as_array().map_or(0, Vec::len), tags.len());
        let names = entry["Layers"].as_array().unwrap();
        assert_eq!(names.len(), image.layers.len());
        for (name, layer) in names.iter().zip(&image.layers) {
            let (kind, data) = &members[name.as_str().unwrap()];
            let data = match kind {
                '2' => &members[String::from_utf8_lossy(data).trim_start_matches("../")].1,
                _ => data,
            };
            assert!(
                *data == layer.archive.compressed(compression),
                "{name} is the layer"
            );
        }
    }
    members
}

#[test]
fn docker_archives_in_every_form() {
    let one = Image::builder()
        .layer(Layer::parse("file a"))
        .layer(Layer::parse("file b"))
        .build();
    let two = Image::builder()
        .layer(Layer::parse("file a"))
        .layer(Layer::parse("file c"))
        .build();
    let archive = DockerArchive::new()
        .image(&one, &["x/one:1", "x/one:2"])
        .image(&two, &[]);

    let flat = check_archive(&archive, Compression::None);
    assert_eq!(flat.len(), 2 + 3 + 1, "the shared layer is written once");
    let gzip = archive
        .clone()
        .layers(ArchiveLayers::Gzip)
        .repositories()
        .manifest_first();
    let members = check_archive(&gzip, Compression::Gzip);
    let repositories: Value = serde_json::from_slice(&members["repositories"].1).unwrap();
    assert!(repositories["x/one"]["2"].is_string());
    check_archive(
        &archive.clone().layers(ArchiveLayers::Stored),
        Compression::Gzip,
    );

    let links = check_archive(&archive.clone().directories().links(), Compression::None);
    assert_eq!(links.values().filter(|(kind, _)| *kind == '2').count(), 1);
    assert!(links.keys().any(|name| name.ends_with("/VERSION")));
    let blobs = check_archive(&archive.blobs(), Compression::None);
    assert!(blobs.contains_key(&format!("blobs/sha256/{}", one.config().digest().hex())));
}

#[test]
fn layouts_are_written_and_read_back() {
    let image = image();
    let index = Index::builder()
        .image(&image)
        .image(&Image::with_text("x"))
        .build();
    let directory = tempfile::tempdir().unwrap();
    OciLayout::new()
        .entry(&image, Some("old"))
        .entry(&index, Some("new"))
        .write(&directory)
        .unwrap();

    let parsed = ImageIndex::from_file(directory.path().join("index.json")).unwrap();
    let names: Vec<&str> = parsed
        .manifests()
        .iter()
        .map(|entry| {
            entry.annotations().as_ref().unwrap()["org.opencontainers.image.ref.name"].as_str()
        })
        .collect();
    assert_eq!(names, ["old", "new"]);

    let read = read_layout(&directory).unwrap();
    assert_eq!(read.digest(), index.digest());
    assert_eq!(read.manifests().len(), 3);
    for blob in read.blobs().into_iter().chain(read.manifests()) {
        assert!(blob.digest().matches(blob.content().reader()).unwrap());
    }
    assert_eq!(read.blobs().len(), index.blobs().len());
}

#[test]
fn layouts_can_be_odd() {
    let image = image();
    let index = Index::builder().image(&image).build();
    let config = image.config().digest();
    let layout = OciLayout::new()
        .with_index(&index)
        .without_version()
        .without_blob(config)
        .file(
            "single-image-digest",
            Content::from(image.digest().to_string()),
        );
    let members = members(&layout.to_tar());
    assert_eq!(members["index.json"].1, index.manifest().content().bytes());
    assert_eq!(
        members["single-image-digest"].1,
        image.digest().as_str().as_bytes()
    );
    assert!(!members.contains_key("oci-layout"));
    assert!(!members.contains_key(&format!("blobs/sha256/{}", config.hex())));
    assert!(!members.contains_key(&format!("blobs/sha256/{}", index.digest().hex())));
    let directory = tempfile::tempdir().unwrap();
    layout.write(&directory).unwrap();
    assert!(read_layout(&directory).is_err(), "a blob is missing");
}
