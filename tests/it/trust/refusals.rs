//! What keeps an image from being signed: found before the push if it can be.

use regimg_tests::notary::{Key, Owner, PASSPHRASE};
use regimg_tests::registry::{Auth, Fault, Match, Registry};
use regimg_tests::tls::Authority;
use regimg_tests::{Artifact, Blob, Image, OciLayout, Proxy};
use serde_json::{Value, json};

use super::{Stage, put, put_from, put_in};

#[test]
fn fields_that_cannot_be_meant_are_named() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let other = Key::new();
    let both = format!(
        "repository_key_id: is {}, but the key in source.content_trust.repository_key has the ID {}",
        other.id(),
        stage.key.id()
    );
    let cases: [(&str, Value, &str); 12] = [
        (
            "repository_key_id",
            json!(""),
            "repository_key_id: is missing",
        ),
        ("repository_key_id", json!(other.id()), &both),
        ("repository_key", json!(""), "repository_key: is missing"),
        ("repository_key", json!("no PEM"), "repository_key: "),
        ("repository_passphrase", json!("wrong"), "repository_key: "),
        ("repository_passphrase", json!(""), "repository_key: "),
        (
            "tls_cert",
            json!("half"),
            "tls_cert: is given without source.content_trust.tls_key",
        ),
        (
            "tls_key",
            json!("half"),
            "tls_key: is given without source.content_trust.tls_cert",
        ),
        (
            "username",
            json!("half"),
            "username: is given without source.content_trust.password",
        ),
        (
            "password",
            json!("half"),
            "password: is given without source.content_trust.username",
        ),
        (
            "scopes",
            json!("push"),
            "scopes: 'push' is none of 'pull', 'push,pull'",
        ),
        ("server", json!("http://127.0.0.1:1"), ""),
    ];
    for (field, value, problem) in cases {
        let mut source = stage.source();
        source["content_trust"][field] = value;
        let message = stage.nothing_was_pushed(&put(&source, &json!({})));
        let expected = match problem {
            "" => "source.content_trust: ".to_owned(),
            problem => format!("source.content_trust.{problem}"),
        };
        assert!(message.starts_with(&expected), "{field}: {message}");
    }
    let mut source = stage.source();
    source["content_trust"] = json!({});
    let message = stage.nothing_was_pushed(&put(&source, &json!({})));
    assert!(
        message.contains("repository_key_id: is missing"),
        "{message}"
    );
    assert_eq!(stage.notary.transcript() + &stage.registry.transcript(), "");
}

#[test]
fn a_wrong_passphrase_is_told_from_a_wrong_key() {
    let stage = Stage::new();
    let mut source = stage.source();
    source["content_trust"]["repository_passphrase"] = json!("a wrong one");
    let wrong = put(&source, &json!({})).failure();
    assert!(wrong.contains("passphrase"), "{wrong}");
    source["content_trust"]["repository_passphrase"] = json!(PASSPHRASE);
    source["content_trust"]["repository_key_id"] = json!("0".repeat(64));
    let other = put(&source, &json!({})).failure();
    assert!(!other.contains("passphrase"), "{other}");
}

