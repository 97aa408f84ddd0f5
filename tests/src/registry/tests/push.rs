//! Writing: uploads in all their forms, and manifests.

use super::client::{Answer, End, send, send_to};
use crate::registry::{Ending, Fault, Match, Origin, Registry, UploadLocation};
use crate::{Artifact, Digest, Image};

const BLOB: &[u8] = b"0123456789";

/// Starts an upload and gives its path and query.
fn start(registry: &Registry) -> String {
    let answer = send(registry, "POST", "/v2/a/blobs/uploads/", &[], b"");
    assert_eq!(answer.status, 202);
    location(registry, &answer)
}

fn location(registry: &Registry, answer: &Answer) -> String {
    let location = answer.header("location").unwrap();
    location.replace(registry.url(Origin::Registry), "")
}

fn with_digest(target: &str) -> String {
    format!("{target}&digest={}", Digest::sha256(BLOB))
}

#[track_caller]
fn check_stored(registry: &Registry) {
    assert_eq!(
        registry.blob("a", &Digest::sha256(BLOB)).unwrap().bytes(),
        BLOB
    );
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn a_blob_in_one_stream() {
    let registry = Registry::start();
    let target = start(&registry);
    let patched = send(&registry, "PATCH", &target, &[], BLOB);
    assert_eq!(
        (patched.status, patched.header("range")),
        (202, Some("0-9"))
    );
    let done = send(
        &registry,
        "PUT",
        &with_digest(&location(&registry, &patched)),
        &[],
        b"",
    );
    assert_eq!(done.status, 201);
    assert!(
        done.header("location")
            .unwrap()
            .ends_with(Digest::sha256(BLOB).as_str())
    );
    check_stored(&registry);
    assert_eq!(registry.requests()[1].received, 10);
}

#[test]
fn a_blob_in_one_put_or_one_post() {
    let registry = Registry::start();
    let target = with_digest(&start(&registry));
    assert_eq!(send(&registry, "PUT", &target, &[], BLOB).status, 201);
    check_stored(&registry);

    let registry = Registry::start();
    let target = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(BLOB));
    assert_eq!(send(&registry, "POST", &target, &[], BLOB).status, 201);
    check_stored(&registry);
}

#[test]
fn a_blob_in_chunks_that_must_follow_each_other() {
    let registry = Registry::builder().minimal_chunk(4).start();
    let answer = send(&registry, "POST", "/v2/a/blobs/uploads/", &[], b"");
    assert_eq!(answer.header("oci-chunk-min-length"), Some("4"));
    let target = location(&registry, &answer);
    assert_eq!(
        send(
            &registry,
            "PATCH",
            &target,
            &["Content-Range: 0-3"],
            &BLOB[..4]
        )
        .status,
        202
    );
    let gap = send(
        &registry,
        "PATCH",
        &target,
        &["Content-Range: 5-9"],
        &BLOB[5..],
    );
    assert_eq!((gap.status, gap.header("range")), (416, Some("0-3")));
    let status = send(&registry, "GET", &target, &[], b"");
    assert_eq!((status.status, status.header("range")), (204, Some("0-3")));
    assert_eq!(
        send(
            &registry,
            "PATCH",
            &target,
            &["Content-Range: 4-9"],
            &BLOB[4..]
        )
        .status,
        202
    );
    assert_eq!(
        send(&registry, "PUT", &with_digest(&target), &[], b"").status,
        201
    );
    check_stored(&registry);
}

#[test]
fn a_wrong_digest_and_a_changed_query_are_refused() {
    let registry = Registry::start();
    let target = start(&registry);
    let tidied = target.replace("%3d", "%3D");
    assert_eq!(send(&registry, "PATCH", &tidied, &[], BLOB).status, 400);
    let wrong = send(&registry, "PUT", &with_digest(&target), &[], b"other");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("DIGEST_INVALID"));
    assert!(registry.blob("a", &Digest::sha256(BLOB)).is_none());
}

#[test]
fn a_cancelled_upload_is_unknown() {
    let registry = Registry::start();
    let target = start(&registry);
    assert_eq!(registry.open_uploads(), 1);
    assert_eq!(send(&registry, "DELETE", &target, &[], b"").status, 204);
    assert_eq!(registry.open_uploads(), 0);
    assert_eq!(send(&registry, "PATCH", &target, &[], BLOB).status, 404);
}

#[test]
fn a_sha512_blob() {
    let registry = Registry::start();
    let target = format!("{}&digest={}", start(&registry), Digest::sha512(BLOB));
    assert_eq!(send(&registry, "PUT", &target, &[], BLOB).status, 201);
    assert!(registry.blob("a", &Digest::sha512(BLOB)).is_some());
}

#[test]
fn mounting_needs_the_blob_in_the_source() {
    let registry = Registry::start();
    let digest = Digest::sha256(BLOB);
    let target = format!("/v2/a/blobs/uploads/?mount={digest}&from=b");
    assert_eq!(send(&registry, "POST", &target, &[], b"").status, 202);
    registry.put_blob("b", &crate::Blob::new("application/octet-stream", BLOB));
    assert_eq!(send(&registry, "POST", &target, &[], b"").status, 201);
    assert!(registry.blob("a", &digest).is_some());
}

