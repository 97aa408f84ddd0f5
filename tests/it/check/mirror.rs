//! `check` with a mirror of Docker Hub: who saw what.

use regimg_resource::Command;
use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::tls::Authority;
use regimg_tests::{Artifact, Image, Proxy};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};
use crate::hub;

/// A stand-in for Docker Hub, which a proxy leads to, and a mirror of it.
struct Fixture {
    hub: Registry,
    mirror: Registry,
    proxy: Proxy,
    authority: Authority,
}

impl Fixture {
    fn new() -> Self {
        let (hub, proxy, authority) = hub::start();
        Self {
            hub,
            mirror: Registry::start(),
            proxy,
            authority,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write `json!` in place"
    )]
    fn check(&self, repository: &str, mirror: Value) -> Outcome {
        let request = json!({"source": {
            "repository": repository,
            "tag": "latest",
            "registry_mirror": mirror,
            "ca_certs": [self.authority.pem()],
        }});
        let environment = [("HTTPS_PROXY", self.proxy.url())];
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        driver::call_in(&environment, Command::Check, &request.to_string(), None)
    }

    fn at_mirror(&self) -> Value {
        json!({ "host": self.mirror.host() })
    }
}

fn version(image: &Image) -> Value {
    json!([{"tag": "latest", "digest": image.digest().to_string()}])
}

#[test]
fn a_mirror_that_answers_is_the_only_one_asked() {
    let fixture = Fixture::new();
    let image = Image::with_text("mirrored");
    fixture.mirror.publish("library/app", "latest", &image);
    let outcome = fixture.check("app", fixture.at_mirror());
    assert_eq!(outcome.answer(), version(&image));
    assert!(fixture.hub.requests().is_empty());
    assert!(
        outcome.stderr.contains("served by mirror"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_mirror_may_have_a_path() {
    let fixture = Fixture::new();
    let image = Image::with_text("mirrored");
    fixture.mirror.publish("hub/team/app", "latest", &image);
    let host = format!("http://{}/hub", fixture.mirror.host());
    assert_eq!(
        fixture.check("team/app", json!({ "host": host })).answer(),
        version(&image)
    );
    assert!(fixture.hub.requests().is_empty());
}

#[test]
fn what_a_mirror_does_not_have_the_origin_is_asked() {
    let fixture = Fixture::new();
    let image = Image::with_text("original");
    fixture.hub.publish("library/app", "latest", &image);
    fixture.mirror.create_repository("library/app");
    let outcome = fixture.check("app", fixture.at_mirror());
    assert_eq!(outcome.answer(), version(&image));
    let warning = format!(
        "checking mirror {}/library/app failed: tag not found",
        fixture.mirror.host()
    );
    assert!(outcome.stderr.contains(&warning), "{}", outcome.stderr);
}

#[test]
fn a_mirror_that_fails_is_left_for_the_origin() {
    let faults = [
        ("an error", Fault::status(500)),
        ("a refusal", Fault::status(403)),
        (
            "a rate limit for longer than anybody waits",
            Fault::status(429).header("Retry-After", "3600"),
        ),
        ("a reset", Fault::reset()),
    ];
    for (name, fault) in faults {
        let fixture = Fixture::new();
        let image = Image::with_text("original");
        fixture.hub.publish("library/app", "latest", &image);
        fixture.mirror.fault(Match::any("/v2/*"), fault);
        let outcome = fixture.check("app", fixture.at_mirror());
        assert_eq!(outcome.answer(), version(&image), "{name}");
        assert!(
            outcome.stderr.contains("checking mirror "),
            "{name}: {}",
            outcome.stderr
        );
    }
}

/// What a mirror says of an image may be nonsense that its digest vouches for.
#[test]
fn a_mirror_with_broken_documents_is_left_for_the_origin() {
    let fixture = Fixture::new();
    let image = Image::with_text("original");
    fixture.hub.publish("library/app", "build-1", &image);
    let nonsense = r#"{"tags": 5}"#;
    fixture.mirror.fault(
        Match::get("/v2/library/app/tags/*"),
        Fault::status(200).body(nonsense),
    );
    let request = json!({"source": {
        "repository": "app",
        "tag_regex": "^build-",
        "created_at_sort": true,
        "registry_mirror": fixture.at_mirror(),
        "ca_certs": [fixture.authority.pem()],
    }});
    let proxy = fixture.proxy.url();
    let outcome = driver::call_in(
        &[("HTTPS_PROXY", &proxy)],
        Command::Check,
        &request.to_string(),
        None,
    );
    assert_eq!(outcome.answer()[0]["tag"], "build-1");
    assert!(
        outcome.stderr.contains("checking mirror "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn when_both_fail_the_origin_says_why() {
    let fixture = Fixture::new();
    for registry in [&fixture.hub, &fixture.mirror] {
        registry.fault(Match::any("/v2/*"), Fault::status(403));
    }
    let message = fixture.check("app", fixture.at_mirror()).failure();
    assert!(
        message.starts_with("checking origin index.docker.io/library/app failed: "),
        "{message}"
    );
}

#[test]
fn another_registry_has_no_mirror() {
    let fixture = Fixture::new();
    let registry = Registry::start();
    let image = Image::with_text("elsewhere");
    registry.publish("app", "latest", &image);
    let repository = format!("{}/app", registry.host());
    assert_eq!(
        fixture.check(&repository, fixture.at_mirror()).answer(),
        version(&image)
    );
    assert!(fixture.mirror.requests().is_empty());
}

#[test]
fn each_has_its_own_login() {
    let fixture = Fixture::new();
    let image = Image::with_text("original");
    fixture.hub.publish("library/app", "latest", &image);
    fixture
        .mirror
        .set_auth(Auth::basic().account("m", "mirror's own"));
    fixture
        .hub
        .set_auth(Auth::basic().account("h", "hub's own"));
    let request = json!({"source": {
        "repository": "app",
        "tag": "latest",
        "username": "h",
        "password": "hub's own",
        "registry_mirror": {"host": fixture.mirror.host(), "username": "m", "password": "mirror's own"},
        "ca_certs": [fixture.authority.pem()],
        "debug": true,
    }});
    let proxy = fixture.proxy.url();
    let outcome = driver::call_in(
        &[("HTTPS_PROXY", &proxy)],
        Command::Check,
        &request.to_string(),
        None,
    );
    assert_eq!(outcome.answer(), version(&image));
    let shown = |registry: &Registry| -> Vec<String> {
        let requests = registry.requests();
        let shown = requests
            .iter()
            .filter_map(|request| request.authorization());
        let mut shown: Vec<_> = shown.map(str::to_owned).collect();
        shown.dedup();
        shown
    };
    let (at_mirror, at_hub) = (shown(&fixture.mirror), shown(&fixture.hub));
    assert_eq!(
        (at_mirror.len(), at_hub.len()),
        (1, 1),
        "{at_mirror:?} {at_hub:?}"
    );
    assert_ne!(at_mirror, at_hub);
    assert!(!outcome.stderr.contains("own"), "{}", outcome.stderr);
}
