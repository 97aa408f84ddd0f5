//! The Dockerfile, built by Debian's buildah, and the commands inside its result.
//!
//! The builder's base is a minimal Debian with a C compiler; this machine's Rust
//! toolchain and its cache of crates are mounted into it, so that the build takes nothing
//! from the network. What it compiled stays in cargo's target directory for the next run.

mod name_server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use regimg_tests::registry::{Registry, UploadLocation};
use regimg_tests::tree::Listing;
use regimg_tests::{DockerArchive, Finished, Image, Peer, Process};
use serde_json::{Value, json};
use tempfile::TempDir;

use name_server::NameServer;

/// A release build of everything on a small machine, with time to spare.
const BUILD: Duration = Duration::from_mins(15);

/// One test, because the build takes minutes.
#[test]
fn dockerfile_makes_an_image_that_works() -> Result<()> {
    let (Some(buildah), Some(mmdebstrap)) = (Peer::find("buildah"), Peer::find("mmdebstrap"))
    else {
        return Ok(());
    };
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: building in a chroot takes root");
        return Ok(());
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dockerfile");
    fs::create_dir_all(&cache)?;
    let store = Store {
        buildah,
        directory: TempDir::new()?,
    };
    store.make_builder(&base(&mmdebstrap, &cache)?)?;
    store.build(&cache)?;

    let image = ResourceImage {
        root: store.mount()?,
    };
    image.holds_nothing_but_the_resource()?;
    image.answers_by_every_name()?;
    for host in ["127.0.0.1", "registry.hosts.test", "registry.dns.test"] {
        image
            .uses_a_registry_at(host)
            .with_context(|| format!("with a registry at {host}"))?;
    }
    Ok(())
}

/// A storage of buildah's in a directory of its own.
struct Store {
    buildah: Peer,
    directory: TempDir,
}

impl Store {
    /// Prepares a call of buildah. The driver `vfs` works on every file system.
    fn buildah(&self, command: &str) -> Process {
        let buildah = self
            .buildah
            .process()
            .deadline(BUILD)
            .env("HOME", self.directory.path());
        let buildah = buildah
            .arg("--root")
            .arg(self.directory.path().join("root"));
        let buildah = buildah
            .arg("--runroot")
            .arg(self.directory.path().join("run"));
        buildah.args(["--storage-driver=vfs", command])
    }

    /// Makes the image that the Dockerfile's first stage starts from.
    fn make_builder(&self, base: &Path) -> Result<()> {
        let container = succeed(self.buildah("from").arg("scratch"))?;
        succeed(
            self.buildah("add")
                .args(["--quiet", &container])
                .arg(base)
                .arg("/"),
        )?;
        let environment = [
            "--env=PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "--env=CARGO_HOME=/usr/local/cargo",
            "--env=CARGO_NET_OFFLINE=true",
        ];
        succeed(self.buildah("config").args(environment).arg(&container))?;
        succeed(
            self.buildah("commit")
                .args(["--quiet", "--rm", &container, "localhost/builder"]),
        )?;
        Ok(())
    }

    /// Builds the workspace's Dockerfile.
    fn build(&self, cache: &Path) -> Result<()> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the tests are in the workspace")?;
        let target = cache.join("target");
        fs::create_dir_all(&target)?;
        let volumes = [
            format!("--volume={}:/usr/local/rust:ro", toolchain()?.display()),
            format!(
                "--volume={}:/usr/local/cargo/registry",
                cargo_home()?.join("registry").display()
            ),
            format!("--volume={}:/usr/src/regimg/target", target.display()),
        ];
        let build = self
            .buildah("build")
            .args(["--isolation=chroot", "--pull-never"])
            .args(volumes);
        succeed(
            build
                .args([
                    "--build-arg=builder=localhost/builder",
                    "--tag=localhost/regimg",
                ])
                .arg(workspace),
        )?;
        Ok(())
    }

    /// Returns a directory with the built image's files.
    fn mount(&self) -> Result<PathBuf> {
        let container = succeed(
            self.buildah("from")
                .args(["--pull-never", "localhost/regimg"]),
        )?;
        succeed(self.buildah("mount").arg(container)).map(PathBuf::from)
    }
}

/// The image as a container sees it.
struct ResourceImage {
    root: PathBuf,
}

