//! Measures `out` against the programs that do the same by other ways.
//!
//! `cargo xtask bench out` calls this with the directory that holds the programs and the one
//! that `cargo xtask images` filled. All push to Debian's docker-registry on loopback, in one
//! sitting and in turn, so the ratios hold on any machine.

mod curl;
mod images;
mod layout;
mod measure;
mod target;
mod upload;
mod ways;

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use regimg_tests::{Digest, DockerRegistry, Peer};
use serde_json::json;
use tempfile::TempDir;

use curl::Curl;
use layout::Layout;
use measure::{Figures, call, measure};
use target::{Target, judge};
use ways::{RUNS, Way, compare};

/// How much longer than hashing or compressing, and then uploading, a push may take, and the
/// memory for it.
const TARGET: Target = Target {
    times: 1.2,
    memory: 64 << 10,
};

/// Where everything goes.
const REPOSITORY: &str = "push";

/// What this program is called with by itself: to compress files as `out` does.
const COMPRESS: &str = "--compress";

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from).peekable();
    if arguments
        .next_if(|first| first == Path::new(COMPRESS))
        .is_some()
    {
        return layout::compress(&arguments.collect::<Vec<_>>());
    }
    let usage = "usage: bench-out DIRECTORY IMAGES [NAME...]: the one that holds out, the layouts'";
    let (Some(programs), Some(directory)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!(usage);
    };
    let names: Vec<_> = arguments.collect();
    let bench = Bench {
        out: programs.join("out"),
        curl: Curl::find()?,
        skopeo: Peer::find("skopeo").context("skopeo is needed")?,
        layers: Cell::new(0),
    };
    for path in images::find(&directory, &names)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        bench.layouts(&name, &Layout::read(&path)?)?;
        bench.archive(&name, &Layout::read(&path)?)?;
    }
    Ok(())
}

/// Starts a registry that has nothing, and that nobody knows: skopeo remembers where one has
/// a blob, and has it mounted.
fn start() -> Result<DockerRegistry> {
    DockerRegistry::start().context("docker-registry is needed")
}

struct Bench {
    out: PathBuf,
    curl: Curl,
    skopeo: Peer,
    /// How many layers were made.
    layers: Cell<u32>,
}

impl Bench {
    /// Measures layouts: one that the registry does not have, one that it has, and one of
    /// which a layer is new.
    fn layouts(&self, name: &str, image: &Layout) -> Result<()> {
        let first = compare(
            &format!("{name}, first push"),
            RUNS,
            &[
                Way::new("out", || self.push(image.path(), &start()?)),
                Way::new("skopeo copy", || self.copy(&image.reference(), &start()?)),
                Way::new("sha256sum, curl", || self.upload(image, &start()?)),
            ],
        )?;
        judge(&first[0], "the least", first[2].wall, TARGET);

        let [ours, theirs] = [start()?, start()?];
        self.push(image.path(), &ours)?;
        self.copy(&image.reference(), &theirs)?;
        compare(
            &format!("{name}, second push"),
            RUNS,
            &[
                Way::new("out", || self.push_expecting(image.path(), &ours, 0)),
                Way::new("skopeo copy", || self.copy(&image.reference(), &theirs)),
            ],
        )?;

        let changed = compare(
            &format!("{name}, one layer new"),
            RUNS,
            &[
                Way::new("out", || {
                    let (image, registry) = self.changed(image)?;
                    self.push_expecting(image.path(), &registry, 2)
                }),
                Way::new("skopeo copy", || {
                    let (image, registry) = self.changed(image)?;
                    self.copy(&image.reference(), &registry)
                }),
                Way::new("sha256sum, curl", || {
                    let (image, registry) = self.changed(image)?;
                    self.upload_blobs(&image, &image.new_blobs()?, &registry)
                }),
            ],
        )?;
        judge(&changed[0], "the least", changed[2].wall, TARGET);
        Ok(())
    }

    /// Makes an image of which a registry has all but one layer and the configuration.
    fn changed(&self, image: &Layout) -> Result<(Layout, DockerRegistry)> {
        let registry = start()?;
        self.push(image.path(), &registry)?;
        self.layers.set(self.layers.get() + 1);
        Ok((image.with_another_layer(self.layers.get())?, registry))
    }

