//! What is told through `tracing` and in errors, and what is not.

use std::error::Error as _;

use regimg_core::Secret;
use regimg_registry::{Credential, Error};
use regimg_tests::Image;
use regimg_tests::registry::{Auth, Fault, Match, Origin, Realm, Registry};

use crate::log::holds_no_secret;
use crate::support::{Source, World, basic, content, stored, tag};

#[tokio::test]
async fn waits_are_told_as_in_go() {
    let world = World::open(Registry::start());
    world
        .registry
        .publish("a/b", "latest", &Image::with_text("x"));
    let limit =
        Fault::status(429).body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#);
    world
        .registry
        .fault(Match::get("/v2/a/b/manifests/latest").times(2), limit);
    world
        .repository("a/b")
        .manifest(&tag("latest"))
        .await
        .unwrap();
    let host = world.registry.host();
    let warning = |wait| {
        format!("transient error: 429 TOOMANYREQUESTS from {host}: slow down; retrying in {wait}")
    };
    assert_eq!(world.log.warnings(), [warning("5s"), warning("7.5s")]);
}

#[tokio::test]
async fn little_that_is_left_is_told_once() {
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    assert_eq!(repository.rate_limit().await, None);
    for (tag_name, left) in [("one", 50), ("two", 9), ("three", 8)] {
        let target = format!("/v2/a/b/manifests/{tag_name}");
        let limited = Fault::answer()
            .header("ratelimit-limit", "100;w=21600")
            .header("ratelimit-remaining", &format!("{left};w=21600"));
        world.registry.fault(Match::head(&target), limited);
        repository.digest(&tag(tag_name)).await.unwrap();
        let rate = repository.rate_limit().await.unwrap();
        assert_eq!((rate.limit, rate.remaining), (Some(100), left));
    }
    let host = world.registry.host();
    let warning = format!("rate limit: 9 of 100 requests to {host} are left, in windows of 6h0m0s");
    assert_eq!(world.log.warnings(), [warning]);
}

/// Everything that an error says, in every way of asking.
fn told(error: &Error) -> String {
    let mut told = format!(
        "{error} {error:?} {:?} {:?} {:?} {}",
        error.url(),
        error.hint(),
        error.codes().collect::<Vec<_>>(),
        error.message()
    );
    let mut cause = error.source();
    while let Some(inner) = cause {
        told.extend([inner.to_string(), format!("{inner:?}")]);
        cause = inner.source();
    }
    told
}

const PASSWORD: &str = "hidden-password";

fn identities() -> Vec<(Auth, Credential, &'static str)> {
    let user = || basic("user", "hidden-password");
    vec![
        (
            Auth::basic().account("user", "hidden-password"),
            user(),
            PASSWORD,
        ),
        (
            Auth::bearer().account("user", "hidden-password"),
            user(),
            PASSWORD,
        ),
        (
            Auth::bearer()
                .account("user", "hidden-password")
                .realm(Realm::Separate),
            user(),
            PASSWORD,
        ),
        (
            Auth::bearer().identity_token("hidden-refresh"),
            Credential::IdentityToken(Secret::new("hidden-refresh")),
            "hidden-refresh",
        ),
        (
            Auth::bearer().registry_token("hidden-token"),
            Credential::RegistryToken(Secret::new("hidden-token")),
            "hidden-token",
        ),
        (Auth::basic().account("user", "other"), user(), PASSWORD),
        (Auth::bearer().account("user", "other"), user(), PASSWORD),
    ]
}

/// Ways for a request to fail, with answers that repeat what they were shown.
fn failures(registry: &Registry, secret: &str) -> Vec<Fault> {
    let signed = format!(
        "{}/x?X-Amz-Signature=hidden-signature",
        registry.url(Origin::Elsewhere)
    );
    let encoded = "dXNlcjpoaWRkZW4tcGFzc3dvcmQ=";
    let echo = || {
        let message = format!("bad {secret}, or Basic {encoded}");
        let errors = serde_json::json!([{"code": secret, "message": message}]);
        serde_json::json!({"errors": errors}).to_string()
    };
    vec![
        Fault::redirect_to(&signed),
        Fault::redirect_to("http://user:hidden-login@10.0.0.1/x?sig=hidden-signature"),
        Fault::redirect_to("https://example.invalid:1/x?sig=hidden-signature"),
        Fault::redirect_to_itself(),
        Fault::status(401).body(echo()),
        Fault::status(403).body(echo()),
        Fault::status(400).body(echo()),
        Fault::status(503).body(echo()),
        Fault::status(429)
            .header("retry-after", "999999")
            .body(echo()),
        Fault::reset(),
        Fault::close(),
        Fault::cut_at(3),
    ]
}

#[tokio::test]
async fn no_failure_tells_a_secret() {
    let mut errors = 0;
    for (auth, credential, secret) in identities() {
        let registry = Registry::builder().auth(auth).start();
        registry.publish("a/b", "latest", &Image::with_text("x"));
        let blob = stored(&registry, "a/b", &content(100));
        let faults = failures(&registry, secret);
        let world = World::new(registry, credential, |config| {
            config.retry.max_elapsed = std::time::Duration::from_secs(6);
        });
        for fault in faults {
            world.registry.clear_faults();
            world.registry.fault(Match::any("/v2/a/b/*"), fault);
            let repository = world.repository("a/b");
            let source = Source::new(content(50));
            let outcomes = [
                repository.tags().await.err(),
                repository.digest(&tag("latest")).await.err(),
                repository.manifest(&tag("latest")).await.err(),
                repository.open_blob(&blob).await.err(),
                repository.push_blob(&source, &[]).await.err(),
                repository.referrers(&blob.digest, None).await.err(),
            ];
            for error in outcomes.iter().flatten() {
                let told = format!("{}{:?}", told(error), world.client);
                holds_no_secret(&told, &["hidden".to_owned()]);
                holds_no_secret(&told, &world.secrets());
                errors += 1;
            }
        }
    }
    assert!(errors > 300, "{errors}");
}

#[tokio::test]
async fn a_token_that_an_answer_repeats_is_blackened() {
    let registry = Registry::builder()
        .auth(Auth::bearer().anonymous_pull())
        .start();
    let world = World::open(registry);
    let echo = Fault::status(403).body("no access with token-1 here");
    world.registry.fault(Match::get("/v2/a/b/*"), echo);
    let error = world.repository("a/b").tags().await.unwrap_err();
    assert_eq!(error.message(), "no access with **** here");
}

#[tokio::test]
async fn errors_say_who_asked_what() {
    let world = World::open(Registry::start());
    let repository = world.repository("a/b");
    let blob = Source::new(content(10));
    world.registry.fault(Match::patch("*"), Fault::status(403));
    for (error, wanted) in [
        (repository.tags().await.unwrap_err(), "GET"),
        (repository.push_blob(&blob, &[]).await.unwrap_err(), "PATCH"),
    ] {
        assert_eq!(error.method(), Some(wanted), "{error:?}");
        assert!(error.url().unwrap().contains("/v2/a/b/"));
        assert_eq!((error.attempts(), error.codes().count()), (1, 1));
        assert!(!error.message().is_empty());
    }
}
