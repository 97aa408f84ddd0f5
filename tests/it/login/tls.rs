//! `skip_tls_verify`, `client_cert` and `client_key`: at the origin, and at the mirror.

use regimg_resource::Command;
use regimg_tests::Proxy;
use regimg_tests::registry::{Builder, Registry};
use regimg_tests::tls::{Authority, Identity};
use serde_json::{Value, json};

use super::{COMMANDS, all_succeed, image, run, tells_nothing};

/// Starts to build a registry whose certificate is signed by `authority`.
fn tls(authority: &Authority, name: &str) -> Builder {
    Registry::builder().tls_with(authority.server(&[name]), authority.pem())
}

fn source(registry: &Registry) -> Value {
    registry.publish("app", "1.0", &image());
    json!({"repository": format!("{}/app", registry.host())})
}

/// A line of a key that stands in no message.
fn line(identity: &Identity) -> String {
    identity.key_pem().lines().nth(1).unwrap().to_owned()
}

fn show(source: &mut Value, identity: &Identity) {
    source["client_cert"] = json!(identity.certificate_pem());
    source["client_key"] = json!(identity.key_pem());
}

#[test]
fn verification_is_skipped_when_asked_for_and_each_run_says_so() {
    let registry = tls(&Authority::new(), "elsewhere.example").start();
    let mut source = source(&registry);
    for command in COMMANDS {
        run(command, &source, &[]).failure();
    }
    source["skip_tls_verify"] = json!(true);
    let warning = format!(
        "skip_tls_verify: the certificate of {} is not verified",
        registry.host()
    );
    for outcome in all_succeed(&source, &[], &[]) {
        assert_eq!(
            outcome.stderr.matches(&warning).count(),
            1,
            "{}",
            outcome.stderr
        );
    }
    // Not every secret is worth as little as that.
    source["skip_tls_verify"] = json!(false);
    source["insecure"] = json!(true);
    for command in COMMANDS {
        run(command, &source, &[]).failure();
    }
}

#[test]
fn a_certificate_is_shown_to_a_registry_that_asks_for_one() {
    let authority = Authority::new();
    let registry = tls(&authority, "127.0.0.1")
        .require_client_certificate(authority.pem())
        .start();
    let mut source = source(&registry);
    source["ca_certs"] = json!([authority.pem()]);
    let outcome = run(Command::Check, &source, &[]);
    outcome.failure();
    assert!(
        outcome
            .stderr
            .contains("hint: the server asked for a client certificate, and none is configured")
    );
    let identity = authority.client("pipeline");
    show(&mut source, &identity);
    all_succeed(&source, &[], &[&line(&identity)]);
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let (one, other) = (Authority::new().client("a"), Authority::new().client("b"));
    let cases = [
        (
            json!({"client_cert": one.certificate_pem()}),
            "client_cert: is given without source.client_key",
        ),
        (
            json!({"client_key": one.key_pem()}),
            "client_key: is given without source.client_cert",
        ),
        (
            json!({"client_cert": "no PEM", "client_key": one.key_pem()}),
            "client_cert, source.client_key: the client certificate cannot be used: there is no PEM certificate",
        ),
        (
            json!({"client_cert": one.certificate_pem(), "client_key": "no PEM"}),
            "client_cert, source.client_key: the client certificate cannot be used: there is no private key",
        ),
        (
            json!({"client_cert": one.certificate_pem(), "client_key": other.key_pem()}),
            "client_cert, source.client_key: the client certificate cannot be used",
        ),
    ];
    for (fields, wanted) in cases {
        let mut source = fields.clone();
        source["repository"] = json!("127.0.0.1:1/app");
        let at_mirror = json!({"repository": "app", "registry_mirror": fields});
        let mut at_mirror = at_mirror;
        at_mirror["registry_mirror"]["host"] = json!("127.0.0.1:1");
        for command in COMMANDS {
            let outcome = run(command, &source, &[]);
            let message = outcome.failure();
            assert!(message.contains(&format!("source.{wanted}")), "{message}");
            tells_nothing(&outcome, &[&line(&one), &line(&other)]);
        }
        for command in [Command::Check, Command::Get] {
            let message = run(command, &at_mirror, &[]).failure();
            let wanted = wanted.replace("source.", "source.registry_mirror.");
            let wanted = format!("source.registry_mirror.{wanted}");
            assert!(message.contains(&wanted), "{message}");
        }
    }
}

