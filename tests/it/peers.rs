//! Against the programs of others: Debian's `docker-registry` serves what the resource
//! pushes and fetches, and `skopeo` reads the one and writes the other.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regimg_tests::{DockerArchive, DockerRegistry, Image, Layer, Peer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver;

/// An image with what layers have: links, a whiteout, a file that changes.
fn image() -> Image {
    let lower = Layer::parse(
        r#"
        dir     etc        0755
        file    etc/motd   0644 "lower\n"
        file    etc/gone   0600 random=70000
        symlink etc/link   -> motd
        dir     bin        0755
        file    bin/server 0755 random=300000
        "#,
    );
    let upper = Layer::parse(
        r#"
        file     etc/motd 0644 "upper\n"
        whiteout etc/gone
        "#,
    );
    Image::builder()
        .layer(lower)
        .layer(upper)
        .env("PATH=/bin")
        .entrypoint(["/bin/server"])
        .label("title", "peers")
        .build()
}

/// Returns the `source` for an image in a registry.
fn source(registry: &DockerRegistry, tag: &str) -> Value {
    json!({ "repository": format!("{}/team/app", registry.host()), "tag": tag })
}

/// Returns skopeo's name for the same.
fn skopeo_name(registry: &DockerRegistry, tag: &str) -> String {
    format!("docker://{}/team/app:{tag}", registry.host())
}

/// Calls skopeo and returns what it printed.
pub(crate) fn call(skopeo: &Peer, arguments: &[&str]) -> Result<String> {
    // The system's policy on signatures and the user's passwords are none of ours.
    let skopeo = skopeo
        .process()
        .env("HOME", "/nonexistent")
        .arg("--insecure-policy");
    let finished = skopeo.args(arguments).run()?;
    ensure!(
        finished.status.success(),
        "skopeo {arguments:?}: {}",
        finished.stderr_text()
    );
    Ok(finished.stdout_text())
}

pub(crate) fn inspect(skopeo: &Peer, name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&call(
        skopeo,
        &["inspect", "--tls-verify=false", name],
    )?)?)
}

/// Makes skopeo read every layer, which it compares with its digest.
pub(crate) fn read_all(skopeo: &Peer, name: &str) -> Result<()> {
    let copy = TempDir::new()?;
    call(
        skopeo,
        &[
            "copy",
            "--src-tls-verify=false",
            name,
            &format!("dir:{}", copy.path().display()),
        ],
    )?;
    Ok(())
}

/// Pushes the image with `out` and returns its version.
fn put(source: &Value) -> Result<Value> {
    let directory = TempDir::new()?;
    DockerArchive::new()
        .image(&image(), &[])
        .write(directory.path().join("image.tar"))?;
    let request = json!({ "source": source, "params": { "image": "image.tar" } });
    Ok(driver::put(&request, directory.path()).answer()["version"].clone())
}

/// Checks that `in` fetches the files of [`image`].
fn get_and_compare(source: &Value, version: &Value) -> Result<()> {
    let directory = TempDir::new()?;
    driver::get(
        &json!({ "source": source, "version": version }),
        directory.path(),
    )
    .answer();
    let rootfs = directory.path().join("rootfs");
    assert_eq!(fs::read_to_string(rootfs.join("etc/motd"))?, "upper\n");
    assert_eq!(fs::read_link(rootfs.join("etc/link"))?, Path::new("motd"));
    assert_eq!(fs::metadata(rootfs.join("bin/server"))?.len(), 300_000);
    assert!(!rootfs.join("etc/gone").exists());
    Ok(())
}

/// Pushes, finds and fetches; returns the version.
fn walk_the_whole_road(source: &Value) -> Result<Value> {
    let version = put(source)?;
    assert_eq!(
        driver::check(&json!({ "source": source })).answer(),
        json!([version])
    );
    get_and_compare(source, &version)?;
    assert_eq!(
        put(source)?,
        version,
        "a second push of the same image is the same version"
    );
    Ok(version)
}

