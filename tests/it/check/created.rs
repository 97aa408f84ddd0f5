//! `check` with `created_at_sort`.

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Image, Index};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};

fn made(text: &str, time: &str) -> Image {
    Image::builder().label("text", text).created(time).build()
}

fn check(registry: &Registry) -> Outcome {
    let repository = format!("{}/app", registry.host());
    driver::check(&json!({
        "source": {"repository": repository, "tag_regex": "^build-", "created_at_sort": true},
    }))
}

fn tags(outcome: &Outcome) -> Vec<String> {
    let answer = outcome.answer();
    let versions = answer.as_array().unwrap().iter();
    versions
        .map(|version| version["tag"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn versions_are_in_the_order_in_which_they_were_made() {
    let registry = Registry::start();
    let newest = made("newest", "2024-03-01T00:00:00Z");
    let oldest = made("oldest", "2024-01-01T01:00:00+02:00");
    let index = Index::builder()
        .image(&made("in an index", "2024-01-31T23:30:00-00:30"))
        .build();
    registry.publish("app", "build-a", &newest);
    registry.publish("app", "build-b", &oldest);
    registry.publish("app", "build-c", &index);
    registry.publish("app", "build-d", &newest);
    registry.publish("app", "other", &made("other", "2024-02-01T00:00:00Z"));
    let outcome = check(&registry);
    assert_eq!(tags(&outcome), ["build-b", "build-c", "build-a", "build-d"]);
    // The digest of an index is its own.
    assert_eq!(
        outcome.answer()[1]["digest"],
        json!(index.digest().to_string())
    );
    // Three images, of which one is in an index: each manifest and configuration once.
    assert_eq!(
        registry.count("GET", "/v2/app/manifests/"),
        4,
        "{}",
        registry.transcript()
    );
    assert_eq!(registry.count("GET", "/v2/app/blobs/"), 3);
}

#[test]
fn what_is_no_image_is_left_out_with_a_warning() {
    let registry = Registry::start();
    registry.publish("app", "build-1", &made("one", "2024-01-01T00:00:00Z"));
    let signature = Image::builder()
        .edit_manifest(|manifest: &mut Value| {
            manifest["config"]["mediaType"] = json!("application/vnd.example.signature");
        })
        .build();
    registry.publish("app", "build-1.sig", &signature);
    let artifact = Image::builder()
        .edit_manifest(|manifest: &mut Value| {
            let media_type = "application/vnd.oci.artifact.manifest.v1+json";
            *manifest = json!({"mediaType": media_type, "artifactType": "a/b", "blobs": []});
        })
        .build();
    registry.publish("app", "build-1.att", &artifact);
    let odd = Image::builder()
        .edit_config(|config: &mut Value| config["created"] = json!(5))
        .build();
    registry.publish("app", "build-1.odd", &odd);
    let gone = Image::builder().label("config", "gone").build();
    registry.publish("app", "build-1.gone", &gone);
    registry.remove_blob("app", gone.config().digest());
    let windows = Image::builder().platform("windows/amd64").build();
    registry.publish("app", "build-2", &Index::builder().image(&windows).build());
    let outcome = check(&registry);
    assert_eq!(tags(&outcome), ["build-1"]);
    let warning = outcome
        .stderr
        .lines()
        .find(|line| line.contains("WARN"))
        .unwrap();
    assert!(warning.contains("and 4 more likewise"), "{warning}");
}

#[test]
fn a_configuration_that_cannot_be_read_fails_the_check() {
    let registry = Registry::start();
    let image = made("one", "2024-01-01T00:00:00Z");
    registry.publish("app", "build-1", &image);
    let blob = format!("/v2/app/blobs/{}", image.config().digest());
    registry.fault(Match::get(&blob), Fault::corrupt_at(3));
    let message = check(&registry).failure();
    assert!(
        message.contains("get remote image config file of "),
        "{message}"
    );
}
