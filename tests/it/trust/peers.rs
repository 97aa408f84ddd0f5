//! Debian's `notary-server`, and `notary` as the one who reads what was signed.

use regimg_tests::Artifact;
use regimg_tests::notary::{Key, NotaryClient, NotaryServer, NotarySettings};
use regimg_tests::registry::{Auth, Origin, Realm, Registry};
use regimg_tests::tls::Authority;
use serde_json::{Value, json};

use super::{content_trust, put, put_from, target, write_index};
use crate::driver::Outcome;

/// A registry, Debian's notary server, and the owner of what is there.
struct Real {
    registry: Registry,
    server: NotaryServer,
    owner: NotaryClient,
}

impl Real {
    /// None where a program is missing.
    #[track_caller]
    fn start(settings: &NotarySettings) -> Option<Self> {
        let server = NotaryServer::start_with(settings)?;
        let owner = server.client()?;
        Some(Self {
            registry: Registry::start(),
            server,
            owner,
        })
    }

    fn name(&self) -> String {
        format!("{}/app", self.registry.host())
    }

    fn source(&self, key: &Key) -> Value {
        json!({
            "repository": self.name(),
            "tag": "1.0",
            "ca_certs": [self.server.ca_pem()],
            "content_trust": content_trust(&self.server.url(), key),
        })
    }

    /// The source whose key is the one that `notary init` has made for a role.
    fn source_of(&self, role: &str) -> Value {
        let mut source = self.source(&Key::new());
        let (id, text) = self.owner.key(role);
        source["content_trust"]["repository_key_id"] = json!(id);
        source["content_trust"]["repository_key"] = json!(text);
        source
    }

    /// What a client lists that sees the repository for the first time: tag, digest, length, role.
    #[track_caller]
    fn listed(&self) -> Vec<[String; 4]> {
        self.server.client().unwrap().list(&self.name())
    }

    fn line(&self, tag: &str, role: &str) -> [String; 4] {
        let (digest, length) = target(&self.registry, tag);
        [tag.to_owned(), digest, length.to_string(), role.to_owned()]
    }

    /// Ends the server, and counts the updates that it has taken.
    fn updates(self) -> usize {
        let update = format!("POST /v2/{}/_trust/tuf/ -> 200", self.name());
        let requests = self.server.requests();
        requests.iter().filter(|line| **line == update).count()
    }

    #[track_caller]
    fn nothing_was_pushed(&self, outcome: &Outcome) -> String {
        let message = outcome.failure();
        assert!(message.contains("nothing was pushed"), "{outcome:#?}");
        assert_eq!(self.registry.count("POST", "/v2/"), 0);
        assert!(self.registry.tags("app").is_empty());
        message
    }
}

/// With the server's keys in its memory, and with a signer.
fn both() -> [NotarySettings; 2] {
    [false, true].map(|signer| NotarySettings {
        signer,
        ..NotarySettings::default()
    })
}

#[test]
fn targets_are_signed() {
    for settings in both() {
        let Some(real) = Real::start(&settings) else {
            return;
        };
        real.owner.initialize(&real.name(), true);
        let source = real.source_of("targets");
        let params = json!({"version": "1.2.3", "bump_aliases": true});
        put(&source, &params).answer();
        let tags = real.registry.tags("app");
        let mut expected: Vec<_> = tags.iter().map(|tag| real.line(tag, "targets")).collect();
        expected.sort();
        assert_eq!(real.listed(), expected);
        let outcome = put(&source, &params);
        outcome.answer();
        assert!(
            outcome.stderr.contains("already signed "),
            "{}",
            outcome.stderr
        );
        assert_eq!(real.listed(), expected);
        // The owner can go on.
        let hash = "0".repeat(64);
        let name = real.name();
        real.owner
            .call(&["addhash", "-p", &name, "own", "7", "--sha256", &hash]);
        assert_eq!(real.listed().len(), expected.len() + 1);
        // `notary init`, the new key of the snapshot, ours, and the owner's.
        assert_eq!(real.updates(), 4);
    }
}

