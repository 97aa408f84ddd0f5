//! Each fault does what it says.

use std::time::{Duration, Instant};

use super::client::{Answer, End, send, send_to};
use crate::registry::{Auth, Ending, Fault, Match, Origin, Registry};
use crate::{Blob, Digest, Image};

const TEXT: &[u8] = b"0123456789abcdefghij";

/// A blob under a registry of its own, asked for once with `fault`.
fn fetch(fault: Fault) -> Answer {
    fetch_with(fault, &[])
}

fn fetch_with(fault: Fault, headers: &[&str]) -> Answer {
    let (registry, target) = published(TEXT.to_vec());
    registry.fault(Match::get("/v2/a/blobs/*").once(), fault);
    let answer = send(&registry, "GET", &target, headers, b"");
    let after = send(&registry, "GET", &target, &[], b"");
    assert_eq!(
        (after.status, &after.body[..]),
        (200, TEXT),
        "the fault is used up"
    );
    answer
}

fn published(bytes: Vec<u8>) -> (Registry, String) {
    let registry = Registry::start();
    let blob = Blob::new("application/octet-stream", bytes);
    registry.put_blob("a", &blob);
    let target = format!("/v2/a/blobs/{}", blob.digest());
    (registry, target)
}

#[test]
fn statuses_with_headers_and_bodies() {
    let busy = fetch(Fault::status(429).header("Retry-After", "1"));
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("1")));
    assert!(busy.text().contains("TOOMANYREQUESTS"));
    let html = fetch(
        Fault::status(502)
            .header("Content-Type", "text/html")
            .body("<html>"),
    );
    assert_eq!((html.status, html.text().as_str()), (502, "<html>"));
}

#[test]
fn headers_of_the_regular_answer() {
    let wrong = Digest::sha256(b"wrong");
    let answer = fetch(
        Fault::answer()
            .header("Docker-Content-Digest", wrong.as_str())
            .add_header("X-Twice", "1")
            .add_header("X-Twice", "2")
            .without_header("etag")
            .as_status(203),
    );
    assert_eq!(answer.status, 203);
    assert_eq!(answer.header("docker-content-digest"), Some(wrong.as_str()));
    assert_eq!(answer.header("etag"), None);
    assert_eq!(answer.head.matches("x-twice").count(), 2);
    assert_eq!(answer.body, TEXT);
}

#[test]
fn connections_that_end_without_an_answer() {
    for (fault, end) in [(Fault::reset(), End::Reset), (Fault::close(), End::Closed)] {
        let answer = fetch(fault);
        assert_eq!((answer.status, answer.end), (0, end));
    }
}

#[test]
fn bodies_that_are_cut_at_a_byte() {
    for (fault, end) in [
        (Fault::cut_at(7), End::Closed),
        (Fault::reset_at(7), End::Reset),
    ] {
        let answer = fetch(fault);
        assert_eq!(answer.header("content-length"), Some("20"));
        assert_eq!(answer.end, end);
        assert_eq!(answer.body, &TEXT[..7]);
    }
    let chunked = fetch(Fault::cut_at(7).without_header("content-length"));
    assert_eq!((chunked.end, &chunked.body[..]), (End::Closed, &TEXT[..7]));
    let at_once = fetch(Fault::cut_at(0));
    assert_eq!(
        (at_once.status, at_once.end, at_once.body.len()),
        (200, End::Closed, 0)
    );
}

#[test]
fn large_bodies_are_cut_at_the_exact_byte() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let (registry, target) = published(bytes.clone());
    registry.fault(Match::get("/v2/a/blobs/*").once(), Fault::cut_at(2_345_678));
    let answer = send(&registry, "GET", &target, &[], b"");
    assert_eq!((answer.body.len(), answer.end), (2_345_678, End::Closed));
    assert!(answer.body == bytes[..2_345_678]);
    assert_eq!(registry.requests()[0].sent, 2_345_678);
    let rest = send(&registry, "GET", &target, &["Range: bytes=2345678-"], b"");
    assert!(
        rest.body == bytes[2_345_678..],
        "the spilled blob serves ranges"
    );
}

#[test]
fn positions_count_within_the_part_that_is_sent() {
    let answer = fetch_with(Fault::cut_at(2), &["Range: bytes=10-"]);
    assert_eq!((answer.status, &answer.body[..]), (206, &TEXT[10..12]));
}

#[test]
fn bodies_that_stall() {
    let answer = fetch(Fault::stall_at(5));
    assert_eq!((answer.end, &answer.body[..]), (End::Stalled, &TEXT[..5]));
    let start = Instant::now();
    let answer = fetch(Fault::pause_at(5, Duration::from_millis(60)));
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert_eq!((answer.end, &answer.body[..]), (End::Complete, TEXT));
}

