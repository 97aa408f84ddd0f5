//! How much is done at one time, and what hosts that have enough of it get.

use std::time::Duration;

use futures_util::future;
use regimg_registry::{Credential, Error};
use regimg_tests::Image;
use regimg_tests::registry::{Fault, Match, Registry, RouteKind};

use crate::support::{TestClock, World, content, drain, stored, tag};

const LATEST: &str = "/v2/a/b/manifests/latest";

fn registry() -> Registry {
    let registry = Registry::builder()
        .latency(Duration::from_millis(12))
        .start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    registry
}

async fn look(world: &World, times: usize) -> Vec<Error> {
    let repository = world.repository("a/b");
    let latest = tag("latest");
    let all = future::join_all((0..times).map(|_| repository.digest(&latest))).await;
    all.into_iter().filter_map(Result::err).collect()
}

/// The most requests at one time, of so many.
async fn most(world: &World, requests: usize) -> usize {
    world.registry.clear_requests();
    assert!(look(world, requests).await.is_empty());
    world.registry.max_in_flight(RouteKind::Manifest)
}

#[tokio::test]
async fn a_complaint_halves_the_requests_and_time_brings_them_back() {
    for complaint in [
        Fault::status(429),
        Fault::status(429).header("retry-after", "2"),
        Fault::status(503),
        Fault::reset(),
    ] {
        let world = World::new(registry(), Credential::Anonymous, |config| {
            config.max_requests = 8;
        });
        assert_eq!(most(&world, 30).await, 8);
        let rule = Match::any(LATEST).once();
        world.registry.fault(rule, complaint.clone());
        assert!(look(&world, 1).await.is_empty());
        let fewer = most(&world, 4 + 4).await;
        assert!((4..=5).contains(&fewer), "{complaint:?}: {fewer}");
        most(&world, 60).await;
        assert_eq!(most(&world, 30).await, 8);
    }
}

#[tokio::test]
async fn a_cut_means_fewer_transfers_until_one_ends_well() {
    let server = registry();
    let blob = stored(&server, "a/b", &content(1000));
    let world = World::new(server, Credential::Anonymous, |config| {
        config.max_transfers = 2;
    });
    let blobs = || Match::get("/v2/a/b/blobs/*").once();
    world.registry.fault(blobs(), Fault::cut_at(10));
    world.registry.fault(blobs(), Fault::stall_at(100));
    let repository = world.repository("a/b");
    let mut first = repository.open_blob(&blob).await.unwrap();
    assert_eq!(first.next().await.unwrap().unwrap().len(), 10);
    assert_eq!(first.next().await.unwrap().unwrap().len(), 100);
    let second = repository.open_blob(&blob);
    let second = tokio::time::timeout(Duration::from_millis(50), second).await;
    assert!(second.is_err(), "one place is left, and taken");
    assert_eq!(drain(first).await.unwrap().len(), 890);
    let both = future::join(repository.open_blob(&blob), repository.open_blob(&blob));
    let both = tokio::time::timeout(Duration::from_secs(20), both).await;
    let (one, other) = both.expect("there are two places again");
    assert!(one.is_ok() && other.is_ok());
}

/// Configurations are read by the hundred, and each takes no longer than a manifest.
#[tokio::test]
async fn small_blobs_that_are_read_whole_count_as_requests() {
    let server = registry();
    let [small, large] =
        [1 << 10, (1 << 20) + 1].map(|size| stored(&server, "a/b", &content(size)));
    let world = World::new(server, Credential::Anonymous, |config| {
        config.max_requests = 6;
        config.max_transfers = 2;
    });
    let repository = world.repository("a/b");
    for (blob, most) in [(&small, 6), (&large, 2)] {
        world.registry.clear_requests();
        let reads = (0..20).map(|_| repository.read_blob(blob, 2 << 20));
        let reads = future::join_all(reads).await;
        assert!(reads.iter().all(Result::is_ok));
        assert_eq!(world.registry.max_in_flight(RouteKind::Blob), most);
    }
}

