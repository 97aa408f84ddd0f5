//! `out` when the registry or the network misbehaves.

use http::{Method, StatusCode};
use regimg_tests::registry::{Auth, Ending, Fault, Match, Registry, UploadLocation};
use regimg_tests::{ArchiveLayers, Image, Layer};
use serde_json::json;

use super::{archive, image, manifest, push};

const PATCH: &str = "/v2/app/blobs/uploads/*";

/// Pushes with these faults, which must not keep the image from arriving whole.
#[track_caller]
fn arrives(what: &str, registry: &Registry, faults: Vec<(Match, Fault)>) {
    for (rule, fault) in faults {
        registry.fault(rule, fault);
    }
    let image = image();
    push(registry, &archive(&image, ArchiveLayers::Stored)).answer();
    for layer in image.layers() {
        let arrived = registry.blob("app", layer.digest()).unwrap();
        assert!(arrived.bytes() == layer.content().bytes(), "{what}");
    }
    assert_eq!(
        manifest(registry)["layers"].as_array().unwrap().len(),
        2,
        "{what}"
    );
    assert_eq!(
        registry.open_uploads(),
        0,
        "{what}: {}",
        registry.transcript()
    );
}

#[test]
fn passing_faults_of_an_upload_are_outlived() {
    let once = |rule: Match, fault: Fault| vec![(rule.once(), fault)];
    let head = || Match::head("/v2/app/blobs/*");
    let post = || Match::post("/v2/app/blobs/uploads/*");
    let patch = || Match::patch(PATCH);
    let commit = || Match::put("/v2/app/blobs/uploads/*");
    let cases = vec![
        ("503 on asking", once(head(), Fault::status(503))),
        ("reset on asking", once(head(), Fault::reset())),
        ("403 on asking", vec![(head(), Fault::status(403))]),
        ("405 on asking", vec![(head(), Fault::status(405))]),
        ("502 on beginning", once(post(), Fault::status(502))),
        ("reset on beginning", once(post(), Fault::reset())),
        (
            "429 with a wait",
            once(post(), Fault::status(429).header("Retry-After", "0")),
        ),
        (
            "cut at once",
            once(patch(), Fault::end_request_at(0, Ending::Reset)),
        ),
        (
            "cut early",
            once(patch(), Fault::end_request_at(1, Ending::Close)),
        ),
        (
            "cut late",
            once(patch(), Fault::end_request_at(200_000, Ending::Reset)),
        ),
        (
            "cut twice",
            vec![(
                patch().times(2),
                Fault::end_request_at(100_000, Ending::Close),
            )],
        ),
        ("500 on sending", once(patch(), Fault::status(500))),
        ("upload lost", once(patch(), Fault::status(404))),
        ("a part kept", once(patch(), Fault::keep_only(100_000))),
        ("no answer to sending", once(patch(), Fault::close())),
        (
            "201 to sending",
            vec![(patch(), Fault::answer().as_status(201))],
        ),
        ("503 on committing", once(commit(), Fault::status(503))),
        ("reset on committing", once(commit(), Fault::reset())),
        ("commit's answer lost", once(commit(), Fault::cut_at(0))),
    ];
    for (what, faults) in cases {
        arrives(what, &Registry::start(), faults);
    }
}

#[test]
fn uploads_may_be_anywhere() {
    for location in [
        UploadLocation::Absolute,
        UploadLocation::Path,
        UploadLocation::Relative,
        UploadLocation::Elsewhere,
    ] {
        let registry = Registry::builder().upload_location(location).start();
        arrives(&format!("{location:?}"), &registry, Vec::new());
    }
}

/// Pushes a layer whose first request is told that it is too large, and returns the sizes of
/// the pieces that it then came in.
#[track_caller]
fn pieces_after_413(registry: &Registry, bytes: u64) -> Vec<u64> {
    let layer = Layer::parse(&format!("file large random={bytes}"));
    let image = Image::builder().docker().layer(layer).build();
    // Nothing but the layer is left to be sent.
    registry.put_blob("app", image.config());
    registry.fault(Match::patch(PATCH).once(), Fault::status(413));
    push(registry, &archive(&image, ArchiveLayers::Stored)).answer();
    let layer = image.layers()[0];
    let arrived = registry.blob("app", layer.digest()).unwrap();
    assert!(arrived.bytes() == layer.content().bytes());
    let requests = registry.requests();
    let accepted = requests.iter().filter(|request| {
        request.method == Method::PATCH && request.status == Some(StatusCode::ACCEPTED)
    });
    accepted.map(|request| request.received).collect()
}

