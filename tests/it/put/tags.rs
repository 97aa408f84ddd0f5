//! Under which tags `out` pushes.

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{ArchiveLayers, DockerArchive, Image};
use serde_json::{Value, json};

use crate::driver::{self, Outcome};

fn archive() -> Vec<u8> {
    DockerArchive::new()
        .image(&Image::with_text("new"), &[])
        .layers(ArchiveLayers::Stored)
        .to_tar()
}

/// Pushes with this `source` and these `params`; `tags` is in the file `tags`.
fn push(registry: &Registry, source: &Value, params: &Value, tags: &str) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("image.tar"), archive()).unwrap();
    std::fs::write(directory.path().join("tags"), tags).unwrap();
    let mut request = json!({
        "source": {"repository": format!("{}/app", registry.host())},
        "params": {"image": "image.tar"},
    });
    for (place, changes) in [("source", source), ("params", params)] {
        for (field, value) in changes.as_object().expect("an object") {
            request[place][field] = value.clone();
        }
    }
    driver::put(&request, directory.path())
}

/// Lists the tags that the registry was asked to set, in order.
fn pushed(registry: &Registry) -> Vec<String> {
    let requests = registry.requests();
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.filter_map(|request| request.path.strip_prefix("/v2/app/manifests/"))
        .map(str::to_owned)
        .collect()
}

/// What is pushed beside what: the repository's tags, the version, the variant, and the tags
/// that are reported.
const ALIASES: &str = "
                                        | 1.2.3      |        | 1.2.3 latest 1 1.2
    1.2.2 1.1.9 0.9.0                   | 1.2.3      |        | 1.2.3 latest 1 1.2
    1.2.3 latest 1 1.2                  | 1.2.3      |        | 1.2.3 latest 1 1.2
    1.2.4                               | 1.2.3      |        | 1.2.3
    1.3.0                               | 1.2.3      |        | 1.2.3 1.2
    2.0.0                               | 1.2.3      |        | 1.2.3 1 1.2
    2.0.0 1.3.0                         | 1.2.3      |        | 1.2.3 1.2
    2.0.0-rc.1 1.3.0-alpha.1            | 1.2.3      |        | 1.2.3 latest 1 1.2
    1.0.0                               | 1.2.3-rc.1 |        | 1.2.3-rc.1
    2.0.0-alpine                        | 1.2.3      |        | 1.2.3 latest 1 1.2
    nightly v x.y                       | 1.2.3      |        | 1.2.3 latest 1 1.2
    20240105                            | 1.2.3      |        | 1.2.3 1 1.2
                                        | 1.2.3      | alpine | 1.2.3-alpine alpine 1-alpine 1.2-alpine
    2.0.0 1.2.4 2.0.0-slim              | 1.2.3      | alpine | 1.2.3-alpine alpine 1-alpine 1.2-alpine
    1.2.4-alpine                        | 1.2.3      | alpine | 1.2.3-alpine
    1.3.0-alpine                        | 1.2.3      | alpine | 1.2.3-alpine 1.2-alpine
    2.0.0-alpine                        | 1.2.3      | alpine | 1.2.3-alpine 1-alpine 1.2-alpine
                                        | 1.2.3-rc.1 | alpine | 1.2.3-rc.1-alpine
";

#[test]
fn aliases_move_as_far_as_nothing_newer_is_there() {
    for line in ALIASES.lines().filter(|line| line.contains('|')) {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [remote, version, variant, expected] = columns[..] else {
            panic!("{line}");
        };
        let registry = Registry::start();
        for tag in remote.split_whitespace() {
            registry.publish("app", tag, &Image::with_text("old"));
        }
        let source = json!({"variant": variant});
        let params = json!({"version": version, "bump_aliases": true});
        let answer = push(&registry, &source, &params, "").answer();
        assert_eq!(answer["metadata"][1]["value"], expected, "{line}");
        let expected: Vec<_> = expected.split(' ').collect();
        assert_eq!(answer["version"]["tag"], expected[0], "{line}");
        // The version first, aliases after it.
        assert_eq!(pushed(&registry), expected, "{line}");
    }
}

#[test]
fn a_repository_that_is_not_there_has_no_tags() {
    for code in ["NAME_UNKNOWN", "NOT_FOUND"] {
        let registry = Registry::start();
        let body = json!({"errors": [{"code": code, "message": "no such thing"}]});
        registry.fault(
            Match::get("/v2/app/tags/list*"),
            Fault::status(404).body(body.to_string()),
        );
        let params = json!({"version": "1.0.0", "bump_aliases": true});
        let answer = push(&registry, &json!({}), &params, "").answer();
        assert_eq!(
            answer["metadata"][1]["value"], "1.0.0 latest 1 1.0",
            "{code}"
        );
    }
}