#[test]
fn delegations_are_signed() {
    for settings in both() {
        let Some(real) = Real::start(&settings) else {
            return;
        };
        let (name, key) = (real.name(), Key::new());
        real.owner.initialize(&name, true);
        real.owner.delegate(&name, "targets/releases", &key, &[]);
        real.owner.delegate(&name, "targets/signer", &key, &["1."]);
        real.owner
            .delegate(&name, "targets/other", &Key::new(), &[]);
        let mut source = real.source(&key);
        put(&source, &json!({})).answer();
        source["tag"] = json!("2.0");
        put(&source, &json!({})).answer();
        let mut listed = real.listed();
        listed.sort();
        let releases = ["1.0", "2.0"].map(|tag| real.line(tag, "targets/releases"));
        assert_eq!(listed, releases);
        let client = real.server.client().unwrap();
        let signer = client.call(&["list", &name, "-r", "targets/signer"]);
        assert!(
            signer.contains("1.0") && !signer.contains("2.0"),
            "{signer}"
        );
        // One more key has nothing to say.
        let stranger = real.source(&Key::new());
        let message = put(&stranger, &json!({})).failure();
        assert!(message.contains("may not sign"), "{message}");
        // The owner's two, the three delegations, and one for each put.
        assert_eq!(real.updates(), 2 + 3 + 2);
    }
}