#[test]
fn an_upload_that_is_cut_keeps_what_arrived() {
    let registry = Registry::start();
    let target = start(&registry);
    let rule = || Match::patch("/v2/a/blobs/uploads/*").once();
    registry.fault(rule(), Fault::end_request_at(4, Ending::Reset));
    let cut = send(&registry, "PATCH", &target, &[], BLOB);
    assert_eq!((cut.status, cut.end), (0, End::Reset));
    let status = send(&registry, "GET", &target, &[], b"");
    assert_eq!(status.header("range"), Some("0-3"));
    assert_eq!(registry.requests()[1].received, 4);

    registry.fault(rule(), Fault::status(401).and(Fault::answer_early(2)));
    let refused = send(
        &registry,
        "PATCH",
        &target,
        &["Content-Range: 4-9"],
        &BLOB[4..],
    );
    assert_eq!(refused.status, 401);
    assert_eq!(
        send(
            &registry,
            "PATCH",
            &target,
            &["Content-Range: 4-9"],
            &BLOB[4..]
        )
        .status,
        202
    );
    assert_eq!(
        send(&registry, "PUT", &with_digest(&target), &[], b"").status,
        201
    );
    check_stored(&registry);
}

#[test]
fn locations_in_every_form() {
    let cases = [
        (
            UploadLocation::Absolute,
            "BASE/v2/a/blobs/uploads/upload-1?",
        ),
        (UploadLocation::Path, "/v2/a/blobs/uploads/upload-1?"),
        (UploadLocation::Relative, "upload-1?"),
        (
            UploadLocation::Elsewhere,
            "ELSEWHERE/v2/a/blobs/uploads/upload-1?",
        ),
    ];
    for (form, expected) in cases {
        let registry = Registry::builder().upload_location(form).start();
        let answer = send(&registry, "POST", "/v2/a/blobs/uploads/", &[], b"");
        let location = answer.header("location").unwrap();
        let location = location
            .replace(registry.url(Origin::Registry), "BASE")
            .replace(registry.url(Origin::Elsewhere), "ELSEWHERE");
        assert!(location.starts_with(expected), "{location}");
    }
}

#[test]
fn uploads_elsewhere_take_no_credentials() {
    let registry = Registry::builder()
        .upload_location(UploadLocation::Elsewhere)
        .start();
    let elsewhere = registry.url(Origin::Elsewhere);
    let target = start(&registry).replace(elsewhere, "");
    let with = send_to(
        elsewhere,
        "PATCH",
        &target,
        &["Authorization: Bearer x"],
        BLOB,
    );
    assert_eq!(with.status, 400);
    assert_eq!(send_to(elsewhere, "PATCH", &target, &[], BLOB).status, 202);
    assert_eq!(
        send_to(elsewhere, "PUT", &with_digest(&target), &[], b"").status,
        201
    );
    check_stored(&registry);
    assert_eq!(registry.requests_to(Origin::Elsewhere).len(), 3);
}

#[test]
fn a_manifest_needs_its_blobs_and_its_own_digest() {
    let registry = Registry::start();
    let image = Image::with_text("a");
    let bytes = image.manifest().content().bytes();
    let oci = "Content-Type: application/vnd.oci.image.manifest.v1+json";
    let put = |target: &str, kind: &str| send(&registry, "PUT", target, &[kind], &bytes);

    let refused = put("/v2/a/manifests/1", oci);
    assert_eq!(refused.status, 404);
    assert!(refused.text().contains("MANIFEST_BLOB_UNKNOWN"));
    image
        .blobs()
        .into_iter()
        .for_each(|blob| registry.put_blob("a", blob));
    assert_eq!(
        put("/v2/a/manifests/1", "Content-Type: application/json").status,
        400
    );
    let other = format!("/v2/a/manifests/{}", Digest::sha256(b""));
    assert_eq!(put(&other, oci).status, 400);

    let stored = put("/v2/a/manifests/1", oci);
    assert_eq!(stored.status, 201);
    assert_eq!(
        stored.header("docker-content-digest"),
        Some(image.digest().as_str())
    );
    assert_eq!(
        put(&format!("/v2/a/manifests/{}", image.digest()), oci).status,
        201
    );
    assert_eq!(registry.tags("a"), ["1"]);
    assert_eq!(registry.manifest("a", "1").unwrap().1, bytes);
}

#[test]
fn tags_and_manifests_can_be_deleted() {
    let registry = Registry::start();
    let digest = registry.publish("a", "1", &Image::with_text("a"));
    registry.tag("a", "2", &digest);
    assert_eq!(
        send(&registry, "DELETE", "/v2/a/manifests/1", &[], b"").status,
        202
    );
    assert_eq!(registry.tags("a"), ["2"]);
    assert_eq!(
        send(
            &registry,
            "DELETE",
            &format!("/v2/a/manifests/{digest}"),
            &[],
            b""
        )
        .status,
        202
    );
    assert!(registry.tags("a").is_empty());
    assert_eq!(
        send(&registry, "DELETE", "/v2/a/manifests/2", &[], b"").status,
        404
    );
}

#[test]
fn an_upload_may_keep_less_than_was_sent() {
    let registry = Registry::start();
    let target = start(&registry);
    registry.fault(Match::patch("*").once(), Fault::keep_only(3));
    let answer = send(&registry, "PATCH", &target, &[], BLOB);
    assert_eq!((answer.status, answer.header("range")), (202, Some("0-2")));
    assert_eq!(registry.requests()[1].received, 10);
    assert_eq!(
        send(
            &registry,
            "PATCH",
            &target,
            &["Content-Range: 3-9"],
            &BLOB[3..]
        )
        .status,
        202
    );
    assert_eq!(
        send(&registry, "PUT", &with_digest(&target), &[], b"").status,
        201
    );
    check_stored(&registry);
}
