//! `out`: docker archives here, the rest below.

mod faults;
mod hostile;
mod layouts;
mod peers;
mod place;
mod tags;

use std::path::Path;

use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::{ArchiveLayers, Compression, DockerArchive, Image, Layer};
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
    push_bytes(registry, &archive.to_tar(), &json!({}))
}

/// Pushes what a file holds, with more parameters than its name.
fn push_bytes(registry: &Registry, archive: &[u8], params: &Value) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("image.tar"), archive).unwrap();
    push_from(registry, directory.path(), params)
}

/// Pushes from a step's directory, with these parameters over the usual ones.
fn push_from(registry: &Registry, directory: &Path, params: &Value) -> Outcome {
    let mut request = request(registry);
    for (field, value) in params.as_object().expect("an object") {
        request["params"][field] = value.clone();
    }
    driver::put(&request, directory)
}

/// Says whether the registry was left without a tag and without a half-done upload.
#[track_caller]
fn assert_untouched(registry: &Registry, what: &str) {
    assert!(
        registry.tags("app").is_empty(),
        "{what}: {}",
        registry.transcript()
    );
    assert_eq!(registry.count("PUT", "/v2/app/manifests/1.0"), 0, "{what}");
    assert_eq!(
        registry.open_uploads(),
        0,
        "{what}: {}",
        registry.transcript()
    );
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
fn compression_is_a_choice_and_the_same_every_time() {
    const GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    let plain = archive(&image(), ArchiveLayers::Plain).to_tar();
    let cases = [
        (json!({}), GZIP, [0x1f, 0x8b]),
        (
            json!({"compression": "gzip", "compression_level": 9}),
            GZIP,
            [0x1f, 0x8b],
        ),
        (
            json!({"compression": "gzip", "compression_level": 0}),
            GZIP,
            [0x1f, 0x8b],
        ),
        (json!({"compression": "zstd"}), ZSTD, [0x28, 0xb5]),
        (
            json!({"compression": "zstd", "compression_level": 9}),
            ZSTD,
            [0x28, 0xb5],
        ),
    ];
    for (params, media_type, magic) in cases {
        let pushed = [(); 2].map(|()| {
            let registry = Registry::start();
            push_bytes(&registry, &plain, &params).answer();
            let manifest = manifest(&registry);
            for layer in manifest["layers"].as_array().unwrap() {
                assert_eq!(layer["mediaType"], media_type, "{params}");
                let digest = regimg_tests::Digest::parse(layer["digest"].as_str().unwrap());
                let blob = registry.blob("app", &digest.unwrap()).unwrap().bytes();
                assert_eq!(blob[..2], magic, "{params}");
            }
            manifest
        });
        assert_eq!(pushed[0], pushed[1], "{params}");
    }
}

#[test]
fn a_compressed_archive_is_the_archive() {
    let image = image();
    let plain = archive(&image, ArchiveLayers::Stored).to_tar();
    let digests = [Compression::None, Compression::Gzip, Compression::Zstd].map(|compression| {
        let registry = Registry::start();
        let file = Layer::new()
            .raw(&plain)
            .ending_with_zeros(0)
            .compressed(compression);
        push_bytes(&registry, &file, &json!({})).answer();
        registry.tag_digest("app", "1.0").unwrap()
    });
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
fn foreign_layers_are_listed_and_stay_where_they_are() {
    let image = image();
    let diff_id = image.diff_ids()[1].to_string();
    let foreign = json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "size": 77,
        "digest": format!("sha256:{}", "7".repeat(64)),
        "urls": ["https://example.com/layer"],
    });
    let entry = json!([{
        "Config": "config.json",
        "RepoTags": null,
        "Layers": ["a.tar", "absent.tar"],
        "LayerSources": {diff_id: foreign},
    }]);
    let tar = Layer::new()
        .file("config.json", image.config().content().bytes())
        .file("a.tar", image.layers()[0].content().bytes())
        .file("manifest.json", entry.to_string())
        .tar();
    let registry = Registry::start();
    let outcome = push_bytes(&registry, &tar, &json!({}));
    outcome.answer();
    assert_eq!(manifest(&registry)["layers"][1], foreign);
    assert_eq!(registry.count("HEAD", "/v2/app/blobs/sha256:777"), 0);
    assert!(
        outcome.stderr.contains("not pushed: sha256:777"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("https://example.com/layer"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn with_debug_each_blob_says_what_became_of_it() {
    let registry = Registry::start();
    let image = image();
    let [large, small] = [0, 1].map(|at| image.layers()[at].digest().clone());
    registry.put_blob("app", image.layers()[0]);
    registry.put_blob("base", image.layers()[1]);
    let directory = tempfile::tempdir().unwrap();
    archive(&image, ArchiveLayers::Stored)
        .write(directory.path().join("image.tar"))
        .unwrap();
    let mut request = request(&registry);
    request["source"]["debug"] = json!(true);
    request["params"]["mount_from"] = json!(["base"]);
    let outcome = driver::put(&request, directory.path());
    outcome.answer();
    for line in [
        format!("existing blob: {large}"),
        format!("mounted blob: {small}"),
        format!("pushed blob: {}", image.config().digest()),
        "1 mounted, 1 existed".to_owned(),
    ] {
        assert!(outcome.stderr.contains(&line), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn blobs_are_mounted_from_where_the_image_or_the_step_says_they_are() {
    let host = "127.0.0.1:1";
    let base = |name: &str| image_on(&format!("{name}/base:1"));
    // Which image, which mount_from, and whether the blob is mounted.
    for (named, mount_from, mounted) in [
        (None, json!([]), false),
        (None, json!(["base"]), true),
        (None, json!(["empty", "base"]), true),
        (None, json!([format!("{host}/base")]), true),
        (Some(host), json!([]), true),
        (Some("example.com"), json!([]), false),
    ] {
        let registry = Registry::start();
        let own = |text: &str| text.replace(host, &registry.host());
        let image = match named {
            None => image(),
            Some(name) => base(&own(name)),
        };
        for layer in image.layers() {
            registry.put_blob("base", layer);
        }
        let tar = archive(&image, ArchiveLayers::Stored).to_tar();
        let params: Value =
            serde_json::from_str(&own(&json!({"mount_from": mount_from}).to_string())).unwrap();
        let outcome = push_bytes(&registry, &tar, &params);
        outcome.answer();
        assert_eq!(registry.open_uploads(), 0, "{}", registry.transcript());
        assert_eq!(
            registry.count("PATCH", "/v2/app/blobs/"),
            if mounted { 1 } else { 3 },
            "{named:?} {mount_from}: {}",
            registry.transcript()
        );
    }
}

/// An image that says on which other it is built.
fn image_on(base: &str) -> Image {
    Image::builder()
        .docker()
        .layer(Layer::parse("file large random=300000"))
        .layer(Layer::parse("file small \"2\""))
        .label("org.opencontainers.image.base.name", base)
        .build()
}

#[test]
fn a_layer_that_occurs_twice_is_sent_once() {
    let twice = Image::builder()
        .docker()
        .layer(Layer::parse("file a random=100000"))
        .layer(Layer::parse("file b \"b\""))
        .layer(Layer::parse("file a random=100000"))
        .build();
    for layers in [ArchiveLayers::Plain, ArchiveLayers::Stored] {
        let registry = Registry::start();
        push(&registry, &archive(&twice, layers)).answer();
        let layers = manifest(&registry)["layers"].clone();
        assert_eq!(layers.as_array().unwrap().len(), 3);
        assert_eq!(layers[0], layers[2]);
        assert_eq!(registry.count("PATCH", "/v2/app/blobs/"), 3);
    }
}

#[test]
fn a_registry_that_learns_slowly_is_waited_for() {
    let image = image();
    let tar = archive(&image, ArchiveLayers::Stored).to_tar();
    for (misses, warned) in [(3, false), (100, true)] {
        let registry = Registry::start();
        registry.fault(
            Match::head("/v2/app/manifests/sha256:*").times(misses),
            Fault::status(404),
        );
        let outcome = push_bytes(&registry, &tar, &json!({}));
        outcome.answer();
        let asked = registry.count("HEAD", "/v2/app/manifests/sha256:");
        assert_eq!(asked, if warned { 6 } else { 4 });
        assert_eq!(
            outcome.stderr.contains("does not know it yet"),
            warned,
            "{}",
            outcome.stderr
        );
    }
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
        ("gzip", vec![0x1f, 0x8b, 8, 0], "decompressing the archive"),
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
        (
            "two images",
            two.to_tar(),
            "holds 2 images (app:latest, other:1)",
        ),
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
