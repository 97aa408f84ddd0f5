//! Docker Content Trust against the embedded notary server: which requests are made, in which order,
//! and what is not believed. That real servers and clients take what is written is `peers` to show.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use regimg_core::{Algorithm, Digest, Secret};
use regimg_registry::{
    ClientIdentity, Config, Credential, CredentialSource, Error, ErrorKind, Notary, NotaryConfig,
    PlainHttp, Published, ServerCertificates, SigningKey, Target,
};
use regimg_tests::notary::{Key, NotaryServer, NotarySettings, Owner, Trusted};
use regimg_tests::registry::{Auth, Builder, Fault, Match, Origin, Registry};
use regimg_tests::tls::Authority;
use serde_json::json;

use crate::log::{Log, holds_no_secret};
use crate::support::{TestClock, basic};

const GUN: &str = "registry.example.com/team/app";
const TUF: &str = "/v2/registry.example.com/team/app/_trust/tuf/";
const PASSPHRASE: &str = "correct h0rse battery";

/// A server, a key, the signer's time, and everything that was told.
///
/// At its end neither key nor passphrase nor password may stand in the log.
struct World {
    server: Registry,
    key: Key,
    clock: Arc<TestClock>,
    log: Log,
    _listening: tracing::subscriber::DefaultGuard,
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            holds_no_secret(&self.log.text(), &self.secrets());
        }
    }
}

impl World {
    /// The key's owner signs targets with it.
    fn new() -> Self {
        Self::owned(Owner::targets)
    }

    fn owned(with: impl FnOnce(Owner, &Key) -> Owner) -> Self {
        Self::on(Registry::builder(), with)
    }

    fn on(server: Builder, with: impl FnOnce(Owner, &Key) -> Owner) -> Self {
        let world = Self::started(server.tls().start());
        world.server.entrust(&with(Owner::new(GUN), &world.key));
        world
    }

    fn started(server: Registry) -> Self {
        let clock = TestClock::new();
        // The trust data is of the twenties.
        clock.advance(Duration::from_hours(32 * 365 * 24));
        let log = Log::default();
        Self {
            server,
            key: Key::new(),
            clock,
            _listening: log.listen(),
            log,
        }
    }

    fn secrets(&self) -> Vec<String> {
        let pem = self.key.encrypted_pem(PASSPHRASE);
        let lines = pem.lines().filter(|line| line.len() == 64);
        let texts = [PASSPHRASE, "s3cret-password"].into_iter().chain(lines);
        texts.map(str::to_owned).collect()
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.clock = self.clock.clone();
        config.ca_certs = vec![self.server.ca_pem().to_owned()];
        config.timeouts.idle = Duration::from_millis(300);
        config
    }

    fn notary(&self) -> Notary {
        self.notary_with(&self.config(), Credential::Anonymous)
    }

    fn notary_with(&self, config: &Config, source: impl CredentialSource + 'static) -> Notary {
        let server = self.server.url(Origin::Registry);
        Notary::new(config.clone(), NotaryConfig::new(server, GUN), source).unwrap()
    }

    fn signing_key(&self) -> SigningKey {
        let pem = self.key.encrypted_pem(PASSPHRASE);
        SigningKey::from_pem(&pem.into(), &PASSPHRASE.into()).unwrap()
    }

    async fn sign(&self, targets: &[Target]) -> Result<Published, Error> {
        sign(&self.notary(), &self.signing_key(), targets).await
    }

    /// Signs `1.0`, which has to fail; says all that the error says.
    async fn failure(&self) -> (Error, String) {
        let error = self.sign(&[target("1.0")]).await.unwrap_err();
        let told = told(&error);
        holds_no_secret(&told, &self.secrets());
        (error, told)
    }

    fn trusted(&self) -> Trusted {
        self.server.trusted(GUN).unwrap()
    }

    fn posts(&self) -> usize {
        self.server.count("POST", TUF)
    }

    /// Method, file and status of each request, without hashes.
    fn requests(&self) -> Vec<String> {
        let requests = self.server.requests();
        let lines = requests.iter().map(|record| record.line().replace(TUF, ""));
        lines.map(|line| without_hash(&line)).collect()
    }
}

async fn sign(notary: &Notary, key: &SigningKey, targets: &[Target]) -> Result<Published, Error> {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    notary.open(key, &names).await?.publish(targets).await
}