#[test]
fn late_answers() {
    let start = Instant::now();
    let fault = Fault::delay(Duration::from_millis(60)).and(Fault::status(503));
    assert_eq!(fetch(fault).status, 503);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn bodies_and_answers_take_their_time() {
    let start = Instant::now();
    let answer = fetch(Fault::pace(8, Duration::from_millis(20)));
    assert!(
        start.elapsed() >= Duration::from_millis(40),
        "two pauses between three pieces"
    );
    assert_eq!((answer.end, &answer.body[..]), (End::Complete, TEXT));

    let registry = Registry::builder()
        .latency(Duration::from_millis(30))
        .start();
    let start = Instant::now();
    assert_eq!(send(&registry, "GET", "/v2/", &[], b"").status, 200);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[test]
fn bodies_with_other_bytes() {
    let corrupt = fetch(Fault::corrupt_at(3).and(Fault::corrupt_at(19)));
    let mut expected = TEXT.to_vec();
    expected[3] ^= 0xff;
    expected[19] ^= 0xff;
    assert_eq!(corrupt.body, expected);

    let short = fetch(Fault::truncate(5));
    assert_eq!(
        (short.header("content-length"), short.end),
        (Some("5"), End::Complete)
    );
    assert_eq!(short.body, &TEXT[..5]);

    let long = fetch(Fault::extend(3));
    assert_eq!(long.body, [TEXT, &[0, 0, 0]].concat());
}

#[test]
fn endless_bodies_end_when_told() {
    let answer = fetch(Fault::endless().and(Fault::cut_at(200_000)));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!((answer.body.len(), answer.end), (200_000, End::Closed));
}

#[test]
fn compressed_transfer() {
    let answer = fetch(Fault::gzip());
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(&answer.body[..2], [0x1f, 0x8b]);
}

#[test]
fn ranges_that_are_ignored_or_wrong() {
    let range = &["Range: bytes=10-"];
    let whole = fetch_with(Fault::ignore_range(), range);
    assert_eq!((whole.status, &whole.body[..]), (200, TEXT));
    let wrong = fetch_with(
        Fault::answer().header("Content-Range", "bytes 0-9/20"),
        range,
    );
    assert_eq!((wrong.status, &wrong.body[..]), (206, &TEXT[10..]));
    assert_eq!(wrong.header("content-range"), Some("bytes 0-9/20"));
}

#[test]
fn redirects_elsewhere_are_bare_and_run_out() {
    let (registry, target) = published(TEXT.to_vec());
    registry.fault(
        Match::get("/v2/a/blobs/*"),
        Fault::redirect_elsewhere_for(2),
    );
    let answer = send(&registry, "GET", &target, &[], b"");
    assert_eq!(answer.status, 307);
    let elsewhere = registry.url(Origin::Elsewhere);
    let location = answer
        .header("location")
        .unwrap()
        .strip_prefix(elsewhere)
        .unwrap();
    let with = send_to(
        elsewhere,
        "GET",
        location,
        &["Authorization: Basic eA=="],
        b"",
    );
    assert_eq!(with.status, 400);
    let statuses = [(); 3].map(|()| send_to(elsewhere, "GET", location, &[], b"").status);
    assert_eq!(statuses, [200, 200, 403]);
    let requests = registry.requests_to(Origin::Elsewhere);
    assert_eq!(requests[0].authorization(), Some("Basic eA=="));
}

#[test]
fn redirects_that_lead_nowhere() {
    let (registry, target) = published(TEXT.to_vec());
    registry.fault(Match::head("*").once(), Fault::redirect_to_itself());
    registry.fault(Match::head("*"), Fault::redirect_to("http://10.0.0.1/"));
    let itself = format!("{}{target}", registry.url(Origin::Registry));
    for expected in [itself.as_str(), "http://10.0.0.1/"] {
        let answer = send(&registry, "HEAD", &target, &[], b"");
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some(expected))
        );
    }
}

#[test]
fn rules_are_taken_in_order_and_counted() {
    let registry = Registry::start();
    registry.publish("a", "1", &Image::with_text("a"));
    registry.fault(
        Match::get("/v2/*/manifests/*").after(1).times(2),
        Fault::status(500),
    );
    registry.fault(
        Match::any("/v2/a/manifests/1").with_header("X-Test", "ye"),
        Fault::status(418),
    );
    let mut statuses = Vec::new();
    for header in [
        "X-Other: 1",
        "X-Test: yes",
        "X-Other: 1",
        "X-Test: yes",
        "X-Other: 1",
    ] {
        statuses.push(send(&registry, "GET", "/v2/a/manifests/1", &[header], b"").status);
    }
    assert_eq!(statuses, [200, 500, 500, 418, 200]);
    registry.clear_faults();
    assert_eq!(
        send(&registry, "GET", "/v2/a/manifests/1", &["X-Test: yes"], b"").status,
        200
    );
}

#[test]
fn faults_come_before_authentication_and_hit_tokens_too() {
    let registry = Registry::builder()
        .auth(Auth::bearer().anonymous_pull())
        .fault(
            Match::get("/token").once(),
            Fault::status(503).header("Retry-After", "0"),
        )
        .fault(Match::head("/v2/*/manifests/*"), Fault::status(405))
        .start();
    assert_eq!(send(&registry, "GET", "/token", &[], b"").status, 503);
    assert_eq!(send(&registry, "GET", "/token", &[], b"").status, 200);
    assert_eq!(
        send(&registry, "HEAD", "/v2/a/manifests/1", &[], b"").status,
        405
    );
    assert_eq!(
        registry.transcript().lines().last(),
        Some("HEAD /v2/a/manifests/1 -> 405")
    );
}

#[test]
fn a_cut_request_has_no_status_in_the_diary() {
    let registry = Registry::start();
    registry.fault(Match::get("/v2/"), Fault::end(Ending::Close));
    send(&registry, "GET", "/v2/", &[], b"");
    assert_eq!(registry.transcript(), "GET /v2/ -> cut\n");
}
