//! Registries, repositories, tags and references.

use std::error::Error as _;

use proptest::prelude::*;
use regimg_core::{Identifier, Reference, Registry, Repository, Tag};

#[track_caller]
fn check_repository(text: &str, want: &str) {
    let repository = Repository::parse(text).unwrap();
    assert_eq!(repository.to_string(), want);
}

/// Those of go-containerregistry's own tests, and those that pipelines have.
#[test]
fn repositories_are_completed_as_go_containerregistry_does() {
    check_repository("alpine", "index.docker.io/library/alpine");
    check_repository("docker.io/alpine", "index.docker.io/library/alpine");
    check_repository("index.docker.io/alpine", "index.docker.io/library/alpine");
    check_repository("docker.io/library/alpine", "index.docker.io/library/alpine");
    check_repository("a/b", "index.docker.io/a/b");
    check_repository("a/b/c", "index.docker.io/a/b/c");
    check_repository("gcr.io/project-id/image", "gcr.io/project-id/image");
    check_repository("us.gcr.io/project/sub/dir", "us.gcr.io/project/sub/dir");
    check_repository("example.com/image", "example.com/image");
    check_repository("host:5000/app", "host:5000/app");
    check_repository("localhost:5000/app", "localhost:5000/app");
    check_repository("[::1]:5000/app", "[::1]:5000/app");
    check_repository("[fe80::1]/app", "[fe80::1]/app");
    check_repository("GHCR.io/app", "GHCR.io/app");
    check_repository("example.com./app", "example.com./app");
    check_repository("under_score:80/app", "under_score:80/app");
    check_repository("e/a--b__c..d", "index.docker.io/e/a--b__c..d");
    check_repository("with.dot", "index.docker.io/library/with.dot");
    check_repository("localhost", "index.docker.io/library/localhost");
}

/// go-containerregistry looks for this one on Docker Hub.
#[test]
fn localhost_without_a_port_is_a_registry() {
    check_repository("localhost/app", "localhost/app");
}

#[track_caller]
fn refuse_repository(text: &str, rule: &str) {
    let error = Repository::parse(text).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid name {text:?}: {rule}"));
}

#[test]
fn texts_that_are_no_repositories_say_why() {
    let length = "a repository has 2 to 255 characters";
    refuse_repository("", "the repository is empty");
    refuse_repository("ghcr.io/", "the repository is empty");
    refuse_repository("a", length);
    refuse_repository("ghcr.io/a", length);
    refuse_repository(&"a".repeat(256), length);
    refuse_repository(&"a".repeat(248), length);
    let character = |c: char| {
        format!("{c:?} may not stand in a repository, only a-z, 0-9, '_', '.', '-' and '/'")
    };
    refuse_repository("Upper", &character('U'));
    refuse_repository("app:1", &character(':'));
    refuse_repository("ghcr.io/app:1", &character(':'));
    refuse_repository("ghcr.io/app@sha256", &character('@'));
    refuse_repository("a b", &character(' '));
    refuse_repository("café", &character('é'));
    refuse_repository("app\n", &character('\n'));
    let component =
        |text: &str| format!("{text:?} may not stand between the slashes of a repository");
    refuse_repository("a//b", &component(""));
    refuse_repository("app/", &component(""));
    refuse_repository("/etc", &component(""));
    refuse_repository("ghcr.io/../x", &component(".."));
    refuse_repository("ghcr.io/a/./x", &component("."));
    let scheme = r#"a name has no scheme; leave out everything up to "://""#;
    refuse_repository("https://ghcr.io/app", scheme);
}

#[test]
fn repositories_of_no_registry_say_why() {
    let shape = "a registry is a host name or an address, with an optional port";
    refuse_repository("./app", shape);
    refuse_repository("../app", shape);
    refuse_repository("-a.com/app", shape);
    refuse_repository("a..b/app", shape);
    refuse_repository(":5000/app", shape);
    refuse_repository("[::1/app", shape);
    refuse_repository("[::1]x/app", shape);
    let port = |text: &str| format!("{text:?} is not a port, a number from 1 to 65535");
    refuse_repository("host:port/app", &port("port"));
    refuse_repository("host:/app", &port(""));
    refuse_repository("host:0/app", &port("0"));
    refuse_repository("host:+80/app", &port("+80"));
    refuse_repository("host:65536/app", &port("65536"));
    refuse_repository("[::1]:x/app", &port("x"));
    let address = "there is no IPv6 address between the brackets";
    refuse_repository("[::z]:1/app", address);
    refuse_repository("[127.0.0.1]/app", address);
    refuse_repository("[fe80::1%eth0]/app", address);
    let brackets = "an IPv6 address stands in brackets, as in [::1]:5000";
    refuse_repository("::1/app", brackets);
    let character = |c: char| {
        format!("{c:?} may not stand in a registry, only letters, digits, '_', '.' and '-'")
    };
    refuse_repository("user@host.example/app", &character('@'));
    for name in [
        "bob:hunter2@host.example/app",
        "https://bob:hunter2@host.example/app",
        "bob:hunter2@host.example:5000/app",
        "bob:hunter2@[::1]:5000/app",
        "bob:hun@ter2@host.example",
    ] {
        let error = Repository::parse(name).unwrap_err().to_string();
        assert!(error.ends_with(": a name holds no login"), "{error}");
        assert!(!error.contains("hun") && !error.contains("bob"), "{error}");
    }
    refuse_repository("ex%61mple.com/app", &character('%'));
    refuse_repository("exämple.com/app", &character('ä'));
}

