//! Blobs on their way down, with everything that can happen to them.

use std::time::Duration;

use regimg_core::{Descriptor, MediaType};
use regimg_registry::{Credential, ErrorKind};
use regimg_tests::Blob;
use regimg_tests::registry::{Ending, Fault, Match, Registry};

use crate::support::{World, content, descriptor, digest, drain, stored};

const BLOBS: &str = "/v2/a/b/blobs/*";

fn published(length: usize) -> (World, Descriptor) {
    let registry = Registry::start();
    let descriptor = stored(&registry, "a/b", &content(length));
    (World::open(registry), descriptor)
}

async fn download(
    world: &World,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, regimg_registry::Error> {
    drain(world.repository("a/b").open_blob(descriptor).await?).await
}

/// The `Range` headers of all downloads, in order.
fn ranges(world: &World) -> Vec<Option<String>> {
    let requests = world.registry.requests().into_iter();
    let downloads = requests.filter(|record| record.path.contains("/blobs/"));
    downloads
        .map(|record| record.header("range").map(str::to_owned))
        .collect()
}

fn ranged(starts: &[usize]) -> Vec<Option<String>> {
    let range = |&start: &usize| (start > 0).then(|| format!("bytes={start}-"));
    starts.iter().map(range).collect()
}

#[tokio::test]
async fn blobs_of_every_size_arrive() {
    for length in [0, 1, 100, 1 << 20] {
        let (world, descriptor) = published(length);
        assert_eq!(
            download(&world, &descriptor).await.unwrap(),
            content(length)
        );
        assert_eq!(ranges(&world), ranged(&[0]));
    }
}

#[tokio::test]
async fn sha512_is_verified_too() {
    let registry = Registry::start();
    let blob = Blob::sha512(MediaType::OCI_LAYER.as_str(), content(1000));
    registry.put_blob("a/b", &blob);
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, digest(blob.digest()), 1000);
    let world = World::open(registry);
    assert_eq!(download(&world, &descriptor).await.unwrap(), content(1000));
    world
        .registry
        .fault(Match::get(BLOBS), Fault::corrupt_at(999));
    assert_eq!(
        download(&world, &descriptor).await.unwrap_err().kind(),
        ErrorKind::Digest
    );
}

#[tokio::test]
async fn cuts_are_resumed_where_they_happened() {
    let length = 100_000;
    for ending in [Ending::Close, Ending::Reset] {
        let (world, descriptor) = published(length);
        world
            .registry
            .fault(Match::get(BLOBS).times(3), Fault::end_at(20_000, ending));
        assert_eq!(
            download(&world, &descriptor).await.unwrap(),
            content(length)
        );
        let asked = ranges(&world);
        assert_eq!(asked.len(), 4);
        if ending == Ending::Close {
            // A reset may take bytes along that were under way.
            assert_eq!(asked, ranged(&[0, 20_000, 40_000, 60_000]));
        }
    }
}

#[tokio::test]
async fn progress_is_patience() {
    let length = 12 << 20;
    let (world, descriptor) = published(length);
    world
        .registry
        .fault(Match::get(BLOBS).times(9), Fault::cut_at((1 << 20) + 1));
    assert_eq!(
        download(&world, &descriptor).await.unwrap(),
        content(length)
    );
    assert_eq!(ranges(&world).len(), 10);
    assert!(
        world.clock.waits().is_empty(),
        "after progress nothing is waited for"
    );
}

/// What comes between cuts adds up.
#[tokio::test]
async fn a_blob_that_moves_on_in_small_steps_arrives() {
    let length = 20 << 20;
    let (world, descriptor) = published(length);
    world
        .registry
        .fault(Match::get(BLOBS).times(39), Fault::cut_at(512 << 10));
    let got = download(&world, &descriptor).await.unwrap();
    assert!(got == content(length));
    assert_eq!(ranges(&world).len(), 40);
    // Every other cut has a whole MiB behind it.
    assert_eq!(world.clock.waits(), [5000; 20]);
}

#[tokio::test]
async fn cuts_without_progress_end() {
    let (world, descriptor) = published(100_000);
    world.registry.fault(Match::get(BLOBS), Fault::cut_at(10));
    let error = download(&world, &descriptor).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Interrupted, 5),
        "{error:?}"
    );
    assert_eq!(ranges(&world), ranged(&[0, 10, 20, 30, 40]));
    assert_eq!(world.clock.waits(), [5000, 7500, 11_250, 16_875]);
}