impl ResourceImage {
    /// Returns where a path of the image is outside of it.
    fn outside(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Prepares a call of a program inside the image.
    fn process(&self, program: &str) -> Process {
        let program = Path::new("/opt/resource").join(program);
        Process::new("/usr/sbin/chroot")
            .arg(&self.root)
            .arg(program)
            .env("TEST", "true")
    }

    fn holds_nothing_but_the_resource(&self) -> Result<()> {
        let listing = Listing::new()
            .without_owners()
            .without_times()
            .without_attributes()
            .lines(&self.root)?;
        let name = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        let files: Vec<_> = listing
            .iter()
            .filter(|line| !line.contains(" dir "))
            .map(name)
            .collect();
        let commands = ["check", "in", "out", "regimg"].map(|name| format!("opt/resource/{name}"));
        let settings = ["etc/passwd", "etc/ssl/certs/ca-certificates.crt"].map(str::to_owned);
        assert_eq!(files, [&settings[..], &commands].concat(), "{listing:#?}");
        for command in ["check", "in", "out"] {
            assert_eq!(
                fs::read_link(self.outside("opt/resource").join(command))?,
                Path::new("regimg")
            );
        }
        let certificates = fs::read_to_string(self.outside("etc/ssl/certs/ca-certificates.crt"))?;
        assert!(certificates.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(
            fs::metadata(self.outside("tmp"))?.permissions().mode() & 0o7777,
            0o1777
        );
        Ok(())
    }

    fn answers_by_every_name(&self) -> Result<()> {
        for name in ["check", "in", "out", "regimg"] {
            let help = succeed(self.process(name).arg("--help"))?;
            assert!(help.contains("regimg check"), "{name}: {help}");
        }
        let request =
            json!({ "source": { "repository": "127.0.0.1:1/a", "tag": "b" }, "surprise": true });
        for (name, directory) in [("check", None), ("in", Some("/tmp")), ("out", Some("/tmp"))] {
            let finished = self
                .process(name)
                .args(directory)
                .input(request.to_string())
                .run()?;
            assert_eq!(
                (finished.status.code(), finished.stdout_text().as_str()),
                (Some(1), ""),
                "{name}"
            );
            let stderr = finished.stderr_text();
            assert!(
                stderr.contains(r#"unknown field "surprise""#),
                "{name}: {stderr}"
            );
        }
        Ok(())
    }

    /// Pushes, finds and fetches an image. The two files that tell how names become
    /// addresses are written by a container's runtime; a static program has nothing else
    /// to ask.
    fn uses_a_registry_at(&self, host: &str) -> Result<()> {
        let names = NameServer::start()?;
        fs::write(self.outside("etc/hosts"), "127.0.0.1 registry.hosts.test\n")?;
        fs::write(
            self.outside("etc/resolv.conf"),
            format!("nameserver {}\n", NameServer::ADDRESS),
        )?;
        // The registry knows itself by its address only, and a client that was given a name
        // goes to no private address that the network names.
        let registry = Registry::builder()
            .upload_location(UploadLocation::Path)
            .start();
        let repository = format!("{host}:{}/app", registry.addr().port());
        let source = json!({ "repository": repository, "tag": "latest", "insecure": true });

        let (put, get) = (format!("/tmp/{host}/put"), format!("/tmp/{host}/get"));
        fs::create_dir_all(self.outside(&put))?;
        fs::create_dir_all(self.outside(&get))?;
        let archive = DockerArchive::new().image(&Image::with_text(host), &[]);
        archive.write(self.outside(&put).join("image.tar"))?;
        let request = json!({ "source": source, "params": { "image": "image.tar" } });
        let pushed = self.answer("out", Some(&put), &request)?;
        let versions = self.answer("check", None, &json!({ "source": source }))?;
        assert_eq!(versions, json!([pushed["version"]]));
        self.answer(
            "in",
            Some(&get),
            &json!({ "source": source, "version": versions[0] }),
        )?;
        assert_eq!(
            fs::read_to_string(self.outside(&get).join("rootfs/text"))?,
            host
        );
        drop(names);
        Ok(())
    }

    fn answer(&self, command: &str, directory: Option<&str>, request: &Value) -> Result<Value> {
        let output = succeed(
            self.process(command)
                .args(directory)
                .input(request.to_string()),
        )?;
        serde_json::from_str(&output).context("stdout is one JSON value")
    }
}

/// Makes a minimal Debian with a C compiler, once for all runs.
fn base(mmdebstrap: &Peer, cache: &Path) -> Result<PathBuf> {
    let base = cache.join("base.tar");
    if !base.exists() {
        let unfinished = cache.join("unfinished.tar");
        let options = [
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            "--include=ca-certificates,gcc,libc6-dev",
        ];
        let process = mmdebstrap
            .process()
            .deadline(BUILD)
            .args(options)
            .arg("bookworm");
        succeed(process.arg(&unfinished).arg("http://deb.debian.org/debian"))?;
        fs::rename(unfinished, &base)?;
    }
    Ok(base)
}

/// Returns the directory of the Rust toolchain in use here.
fn toolchain() -> Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()?;
    ensure!(
        output.status.success(),
        "rustc --print sysroot: {}",
        output.status
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
}

/// Returns the directory where cargo keeps the crates that it downloaded.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no main that could pass the environment"
)]
fn cargo_home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Ok(PathBuf::from(home)),
        None => Ok(Path::new(
            &std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?,
        )
        .join(".cargo")),
    }
}

/// Runs a process that must succeed and returns what it printed.
pub(crate) fn succeed(process: Process) -> Result<String> {
    let finished: Finished = process.run()?;
    let (stdout, stderr) = (finished.stdout_text(), finished.stderr_text());
    ensure!(
        finished.status.success(),
        "{}\n{stdout}\n{stderr}",
        finished.status
    );
    Ok(stdout.trim_end().to_owned())
}
