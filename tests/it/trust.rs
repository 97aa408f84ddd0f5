//! `content_trust`: what `out` signs, what it does not, and what it says then.
//!
//! The notary server is the embedded one here and Debian's in `peers`.

mod attacks;
mod login;
mod peers;
mod refusals;
mod transfers;

use std::path::Path;

use regimg_resource::Command;
use regimg_tests::notary::{Key, Owner, PASSPHRASE, Trusted};
use regimg_tests::registry::{Origin, Registry};
use regimg_tests::{Artifact, Digest, DockerArchive, Image, Index, Layer, OciLayout};
use serde_json::{Value, json};

use crate::driver::{self, Outcome, call_in};

/// A registry, a notary server beside it, and a key.
struct Stage {
    registry: Registry,
    notary: Registry,
    key: Key,
}

impl Stage {
    fn new() -> Self {
        Self::with(Registry::builder().tls().start())
    }

    fn with(notary: Registry) -> Self {
        let (registry, key) = (Registry::start(), Key::new());
        Self {
            registry,
            notary,
            key,
        }
    }

    /// What the repository is called at the notary server.
    fn name(&self) -> String {
        format!("{}/app", self.registry.host())
    }

    /// An owner whose targets the key signs.
    fn owner(&self) -> Owner {
        Owner::new(&self.name()).targets(&self.key)
    }

    fn source(&self) -> Value {
        json!({
            "repository": self.name(),
            "tag": "1.0",
            "ca_certs": [self.notary.ca_pem()],
            "content_trust": content_trust(self.notary.url(Origin::Registry), &self.key),
        })
    }

    fn put(&self) -> Outcome {
        put(&self.source(), &json!({}))
    }

    fn trusted(&self) -> Trusted {
        self.notary.trusted(&self.name()).unwrap()
    }

    /// How many updates the notary server was sent.
    fn updates(&self) -> usize {
        self.notary.count("POST", "/v2/*/_trust/tuf/")
    }

    /// Checks that the call has failed before anything was pushed; returns its message.
    #[track_caller]
    fn nothing_was_pushed(&self, outcome: &Outcome) -> String {
        let message = outcome.failure();
        assert!(self.registry.tags("app").is_empty(), "{outcome:#?}");
        let sent = self.registry.count("POST", "/v2/") + self.registry.count("PUT", "/v2/");
        assert_eq!(sent, 0, "{}", self.registry.transcript());
        assert_eq!(self.updates(), 0, "{}", self.notary.transcript());
        message
    }

    /// Checks that the call has failed after everything was pushed; returns its message.
    #[track_caller]
    fn all_was_pushed(&self, outcome: &Outcome) -> String {
        let message = outcome.failure();
        let digest = self.registry.tag_digest("app", "1.0").unwrap();
        let beginning = format!("{digest} was pushed as 1.0, but not signed: ");
        assert!(message.starts_with(&beginning), "{outcome:#?}");
        message
    }
}

/// `content_trust` with a key as the `notary` program keeps it.
fn content_trust(server: &str, key: &Key) -> Value {
    json!({
        "server": server,
        "repository_key_id": key.id(),
        "repository_key": key.encrypted_pem(PASSPHRASE),
        "repository_passphrase": PASSPHRASE,
    })
}

fn image() -> Image {
    Image::builder()
        .docker()
        .layer(Layer::parse("file motd \"hello\""))
        .build()
}

/// Leaves an index of two images for a step to push.
fn write_index(directory: &Path) -> Index {
    let image = |platform| Image::builder().platform(platform).build();
    let index = Index::builder()
        .image(&image("linux/amd64"))
        .image(&image("linux/arm64"))
        .build();
    let layout = OciLayout::new().entry(&index, None);
    layout.write(directory.join("image")).unwrap();
    index
}

fn put(source: &Value, params: &Value) -> Outcome {
    put_in(&[], source, params)
}

