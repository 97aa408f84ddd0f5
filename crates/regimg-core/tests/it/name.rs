//! Registries, repositories, tags and references.

use proptest::prelude::*;
use regimg_core::{Reference, Registry, Repository, Tag};

#[track_caller]
fn repository(text: &str, expected: &str) {
    assert_eq!(
        Repository::parse(text).unwrap().to_string(),
        expected,
        "{text}"
    );
}

#[test]
fn repositories_get_the_registry_that_go_containerregistry_gives_them() {
    repository("alpine", "index.docker.io/library/alpine");
    repository("docker.io/alpine", "index.docker.io/library/alpine");
    repository("index.docker.io/alpine", "index.docker.io/library/alpine");
    repository("docker.io/library/alpine", "index.docker.io/library/alpine");
    repository("a/b", "index.docker.io/a/b");
    repository("a/b/c", "index.docker.io/a/b/c");
    repository("localhost/app", "localhost/app");
    repository("localhost:5000/app", "localhost:5000/app");
    repository("host:5000/app", "host:5000/app");
    repository("ghcr.io/a/b", "ghcr.io/a/b");
    repository("[::1]:5000/app", "[::1]:5000/app");
    repository("[fe80::1]/app", "[fe80::1]/app");
    repository("GHCR.io/app", "GHCR.io/app");
    repository("under_score.example/app", "under_score.example/app");
    repository("e/a--b__c..d", "index.docker.io/e/a--b__c..d");
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    let error = Repository::parse(text).unwrap_err().to_string();
    assert!(error.contains(problem), "{text}: {error}");
}

#[test]
fn texts_that_are_no_repositories_say_why() {
    refuse("", "has 0 characters");
    refuse("a", "has 1 characters");
    refuse(&"a".repeat(256), "has 256 characters");
    refuse("Upper", "'U' is not one of");
    refuse("app:1", "':' is not one of");
    refuse("ghcr.io/app:1", "':' is not one of");
    refuse("a b", "' ' is not one of");
    refuse("a//b", "names nothing");
    refuse("ghcr.io/../x", "names nothing");
    refuse("/etc", "names nothing");
    refuse("ghcr.io/", "has 0 characters");
    refuse("host:port/app", "the port is no number");
    refuse("host:99999/app", "the port is no number");
    refuse("host:/app", "the port is no number");
    refuse("[::1/app", "closing bracket");
    refuse("[::z]:1/app", "no IPv6 address");
    refuse("user@host.example/app", "a host has letters");
    refuse("ex%61mple.com/app", "a host has letters");
}

#[test]
fn plain_http_is_for_what_is_near() {
    let cases = [
        ("localhost", true),
        ("localhost:5000", true),
        ("registry.localhost:80", true),
        ("127.0.0.1", true),
        ("127.8.8.8:1", true),
        ("[::1]:5000", true),
        ("10.0.0.1", true),
        ("172.16.0.1:443", true),
        ("172.31.255.255", true),
        ("172.32.0.1", false),
        ("192.168.1.1", true),
        ("192.169.1.1", false),
        ("8.8.8.8", false),
        ("[fe80::1]", false),
        ("registry.local", false),
        ("localhost.example.com", false),
        ("127.0.0.1.example.com", false),
        ("10.0.0.example", false),
        ("ghcr.io", false),
    ];
    for (host, expected) in cases {
        assert_eq!(
            Registry::parse(host).unwrap().is_local(),
            expected,
            "{host}"
        );
    }
}

#[test]
fn a_mirror_has_the_same_path() {
    let origin = Repository::parse("alpine").unwrap();
    assert!(origin.registry().is_docker_hub());
    let mirror = origin.on_registry(Registry::parse("mirror.example:5000").unwrap());
    assert_eq!(mirror.to_string(), "mirror.example:5000/library/alpine");
}

#[test]
fn tags_are_what_the_specification_says() {
    for tag in [
        "latest",
        "1.2.3",
        "V1",
        "_x",
        "a-b.c_d",
        "0",
        &"a".repeat(128),
    ] {
        assert_eq!(Tag::parse(tag).unwrap().as_str(), tag);
    }
    for (tag, problem) in [
        ("", "is empty"),
        (".hidden", "begins with '.'"),
        ("-x", "begins with '-'"),
        ("1.2.3+b1", "'+' is not one of"),
        ("a/b", "'/' is not one of"),
        ("é", "begins with 'é'"),
    ] {
        let error = Tag::parse(tag).unwrap_err().to_string();
        assert!(error.contains(problem), "{tag}: {error}");
    }
    assert!(
        Tag::parse(&"a".repeat(129))
            .unwrap_err()
            .to_string()
            .contains("has 129 characters")
    );
}

#[test]
fn references_name_tag_and_digest() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let cases = [
        (
            "alpine".to_owned(),
            "index.docker.io/library/alpine",
            None,
            "latest".to_owned(),
        ),
        (
            "host:5000/aa".to_owned(),
            "host:5000/aa",
            None,
            "latest".to_owned(),
        ),
        (
            "host:5000/aa:1".to_owned(),
            "host:5000/aa",
            Some("1"),
            "1".to_owned(),
        ),
        (
            format!("alpine@{digest}"),
            "index.docker.io/library/alpine",
            None,
            digest.clone(),
        ),
        (
            format!("[::1]:5000/aa:1@{digest}"),
            "[::1]:5000/aa",
            Some("1"),
            digest.clone(),
        ),
    ];
    for (text, repository, tag, identifier) in cases {
        let reference = Reference::parse(&text).unwrap();
        assert_eq!(reference.repository().to_string(), repository, "{text}");
        assert_eq!(reference.tag().map(Tag::as_str), tag, "{text}");
        assert_eq!(reference.identifier().to_string(), identifier, "{text}");
    }
    for text in [
        "alpine:",
        "alpine@",
        "alpine@sha256:1",
        "@",
        ":",
        "alpine:1:2",
    ] {
        assert!(Reference::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn references_print_as_they_are_read(
        registry in "(|localhost:[1-9][0-9]{0,3}/|[a-z]{1,9}[.]io/|\\[::1\\]:5000/)",
        path in "[a-z0-9]{1,5}/[a-z0-9_-]{1,9}",
        tag in "(|:[A-Za-z0-9_][A-Za-z0-9._-]{0,20})",
        hex in "(|[0-9a-f]{64})",
    ) {
        let digest = if hex.is_empty() { hex } else { format!("@sha256:{hex}") };
        let reference = Reference::parse(&format!("{registry}{path}{tag}{digest}")).unwrap();
        prop_assert_eq!(&reference, &Reference::parse(&reference.to_string()).unwrap());
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]:a-zA-Z0-9./@é_-]{0,60}|.{0,40}") {
        let _ = Reference::parse(&text);
        let _ = Registry::parse(&text).map(|registry| registry.is_local());
        let _ = Tag::parse(&text);
    }
}