#[test]
fn the_longest_path_counts_what_is_added() {
    let longest = "a".repeat(247);
    let repository = Repository::parse(&longest).unwrap();
    assert_eq!(repository.path().len(), 255);
    let registry = Registry::parse("ghcr.io").unwrap();
    assert!(Repository::new(registry.clone(), &"a".repeat(255)).is_ok());
    assert!(Repository::new(registry, &"a".repeat(256)).is_err());
}

#[test]
fn errors_do_not_repeat_endless_input() {
    let error = Repository::parse(&"É".repeat(100_000)).unwrap_err();
    assert_eq!(error.input().chars().count(), 301);
    assert!(error.to_string().len() < 1000);
}

#[track_caller]
fn check_local(host: &str, want: bool) {
    assert_eq!(Registry::parse(host).unwrap().is_local(), want);
}

#[test]
fn plain_http_is_for_what_is_near() {
    check_local("localhost", true);
    check_local("localhost:5000", true);
    check_local("registry.localhost", true);
    check_local("registry.localhost:80", true);
    check_local("127.0.0.1", true);
    check_local("127.8.8.8:1", true);
    check_local("[::1]", true);
    check_local("[::1]:5000", true);
    check_local("[0:0:0:0:0:0:0:1]:5000", true);
    check_local("10.0.0.1", true);
    check_local("10.255.255.255:80", true);
    check_local("172.16.0.1:443", true);
    check_local("172.31.255.255", true);
    check_local("192.168.1.1", true);
    check_local("11.0.0.1", false);
    check_local("172.15.255.255", false);
    check_local("172.32.0.1", false);
    check_local("192.169.1.1", false);
    check_local("8.8.8.8", false);
    check_local("0.0.0.0", false);
    check_local("169.254.169.254", false);
    check_local("[fe80::1]", false);
    check_local("[fd00::1]:5000", false);
    check_local("[::ffff:127.0.0.1]", false);
    check_local("registry.local", false);
    check_local("localhost.example.com", false);
    check_local("notlocalhost", false);
    check_local("127.0.0.1.example.com", false);
    check_local("10.0.0.example", false);
    check_local("ghcr.io", false);
    check_local("docker.io", false);
}

#[test]
fn docker_hub_has_two_names() {
    let hub = Registry::docker_hub();
    assert_eq!(Registry::parse("docker.io").unwrap(), hub);
    assert_eq!(Registry::parse("index.docker.io").unwrap(), hub);
    assert!(hub.is_docker_hub());
    assert!(
        !Registry::parse("registry-1.docker.io")
            .unwrap()
            .is_docker_hub()
    );
    assert!(Registry::parse("").is_err());
    assert!(Registry::parse("ghcr.io/path").is_err());
}

#[test]
fn a_mirror_has_the_same_path() {
    let origin = Repository::parse("alpine").unwrap();
    let mirror = origin.on_registry(Registry::parse("mirror.example:5000").unwrap());
    assert_eq!(mirror.to_string(), "mirror.example:5000/library/alpine");
    assert_eq!(mirror.on_registry(Registry::docker_hub()), origin);
}

#[test]
fn tags_are_what_the_specification_says() {
    let longest = "a".repeat(128);
    for tag in ["latest", "1.2.3", "V1", "_x", "a-b.c_d", "0", &longest] {
        assert_eq!(Tag::parse(tag).unwrap().as_str(), tag);
    }
    let character =
        |c: char| format!("{c:?} may not stand in a tag, only letters, digits, '_', '.' and '-'");
    let too_long = "a".repeat(129);
    for (tag, rule) in [
        ("", "the tag is empty".to_owned()),
        (".hidden", "a tag may not start with '.'".to_owned()),
        ("-x", "a tag may not start with '-'".to_owned()),
        ("1.2.3+b1", character('+')),
        ("a/b", character('/')),
        ("é", character('é')),
        (&too_long, "a tag has 1 to 128 characters".to_owned()),
    ] {
        let error = Tag::parse(tag).unwrap_err().to_string();
        assert_eq!(error, format!("invalid name {tag:?}: {rule}"));
    }
}

