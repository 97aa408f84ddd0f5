//! Transfers that go wrong in every way that one can: each ends with the right result, or
//! with an error that says which layer, after how many bytes, and from where.

use regimg_tests::Image;
use regimg_tests::registry::{Ending, Fault, Match, Origin, Registry};
use regimg_tests::tls::Protocols;
use serde_json::json;

use super::faults::{blob_path, large};
use super::{FORMATS, names, request};
use crate::driver::{self, Outcome};

/// What is done to the requests for the layer, in this order.
type Faults = Vec<Fault>;

/// Busy for one second of that day, whichever ours is: whose clock is wrong, or was just set,
/// cannot be known, and must not matter.
fn by_its_clock(day: &str) -> Fault {
    let second = |second| format!("{day} 00:00:0{second} GMT");
    Fault::status(429)
        .header("date", &second(0))
        .header("retry-after", &second(1))
}

/// Fetches in one format with faults on the layer's requests, the last of them on all that
/// follow if `stays` says so.
fn fetch(
    registry: &Registry,
    faults: &[Fault],
    stays: bool,
    format: &str,
) -> (Outcome, Result<(), String>) {
    let image = large();
    registry.publish("app", "latest", &image);
    for (at, fault) in faults.iter().enumerate() {
        let rule = Match::get(&blob_path(&image));
        let is_last = at + 1 == faults.len();
        registry.fault(
            if stays && is_last { rule } else { rule.once() },
            fault.clone(),
        );
    }
    let mut request = request(registry, "app", &image, json!({"format": format}));
    if registry.url(Origin::Registry).starts_with("https") {
        request["source"]["ca_certs"] = json!([registry.ca_pem()]);
    }
    let directory = tempfile::tempdir().unwrap();
    let outcome = driver::get(&request, directory.path());
    let left = names(directory.path());
    let state = if left.is_empty() {
        Err(format!("{:?}", image.layers()[0].digest()))
    } else {
        whole(directory.path(), &image, format)
    };
    (outcome, state)
}

/// Compares what was written with what the image holds.
fn whole(directory: &std::path::Path, image: &Image, format: &str) -> Result<(), String> {
    let layer = image.layers()[0].content().bytes();
    let found = match format {
        "rootfs" => {
            std::fs::metadata(directory.join("rootfs/large"))
                .unwrap()
                .len()
                == 300_000
        }
        "oci" => {
            let archive = std::fs::read(directory.join("image.tar")).unwrap();
            // The configuration has a block for its header and one for itself.
            archive[3 * 512..][..layer.len()] == layer
        }
        _ => {
            let digest = image.layers()[0].digest();
            let blob = directory.join("oci/blobs/sha256").join(digest.hex());
            std::fs::read(blob).unwrap() == layer
        }
    };
    if found {
        Ok(())
    } else {
        Err("something else".to_owned())
    }
}

#[track_caller]
fn arrives(registry: &Registry, name: &str, faults: &[Fault], format: &str) {
    let (outcome, state) = fetch(registry, faults, false, format);
    outcome.answer();
    assert_eq!(state, Ok(()), "{name}, {format}");
}

/// `expected` is part of the message; so are the layer, the host, and some count of bytes.
#[track_caller]
fn fails(name: &str, faults: &[Fault], expected: &str) {
    for format in FORMATS {
        let registry = Registry::start();
        let (outcome, state) = fetch(&registry, faults, true, format);
        let message = outcome.failure();
        let digest = large().layers()[0].digest().to_string();
        for part in [
            expected,
            &format!("layer {digest}, after "),
            &registry.host(),
        ] {
            assert!(
                message.contains(part),
                "{name}, {format}: {part}: {message}"
            );
        }
        assert!(state.is_err(), "{name}, {format}: something was left");
    }
}

