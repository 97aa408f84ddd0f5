//! Credentials from `config.json` and helpers.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use regimg_core::Registry as Name;
use regimg_registry::{
    Client, Config, Credential, CredentialSource as _, DockerConfig, ErrorKind, Helpers,
};
use regimg_tests::registry::{Auth, Registry};
use regimg_tests::{Image, Process};
use tempfile::TempDir;

use crate::support::{basic, tag};

/// A directory with helpers, each a shell script.
fn helpers(scripts: &[(&str, &str)]) -> (TempDir, Helpers) {
    let directory = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        let path = directory.path().join(format!("docker-credential-{name}"));
        // By a process of its own: no descriptor of ours may be open when the script is run.
        let write = r#"cat > "$1" && chmod 755 "$1""#;
        Process::new("/bin/sh")
            .args(["-c", write, "sh", path.to_str().unwrap()])
            .env("PATH", "/bin:/usr/bin")
            .input(format!("#!/bin/sh\n{script}\n"))
            .run()
            .unwrap()
            .expect_success();
    }
    let mut helpers = Helpers::in_path(OsStr::new("relative:/nonexistent"));
    helpers.directories.push(directory.path().to_owned());
    helpers.environment = vec![("PATH".into(), "/bin:/usr/bin".into())];
    (directory, helpers)
}

/// Answers with the server that was asked for as the secret.
const ECHO: &str =
    r#"[ "$1" = get ] && read server && echo "{\"Username\":\"user\",\"Secret\":\"$server\"}""#;

async fn ask(config: &DockerConfig, host: &str) -> Result<Credential, String> {
    let registry = Name::parse(host).unwrap();
    let found = config.credential(&registry).await;
    found.map_err(|error| error.to_string())
}

#[tokio::test]
async fn helpers_before_stores_before_entries() {
    let (_directory, helpers) = helpers(&[
        ("own", ECHO),
        (
            "store",
            r#"read server; case $server in known.io) echo '{"Username":"<token>","Secret":"t"}';; *) echo 'credentials not found in native keychain'; exit 1;; esac"#,
        ),
    ]);
    let text = r#"{
        "auths": {"plain.io": {"auth": "dTpw"}, "own.io": {"auth": "dTpw"}, "known.io": {}},
        "credHelpers": {"own.io": "own", "docker.io": "own"},
        "credsStore": "store"
    }"#;
    let config = DockerConfig::parse(text).unwrap().with_helpers(helpers);
    for (host, wanted) in [
        ("own.io", basic("user", "own.io")),
        ("docker.io", basic("user", "https://index.docker.io/v1/")),
        ("known.io", Credential::IdentityToken("t".into())),
        ("plain.io", basic("u", "p")),
        ("other.io", Credential::Anonymous),
    ] {
        assert_eq!(ask(&config, host).await.unwrap(), wanted, "{host}");
    }
}

#[tokio::test]
async fn helpers_that_fail_are_named_and_not_quoted() {
    let (_directory, mut helpers) = helpers(&[
        ("broken", "echo 'no network'; exit 1"),
        ("talker", r#"echo '{"Secret":"hidden"}'; exit 1"#),
        ("nonsense", "echo hidden"),
        ("slow", "exec sleep 60"),
        ("empty", r#"echo '{"Username":"user","Secret":""}'"#),
    ]);
    helpers.time_limit = Duration::from_millis(500);
    for (name, wanted) in [
        ("broken", Some("\"broken\" failed: no network")),
        ("talker", Some("\"talker\" failed")),
        ("nonsense", Some("\"nonsense\" is not understood")),
        ("slow", Some("took longer than 500ms")),
        ("absent", Some("docker-credential-absent is in none")),
        ("../own", Some("is not the name of a credential helper")),
        ("empty", None),
    ] {
        let text = serde_json::json!({"credsStore": name}).to_string();
        let config = DockerConfig::parse(&text).unwrap();
        let without = ask(&config, "h.io").await.unwrap_err();
        assert!(without.contains("no helpers may be run"), "{without}");
        match (
            ask(&config.with_helpers(helpers.clone()), "h.io").await,
            wanted,
        ) {
            (Ok(found), None) => assert_eq!(found, Credential::Anonymous),
            (Err(error), Some(wanted)) => {
                assert!(
                    error.contains(wanted) && !error.contains("hidden"),
                    "{error}"
                );
            }
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_uses_them() {
    let auth = Auth::bearer().account("user", "pa55word");
    let registry = Registry::builder().auth(auth).start();
    registry.publish("a/b", "latest", &Image::with_text("x"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let login = serde_json::json!({"username": "user", "password": "pa55word"});
    let text = serde_json::json!({"auths": {registry.host(): login}});
    std::fs::write(&path, text.to_string()).unwrap();
    let source = DockerConfig::read(&path).unwrap();
    let client = Client::new(Config::default(), source).unwrap();
    let name = format!("{}/a/b", registry.host());
    let repository = client.repository(&regimg_core::Repository::parse(&name).unwrap());
    assert!(repository.digest(&tag("latest")).await.unwrap().is_some());
}

#[test]
fn files_that_are_none_are_refused() {
    for text in ["", "7", r#"{"auths": 7}"#] {
        let error = DockerConfig::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    let mut helpers = Helpers::in_path(OsStr::new("/bin"));
    helpers.environment.push(("KEY".into(), "hidden".into()));
    let config = DockerConfig::parse("{}").unwrap().with_helpers(helpers);
    assert!(!format!("{config:?}").contains("hidden"));
    let error = DockerConfig::read(Path::new("/nonexistent/config.json")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/config.json"));
}