    /// Measures an archive whose layers are plain and become compressed on their way.
    fn archive(&self, name: &str, image: &Layout) -> Result<()> {
        let place = TempDir::new()?;
        let archive = place.path().join("image.tar");
        let reference = format!("docker-archive:{}", archive.display());
        measure(self.skopeo().args([&image.reference(), &reference]))?;
        let plain = image.plain_layers(place.path())?;
        let figures = compare(
            &format!("{name}, plain archive"),
            RUNS,
            &[
                Way::new("out", || self.push(&archive, &start()?)),
                Way::new("skopeo copy", || self.copy(&reference, &start()?)),
                Way::new("compress, sha256sum, curl", || {
                    self.compress_and_upload(&plain, &start()?)
                }),
            ],
        )?;
        judge(&figures[0], "the least", figures[2].wall, TARGET);
        Ok(())
    }

    fn push(&self, image: &Path, registry: &DockerRegistry) -> Result<Figures> {
        let (figures, _) = self.push_and_read(image, registry)?;
        Ok(figures)
    }

    /// Pushes, and insists on how many blobs were sent.
    fn push_expecting(
        &self,
        image: &Path,
        registry: &DockerRegistry,
        blobs: usize,
    ) -> Result<Figures> {
        let (figures, log) = self.push_and_read(image, registry)?;
        let told = format!("blobs: {blobs} pushed (");
        ensure!(log.contains(&told), "expected {told:?} in\n{log}");
        Ok(figures)
    }

    fn push_and_read(&self, image: &Path, registry: &DockerRegistry) -> Result<(Figures, String)> {
        let directory = image.parent().context("an image is in a directory")?;
        let place = TempDir::new()?;
        let (input, log) = (place.path().join("request"), place.path().join("log"));
        let request = json!({
            "source": {"repository": format!("{}/{REPOSITORY}", registry.host())},
            "params": {"image": image.file_name().and_then(|name| name.to_str()), "tags": ["latest"]},
        });
        fs::write(&input, request.to_string())?;
        let mut out = call(&self.out);
        out.arg(directory).stdin(File::open(input)?);
        let figures = measure::measure_with_log(&mut out, &log)?;
        Ok((figures, fs::read_to_string(log)?))
    }

    fn skopeo(&self) -> Command {
        let mut copy = call(self.skopeo.path());
        copy.args(["--insecure-policy", "copy", "--quiet"]);
        copy
    }

    fn copy(&self, image: &str, registry: &DockerRegistry) -> Result<Figures> {
        let mut copy = self.skopeo();
        copy.args(["--dest-tls-verify=false", image]);
        measure(copy.arg(format!("docker://{}/{REPOSITORY}:latest", registry.host())))
    }

    /// The least that must be done: each blob hashed and sent, and then the manifest.
    fn upload(&self, image: &Layout, registry: &DockerRegistry) -> Result<Figures> {
        self.upload_blobs(image, &image.blobs()?, registry)
    }

    fn upload_blobs(
        &self,
        image: &Layout,
        blobs: &[(String, PathBuf)],
        registry: &DockerRegistry,
    ) -> Result<Figures> {
        let host = registry.host();
        let hashed = hash(blobs.iter().map(|(_, path)| path))?;
        let sent = self.curl.upload(&host, REPOSITORY, blobs)?;
        let address = format!("http://{host}/v2/{REPOSITORY}/manifests/latest");
        let (media_type, manifest) = image.manifest();
        let tagged = self.curl.tag(&address, media_type, manifest)?;
        Ok(hashed.then(sent).then(tagged))
    }

    /// Compresses with the library that `out` compresses with, on as many threads as there
    /// are processors.
    fn compress_and_upload(&self, plain: &[PathBuf], registry: &DockerRegistry) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut compress = call(&std::env::current_exe()?);
        let compressed = measure(compress.arg(COMPRESS).arg(place.path()).args(plain))?;
        let packed = plain.iter().filter_map(|path| path.file_name());
        let packed: Vec<_> = packed.map(|name| place.path().join(name)).collect();
        let hashed = hash(packed.iter())?;
        let digest = |path: &PathBuf| Ok(Digest::sha256_of(File::open(path)?)?.hex().to_owned());
        let digests = packed.iter().map(digest).collect::<Result<Vec<_>>>()?;
        let blobs: Vec<_> = digests.into_iter().zip(packed).collect();
        let sent = self.curl.upload(&registry.host(), REPOSITORY, &blobs)?;
        Ok(compressed.then(hashed).then(sent))
    }
}

fn hash<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<Figures> {
    measure(call(Path::new("/usr/bin/sha256sum")).args(files))
}
