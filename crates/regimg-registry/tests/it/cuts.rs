//! One blob cut at every place and in every way: in the end its bytes are right, or the error is plain.

use bytes::Bytes;
use http::Version;
use regimg_core::Descriptor;
use regimg_registry::{Credential, Error, ErrorKind};
use regimg_tests::registry::{Builder, Ending, Fault, Match, Record, Registry};
use regimg_tests::tls::Protocols;

use crate::support::{World, content, drain, stored};

const BLOBS: &str = "/v2/a/b/blobs/*";
const SIZE: usize = 1 << 20;
const STEP: usize = 64 << 10;

/// One blob at a server that speaks one version of HTTP.
struct Place {
    world: World,
    version: Version,
    blob: Bytes,
    descriptor: Descriptor,
}

impl Place {
    fn new(version: Version) -> Self {
        let protocols = match version {
            Version::HTTP_2 => Protocols::Http2,
            _ => Protocols::Http1,
        };
        let builder: Builder = Registry::builder().tls().protocols(protocols);
        let registry = builder.start();
        let authority = registry.ca_pem().to_owned();
        let blob = content(SIZE);
        let descriptor = stored(&registry, "a/b", &blob);
        let world = World::new(registry, Credential::Anonymous, |config| {
            config.ca_certs = vec![authority];
        });
        Self {
            world,
            version,
            blob,
            descriptor,
        }
    }

    async fn download(&self) -> Result<Vec<u8>, Error> {
        let repository = self.world.repository("a/b");
        drain(repository.open_blob(&self.descriptor).await?).await
    }

    /// Downloads with faults, each of which strikes once, and says how many requests that took.
    async fn arrives(&self, name: &str, faults: &[Fault]) -> usize {
        let registry = &self.world.registry;
        registry.clear_requests();
        for fault in faults {
            registry.fault(Match::get(BLOBS).once(), fault.clone());
        }
        let got = self.download().await;
        let got = got.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(got == self.blob, "{name}: other bytes");
        let requests = registry.requests();
        let is_ours = |record: &Record| record.version == self.version;
        assert!(requests.iter().all(is_ours), "{name}");
        registry.clear_faults();
        registry.count("GET", "/v2/a/b/blobs/")
    }
}

fn positions() -> impl Iterator<Item = u64> {
    let steps = (0..=SIZE).step_by(STEP);
    steps.chain([1, SIZE - 1]).map(|position| position as u64)
}

#[tokio::test]
async fn cuts_at_every_place() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let place = Place::new(version);
        for position in positions() {
            for ending in [Ending::Close, Ending::Reset, Ending::GoAway(0)] {
                // A reset may overtake bytes that are under way, the last ones too.
                let name = format!("{version:?}: {ending:?} at {position}");
                let requests = place
                    .arrives(&name, &[Fault::end_at(position, ending)])
                    .await;
                let is_whole = position == SIZE as u64;
                assert!(requests == 2 || is_whole && requests == 1, "{name}");
            }
        }
    }
}

/// All the codes there are, and one that is not.
#[tokio::test]
async fn streams_reset_and_connections_left_with_every_code() {
    let place = Place::new(Version::HTTP_2);
    for code in (0..=0xd).chain([0xff]) {
        let position = STEP as u64 * u64::from(code % 17);
        for ending in [Ending::Stream(code), Ending::GoAway(code)] {
            let name = format!("{ending:?}");
            let faults = [Fault::end_at(position, ending), Fault::end(ending)];
            let requests = place.arrives(&name, &faults).await;
            assert!(requests >= 2, "{name}");
            // Without a length the end of the stream is all there is to go by.
            let fault = Fault::end_at(position, ending).without_header("content-length");
            assert_eq!(place.arrives(&name, &[fault]).await, 2, "{name}");
        }
    }
}

#[tokio::test]
async fn cuts_that_never_end_are_told() {
    let place = Place::new(Version::HTTP_2);
    let registry = &place.world.registry;
    for ending in [
        Ending::Stream(0),
        Ending::Stream(2),
        Ending::GoAway(0),
        Ending::Close,
    ] {
        for fault in [
            Fault::end_at(10, ending),
            Fault::end_at(10, ending).without_header("content-length"),
        ] {
            registry.clear_requests();
            registry.fault(Match::get(BLOBS), fault);
            let error = place.download().await.unwrap_err();
            registry.clear_faults();
            let told = (error.kind(), error.attempts());
            assert_eq!(told, (ErrorKind::Interrupted, 5), "{ending:?}: {error:?}");
            assert_eq!(registry.count("GET", "/v2/a/b/blobs/"), 5, "{ending:?}");
        }
    }
}

/// A manifest or a list is read as a whole and asked for again as a whole.
#[tokio::test]
async fn short_answers_that_are_cut_without_an_error_are_asked_for_again() {
    let place = Place::new(Version::HTTP_2);
    let registry = &place.world.registry;
    registry.publish("a/b", "latest", &regimg_tests::Image::with_text("x"));
    for ending in [Ending::Stream(0), Ending::GoAway(0)] {
        registry.fault(
            Match::get("/v2/a/b/manifests/*").once(),
            Fault::end_at(10, ending),
        );
        registry.fault(
            Match::get("/v2/a/b/tags/*").once(),
            Fault::end_at(5, ending),
        );
        let repository = place.world.repository("a/b");
        repository
            .manifest(&crate::support::tag("latest"))
            .await
            .unwrap();
        assert_eq!(repository.tags().await.unwrap(), ["latest"]);
    }
    assert_eq!(registry.count("GET", "/v2/a/b/manifests/"), 4);
}

/// Without a length the end of the document is all there is to go by.
#[tokio::test]
async fn documents_that_break_off_are_asked_for_again() {
    let place = Place::new(Version::HTTP_2);
    let registry = &place.world.registry;
    registry.publish("a/b", "latest", &regimg_tests::Image::with_text("x"));
    let repository = place.world.repository("a/b");
    for position in [0, 5, 25] {
        let cut = Fault::end_at(position, Ending::Stream(0)).without_header("content-length");
        for (path, name) in [
            ("/v2/a/b/manifests/*", "manifest"),
            ("/v2/a/b/tags/*", "tags"),
        ] {
            registry.clear_requests();
            registry.fault(Match::get(path).times(2), cut.clone());
            let latest = repository.manifest(&crate::support::tag("latest")).await;
            latest.unwrap_or_else(|error| panic!("{name}, {position}: {error:?}"));
            assert_eq!(repository.tags().await.unwrap(), ["latest"], "{position}");
            assert_eq!(registry.count("GET", "/v2/a/b/"), 4, "{name}, {position}");
        }
    }
    // It may be all that there is.
    registry.clear_requests();
    let cut = Fault::end_at(5, Ending::Stream(0)).without_header("content-length");
    registry.fault(Match::get("/v2/a/b/tags/*"), cut);
    let error = repository.tags().await.unwrap_err();
    let told = (error.kind(), error.attempts());
    assert_eq!(told, (ErrorKind::Interrupted, 3), "{error:?}");
    assert_eq!(registry.count("GET", "/v2/a/b/tags/"), 3);
}

/// What is not JSON is not what was cut off JSON.
#[tokio::test]
async fn documents_of_another_kind_are_not_asked_for_again() {
    let place = Place::new(Version::HTTP_2);
    let registry = &place.world.registry;
    let page = Fault::answer()
        .body("<html>")
        .without_header("content-length");
    registry.fault(Match::get("/v2/a/b/tags/*"), page);
    let error = place.world.repository("a/b").tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert_eq!(registry.count("GET", "/v2/a/b/tags/"), 1);
}
