//! `in` when the registry or the network misbehaves.

use regimg_tests::registry::{Auth, Fault, Match, Origin, Registry};
use regimg_tests::{Artifact, Image, Layer};
use serde_json::json;

use super::{fetch, names, read, request};
use crate::driver;

/// An image whose layer is larger than what a spool keeps in memory.
pub(super) fn large() -> Image {
    Image::builder()
        .layer(Layer::parse("file large random=300000"))
        .build()
}

pub(super) fn blob_path(image: &Image) -> String {
    format!("/v2/app/blobs/{}", image.layers()[0].digest())
}

#[test]
fn a_transfer_that_is_cut_goes_on_where_it_was_cut() {
    let ways = [
        Fault::cut_at(100_000),
        Fault::reset_at(100_000),
        Fault::cut_at(0),
    ];
    for (fault, format) in ways.into_iter().zip(["rootfs", "oci", "rootfs"]) {
        let registry = Registry::start();
        let image = large();
        registry.publish("app", "latest", &image);
        registry.fault(Match::get(&blob_path(&image)).once(), fault);
        let directory = tempfile::tempdir().unwrap();
        fetch(
            &registry,
            &image,
            json!({"format": format}),
            directory.path(),
        )
        .answer();
        let sent: u64 = registry
            .requests()
            .iter()
            .filter(|request| request.path == blob_path(&image))
            .map(|request| request.sent)
            .sum();
        // What the connection had taken when it was reset may be lost, and nothing else.
        assert!(
            sent <= image.layers()[0].content().len() + 100_000,
            "{sent} bytes"
        );
    }
}

#[test]
fn a_manifest_or_configuration_with_other_bytes_is_refused() {
    let image = Image::with_text("one");
    let manifest = format!("/v2/app/manifests/{}", image.digest());
    let config = format!("/v2/app/blobs/{}", image.config().digest());
    for target in [manifest, config] {
        let registry = Registry::start();
        registry.publish("app", "latest", &image);
        registry.fault(Match::get(&target), Fault::corrupt_at(3));
        let directory = tempfile::tempdir().unwrap();
        let message = fetch(&registry, &image, json!({}), directory.path()).failure();
        assert!(message.starts_with("download failed: "), "{message}");
        assert!(message.contains("sha256:"), "{message}");
        assert!(names(directory.path()).is_empty());
    }
}

#[test]
fn passing_failures_on_any_request_are_tried_again() {
    let registry = Registry::start();
    let image = large();
    registry.publish("app", "latest", &image);
    for target in ["/v2/", "/v2/app/manifests/*", "/v2/app/blobs/*"] {
        registry.fault(Match::get(target).times(2), Fault::status(429));
        registry.fault(Match::get(target).once(), Fault::reset());
    }
    let directory = tempfile::tempdir().unwrap();
    let outcome = fetch(&registry, &image, json!({}), directory.path());
    outcome.answer();
    assert!(
        outcome.stderr.contains("transient error: "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_image_that_is_gone_fails_at_once() {
    let registry = Registry::start();
    registry.create_repository("app");
    let directory = tempfile::tempdir().unwrap();
    let request = request(
        &registry,
        "app",
        &Image::with_text("never pushed"),
        json!({}),
    );
    let message = driver::get(&request, directory.path()).failure();
    assert!(
        message.starts_with("download failed: fetch descriptor: "),
        "{message}"
    );
    assert!(message.contains("404"), "{message}");
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_login_is_used_where_it_belongs() {
    let kinds = [
        ("basic", Auth::basic().account("user", "hunter2")),
        ("bearer", Auth::bearer().account("user", "hunter2")),
    ];
    for (name, auth) in kinds {
        let registry = Registry::builder().auth(auth).start();
        let image = large();
        registry.publish("app", "latest", &image);
        registry.fault(Match::get("/v2/app/blobs/*"), Fault::redirect_elsewhere());
        let mut request = request(&registry, "app", &image, json!({}));
        let directory = tempfile::tempdir().unwrap();
        let message = driver::get(&request, directory.path()).failure();
        assert!(message.contains("401"), "{name}: {message}");

        request["source"]["username"] = json!("user");
        request["source"]["password"] = json!("hunter2");
        request["source"]["debug"] = json!(true);
        let outcome = driver::get(&request, directory.path());
        outcome.answer();
        assert!(
            !outcome.stderr.contains("hunter2"),
            "{name}: {}",
            outcome.stderr
        );
        let elsewhere = registry.requests_to(Origin::Elsewhere);
        assert!(!elsewhere.is_empty(), "{name}: blobs come from elsewhere");
        assert!(
            elsewhere
                .iter()
                .all(|request| request.authorization().is_none()),
            "{name}"
        );

        request["source"]["password"] = json!("wrong");
        let message = driver::get(&request, directory.path()).failure();
        assert!(
            message.contains("401") && !message.contains("wrong"),
            "{name}: {message}"
        );
    }
}

#[test]
fn tls_is_trusted_by_the_given_authority_only() {
    let registry = Registry::builder().tls().start();
    let image = Image::with_text("one");
    registry.publish("app", "latest", &image);
    let directory = tempfile::tempdir().unwrap();
    let mut request = request(&registry, "app", &image, json!({}));
    // A certificate that nobody vouches for must not be answered with plain http.
    request["source"]["insecure"] = json!(true);
    let message = driver::get(&request, directory.path()).failure();
    assert!(message.to_lowercase().contains("certificate"), "{message}");
    request["source"]["ca_certs"] = json!([registry.ca_pem()]);
    driver::get(&request, directory.path()).answer();
    assert_eq!(read(directory.path().join("tag")), "latest");
}

#[test]
fn an_unwritable_destination_is_named() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let message = fetch(&registry, &Image::with_text("one"), json!({}), &file).failure();
    assert!(message.contains("create destination"), "{message}");
}
