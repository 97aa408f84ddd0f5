//! `in`: rootfs, oci and oci-layout.

mod again;
mod description;
mod disk;
mod faults;
mod layout;
mod mirrors;
mod oci;
mod real;
mod rootfs;
mod transfers;
mod version;

use std::path::Path;

use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, Image};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};

const FORMATS: [&str; 3] = ["rootfs", "oci", "oci-layout"];

/// Builds the request that fetches what `artifact` published as `repository`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!` in place"
)]
fn request(
    registry: &Registry,
    repository: &str,
    artifact: &impl Artifact,
    params: Value,
) -> Value {
    json!({
        "source": {"repository": format!("{}/{repository}", registry.host())},
        "params": params,
        "version": {"tag": "latest", "digest": artifact.digest().to_string()},
    })
}

/// Publishes an image and fetches it.
fn fetch(registry: &Registry, image: &Image, params: Value, destination: &Path) -> Outcome {
    registry.publish("app", "latest", image);
    driver::get(&request(registry, "app", image, params), destination)
}

/// Lists the names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test has no other way to say so"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_version_is_echoed_and_written_to_files() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    let directory = tempfile::tempdir().unwrap();
    let outcome = fetch(&registry, &image, json!({}), directory.path());
    let repository = format!("{}/app", registry.host());
    let digest = image.digest().to_string();
    assert_eq!(
        outcome.answer(),
        json!({
            "version": {"tag": "latest", "digest": digest},
            "metadata": [{"name": "repository", "value": repository}, {"name": "tag", "value": "latest"}],
        })
    );
    for (name, content) in [
        ("tag", "latest"),
        ("digest", &digest),
        ("repository", &repository),
    ] {
        assert_eq!(read(directory.path().join(name)), content);
    }
    assert!(outcome.stderr.contains(&format!(
        "fetching \x1b[32m{repository}\x1b[0m@\x1b[33m{digest}\x1b[0m\n"
    )));
}

#[test]
fn skip_download_asks_the_registry_for_nothing() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    let directory = tempfile::tempdir().unwrap();
    fetch(
        &registry,
        &image,
        json!({"skip_download": true}),
        directory.path(),
    )
    .answer();
    assert_eq!(names(directory.path()), ["digest", "repository", "tag"]);
    assert_eq!(registry.transcript(), "");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let cases = [
        (
            json!({}),
            json!({"format": "squashfs"}),
            "unknown format provided, must be one of 'rootfs', 'oci', 'oci-layout: squashfs",
        ),
        (
            json!({}),
            json!({"format": "squashfs", "skip_download": true}),
            "unknown format provided, must be one of 'rootfs', 'oci', 'oci-layout: squashfs",
        ),
        (
            json!({"label_regex": "("}),
            json!({}),
            "enriching metadata failed: invalid label_regex: error parsing regexp: missing closing )",
        ),
        (
            json!({"annotation_regex": "[z-a]"}),
            json!({"skip_download": true}),
            "enriching metadata failed: invalid annotation_regex: error parsing regexp: ",
        ),
        (
            json!({}),
            json!({"format": "oci-layout", "platforms": ["linux/amd64", "amd65"]}),
            "params.platforms: invalid platform \"amd65\"",
        ),
        (
            json!({}),
            json!({"platforms": ["linux/amd64"]}),
            "params.platforms: is for the format 'oci-layout'",
        ),
        (
            json!({"aws_role_arn": "x"}),
            json!({}),
            "source.aws_role_arn",
        ),
        (
            json!({"azure_client_secret": "x"}),
            json!({}),
            "source.azure_client_secret: is given without source.azure_acr",
        ),
    ];
    for (mut source, params, expected) in cases {
        source["repository"] = json!("127.0.0.1:1/app");
        let version = json!({"tag": "latest", "digest": digest});
        let request = json!({"source": source, "params": params, "version": version});
        let message = driver::get(&request, directory.path()).failure();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_version_that_names_nothing_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let request = json!({"source": {"repository": "127.0.0.1:1/app", "tag": "latest"}});
    let message = driver::get(&request, directory.path()).failure();
    assert_eq!(message, "version: names neither a digest nor a tag");
}
