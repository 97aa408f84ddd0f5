//! `docker_config_json`: an entry for each place, and what comes before it.

use regimg_resource::Command;
use regimg_tests::Process;
use regimg_tests::registry::{Auth, Registry};
use serde_json::{Value, json};

use super::{COMMANDS, all_succeed, image, run, shown, tells_nothing};
use crate::hub;

const SECRETS: [&str; 2] = ["pa55word", "refresh-t0ken"];

fn registry(auth: Auth) -> Registry {
    let registry = Registry::builder().auth(auth).start();
    registry.publish("app", "1.0", &image());
    registry
}

fn source(registry: &Registry, config: &Value) -> Value {
    json!({
        "repository": format!("{}/app", registry.host()),
        "docker_config_json": config.to_string(),
    })
}

fn login(password: &str) -> Value {
    json!({"username": "user", "password": password})
}

#[test]
fn the_entry_of_the_registry_logs_in() {
    let account = |auth: Auth| auth.account("user", "pa55word");
    for (auth, entry) in [
        (account(Auth::basic()), login("pa55word")),
        (account(Auth::bearer()), login("pa55word")),
        // "user:pa55word".
        (
            account(Auth::bearer()),
            json!({"auth": "dXNlcjpwYTU1d29yZA=="}),
        ),
        (
            Auth::bearer().identity_token("refresh-t0ken"),
            json!({"auth": "PHRva2VuPjo=", "identitytoken": "refresh-t0ken"}),
        ),
    ] {
        let registry = registry(auth);
        let host = registry.host();
        let config = json!({"auths": {"other.example": login("other"), host: entry}});
        let source = source(&registry, &config);
        all_succeed(
            &source,
            &[],
            &[SECRETS[0], SECRETS[1], "dXNlcjpwYTU1d29yZA"],
        );
    }
}

#[test]
fn a_login_of_the_source_comes_first() {
    let registry = registry(Auth::basic().account("user", "pa55word"));
    let config = json!({"auths": {registry.host(): login("old and wrong")}});
    let mut source = source(&registry, &config);
    source["username"] = json!("user");
    source["password"] = json!("pa55word");
    all_succeed(&source, &[], &SECRETS);
}

#[test]
fn who_has_no_entry_is_asked_anonymously() {
    let registry = registry(Auth::none());
    let config = json!({"auths": {"other.example": login("pa55word")}});
    all_succeed(&source(&registry, &config), &[], &SECRETS);
    assert!(shown(&registry).is_empty());
}

/// The mirror and the origin each see their own entry, and nobody sees another's.
#[test]
fn mirror_and_origin_have_entries_of_their_own() {
    let cases = [
        ("https://index.docker.io/v1/", json!({})),
        (
            "docker.io",
            json!({"username": "user", "password": "mirrors-pa55word"}),
        ),
    ];
    for (hubs_name, own) in cases {
        let (hub, proxy, authority) = hub::start();
        hub.set_auth(Auth::basic().account("user", "hubs-pa55word"));
        let mirror = Registry::builder()
            .auth(Auth::basic().account("user", "mirrors-pa55word"))
            .start();
        let auths = json!({
            hubs_name: login("hubs-pa55word"),
            mirror.host(): login(if own == json!({}) { "mirrors-pa55word" } else { "old and wrong" }),
        });
        let mut at_mirror = own;
        at_mirror["host"] = json!(mirror.host());
        let source = json!({
            "repository": "app",
            "registry_mirror": at_mirror,
            "docker_config_json": json!({"auths": auths}).to_string(),
            "ca_certs": [authority.pem()],
        });
        let proxy = proxy.url();
        let environment = [("HTTPS_PROXY", proxy.as_str())];
        // First the mirror lacks the image, then it has it.
        hub.publish("library/app", "1.0", &image());
        mirror.create_repository("library/app");
        for command in [Command::Check, Command::Get] {
            let outcome = run(command, &source, &environment);
            outcome.answer();
            tells_nothing(&outcome, &SECRETS);
        }
        let (at_hub, at_mirror) = (shown(&hub), shown(&mirror));
        assert_eq!((at_hub.len(), at_mirror.len()), (1, 1));
        assert_ne!(at_hub, at_mirror);
        hub.clear_requests();
        mirror.publish("library/app", "1.0", &image());
        for command in [Command::Check, Command::Get] {
            let outcome = run(command, &source, &environment);
            outcome.answer();
            assert!(outcome.stderr.contains("served by mirror"));
        }
        assert!(hub.requests().is_empty());
    }
}

#[test]
fn helpers_are_run_where_they_are_installed() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("docker-credential-example");
    // By a process of its own: no descriptor of ours may be open when the script is run.
    let write = r#"cat > "$1" && chmod 755 "$1""#;
    Process::new("/bin/sh")
        .args(["-c", write, "sh", script.to_str().unwrap()])
        .env("PATH", "/bin:/usr/bin")
        .input("#!/bin/sh\nread server\necho \"{\\\"Username\\\":\\\"user\\\",\\\"Secret\\\":\\\"$WORD\\\"}\"\n")
        .run()
        .unwrap()
        .expect_success();
    let registry = registry(Auth::bearer().account("user", "pa55word"));
    let config = json!({"credHelpers": {registry.host(): "example"}});
    let source = source(&registry, &config);
    let path = format!("/nonexistent:{}", directory.path().display());
    all_succeed(&source, &[("PATH", &path), ("WORD", "pa55word")], &SECRETS);

    let cases = [
        (
            vec![("PATH", "/nonexistent")],
            "docker-credential-example is in none of the directories",
        ),
        (vec![], "no helpers may be run"),
    ];
    // A program always has a PATH.
    for (environment, wanted) in cases.iter().filter(|_| !crate::driver::is_program()) {
        let message = run(Command::Check, &source, environment).failure();
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn a_text_that_is_no_configuration_is_named_and_not_quoted() {
    let base64_of_braces = "e30=";
    let half = r#"{"auths": {"a.io": {"password": "pa55word"}}}"#;
    for (text, wanted) in [
        ("pa55word", "it is not JSON (line 1, column 1)"),
        (
            r#"{"auths": {"a.io": {"auth": "pa55word!"}}}"#,
            "auths: \"a.io\": auth is not the base64 form of name:password",
        ),
        (base64_of_braces, "it is base64: its decoded text is wanted"),
        (
            half,
            "auths: \"a.io\": a password is given without a user name",
        ),
    ] {
        let wanted =
            format!("source.docker_config_json: the Docker configuration cannot be used: {wanted}");
        for login in [
            json!({"username": "u", "password": "p"}),
            // Clouds log in without it, and are not asked before it is read.
            json!({"azure_acr": true}),
            json!({"aws_region": "eu-west-1", "repository": "app"}),
        ] {
            let mut source = json!({"repository": "127.0.0.1:1/app", "docker_config_json": text});
            for (name, value) in login.as_object().unwrap() {
                source[name] = value.clone();
            }
            for command in COMMANDS {
                let outcome = run(command, &source, &[]);
                let message = outcome.failure();
                assert!(message.contains(&wanted), "{message}");
                tells_nothing(&outcome, &SECRETS);
            }
        }
    }
}
