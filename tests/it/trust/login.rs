//! Who signs, in the eyes of the notary server: tokens, passwords, certificates.

use std::collections::BTreeSet;

use regimg_tests::registry::{Auth, Builder, Origin, Realm, Registry};
use regimg_tests::tls::Authority;
use serde_json::json;

use super::{Stage, put};

fn server(auth: Auth) -> Builder {
    Registry::builder().tls().auth(auth)
}

fn bearer() -> Auth {
    Auth::bearer()
        .catalog_greeting()
        .realm(Realm::Separate)
        .account("signer", "hunter2-hunter2")
}

/// What was asked of the token service.
fn scopes(notary: &Registry) -> BTreeSet<Option<String>> {
    let requests = notary.requests_to(Origin::Tokens);
    requests
        .iter()
        .map(|record| record.field("scope"))
        .collect()
}

#[test]
fn a_token_is_for_the_name_and_not_for_the_catalog() {
    let cases = [("", "push,pull"), ("push,pull,delete", "push,pull,delete")];
    for (asked, expected) in cases {
        let stage = Stage::with(server(bearer()).start());
        stage.notary.entrust(&stage.owner());
        let mut source = stage.source();
        source["content_trust"]["username"] = json!("signer");
        source["content_trust"]["password"] = json!("hunter2-hunter2");
        source["content_trust"]["scopes"] = json!(asked);
        put(&source, &json!({})).answer();
        let scope = format!("repository:{}:{expected}", stage.name());
        assert_eq!(scopes(&stage.notary), BTreeSet::from([Some(scope)]));
        assert_eq!(stage.notary.count("GET", "/token"), 1);
        assert_eq!(stage.updates(), 1);
    }
}

#[test]
fn the_login_of_the_source_stands_in_for_one_of_its_own() {
    for auth in [bearer(), Auth::basic().account("signer", "hunter2-hunter2")] {
        let stage = Stage::with(server(auth).start());
        stage.notary.entrust(&stage.owner());
        let mut source = stage.source();
        source["username"] = json!("signer");
        source["password"] = json!("hunter2-hunter2");
        put(&source, &json!({})).answer();
        assert!(stage.trusted()["targets"].contains_key("1.0"));
    }
}

#[test]
fn each_login_goes_to_its_own_server() {
    let stage = Stage::with(server(bearer()).start());
    stage
        .registry
        .set_auth(Auth::basic().account("pusher", "hunter3-hunter3"));
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    source["username"] = json!("pusher");
    source["password"] = json!("hunter3-hunter3");
    source["content_trust"]["username"] = json!("signer");
    source["content_trust"]["password"] = json!("hunter2-hunter2");
    let outcome = put(&source, &json!({}));
    outcome.answer();
    assert!(!outcome.stderr.contains("hunter"), "{}", outcome.stderr);
    let shown = |registry: &Registry| -> BTreeSet<String> {
        let requests = registry.requests();
        let shown = requests.iter().filter_map(|record| record.authorization());
        shown
            .filter(|value| value.starts_with("Basic"))
            .map(str::to_owned)
            .collect()
    };
    let (pusher, signer) = (shown(&stage.registry), shown(&stage.notary));
    assert_eq!((pusher.len(), signer.len()), (1, 1));
    assert!(pusher.is_disjoint(&signer));
}

#[test]
fn a_docker_configuration_has_a_login_for_the_server_too() {
    let stage = Stage::with(server(bearer()).start());
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    let login = json!({"username": "signer", "password": "hunter2-hunter2"});
    let config = json!({"auths": {stage.notary.host(): login}});
    source["docker_config_json"] = json!(config.to_string());
    put(&source, &json!({})).answer();
    assert!(stage.trusted()["targets"].contains_key("1.0"));
}

#[test]
fn a_token_that_ends_is_bought_again() {
    for uses in [1, 2, 3, 5] {
        let stage = Stage::with(server(bearer().token_uses(uses)).start());
        stage.notary.entrust(&stage.owner());
        let mut source = stage.source();
        source["content_trust"]["username"] = json!("signer");
        source["content_trust"]["password"] = json!("hunter2-hunter2");
        put(&source, &json!({})).answer();
        assert!(stage.trusted()["targets"].contains_key("1.0"), "{uses}");
        assert!(stage.notary.count("GET", "/token") > 1, "{uses}");
    }
}

#[test]
fn a_certificate_is_shown_to_the_server_and_not_to_the_registry() {
    let authority = Authority::new();
    let server = || {
        let identity = authority.server(&["127.0.0.1"]);
        let builder = Registry::builder().tls_with(identity, authority.pem());
        builder.require_client_certificate(authority.pem()).start()
    };
    let stage = Stage::with(server());
    stage.notary.entrust(&stage.owner());
    let mut source = stage.source();
    let outcome = put(&source, &json!({}));
    stage.nothing_was_pushed(&outcome);
    let hint = "hint: the server asked for a client certificate, and none is configured";
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);

    let identity = authority.client("signer");
    // The source's own is for the registry.
    source["client_cert"] = json!(identity.certificate_pem());
    source["client_key"] = json!(identity.key_pem());
    stage.nothing_was_pushed(&put(&source, &json!({})));

    let mut source = stage.source();
    source["content_trust"]["tls_cert"] = json!(identity.certificate_pem());
    source["content_trust"]["tls_key"] = json!(identity.key_pem());
    put(&source, &json!({})).answer();
    assert!(stage.trusted()["targets"].contains_key("1.0"));

    let registry = server();
    source["repository"] = json!(format!("{}/app", registry.host()));
    put(&source, &json!({})).failure();
    assert_eq!(registry.transcript(), "");
}
