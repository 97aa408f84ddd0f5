//! What `in` tells about an image besides its files: metadata, labels, annotations.

use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, Image, Index, Layer};
use serde_json::{Value, json};

use super::{names, read, request};
use crate::driver;

fn image(platform: &str) -> Image {
    Image::builder()
        .platform(platform)
        .layer(Layer::parse(&format!("file a \"{platform}\"")))
        .label("maintainer", "a<b")
        .label("com.example.zone", platform)
        .label("com.example.age", "1")
        .annotation("org.example.title", "image")
        .annotation("org.example.arch", platform)
        .build()
}

fn index() -> Index {
    Index::builder()
        .image(&image("linux/amd64"))
        .image(&image("linux/arm64"))
        .annotation("org.example.title", "index")
        .annotation("org.example.vendor", "somebody")
        .build()
}

/// Fetches with some patterns; returns the metadata behind repository and tag as
/// `name=value`, and how many requests for documents it took.
#[track_caller]
fn check(source: &Value, params: &Value, expected: &[&str], requests: [usize; 2]) {
    let registry = Registry::start();
    let index = index();
    registry.publish("app", "latest", &index);
    let mut request = request(&registry, "app", &index, params.clone());
    for (field, value) in source.as_object().unwrap() {
        request["source"][field] = value.clone();
    }
    let directory = tempfile::tempdir().unwrap();
    let answer = driver::get(&request, directory.path()).answer();
    let fields: Vec<_> = answer["metadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| {
            let text = |key: &str| field[key].as_str().unwrap().to_owned();
            format!("{}={}", text("name"), text("value"))
        })
        .collect();
    assert!(fields[0].starts_with("repository=127.0.0.1:"), "{fields:?}");
    assert_eq!(fields[1], "tag=latest");
    assert_eq!(fields[2..], *expected, "{source} {params}");
    let [manifests, blobs] = requests;
    assert_eq!(registry.count("GET", "/v2/app/manifests/"), manifests);
    assert_eq!(registry.count("GET", "/v2/app/blobs/"), blobs);
}

#[test]
fn labels_and_annotations_that_match_are_shown_in_order() {
    let platform = json!({"platform": {"architecture": "amd64"}});
    let (labels, annotations) = ("^com\\.example\\.", "vendor|title|arch");
    let shown_labels = ["com.example.age=1", "com.example.zone=linux/amd64"];
    let shown_annotations = [
        "org.example.arch=linux/amd64",
        "org.example.title=image",
        "org.example.vendor=somebody",
    ];
    let both = json!({"label_regex": labels, "annotation_regex": annotations});
    let all = [&shown_labels[..], &shown_annotations].concat();
    check(&both, &platform, &all, [2, 2]);
    check(&json!({"label_regex": "nothing"}), &platform, &[], [2, 2]);
    check(&json!({}), &platform, &[], [2, 2]);
}

/// Nothing is asked of the registry that is not shown.
#[test]
fn skip_download_asks_for_what_is_shown_only() {
    let skip = |architecture: &str| json!({"skip_download": true, "platform": {"architecture": architecture}});
    let labels = json!({"label_regex": "zone"});
    check(
        &labels,
        &skip("arm64"),
        &["com.example.zone=linux/arm64"],
        [2, 1],
    );
    let annotations = json!({"annotation_regex": "arch"});
    check(
        &annotations,
        &skip("arm64"),
        &["org.example.arch=linux/arm64"],
        [2, 0],
    );
    // There is something to show without an image for the platform.
    let title = json!({"annotation_regex": "title", "label_regex": "zone"});
    check(&title, &skip("s390x"), &["org.example.title=index"], [1, 0]);
    check(&json!({}), &skip("s390x"), &[], [0, 0]);
}

#[test]
fn files_hold_the_documents_and_what_is_in_them() {
    for format in ["rootfs", "oci", "oci-layout"] {
        let registry = Registry::start();
        let index = index();
        registry.publish("app", "latest", &index);
        let params = json!({"format": format, "platform": {"architecture": "arm64"}});
        let directory = tempfile::tempdir().unwrap();
        let request = request(&registry, "app", &index, params);
        driver::get(&request, directory.path()).answer();
        let read = |name: &str| read(directory.path().join(name));
        assert_eq!(
            read("labels.json"),
            "{\"com.example.age\":\"1\",\"com.example.zone\":\"linux/arm64\",\"maintainer\":\"a\\u003cb\"}\n",
            "{format}"
        );
        assert_eq!(
            read("annotations.json"),
            "{\"org.example.arch\":\"linux/arm64\",\"org.example.title\":\"image\",\"org.example.vendor\":\"somebody\"}\n",
            "{format}"
        );
        let image = image("linux/arm64");
        let bytes = |text: String| text.into_bytes();
        assert!(bytes(read("config.json")) == image.config().content().bytes());
        assert!(bytes(read("image-manifest.json")) == image.manifest().content().bytes());
        let is_rootfs = directory.path().join("metadata.json").exists();
        assert_eq!(is_rootfs, format == "rootfs");
        // Tasks tell by this name that they were not given an archive's content.
        assert!(!directory.path().join("manifest.json").exists());
    }
}

/// The images of a layout may all be for other machines than this step's.
#[test]
fn a_layout_without_an_image_for_the_platform_has_no_documents_of_one() {
    let registry = Registry::start();
    let index = index();
    registry.publish("app", "latest", &index);
    let params = json!({"format": "oci-layout", "platform": {"architecture": "s390x"}});
    let directory = tempfile::tempdir().unwrap();
    driver::get(&request(&registry, "app", &index, params), directory.path()).answer();
    assert_eq!(
        names(directory.path()),
        [
            "annotations.json",
            "digest",
            "labels.json",
            "oci",
            "repository",
            "tag"
        ]
    );
    assert_eq!(read(directory.path().join("labels.json")), "{}\n");
}

#[test]
fn an_image_for_another_machine_is_fetched_with_a_warning() {
    let registry = Registry::start();
    let image = image("linux/s390x");
    registry.publish("app", "latest", &image);
    let cases = [("amd64", true), ("s390x", false)];
    for (architecture, warned) in cases {
        let params = json!({"platform": {"architecture": architecture}});
        let directory = tempfile::tempdir().unwrap();
        let outcome = driver::get(&request(&registry, "app", &image, params), directory.path());
        outcome.answer();
        let warning = "the image is for linux/s390x; wanted is one for linux/amd64";
        assert_eq!(
            outcome.stderr.contains(warning),
            warned,
            "{}",
            outcome.stderr
        );
    }
}