#[test]
fn cuts_anywhere_are_mended() {
    let size = large().layers()[0].content().len();
    let positions = (0..size).step_by(64 * 1024).chain([1, size - 1]);
    for (at, position) in positions.enumerate() {
        for ending in [Ending::Close, Ending::Reset] {
            let name = format!("{ending:?} at {position}");
            let faults = [Fault::end_at(position, ending)];
            arrives(&Registry::start(), &name, &faults, FORMATS[at % 3]);
        }
    }
}

/// Every error code that HTTP/2 has, and connections that are to be left. Code 0 is no
/// error: to the HTTP library the body has ended in good order.
#[test]
fn streams_that_are_reset_are_mended() {
    let registry = Registry::builder()
        .tls()
        .protocols(Protocols::Http2)
        .start();
    for code in 0..=13 {
        let faults = [Fault::end_at(
            70_000 * u64::from(code % 5),
            Ending::Stream(code),
        )];
        let format = FORMATS[code as usize % 3];
        arrives(&registry, &format!("code {code}"), &faults, format);
        registry.clear_faults();
    }
    for fault in [
        Fault::go_away(),
        Fault::hang_up(),
        Fault::go_away().and(Fault::cut_at(70_000)),
    ] {
        for format in FORMATS {
            arrives(&registry, "leaving", std::slice::from_ref(&fault), format);
            registry.clear_faults();
        }
    }
}

#[test]
fn other_troubles_on_the_way_are_mended() {
    let cut = || Fault::cut_at(100_000);
    let cases: [(&str, Faults); 10] = [
        (
            "four cuts in a row",
            vec![
                cut(),
                Fault::cut_at(10),
                Fault::cut_at(10),
                Fault::cut_at(10),
            ],
        ),
        ("ranges are ignored", vec![cut(), Fault::ignore_range()]),
        (
            "a cut of the repeated whole",
            vec![cut(), Fault::ignore_range().and(Fault::cut_at(150_000))],
        ),
        ("busy", vec![Fault::status(429), cut(), Fault::status(503)]),
        (
            "busy, and says so oddly",
            vec![
                Fault::status(429).header("retry-after", "soon"),
                Fault::status(429).header("retry-after", "0"),
                Fault::status(503).header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ],
        ),
        (
            "busy, by a clock of its own",
            vec![
                by_its_clock("Fri, 01 Jan 1999"),
                cut(),
                by_its_clock("Thu, 01 Jan 2099"),
            ],
        ),
        (
            "out of order",
            vec![Fault::status(500), Fault::status(502), Fault::status(504)],
        ),
        ("no answer at all", vec![Fault::reset(), Fault::close()]),
        ("silence", vec![Fault::stall_at(100_000)]),
        (
            "no length",
            vec![Fault::answer().without_header("content-length")],
        ),
    ];
    for (at, (name, faults)) in cases.iter().enumerate() {
        arrives(&Registry::start(), name, faults, FORMATS[at % 3]);
    }
}

/// The address that a download is redirected to is good for once; to resume, the registry
/// itself must be asked again.
#[test]
fn addresses_that_expire_are_asked_for_again() {
    for format in FORMATS {
        let registry = Registry::start();
        let elsewhere = Match::get("*").at(Origin::Elsewhere).once();
        registry.fault(elsewhere, Fault::cut_at(120_000));
        let image = large();
        registry.fault(
            Match::get(&blob_path(&image)),
            Fault::redirect_elsewhere_for(1),
        );
        arrives(&registry, "an address good for once", &[], format);
        assert_eq!(registry.requests_to(Origin::Elsewhere).len(), 2);
    }
}

