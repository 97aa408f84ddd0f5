//! Measures `in` against the programs that do the same by other ways.
//!
//! `cargo xtask bench in` calls this with the directory that holds the programs and the one
//! that `cargo xtask images` filled. All run in one sitting, from Debian's docker-registry on
//! loopback and over a line of 100 Mbit/s and 20 ms, so the ratios hold on any machine.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

mod curl;
mod images;
mod measure;
mod ways;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use regimg_tests::{DockerRegistry, Link, Peer};
use serde_json::{Value, json};
use tempfile::TempDir;

use curl::{BLOBS_AT_ONCE, Curl};
use measure::{Figures, call, measure};
use ways::{RUNS, Way, compare, ratio};

/// 100 Mbit/s, and 20 ms there and back.
const SLOW: (u64, Duration) = (12_500_000, Duration::from_millis(10));

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-in DIRECTORY IMAGES LINE [NAME...]: the one that holds in, the layouts', full, slow or both";
    let mut next = || arguments.next().context(usage);
    let (programs, directory, speed) = (next()?, next()?, next()?);
    let registry = DockerRegistry::start().context("docker-registry is needed")?;
    let link = Link::to(registry.addr(), SLOW.0, SLOW.1);
    let names: Vec<_> = arguments.collect();
    for image in images::find(&directory, &names)? {
        let image = Image::push(&registry, &image)?;
        // The slow line takes its time, and that of everybody else hardly matters then.
        let lines = [("full", registry.addr(), RUNS), ("slow", link.addr(), 1)];
        let is_wanted = |name: &str| speed == Path::new("both") || speed == Path::new(name);
        for (line, address, runs) in lines.into_iter().filter(|line| is_wanted(line.0)) {
            let bench = Bench {
                programs: &programs,
                image: &image,
                line,
                address,
                runs,
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
    /// How often everything runs.
    runs: usize,
}

impl Bench<'_> {
    /// Measures each format beside the other ways to the same, as far as they are installed.
    fn compare(&self) -> Result<()> {
        let [skopeo, umoci, podman] = ["skopeo", "umoci", "podman"].map(Peer::find);
        let curl = Curl::find().ok();
        let title = |what: &str| format!("{}, {} line, {what}", self.image.name, self.line);
        let mut rootfs = vec![Way::new("in rootfs", || self.get("rootfs"))];
        if let (Some(skopeo), Some(umoci)) = (&skopeo, &umoci) {
            let way = Way::new("skopeo copy, umoci", || self.umoci(skopeo, umoci));
            rootfs.push(way);
        }
        if let Some(podman) = &podman {
            rootfs.push(Way::new("podman pull", || self.podman(podman)));
        }
        let figures = compare(&title("rootfs"), self.runs, &rootfs)?;
        for (way, theirs) in rootfs.iter().zip(&figures).skip(1) {
            let times = ratio(theirs.wall, figures[0].wall);
            println!("  {times:.1} times as fast as {}", way.name);
        }

        let mut oci = vec![Way::new("in oci", || self.get("oci"))];
        let mut layout = vec![Way::new("in oci-layout", || self.get("oci-layout"))];
        if let Some(skopeo) = &skopeo {
            oci.push(Way::new("skopeo docker-archive", || {
                let place = TempDir::new()?;
                let archive = place.path().join("a.tar");
                self.skopeo(skopeo, &format!("docker-archive:{}", archive.display()))
            }));
            layout.push(Way::new("skopeo oci", || {
                let place = TempDir::new()?;
                let directory = place.path().join("oci");
                self.skopeo(skopeo, &format!("oci:{}", directory.display()))
            }));
        }
        if let Some(curl) = &curl {
            layout.push(Way::new("curl, sha256sum", || self.curl(curl)));
        }
        compare(&title("oci"), self.runs, &oci)?;
        compare(&title("oci-layout"), self.runs, &layout)?;
        Ok(())
    }

    fn get(&self, format: &str) -> Result<Figures> {
        let place = TempDir::new()?;
        let request = json!({
            "source": {"repository": format!("{}/{}", self.address, self.image.name)},
            "params": {"format": format},
            "version": {"tag": "latest"},
        });
        let input = place.path().join("request.json");
        fs::write(&input, request.to_string())?;
        let mut get = call(&self.programs.join("in"));
        get.arg(place.path().join("result"));
        measure(get.stdin(fs::File::open(input)?))
    }

    fn source(&self) -> String {
        format!("docker://{}/{}:latest", self.address, self.image.name)
    }

    fn skopeo(&self, skopeo: &Peer, target: &str) -> Result<Figures> {
        let mut copy = call(skopeo.path());
        copy.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            "--src-tls-verify=false",
        ]);
        measure(copy.args([&self.source(), target]))
    }

    fn umoci(&self, skopeo: &Peer, umoci: &Peer) -> Result<Figures> {
        let place = TempDir::new()?;
        let image = format!("{}:latest", place.path().join("layout").display());
        let copy = self.skopeo(skopeo, &format!("oci:{image}"))?;
        let mut unpack = call(umoci.path());
        unpack
            .args(["unpack", "--image", &image])
            .arg(place.path().join("bundle"));
        Ok(copy.then(measure(&mut unpack)?))
    }

    fn podman(&self, podman: &Peer) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut pull = call(podman.path());
        pull.arg("--root").arg(place.path().join("root"));
        pull.arg("--runroot").arg(place.path().join("run"));
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
            .arg(place.path().join("root/overlay"))
            .stderr(Stdio::null())
            .status();
        Ok(figures)
    }

    /// The least that must be done: four blobs at one time, and each hashed.
    fn curl(&self, curl: &Curl) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut fetch = curl.many(BLOBS_AT_ONCE);
        for blob in &self.image.blobs {
            let url = format!(
                "http://{}/v2/{}/blobs/{blob}",
                self.address, self.image.name
            );
            fetch.arg("--output").arg(place.path().join(blob)).arg(url);
        }
        let mut hash = call(Path::new("/usr/bin/sha256sum"));
        hash.args(&self.image.blobs).current_dir(place.path());
        Ok(measure(&mut fetch)?.then(measure(&mut hash)?))
    }
}
