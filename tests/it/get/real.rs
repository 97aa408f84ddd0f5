//! `in` with an image that a builder in daily use made of a Debian system, from a registry in
//! daily use, compared with what another unpacker makes of it.
//!
//! The base is made once, by mmdebstrap; buildah adds layers, docker-registry serves them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use regimg_tests::tree::Listing;
use regimg_tests::{DockerRegistry, Peer};
use rustix::fs::{XattrFlags, lsetxattr};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dockerfile::succeed;
use crate::driver;

/// Debian is fetched and unpacked, perhaps on a small machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// What layers are made of: things that go, that change, that change their kind, and that
/// tools tend to lose.
const DOCKERFILE: &str = r"
FROM localhost/base
RUN rm -rf /usr/share/doc/* /var/cache/apt/archives/*.deb \
 && rm -rf /usr/share/man && mkdir /usr/share/man && echo empty > /usr/share/man/README \
 && rm -rf /usr/share/info && touch /usr/share/info
RUN useradd --create-home app && chown -R app:app /usr/share/common-licenses \
 && chmod 1777 /home/app && mkfifo /home/app/fifo && ln /home/app/.profile /home/app/hard \
 && ln -s /etc/passwd /home/app/absolute && ln -s ../../etc /home/app/relative \
 && cp /usr/bin/perl /home/app/server && chmod 4755 /home/app/server \
 && touch -d '1991-06-03 05:30:30 UTC' /home/app/.bashrc \
 && rm /usr/share/info && mkdir /usr/share/info && ln /usr/bin/perl /usr/share/info/perl
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin
";

/// The peers, and a directory for what they make.
struct Workshop {
    buildah: Peer,
    skopeo: Peer,
    umoci: Peer,
    mmdebstrap: Peer,
    /// The option for the storage of buildah's: one that is quick, or one that works on
    /// every file system.
    driver: &'static str,
    directory: TempDir,
}

impl Workshop {
    #[expect(
        clippy::print_stderr,
        reason = "a skipped test has no other way to say so"
    )]
    fn open() -> Result<Option<Self>> {
        let peers = ["buildah", "skopeo", "umoci", "mmdebstrap"].map(Peer::find);
        let [Some(buildah), Some(skopeo), Some(umoci), Some(mmdebstrap)] = peers else {
            return Ok(None);
        };
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: building images takes root");
            return Ok(None);
        }
        let mut workshop = Self {
            buildah,
            skopeo,
            umoci,
            mmdebstrap,
            driver: "--storage-driver=overlay",
            directory: TempDir::new()?,
        };
        if workshop.buildah(&["from", "scratch"]).is_err() {
            workshop.directory = TempDir::new()?;
            workshop.driver = "--storage-driver=vfs";
        }
        Ok(Some(workshop))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, peer: &Peer, arguments: &[&str]) -> Result<String> {
        let process = peer.process().deadline(PATIENCE);
        succeed(process.env("HOME", self.directory.path()).args(arguments))
    }

    /// Calls buildah on a storage of its own.
    fn buildah(&self, arguments: &[&str]) -> Result<String> {
        let (root, run) = (self.path("root"), self.path("run"));
        let (root, run) = (text(&root), text(&run));
        let options = ["--root", root, "--runroot", run, self.driver];
        self.run(&self.buildah, &[&options[..], arguments].concat())
    }

    /// Makes a minimal Debian, once for all runs.
    fn base(&self) -> Result<PathBuf> {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
        fs::create_dir_all(&cache)?;
        let (base, unfinished) = (cache.join("base.tar"), cache.join("unfinished.tar"));
        if !base.exists() {
            let mirror = "http://deb.debian.org/debian";
            let options = ["--quiet", "--mode=root", "--variant=minbase", "bookworm"];
            let arguments = [&options[..], &[text(&unfinished), mirror]].concat();
            self.run(&self.mmdebstrap, &arguments)?;
            fs::rename(unfinished, &base)?;
        }
        Ok(base)
    }

    /// Builds the image and pushes it.
    fn build(&self, name: &str) -> Result<()> {
        let container = self.buildah(&["from", "scratch"])?;
        self.buildah(&["add", "--quiet", &container, text(&self.base()?), "/"])?;
        self.buildah(&["commit", "--quiet", "--rm", &container, "localhost/base"])?;
        let file = self.path("Dockerfile");
        fs::write(&file, DOCKERFILE)?;
        let options = [
            "build",
            "--quiet",
            "--isolation=chroot",
            "--layers",
            "--pull-never",
        ];
        let arguments = [
            "--tag=localhost/built",
            "--file",
            text(&file),
            text(self.directory.path()),
        ];
        fs::write(self.path(".dockerignore"), "*\n")?;
        self.buildah(&[&options[..], &arguments].concat())?;

        let container = self.buildah(&["from", "--pull-never", "localhost/built"])?;
        let mounted = PathBuf::from(self.buildah(&["mount", &container])?);
        // `cap_net_bind_service=+ep`, as setcap writes it.
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let none = XattrFlags::empty();
        lsetxattr(
            mounted.join("usr/bin/perl"),
            "security.capability",
            &capability,
            none,
        )?;
        lsetxattr(mounted.join("etc/hostname"), "user.note", b"a\0b", none)
            .or_else(|_| lsetxattr(mounted.join("etc/passwd"), "user.note", b"a\0b", none))?;
        self.buildah(&["commit", "--quiet", "--rm", &container, "localhost/final"])?;
        let target = format!("docker://{name}");
        self.buildah(&[
            "push",
            "--quiet",
            "--tls-verify=false",
            "localhost/final",
            &target,
        ])?;
        Ok(())
    }

    /// Unpacks the image by the other way.
    fn unpack(&self, name: &str) -> Result<PathBuf> {
        let (layout, bundle) = (self.path("layout"), self.path("bundle"));
        let (source, image) = (
            format!("docker://{name}"),
            format!("{}:latest", text(&layout)),
        );
        let copy = [
            "--insecure-policy",
            "copy",
            "--quiet",
            "--src-tls-verify=false",
        ];
        self.run(
            &self.skopeo,
            &[&copy[..], &[&source, &format!("oci:{image}")]].concat(),
        )?;
        self.run(&self.umoci, &["unpack", "--image", &image, text(&bundle)])?;
        Ok(bundle.join("rootfs"))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// Lists a tree without what differs for a reason:
///
/// - devices, which the resource leaves out, because a container gets its own, and which
///   umoci makes;
/// - the time of the root, which no layer tells: umoci sets it to 1970, here it is the day's.
fn lines(root: &Path) -> Result<Vec<String>> {
    let mut lines = Listing::new().lines(root)?;
    lines.retain(|line| !(line.contains(" char ") || line.contains(" block ")));
    let root = lines[0]
        .split(" mtime=")
        .next()
        .unwrap_or_default()
        .to_owned();
    lines[0] = root;
    Ok(lines)
}

#[test]
fn a_debian_image_is_unpacked_as_umoci_unpacks_it() -> Result<()> {
    let (Some(registry), Some(workshop)) = (DockerRegistry::start(), Workshop::open()?) else {
        return Ok(());
    };
    let repository = format!("{}/debian", registry.host());
    let name = format!("{repository}:latest");
    workshop.build(&name)?;
    let source = json!({"repository": repository, "tag": "latest"});
    let versions = driver::check(&json!({"source": source})).answer();
    let get = |format: &str| -> Result<TempDir> {
        let directory = TempDir::new()?;
        let request =
            json!({"source": source, "params": {"format": format}, "version": versions[0]});
        driver::get(&request, directory.path()).answer();
        Ok(directory)
    };

    let rootfs = get("rootfs")?;
    let ours = lines(&rootfs.path().join("rootfs"))?;
    let theirs = lines(&workshop.unpack(&name)?)?;
    let [our, their] = [&ours, &theirs].map(|lines| lines.iter().collect::<BTreeSet<_>>());
    let added = our.difference(&their).map(|line| format!("+ {line}"));
    let removed = their.difference(&our).map(|line| format!("- {line}"));
    let differences: Vec<_> = added.chain(removed).collect();
    assert_eq!(differences, [""; 0]);
    let has = |text: &str| assert!(ours.iter().any(|line| line.contains(text)), "{text}");
    for text in [
        "security.capability=",
        "user.note=\"a\\x00b\"",
        " mtime=675927030",
        " same as ",
        " 4755 ",
    ] {
        has(text);
    }
    drop(rootfs);

    // What it writes as an archive and as a layout, skopeo reads to the last byte.
    let archive = get("oci")?;
    let image = format!("docker-archive:{}", text(&archive.path().join("image.tar")));
    let layout = get("oci-layout")?;
    let directory = format!("oci:{}", text(&layout.path().join("oci")));
    for (at, source) in [image, directory].iter().enumerate() {
        let target = format!("dir:{}", text(&workshop.path(&format!("copy{at}"))));
        workshop.run(
            &workshop.skopeo,
            &["--insecure-policy", "copy", "--quiet", source, &target],
        )?;
    }
    let manifest: Value = serde_json::from_slice(&fs::read(workshop.path("copy1/manifest.json"))?)?;
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(4));
    Ok(())
}