#[test]
fn wrong_bytes_are_told_whatever_they_look_like() {
    let size = large().layers()[0].content().len();
    let cases: [(&str, Faults, &str); 9] = [
        (
            "an early byte",
            vec![Fault::corrupt_at(5)],
            "sent another blob than asked for",
        ),
        (
            "the last byte",
            vec![Fault::corrupt_at(size - 1)],
            "sent another blob than asked for",
        ),
        ("too short", vec![Fault::truncate(200_000)], "200000 bytes"),
        (
            "too short, without saying",
            vec![Fault::truncate(200_000).without_header("content-length")],
            "another blob",
        ),
        ("too long", vec![Fault::extend(1)], "bytes for a blob of"),
        (
            "endless",
            vec![Fault::endless()],
            "sent another blob than asked for",
        ),
        ("compressed once more", vec![Fault::gzip()], ""),
        (
            "other bytes after a cut",
            vec![Fault::cut_at(100_000), Fault::corrupt_at(50_000)],
            "another blob",
        ),
        (
            "another blob after a cut",
            vec![
                Fault::cut_at(100_000),
                Fault::answer().header("content-range", "bytes 100000-499999/500000"),
            ],
            "has another blob now",
        ),
    ];
    for (name, faults, expected) in cases {
        fails(name, &faults, expected);
    }
}

#[test]
fn parts_that_are_not_the_missing_one_are_refused() {
    let cut = || Fault::cut_at(100_000);
    let cases = [
        (
            "it does not say which",
            Fault::answer().without_header("content-range"),
            "a part without saying which",
        ),
        (
            "it begins too late",
            Fault::answer().header("content-range", "bytes 100001-300300/*"),
            "bytes from 100001 on",
        ),
        ("there is none", Fault::status(416), "416"),
    ];
    for (name, fault, expected) in cases {
        fails(name, &[cut(), fault], expected);
    }
}

#[test]
fn what_cannot_be_mended_ends() {
    fails("cut and cut again", &[Fault::cut_at(10)], "after 50 of ");
    fails("gone", &[Fault::status(404)], "404");
    fails(
        "forbidden",
        &[Fault::cut_at(100_000), Fault::status(403)],
        "403",
    );
    let patience = Fault::status(429).header("retry-after", "999999999999");
    fails("a wait that nobody waits", &[patience], "429");
}

/// What will not pass is asked for once.
#[test]
fn permanent_errors_are_not_tried_again() {
    for status in [400, 403, 404] {
        let registry = Registry::start();
        let image = large();
        registry.publish("app", "latest", &image);
        registry.fault(Match::get("/v2/app/manifests/*"), Fault::status(status));
        let directory = tempfile::tempdir().unwrap();
        let message = driver::get(
            &request(&registry, "app", &image, json!({})),
            directory.path(),
        )
        .failure();
        assert!(
            message.starts_with("download failed: fetch descriptor: "),
            "{message}"
        );
        assert!(message.contains(&status.to_string()), "{message}");
        assert_eq!(registry.count("GET", "/v2/app/manifests/"), 1, "{status}");
    }
}

/// While the client waits for another try, the log says so at the layer's line.
#[test]
fn the_log_tells_each_state_of_a_layer() {
    let registry = Registry::start();
    let image = large();
    registry.publish("app", "latest", &image);
    registry.fault(
        Match::get(&blob_path(&image)).once(),
        Fault::cut_at(100_000),
    );
    let mut request = request(&registry, "app", &image, json!({}));
    request["source"]["debug"] = json!(true);
    let directory = tempfile::tempdir().unwrap();
    let outcome = driver::get(&request, directory.path());
    outcome.answer();
    let name = &image.layers()[0].digest().hex()[..12];
    let mark = format!("{name}: ");
    let states: Vec<_> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.split_once(&mark)?.1.split_once(','))
        .map(|(state, _)| state)
        .collect();
    let expected = [
        "downloading",
        "retrying",
        "downloading",
        "unpacking",
        "done",
    ];
    // What is unpacked at once was never seen to be.
    let is_expected = states == expected || states == [&expected[..3], &expected[4..]].concat();
    assert!(is_expected, "{states:?} {}", outcome.stderr);
    assert!(!outcome.stderr.contains("\x1b[2K"), "nothing is redrawn");
}
