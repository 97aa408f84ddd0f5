//! Measures `in` against the programs that do the same by other ways.
//!
//! `cargo xtask bench in` calls this with the directory that holds the programs and the one
//! that `cargo xtask images` filled. All run in one sitting, from Debian's docker-registry on
//! loopback and over a line of 100 Mbit/s and 20 ms, so the ratios hold on any machine.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

mod images;
mod measure;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use regimg_tests::{DockerRegistry, Link, Peer};
use serde_json::{Value, json};
use tempfile::TempDir;

use measure::{Figures, call, measure};

/// 100 Mbit/s, and 20 ms there and back.
const SLOW: (u64, Duration) = (12_500_000, Duration::from_millis(10));

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-in DIRECTORY IMAGES LINE [NAME...]: the one that holds in, the layouts', full, slow or both";
    let mut next = || arguments.next().context(usage);
    let (programs, directory, line) = (next()?, next()?, next()?);
    let registry = DockerRegistry::start().context("docker-registry is needed")?;
    let link = Link::to(registry.addr(), SLOW.0, SLOW.1);
    println!(
        "{:18} {:5} {:24} {:>8} {:>8} {:>8} {:>7}",
        "image", "line", "way", "wall s", "CPU s", "MiB", "ratio"
    );
    let names: Vec<_> = arguments.collect();
    for image in images::find(&directory, &names)? {
        let image = Image::push(&registry, &image)?;
        let lines = [("full", registry.addr()), ("slow", link.addr())];
        let is_wanted = |name: &str| line == Path::new("both") || line == Path::new(name);
        for (line, address) in lines.into_iter().filter(|(name, _)| is_wanted(name)) {
            let bench = Bench {
                programs: &programs,
                image: &image,
                line,
                address,
            };
            bench.compare()?;
        }
    }
    Ok(())
}

/// An image in the registry.
struct Image {
    name: String,
    /// The digests of configuration and layers.
    blobs: Vec<String>,
}

impl Image {
    fn push(registry: &DockerRegistry, layout: &Path) -> Result<Self> {
        let name = layout.file_name().context("a directory has a name")?;
        let name = name.to_str().context("images have plain names")?.to_owned();
        let skopeo = Peer::find("skopeo").context("skopeo is needed")?;
        let source = format!("oci:{}:latest", layout.display());
        let target = format!("docker://{}/{name}:latest", registry.host());
        let mut copy = call(skopeo.path());
        copy.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
        ]);
        measure(copy.args([&source, &target]))?;
        // It may have compressed the layers, so the registry's manifest is another one.
        let mut inspect = call(skopeo.path());
        inspect.args(["inspect", "--raw", "--tls-verify=false", &target]);
        let inspected = inspect.stdout(Stdio::piped()).output()?;
        ensure!(inspected.status.success(), "skopeo inspect {target}");
        let manifest: Value = serde_json::from_slice(&inspected.stdout)?;
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let blobs = [&manifest["config"]].into_iter().chain(layers);
        let digest = |blob: &Value| blob["digest"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            name,
            blobs: blobs.map(digest).collect(),
        })
    }
}

struct Bench<'a> {
    programs: &'a Path,
    image: &'a Image,
    line: &'static str,
    address: SocketAddr,
}

