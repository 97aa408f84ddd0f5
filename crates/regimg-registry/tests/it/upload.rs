//! Blobs on their way up, with everything that can happen to them.

use bytes::Bytes;
use regimg_core::{Algorithm, Digest};
use regimg_registry::{BlobOutcome, Credential, ErrorKind};
use regimg_tests::registry::{Ending, Fault, Match, Registry, UploadLocation};
use regimg_tests::tls::{Authority, LOCAL_NAMES};

use crate::support::{Source, World, content, stored};

const UPLOADS: &str = "/v2/a/b/blobs/uploads/*";

fn world() -> World {
    World::open(Registry::start())
}

#[track_caller]
fn arrived(world: &World, source: &Source) {
    let digest = regimg_tests::Digest::parse(source.descriptor.digest.as_str()).unwrap();
    let blob = world
        .registry
        .blob("a/b", &digest)
        .expect("the blob arrived");
    assert_eq!(blob.bytes(), source.content);
    assert_eq!(world.registry.open_uploads(), 0, "no upload is left behind");
}

/// Bytes of uploads that the registry received.
fn received(world: &World) -> u64 {
    let requests = world.registry.requests().into_iter();
    requests
        .filter(|record| record.method == "PATCH")
        .map(|record| record.received)
        .sum()
}

async fn push(world: &World, source: &Source) -> Result<BlobOutcome, regimg_registry::Error> {
    world.repository("a/b").push_blob(source, &[]).await
}

#[tokio::test]
async fn the_wire_is_the_one_that_every_registry_takes() {
    let (world, source) = (world(), Source::new(content(200_000)));
    assert_eq!(
        push(&world, &source).await.unwrap(),
        BlobOutcome::Uploaded { bytes: 200_000 }
    );
    arrived(&world, &source);
    let methods: Vec<String> = world
        .registry
        .requests()
        .iter()
        .map(|record| record.method.to_string())
        .collect();
    assert_eq!(methods, ["GET", "HEAD", "POST", "PATCH", "PUT"]);
    let patch = &world.registry.requests()[3];
    assert_eq!(
        (
            patch.header("content-length"),
            patch.header("content-range")
        ),
        (Some("200000"), None)
    );
    assert_eq!(push(&world, &source).await.unwrap(), BlobOutcome::Existed);
    assert_eq!(received(&world), 200_000);
}

#[tokio::test]
async fn small_and_unusual_blobs() {
    let world = world();
    for length in [0, 1, 2] {
        let source = Source::new(content(length));
        push(&world, &source).await.unwrap();
        arrived(&world, &source);
    }
    let mut source = Source::new(content(1000));
    source.descriptor.digest = Digest::of(Algorithm::Sha512, &source.content);
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    assert_eq!(
        world
            .registry
            .count("POST", "/v2/a/b/blobs/uploads/?digest-algorithm=sha512"),
        1
    );
}

#[tokio::test]
async fn locations_of_every_form_are_followed() {
    for form in [
        UploadLocation::Absolute,
        UploadLocation::Path,
        UploadLocation::Relative,
        UploadLocation::Elsewhere,
    ] {
        let world = World::open(Registry::builder().upload_location(form).start());
        let source = Source::new(content(1000));
        push(&world, &source)
            .await
            .unwrap_or_else(|error| panic!("{form:?}: {error}"));
        arrived(&world, &source);
    }
}

