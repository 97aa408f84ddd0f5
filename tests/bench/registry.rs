//! Measures the registry client against curl, sha256sum and skopeo.
//!
//! `cargo xtask bench registry` calls this with the client's example program `transfer`. All
//! run in one sitting and in turn, look-ups against the embedded registry, which can be far
//! away, and blobs against Debian's docker-registry, so the ratios hold on any machine.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

mod content;
mod curl;
mod measure;
mod target;
mod upload;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use regimg_tests::registry::Registry;
use regimg_tests::{DockerRegistry, Image, Peer};
use tempfile::TempDir;

use content::Content;
use curl::{BLOBS_AT_ONCE, Curl};
use measure::{Figures, call, measure};
use target::{Target, judge};
use ways::{RUNS, Way, compare};

/// Look-ups, and how many of them the client has under way at one time.
const HEADS: u32 = 500;
const HEADS_AT_ONCE: u32 = 16;

/// How much longer than ideal the look-ups may take, and than curl and sha256sum the blobs.
const HEADS_TARGET: Target = Target {
    times: 1.5,
    memory: MEMORY_TARGET,
};
const BLOBS_TARGET: Target = Target {
    times: 1.1,
    memory: MEMORY_TARGET,
};

/// The memory that the client may take, in KiB.
const MEMORY_TARGET: u64 = 32 << 10;

fn main() -> Result<()> {
    let transfer = std::env::args_os()
        .nth(1)
        .context("usage: bench-registry TRANSFER, the client's example program")?;
    let programs = Programs {
        transfer: PathBuf::from(transfer),
        curl: Curl::find()?,
        skopeo: Peer::find("skopeo"),
    };
    println!("median of {RUNS} runs; ratio: how much longer ours takes");
    for latency in [0, 20].map(Duration::from_millis) {
        look_up(&programs, latency, Line::Plain)?;
        look_up(&programs, latency, Line::Tls)?;
    }
    let registry = DockerRegistry::start().context("docker-registry is needed")?;
    for (name, count, size) in [("1 GiB", 1, 1 << 30), ("64 x 4 MiB", 64, 4 << 20)] {
        let blobs = Blobs {
            programs: &programs,
            registry: &registry,
            content: Content::make(count, size)?,
        };
        blobs.seed()?;
        blobs.download(name)?;
        blobs.upload(name)?;
    }
    Ok(())
}

struct Programs {
    transfer: PathBuf,
    curl: Curl,
    skopeo: Option<Peer>,
}

/// What look-ups go over.
#[derive(Clone, Copy)]
enum Line {
    /// HTTP/1.1.
    Plain,
    /// HTTP/2 over TLS; for curl, HTTP/1.1.
    Tls,
}

/// Measures look-ups of tags. Ideal is as many round trips as it takes, and nothing else.
fn look_up(programs: &Programs, latency: Duration, line: Line) -> Result<()> {
    let mut builder = Registry::builder().latency(latency);
    if let Line::Tls = line {
        builder = builder.tls();
    }
    let registry = builder.start();
    let digest = registry.push("app", &Image::with_text("hello"));
    let tags: Vec<String> = (0..HEADS).map(|tag| format!("1.{tag}.0")).collect();
    for tag in &tags {
        registry.tag("app", tag, &digest);
    }
    let place = TempDir::new()?;
    let (scheme, protocol, authority) = match line {
        Line::Plain => ("http", "HTTP/1.1", None),
        Line::Tls => {
            let path = place.path().join("ca.pem");
            fs::write(&path, registry.ca_pem())?;
            ("https", "HTTP/2", Some(path))
        }
    };
    let ours = Way::new("ours", || {
        let mut heads = call(&programs.transfer);
        if let Some(authority) = &authority {
            heads.arg("--ca").arg(authority);
        }
        heads.arg("heads").arg(format!("{}/app", registry.host()));
        measure(heads.args(&tags))
    });
    let curl = Way::new("curl, HTTP/1.1", || {
        let mut heads = programs.curl.many(&HEADS_AT_ONCE.to_string());
        if let Some(authority) = &authority {
            heads.arg("--cacert").arg(authority);
        }
        heads.args(["--head", "--header", "Accept: */*"]);
        for tag in &tags {
            let address = format!("{scheme}://{}/v2/app/manifests/{tag}", registry.host());
            heads.args(["--output", "/dev/null", &address]);
        }
        measure(&mut heads)
    });
    let title = format!("{HEADS} HEADs, {} ms, {protocol}", latency.as_millis());
    let figures = compare(&title, RUNS, &[ours, curl])?;
    if !latency.is_zero() {
        let ideal = latency * HEADS.div_ceil(HEADS_AT_ONCE);
        let what = format!("the ideal {:.2} s", ideal.as_secs_f64());
        judge(&figures[0], &what, ideal, HEADS_TARGET);
    }
    Ok(())
}

