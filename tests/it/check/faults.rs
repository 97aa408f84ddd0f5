//! `check` when the registry or the network misbehaves.

use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::{Artifact, Image, Proxy};
use serde_json::{Value, json};

use regimg_resource::Command;

use crate::driver::{self, Outcome};

fn fixture() -> Registry {
    let registry = Registry::builder()
        .auth(Auth::bearer().account("user", "hunter2"))
        .start();
    for tag in ["1.0.0", "1.1.0", "2.0.0", "latest"] {
        registry.publish("app", tag, &Image::with_text(tag));
    }
    registry
}

fn check(registry: &Registry, more: &Value) -> Outcome {
    let mut source = json!({
        "repository": format!("{}/app", registry.host()), "username": "user", "password": "hunter2",
    });
    source
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    driver::check(&json!({ "source": source }))
}

/// Every request that a check makes may fail for a passing reason.
#[test]
fn a_passing_failure_of_any_request_changes_nothing() {
    let registry = fixture();
    let expected = check(&registry, &json!({})).answer();
    let targets = [
        "/v2/",
        "/token*",
        "/v2/app/tags/list*",
        "/v2/app/manifests/1.1.0",
        "/v2/app/manifests/latest",
    ];
    let faults = [
        Fault::status(429),
        Fault::status(429).header("Retry-After", "0"),
        Fault::status(503),
        Fault::reset(),
        Fault::close(),
    ];
    for target in targets {
        for fault in &faults {
            let registry = fixture();
            registry.fault(Match::any(target).once(), fault.clone());
            let outcome = check(&registry, &json!({}));
            assert_eq!(
                outcome.answer(),
                expected,
                "{target}: {fault:?}\n{}",
                registry.transcript()
            );
        }
    }
}

/// What will not pass ends the check, and no further tag is asked for.
#[test]
fn the_first_refusal_ends_the_check() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    for minor in 0..500 {
        registry.publish("app", &format!("1.{minor}"), &image);
    }
    registry.fault(
        Match::any("/v2/app/manifests/*"),
        Fault::status(403).body(r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#),
    );
    let repository = format!("{}/app", registry.host());
    let message = driver::check(&json!({"source": {"repository": repository}})).failure();
    for part in [
        "checking origin",
        "get tag digest: ",
        "403",
        "DENIED",
        "not for you",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let asked = registry.requests().len();
    assert!(asked < 150, "{asked} requests");
}

#[test]
fn a_rate_limit_beyond_anybodys_patience_says_until_when() {
    let registry = Registry::start();
    registry.publish("app", "1.0.0", &Image::with_text("one"));
    registry.fault(
        Match::head("/v2/app/manifests/*"),
        Fault::status(429).header("Retry-After", "21600"),
    );
    let repository = format!("{}/app", registry.host());
    let outcome = driver::check(&json!({"source": {"repository": repository}}));
    let message = outcome.failure();
    assert!(message.contains("429"), "{message}");
    assert!(outcome.stderr.contains("wait 6h0m0s"), "{}", outcome.stderr);
    assert_eq!(
        registry.count("GET", "/v2/app/manifests/"),
        0,
        "a GET would cost a pull"
    );
}

#[test]
fn what_a_person_can_mend_is_said() {
    let registry = fixture();
    let message = |fields: Value| {
        let outcome = check(&registry, &fields);
        outcome.failure() + "\n" + &outcome.stderr
    };
    let cases = [
        (json!({"password": "mistaken"}), &["401"][..]),
        (
            json!({"repository": format!("{}/nowhere", registry.host())}),
            &["404", "NAME_UNKNOWN", "list repository tags"],
        ),
    ];
    for (fields, parts) in cases {
        let message = message(fields.clone());
        for part in parts {
            assert!(message.contains(part), "{fields}: {part}: {message}");
        }
        assert!(
            !message.contains("mistaken") && !message.contains("hunter2"),
            "{message}"
        );
    }
    let tls = Registry::builder().tls().start();
    let message = driver::check(&json!({"source": {"repository": format!("{}/app", tls.host())}}));
    assert!(message.failure().to_lowercase().contains("certificate"));
    assert!(message.stderr.contains("ca_certs"), "{}", message.stderr);
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let proxy = Proxy::with_authorization("127.0.0.1:1".parse().unwrap(), "Basic nobody knows");
    let request =
        json!({"source": {"repository": "registry.example.com/app", "tag": "1"}}).to_string();
    let url = proxy.url().replace("://", "://mole:whiskers@");
    let outcome = driver::call_in(&[("HTTPS_PROXY", &url)], Command::Check, &request, None);
    let message = outcome.failure();
    let named = format!("registry.example.com through the proxy {}", proxy.addr());
    assert!(message.contains(&named), "{message}");
    assert!(!outcome.stderr.contains("whiskers"), "{}", outcome.stderr);
}

#[test]
fn a_repository_without_a_wanted_tag_says_so() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    for tag in ["nightly", "1.0.0", "2.0.0-rc.1"] {
        registry.publish("app", tag, &image);
    }
    assert!(!image.digest().to_string().is_empty());
    let source = json!({
        "repository": format!("{}/app", registry.host()), "semver_constraint": ">= 3", "debug": true,
    });
    let outcome = driver::check(&json!({ "source": source }));
    assert_eq!(outcome.answer(), json!([]));
    for part in [
        "none of the 3 tags",
        r#"tag "1.0.0" does not satisfy the constraint"#,
        r#"tag "2.0.0-rc.1" is a pre-release that is not asked for"#,
        r#"tag "nightly" is no version"#,
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
}
