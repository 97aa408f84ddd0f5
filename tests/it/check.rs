//! `check`: with `source.tag` here, and with everything else below.

mod created;
mod faults;
mod large;
mod mirror;
mod pinned;
mod selection;

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Image, Index};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};

fn check(
    registry: &Registry,
    repository: &str,
    tag: &str,
    cursor: Option<(&str, &str)>,
) -> Outcome {
    let mut request = json!({
        "source": {"repository": format!("{}/{repository}", registry.host()), "tag": tag},
    });
    if let Some((tag, digest)) = cursor {
        request["version"] = json!({"tag": tag, "digest": digest});
    }
    driver::check(&request)
}

fn version(tag: &str, artifact: &impl Artifact) -> Value {
    json!({"tag": tag, "digest": artifact.digest().to_string()})
}

#[test]
fn a_tag_gives_the_digest_it_points_at() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("team/app", "stable", &image);
    let outcome = check(&registry, "team/app", "stable", None);
    assert_eq!(outcome.answer(), json!([version("stable", &image)]));
    assert_eq!(
        registry.count("GET", "/v2/team/app/"),
        0,
        "a digest needs no manifest"
    );
}

#[test]
fn an_index_gives_its_own_digest() {
    let registry = Registry::start();
    let index = Index::builder().image(&Image::with_text("amd64")).build();
    registry.publish("app", "latest", &index);
    assert_eq!(
        check(&registry, "app", "latest", None).answer(),
        json!([version("latest", &index)])
    );
}

#[test]
fn a_tag_that_does_not_exist_gives_no_version() {
    let registry = Registry::start();
    registry.publish("app", "other", &Image::with_text("one"));
    for (repository, tag) in [("app", "latest"), ("nowhere", "latest")] {
        let outcome = check(&registry, repository, tag, None);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (0, "[]\n"),
            "{outcome:#?}"
        );
    }
}

#[test]
fn the_cursor_comes_first_while_it_exists() {
    let registry = Registry::start();
    let (old, new) = (Image::with_text("old"), Image::with_text("new"));
    registry.publish("app", "latest", &old);
    registry.publish("app", "latest", &new);
    let [old_digest, new_digest] = [&old, &new].map(|image| image.digest().to_string());
    let gone = format!("sha256:{}", "0".repeat(64));
    let cases = [
        (
            ("latest", new_digest.as_str()),
            json!([version("latest", &new)]),
        ),
        (
            ("latest", old_digest.as_str()),
            json!([version("latest", &old), version("latest", &new)]),
        ),
        // The emitted tag is the configured one, whatever the cursor's was.
        (
            ("", old_digest.as_str()),
            json!([version("latest", &old), version("latest", &new)]),
        ),
        (("latest", gone.as_str()), json!([version("latest", &new)])),
        (("latest", "no digest"), json!([version("latest", &new)])),
    ];
    for (cursor, expected) in cases {
        let outcome = check(&registry, "app", "latest", Some(cursor));
        assert_eq!(outcome.answer(), expected, "{cursor:?}");
    }
}

#[test]
fn an_unchanged_cursor_costs_one_request() {
    let registry = Registry::start();
    let image = Image::with_text("same");
    registry.publish("app", "latest", &image);
    let digest = image.digest().to_string();
    check(&registry, "app", "latest", Some(("latest", &digest))).answer();
    assert_eq!(
        registry.count("HEAD", "/v2/app/manifests/"),
        1,
        "{}",
        registry.transcript()
    );
}

#[test]
fn a_tag_may_be_written_as_a_number() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("app", "1.10", &image);
    let request = format!(
        r#"{{"Source": {{"repository": "{}/app", "tag": 1.10}}}}"#,
        registry.host()
    );
    let outcome = driver::call(regimg_resource::Command::Check, &request, None);
    assert_eq!(outcome.answer(), json!([version("1.10", &image)]));
}