/// Blobs, and the registry to move them from and to.
struct Blobs<'a> {
    programs: &'a Programs,
    registry: &'a DockerRegistry,
    content: Content,
}

impl Blobs<'_> {
    /// Fills the repository that downloads come from, and warms everybody up.
    fn seed(&self) -> Result<()> {
        self.push("seed")?;
        let mut configuration = call(&self.programs.transfer);
        configuration.arg("push");
        configuration.arg(format!("{}/seed", self.registry.host()));
        measure(configuration.arg(self.content.configuration()))?;
        let address = format!("http://{}/v2/seed/manifests/latest", self.registry.host());
        let curl = &self.programs.curl;
        curl.tag(&address, content::MANIFEST, &self.content.manifest())?;
        Ok(())
    }

    fn download(&self, name: &str) -> Result<()> {
        let mut ways = vec![
            Way::new("ours", || self.pull()),
            Way::new("curl, sha256sum", || self.curl_down()),
        ];
        if let [blob] = self.content.blobs() {
            ways.push(Way::new("curl | tee | sha256sum", || self.pipe_down(blob)));
        }
        if let Some(skopeo) = &self.programs.skopeo {
            ways.push(Way::new("skopeo copy", || self.skopeo_down(skopeo)));
        }
        let figures = compare(&format!("download {name}"), RUNS, &ways)?;
        judge(&figures[0], ways[1].name, figures[1].wall, BLOBS_TARGET);
        Ok(())
    }

    /// Uploads to a new repository each time, since none sends what is there. There is no
    /// row for skopeo: it remembers where a registry has a blob, and has it mounted.
    fn upload(&self, name: &str) -> Result<()> {
        let number = std::cell::Cell::new(0);
        let fresh = || {
            number.set(number.get() + 1);
            format!("up{}/n{}", self.content.blobs().len(), number.get())
        };
        let ways = vec![
            Way::new("ours", || self.push(&fresh())),
            Way::new("sha256sum, curl", || self.curl_up(&fresh())),
        ];
        let figures = compare(&format!("upload {name}"), RUNS, &ways)?;
        judge(&figures[0], ways[1].name, figures[1].wall, BLOBS_TARGET);
        Ok(())
    }

    fn pull(&self) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut pull = call(&self.programs.transfer);
        pull.arg("pull")
            .arg(format!("{}/seed", self.registry.host()));
        pull.arg(place.path());
        let size = self.content.size();
        for hex in self.content.blobs() {
            pull.arg(format!("sha256:{hex}:{size}"));
        }
        measure(&mut pull)
    }

    fn push(&self, repository: &str) -> Result<Figures> {
        let mut push = call(&self.programs.transfer);
        push.arg("push");
        push.arg(format!("{}/{repository}", self.registry.host()));
        push.args(self.content.files());
        measure(&mut push)
    }

    fn blob_address(&self, hex: &str) -> String {
        format!("http://{}/v2/seed/blobs/sha256:{hex}", self.registry.host())
    }

    fn curl_down(&self) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut fetch = self.programs.curl.many(BLOBS_AT_ONCE);
        for hex in self.content.blobs() {
            fetch.arg("--output").arg(place.path().join(hex));
            fetch.arg(self.blob_address(hex));
        }
        Ok(measure(&mut fetch)?.then(self.hash(place.path())?))
    }

    /// Checks the files' digests, as a download or an upload by hand has to.
    fn hash(&self, directory: &Path) -> Result<Figures> {
        let mut hash = call(Path::new("/usr/bin/sha256sum"));
        hash.args(["--check", "--quiet"]).arg(self.content.sums());
        measure(hash.current_dir(directory))
    }

    /// Hashes what comes while it comes.
    fn pipe_down(&self, hex: &str) -> Result<Figures> {
        let place = TempDir::new()?;
        let script = r#"test "$("$1" --silent --fail "$2" | tee "$3" | sha256sum)" = "$4  -""#;
        let mut pipe = call(Path::new("/bin/sh"));
        pipe.args(["-c", script, "sh"]);
        pipe.arg(self.programs.curl.path());
        pipe.arg(self.blob_address(hex));
        measure(pipe.arg(place.path().join(hex)).arg(hex))
    }

    fn curl_up(&self, repository: &str) -> Result<Figures> {
        let hash = self.hash(self.content.directory())?;
        let blobs = self.content.blobs().iter().cloned();
        let blobs: Vec<_> = blobs.zip(self.content.files()).collect();
        let curl = &self.programs.curl;
        Ok(hash.then(curl.upload(&self.registry.host(), repository, &blobs)?))
    }

    fn skopeo_down(&self, skopeo: &Peer) -> Result<Figures> {
        let place = TempDir::new()?;
        let mut copy = call(skopeo.path());
        copy.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests"]);
        copy.arg("--src-tls-verify=false");
        copy.arg(format!("docker://{}/seed:latest", self.registry.host()));
        measure(copy.arg(format!("dir:{}", place.path().display())))
    }
}