#[test]
fn without_a_list_of_tags_nothing_is_pushed() {
    for (status, body) in [(403, "{}"), (404, "<html>"), (404, r#"{"errors":[]}"#)] {
        let registry = Registry::start();
        registry.fault(
            Match::get("/v2/app/tags/list*"),
            Fault::status(status).body(body),
        );
        let params = json!({"version": "1.0.0", "bump_aliases": true});
        let failure = push(&registry, &json!({}), &params, "").failure();
        assert!(
            failure.starts_with("determine aliases: list repository tags: "),
            "{failure}"
        );
        assert_eq!(registry.count("POST", "/v2/"), 0);
    }
}

#[test]
fn tags_are_reported_as_asked_for_and_pushed_with_aliases_last() {
    let registry = Registry::start();
    let params = json!({
        "version": "v1.2.3", "bump_aliases": true,
        "additional_tags": "tags", "tag_prefix": "ci-",
        "tags": ["nightly", 1.10, "1.2.3", "stable", "a_b.c-d"],
    });
    let outcome = push(
        &registry,
        &json!({"tag": "stable"}),
        &params,
        " x\ty\n\nx\n",
    );
    let answer = outcome.answer();
    assert_eq!(answer["version"]["tag"], "stable");
    assert_eq!(
        answer["metadata"][1]["value"],
        "stable 1.2.3 latest 1 1.2 ci-x ci-y nightly 1.1 a_b.c-d"
    );
    assert_eq!(
        pushed(&registry),
        [
            "1.2.3", "stable", "ci-x", "ci-y", "nightly", "1.1", "a_b.c-d", "latest", "1", "1.2"
        ]
    );
    assert!(
        outcome
            .stderr
            .contains("pushing tag(s) stable, 1.2.3, latest, 1, 1.2, ci-x"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn tags_alone_are_enough() {
    let registry = Registry::start();
    let params = json!({"tags": ["build-7", "nightly"]});
    let answer = push(&registry, &json!({}), &params, "").answer();
    assert_eq!(answer["version"]["tag"], "build-7");
    assert_eq!(pushed(&registry), ["build-7", "nightly"]);
    let digest = registry.tag_digest("app", "build-7").unwrap();
    assert_eq!(answer["version"]["digest"], digest.to_string());
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let registry = Registry::start();
    let params = json!({"tags": ["a", "b"]});
    push(&registry, &json!({}), &params, "").answer();
    registry.clear_requests();
    let params = json!({"tags": ["a", "b", "c"]});
    let outcome = push(&registry, &json!({}), &params, "");
    outcome.answer();
    assert_eq!(pushed(&registry), ["c"]);
    assert!(
        outcome.stderr.contains("existing manifest: a@sha256:"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_version_with_leading_zeros_loses_them_and_says_so() {
    let registry = Registry::start();
    let outcome = push(&registry, &json!({}), &json!({"version": "2024.01.05"}), "");
    assert_eq!(outcome.answer()["version"]["tag"], "2024.1.5");
    assert!(
        outcome
            .stderr
            .contains("version 2024.01.05 is pushed as 2024.1.5"),
        "{}",
        outcome.stderr
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn requests_that_cannot_be_meant_are_refused_before_anything_is_sent() {
    let registry = Registry::start();
    let long = "a".repeat(129);
    let cases = [
        (
            json!({}),
            json!({}),
            "no tag specified - need either 'version:' in params or 'tag:' in source",
        ),
        (json!({"tag": "a/b"}), json!({}), "illegal tag: "),
        (
            json!({}),
            json!({"version": "hoogily-boogily"}),
            r#"invalid semantic version: "hoogily-boogily""#,
        ),
        (
            json!({}),
            json!({"version": "1.2.3-01"}),
            "failed to parse version: ",
        ),
        (
            json!({}),
            json!({"version": "1.2.3+build"}),
            "illegal tag: ",
        ),
        (
            json!({}),
            json!({"version": "1.2.3+build", "bump_aliases": true}),
            "illegal tag: ",
        ),
        (
            json!({"tag": "1"}),
            json!({"tag_prefix": "x-"}),
            "tag_prefix can only be used when additional_tags are specified",
        ),
        (
            json!({"tag": "1"}),
            json!({"additional_tags": "nowhere"}),
            "could not parse additional tags: failed to read file at \"",
        ),
        (
            json!({"tag": "1"}),
            json!({"additional_tags": "../tags"}),
            "could not parse additional tags: failed to read file at \"",
        ),
        (
            json!({"tag": "1"}),
            json!({"additional_tags": "tags"}),
            "illegal tag: ",
        ),
        (
            json!({"tag": "1"}),
            json!({"tags": [long]}),
            "illegal tag: ",
        ),
        (json!({"tag": "1"}), json!({"tags": [null]}), "illegal tag"),
        (
            json!({"tag": "1"}),
            json!({"tags": "1"}),
            "invalid payload: json: cannot unmarshal string",
        ),
        (
            json!({"tag": "1"}),
            json!({"compression": "brotli"}),
            "params.compression: 'brotli' is neither 'gzip' nor 'zstd'",
        ),
        (
            json!({"tag": "1"}),
            json!({"compression_level": 10}),
            "params.compression_level: 10 is not from 0 to 9",
        ),
        (
            json!({"tag": "1"}),
            json!({"compression": "zstd", "compression_level": 20}),
            "params.compression_level: 20 is not from 1 to 19",
        ),
        (
            json!({"tag": "1"}),
            json!({"mount_from": ["ghcr.io/a/b"]}),
            "params.mount_from: ghcr.io/a/b is on another registry than ",
        ),
        (
            json!({"tag": "1"}),
            json!({"mount_from": ["A"]}),
            "params.mount_from: ",
        ),
        (
            json!({"tag": "1", "content_trust": {"server": "s"}}),
            json!({}),
            "source.content_trust.repository_key_id: is missing",
        ),
        (
            json!({"tag": "1", "aws_region": "r"}),
            json!({}),
            "cannot authenticate with ECR: there can be no AWS region \"r\"",
        ),
        (
            json!({"tag": "1", "azure_acr": true, "aws_region": "r"}),
            json!({}),
            "source.azure_acr: is given together with source.aws_region",
        ),
    ];
    for (source, params, problem) in cases {
        let case = format!("{source} {params}");
        let failure = push(&registry, &source, &params, "fine a:b").failure();
        assert!(failure.starts_with(problem), "{case}: {failure}");
    }
    assert_eq!(registry.transcript(), "");
}
