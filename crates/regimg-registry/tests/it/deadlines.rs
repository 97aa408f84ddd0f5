//! The time that a caller allows, and what is given up when it is over.

use std::time::{Duration, Instant};

use regimg_registry::{Config, Credential, Error, ErrorKind};
use regimg_tests::Image;
use regimg_tests::registry::{Fault, Match, Registry};

use crate::support::{Source, TestClock, World, content, stored, tag};

fn world(adjust: impl FnOnce(&mut Config)) -> World {
    let registry = Registry::start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    World::new(registry, Credential::Anonymous, |config| {
        config.timeouts.idle = Duration::from_mins(1);
        adjust(config);
    })
}

/// A world whose time is over soon and whose registry needs a minute for everything in `a/b`.
fn slow() -> World {
    let world = world(|config| config.deadline = Some(Instant::now() + Duration::from_millis(300)));
    let forever = Fault::delay(Duration::from_mins(1));
    world.registry.fault(Match::any("/v2/a/b/*"), forever);
    world
}

#[track_caller]
fn over<T>(outcome: Result<T, Error>) {
    let error = outcome.err().expect("the registry needs a minute");
    assert_eq!(error.kind(), ErrorKind::Deadline, "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn everything_ends_in_time() {
    let latest = tag("latest");
    let blob = Source::new(content(100));
    let digest = &blob.descriptor.digest;
    let world = slow();
    let repository = world.repository("a/b");
    let manifest = crate::support::raw(regimg_tests::Artifact::manifest(&Image::with_text("y")));
    over(repository.tags().await);
    over(repository.digest(&latest).await);
    over(repository.manifest(&latest).await);
    over(
        repository
            .image(&latest, &regimg_core::Platform::default())
            .await,
    );
    over(repository.referrers(digest, None).await);
    over(repository.blob_exists(digest).await);
    over(repository.open_blob(&blob.descriptor).await);
    over(repository.push_blob(&blob, &[]).await);
    over(repository.push_manifest(&latest, &manifest).await);
}

#[tokio::test]
async fn a_transfer_under_way_ends_in_time() {
    let world =
        world(|config| config.deadline = Some(Instant::now() + Duration::from_millis(1500)));
    let blob = stored(&world.registry, "a/b", &content(1000));
    let stall = Fault::stall_at(100);
    world.registry.fault(Match::get("/v2/a/b/blobs/*"), stall);
    let repository = world.repository("a/b");
    let mut reader = repository.open_blob(&blob).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap().len(), 100);
    over(reader.next().await);
    assert!(matches!(reader.next().await, Ok(None)));
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_cleaned_up() {
    let world =
        world(|config| config.deadline = Some(Instant::now() + Duration::from_millis(1500)));
    let forever = Fault::delay(Duration::from_mins(1));
    world.registry.fault(Match::patch("*"), forever);
    let blob = Source::new(content(100));
    over(world.repository("a/b").push_blob(&blob, &[]).await);
    assert_eq!(world.registry.count("POST", "/v2/a/b/blobs/uploads/"), 1);
    assert_eq!(world.registry.open_uploads(), 0);
}

#[tokio::test]
async fn waits_that_would_last_too_long_are_not_begun() {
    let clock = TestClock::new();
    let world = world(|config| {
        config.clock = clock.clone();
        config.deadline = Some(Instant::now() + Duration::from_secs(12));
    });
    let busy = Fault::status(503);
    world.registry.fault(Match::get("/v2/a/b/*"), busy);
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(clock.waits(), [5000]);
    assert_eq!(
        error.hint().unwrap(),
        "the next try would begin in 7.5s, too late"
    );
}

/// Who was refused by nobody but stands before a closed gate is told why.
#[tokio::test]
async fn a_deadline_before_a_closed_gate_names_the_wait() {
    let world = world(|config| {
        config.clock = TestClock::standing();
        config.max_requests = 1;
        config.deadline = Some(Instant::now() + Duration::from_millis(500));
        config.retry.max_tries = 1;
    });
    let busy = Fault::status(429).header("Retry-After", "60");
    world.registry.fault(Match::any("/v2/a/b/*").once(), busy);
    let repository = world.repository("a/b");
    let refused = repository.tags().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    let held = repository.tags().await.unwrap_err();
    assert_eq!(held.kind(), ErrorKind::Deadline);
    for error in [refused, held] {
        let hint = "the registry asks to wait 1m0s; try again then";
        assert_eq!(error.hint(), Some(hint), "{error:?}");
    }
}