/// `GET targets.0123….json` is `GET targets.*.json`.
fn without_hash(line: &str) -> String {
    let parts = line.split('.').map(|part| match part.len() {
        64 => "*",
        _ => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

fn digest_of(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

/// A target whose content is its name.
fn target(name: &str) -> Target {
    Target {
        name: name.to_owned(),
        digest: digest_of(name),
        length: name.len() as u64,
    }
}

fn entry(name: &str) -> (String, (String, u64)) {
    let target = target(name);
    let hex = target.digest.hex().to_owned();
    (target.name, (hex, target.length))
}

fn told(error: &Error) -> String {
    let first: Option<&dyn std::error::Error> = Some(error);
    let chain = std::iter::successors(first, |error| error.source());
    let chain: Vec<String> = chain.map(ToString::to_string).collect();
    let hint = error.hint().unwrap_or_default();
    format!("{} [{hint}] {error:?}", chain.join(": "))
}

#[track_caller]
fn says(told: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(told.contains(wanted), "{wanted:?} in {told}");
    }
}

fn published(roles: &[&str], changed: bool) -> (Vec<String>, bool) {
    let roles = roles.iter().map(|&role| role.to_owned());
    (roles.collect(), changed)
}

fn outcome(published: Published) -> (Vec<String>, bool) {
    (published.roles, published.changed)
}

#[tokio::test]
async fn two_tags_are_one_update_and_the_second_time_none() {
    let world = World::new();
    let targets = [target("1.0"), target("latest")];
    let done = world.sign(&targets).await.unwrap();
    assert_eq!(outcome(done), published(&["targets"], true));
    let expected = [entry("1.0"), entry("latest")].into();
    assert_eq!(world.trusted()["targets"], expected);
    let read = [
        "GET /v2/ -> 200",
        "GET root.json -> 200",
        "GET timestamp.json -> 200",
        "GET snapshot.*.json -> 200",
        "GET targets.*.json -> 200",
        // Whether it is the same still, before the update and not after it.
        "GET timestamp.json -> 200",
    ];
    let written = [
        "POST  -> 200",
        "GET timestamp.json -> 200",
        "GET snapshot.*.json -> 200",
        "GET targets.*.json -> 200",
    ];
    assert_eq!(world.requests(), [&read[..], &written].concat());

    world.server.clear_requests();
    let done = world.sign(&targets).await.unwrap();
    assert_eq!(outcome(done), published(&["targets"], false));
    assert_eq!(world.requests(), read);

    let other = Target {
        digest: digest_of("other"),
        ..target("latest")
    };
    let done = world.sign(&[target("1.0"), other]).await.unwrap();
    assert!(done.changed);
    let hex = digest_of("other").hex().to_owned();
    assert_eq!(world.trusted()["targets"]["latest"], (hex, 6));
    assert_eq!(world.trusted()["targets"]["1.0"], entry("1.0").1);
}

#[tokio::test]
async fn a_key_signs_as_every_role_that_takes_the_name() {
    let stranger = Key::new();
    let world = World::owned(|owner, key| {
        owner
            .targets(key)
            .delegation("targets/releases", key, &[""])
            .delegation("targets/me", key, &["v", "<&>"])
            .delegation("targets/you", &stranger, &[""])
            .delegation("targets/nobody", key, &[])
            .signed(
                "targets/you",
                "old",
                &regimg_tests::Digest::sha256(b"old"),
                3,
            )
    });
    let targets = [target("v1"), target("latest"), target("<&>")];
    let done = world.sign(&targets).await.unwrap();
    let roles = ["targets/me", "targets/releases"];
    assert_eq!(outcome(done), published(&roles, true));
    assert_eq!(world.posts(), 1);
    let trusted = world.trusted();
    let mine = [entry("v1"), entry("<&>")].into();
    assert_eq!(trusted["targets/me"], mine);
    let all = [entry("v1"), entry("<&>"), entry("latest")].into();
    assert_eq!(trusted["targets/releases"], all);
    assert!(trusted["targets"].is_empty());
    assert_eq!(trusted["targets/you"], [entry("old")].into());

    // Only the file that differs is sent.
    let sent = |world: &World| world.server.requests().iter().map(|r| r.received).max();
    let both = sent(&world);
    world.server.clear_requests();
    let done = world.sign(&[target("v1"), target("2")]).await.unwrap();
    assert_eq!(outcome(done), published(&roles, true));
    assert!(sent(&world) < both);
    assert_eq!(world.trusted()["targets/releases"].len(), 4);
}

#[tokio::test]
async fn keys_without_a_role_are_refused_before_anything_is_sent() {
    let stranger = Key::new();
    for (world, wanted) in [
        (
            World::owned(|owner, _| owner.targets(&stranger)),
            ["may not sign \"1.0\"", "the keys of targets are"],
        ),
        (
            // With delegations nobody signs as `targets`.
            World::owned(|owner, key| {
                let owner = owner.targets(key);
                owner.delegation("targets/you", &stranger, &[""])
            }),
            ["may not sign \"1.0\"", "the keys of targets/you are"],
        ),
        (
            World::owned(|owner, key| owner.delegation("targets/me", key, &["v"])),
            ["one of targets/me", "names that begin with \"v\""],
        ),
        (
            World::owned(|owner, _| owner.delegation("targets/you", &stranger, &["v"])),
            ["may not sign", "no delegation is for such names"],
        ),
    ] {
        let (error, told) = world.failure().await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{told}");
        let host = world.server.host();
        says(&told, &[world.signing_key().id(), GUN, &host]);
        says(&told, &wanted);
        assert_eq!(world.posts(), 0);
    }
}

#[tokio::test]
async fn repositories_without_trust_data_are_an_error() {
    let world = World::started(Registry::builder().tls().start());
    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    says(
        &told,
        &["no trust data", GUN, "notary init", "METADATA_NOT_FOUND"],
    );
    assert_eq!(world.requests().len(), 2, "the greeting and root.json");

    // Some other server, which knows nothing of trust data.
    world
        .server
        .fault(Match::get("*root.json"), Fault::status(404));
    says(&world.failure().await.1, &["may be no notary server"]);

    // A registry whose token service knows no such names.
    let world = World::started(Registry::builder().tls().start());
    world
        .server
        .fault(Match::get("*root.json"), Fault::status(403));
    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    says(
        &told,
        &["no credentials were given", "may be no notary server"],
    );
}

#[tokio::test]
async fn a_snapshot_key_at_home_is_explained() {
    let world = World::owned(|owner, key| owner.targets(key).keeping_the_snapshot_key());
    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let advice = format!("notary key rotate {GUN} snapshot -r");
    says(&told, &["does not hold current snapshot key", &advice]);

    // What a server with a signer of its own says.
    let world = World::new();
    let detail = json!({"Name": "ErrValidation", "Error": {"Msg": "rpc error: code = NotFound desc = key 0123 not found"}});
    let body =
        json!({"errors": [{"code": "INVALID_UPDATE", "message": "invalid", "detail": detail}]});
    let refused = Fault::status(400).body(body.to_string());
    world.server.fault(Match::post(TUF), refused);
    says(&world.failure().await.1, &["key 0123 not found", &advice]);
}

#[tokio::test]
async fn refusals_are_told() {
    let answer = |code: &str, detail: &serde_json::Value| {
        let error = json!({"code": code, "message": "no good.", "detail": detail});
        json!({"errors": [error]}).to_string()
    };
    let bad = json!({"Name": "ErrBadTargets", "Error": {"Msg": "valid signatures did not meet threshold for targets"}});
    let none = json!({"Name": "ErrValidation", "Error": {"Msg": "no pre-existing root and no root provided in update."}});
    for (body, kind, wanted) in [
        (
            answer("INVALID_UPDATE", &bad),
            ErrorKind::Rejected,
            "did not meet threshold",
        ),
        (
            answer("INVALID_UPDATE", &none),
            ErrorKind::NotFound,
            "notary init",
        ),
        (
            answer("INVALID_GUN", &json!("a text")),
            ErrorKind::Rejected,
            "a text",
        ),
        (
            answer("INVALID_ROLE", &json!(null)),
            ErrorKind::Rejected,
            "no good",
        ),
        (
            "a proxy's page".to_owned(),
            ErrorKind::Rejected,
            "a proxy's page",
        ),
        (String::new(), ErrorKind::Rejected, "was refused"),
    ] {
        let world = World::new();
        world
            .server
            .fault(Match::post(TUF), Fault::status(400).body(body));
        let (error, told) = world.failure().await;
        assert_eq!(error.kind(), kind, "{told}");
        says(&told, &[wanted, "was refused", GUN]);
        assert_eq!(world.posts(), 1);
    }
}

#[tokio::test]
async fn whoever_is_overtaken_begins_again() {
    let version = json!({"errors": [{"code": "VERSION", "message": "newer", "detail": null}]});
    let outdated = Fault::status(400).body(version.to_string());
    let world = World::new();
    world
        .server
        .fault(Match::post(TUF).times(3), outdated.clone());
    let done = world.sign(&[target("1.0")]).await.unwrap();
    assert!(done.changed);
    assert_eq!(world.posts(), 4);
    assert_eq!(world.server.count("GET", &format!("{TUF}root.json")), 4);
    assert_eq!(world.trusted()["targets"], [entry("1.0")].into());

    let world = World::new();
    world.server.fault(Match::post(TUF), outdated);
    let (error, told) = world.failure().await;
    assert_eq!(error.codes().collect::<Vec<_>>(), ["VERSION"], "{told}");
    assert_eq!(world.posts(), 4);
}

#[tokio::test]
async fn many_at_one_time_all_end_signed() {
    let world = World::new();
    let (notary, key) = (world.notary(), world.signing_key());
    // All are opened before the first one publishes.
    let targets: Vec<Target> = ["a", "b", "c", "d"].map(target).into();
    let names: Vec<[&str; 1]> = targets.iter().map(|target| [&*target.name]).collect();
    let opened = names.iter().map(|name| notary.open(&key, name));
    let signers = future::try_join_all(opened).await.unwrap();
    let all = signers.into_iter().zip(&targets).map(|(signer, target)| {
        let target = std::slice::from_ref(target);
        signer.publish(target)
    });
    let all = future::try_join_all(all).await.unwrap();
    assert!(all.iter().all(|published| published.changed));
    let expected = ["a", "b", "c", "d"].map(entry).into();
    assert_eq!(world.trusted()["targets"], expected);
}

#[tokio::test]
async fn what_changed_since_the_opening_counts() {
    let world = World::new();
    let (notary, key) = (world.notary(), world.signing_key());
    let signer = notary.open(&key, &["1.0"]).await.unwrap();
    world.sign(&[target("1.0")]).await.unwrap();
    let done = signer.publish(&[target("1.0")]).await.unwrap();
    assert_eq!(outcome(done), published(&["targets"], false));
    assert_eq!(world.posts(), 1);
}

#[tokio::test]
async fn updates_are_sent_again_after_what_passes() {
    for (fault, waits) in [
        (Fault::status(503), 1),
        (Fault::reset(), 1),
        (
            Fault::end_request_at(100, regimg_tests::registry::Ending::Reset),
            1,
        ),
        // It was taken, and nobody heard: the next one is told that it comes too late.
        (Fault::answer().as_status(502), 1),
    ] {
        let world = World::new();
        world.server.fault(Match::post(TUF).once(), fault);
        let done = world.sign(&[target("1.0")]).await.unwrap();
        assert_eq!(outcome(done), published(&["targets"], true));
        assert_eq!(world.trusted()["targets"], [entry("1.0")].into());
        assert_eq!(world.clock.waits().len(), waits);
    }
    let world = World::new();
    world
        .server
        .fault(Match::get("*timestamp.json").once(), Fault::cut_at(10));
    assert!(world.sign(&[target("1.0")]).await.unwrap().changed);
    let world = World::new();
    world.server.fault(Match::post(TUF), Fault::status(503));
    let (error, told) = world.failure().await;
    assert!(error.is_transient() && error.attempts() > 3, "{told}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_expired_delegation_is_signed_again_with_what_it_holds() {
    let old = regimg_tests::Digest::sha256(b"old");
    let world = World::owned(|owner, key| {
        owner
            .delegation("targets/me", key, &[""])
            .signed("targets/me", "old", &old, 3)
            .expired("targets/me")
    });
    let done = world.sign(&[target("1.0")]).await.unwrap();
    assert_eq!(outcome(done), published(&["targets/me"], true));
    let expected = [entry("1.0"), entry("old")].into();
    assert_eq!(world.trusted()["targets/me"], expected);
    let file = world.server.trust_document(GUN, "targets/me").unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["signed"]["version"], 2);
    // 1994, 32 years of 365 days, and three more.
    assert_eq!(file["signed"]["expires"], "2029-11-06T08:12:31Z");

    // The same again is worth an update only while it is out of date.
    let world = World::owned(|owner, key| {
        let owner = owner.delegation("targets/me", key, &[""]);
        let old = owner.signed("targets/me", "old", &old, 3);
        old.expired("targets/me")
    });
    assert!(world.sign(&[target("old")]).await.unwrap().changed);
    assert!(!world.sign(&[target("old")]).await.unwrap().changed);
}

#[tokio::test]
async fn what_is_out_of_date_or_made_out_to_another_is_not_believed() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let world = World::owned(|owner, key| owner.targets(key).expired(role));
        let (error, told) = world.failure().await;
        assert_eq!(error.kind(), ErrorKind::Digest, "{told}");
        says(&told, &[role, "expired at 2020", GUN, &world.server.host()]);
        let advice = match role {
            "root" => "the holder of the root key",
            "targets" => "notary witness registry.example.com/team/app targets -p",
            _ => "ask those who run it",
        };
        assert!(error.hint().unwrap().contains(advice), "{told}");
        // What does not fit to the root is looked at once more.
        let looks = if role == "root" { 1 } else { 2 };
        let roots = world.server.count("GET", &format!("{TUF}root.json"));
        assert_eq!(roots, looks, "{role}");
        assert_eq!(world.posts(), 0);
    }
    let world = World::owned(|owner, key| owner.targets(key).certified_for("other"));
    says(
        &world.failure().await.1,
        &["root.json", "made out to \"other\""],
    );
    let world = World::owned(|owner, key| {
        let owner = owner.targets(key);
        owner.certified_for("registry.example.com/team/*")
    });
    assert!(world.sign(&[target("1.0")]).await.unwrap().changed);
    // Somebody else's delegation may be what it wants.
    let stranger = Key::new();
    let world = World::owned(|owner, key| {
        let owner = owner.delegation("targets/you", &stranger, &[""]);
        let owner = owner.delegation("targets/me", key, &[""]);
        owner.expired("targets/you")
    });
    assert!(world.sign(&[target("1.0")]).await.unwrap().changed);
}

/// A server that hands out other files than those that were signed.
#[tokio::test]
async fn swapped_files_are_noticed() {
    let other = World::new();
    other.sign(&[target("evil")]).await.unwrap();
    let of_other = |name: &str| other.server.trust_document(GUN, name).unwrap();
    for (file, name, kind) in [
        ("timestamp.json", "timestamp", ErrorKind::Digest),
        ("snapshot.*.json", "snapshot", ErrorKind::Digest),
        ("targets.*.json", "targets", ErrorKind::Digest),
        // Its keys are other ones, so that what was signed by the first is not signed.
        ("root.json", "root", ErrorKind::Digest),
        ("timestamp.json", "root", ErrorKind::Protocol),
    ] {
        let world = World::new();
        world.sign(&[target("0.9")]).await.unwrap();
        world.server.clear_requests();
        let swapped = Fault::status(200).body(of_other(name));
        world.server.fault(Match::get(&format!("*{file}")), swapped);
        let (error, told) = world.failure().await;
        // A longer file is not read to its end.
        let is_cut = error.kind() == ErrorKind::TooLarge && file.contains('*');
        assert!(error.kind() == kind || is_cut, "{file} {name}: {told}");
        assert_eq!(world.server.count("GET", &format!("{TUF}root.json")), 2);
        assert_eq!(world.posts(), 0);
    }
}

#[tokio::test]
async fn files_of_two_times_are_read_again() {
    let world = World::new();
    let old = world.server.trust_document(GUN, "timestamp").unwrap();
    world.sign(&[target("0.9")]).await.unwrap();
    // An old timestamp names an old snapshot, which names the old targets: all of it is still there.
    let stale = Fault::status(200).body(old);
    world
        .server
        .fault(Match::get("*timestamp.json").times(2), stale);
    world.server.clear_requests();
    let done = world.sign(&[target("1.0")]).await.unwrap();
    assert!(done.changed);
    assert_eq!(world.posts(), 2, "the first one came too late");
    assert_eq!(world.trusted()["targets"].len(), 2);

    let world = World::new();
    let gone = Fault::status(404);
    world
        .server
        .fault(Match::get("*targets.*.json").once(), gone);
    assert!(world.sign(&[target("1.0")]).await.unwrap().changed);
    assert_eq!(world.server.count("GET", &format!("{TUF}root.json")), 2);
}

#[tokio::test]
async fn files_have_an_end() {
    for file in [
        "root.json",
        "timestamp.json",
        "snapshot.*.json",
        "targets.*.json",
    ] {
        let world = World::new();
        world
            .server
            .fault(Match::get(&format!("*{file}")), Fault::endless());
        let (error, told) = world.failure().await;
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{file}: {told}");
    }
}

/// Whoever names one large key in many delegations shall not fill the memory.
#[tokio::test]
async fn delegations_have_an_end() {
    let other = Key::new();
    for (others, is_too_many) in [(999, false), (1000, true)] {
        let world = World::owned(|owner, key| {
            let owner = owner.delegation("targets/me", key, &[""]);
            (0..others).fold(owner, |owner, number| {
                owner.delegation(&format!("targets/d{number}"), &other, &[""])
            })
        });
        let done = world.sign(&[target("1.0")]).await;
        if !is_too_many {
            assert_eq!(outcome(done.unwrap()), published(&["targets/me"], true));
            continue;
        }
        let error = done.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        says(&told(&error), &["more than 1000 delegations", GUN]);
    }
}

#[tokio::test]
async fn nobody_is_redirected() {
    for rule in [Match::get("*root.json"), Match::post(TUF)] {
        let world = World::new();
        world.server.fault(rule, Fault::redirect_elsewhere());
        let (_, told) = world.failure().await;
        says(&told, &["307", GUN]);
        assert!(world.server.requests_to(Origin::Elsewhere).is_empty());
    }
}

#[tokio::test]
async fn what_was_sent_has_to_come_back() {
    let world = World::new();
    let gone = Fault::status(404);
    world
        .server
        .fault(Match::get("*targets.*.json").after(1), gone);
    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::Digest);
    says(&told, &["the update was taken", "cannot be read back", GUN]);
    assert_eq!(world.posts(), 1);

    // A cache that hands out the timestamp of before.
    let world = World::new();
    let old = world.server.trust_document(GUN, "timestamp").unwrap();
    let stale = Fault::status(200).body(old);
    world
        .server
        .fault(Match::get("*/timestamp.json").after(2), stale);
    assert!(world.sign(&[target("1.0")]).await.unwrap().changed);
    let requests = world.requests();
    assert!(
        requests.contains(&"GET 2.timestamp.json -> 200".to_owned()),
        "{requests:?}"
    );
}

