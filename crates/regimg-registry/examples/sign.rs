//! Signs tags at a notary server, with a key as `notary` and `docker trust` keep it.
//!
//! `cargo run --example sign --features notary -- https://notary.example.com registry.example.com/team/app
//! ID.key 1.0=sha256:0123…:528 < passphrase`
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::error::Error;
use std::fs;
use std::io;

use regimg_core::{Digest, Secret};
use regimg_registry::{Config, Credential, Notary, NotaryConfig, SigningKey, Target};

const USAGE: &str = "usage: sign [--ca FILE] SERVER GUN KEY-FILE TAG=DIGEST:LENGTH... < PASSPHRASE";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut config = Config::default();
    if let ["--ca", file, rest @ ..] = &arguments[..] {
        config.ca_certs.push(fs::read_to_string(file)?);
        arguments = rest.to_vec();
    }
    let [server, gun, file, targets @ ..] = &arguments[..] else {
        eprintln!("{USAGE}");
        return Err("wrong arguments".into());
    };
    let targets: Option<Vec<Target>> = targets.iter().map(|text| target(text)).collect();
    let targets = targets.ok_or(USAGE)?;
    let passphrase = io::read_to_string(io::stdin())?;
    let passphrase = Secret::new(passphrase.trim_end_matches('\n'));
    let key = SigningKey::from_pem(&fs::read_to_string(file)?.into(), &passphrase)?;
    let notary = Notary::new(
        config,
        NotaryConfig::new(*server, *gun),
        Credential::Anonymous,
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let published = runtime.block_on(async {
        let names: Vec<&str> = targets.iter().map(|target| &*target.name).collect();
        let signer = notary.open(&key, &names).await?;
        signer.publish(&targets).await
    })?;
    let done = if published.changed {
        "signed"
    } else {
        "already signed"
    };
    println!("{done} as {} by {}", published.roles.join(", "), key.id());
    Ok(())
}

/// Reads `1.0=sha256:0123…:528`.
fn target(text: &str) -> Option<Target> {
    let (name, rest) = text.split_once('=')?;
    let (digest, length) = rest.rsplit_once(':')?;
    Some(Target {
        name: name.to_owned(),
        digest: Digest::parse(digest).ok()?,
        length: length.parse().ok()?,
    })
}