#[test]
fn skopeo_reads_what_out_pushed_to_docker_registry() -> Result<()> {
    let (Some(registry), Some(skopeo)) = (DockerRegistry::start(), Peer::find("skopeo")) else {
        return Ok(());
    };
    let version = walk_the_whole_road(&source(&registry, "1.0"))?;
    let name = skopeo_name(&registry, "1.0");
    let inspected = inspect(&skopeo, &name)?;
    assert_eq!(inspected["Digest"], version["digest"]);
    assert_eq!(inspected["RepoTags"], json!(["1.0"]));
    assert_eq!(inspected["Architecture"], "amd64");
    assert_eq!(inspected["Labels"], json!({ "title": "peers" }));
    assert_eq!(inspected["Layers"].as_array().map(Vec::len), Some(2));
    read_all(&skopeo, &name)
}

#[test]
fn in_fetches_what_skopeo_pushed_to_docker_registry() -> Result<()> {
    let (Some(registry), Some(skopeo)) = (DockerRegistry::start(), Peer::find("skopeo")) else {
        return Ok(());
    };
    let directory = TempDir::new()?;
    let archive = directory.path().join("image.tar");
    DockerArchive::new()
        .image(&image(), &["app:latest"])
        .write(&archive)?;
    let archive = format!("docker-archive:{}", archive.display());
    let kinds = [
        ("docker", &["--format=v2s2"][..]),
        ("oci", &["--format=oci"]),
        ("zstd", &["--format=oci", "--dest-compress-format=zstd"]),
    ];
    for (tag, options) in kinds {
        let name = skopeo_name(&registry, tag);
        call(
            &skopeo,
            &[
                &["copy", "--dest-tls-verify=false"],
                options,
                &[&archive, &name],
            ]
            .concat(),
        )?;
        let source = source(&registry, tag);
        let versions = driver::check(&json!({ "source": source })).answer();
        assert_eq!(
            versions,
            json!([{ "tag": tag, "digest": inspect(&skopeo, &name)?["Digest"] }])
        );
        get_and_compare(&source, &versions[0]).context(tag)?;
    }
    Ok(())
}

#[test]
fn skopeo_reads_the_archive_that_in_writes() -> Result<()> {
    let (Some(registry), Some(skopeo)) = (DockerRegistry::start(), Peer::find("skopeo")) else {
        return Ok(());
    };
    let source = source(&registry, "1.0");
    let version = put(&source)?;
    let directory = TempDir::new()?;
    let request = json!({ "source": source, "params": { "format": "oci" }, "version": version });
    driver::get(&request, directory.path()).answer();
    let name = format!(
        "docker-archive:{}",
        directory.path().join("image.tar").display()
    );
    let config: Value = serde_json::from_str(&call(&skopeo, &["inspect", "--config", &name])?)?;
    assert_eq!(config["config"]["Entrypoint"], json!(["/bin/server"]));
    read_all(&skopeo, &name)
}

#[test]
fn docker_registry_lets_in_who_knows_the_password() -> Result<()> {
    // What `htpasswd -nbB user 'p:ss wörd'` printed.
    let user = "user:$2y$05$VI1B1d4o6PWCyTc7wTT4pOUAzml1p0uq.n3yHkBfSTjZisU9rFV5G";
    let Some(registry) = DockerRegistry::start_with_htpasswd(user) else {
        return Ok(());
    };
    let mut source = source(&registry, "1.0");
    let refused = driver::check(&json!({ "source": source })).failure();
    assert!(refused.contains("401"), "{refused}");
    source["username"] = json!("user");
    source["password"] = json!("p:ss wörd");
    walk_the_whole_road(&source)?;
    source["password"] = json!("mistaken");
    let refused = driver::check(&json!({ "source": source }));
    assert!(refused.failure().contains("401"), "{refused:?}");
    assert!(!refused.stderr.contains("mistaken"), "{refused:?}");
    Ok(())
}
