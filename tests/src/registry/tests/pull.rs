//! Reading: manifests, blobs, tags, referrers.

use serde_json::{Value, json};

use super::client::send;
use crate::registry::{LinkForm, Origin, Paging, Registry, RouteKind};
use crate::{Artifact, Blob, Image, Index};

#[test]
fn manifests_come_with_their_exact_bytes_by_tag_and_by_digest() {
    let registry = Registry::start();
    let image = Image::with_text("a");
    let digest = registry.publish("library/a", "latest", &image);
    for reference in ["latest", digest.as_str()] {
        let answer = send(
            &registry,
            "GET",
            &format!("/v2/library/a/manifests/{reference}"),
            &[],
            b"",
        );
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("application/vnd.oci.image.manifest.v1+json")
        );
        assert_eq!(
            answer.header("docker-content-digest"),
            Some(digest.as_str())
        );
        assert_eq!(answer.body, image.manifest().content().bytes());
        let head = send(
            &registry,
            "HEAD",
            &format!("/v2/library/a/manifests/{reference}"),
            &[],
            b"",
        );
        assert_eq!(head.status, 200);
        let length = image.manifest().descriptor().size.to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
    }
    let transcript = registry.transcript();
    assert_eq!(
        transcript.lines().next(),
        Some("GET /v2/library/a/manifests/latest -> 200")
    );
    assert_eq!(transcript.lines().count(), 4);
}

#[test]
fn what_is_missing_has_an_error_code() {
    let registry = Registry::start();
    registry.publish("a", "1", &Image::with_text("a"));
    let absent = crate::Digest::sha256(b"absent");
    let cases = [
        ("/v2/a/manifests/2".to_owned(), "MANIFEST_UNKNOWN"),
        ("/v2/b/manifests/1".to_owned(), "NAME_UNKNOWN"),
        ("/v2/b/tags/list".to_owned(), "NAME_UNKNOWN"),
        (format!("/v2/a/blobs/{absent}"), "BLOB_UNKNOWN"),
        ("/v3/".to_owned(), "UNSUPPORTED"),
    ];
    for (target, code) in cases {
        let answer = send(&registry, "GET", &target, &[], b"");
        assert_eq!(answer.status, 404, "{target}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["errors"][0]["code"], code, "{target}");
    }
}

#[test]
fn an_index_brings_everything_beneath_it() {
    let registry = Registry::start();
    let image = Image::with_text("a");
    let inner = Index::builder().image(&image).build();
    let outer = Index::builder()
        .docker()
        .index(&inner)
        .attestation_for(&image)
        .build();
    registry.publish("a", "1", &outer);
    let (media_type, _) = registry.manifest("a", "1").unwrap();
    assert_eq!(
        media_type,
        "application/vnd.docker.distribution.manifest.list.v2+json"
    );
    assert!(registry.manifest("a", inner.digest().as_str()).is_some());
    assert!(registry.manifest("a", image.digest().as_str()).is_some());
    for blob in outer.blobs() {
        assert!(registry.blob("a", blob.digest()).is_some());
    }
    assert!(
        registry.blob("b", image.config().digest()).is_none(),
        "blobs belong to repositories"
    );
}

fn published(bytes: &'static [u8]) -> (Registry, String) {
    let registry = Registry::start();
    let blob = Blob::new("application/octet-stream", bytes);
    registry.put_blob("a", &blob);
    let target = format!("/v2/a/blobs/{}", blob.digest());
    (registry, target)
}

#[test]
fn ranges_of_blobs() {
    let (registry, target) = published(b"0123456789");
    let cases = [
        ("", 200, None, "0123456789"),
        ("Range: bytes=4-", 206, Some("bytes 4-9/10"), "456789"),
        ("Range: bytes=2-3", 206, Some("bytes 2-3/10"), "23"),
        ("Range: bytes=-1", 206, Some("bytes 9-9/10"), "9"),
        ("Range: bytes=10-", 416, Some("bytes */10"), ""),
        ("Range: lines=1-", 200, None, "0123456789"),
    ];
    for (header, status, content_range, body) in cases {
        let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
        let answer = send(&registry, "GET", &target, headers, b"");
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (status, content_range),
            "{header}"
        );
        assert_eq!(answer.text(), body, "{header}");
    }
}

#[test]
fn if_range_must_name_the_current_entity() {
    let (registry, target) = published(b"0123456789");
    let etag = send(&registry, "HEAD", &target, &[], b"")
        .header("etag")
        .unwrap()
        .to_owned();
    let current = format!("If-Range: {etag}");
    for (condition, status) in [(current.as_str(), 206), ("If-Range: \"old\"", 200)] {
        let answer = send(
            &registry,
            "GET",
            &target,
            &["Range: bytes=4-", condition],
            b"",
        );
        assert_eq!(answer.status, status, "{condition}");
    }
}

