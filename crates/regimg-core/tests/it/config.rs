//! Configurations of images.

use proptest::prelude::*;
use regimg_core::{Algorithm, Digest, ImageConfig};

#[test]
fn a_whole_configuration_is_read() {
    let diff_id = Digest::of(Algorithm::Sha256, b"layer");
    let json = format!(
        r#"{{
            "created": "2024-03-28T01:42:37.5Z", "author": "me", "architecture": "arm", "os": "linux",
            "variant": "v7", "os.version": "1", "os.features": ["f"], "docker_version": "20.10",
            "config": {{
                "Env": ["A=b", "C="], "Cmd": ["sh", "-c"], "Entrypoint": [], "User": "me:1",
                "WorkingDir": "/w", "Labels": {{"k": "v", "n": null}}, "Volumes": {{"/v": {{}}}}
            }},
            "container_config": {{"Env": ["NOT=THIS"]}},
            "history": [{{"empty_layer": true}}],
            "rootfs": {{"type": "layers", "diff_ids": ["{diff_id}"]}}
        }}"#
    );
    let image = ImageConfig::parse(json.as_bytes()).unwrap();
    assert_eq!(image.created.as_deref(), Some("2024-03-28T01:42:37.5Z"));
    assert_eq!(image.platform().to_string(), "linux(1+f)/arm/v7");
    assert_eq!(image.rootfs.diff_ids, [diff_id]);
    let run = image.config;
    assert_eq!(run.env.unwrap(), ["A=b", "C="]);
    assert_eq!(run.cmd.unwrap(), ["sh", "-c"]);
    assert_eq!(run.entrypoint.unwrap(), [""; 0]);
    assert_eq!(
        (run.user.as_str(), run.working_dir.as_str()),
        ("me:1", "/w")
    );
    let labels: Vec<_> = run.labels.unwrap().into_iter().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(labels, [pair("k", "v"), pair("n", "")]);
}

#[test]
fn a_configuration_may_say_nothing() {
    let nothing = ImageConfig::default();
    for json in [
        "{}",
        r#"{"config": null, "rootfs": null, "created": null, "os": null}"#,
        r#"{"config": {"Labels": null, "User": null, "Env": null, "Cmd": null}}"#,
        r#"{"rootfs": {"diff_ids": null}, "variant": "", "history": null}"#,
        r#" {"rootfs": {}, "config": {}} "#,
    ] {
        assert_eq!(ImageConfig::parse(json.as_bytes()).as_ref(), Ok(&nothing));
    }
    assert_eq!(nothing.config.labels, None);
    let json = br#"{"config": {"Env": [null, "A=b"]}}"#;
    let config = ImageConfig::parse(json).unwrap().config;
    assert_eq!(config.env.unwrap(), ["", "A=b"]);
}

#[track_caller]
fn refuse(json: &str, problem: &str) {
    let error = ImageConfig::parse(json.as_bytes()).unwrap_err().to_string();
    let want = format!("invalid image configuration: {problem}");
    assert!(error.starts_with(&want), "{error}");
}

#[test]
fn errors_name_the_field() {
    refuse("", "EOF while parsing");
    refuse("<html>", "expected value");
    refuse(r#"{"config": {"Env": "A=1"}}"#, "config.Env: invalid type");
    refuse(
        r#"{"config": {"Env": ["A", 1]}}"#,
        "config.Env[1]: invalid type",
    );
    refuse(
        r#"{"config": {"Labels": {"a": 1}}}"#,
        "config.Labels.a: invalid type",
    );
    refuse(r#"{"created": 1}"#, "created: invalid type");
    refuse(
        r#"{"rootfs": {"diff_ids": ["sha256:1"]}}"#,
        r#"rootfs.diff_ids[0]: invalid digest "sha256:1""#,
    );
    let key = format!("\\n{}", "k".repeat(1000));
    let shown = format!("config.Labels.\u{fffd}{}…", "k".repeat(285));
    refuse(
        &format!(r#"{{"config": {{"Labels": {{"{key}": 1}}}}}}"#),
        &shown,
    );
    refuse("[]", "invalid type: sequence, expected a JSON object");
    refuse("null", "invalid type: null, expected a JSON object");
    refuse("{} {}", "trailing characters");
    refuse(&"[".repeat(100_000), "invalid type");
    refuse(&r#"{"a":"#.repeat(100_000), "a: EOF while parsing");
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(
        json in r#"[\[\]{}:,"a-z0-9]{0,60}|\{"(config|rootfs|os|created)":.{0,20}\}"#,
        bytes: Vec<u8>,
    ) {
        ImageConfig::parse(json.as_bytes()).ok();
        ImageConfig::parse(&bytes).ok();
    }
}
