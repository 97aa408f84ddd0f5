//! `out` of images that the real tools wrote, to Debian's registry.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regimg_tests::{Artifact, DockerArchive, DockerRegistry, Image, Index, Layer, OciLayout, Peer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver;
use crate::peers::{call, read_all};

fn image(platform: &str) -> Image {
    Image::builder()
        .platform(platform)
        .layer(Layer::parse(
            "dir etc\nfile etc/motd \"hello\"\nfile large random=300000",
        ))
        .layer(Layer::parse("whiteout etc/motd"))
        .label("title", "peers")
        .build()
}

/// Pushes `image` from a step's directory; returns the digest that was answered.
fn put(registry: &DockerRegistry, step: &Path, image: &str, tag: &str) -> Result<String> {
    let request = json!({
        "source": {"repository": format!("{}/team/app", registry.host()), "tag": tag},
        "params": {"image": image},
    });
    let answer = driver::put(&request, step).answer();
    let digest = answer["version"]["digest"].as_str();
    Ok(digest.context("a version has a digest")?.to_owned())
}

/// Checks that the registry has what was answered, whole, in skopeo's eyes.
fn compare(skopeo: &Peer, registry: &DockerRegistry, tag: &str, digest: &str) -> Result<()> {
    let name = format!("docker://{}/team/app:{tag}", registry.host());
    let raw = call(skopeo, &["inspect", "--raw", "--tls-verify=false", &name])?;
    let arrived = regimg_tests::Digest::sha256(raw.as_bytes());
    ensure!(
        arrived.as_str() == digest,
        "{tag}: {arrived} arrived, not {digest}"
    );
    read_all(skopeo, &name)
}

/// Reads the digest of the one entry of an `index.json`.
fn entry(index: &[u8]) -> Result<String> {
    let index: Value = serde_json::from_slice(index)?;
    let digest = index["manifests"][0]["digest"].as_str();
    Ok(digest.context("index.json has an entry")?.to_owned())
}

/// Reads the entry of a layout's directory or archive.
fn layout_entry(path: &Path) -> Result<String> {
    if path.is_dir() {
        return entry(&fs::read(path.join("index.json"))?);
    }
    let mut archive = tar::Archive::new(fs::File::open(path)?);
    for file in archive.entries()? {
        let mut file = file?;
        if file.path()?.ends_with("index.json") {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes)?;
            return entry(&bytes);
        }
    }
    anyhow::bail!("{} has no index.json", path.display())
}

#[test]
fn what_skopeo_writes_arrives_with_its_digest() -> Result<()> {
    let (Some(registry), Some(skopeo)) = (DockerRegistry::start(), Peer::find("skopeo")) else {
        return Ok(());
    };
    let step = TempDir::new()?;
    let path = |name: &str| step.path().join(name);
    DockerArchive::new()
        .image(&image("linux/amd64"), &["app:latest"])
        .write(path("saved.tar"))?;
    let index = Index::builder()
        .image(&image("linux/amd64"))
        .image(&image("linux/arm64"))
        .build();
    OciLayout::new()
        .entry(&index, Some("all"))
        .write(path("index"))?;
    let saved = format!("docker-archive:{}", path("saved.tar").display());
    let all = format!("oci:{}:all", path("index").display());
    let copies: [(&str, &str, &str, &[&str]); 6] = [
        ("oci", "oci", &saved, &[]),
        ("oci-named", "oci", &saved, &[]),
        ("oci.tar", "oci-archive", &saved, &[]),
        ("zstd", "oci", &saved, &["--dest-compress-format=zstd"]),
        (
            "zstd.tar",
            "oci-archive",
            &saved,
            &["--dest-compress-format=zstd"],
        ),
        ("all", "oci", &all, &["--all"]),
    ];
    for (name, transport, from, options) in copies {
        let reference = if name == "oci-named" {
            ":some:name"
        } else {
            ""
        };
        let to = format!("{transport}:{}{reference}", path(name).display());
        call(&skopeo, &[&["copy"], options, &[from, &to]].concat()).context(name)?;
        let tag = name.replace('.', "-");
        let digest = put(&registry, step.path(), name, &tag)?;
        assert_eq!(digest, layout_entry(&path(name))?, "{name}");
        compare(&skopeo, &registry, &tag, &digest)?;
    }
    assert_eq!(layout_entry(&path("all"))?, index.digest().to_string());
    // A docker archive has no manifest of its own; its configuration is the image's.
    let to = format!("docker-archive:{}:app:1", path("docker.tar").display());
    call(
        &skopeo,
        &["copy", &format!("oci:{}", path("oci").display()), &to],
    )?;
    let digest = put(&registry, step.path(), "docker.tar", "docker")?;
    compare(&skopeo, &registry, "docker", &digest)
}