/// Pushes an image, and checks that nothing of the key is told and that nothing was written.
#[track_caller]
fn put_in(environment: &[(&str, &str)], source: &Value, params: &Value) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let archive = DockerArchive::new().image(&image(), &["app:1.0"]);
    archive.write(directory.path().join("image.tar")).unwrap();
    put_from(directory.path(), environment, source, params)
}

#[track_caller]
fn put_from(
    directory: &Path,
    environment: &[(&str, &str)],
    source: &Value,
    params: &Value,
) -> Outcome {
    let mut source = source.clone();
    source["debug"] = json!(true);
    let mut request = json!({"source": source, "params": {"image": "image*"}});
    for (field, value) in params.as_object().expect("an object") {
        request["params"][field] = value.clone();
    }
    let files = || std::fs::read_dir(directory).unwrap().count();
    let before = files();
    let request = request.to_string();
    let outcome = call_in(environment, Command::Put, &request, Some(directory));
    assert_eq!(files(), before, "nothing is left behind");
    tells_nothing(&outcome, &source["content_trust"]);
    outcome
}

/// Checks that no line holds a secret of the configuration.
#[track_caller]
fn tells_nothing(outcome: &Outcome, trust: &Value) {
    let fields = [
        "repository_passphrase",
        "password",
        "repository_key",
        "tls_key",
    ];
    let texts = fields.iter().filter_map(|field| trust[field].as_str());
    let secrets = texts.flat_map(|text| text.lines().filter(|line| line.len() > 7));
    for secret in secrets.filter(|line| !line.starts_with("-----") && !line.starts_with("role:")) {
        let told = [&outcome.stdout, &outcome.stderr];
        assert!(
            !told.iter().any(|text| text.contains(secret)),
            "{outcome:#?}"
        );
    }
}

/// What the trust data have of a manifest.
fn target(registry: &Registry, tag: &str) -> (String, u64) {
    let (_, bytes) = registry.manifest("app", tag).expect("the tag was pushed");
    (Digest::sha256(&bytes).hex().to_owned(), bytes.len() as u64)
}

#[test]
fn what_is_pushed_is_signed() {
    let stage = Stage::new();
    let other = Digest::sha256(b"other");
    stage
        .notary
        .entrust(&stage.owner().signed("targets", "0.9", &other, 7));
    let outcome = stage.put();
    assert_eq!(outcome.answer()["version"]["tag"], "1.0");
    let said = format!("signed 1.0 as targets at {}", stage.notary.host());
    assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
    let trusted = stage.trusted();
    assert_eq!(trusted["targets"]["1.0"], target(&stage.registry, "1.0"));
    let earlier = (other.hex().to_owned(), 7);
    assert_eq!(trusted["targets"]["0.9"], earlier, "what was signed stays");
    assert_eq!(stage.updates(), 1, "{}", stage.notary.transcript());
    // The image's registry is not asked about trust.
    assert_eq!(stage.registry.count("GET", "/v2/*/_trust/"), 0);
}

#[test]
fn delegations_sign_in_place_of_the_targets() {
    // The paths of two delegations, and which of them sign `1.0`.
    let cases: [(&[&str], &[&str], &[&str]); 4] = [
        (&[""], &[""], &["targets/a", "targets/releases"]),
        (&["2."], &[""], &["targets/releases"]),
        (&["v", "1."], &["2."], &["targets/a"]),
        (&["1.0"], &["1.0.1"], &["targets/a"]),
    ];
    for (first, second, roles) in cases {
        let stage = Stage::new();
        let owner = stage.owner().delegation("targets/a", &stage.key, first);
        let owner = owner.delegation("targets/releases", &stage.key, second);
        stage
            .notary
            .entrust(&owner.delegation("targets/b", &Key::new(), &[""]));
        let outcome = stage.put();
        outcome.answer();
        let said = format!("signed 1.0 as {} at ", roles.join(", "));
        assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
        let trusted = stage.trusted();
        let signed = trusted.iter().filter(|(_, tags)| tags.contains_key("1.0"));
        let signed: Vec<&String> = signed.map(|(role, _)| role).collect();
        assert_eq!(signed, roles);
        assert_eq!(stage.updates(), 1, "{}", stage.notary.transcript());
    }
}