/// A server of several machines, which do not learn everything at one time.
#[tokio::test]
async fn what_was_sent_may_come_back_late() {
    for (times, is_in_time) in [(2, true), (20, false)] {
        let world = World::new();
        let old = world.server.trust_document(GUN, "timestamp").unwrap();
        let stale = Fault::status(200).body(old);
        let timestamp = Match::get("*/timestamp.json").after(2);
        world.server.fault(timestamp.times(times), stale);
        world.server.fault(
            Match::get("*/2.timestamp.json").times(times),
            Fault::status(404),
        );
        let done = world.sign(&[target("1.0")]).await;
        assert_eq!(world.posts(), 1);
        if is_in_time {
            assert!(done.unwrap().changed);
            assert_eq!(world.clock.waits().len(), times);
        } else {
            let error = done.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Digest);
            says(&told(&error), &["cannot be read back", "2.timestamp.json"]);
        }
    }
}

fn credential() -> Credential {
    basic("user", "s3cret-password")
}

#[tokio::test]
async fn one_token_serves_all_requests() {
    let auth = || {
        Auth::bearer()
            .account("user", "s3cret-password")
            .catalog_greeting()
    };
    let world = World::on(Registry::builder().auth(auth()), |owner, key| {
        owner.targets(key)
    });
    let notary = world.notary_with(&world.config(), credential());
    let done = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
    assert!(done.unwrap().changed);
    let requests = world.server.requests();
    let tokens: Vec<_> = requests
        .iter()
        .filter(|record| record.path == "/token")
        .collect();
    assert_eq!(tokens.len(), 1);
    let scope = format!("repository:{GUN}:push,pull");
    assert_eq!(tokens[0].field("scope"), Some(scope));

    // A token that ends on the way is replaced, and the update sent again as a whole.
    for uses in [1, 2, 4, 6, 7] {
        let auth = auth().token_uses(uses);
        let world = World::on(Registry::builder().auth(auth), |owner, key| {
            owner.targets(key)
        });
        let notary = world.notary_with(&world.config(), credential());
        let done = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
        assert!(done.unwrap().changed);
        assert_eq!(world.trusted()["targets"], [entry("1.0")].into());
    }
}

