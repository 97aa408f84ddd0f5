//! Many transfers and look-ups under faults drawn by lot: every byte right, and nothing left behind.
//!
//! `REGIMG_SOAK=full` makes it 10 000 blobs and 2 000 look-ups; `REGIMG_SOAK_SEED` repeats a run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use regimg_registry::{BlobOutcome, Config, Error};
use regimg_tests::registry::{Auth, Ending, Fault, Match, Registry};
use regimg_tests::tls::{Authority, LOCAL_NAMES};
use regimg_tests::{Artifact as _, Image};

use crate::support::{Source, World, basic, digest, drain, stored, tag};

/// Numbers that look random and follow from a seed
/// ([SplitMix64](https://prng.di.unimi.it/splitmix64.c)).
struct Lot(u64);

impl Lot {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }

    fn bytes(&mut self, length: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.draw(u64::MAX).to_le_bytes());
        }
        bytes.truncate(length);
        bytes.into()
    }

    /// Over HTTP/2 streams are broken and not connections: else the answer to somebody else's
    /// `POST` may be lost, and with it an upload that nobody knows of.
    fn fault(&mut self, size: u64, http_2: bool) -> Fault {
        let place = 1 + self.draw(size);
        let ending = |ending| if http_2 { Ending::Stream(2) } else { ending };
        match self.draw(12) {
            0 => Fault::status(429),
            1 => Fault::status(429).header("retry-after", "1"),
            2 => Fault::status(503).header("retry-after", "2"),
            3 => Fault::status(500),
            4 => Fault::end(ending(Ending::Reset)),
            5 => Fault::end(ending(Ending::Close)),
            6 => Fault::end_at(place, ending(Ending::Close)),
            7 => Fault::end_at(place, ending(Ending::Reset)),
            8 => Fault::end_at(place, Ending::Stream(2)),
            9 => Fault::end_request_at(place, ending(Ending::Reset)),
            10 => Fault::delay(Duration::from_millis(self.draw(4))),
            _ => Fault::go_away(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test may take is said by the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

struct Size {
    blobs: usize,
    look_ups: usize,
}

fn size() -> Size {
    match variable("REGIMG_SOAK").as_deref() {
        Some("full") => Size {
            blobs: 10_000,
            look_ups: 2_000,
        },
        _ => Size {
            blobs: 200,
            look_ups: 200,
        },
    }
}

#[expect(clippy::print_stderr, reason = "the seed is needed to repeat a run")]
#[expect(clippy::disallowed_methods, reason = "each run has another seed")]
fn seed() -> u64 {
    let given = variable("REGIMG_SOAK_SEED").map(|seed| seed.parse().expect("a seed is a number"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = given.unwrap_or(now.as_secs());
    eprintln!("REGIMG_SOAK_SEED={seed}");
    seed
}

/// Enough of everything that a fault never ends the run by itself.
fn patient(registry: Registry, ca: Option<String>) -> World {
    World::new(registry, basic("user", "pa55word"), |config| {
        config.ca_certs.extend(ca);
        config.timeouts.idle = Duration::from_secs(20);
        config.retry.max_elapsed = Duration::from_hours(1000);
        config.retry.max_stalls = 100;
    })
}

/// Lets one request in five go wrong in some way.
fn spoil(world: &World, lot: &mut Lot, requests: usize, http_2: bool) {
    for rule in [
        Match::head("/v2/*"),
        Match::get("/v2/*"),
        Match::get("/token*"),
        Match::post("/v2/*"),
        Match::patch("/v2/*"),
        Match::put("/v2/*"),
    ] {
        // Each rule counts those requests only that the ones before it have not hit.
        let mut passed = 0;
        for _ in 0..requests / 5 {
            passed += usize::try_from(lot.draw(9)).unwrap();
            let fault = lot.fault(20_000, http_2);
            world
                .registry
                .fault(rule.clone().after(passed).once(), fault);
        }
    }
}

async fn pull(world: &World, content: Bytes) -> Result<(), Error> {
    let descriptor = stored(&world.registry, "pull", &content);
    let reader = world.repository("pull").open_blob(&descriptor).await?;
    assert_eq!(drain(reader).await?, content);
    Ok(())
}

async fn push(world: &World, content: Bytes) -> Result<(), Error> {
    let source = Source::new(content);
    let outcome = world.repository("push").push_blob(&source, &[]).await?;
    let wanted = digest_of(&source);
    let blob = world.registry.blob("push", &wanted).expect("it was pushed");
    assert_eq!(blob.bytes(), source.content);
    // `Existed`, where the answer to the first upload was lost.
    assert_ne!(outcome, BlobOutcome::Mounted);
    Ok(())
}

fn digest_of(source: &Source) -> regimg_tests::Digest {
    regimg_tests::Digest::parse(source.descriptor.digest.as_str()).unwrap()
}

/// Runs the whole thing over one kind of connection.
async fn soak(tls: bool, lot: &mut Lot, size: &Size) {
    let authority = Authority::new();
    let auth = Auth::bearer().account("user", "pa55word").token_uses(300);
    let builder = Registry::builder().auth(auth);
    let builder = if tls {
        builder.tls_with(authority.server(&LOCAL_NAMES), authority.pem())
    } else {
        builder
    };
    let registry = builder.start();
    let image = Image::with_text("x");
    registry.publish("pull", "latest", &image);
    let world = patient(registry, tls.then(|| authority.pem().to_owned()));
    spoil(&world, lot, size.blobs, tls);

    let contents: Vec<(bool, Bytes)> = (0..size.blobs)
        .map(|_| {
            let length = usize::try_from(lot.draw(40_000)).unwrap();
            (lot.draw(2) == 0, lot.bytes(length))
        })
        .collect();
    let transfers = stream::iter(contents).map(|(up, content)| {
        let world = &world;
        async move {
            if up {
                push(world, content).await
            } else {
                pull(world, content).await
            }
        }
    });
    let transfers = transfers.buffer_unordered(32).collect::<Vec<_>>();
    let names = (0..size.look_ups).map(|_| tag("latest"));
    let look_ups = world.repository("pull").digests(names).collect::<Vec<_>>();
    let (transfers, look_ups) = futures_util::future::join(transfers, look_ups).await;
    for outcome in transfers {
        outcome.unwrap_or_else(|error| panic!("{error:?}"));
    }
    for (_, found) in look_ups {
        assert_eq!(found.unwrap(), Some(digest(&image.digest())));
    }
    nothing_is_left(&world).await;
}

/// No upload, no place that is not given back, no task beside the connections'.
async fn nothing_is_left(world: &World) {
    assert_eq!(world.registry.open_uploads(), 0);
    world.registry.clear_faults();
    let content = Bytes::from_static(b"one more");
    let blob = stored(&world.registry, "pull", &content);
    let repository = world.repository("pull");
    // Complaints have taken places away; what goes well brings them back.
    for _ in 0..20 {
        drain(repository.open_blob(&blob).await.unwrap())
            .await
            .unwrap();
    }
    let places = Config::default().max_transfers;
    let all = futures_util::future::join_all((0..places).map(|_| repository.open_blob(&blob)));
    let all = tokio::time::timeout(Duration::from_secs(20), all).await;
    let readers = all.expect("every place was given back");
    assert!(readers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn everything_arrives_and_nothing_is_left() {
    let (size, mut lot) = (size(), Lot(seed()));
    for tls in [false, true] {
        soak(tls, &mut lot, &size).await;
    }
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    // Connections that end a moment later than their client.
    let wait = async {
        while tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            > 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(ended.is_ok(), "{tasks} tasks go on");
}