#[track_caller]
fn check_reference(text: &str, repository: &str, tag: Option<&str>, identifier: &str) {
    let reference = Reference::parse(text).unwrap();
    assert_eq!(reference.repository().to_string(), repository);
    assert_eq!(reference.tag().map(Tag::as_str), tag);
    assert_eq!(reference.identifier().to_string(), identifier);
    assert_eq!(Identifier::parse(identifier), Ok(reference.identifier()));
}

#[test]
fn references_have_a_tag_and_a_digest() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let alpine = "index.docker.io/library/alpine";
    let port = "host:5000/aa";
    check_reference("alpine", alpine, None, "latest");
    check_reference("alpine:3.20", alpine, Some("3.20"), "3.20");
    check_reference(port, port, None, "latest");
    check_reference("host:5000/aa:1", port, Some("1"), "1");
    check_reference(&format!("alpine@{digest}"), alpine, None, &digest);
    check_reference(&format!("alpine:3@{digest}"), alpine, Some("3"), &digest);
    let ipv6 = "[::1]:5000/aa";
    check_reference(&format!("{ipv6}:1@{digest}"), ipv6, Some("1"), &digest);
    let hub = "index.docker.io/library/localhost";
    check_reference("localhost:5000", hub, Some("5000"), "5000");
}

#[test]
fn texts_that_are_no_references_are_refused() {
    let twice = format!("alpine@sha256:{0}@sha256:{0}", "0".repeat(64));
    for text in ["", "alpine:", "alpine@", "@", ":", "alpine:1:2", &twice] {
        let error = Reference::parse(text).unwrap_err();
        assert_eq!(error.input(), text);
    }
    let error = Reference::parse("alpine@sha256:1").unwrap_err();
    assert_eq!(
        error.source().unwrap().to_string(),
        r#"invalid digest "sha256:1": sha256 has 64 hexadecimal digits, not 1"#
    );
    assert!(Identifier::parse("sha256:1").is_err());
    assert!(Identifier::parse("a/b").is_err());
}

proptest! {
    #[test]
    fn references_can_be_read_back(
        registry in "(|localhost:[1-9][0-9]{0,3}/|[a-z]{1,9}[.]io/|\\[::1\\]:5000/)",
        path in "[a-z0-9]{2,5}(/[a-z0-9_-]{1,9}){0,3}",
        tag in "(|:[A-Za-z0-9_][A-Za-z0-9._-]{0,20})",
        hex in "(|[0-9a-f]{64})",
    ) {
        let digest = if hex.is_empty() { hex } else { format!("@sha256:{hex}") };
        let reference = Reference::parse(&format!("{registry}{path}{tag}{digest}")).unwrap();
        prop_assert_eq!(&reference, &reference.to_string().parse::<Reference>().unwrap());
        let repository = reference.repository();
        prop_assert_eq!(repository, &repository.to_string().parse::<Repository>().unwrap());
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[\\[\\]:a-zA-Z0-9./@é%?_-]{0,60}|.{0,40}") {
        if let Ok(reference) = Reference::parse(&text) {
            let shown = reference.to_string();
            prop_assert_eq!(&reference, &Reference::parse(&shown).unwrap());
            prop_assert!(!shown.contains(['?', '%', '#', ' ', '\\']));
            prop_assert!(shown.split('/').all(|part| !matches!(part, "" | "." | "..")));
        }
        if let Ok(registry) = Registry::parse(&text) {
            registry.is_local();
            prop_assert_eq!(&registry, &registry.to_string().parse::<Registry>().unwrap());
        }
        if let Ok(tag) = Tag::parse(&text) {
            prop_assert_eq!(tag.as_ref(), text.as_str());
        }
        if let Ok(identifier) = Identifier::parse(&text) {
            prop_assert_eq!(identifier.to_string(), text);
        }
    }

    #[test]
    fn moving_to_another_registry_keeps_names_whole(path in "[a-z]{2,9}(/[a-z]{1,9})?") {
        let repository = Repository::parse(&format!("ghcr.io/{path}")).unwrap();
        let moved = repository.on_registry(Registry::docker_hub());
        prop_assert_eq!(&moved, &Repository::parse(&moved.to_string()).unwrap());
        prop_assert_eq!(&moved, &Repository::new(Registry::docker_hub(), &path).unwrap());
    }
}