#[tokio::test]
async fn other_actions_may_be_asked_for() {
    let auth = Auth::bearer().account("user", "s3cret-password");
    let world = World::on(Registry::builder().auth(auth), |owner, key| {
        owner.targets(key)
    });
    let mut config = NotaryConfig::new(world.server.url(Origin::Registry), GUN);
    config.actions = ["push", "pull", "delete"].map(str::to_owned).into();
    let notary = Notary::new(world.config(), config, credential()).unwrap();
    // The server here knows no such action, and sells no token that holds it.
    let _ = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
    let requests = world.server.requests();
    let bought = requests
        .iter()
        .find(|record| record.path == "/token")
        .unwrap();
    let scope = format!("repository:{GUN}:push,pull,delete");
    assert_eq!(bought.field("scope"), Some(scope));
}

#[tokio::test]
async fn credentials_are_shown_only_when_they_are_asked_for() {
    let world = World::new();
    let notary = world.notary_with(&world.config(), credential());
    let done = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
    assert!(done.unwrap().changed);
    let requests = world.server.requests();
    assert!(
        requests
            .iter()
            .all(|record| record.authorization().is_none())
    );

    let auth = Auth::basic().account("user", "s3cret-password");
    let world = World::on(Registry::builder().auth(auth), |owner, key| {
        owner.targets(key)
    });
    let notary = world.notary_with(&world.config(), credential());
    let done = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
    assert!(done.unwrap().changed);
    let requests = world.server.requests();
    let shown = |record: &&regimg_tests::registry::Record| record.authorization().is_some();
    assert_eq!(requests.iter().filter(shown).count(), requests.len() - 1);
    // The greeting is what asks.
    assert!(requests[0].authorization().is_none());

    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    says(&told, &["no credentials were given", &world.server.host()]);
}

