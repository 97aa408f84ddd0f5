//! Trying again: what is waited for, how long, and when it ends.

use std::time::Duration;

use futures_util::future;
use regimg_registry::{Credential, ErrorKind};
use regimg_tests::Image;
use regimg_tests::registry::{Fault, Match, Registry, RouteKind};

use crate::support::{TestClock, World, tag};

const LATEST: &str = "/v2/a/b/manifests/latest";

fn registry() -> Registry {
    let registry = Registry::start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    registry
}

async fn fetch(world: &World) -> Result<(), regimg_registry::Error> {
    world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .map(drop)
}

#[tokio::test]
async fn waits_grow() {
    let world = World::open(registry());
    world
        .registry
        .fault(Match::get(LATEST).times(4), Fault::status(502));
    fetch(&world).await.unwrap();
    assert_eq!(world.clock.waits(), [5000, 7500, 11_250, 16_875]);
}

#[tokio::test]
async fn retry_after_in_every_form() {
    for (value, wanted) in [
        ("9", 9000),
        ("0", 5000),
        ("nonsense", 5000),
        // The test clock's day begins at 08:12:31.
        ("Tue, 15 Nov 1994 08:12:51 GMT", 20_000),
        ("Tue, 15 Nov 1994 08:00:00 GMT", 5000),
    ] {
        for status in [429, 503] {
            let world = World::open(registry());
            world.registry.fault(
                Match::get(LATEST).once(),
                // Who does not say what time it is with it is taken to have our time.
                Fault::status(status)
                    .header("Retry-After", value)
                    .header("Date", "unknown"),
            );
            fetch(&world).await.unwrap();
            assert_eq!(world.clock.waits(), [wanted], "{status} {value}");
        }
    }
}

/// The host's clock may be wrong, or ours, or ours may be set in the middle of everything: what
/// counts is what lies between the two dates of one answer.
#[tokio::test]
async fn dates_are_measured_by_the_clock_of_who_says_them() {
    for day in ["Thu, 01 Jan 1970", "Thu, 01 Jan 2099"] {
        let world = World::open(registry());
        let busy = Fault::status(429)
            .header("Date", &format!("{day} 00:00:00 GMT"))
            .header("Retry-After", &format!("{day} 00:00:20 GMT"));
        world.registry.fault(Match::get(LATEST).once(), busy);
        fetch(&world).await.unwrap();
        assert_eq!(world.clock.waits(), [20_000], "{day}");
    }
}

#[tokio::test]
async fn too_long_a_wait_is_an_error_that_says_so() {
    let world = World::open(registry());
    world.registry.fault(
        Match::get(LATEST),
        Fault::status(429).header("Retry-After", "86400"),
    );
    let error = fetch(&world).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 1)
    );
    assert_eq!(
        error.hint().unwrap(),
        "the registry asks to wait 24h0m0s; try again then"
    );
    assert!(world.clock.waits().is_empty());
}

/// However the waiting ends, the error says what the registry asked for.
#[tokio::test]
async fn given_up_waits_tell_what_was_asked_for() {
    type Adjust = fn(&mut regimg_registry::Config);
    let cases: [(&str, Adjust); 4] = [
        ("no longer", |config| {
            config.retry.max_elapsed = Duration::from_secs(30);
        }),
        ("no such wait", |config| {
            config.retry.max_retry_after = Duration::from_secs(30);
        }),
        ("no more tries", |config| config.retry.max_tries = 1),
        ("no time", |config| {
            config.deadline = Some(std::time::Instant::now() + Duration::from_secs(30));
        }),
    ];
    for (name, adjust) in cases {
        for status in [429, 503] {
            let world = World::new(registry(), Credential::Anonymous, adjust);
            let busy = Fault::status(status).header("Retry-After", "60");
            world.registry.fault(Match::get(LATEST), busy);
            let error = fetch(&world).await.unwrap_err();
            assert_eq!(error.status(), Some(status), "{name}: {error:?}");
            assert_eq!(error.retry_after(), Some(Duration::from_mins(1)), "{name}");
            let hint = "the registry asks to wait 1m0s; try again then";
            assert_eq!(error.hint(), Some(hint), "{name}");
        }
    }
}

#[tokio::test]
async fn the_budget_ends() {
    let world = World::new(registry(), Credential::Anonymous, |config| {
        config.retry.max_elapsed = Duration::from_secs(30);
    });
    world.registry.fault(Match::get(LATEST), Fault::status(500));
    let error = fetch(&world).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unavailable, 4)
    );
    assert_eq!(world.clock.waits(), [5000, 7500, 11_250]);
}

