//! Who asks, in every way that a source can say it, through `check`, `in` and `out`.

mod azure;
mod docker_config;
mod tls;

use std::collections::BTreeSet;
use std::path::Path;

use regimg_resource::Command;
use regimg_tests::registry::Registry;
use regimg_tests::{Artifact, DockerArchive, Image, Layer};
use serde_json::{Value, json};

use crate::driver::{Outcome, call_in};

const COMMANDS: [Command; 3] = [Command::Check, Command::Get, Command::Put];

/// An image that registries have, and that steps push.
fn image() -> Image {
    Image::builder()
        .layer(Layer::parse("file motd \"hello\""))
        .build()
}

/// Calls a command about the tag `1.0` of `source` with debug output: `out` pushes what `in`
/// would fetch.
fn run(command: Command, source: &Value, environment: &[(&str, &str)]) -> Outcome {
    let mut source = source.clone();
    source["debug"] = json!(true);
    let directory = tempfile::tempdir().unwrap();
    let request = match command {
        Command::Check => {
            source["tag"] = json!("1.0");
            json!({ "source": source })
        }
        Command::Get => json!({
            "source": source,
            "version": {"tag": "1.0", "digest": image().digest().to_string()},
        }),
        Command::Put => {
            write(&directory.path().join("image.tar"));
            json!({"source": source, "params": {"image": "image.tar", "version": "2.0"}})
        }
    };
    let directory = Some(directory.path()).filter(|_| command != Command::Check);
    call_in(environment, command, &request.to_string(), directory)
}

fn write(path: &Path) {
    let archive = DockerArchive::new().image(&image(), &["app:1.0"]);
    archive.write(path).unwrap();
}

/// Runs all three commands; each must succeed, and none may tell a secret.
#[track_caller]
fn all_succeed(source: &Value, environment: &[(&str, &str)], secrets: &[&str]) -> Vec<Outcome> {
    let outcomes = COMMANDS.map(|command| {
        let outcome = run(command, source, environment);
        outcome.answer();
        tells_nothing(&outcome, secrets);
        outcome
    });
    outcomes.into()
}

#[track_caller]
fn tells_nothing(outcome: &Outcome, secrets: &[&str]) {
    for secret in secrets {
        let told = [&outcome.stdout, &outcome.stderr];
        assert!(
            !told.iter().any(|text| text.contains(secret)),
            "{outcome:#?}"
        );
    }
}

/// The credentials that a registry was shown.
fn shown(registry: &Registry) -> BTreeSet<String> {
    let requests = registry.requests();
    let shown = requests.iter().filter_map(|record| record.authorization());
    shown.map(str::to_owned).collect()
}