#[tokio::test]
async fn the_server_has_to_prove_who_it_is() {
    let world = World::new();
    let mut config = world.config();
    config.ca_certs.clear();
    config.server_certificates = ServerCertificates::DangerouslyIgnored;
    config.plain_http = PlainHttp::Allowed;
    let notary = world.notary_with(&config, credential());
    let error = notary
        .open(&world.signing_key(), &["1.0"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    says(&told(&error), &["ca_certs", GUN]);
    assert!(world.server.requests().is_empty());
}

#[tokio::test]
async fn nothing_goes_over_plain_http() {
    let world = World::started(Registry::start());
    let server = format!("https://{}", world.server.host());
    let mut config = Config::default();
    config.clock = world.clock.clone();
    config.plain_http = PlainHttp::Allowed;
    let notary = Notary::new(config, NotaryConfig::new(server, GUN), credential()).unwrap();
    let error = notary
        .open(&world.signing_key(), &["1.0"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(world.server.requests().is_empty());
}

#[tokio::test]
async fn servers_may_ask_for_a_certificate() {
    let authority = Authority::new();
    let identity = authority.client("signer");
    let builder = Registry::builder().tls();
    let builder = builder.require_client_certificate(authority.pem());
    let world = World::started(builder.start());
    let owner = Owner::new(GUN).targets(&world.key);
    world.server.entrust(&owner);
    let mut config = world.config();
    config.client_identity = Some(ClientIdentity {
        certificate: identity.certificate_pem().to_owned(),
        key: identity.key_pem().into(),
    });
    let notary = world.notary_with(&config, Credential::Anonymous);
    let done = sign(&notary, &world.signing_key(), &[target("1.0")]).await;
    assert!(done.unwrap().changed);
    let (error, told) = world.failure().await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{told}");
    says(&told, &["client certificate", GUN]);
}

#[tokio::test]
async fn addresses_and_names_that_cannot_be_meant() {
    for (server, gun, wanted) in [
        ("http://notary.example.com", GUN, "https://"),
        ("notary.example.com", GUN, "cannot be read"),
        ("", GUN, "cannot be read"),
        ("https://notary.example.com/path", GUN, "nothing more"),
        ("https://notary.example.com/?a=b", GUN, "nothing more"),
        ("https://u:s3cret@notary.example.com", GUN, "nothing more"),
        ("https://notary.example.com", "", "\"\""),
        ("https://notary.example.com", "a//b", "a//b"),
        ("https://notary.example.com", "a/../b", "a/../b"),
        ("https://notary.example.com", "a/b?c", "a/b?c"),
        ("https://notary.example.com", "a/b%2fc", "a/b%2fc"),
    ] {
        let config = NotaryConfig::new(server, gun);
        let error = Notary::new(Config::default(), config, Credential::Anonymous).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let told = told(&error);
        says(&told, &[wanted]);
        assert!(!told.contains("s3cret"), "{told}");
    }
    for server in ["https://notary.example.com:4443/", "https://[::1]:4443"] {
        let config = NotaryConfig::new(server, "[::1]:5000/a_b/c-d");
        assert!(Notary::new(Config::default(), config, Credential::Anonymous).is_ok());
    }
    let world = World::new();
    let sha512 = Target {
        digest: Digest::of(Algorithm::Sha512, b"x"),
        ..target("1.0")
    };
    for target in [sha512, target("a\nb"), target("")] {
        let error = world.sign(&[target]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    }
    assert_eq!(world.posts(), 0);
}

/// An answer may repeat whatever it likes.
#[tokio::test]
async fn no_answer_tells_a_secret() {
    let world = World::new();
    let pem = world.key.encrypted_pem(PASSPHRASE);
    let text = format!("you are {PASSPHRASE} and have {pem}");
    let error =
        json!({"code": text, "message": text, "detail": {"Name": text, "Error": {"Msg": text}}});
    let body = json!({"errors": [error]}).to_string();
    for status in [400, 403] {
        let repeated = Fault::status(status).body(body.clone());
        world.server.fault(Match::post(TUF).once(), repeated);
        let (_, told) = world.failure().await;
        says(&told, &["****"]);
    }
}

/// What a message is cut off in shall not show its beginning either.
#[tokio::test]
async fn no_answer_tells_a_piece_of_a_secret() {
    let world = World::new();
    for shown in 1..PASSPHRASE.len() {
        let text = format!("{} {PASSPHRASE}", "x".repeat(399 - shown));
        let detail = json!({"Name": "ErrBadTargets", "Error": {"Msg": text}});
        let error = json!({"code": "INVALID_UPDATE", "message": "invalid", "detail": detail});
        let body = json!({"errors": [error]}).to_string();
        let repeated = Fault::status(400).body(body);
        world.server.fault(Match::post(TUF).once(), repeated);
        let (_, told) = world.failure().await;
        says(&told, &["was refused: xxx"]);
        assert!(!told.contains("x c"), "{told}");
    }
}

#[tokio::test]
async fn there_is_a_deadline() {
    let world = World::new();
    let mut config = world.config();
    config.deadline = Some(std::time::Instant::now() + Duration::from_millis(200));
    world
        .server
        .fault(Match::get("*root.json"), Fault::stall_at(0));
    config.timeouts.idle = Duration::from_mins(1);
    let notary = world.notary_with(&config, Credential::Anonymous);
    let error = notary
        .open(&world.signing_key(), &["1.0"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
}

/// The real server takes it, and the real client reads it.
#[tokio::test]
async fn notary_servers_and_clients_agree() {
    for signer in [false, true] {
        let settings = NotarySettings {
            signer,
            ..NotarySettings::default()
        };
        let Some(server) = NotaryServer::start_with(&settings) else {
            return;
        };
        let Some(owner) = server.client() else { return };
        let (key, mut config) = (Key::new(), Config::default());
        config.ca_certs = vec![server.ca_pem().to_owned()];
        let notary = |gun: &str| {
            let notary = NotaryConfig::new(server.url(), gun);
            Notary::new(config.clone(), notary, Credential::Anonymous).unwrap()
        };

        let gun = "registry.example.com:5000/own";
        owner.initialize(gun, false);
        let (id, pem) = owner.key("targets");
        let passphrase = Secret::new(regimg_tests::notary::PASSPHRASE);
        let own = SigningKey::from_pem(&pem.into(), &passphrase).unwrap();
        assert_eq!(own.id(), id);
        let error = sign(&notary(gun), &own, &[target("1.0")])
            .await
            .unwrap_err();
        says(&told(&error), &["notary key rotate"]);
        owner.call(&["key", "rotate", gun, "snapshot", "-r"]);
        let targets = [target("1.0"), target("latest")];
        assert!(sign(&notary(gun), &own, &targets).await.unwrap().changed);
        assert!(!sign(&notary(gun), &own, &targets).await.unwrap().changed);
        assert_eq!(server.client().unwrap().list(gun).len(), 2);

        let gun = "registry.example.com:5000/delegated";
        owner.initialize(gun, true);
        owner.delegate(gun, "targets/releases", &key, &[""]);
        owner.delegate(gun, "targets/me", &key, &["v", "<&>"]);
        let delegated = SigningKey::from_pem(&key.pem().into(), &Secret::new("")).unwrap();
        let (targets, third) = ([target("v1"), target("2")], [target("3")]);
        let (one, other) = (notary(gun), notary(gun));
        let done = future::try_join(
            sign(&one, &delegated, &targets),
            sign(&other, &delegated, &third),
        );
        let (first, second) = done.await.unwrap();
        assert_eq!(first.roles, ["targets/me", "targets/releases"]);
        assert_eq!(second.roles, ["targets/releases"]);
        let fresh = server.client().unwrap();
        let mut listed = fresh.list(gun);
        listed.sort();
        let line = |name: &str| {
            let target = target(name);
            let (hex, length) = (target.digest.hex().to_owned(), target.length.to_string());
            [name.to_owned(), hex, length, "targets/releases".to_owned()]
        };
        assert_eq!(listed, ["2", "3", "v1"].map(line));
        // And the owner goes on with it.
        owner.call(&["delegation", "list", gun]);
        let hash = digest_of("x").hex().to_owned();
        owner.call(&[
            "addhash", "-p", gun, "x", "1", "--sha256", &hash, "-r", "targets",
        ]);
        assert_eq!(server.client().unwrap().list(gun).len(), 4);

        // What a delegate has delegated further stays, and is read by the keys named there.
        let (below, log) = (Key::new(), Log::default());
        let listening = log.listen();
        owner.import(&key);
        owner.import(&below);
        owner.delegate(gun, "targets/me/below", &below, &["v"]);
        owner.call(&[
            "addhash",
            "-p",
            gun,
            "v2",
            "1",
            "--sha256",
            &hash,
            "-r",
            "targets/me/below",
        ]);
        let done = sign(&notary(gun), &delegated, &[target("v3")])
            .await
            .unwrap();
        assert_eq!(done.roles, ["targets/me", "targets/releases"]);
        drop(listening);
        assert!(!log.text().contains("not usable"), "{}", log.text());
        let listed = server.client().unwrap().list(gun);
        assert!(
            listed
                .iter()
                .any(|line| line[0] == "v2" && line[3] == "targets/me/below")
        );
        assert_eq!(listed.len(), 6, "{listed:?}");
    }
}

/// A key that others than `notary` make, by its certificate; taken away and given again.
#[tokio::test]
async fn delegates_may_have_rsa_keys() {
    const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/notary/rsa.crt");
    let Some(server) = NotaryServer::start() else {
        return;
    };
    let Some(owner) = server.client() else { return };
    let mut config = Config::default();
    config.ca_certs = vec![server.ca_pem().to_owned()];
    let notary = NotaryConfig::new(server.url(), GUN);
    let notary = Notary::new(config, notary, Credential::Anonymous).unwrap();
    let pem = include_str!("../vectors/notary/rsa.pem");
    let key = SigningKey::from_pem(&pem.into(), &Secret::new("")).unwrap();
    let role = "targets/releases";
    let add = || {
        let arguments = ["delegation", "add", "-p", GUN, role, CERTIFICATE];
        owner.call(&[&arguments[..], &["--all-paths"]].concat());
    };
    owner.initialize(GUN, true);
    add();
    let done = sign(&notary, &key, &[target("1.0")]).await.unwrap();
    assert_eq!(outcome(done), published(&[role], true));
    owner.call(&["delegation", "remove", "-p", "-y", GUN, role]);
    let error = sign(&notary, &key, &[target("2.0")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    add();
    let done = sign(&notary, &key, &[target("2.0")]).await.unwrap();
    assert_eq!(outcome(done), published(&[role], true));
    let listed = server.client().unwrap().list(GUN);
    assert!(listed.iter().all(|line| line[3] == role), "{listed:?}");
    assert_eq!(listed.len(), 2);
}
