//! `in` by way of a mirror of Docker Hub, which a proxy stands in for.

use std::time::Duration;

use regimg_resource::Command;
use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::tls::Authority;
use regimg_tests::{Artifact, Image, Layer, Proxy};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{names, read};
use crate::driver::{self, Outcome};
use crate::hub;

/// Which requests of a mirror a fault hits.
type Target = fn(&Fixture) -> String;

/// Docker Hub and a mirror of it, which both have the image.
struct Fixture {
    hub: Registry,
    mirror: Registry,
    proxy: Proxy,
    authority: Authority,
    image: Image,
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let (hub, proxy, authority) = hub::start();
        let image = Image::builder()
            .layer(Layer::parse("file large random=300000"))
            .layer(Layer::parse("file small \"small\""))
            .build();
        let mirror = Registry::start();
        for registry in [&hub, &mirror] {
            registry.publish("library/app", "1.0", &image);
        }
        Self {
            hub,
            proxy,
            mirror,
            authority,
            image,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn blob(&self, layer: usize) -> String {
        format!(
            "/v2/library/app/blobs/{}",
            self.image.layers()[layer].digest()
        )
    }

    fn request(&self) -> Value {
        json!({
            "source": {
                "repository": "app",
                "registry_mirror": {"host": self.mirror.host()},
                "ca_certs": [self.authority.pem()],
            },
            "version": {"tag": "1.0", "digest": self.image.digest().to_string()},
        })
    }

    fn get(&self, request: &Value) -> Outcome {
        let proxy = self.proxy.url();
        let environment = [("HTTPS_PROXY", proxy.as_str())];
        let directory = Some(self.directory.path());
        driver::call_in(&environment, Command::Get, &request.to_string(), directory)
    }

    /// Sees that the whole image is there under the origin's name, and nothing else.
    #[track_caller]
    fn is_whole(&self) {
        let directory = self.directory.path();
        assert_eq!(names(&directory.join("rootfs")), ["large", "small"]);
        assert_eq!(read(directory.join("repository")), "app");
        let hidden = names(directory)
            .into_iter()
            .find(|name| name.starts_with('.'));
        assert_eq!(hidden, None);
    }
}

#[test]
fn a_mirror_that_serves_is_the_only_one_asked() {
    let fixture = Fixture::new();
    let outcome = fixture.get(&fixture.request());
    outcome.answer();
    fixture.is_whole();
    assert!(fixture.hub.requests().is_empty());
    let served = format!("served by mirror {}/library/app", fixture.mirror.host());
    assert!(outcome.stderr.contains(&served), "{}", outcome.stderr);
}

/// The digest says what is right, whoever serves it: a mirror that lies costs time only. So
/// does one that is busy for longer than anybody waits, or that falls silent.
#[test]
fn a_mirror_that_fails_is_left_for_the_origin() {
    let small = |fixture: &Fixture| fixture.blob(1);
    let large = |fixture: &Fixture| fixture.blob(0);
    let manifest = |_: &Fixture| "/v2/library/app/manifests/*".to_owned();
    let config = |fixture: &Fixture| {
        let digest = fixture.image.config().digest();
        format!("/v2/library/app/blobs/{digest}")
    };
    let everything = |_: &Fixture| "/v2/*".to_owned();
    let cases: [(&str, Target, Fault); 13] = [
        ("does not have it", manifest, Fault::status(404)),
        ("lies about the manifest", manifest, Fault::corrupt_at(5)),
        ("lies about the configuration", config, Fault::corrupt_at(5)),
        ("lies about a layer", large, Fault::corrupt_at(200_000)),
        // The unpacker meets the lie before the digest tells it.
        (
            "lies about a layer's beginning",
            large,
            Fault::corrupt_at(0),
        ),
        ("lies about the last layer", small, Fault::corrupt_at(30)),
        ("sends less", small, Fault::truncate(20)),
        ("falls silent", large, Fault::stall_at(100_000)),
        ("drips", large, Fault::pace(1, Duration::from_millis(20))),
        ("breaks off and breaks off", large, Fault::cut_at(10)),
        ("is busy", everything, Fault::status(429)),
        (
            "is busy for an hour",
            everything,
            Fault::status(429).header("retry-after", "3600"),
        ),
        ("is out of order", large, Fault::status(500)),
    ];
    for (name, target, fault) in cases {
        let fixture = Fixture::new();
        fixture.mirror.fault(Match::get(&target(&fixture)), fault);
        let outcome = fixture.get(&fixture.request());
        outcome.answer();
        fixture.is_whole();
        let warning = format!(
            "download from mirror {}/library/app failed: ",
            fixture.mirror.host()
        );
        assert!(
            outcome.stderr.contains(&warning),
            "{name}: {}",
            outcome.stderr
        );
        // Bounded: nothing is asked of the mirror more often than a few times.
        for target in [large(&fixture), small(&fixture), "/v2/".to_owned()] {
            let asked = fixture.mirror.requests();
            let asked = asked.iter().filter(|record| record.path == target).count();
            assert!(asked <= 5, "{name}: {target} was asked for {asked} times");
        }
        assert_eq!(fixture.hub.count("GET", &fixture.blob(0)), 1, "{name}");
    }
}

/// What this machine refuses is no fault of the mirror's.
#[test]
fn a_layer_that_nobody_can_unpack_is_not_fetched_twice() {
    let mut fixture = Fixture::new();
    fixture.image = Image::builder()
        .layer(Layer::parse("file a \"1\" checksum=1"))
        .build();
    for registry in [&fixture.hub, &fixture.mirror] {
        registry.publish("library/app", "1.0", &fixture.image);
    }
    let message = fixture.get(&fixture.request()).failure();
    let digest = fixture.image.layers()[0].digest();
    assert!(message.contains(&format!("layer {digest}: ")), "{message}");
    assert!(fixture.hub.requests().is_empty());
    assert!(names(fixture.directory.path()).is_empty());
}

#[test]
fn when_both_fail_the_origin_says_why() {
    let fixture = Fixture::new();
    for registry in [&fixture.hub, &fixture.mirror] {
        registry.fault(Match::get(&fixture.blob(1)), Fault::corrupt_at(3));
    }
    let outcome = fixture.get(&fixture.request());
    let message = outcome.failure();
    assert!(
        message.starts_with("download failed: write rootfs: "),
        "{message}"
    );
    assert!(
        message.contains("index.docker.io sent another blob"),
        "{message}"
    );
    assert!(names(fixture.directory.path()).is_empty());
}

#[test]
fn a_tag_is_resolved_where_it_is_served() {
    let fixture = Fixture::new();
    let mut request = fixture.request();
    request["version"] = json!({"tag": "1.0"});
    let answer = fixture.get(&request).answer();
    assert_eq!(
        answer["version"]["digest"],
        fixture.image.digest().to_string()
    );
    assert!(fixture.hub.requests().is_empty());

    fixture.mirror.untag("library/app", "1.0");
    let outcome = fixture.get(&request);
    outcome.answer();
    fixture.is_whole();
    assert!(
        outcome.stderr.contains("tag not found"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn each_has_its_own_login() {
    let fixture = Fixture::new();
    fixture
        .mirror
        .set_auth(Auth::bearer().account("m", "mirror's own"));
    fixture
        .hub
        .set_auth(Auth::basic().account("h", "hub's own"));
    let mut request = fixture.request();
    let source = &mut request["source"];
    source["username"] = json!("h");
    source["password"] = json!("hub's own");
    source["registry_mirror"]["username"] = json!("m");
    source["registry_mirror"]["password"] = json!("mirror's own");
    source["debug"] = json!(true);
    // Of the mirror everything is asked, and at the last moment the origin.
    fixture
        .mirror
        .fault(Match::get(&fixture.blob(1)), Fault::corrupt_at(3));
    let outcome = fixture.get(&request);
    outcome.answer();
    fixture.is_whole();
    assert!(!outcome.stderr.contains("own\""), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("'s own"), "{}", outcome.stderr);
    let kinds = |registry: &Registry| -> Vec<String> {
        let requests = registry.requests();
        let shown = requests
            .iter()
            .filter_map(|request| request.authorization());
        let mut kinds: Vec<_> = shown
            .filter_map(|shown| shown.split(' ').next())
            .map(str::to_owned)
            .collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    // `Basic` at the mirror goes to its token service, with its own login.
    assert_eq!(kinds(&fixture.hub), ["Basic"]);
    let at_mirror = fixture.mirror.requests();
    let shown = at_mirror
        .iter()
        .filter_map(|request| request.authorization());
    let of_hub = fixture.hub.requests();
    let of_hub = of_hub.iter().find_map(|request| request.authorization());
    assert!(of_hub.is_some());
    assert!(shown.into_iter().all(|shown| Some(shown) != of_hub));
}