impl Bench<'_> {
    /// Measures each format, and after it the other ways to the same.
    fn compare(&self) -> Result<()> {
        let rootfs = self.tell("in rootfs", None, |place| self.get("rootfs", place))?;
        self.tell("skopeo copy, umoci", rootfs, |place| self.umoci(place))?;
        self.tell("podman pull", rootfs, |place| self.podman(place))?;
        let oci = self.tell("in oci", None, |place| self.get("oci", place))?;
        self.tell("skopeo docker-archive", oci, |place| {
            self.skopeo(&format!("docker-archive:{}", place.join("a.tar").display()))
        })?;
        let layout = self.tell("in oci-layout", None, |place| self.get("oci-layout", place))?;
        self.tell("skopeo oci", layout, |place| {
            self.skopeo(&format!("oci:{}", place.join("oci").display()))
        })?;
        self.tell("curl, sha256sum", layout, |place| self.curl(place))?;
        Ok(())
    }

    /// Measures one way in a new directory; leaves out one whose program is not there. The
    /// ratio is how much longer it takes than ours.
    fn tell(
        &self,
        way: &str,
        ours: Option<Figures>,
        run: impl FnOnce(&Path) -> Result<Option<Figures>>,
    ) -> Result<Option<Figures>> {
        let place = TempDir::new()?;
        let figures = run(place.path()).with_context(|| format!("{way}, {}", self.image.name))?;
        if let Some(figures) = figures {
            let ratio = ours.map_or_else(String::new, |ours| {
                format!(
                    "{:.2}x",
                    figures.wall.as_secs_f64() / ours.wall.as_secs_f64()
                )
            });
            println!(
                "{:18} {:5} {way:24} {:>8.2} {:>8.2} {:>8} {ratio:>7}",
                self.image.name,
                self.line,
                figures.wall.as_secs_f64(),
                figures.cpu.as_secs_f64(),
                figures.peak / 1024,
            );
        }
        Ok(figures)
    }

    fn get(&self, format: &str, place: &Path) -> Result<Option<Figures>> {
        let request = json!({
            "source": {"repository": format!("{}/{}", self.address, self.image.name)},
            "params": {"format": format},
            "version": {"tag": "latest"},
        });
        let input = place.join("request.json");
        fs::write(&input, request.to_string())?;
        let mut get = call(&self.programs.join("in"));
        get.arg(place.join("result")).stdin(fs::File::open(input)?);
        measure(&mut get).map(Some)
    }

    fn source(&self) -> String {
        format!("docker://{}/{}:latest", self.address, self.image.name)
    }

    fn skopeo(&self, target: &str) -> Result<Option<Figures>> {
        let Some(skopeo) = Peer::find("skopeo") else {
            return Ok(None);
        };
        let mut copy = call(skopeo.path());
        copy.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--src-tls-verify=false",
        ]);
        measure(copy.args([&self.source(), target])).map(Some)
    }

    fn umoci(&self, place: &Path) -> Result<Option<Figures>> {
        let Some(umoci) = Peer::find("umoci") else {
            return Ok(None);
        };
        let image = format!("{}:latest", place.join("layout").display());
        let Some(copy) = self.skopeo(&format!("oci:{image}"))? else {
            return Ok(None);
        };
        let mut unpack = call(umoci.path());
        unpack
            .args(["unpack", "--image", &image])
            .arg(place.join("bundle"));
        Ok(Some(copy.then(measure(&mut unpack)?)))
    }

    fn podman(&self, place: &Path) -> Result<Option<Figures>> {
        let Some(podman) = Peer::find("podman") else {
            return Ok(None);
        };
        let mut pull = call(podman.path());
        pull.arg("--root").arg(place.join("root"));
        pull.arg("--runroot").arg(place.join("run"));
        pull.args([
            "--storage-driver=overlay",
            "pull",
            "--quiet",
            "--tls-verify=false",
        ]);
        let figures = measure(pull.arg(self.source()))?;
        // What the overlay driver mounts for itself is in the way of removing its directory.
        let mut unmount = call(Path::new("/bin/umount"));
        let _ = unmount
            .arg(place.join("root/overlay"))
            .stderr(Stdio::null())
            .status();
        Ok(Some(figures))
    }

    /// The least that must be done: four blobs at one time, and each hashed.
    fn curl(&self, place: &Path) -> Result<Option<Figures>> {
        let Some(curl) = Peer::find("curl") else {
            return Ok(None);
        };
        let mut fetch = call(curl.path());
        fetch.args(["--silent", "--fail", "--parallel", "--parallel-max", "4"]);
        for blob in &self.image.blobs {
            let url = format!(
                "http://{}/v2/{}/blobs/{blob}",
                self.address, self.image.name
            );
            fetch.arg("--output").arg(place.join(blob)).arg(url);
        }
        let mut hash = call(Path::new("/usr/bin/sha256sum"));
        hash.args(&self.image.blobs).current_dir(place);
        Ok(Some(measure(&mut fetch)?.then(measure(&mut hash)?)))
    }
}