#[tokio::test]
async fn a_server_without_ranges_is_borne() {
    let length = 100_000;
    let (world, descriptor) = published(length);
    world
        .registry
        .fault(Match::get(BLOBS).once(), Fault::cut_at(60_000));
    world
        .registry
        .fault(Match::get(BLOBS), Fault::ignore_range());
    assert_eq!(
        download(&world, &descriptor).await.unwrap(),
        content(length)
    );
    assert_eq!(ranges(&world), ranged(&[0, 60_000]));
}

#[tokio::test]
async fn a_range_that_is_refused_is_asked_for_no_more() {
    let length = 1000;
    let (world, descriptor) = published(length);
    world
        .registry
        .fault(Match::get(BLOBS).once(), Fault::cut_at(600));
    let refused = Match::get(BLOBS).with_header("range", "bytes");
    world.registry.fault(refused, Fault::status(416));
    let got = download(&world, &descriptor).await.unwrap();
    assert_eq!(got, content(length));
    assert_eq!(ranges(&world), ranged(&[0, 600, 0]));
}

#[tokio::test]
async fn parts_that_begin_too_early_are_trimmed_and_too_late_refused() {
    let length = 1000;
    for (first, wanted) in [(400, None), (601, Some(ErrorKind::Protocol))] {
        let (world, descriptor) = published(length);
        world
            .registry
            .fault(Match::get(BLOBS).once(), Fault::cut_at(600));
        let part = content(length).slice(first..);
        let range = format!("bytes {first}-{}/{length}", length - 1);
        world.registry.fault(
            Match::get(BLOBS),
            Fault::answer().header("content-range", &range).body(part),
        );
        let got = download(&world, &descriptor).await;
        match wanted {
            None => assert_eq!(got.unwrap(), content(length)),
            Some(kind) => assert_eq!(got.unwrap_err().kind(), kind),
        }
    }
}

#[tokio::test]
async fn a_blob_that_changed_is_refused() {
    let length = 1000;
    for fault in [
        Fault::answer().header("content-range", "bytes 600-1000/1001"),
        Fault::corrupt_at(5),
        Fault::ignore_range().and(Fault::corrupt_at(700)),
    ] {
        let (world, descriptor) = published(length);
        world
            .registry
            .fault(Match::get(BLOBS).once(), Fault::cut_at(600));
        world.registry.fault(Match::get(BLOBS), fault);
        let error = download(&world, &descriptor).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Digest, "{error}");
        assert_eq!(ranges(&world).len(), 2);
    }
}

/// Whatever is asked for, the answer is the part from `first` on, `length` bytes long.
fn part(whole: &bytes::Bytes, first: usize, length: usize) -> Fault {
    let range = format!("bytes {first}-{}/{}", first + length - 1, whole.len());
    Fault::answer()
        .as_status(206)
        .header("content-range", &range)
        .body(whole.slice(first..first + length))
}

/// A server may give less than was asked for
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7>).
#[tokio::test]
async fn short_parts_are_followed_by_the_next() {
    let length = 1000;
    for (name, parts, asked) in [
        ("halves", vec![(0, 500), (500, 500)], &[0, 500][..]),
        ("one byte", vec![(0, 1), (1, 1), (2, 998)], &[0, 1, 2]),
        (
            "too early a part",
            vec![(0, 600), (100, 600), (700, 300)],
            &[0, 600, 700],
        ),
        ("then the whole", vec![(0, 999)], &[0, 999]),
    ] {
        let (world, descriptor) = published(length);
        for (first, length) in parts {
            let rule = Match::get(BLOBS).once();
            world
                .registry
                .fault(rule, part(&content(1000), first, length));
        }
        let got = download(&world, &descriptor).await.unwrap();
        assert_eq!(got, content(length), "{name}");
        assert_eq!(ranges(&world), ranged(asked), "{name}");
        assert!(world.clock.waits().is_empty(), "{name}: nothing failed");
    }
}

#[tokio::test]
async fn hundreds_of_parts_are_no_failure() {
    let (size, step) = (64 * 300, 64);
    let (world, descriptor) = published(size);
    let whole = content(size);
    for first in (0..200 * step).step_by(step) {
        world
            .registry
            .fault(Match::get(BLOBS).once(), part(&whole, first, step));
    }
    assert_eq!(download(&world, &descriptor).await.unwrap(), whole);
    assert_eq!(ranges(&world).len(), 201);
    assert!(world.clock.waits().is_empty());
}

#[tokio::test]
async fn parts_that_bring_nothing_end() {
    let (world, descriptor) = published(1000);
    world
        .registry
        .fault(Match::get(BLOBS), part(&content(1000), 0, 400));
    let error = download(&world, &descriptor).await.unwrap_err();
    let told = (error.kind(), error.attempts());
    assert_eq!(told, (ErrorKind::Interrupted, 5), "{error:?}");
    assert_eq!(ranges(&world), ranged(&[0, 400, 400, 400, 400, 400]));
}