#[test]
fn a_body_that_is_too_large_is_sent_in_pieces() {
    let pieces = pieces_after_413(&Registry::start(), 9_000_000);
    assert!(pieces.len() > 1, "{pieces:?}");
}

#[test]
fn pieces_are_as_large_as_the_registry_wants_them() {
    let least = 10 << 20;
    let registry = Registry::builder().minimal_chunk(least).start();
    let pieces = pieces_after_413(&registry, 24_000_000);
    let (_, but_the_last) = pieces.split_last().unwrap();
    assert!(!but_the_last.is_empty(), "{pieces:?}");
    assert!(
        but_the_last.iter().all(|piece| *piece >= least),
        "{pieces:?}"
    );
}

/// An upload's address may lead to a store elsewhere, but not into the worker's own network.
#[test]
fn uploads_do_not_go_to_private_addresses() {
    for address in ["http://169.254.169.254/up?x=1", "http://10.0.0.1:1/up?x=1"] {
        let registry = Registry::start();
        registry.fault(
            Match::post("/v2/app/blobs/uploads/*"),
            Fault::answer().header("Location", address),
        );
        let outcome = push(&registry, &archive(&image(), ArchiveLayers::Stored));
        let failure = outcome.failure();
        let host = address.split('/').nth(2).unwrap();
        assert!(failure.contains(host), "{failure}");
        assert!(failure.contains("private network"), "{failure}");
        assert!(registry.tags("app").is_empty());
    }
}

#[test]
fn faults_of_manifests_are_outlived_and_answers_differ() {
    let put = || Match::put("/v2/app/manifests/*");
    let head = || Match::head("/v2/app/manifests/*");
    let cases = vec![
        ("200", put(), Fault::answer().as_status(200)),
        ("202", put(), Fault::answer().as_status(202)),
        (
            "no location",
            put(),
            Fault::answer().without_header("location"),
        ),
        (
            "429",
            put().once(),
            Fault::status(429).header("Retry-After", "0"),
        ),
        ("503", put().once(), Fault::status(503)),
        ("reset", put().once(), Fault::reset()),
        ("403 on asking", head(), Fault::status(403)),
        ("405 on asking", head(), Fault::status(405)),
    ];
    for (what, rule, fault) in cases {
        arrives(what, &Registry::start(), vec![(rule, fault)]);
    }
}

#[test]
fn lasting_faults_are_told_with_what_was_being_done() {
    let cases = [
        (Match::post("/v2/app/blobs/uploads/*"), 403, "blob sha256:"),
        (Match::patch(PATCH), 400, "blob sha256:"),
        (Match::put("/v2/app/blobs/uploads/*"), 400, "blob sha256:"),
        (Match::put("/v2/app/manifests/*"), 400, "tag 1.0: "),
        (Match::put("/v2/app/manifests/*"), 403, "tag 1.0: "),
    ];
    for (rule, status, what) in cases {
        let registry = Registry::start();
        registry.fault(rule, Fault::status(status));
        let outcome = push(&registry, &archive(&image(), ArchiveLayers::Stored));
        let failure = outcome.failure();
        let start = format!("pushing image failed: pushing tag(s): {what}");
        assert!(failure.starts_with(&start), "{failure}");
        assert!(failure.contains(&status.to_string()), "{failure}");
        assert!(registry.tags("app").is_empty());
    }
}

#[test]
fn a_token_that_is_refused_on_the_way_is_bought_again() {
    let registry = Registry::builder()
        .auth(Auth::bearer().account("user", "secret").token_uses(4))
        .start();
    let directory = tempfile::tempdir().unwrap();
    archive(&image(), ArchiveLayers::Stored)
        .write(directory.path().join("image.tar"))
        .unwrap();
    let mut request = super::request(&registry);
    request["source"]["username"] = json!("user");
    request["source"]["password"] = json!("secret");
    crate::driver::put(&request, directory.path()).answer();
    assert!(registry.tag_digest("app", "1.0").is_some());
    let refused = registry.requests();
    let refused = refused
        .iter()
        .filter(|request| request.status == Some(StatusCode::UNAUTHORIZED));
    assert!(refused.count() > 1, "{}", registry.transcript());
}