#[test]
fn what_others_have_put_there_survives() {
    let Some(real) = Real::start(&NotarySettings::default()) else {
        return;
    };
    let (name, key) = (real.name(), Key::new());
    real.owner.initialize(&name, true);
    let directory = tempfile::tempdir().unwrap();
    let custom = directory.path().join("custom.json");
    // With more than that, such as `<` or keys out of order, its own publishing fails.
    std::fs::write(&custom, r#"{"a":"é \"","b":[1,null]}"#).unwrap();
    let (hash, custom) = ("0".repeat(64), custom.display().to_string());
    real.owner.call(&[
        "addhash", "-p", &name, "own", "7", "--sha256", &hash, "--custom", &custom,
    ]);
    put(&real.source_of("targets"), &json!({})).answer();
    let own = ["own", &hash, "7", "targets"].map(str::to_owned);
    assert_eq!(real.listed(), [real.line("1.0", "targets"), own.clone()]);
    // Paths that Go escapes where they are not signed.
    real.owner
        .delegate(&name, "targets/odd", &Key::new(), &["<&>", "\u{2028}"]);
    real.owner.delegate(&name, "targets/releases", &key, &[]);
    let mut source = real.source(&key);
    source["tag"] = json!("2.0");
    put(&source, &json!({})).answer();
    let releases = real.line("2.0", "targets/releases");
    assert_eq!(real.listed(), [real.line("1.0", "targets"), releases, own]);
}

#[test]
fn an_index_is_signed() {
    let Some(real) = Real::start(&NotarySettings::default()) else {
        return;
    };
    real.owner.initialize(&real.name(), true);
    let directory = tempfile::tempdir().unwrap();
    let index = write_index(directory.path());
    put_from(
        directory.path(),
        &[],
        &real.source_of("targets"),
        &json!({}),
    )
    .answer();
    let listed = real.listed();
    assert_eq!(listed, [real.line("1.0", "targets")]);
    assert_eq!(listed[0][1], index.digest().hex());
}

#[test]
fn what_keeps_it_from_signing_is_said() {
    for settings in both() {
        let Some(real) = Real::start(&settings) else {
            return;
        };
        let outcome = put(&real.source(&Key::new()), &json!({}));
        let message = real.nothing_was_pushed(&outcome);
        assert!(message.contains("no trust data"), "{message}");
        assert!(outcome.stderr.contains("notary init"), "{}", outcome.stderr);

        real.owner.initialize(&real.name(), false);
        real.nothing_was_pushed(&put(&real.source(&Key::new()), &json!({})));
        let mut source = real.source_of("targets");
        source["content_trust"]["repository_passphrase"] = json!("not the one");
        assert!(put(&source, &json!({})).failure().contains("passphrase"));

        // The owner still has the snapshot's key.
        let outcome = put(&real.source_of("targets"), &json!({}));
        let message = outcome.failure();
        assert!(
            message.contains("was pushed as 1.0, but not signed"),
            "{message}"
        );
        let advice = "notary key rotate";
        assert!(outcome.stderr.contains(advice), "{}", outcome.stderr);
        assert!(real.listed().is_empty());
        real.owner
            .call(&["key", "rotate", &real.name(), "snapshot", "-r"]);
        put(&real.source_of("targets"), &json!({})).answer();
        assert_eq!(real.listed(), [real.line("1.0", "targets")]);
    }
}

#[test]
fn many_at_once_are_all_signed() {
    let Some(real) = Real::start(&NotarySettings::default()) else {
        return;
    };
    real.owner.initialize(&real.name(), true);
    let tags = ["1", "2"];
    std::thread::scope(|scope| {
        let puts = tags.map(|tag| {
            let mut source = real.source_of("targets");
            source["tag"] = json!(tag);
            scope.spawn(move || put(&source, &json!({})))
        });
        for put in puts {
            put.join().unwrap().answer();
        }
    });
    let expected = tags.map(|tag| real.line(tag, "targets"));
    assert_eq!(real.listed(), expected);
}

#[test]
fn a_server_behind_a_token_service_and_one_that_wants_certificates() {
    let authority = Authority::new();
    let identity = authority.server(&["127.0.0.1"]);
    let tokens = Registry::builder()
        .tls()
        .auth(
            Auth::bearer()
                .account("signer", "hunter2-hunter2")
                // `notary list` does not log in.
                .anonymous_pull()
                .realm(Realm::Same)
                .signed_by(&identity),
        )
        .start();
    let realm = format!("{}/token", tokens.url(Origin::Registry));
    let settings = NotarySettings {
        tokens: Some((realm, identity.certificate_pem().to_owned())),
        client_authority: Some(authority.pem().to_owned()),
        ..NotarySettings::default()
    };
    let Some(server) = NotaryServer::start_with(&settings) else {
        return;
    };
    let client = authority.client("signer");
    let authorities = [server.ca_pem(), tokens.ca_pem()].concat();
    let connect = || {
        let notary = NotaryClient::new(&server.url(), &authorities)?;
        Some(notary.showing(&client).login("signer", "hunter2-hunter2"))
    };
    let Some(owner) = connect() else { return };
    let (registry, key) = (Registry::start(), Key::new());
    let name = format!("{}/app", registry.host());
    owner.initialize(&name, true);
    owner.delegate(&name, "targets/releases", &key, &[]);

    let mut source = json!({
        "repository": name,
        "tag": "1.0",
        "ca_certs": [authorities],
        "content_trust": content_trust(&server.url(), &key),
    });
    let without = put(&source, &json!({}));
    without.failure();
    assert!(
        without.stderr.contains("client certificate"),
        "{}",
        without.stderr
    );
    source["content_trust"]["tls_cert"] = json!(client.certificate_pem());
    source["content_trust"]["tls_key"] = json!(client.key_pem());
    source["content_trust"]["username"] = json!("signer");
    source["content_trust"]["password"] = json!("hunter3-hunter3");
    put(&source, &json!({})).failure();
    assert!(registry.tags("app").is_empty());
    source["content_trust"]["password"] = json!("hunter2-hunter2");
    tokens.clear_requests();
    put(&source, &json!({})).answer();
    let asked = tokens.requests()[0].field("scope").unwrap();
    assert_eq!(asked, format!("repository:{name}:push,pull"));
    assert_eq!(tokens.count("GET", "/token"), 1, "one token is enough");
    let (digest, length) = target(&registry, "1.0");
    let expected = ["1.0", &digest, &length.to_string(), "targets/releases"].map(str::to_owned);
    assert_eq!(connect().unwrap().list(&name), [expected]);
}