/// Sets up a stage, and says what the failure has to say.
type Case = (&'static str, fn(&Stage), &'static [&'static str]);

const BEFORE: [Case; 5] = [
    ("no trust data", |_| {}, &["no trust data", "notary init"]),
    (
        "another key",
        |stage| stage.notary.entrust(&Owner::new(&stage.name())),
        &["may not sign", "hint: the keys of targets are"],
    ),
    (
        "delegated to others",
        |stage| {
            let owner = stage.owner();
            stage
                .notary
                .entrust(&owner.delegation("targets/a", &Key::new(), &[""]));
        },
        &["may not sign", "targets/a"],
    ),
    (
        "delegated for other names",
        |stage| {
            let owner = stage.owner();
            stage
                .notary
                .entrust(&owner.delegation("targets/a", &stage.key, &["v"]));
        },
        &["may not sign", "begin with \"v\""],
    ),
    (
        "out of order",
        |stage| {
            let rule = Match::get("/v2/*/_trust/tuf/root.json");
            stage.notary.fault(rule, Fault::status(403));
        },
        &["root.json", "403"],
    ),
];

#[test]
fn what_can_be_known_before_is_found_before() {
    for (case, set_up, expected) in BEFORE {
        let stage = Stage::new();
        set_up(&stage);
        let outcome = stage.put();
        let message = stage.nothing_was_pushed(&outcome);
        let beginning = "signing is not possible, and nothing was pushed: ";
        assert!(message.starts_with(beginning), "{case}: {message}");
        for text in [stage.name(), stage.notary.host()] {
            assert!(message.contains(&text), "{case}: {message}");
        }
        for text in expected {
            assert!(outcome.stderr.contains(text), "{case}: {}", outcome.stderr);
        }
    }
}

/// Who may sign some of the tags does not begin with these.
#[test]
fn a_key_has_to_be_good_for_all_of_the_tags() {
    let stage = Stage::new();
    let owner = stage.owner().delegation("targets/a", &stage.key, &["1."]);
    stage.notary.entrust(&owner);
    let params = json!({"version": "1.0.1", "tags": ["nightly"]});
    let message = stage.nothing_was_pushed(&put(&stage.source(), &params));
    assert!(message.contains("may not sign \"nightly\""), "{message}");
    let params = json!({"version": "1.0.1", "bump_aliases": true});
    let message = stage.nothing_was_pushed(&put(&stage.source(), &params));
    assert!(message.contains("may not sign \"latest\""), "{message}");
}

#[test]
fn what_is_known_only_after_says_that_it_was_pushed() {
    let cases: [Case; 3] = [
        (
            "the owner has the snapshot key",
            |stage| {
                let owner = stage.owner().keeping_the_snapshot_key();
                stage.notary.entrust(&owner);
            },
            &["notary key rotate", "snapshot -r"],
        ),
        (
            "refused",
            |stage| {
                stage.notary.entrust(&stage.owner());
                let body = json!({"errors": [{"code": "INVALID_UPDATE", "message": "m", "detail": {
                    "Name": "ErrBadTargets",
                    "Error": {"Msg": "the moon is full"},
                }}]});
                let fault = Fault::status(400).body(body.to_string());
                stage.notary.fault(Match::post("/v2/*/_trust/tuf/"), fault);
            },
            &["the moon is full"],
        ),
        (
            "lost",
            |stage| {
                stage.notary.entrust(&stage.owner());
                // The second one is that of the update.
                let rule = Match::get("/v2/*/_trust/tuf/targets.*").after(1);
                stage.notary.fault(rule, Fault::status(404));
            },
            &["cannot be read back"],
        ),
    ];
    for (case, set_up, expected) in cases {
        let stage = Stage::new();
        set_up(&stage);
        let outcome = stage.put();
        stage.all_was_pushed(&outcome);
        for text in expected {
            assert!(outcome.stderr.contains(text), "{case}: {}", outcome.stderr);
        }
        assert!(
            !outcome.stderr.contains(" signed 1.0 as"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn an_image_by_another_digest_gets_no_tag() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let image = Image::builder().build();
    let manifests = image.manifests();
    let manifest = manifests.last().unwrap();
    let manifest = Blob::sha512(manifest.media_type(), manifest.content().bytes());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    OciLayout::new().entry(&image, None).write(&path).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": manifest.media_type(),
        "digest": manifest.digest().to_string(),
        "size": manifest.content().len(),
    }]});
    std::fs::write(path.join("index.json"), index.to_string()).unwrap();
    std::fs::create_dir(path.join("blobs/sha512")).unwrap();
    let blob = path.join("blobs/sha512").join(manifest.digest().hex());
    std::fs::write(blob, manifest.content().bytes()).unwrap();
    let outcome = put_from(directory.path(), &[], &stage.source(), &json!({}));
    let message = outcome.failure();
    assert!(message.contains("by SHA-256 alone"), "{message}");
    assert!(
        stage.registry.tags("app").is_empty(),
        "{}",
        stage.registry.transcript()
    );
    assert_eq!(stage.updates(), 0);
}

#[test]
fn a_server_of_unknown_authority_is_not_believed() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    for authorities in [json!([]), json!([Authority::new().pem()])] {
        source["ca_certs"] = authorities;
        // It is for registries.
        source["skip_tls_verify"] = json!(true);
        source["insecure"] = json!(true);
        let outcome = put(&source, &json!({}));
        let message = stage.nothing_was_pushed(&outcome);
        assert!(message.contains("certificate"), "{message}");
    }
    assert_eq!(stage.notary.transcript(), "");
}

#[test]
fn plain_http_is_never_an_answer() {
    let stage = Stage::with(Registry::builder().tls().plain_beside_tls().start());
    let plain = Registry::start();
    let mut source = stage.source();
    source["insecure"] = json!(true);
    source["content_trust"]["server"] = json!(format!("https://{}", plain.host()));
    stage.nothing_was_pushed(&put(&source, &json!({})));
    assert_eq!(plain.transcript(), "");
}

#[test]
fn a_key_that_was_replaced_is_told_so() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    stage.put().answer();
    stage.notary.entrust(&Owner::new(&stage.name()));
    let message = stage.put().failure();
    assert!(message.contains("may not sign"), "{message}");
}

#[test]
fn who_may_not_sign_is_told_so() {
    let auth = Auth::bearer()
        .catalog_greeting()
        .read_only_account("reader", "hunter2-hunter2");
    let stage = Stage::with(Registry::builder().tls().auth(auth).start());
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    source["content_trust"]["username"] = json!("reader");
    source["content_trust"]["password"] = json!("hunter2-hunter2");
    // Reading is allowed, so it shows when the update is sent.
    let outcome = put(&source, &json!({}));
    let message = stage.all_was_pushed(&outcome);
    assert!(message.contains(&stage.notary.host()), "{message}");
    source["content_trust"]["password"] = json!("hunter3-hunter3");
    stage.registry.untag("app", "1.0");
    let message = put(&source, &json!({})).failure();
    assert!(message.contains("nothing was pushed"), "{message}");
    assert!(stage.registry.tags("app").is_empty());
}

/// Docker's own server is the default for Docker Hub, and has an end.
#[test]
fn dockers_server_is_said_to_end() {
    let proxy = Proxy::saying("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    let key = Key::new();
    let told = "Docker shuts notary.docker.io down on 8 December 2026";
    for (server, is_told) in [
        ("", true),
        ("https://notary.docker.io", true),
        ("https://notary.example", false),
    ] {
        let source = json!({
            "repository": "example/app",
            "tag": "1.0",
            "content_trust": super::content_trust(server, &key),
        });
        let outcome = put_in(&[("HTTPS_PROXY", &proxy.url())], &source, &json!({}));
        let message = outcome.failure();
        assert_eq!(message.contains(told), is_told, "{server}: {message}");
    }
    let requests = proxy.requests();
    let mut targets: Vec<String> = requests.into_iter().map(|asked| asked.target).collect();
    targets.dedup();
    assert_eq!(targets, ["notary.docker.io:443", "notary.example:443"]);
}
