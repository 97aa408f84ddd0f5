//! `out` of docker archives.

use std::path::Path;

use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::{ArchiveLayers, DockerArchive, Image, Layer};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};

fn image() -> Image {
    Image::builder()
        .docker()
        .layer(Layer::parse("file large random=300000"))
        .layer(Layer::parse("file small \"2\""))
        .env("A=1")
        .build()
}

fn archive(image: &Image, layers: ArchiveLayers) -> DockerArchive {
    DockerArchive::new()
        .image(image, &["app:latest"])
        .layers(layers)
}

fn request(registry: &Registry) -> Value {
    json!({
        "source": {"repository": format!("{}/app", registry.host()), "tag": "1.0"},
        "params": {"image": "image.tar"},
    })
}

fn push(registry: &Registry, archive: &DockerArchive) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    archive.write(directory.path().join("image.tar")).unwrap();
    driver::put(&request(registry), directory.path())
}

fn manifest(registry: &Registry) -> Value {
    let (_, bytes) = registry.manifest("app", "1.0").expect("the tag was pushed");
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn compressed_layers_are_pushed_as_they_are() {
    let registry = Registry::start();
    let image = image();
    let outcome = push(&registry, &archive(&image, ArchiveLayers::Stored));
    let digest = registry.tag_digest("app", "1.0").unwrap().to_string();
    assert_eq!(
        outcome.answer(),
        json!({
            "version": {"tag": "1.0", "digest": digest},
            "metadata": [
                {"name": "repository", "value": format!("{}/app", registry.host())},
                {"name": "tags", "value": "1.0"},
            ],
        })
    );
    let manifest = manifest(&registry);
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    assert_eq!(
        manifest["config"]["digest"],
        image.config().digest().to_string()
    );
    for (index, layer) in image.layers().iter().enumerate() {
        assert_eq!(
            manifest["layers"][index]["digest"],
            layer.digest().to_string()
        );
        assert_eq!(
            registry.blob("app", layer.digest()).unwrap().bytes(),
            layer.content().bytes()
        );
    }
    assert!(
        outcome.stderr.contains("pushing tag(s) 1.0"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn plain_layers_are_compressed_the_same_way_every_time() {
    let image = image();
    let digests = [(); 2].map(|()| {
        let registry = Registry::start();
        push(&registry, &archive(&image, ArchiveLayers::Plain)).answer();
        let manifest = manifest(&registry);
        for layer in manifest["layers"].as_array().unwrap() {
            assert_eq!(
                layer["mediaType"],
                "application/vnd.docker.image.rootfs.diff.tar.gzip"
            );
        }
        registry.tag_digest("app", "1.0").unwrap()
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn every_form_that_docker_save_has_written_is_read() {
    let image = image();
    let plain = || archive(&image, ArchiveLayers::Plain);
    let forms = [
        plain().directories(),
        plain().links(),
        plain().blobs(),
        plain().repositories(),
        plain().manifest_first(),
    ];
    for form in forms {
        let registry = Registry::start();
        push(&registry, &form).answer();
        assert_eq!(manifest(&registry)["layers"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_second_push_sends_no_blob() {
    let registry = Registry::start();
    let archive = archive(&image(), ArchiveLayers::Plain);
    let first = push(&registry, &archive).answer();
    registry.clear_requests();
    assert_eq!(push(&registry, &archive).answer(), first);
    assert_eq!(
        registry.count("POST", "/v2/"),
        0,
        "{}",
        registry.transcript()
    );
    assert_eq!(registry.count("PUT", "/v2/"), 0);
    registry.untag("app", "1.0");
    registry.clear_requests();
    push(&registry, &archive).answer();
    assert_eq!(
        registry.count("POST", "/v2/"),
        0,
        "{}",
        registry.transcript()
    );
}

#[test]
fn each_step_may_fail_in_passing() {
    let registry = Registry::start();
    for rule in [
        Match::get("/v2/"),
        Match::head("/v2/app/manifests/*"),
        Match::head("/v2/app/blobs/*"),
        Match::post("/v2/app/blobs/uploads/*"),
        Match::patch("/v2/app/blobs/uploads/*"),
        Match::put("/v2/app/blobs/uploads/*"),
        Match::put("/v2/app/manifests/*"),
    ] {
        registry.fault(rule.once(), Fault::status(429));
    }
    let outcome = push(&registry, &archive(&image(), ArchiveLayers::Stored));
    outcome.answer();
    assert!(outcome.stderr.contains("retrying in"), "{}", outcome.stderr);
    assert_eq!(manifest(&registry)["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_login_that_may_not_push_is_told_so() {
    let registry = Registry::builder()
        .auth(Auth::bearer().read_only_account("user", "hunter2"))
        .start();
    let directory = tempfile::tempdir().unwrap();
    archive(&image(), ArchiveLayers::Stored)
        .write(directory.path().join("image.tar"))
        .unwrap();
    let mut request = request(&registry);
    request["source"]["username"] = json!("user");
    request["source"]["password"] = json!("hunter2");
    let outcome = driver::put(&request, directory.path());
    let message = outcome.failure();
    assert!(
        message.starts_with("pushing image failed: pushing tag(s): "),
        "{message}"
    );
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    assert!(registry.tag_digest("app", "1.0").is_none());
}

#[test]
fn archives_that_are_not_one_whole_image_are_refused() {
    let image = image();
    let plain = archive(&image, ArchiveLayers::Plain);
    let mut cut = plain.to_tar();
    cut.truncate(150_000);
    let wrong_content = Image::builder()
        .layer(Layer::parse("file a \"1\""))
        .edit_config(|config| {
            config["rootfs"]["diff_ids"][0] = json!(format!("sha256:{}", "0".repeat(64)));
        })
        .build();
    let two = archive(&image, ArchiveLayers::Plain).image(&Image::with_text("other"), &["other:1"]);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("cut off", cut, "cut off"),
        (
            "no archive",
            b"plain text, and some more of it".repeat(40),
            "no tar archive",
        ),
        ("gzip", vec![0x1f, 0x8b, 8, 0], "compressed with gzip"),
        (
            "empty",
            Layer::new().tar().to_vec(),
            "manifest.json not found in tar",
        ),
        (
            "other content",
            archive(&wrong_content, ArchiveLayers::Plain).to_tar(),
            "the configuration says",
        ),
        ("two images", two.to_tar(), "holds 2 images"),
    ];
    let registry = Registry::start();
    for (name, bytes, problem) in cases {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("image.tar"), bytes).unwrap();
        let message = driver::put(&request(&registry), directory.path()).failure();
        let path = directory.path().join("image.tar");
        assert!(
            message.starts_with(&format!(
                "could not load image from path '{}': ",
                path.display()
            )),
            "{message}"
        );
        assert!(message.contains(problem), "{name}: {message}");
    }
    assert_eq!(registry.transcript(), "", "nothing was sent");
}

#[test]
fn requests_that_cannot_be_meant_are_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    refuse(
        directory.path(),
        json!({"tag": null}),
        json!({}),
        "no tag specified - need either 'version:' in params or 'tag:' in source",
    );
    refuse(
        directory.path(),
        json!({"tag": "a/b"}),
        json!({}),
        "source.tag",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"image": null}),
        "params.image: is missing",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"image": "../image.tar"}),
        "params.image: leaves",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"image": "nowhere.tar"}),
        "no files match glob 'nowhere.tar'",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"image": "*.tar"}),
        "params.image",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"image": "."}),
        "is a directory",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"version": "1.2.3"}),
        "params.version",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"bump_aliases": true}),
        "params.bump_aliases",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"additional_tags": "tags"}),
        "params.additional_tags",
    );
    refuse(
        directory.path(),
        json!({}),
        json!({"tag_prefix": "v"}),
        "params.tag_prefix",
    );
    refuse(
        directory.path(),
        json!({"content_trust": {"server": "s"}}),
        json!({}),
        "source.content_trust",
    );
}

#[track_caller]
fn refuse(directory: &Path, source: Value, params: Value, problem: &str) {
    let mut request = json!({
        "source": {"repository": "127.0.0.1:1/app", "tag": "1"},
        "params": {"image": "image.tar"},
    });
    for (place, changes) in [("source", source), ("params", params)] {
        for (field, value) in changes.as_object().expect("an object") {
            request[place][field] = value.clone();
        }
    }
    let message = driver::put(&request, directory).failure();
    assert!(message.contains(problem), "{request}: {message}");
}