#[tokio::test]
async fn what_will_not_pass_is_tried_once() {
    for status in [400, 403, 404, 405, 410, 501] {
        let world = World::open(registry());
        world
            .registry
            .fault(Match::get(LATEST), Fault::status(status));
        let error = fetch(&world).await.unwrap_err();
        assert_eq!(
            (error.status(), error.attempts(), error.is_transient()),
            (Some(status), 1, false)
        );
    }
}

#[tokio::test]
async fn broken_connections_are_transient() {
    for fault in [
        Fault::reset(),
        Fault::close(),
        Fault::cut_at(10),
        Fault::reset_at(10),
    ] {
        let world = World::open(registry());
        world
            .registry
            .fault(Match::get(LATEST).times(4), fault.clone());
        fetch(&world)
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(world.registry.count("GET", LATEST), 5);
    }
}

#[tokio::test]
async fn one_answer_holds_everybody_back() {
    let clock = TestClock::standing();
    let world = World::new(registry(), Credential::Anonymous, |config| {
        config.max_requests = 1;
        config.clock = clock.clone();
    });
    world.registry.fault(
        Match::get(LATEST).once(),
        Fault::status(429).header("Retry-After", "60"),
    );
    let all = future::join_all((0..5).map(|_| fetch(&world)));
    let time = async {
        while clock.waits().len() < 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(
            world.registry.count("GET", LATEST),
            1,
            "the others have not asked"
        );
        clock.advance(Duration::from_mins(1));
    };
    let both = future::join(all, time);
    let (all, ()) = tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .unwrap();
    assert!(all.into_iter().all(|got| got.is_ok()));
    assert_eq!(world.registry.count("GET", LATEST), 6);
    assert_eq!(clock.waits(), [60_000; 5]);
}

#[tokio::test]
async fn requests_at_one_time_are_limited() {
    let registry = registry();
    registry.fault(Match::get(LATEST), Fault::delay(Duration::from_millis(2)));
    let world = World::new(registry, Credential::Anonymous, |config| {
        config.max_requests = 3;
    });
    let all = future::join_all((0..40).map(|_| fetch(&world))).await;
    assert!(all.into_iter().all(|got| got.is_ok()));
    assert_eq!(world.registry.max_in_flight(RouteKind::Manifest), 3);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_given_up_soon() {
    let world = World::open(registry());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let name = regimg_core::Repository::parse(&format!("127.0.0.1:{port}/a/b")).unwrap();
    let error = world.client.repository(&name).tags().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Connect, 3),
        "{error:?}"
    );
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_greeting_may_fail_for_a_while() {
    let world = World::open(registry());
    world
        .registry
        .fault(Match::get("/v2/").times(2), Fault::status(503));
    fetch(&world).await.unwrap();
    assert_eq!(
        world.registry.count("GET", "/v2/"),
        4,
        "three greetings and one manifest"
    );
}

#[tokio::test]
async fn whoever_gives_up_leaves_nothing_behind() {
    let world = World::new(registry(), Credential::Anonymous, |config| {
        config.max_requests = 1;
    });
    world.registry.fault(
        Match::get(LATEST).once(),
        Fault::delay(Duration::from_mins(1)),
    );
    let given_up = tokio::time::timeout(Duration::from_millis(100), fetch(&world)).await;
    assert!(given_up.is_err());
    fetch(&world).await.unwrap();
}

/// A byte now and then keeps no reader waiting for hours.
#[tokio::test]
async fn answers_drop_by_drop_are_broken_off() {
    let drops = || Fault::pace(1, Duration::from_millis(20));
    let world = World::open(registry());
    world.registry.fault(Match::get(LATEST).once(), drops());
    fetch(&world).await.unwrap();
    assert_eq!(world.registry.count("GET", LATEST), 2);
    assert!(world.log.warnings()[0].contains("too slow"));

    let world = World::open(registry());
    let refusal = Fault::status(400).body("w".repeat(5000));
    world
        .registry
        .fault(Match::get(LATEST), refusal.and(drops()));
    let error = fetch(&world).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert!(error.message().starts_with('w'), "what came is told");
    let sent: u64 = world
        .registry
        .requests()
        .iter()
        .map(|record| record.sent)
        .sum();
    assert!(sent < 5000, "{sent}");
}