#[test]
fn what_buildah_writes_arrives_with_its_digest() -> Result<()> {
    let (Some(registry), Some(skopeo), Some(buildah)) = (
        DockerRegistry::start(),
        Peer::find("skopeo"),
        Peer::find("buildah"),
    ) else {
        return Ok(());
    };
    let step = TempDir::new()?;
    let storage = TempDir::new()?;
    let path = |name: &str| step.path().join(name).display().to_string();
    let run = |arguments: &[&str]| -> Result<String> {
        let storage = |name: &str| storage.path().join(name).display().to_string();
        let process = buildah.process().env("HOME", storage("home"));
        let process = process.args(["--storage-driver=vfs", "--root", &storage("root")]);
        let process = process.args(["--runroot", &storage("run")]);
        let finished = process.args(arguments).run()?;
        let stderr = finished.stderr_text();
        ensure!(finished.status.success(), "buildah {arguments:?}: {stderr}");
        Ok(finished.stdout_text().trim().to_owned())
    };
    fs::write(step.path().join("motd"), "hello")?;
    let container = run(&["from", "scratch"])?;
    run(&["copy", &container, &path("motd"), "/motd"])?;
    let copies = [
        ("oci.tar", "oci-archive", "oci"),
        ("oci", "oci", "oci"),
        ("docker.tar", "docker-archive", "docker"),
    ];
    for (name, transport, format) in copies {
        let to = format!("{transport}:{}", path(name));
        run(&[
            "commit",
            "--signature-policy",
            &policy(storage.path())?,
            "--format",
            format,
            &container,
            &to,
        ])?;
        let tag = name.replace('.', "-");
        let digest = put(&registry, step.path(), name, &tag)?;
        if transport != "docker-archive" {
            assert_eq!(digest, layout_entry(&step.path().join(name))?, "{name}");
        }
        compare(&skopeo, &registry, &tag, &digest)?;
    }
    Ok(())
}

/// Writes the policy that accepts images without signatures; the system's is none of ours.
fn policy(directory: &Path) -> Result<String> {
    let path = directory.join("policy.json");
    fs::write(&path, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)?;
    Ok(path.display().to_string())
}

#[test]
fn what_umoci_writes_arrives_with_its_digest() -> Result<()> {
    let (Some(registry), Some(skopeo), Some(umoci)) = (
        DockerRegistry::start(),
        Peer::find("skopeo"),
        Peer::find("umoci"),
    ) else {
        return Ok(());
    };
    let step = TempDir::new()?;
    let layout = step.path().join("layout").display().to_string();
    let name = format!("{layout}:latest");
    let file = step.path().join("motd");
    fs::write(&file, "hello")?;
    let file = file.display().to_string();
    for arguments in [
        &["init", "--layout", &layout][..],
        &["new", "--image", &name],
        &["insert", "--rootless", "--image", &name, &file, "/motd"],
    ] {
        let finished = umoci
            .process()
            .env("HOME", "/nonexistent")
            .args(arguments)
            .run()?;
        let stderr = finished.stderr_text();
        ensure!(finished.status.success(), "umoci {arguments:?}: {stderr}");
    }
    let digest = put(&registry, step.path(), "layout", "umoci")?;
    assert_eq!(digest, layout_entry(&step.path().join("layout"))?);
    compare(&skopeo, &registry, "umoci", &digest)
}