#[tokio::test]
async fn a_blob_byte_by_byte_is_given_up() {
    let (world, descriptor) = published(2000);
    let whole = content(2000);
    for first in 0..1000 {
        world
            .registry
            .fault(Match::get(BLOBS).once(), part(&whole, first, 1));
    }
    let error = download(&world, &descriptor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert_eq!(ranges(&world).len(), 257);
}

#[tokio::test]
async fn a_part_shorter_than_it_says_is_no_part() {
    let (world, descriptor) = published(1000);
    let range = "bytes 0-799/1000";
    let fault = Fault::answer()
        .as_status(206)
        .header("content-range", range)
        .body(content(1000).slice(..400));
    world.registry.fault(Match::get(BLOBS), fault);
    let error = download(&world, &descriptor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Digest, "{error:?}");
    assert_eq!(ranges(&world).len(), 1);
}

#[tokio::test]
async fn parts_without_a_place_are_refused() {
    let (world, descriptor) = published(1000);
    world
        .registry
        .fault(Match::get(BLOBS).once(), Fault::cut_at(600));
    world.registry.fault(
        Match::get(BLOBS),
        Fault::answer().without_header("content-range"),
    );
    let error = download(&world, &descriptor).await.unwrap_err();
    assert_eq!(
        (error.kind(), ranges(&world).len()),
        (ErrorKind::Protocol, 2)
    );
}

#[tokio::test]
async fn wrong_bodies_are_refused_at_once() {
    for fault in [
        Fault::corrupt_at(999),
        Fault::truncate(5),
        Fault::truncate(5).without_header("content-length"),
        Fault::extend(1),
        Fault::extend(1).without_header("content-length"),
        Fault::endless(),
    ] {
        let (world, descriptor) = published(1000);
        world.registry.fault(Match::get(BLOBS), fault.clone());
        let error = download(&world, &descriptor).await.unwrap_err();
        assert_eq!(
            (error.kind(), ranges(&world).len()),
            (ErrorKind::Digest, 1),
            "{fault:?}: {error}"
        );
    }
}

#[tokio::test]
async fn the_last_byte_of_a_wrong_blob_is_never_seen() {
    let (world, descriptor) = published(100_000);
    world
        .registry
        .fault(Match::get(BLOBS), Fault::corrupt_at(50));
    let mut reader = world
        .repository("a/b")
        .open_blob(&descriptor)
        .await
        .unwrap();
    let mut seen = 0;
    let error = loop {
        match reader.next().await {
            Ok(Some(piece)) => seen += piece.len(),
            Ok(None) => panic!("the blob is wrong"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Digest);
    assert!(seen < 100_000);
    assert!(
        matches!(reader.next().await, Ok(None)),
        "no pieces after an error"
    );
}

#[tokio::test]
async fn silence_is_a_cut() {
    let (world, descriptor) = published(1000);
    world
        .registry
        .fault(Match::get(BLOBS).once(), Fault::stall_at(100));
    assert_eq!(download(&world, &descriptor).await.unwrap(), content(1000));
    assert_eq!(ranges(&world), ranged(&[0, 100]));
}

#[tokio::test]
async fn short_lived_addresses_are_asked_for_again() {
    let (world, descriptor) = published(100_000);
    world
        .registry
        .fault(Match::get(BLOBS), Fault::redirect_elsewhere_for(1));
    world.registry.fault(
        Match::get("*")
            .at(regimg_tests::registry::Origin::Elsewhere)
            .once(),
        Fault::cut_at(30_000),
    );
    assert_eq!(
        download(&world, &descriptor).await.unwrap(),
        content(100_000)
    );
    let elsewhere = world
        .registry
        .requests_to(regimg_tests::registry::Origin::Elsewhere);
    assert_eq!(elsewhere.len(), 2);
    assert_eq!(
        world.registry.count("GET", "/v2/a/b/blobs/sha256"),
        4,
        "the registry's own and the second address"
    );
}

/// A byte now and then is as good as silence, and what came of it is not asked for again.
#[tokio::test]
async fn a_blob_drop_by_drop_is_asked_for_anew() {
    let (world, descriptor) = published(100_000);
    let drops = Fault::pace(1, std::time::Duration::from_millis(20));
    world
        .registry
        .fault(Match::get("/v2/a/b/blobs/*").once(), drops);
    assert_eq!(
        download(&world, &descriptor).await.unwrap(),
        content(100_000)
    );
    let ranges = ranges(&world);
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges[1].is_some(), "{ranges:?}");
    assert!(world.log.warnings()[0].contains("too slow"));
}

/// A megabyte between two waits of minutes is no progress to wait for.
#[tokio::test]
async fn a_blob_that_stalls_again_and_again_is_given_up() {
    let (world, descriptor) = published(12_000_000);
    let stall = Fault::stall_at(2_000_000);
    world
        .registry
        .fault(Match::get("/v2/a/b/blobs/*"), stall.clone());
    let error = download(&world, &descriptor).await.unwrap_err();
    // What came last may have been a few bytes only.
    let told = error.to_string();
    assert!(
        told.contains("was silent") || told.contains("too slow"),
        "{told}"
    );
    assert_eq!(ranges(&world).len(), 5);

    world.registry.clear_faults();
    let blobs = Match::get("/v2/a/b/blobs/*");
    world.registry.fault(blobs.times(4), stall);
    let whole = download(&world, &descriptor).await.unwrap();
    assert!(whole == content(12_000_000));
}

#[tokio::test]
async fn limits_and_absence() {
    let (world, known) = published(1000);
    let repository = world.repository("a/b");
    assert_eq!(
        repository.read_blob(&known, 1000).await.unwrap(),
        content(1000)
    );
    let error = repository.read_blob(&known, 999).await.unwrap_err();
    assert_eq!(
        (error.kind(), ranges(&world).len()),
        (ErrorKind::TooLarge, 1)
    );
    let unknown = descriptor(b"unknown");
    assert!(
        repository
            .open_blob(&unknown)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(repository.blob_exists(&known.digest).await.unwrap());
    assert!(!repository.blob_exists(&unknown.digest).await.unwrap());
}

#[tokio::test]
async fn foreign_addresses_are_tried_without_protection_being_given_up() {
    let (world, known) = published(1000);
    let missing = descriptor(b"foreign");
    let own = format!(
        "http://{}/v2/a/b/blobs/{}",
        world.registry.host(),
        known.digest
    );
    for (url, found) in [
        ("http://example.invalid/x", false),
        ("file:///etc/passwd", false),
        ("https://10.0.0.1/x", false),
        (own.as_str(), true),
    ] {
        let mut descriptor = if found {
            known.clone()
        } else {
            missing.clone()
        };
        descriptor.urls = vec![url.to_owned()];
        if found {
            let target = format!("/v2/a/b/blobs/{}", known.digest);
            world
                .registry
                .fault(Match::get(&target).once(), Fault::status(404));
        }
        let got = download(&world, &descriptor).await;
        assert_eq!(got.is_ok(), found, "{url}: {got:?}");
        assert!(found || got.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn places_are_limited_and_given_back() {
    let registry = Registry::start();
    let descriptor = stored(&registry, "a/b", &content(1000));
    let world = World::new(registry, Credential::Anonymous, |config| {
        config.max_transfers = 2;
    });
    let repository = world.repository("a/b");
    let first = repository.open_blob(&descriptor).await.unwrap();
    let second = repository.open_blob(&descriptor).await.unwrap();
    let third =
        tokio::time::timeout(Duration::from_millis(50), repository.open_blob(&descriptor)).await;
    assert!(third.is_err(), "both places are taken");
    drop(first);
    let third = repository.open_blob(&descriptor).await.unwrap();
    assert_eq!(
        drain(second).await.unwrap().len() + drain(third).await.unwrap().len(),
        2000
    );
}

/// The end of a body may come long after its last byte; a caller who does not wait for it in
/// one go still gets that byte.
#[tokio::test]
async fn a_last_piece_that_is_not_waited_for_is_not_lost() {
    let world = World::open(Registry::start());
    let descriptor = stored(&world.registry, "a/b", &content(1000));
    // A body without a length, whose last byte is followed by silence.
    world.registry.fault(
        Match::get("/v2/a/b/blobs/*"),
        Fault::pause_at(1000, Duration::from_millis(300)).without_header("content-length"),
    );
    let repository = world.repository("a/b");
    let mut reader = repository.open_blob(&descriptor).await.unwrap();
    let (mut read, mut cancelled) = (Vec::new(), 0);
    loop {
        match tokio::time::timeout(Duration::from_millis(20), reader.next()).await {
            Ok(Ok(Some(piece))) => read.extend_from_slice(&piece),
            Ok(end) => break assert_eq!(end.unwrap(), None),
            Err(_) => cancelled += 1,
        }
    }
    assert_eq!(read, content(1000));
    assert!(
        cancelled > 0,
        "nothing was cancelled, so nothing was tested"
    );
}