#[test]
fn passing_failures_are_tried_again() {
    for (status, retries) in [(429, 2), (500, 0), (503, 0)] {
        let registry = Registry::start();
        let image = Image::with_text("one");
        registry.publish("app", "latest", &image);
        registry.fault(
            Match::head("/v2/app/manifests/latest").times(2),
            Fault::status(status),
        );
        let outcome = check(&registry, "app", "latest", None);
        assert_eq!(
            outcome.answer(),
            json!([version("latest", &image)]),
            "{status}"
        );
        assert_eq!(
            outcome.stderr.matches("retrying in ").count(),
            retries,
            "{status}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_registry_without_usable_heads_is_asked_by_get() {
    for fault in [
        Fault::status(405),
        Fault::answer().without_header("docker-content-digest"),
    ] {
        let registry = Registry::start();
        let image = Image::with_text("one");
        registry.publish("app", "latest", &image);
        registry.fault(Match::head("/v2/app/manifests/*"), fault);
        let outcome = check(&registry, "app", "latest", None);
        assert_eq!(outcome.answer(), json!([version("latest", &image)]));
    }
}

#[test]
fn a_refusal_says_who_refused_what() {
    let registry = Registry::start();
    registry.fault(
        Match::any("/v2/app/manifests/*"),
        Fault::status(403).body(r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#),
    );
    let message = check(&registry, "app", "latest", None).failure();
    for part in [
        "checking origin",
        "app failed",
        "403",
        "DENIED",
        &registry.host(),
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_source_that_cannot_be_meant_is_refused_by_its_field() {
    let cases = [
        (json!({"tag": "1"}), "source.repository"),
        (
            json!({"repository": "UPPER", "tag": "1"}),
            "source.repository",
        ),
        (json!({"repository": "app", "tag": "no tag"}), "source.tag"),
        (
            json!({"repository": "app", "tag": "1", "username": "u"}),
            "source.username",
        ),
        (
            json!({"repository": "app", "tag": "1", "password": "p"}),
            "source.password",
        ),
        (
            json!({"repository": "app", "tag": "1", "ca_certs": ["rubbish"]}),
            "ca_certs",
        ),
        (
            json!({"repository": "app", "tag_regex": "("}),
            "invalid regex pattern: error parsing regexp: missing closing )",
        ),
        (
            json!({"repository": "app", "semver_constraint": ">1<2"}),
            r#"parse semver constraint: improper constraint: ">1<2""#,
        ),
        (
            json!({"repository": "app", "tag_exclude_regex": "["}),
            "source.tag_exclude_regex: error parsing regexp",
        ),
        (
            json!({"repository": "app", "version_scheme": "calver"}),
            "source.version_scheme",
        ),
        (
            json!({"repository": "app", "tag_regex": "x", "version_group_sort": true}),
            "invalid regex pattern",
        ),
        (
            json!({"repository": "app", "tag_regex": "(?P<version>x)",
                "version_group_sort": true, "created_at_sort": true}),
            "source.created_at_sort",
        ),
        (
            json!({"repository": "app", "tag": "1", "tag_exclude_regex": "x"}),
            "source.tag_exclude_regex: has no say beside source.tag",
        ),
        (
            json!({"repository": format!("app:1@sha256:{}", "0".repeat(64)), "tag": "2"}),
            "source.tag",
        ),
        (
            json!({"repository": "app", "tag": "1", "aws_account_id": "1"}),
            "source.aws_account_id",
        ),
        (
            json!({"repository": "app", "tag": "1", "azure_acr": true}),
            "source.repository: names no registry of Azure's",
        ),
        (
            json!({"repository": "app", "tag": "1", "registry_mirror": {"host": "a b"}}),
            "failed to resolve mirror: source.registry_mirror.host",
        ),
        (
            json!({"repository": "app", "tag": "1", "registry_mirror": {"host": "m", "username": "u"}}),
            "source.registry_mirror.username",
        ),
    ];
    for (source, field) in cases {
        let message = driver::check(&json!({"source": source})).failure();
        assert!(message.contains(field), "{source}: {message}");
    }
}