#[test]
fn an_index_is_signed_and_not_one_of_its_images() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let directory = tempfile::tempdir().unwrap();
    let index = write_index(directory.path());
    put_from(directory.path(), &[], &stage.source(), &json!({})).answer();
    let (digest, _) = &stage.trusted()["targets"]["1.0"];
    assert_eq!(digest, index.digest().hex());
}

#[test]
fn what_is_signed_already_is_left_alone() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    stage.put().answer();
    let outcome = stage.put();
    outcome.answer();
    let said = "already signed 1.0 as targets at ";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    assert_eq!(stage.updates(), 1, "{}", stage.notary.transcript());
}

#[test]
fn all_tags_are_signed_in_one_update() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let params = json!({"version": "1.2.3", "bump_aliases": true, "tags": ["nightly"]});
    let outcome = put(&stage.source(), &params);
    outcome.answer();
    let tags = stage.registry.tags("app");
    assert_eq!(tags.len(), 6, "{tags:?}");
    let trusted = stage.trusted();
    for tag in tags {
        assert_eq!(
            trusted["targets"][&tag],
            target(&stage.registry, &tag),
            "{tag}"
        );
    }
    assert_eq!(stage.updates(), 1, "{}", stage.notary.transcript());
}

#[test]
fn without_a_server_the_registry_is_the_server() {
    let registry = Registry::builder().tls().start();
    let key = Key::new();
    let name = format!("{}/app", registry.host());
    registry.entrust(&Owner::new(&name).targets(&key));
    let mut source = json!({
        "repository": name,
        "tag": "1.0",
        "ca_certs": [registry.ca_pem()],
        "content_trust": content_trust("", &key),
    });
    put(&source, &json!({})).answer();
    let trusted = registry.trusted(&name).unwrap();
    assert_eq!(trusted["targets"]["1.0"], target(&registry, "1.0"));
    // Whoever waives the registry's certificate has not waived that of the server.
    source["skip_tls_verify"] = json!(true);
    source["ca_certs"] = json!([]);
    let message = put(&source, &json!({})).failure();
    assert!(message.contains("nothing was pushed"), "{message}");
}

#[test]
fn keys_come_in_several_forms() {
    let stage = Stage::new();
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    for (tag, key, passphrase) in [
        ("1", stage.key.pem(), ""),
        ("2", stage.key.pem(), "not needed"),
        (
            "3",
            stage.key.encrypted_pem("p\u{e4}ss word"),
            "p\u{e4}ss word",
        ),
    ] {
        source["tag"] = json!(tag);
        source["content_trust"]["repository_key"] = json!(key);
        source["content_trust"]["repository_passphrase"] = json!(passphrase);
        put(&source, &json!({})).answer();
        assert_eq!(
            stage.trusted()["targets"][tag],
            target(&stage.registry, tag)
        );
    }
}

#[test]
fn check_and_in_take_no_notice() {
    let stage = Stage::new();
    let digest = stage.registry.publish("app", "1.0", &image());
    let mut source = stage.source();
    source["content_trust"] = json!({"server": "nonsense", "scopes": "all", "tls_key": "half"});
    let checked = driver::check(&json!({ "source": source }));
    assert_eq!(checked.answer()[0]["digest"], digest.to_string());
    let version = json!({"tag": "1.0", "digest": digest.to_string()});
    let directory = tempfile::tempdir().unwrap();
    driver::get(
        &json!({"source": source, "version": version}),
        directory.path(),
    )
    .answer();
    assert_eq!(stage.notary.transcript(), "");
}
