//! What is shown, in order.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::tree::Listing;
use regimg_tests::{DockerArchive, Image, ImageBuilder, Layer};
use serde_json::{Value, json};

use crate::concourse::call;

/// Pushes an image, finds it, and fetches it in two formats, once over a connection that
/// breaks.
///
/// # Errors
///
/// A command failed, or what it wrote is not the image.
pub(crate) fn tell(programs: &Path) -> anyhow::Result<()> {
    let build = tempfile::tempdir()?;
    let registry = Registry::start();
    let scene = Scene {
        programs,
        build: build.path(),
        registry: &registry,
    };
    let image = image();

    heading("out: push an archive, as docker save writes it");
    let pushed = scene.push(&image)?;
    heading("check: find the version that the tag points at");
    let versions = scene.call("check", None, &json!({ "source": scene.source() }))?;
    ensure!(
        versions == json!([pushed]),
        "check did not find what out pushed"
    );
    heading("in: fetch it as a root filesystem, while the registry cuts a connection");
    scene.fetch_rootfs(&pushed)?;
    heading("in: fetch it as an archive");
    scene.fetch_archive(&pushed)?;
    println!("\nEverything came back as it was pushed.");
    Ok(())
}

/// Who takes part.
struct Scene<'a> {
    programs: &'a Path,
    build: &'a Path,
    registry: &'a Registry,
}

impl Scene<'_> {
    fn source(&self) -> Value {
        json!({ "repository": format!("{}/demo/app", self.registry.host()), "tag": "1.0" })
    }

    /// Calls a command, then shows what it asked of the registry.
    fn call(&self, name: &str, directory: Option<&Path>, request: &Value) -> anyhow::Result<Value> {
        self.registry.clear_requests();
        let answer = call(self.programs, name, directory, request)?;
        println!("\nThe registry saw:");
        for record in self.registry.requests() {
            let range = record
                .header("range")
                .map(|range| format!(" ({range})"))
                .unwrap_or_default();
            println!("  {}{range}", record.line());
        }
        Ok(answer)
    }

    fn push(&self, image: &Image) -> anyhow::Result<Value> {
        let source = self.build.join("source");
        fs::create_dir(&source)?;
        DockerArchive::new()
            .image(image, &["demo/app:1.0"])
            .write(source.join("image.tar"))?;
        let request = json!({ "source": self.source(), "params": { "image": "image.tar" } });
        let answer = self.call("out", Some(&source), &request)?;
        let digest = self
            .registry
            .tag_digest("demo/app", "1.0")
            .context("out pushed no tag")?;
        ensure!(
            answer["version"] == json!({ "tag": "1.0", "digest": digest.to_string() }),
            "out reported another version"
        );
        Ok(answer["version"].clone())
    }

    fn fetch_rootfs(&self, version: &Value) -> anyhow::Result<()> {
        let destination = self.build.join("rootfs");
        fs::create_dir(&destination)?;
        let (layer, size) = self.largest_layer()?;
        self.registry.fault(
            Match::get(&format!("/v2/demo/app/blobs/{layer}")).once(),
            Fault::cut_at(size / 2),
        );
        let request = json!({ "source": self.source(), "version": version });
        self.call("in", Some(&destination), &request)?;
        show(&destination)?;
        let rootfs = destination.join("rootfs");
        ensure!(
            fs::read_to_string(rootfs.join("etc/motd"))? == "Hello from the top layer.\n",
            "the top layer is missing"
        );
        ensure!(!rootfs.join("tmp/cache").exists(), "a removed file is back");
        ensure!(
            fs::metadata(rootfs.join("opt/app/model"))?.len() == 8 << 20,
            "the large file is cut"
        );
        Ok(())
    }

    /// Returns digest and size of the largest layer that was pushed.
    fn largest_layer(&self) -> anyhow::Result<(String, u64)> {
        let (_, manifest) = self
            .registry
            .manifest("demo/app", "1.0")
            .context("the registry has no manifest")?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let layers = manifest["layers"]
            .as_array()
            .context("the manifest lists layers")?;
        let layers = layers
            .iter()
            .filter_map(|layer| Some((layer["digest"].as_str()?, layer["size"].as_u64()?)));
        let (digest, size) = layers
            .max_by_key(|&(_, size)| size)
            .context("the image has layers")?;
        Ok((digest.to_owned(), size))
    }

    fn fetch_archive(&self, version: &Value) -> anyhow::Result<()> {
        let destination = self.build.join("oci");
        fs::create_dir(&destination)?;
        let request =
            json!({ "source": self.source(), "params": { "format": "oci" }, "version": version });
        self.call("in", Some(&destination), &request)?;
        show(&destination)
    }
}

/// Makes an image of three layers: a system, an application, and what changed since.
fn image() -> Image {
    let system = Layer::parse(
        r#"
        dir     bin         0755
        file    bin/sh      0755 random=1000000
        symlink bin/ash     -> sh
        dir     etc         0755
        file    etc/motd    0644 "Hello from the bottom layer.\n"
        file    etc/passwd  0644 "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/opt/app:/bin/sh\n"
        dir     tmp         01777
        file    tmp/cache   0600 random=5000
        "#,
    );
    let application = Layer::parse(
        r"
        dir      opt            0755
        dir      opt/app        0750 1000:1000
        file     opt/app/model  0640 1000:1000 random=8388608
        file     opt/app/server 0755 random=2000000
        hardlink opt/app/client -> opt/app/server
        ",
    );
    let changes = Layer::parse(
        r#"
        file     etc/motd  0644 "Hello from the top layer.\n"
        whiteout tmp/cache
        "#,
    );
    [system, application, changes]
        .into_iter()
        .fold(Image::builder(), ImageBuilder::layer)
        .env("PATH=/bin")
        .entrypoint(["/opt/app/server"])
        .user("app")
        .label("org.opencontainers.image.title", "demo")
        .build()
}

fn heading(text: &str) {
    println!("\n\x1b[1m== {text}\x1b[0m\n");
}

/// Shows the files that a command wrote, and what stands in the short ones.
fn show(directory: &Path) -> anyhow::Result<()> {
    println!("\nIt wrote:");
    for line in Listing::new().without_times().lines(directory)? {
        println!("  {line}");
    }
    for name in [
        "tag",
        "digest",
        "repository",
        "metadata.json",
        "labels.json",
    ] {
        if let Ok(content) = fs::read_to_string(directory.join(name)) {
            println!("  {name}: {}", content.trim_end());
        }
    }
    Ok(())
}