#[tokio::test]
async fn a_limit_without_a_time_holds_everybody_back_too() {
    let clock = TestClock::standing();
    let world = World::new(registry(), Credential::Anonymous, |config| {
        config.max_requests = 1;
        config.clock = clock.clone();
    });
    world
        .registry
        .fault(Match::head(LATEST).once(), Fault::status(429));
    let all = look(&world, 40);
    let time = async {
        while clock.waits().len() < 40 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(world.registry.count("HEAD", LATEST), 1);
        clock.advance(Duration::from_secs(5));
    };
    let both = future::join(all, time);
    let both = tokio::time::timeout(Duration::from_secs(20), both).await;
    assert!(both.unwrap().0.is_empty());
    assert_eq!(world.registry.count("HEAD", LATEST), 41);
}

#[tokio::test]
async fn a_store_behind_the_registry_has_a_gate_of_its_own() {
    let server = registry();
    let blob = stored(&server, "a/b", &content(1000));
    let world = World::open(server);
    let away = Fault::redirect_elsewhere();
    world.registry.fault(Match::get("/v2/a/b/blobs/*"), away);
    let store = Match::get("*").at(regimg_tests::registry::Origin::Elsewhere);
    let busy = Fault::status(429).header("retry-after", "30");
    world.registry.fault(store.once(), busy);
    let repository = world.repository("a/b");
    let reader = repository.open_blob(&blob).await.unwrap();
    assert_eq!(world.clock.waits(), [30_000]);
    assert_eq!(drain(reader).await.unwrap(), content(1000));
}

#[tokio::test]
async fn hundreds_of_requests_survive_a_server_that_hangs_up() {
    let world = World::open(registry());
    for fault in [Fault::hang_up(), Fault::go_away()] {
        world.registry.clear_faults();
        world.registry.fault(Match::head(LATEST), fault);
        assert!(look(&world, 200).await.is_empty());
    }
}

/// Sixteen are refused at one time: one of them says so, and when the time is over no more go out
/// than the limit has become.
#[tokio::test]
async fn a_closed_gate_is_told_once_and_opens_for_a_few() {
    for (header, wait) in [("retry-after", 60), ("x-nothing", 5)] {
        let clock = TestClock::standing();
        let world = World::new(registry(), Credential::Anonymous, |config| {
            config.max_requests = 16;
            config.retry.jitter = 0.0;
            config.clock = clock.clone();
        });
        let busy = Fault::status(429).header(header, "60");
        world.registry.fault(Match::head(LATEST).times(16), busy);
        let all = look(&world, 40);
        let time = async {
            while clock.waits().len() < 40 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(world.registry.count("HEAD", LATEST), 16);
            assert_eq!(
                world.registry.max_in_flight(RouteKind::Manifest),
                16,
                "all were under way when the first was refused"
            );
            world.registry.clear_requests();
            clock.advance(Duration::from_secs(wait));
        };
        let both = tokio::time::timeout(Duration::from_secs(20), future::join(all, time));
        assert!(both.await.unwrap().0.is_empty());
        assert_eq!(world.registry.count("HEAD", LATEST), 40);
        // Half as many at first, and one more for each round that went well.
        let most = world.registry.max_in_flight(RouteKind::Manifest);
        assert!((8..=11).contains(&most), "{header}: {most}");
        let warnings = world.log.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("429"), "{warnings:?}");
    }
}

/// Whoever is refused again after the gate had opened says so again.
#[tokio::test]
async fn every_closing_of_the_gate_is_told() {
    let world = World::open(registry());
    let busy = Fault::status(429).header("retry-after", "60");
    world.registry.fault(Match::head(LATEST).times(3), busy);
    assert!(look(&world, 1).await.is_empty());
    assert_eq!(world.log.warnings().len(), 3);
}