/// Follows links as a client that knows every form would, and gives the pages.
fn pages(form: LinkForm, first: &str) -> Vec<Vec<String>> {
    let registry = Registry::builder().paging(Paging::of(2).link(form)).start();
    let digest = registry.push("a", &Image::with_text("a"));
    for tag in ["1", "2", "3", "4", "5"] {
        registry.tag("a", tag, &digest);
    }
    let mut pages = Vec::new();
    let mut target = first.to_owned();
    while pages.len() < 4 {
        let answer = send(&registry, "GET", &target, &[], b"");
        assert_eq!(answer.status, 200, "{target}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["name"], "a");
        pages.push(serde_json::from_value(body["tags"].clone()).unwrap());
        let Some(link) = answer.header("link") else {
            break;
        };
        let url = link.rsplit_once('<').unwrap().1.split('>').next().unwrap();
        let base = registry.url(Origin::Registry);
        target = match url {
            query if query.starts_with('?') => format!("/v2/a/tags/list{query}"),
            url => url.replace(base, "").replace("/repository/docker", ""),
        };
    }
    pages
}

#[test]
fn tag_lists_are_paged_in_every_form() {
    let all: Vec<Vec<String>> =
        serde_json::from_value(json!([["1", "2"], ["3", "4"], ["5"]])).unwrap();
    let forms = [
        LinkForm::Path,
        LinkForm::Absolute,
        LinkForm::QueryOnly,
        LinkForm::Opaque,
        LinkForm::Unquoted,
        LinkForm::Internal,
    ];
    for form in forms {
        assert_eq!(
            pages(form.clone(), "/v2/a/tags/list?n=1000"),
            all,
            "{form:?}"
        );
        assert_eq!(pages(form.clone(), "/v2/a/tags/list"), all, "{form:?}");
    }
    assert_eq!(pages(LinkForm::None, "/v2/a/tags/list"), all[..1]);
    assert_eq!(
        pages(LinkForm::Loop, "/v2/a/tags/list"),
        vec![all[0].clone(); 4]
    );
}

#[test]
fn some_registries_refuse_or_ignore_a_page_size() {
    let registry = Registry::builder()
        .paging(Paging::of(100).refuse_above(1000))
        .start();
    registry.publish("a", "1", &Image::with_text("a"));
    assert_eq!(
        send(&registry, "GET", "/v2/a/tags/list?n=1000", &[], b"").status,
        200
    );
    assert_eq!(
        send(&registry, "GET", "/v2/a/tags/list?n=1001", &[], b"").status,
        400
    );
    registry.publish("a", "2", &Image::with_text("a"));
    registry.set_paging(Paging::default().ignore_n());
    let answer = send(&registry, "GET", "/v2/a/tags/list?n=1", &[], b"");
    assert_eq!(answer.text(), r#"{"name":"a","tags":["1","2"]}"#);
    assert_eq!(answer.header("link"), None);
}

#[test]
fn referrers_are_found_by_subject_and_filtered_by_type() {
    let registry = Registry::start();
    let image = Image::with_text("a");
    registry.push("a", &image);
    let subject = json!(image.manifest().descriptor());
    let signature = Image::builder()
        .edit_manifest(move |manifest| {
            manifest["artifactType"] = json!("application/signature");
            manifest["subject"] = subject;
        })
        .build();
    registry.push("a", &signature);
    let found = |query: &str| {
        let target = format!("/v2/a/referrers/{}{query}", image.digest());
        let answer = send(&registry, "GET", &target, &[], b"");
        assert_eq!(answer.status, 200);
        let index: Value = serde_json::from_slice(&answer.body).unwrap();
        index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["digest"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(""), [json!(signature.digest())]);
    assert_eq!(
        found("?artifactType=application/signature"),
        [json!(signature.digest())]
    );
    assert!(found("?artifactType=other").is_empty());
}

#[test]
fn the_diary_counts() {
    let (registry, target) = published(b"0123456789");
    send(
        &registry,
        "GET",
        &target,
        &["X-Test: yes", "Authorization: Basic eA=="],
        b"",
    );
    send(&registry, "GET", "/v2/", &[], b"");
    assert_eq!(registry.count("GET", "/v2/a/blobs/"), 1);
    assert_eq!(registry.count("GET", "/v2/"), 2);
    assert_eq!(registry.count("HEAD", "/v2/"), 0);
    assert_eq!(registry.connections(), 2);
    assert_eq!(registry.used_connections(Origin::Registry), 2);
    assert_eq!(registry.max_in_flight(RouteKind::Blob), 1);
    let requests = registry.requests();
    assert_eq!(requests[0].header("x-test"), Some("yes"));
    assert_eq!(requests[0].authorization(), Some("Basic eA=="));
    assert_eq!(
        (
            requests[0].sent,
            requests[0].connection,
            requests[1].sequence
        ),
        (10, 0, 1)
    );
    registry.clear_requests();
    send(&registry, "GET", "/v2/?x=1", &[], b"");
    assert_eq!(registry.transcript(), "GET /v2/?x=1 -> 200\n");
    assert_eq!(registry.requests()[0].sequence, 2);
}

#[test]
fn a_dropped_registry_is_gone() {
    let registry = Registry::start();
    let address = registry.addr();
    drop(registry);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_hundred_thousand_tags_are_no_burden() {
    let registry = Registry::start();
    let digest = registry.push("a", &Image::with_text("a"));
    for number in 0..100_000 {
        registry.tag("a", &number.to_string(), &digest);
    }
    let answer = send(&registry, "GET", "/v2/a/tags/list?n=2&last=99996", &[], b"");
    assert_eq!(answer.text(), r#"{"name":"a","tags":["99997","99998"]}"#);
    assert_eq!(
        answer.header("link"),
        Some("</v2/a/tags/list?last=99998&n=2>; rel=\"next\"")
    );
    registry.untag("a", "99998");
    let answer = send(&registry, "GET", "/v2/a/tags/list?n=2&last=99997", &[], b"");
    assert_eq!(answer.text(), r#"{"name":"a","tags":["99999"]}"#);
}