/// Docker Hub, which asks for certificates of one authority, and a mirror that asks for those of
/// another.
struct Fixture {
    hub: Registry,
    mirror: Registry,
    proxy: Proxy,
    /// Signs for the hub, and for the mirror.
    authorities: [Authority; 2],
}

impl Fixture {
    fn new() -> Self {
        let authorities = [Authority::new(), Authority::new()];
        let [hubs, mirrors] = &authorities;
        let asking = |builder: Builder, authority: &Authority| {
            builder.require_client_certificate(authority.pem()).start()
        };
        let hub = asking(tls(hubs, "index.docker.io"), hubs);
        let mirror = asking(tls(mirrors, "127.0.0.1"), mirrors);
        for registry in [&hub, &mirror] {
            registry.publish("library/app", "1.0", &image());
        }
        Self {
            proxy: Proxy::to(hub.addr()),
            hub,
            mirror,
            authorities,
        }
    }

    /// A source that trusts the first authorities, with the login that each place wants.
    fn source(&self, trusted: usize) -> Value {
        let [hubs, mirrors] = &self.authorities;
        let trusted: Vec<_> = self.authorities[..trusted]
            .iter()
            .map(Authority::pem)
            .collect();
        let mut source = json!({
            "repository": "app",
            "ca_certs": trusted,
            "registry_mirror": {"host": self.mirror.host()},
        });
        show(&mut source, &hubs.client("for the hub"));
        show(
            &mut source["registry_mirror"],
            &mirrors.client("for the mirror"),
        );
        source
    }

    /// Runs `check` and `in`, and says of each whether the mirror served.
    fn served_by_mirror(&self, source: &Value) -> Vec<bool> {
        let proxy = self.proxy.url();
        let environment = [("HTTPS_PROXY", proxy.as_str())];
        let commands = [Command::Check, Command::Get];
        let served = commands.map(|command| {
            let outcome = run(command, source, &environment);
            outcome.answer();
            outcome.stderr.contains("served by mirror")
        });
        served.into()
    }
}

#[test]
fn mirror_and_origin_see_certificates_of_their_own() {
    let fixture = Fixture::new();
    let source = fixture.source(2);
    assert_eq!(fixture.served_by_mirror(&source), [true, true]);
    assert!(fixture.hub.requests().is_empty());
    // The hub's certificate is not for the mirror, which therefore does not serve.
    let mut without = source.clone();
    without["registry_mirror"] = json!({"host": fixture.mirror.host()});
    fixture.mirror.clear_requests();
    assert_eq!(fixture.served_by_mirror(&without), [false, false]);
    assert!(fixture.mirror.requests().is_empty());
    assert!(!fixture.hub.requests().is_empty());
}

#[test]
fn each_is_verified_unless_its_own_field_says_otherwise() {
    // Of the two authorities the hub's alone is trusted.
    let fixture = Fixture::new();
    let mut source = fixture.source(1);
    source["skip_tls_verify"] = json!(true);
    assert_eq!(fixture.served_by_mirror(&source), [false, false]);
    assert!(fixture.mirror.requests().is_empty());

    source["skip_tls_verify"] = json!(false);
    source["registry_mirror"]["skip_tls_verify"] = json!(true);
    assert_eq!(fixture.served_by_mirror(&source), [true, true]);

    // And the reverse: what is skipped at the mirror is not skipped at the hub.
    source["ca_certs"] = json!([]);
    fixture.mirror.untag("library/app", "1.0");
    fixture.hub.clear_requests();
    let proxy = fixture.proxy.url();
    run(Command::Check, &source, &[("HTTPS_PROXY", &proxy)]).failure();
    assert!(fixture.hub.requests().is_empty());
}