#[tokio::test]
async fn dangerous_locations_are_refused() {
    for location in [
        "http://169.254.169.254/x",
        "http://10.0.0.1/x",
        "ftp://example.com/x",
    ] {
        let world = world();
        world.registry.fault(
            Match::post(UPLOADS),
            Fault::answer().header("location", location),
        );
        let error = push(&world, &Source::new(content(10))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{location}: {error}");
    }
}

#[tokio::test]
async fn mounts() {
    let source = Source::new(content(1000));
    let case = async |fault: Option<Fault>, wanted: BlobOutcome, posts: usize| {
        let world = world();
        stored(&world.registry, "other", &source.content);
        if let Some(fault) = fault {
            world
                .registry
                .fault(Match::post("/v2/a/b/blobs/uploads/?mount=*"), fault);
        }
        let outcome = world
            .repository("a/b")
            .push_blob(&source, &[world.name("other")])
            .await
            .unwrap();
        assert_eq!(outcome, wanted);
        assert_eq!(
            world.registry.count("POST", "/v2/a/b/blobs/uploads/"),
            posts
        );
        arrived(&world, &source);
    };
    let uploaded = BlobOutcome::Uploaded { bytes: 1000 };
    case(None, BlobOutcome::Mounted, 1).await;
    for status in [401, 403, 404, 405, 500] {
        case(Some(Fault::status(status)), uploaded, 2).await;
    }
    // A registry that has not got the blob there opens an upload instead.
    let world = world();
    world.registry.create_repository("other");
    let outcome = world
        .repository("a/b")
        .push_blob(&source, &[world.name("other")])
        .await
        .unwrap();
    assert_eq!(
        (
            outcome,
            world.registry.count("POST", "/v2/a/b/blobs/uploads/")
        ),
        (uploaded, 1)
    );
    arrived(&world, &source);
}

#[tokio::test]
async fn nothing_is_mounted_across_registries_or_from_itself() {
    let (world, source) = (world(), Source::new(content(10)));
    let elsewhere = regimg_core::Repository::parse("ghcr.io/a/b").unwrap();
    world
        .repository("a/b")
        .push_blob(&source, &[elsewhere, world.name("a/b")])
        .await
        .unwrap();
    assert_eq!(world.registry.count("POST", "/v2/a/b/blobs/uploads/?"), 0);
    arrived(&world, &source);
}

#[tokio::test]
async fn every_step_may_be_refused_once() {
    for rule in [
        Match::head("/v2/a/b/blobs/*"),
        Match::post(UPLOADS),
        Match::patch(UPLOADS),
        Match::put(UPLOADS),
    ] {
        for fault in [
            Fault::status(429),
            Fault::status(503),
            Fault::reset(),
            Fault::close(),
        ] {
            let (world, source) = (world(), Source::new(content(100_000)));
            world.registry.fault(rule.clone().once(), fault.clone());
            push(&world, &source)
                .await
                .unwrap_or_else(|error| panic!("{rule:?} {fault:?}: {error}"));
            arrived(&world, &source);
        }
    }
}

#[tokio::test]
async fn a_cut_upload_goes_on_where_it_broke() {
    let (world, source) = (world(), Source::new(content(4 << 20)));
    world.registry.fault(
        Match::patch(UPLOADS).once(),
        Fault::end_request_at(3 << 20, Ending::Reset),
    );
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    assert_eq!(world.registry.count("POST", UPLOADS), 1, "the same upload");
    let opened = source.opened.lock().unwrap().clone();
    assert_eq!(opened.len(), 2);
    assert!(opened[1] > 0, "{opened:?}");
    assert_eq!(received(&world), 4 << 20, "no byte twice");
}

/// What goes between cuts adds up.
#[tokio::test]
async fn an_upload_that_moves_on_in_small_steps_arrives() {
    let (world, source) = (world(), Source::new(content(10 << 20)));
    world.registry.fault(
        Match::patch(UPLOADS).times(19),
        Fault::end_request_at(512 << 10, Ending::Reset),
    );
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    assert_eq!(world.registry.count("POST", UPLOADS), 1, "the same upload");
    assert_eq!(world.registry.count("PATCH", UPLOADS), 20);
}

/// A few bytes between cuts are none to speak of.
#[tokio::test]
async fn an_upload_that_hardly_moves_is_given_up() {
    let (world, source) = (world(), Source::new(content(1 << 20)));
    world.registry.fault(
        Match::patch(UPLOADS),
        Fault::end_request_at(10, Ending::Reset),
    );
    let error = push(&world, &source).await.unwrap_err();
    let told = (error.kind(), error.attempts());
    assert_eq!(told, (ErrorKind::Interrupted, 5), "{error:?}");
    assert_eq!(world.registry.count("PATCH", UPLOADS), 5);
}

#[tokio::test]
async fn a_lost_upload_begins_again() {
    let (world, source) = (world(), Source::new(content(100_000)));
    world
        .registry
        .fault(Match::put(UPLOADS).once(), Fault::status(404));
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    assert_eq!(world.registry.count("POST", UPLOADS), 2);
}

#[tokio::test]
async fn a_body_too_large_is_sent_in_chunks() {
    let registry = Registry::builder().minimal_chunk(9 << 20).start();
    let (world, source) = (World::open(registry), Source::new(content(20 << 20)));
    world
        .registry
        .fault(Match::patch(UPLOADS).once(), Fault::status(413));
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    let requests = world.registry.requests().into_iter();
    let ranges: Vec<_> = requests
        .filter_map(|record| record.header("content-range").map(str::to_owned))
        .collect();
    assert_eq!(
        ranges,
        ["0-9437183", "9437184-18874367", "18874368-20971519"]
    );
}

#[tokio::test]
async fn odd_successes_are_successes() {
    for status in [201, 204] {
        let (world, source) = (world(), Source::new(content(1000)));
        world
            .registry
            .fault(Match::patch(UPLOADS), Fault::answer().as_status(status));
        push(&world, &source).await.unwrap();
        arrived(&world, &source);
    }
    // No word about where to go on, or how much came.
    let (world, source) = (world(), Source::new(content(1000)));
    world.registry.fault(
        Match::patch(UPLOADS),
        Fault::answer()
            .without_header("location")
            .without_header("range"),
    );
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
}

#[tokio::test]
async fn failures_that_last_end_the_upload_and_clean_up() {
    for (rule, status, kind) in [
        (Match::post(UPLOADS), 403, ErrorKind::Denied),
        (Match::patch(UPLOADS), 400, ErrorKind::Rejected),
        (Match::put(UPLOADS), 400, ErrorKind::Rejected),
        (Match::put(UPLOADS), 404, ErrorKind::NotFound),
    ] {
        let (world, source) = (world(), Source::new(content(1000)));
        world.registry.fault(rule, Fault::status(status));
        let error = push(&world, &source).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(world.registry.open_uploads(), 0);
        assert!(world.registry.count("POST", UPLOADS) <= 3);
    }
}

#[tokio::test]
async fn a_blob_that_is_not_what_it_says_is_an_error() {
    let world = world();
    let mut short = Source::new(content(1000));
    short.content = content(999);
    let error = push(&world, &short).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source, "{error:?}");
    assert!(
        error.to_string().ends_with("ended 1 bytes too early"),
        "{error}"
    );

    let mut other = Source::new(content(1000));
    other.content = Bytes::from(vec![0; 1000]);
    let error = push(&world, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert_eq!(world.registry.open_uploads(), 0);
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_an_error() {
    let (world, source) = (world(), Source::new(content(1000)));
    let lie = format!("sha256:{}", "0".repeat(64));
    world.registry.fault(
        Match::put(UPLOADS),
        Fault::answer().header("docker-content-digest", &lie),
    );
    assert_eq!(
        push(&world, &source).await.unwrap_err().kind(),
        ErrorKind::Digest
    );
}

#[tokio::test]
async fn the_same_blob_twice_at_one_time_is_sent_once() {
    let (world, source) = (world(), Source::new(content(100_000)));
    let (one, two) = tokio::join!(push(&world, &source), push(&world, &source));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert!(outcomes.contains(&BlobOutcome::Existed), "{outcomes:?}");
    assert_eq!(received(&world), 100_000);
}

#[tokio::test]
async fn useless_answers_about_existence_are_overcome() {
    for status in [401, 403, 405] {
        let (world, source) = (world(), Source::new(content(1000)));
        world
            .registry
            .fault(Match::head("/v2/a/b/blobs/*"), Fault::status(status));
        push(&world, &source).await.unwrap();
        arrived(&world, &source);
    }
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_heard() {
    let (world, source) = (world(), Source::new(content(20 << 20)));
    world.registry.fault(
        Match::patch(UPLOADS).once(),
        Fault::status(413).and(Fault::answer_early(1 << 20)),
    );
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    // One and three chunks; or the end of the connection overtook the answer, which TCP allows a
    // server that has not read everything, and one attempt followed another.
    let patches = world.registry.count("PATCH", UPLOADS);
    assert!(matches!(patches, 2 | 4), "{patches}");
}

#[tokio::test]
async fn uploads_over_http_2() {
    let authority = Authority::new();
    let builder = Registry::builder().tls_with(authority.server(&LOCAL_NAMES), authority.pem());
    let world = World::new(builder.start(), Credential::Anonymous, |config| {
        config.ca_certs = vec![authority.pem().to_owned()];
    });
    let source = Source::new(content(3 << 20));
    let reset = Fault::end_request_at(1 << 20, Ending::Stream(2));
    world.registry.fault(Match::patch(UPLOADS).once(), reset);
    push(&world, &source).await.unwrap();
    arrived(&world, &source);
    assert!(
        world
            .registry
            .requests()
            .iter()
            .all(|record| record.version == http::Version::HTTP_2)
    );
    assert_eq!(world.registry.count("POST", UPLOADS), 1);
}

/// A registry that takes a little of each request would get the rest of the blob over and over.
#[tokio::test]
async fn a_registry_that_takes_byte_by_byte_is_given_up() {
    let (world, source) = (world(), Source::new(content(2000)));
    let patches = Match::patch(UPLOADS);
    world.registry.fault(patches, Fault::keep_only(2));
    let error = push(&world, &source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert_eq!(world.registry.count("PATCH", UPLOADS), 65);
    assert_eq!(world.registry.open_uploads(), 0);
}

/// What was sent, and lost again with its session, is no progress.
#[tokio::test]
async fn uploads_that_are_lost_each_time_end() {
    let (world, source) = (world(), Source::new(content(9 << 20)));
    let patch = || Match::patch(UPLOADS);
    world.registry.fault(patch().once(), Fault::status(413));
    let second = patch().with_header("content-range", "8388608-");
    world.registry.fault(second, Fault::close());
    world
        .registry
        .fault(Match::get(UPLOADS), Fault::status(404));
    let error = push(&world, &source).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Interrupted, 5),
        "{error:?}"
    );
    assert_eq!(world.registry.open_uploads(), 0);
}
