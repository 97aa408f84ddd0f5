//! The programs of others that the suite tests against.
//!
//! They come from Debian's archive, with the package manager, where there is one and
//! xtask may use it, and one from `PyPI`, into a directory of its own. Everywhere else the tests
//! that need one are left out, and say so.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context, bail};
use xshell::cmd;

use crate::steps::Done;
use crate::workspace::Workspace;

/// A program that the suite calls, and where it comes from.
struct Peer {
    program: &'static str,
    package: &'static str,
    delivery: Delivery,
}

/// How a package's program gets onto the machine.
enum Delivery {
    /// Installed as packages are.
    Installed,
    /// Taken out of its package into the build's directory. Installing would also start
    /// a server on every interface of the machine.
    Unpacked,
    /// Installed from `PyPI`, at these versions, into an environment in the build's directory. The
    /// package is what the system's Python may lack for that.
    PyPi {
        /// The program there; with us it is called by its version, lest another one be used.
        command: &'static str,
        requirements: &'static [&'static str],
    },
}

const PEERS: [Peer; 9] = [
    Peer {
        program: "docker-registry",
        package: "docker-registry",
        delivery: Delivery::Unpacked,
    },
    Peer {
        program: "skopeo",
        package: "skopeo",
        delivery: Delivery::Installed,
    },
    Peer {
        program: "buildah",
        package: "buildah",
        delivery: Delivery::Installed,
    },
    Peer {
        program: "umoci",
        package: "umoci",
        delivery: Delivery::Installed,
    },
    // A file system with quotas.
    Peer {
        program: "btrfs",
        package: "btrfs-progs",
        delivery: Delivery::Installed,
    },
    Peer {
        program: "mmdebstrap",
        package: "mmdebstrap",
        delivery: Delivery::Installed,
    },
    Peer {
        program: "python3",
        package: "python3",
        delivery: Delivery::Installed,
    },
    // The package has `notary` and `notary-signer` as well.
    Peer {
        program: "notary-server",
        package: "notary",
        delivery: Delivery::Unpacked,
    },
    // AWS's services as far as the tests ask them. `moto[server]` would bring 200 MB for the others.
    Peer {
        program: "moto_server-5.2.5",
        package: "python3-venv",
        delivery: Delivery::PyPi {
            command: "moto_server",
            requirements: &["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
        },
    },
];

/// Sees to it that the peers are there, as far as this machine and user allow.
///
/// # Errors
///
/// With `required`, a peer that could not be had.
pub(crate) fn provide(workspace: &Workspace, required: bool) -> anyhow::Result<Done> {
    workspace.prepend_path(&workspace.target().join("peers/usr/bin"))?;
    let missing = missing(workspace);
    if missing.is_empty() {
        return Ok(Done::Whole);
    }
    let outcome = obtain(workspace, &missing);
    let missing = self::missing(workspace);
    if missing.is_empty() {
        return outcome.map(Done::from);
    }
    let programs = list(&missing, |peer| peer.program);
    match outcome {
        Err(error) if required => Err(error).with_context(|| format!("missing: {programs}")),
        Ok(()) if required => bail!("missing: {programs}"),
        Err(error) => Ok(Done::Without(format!(
            "tests with {programs} are left out: {error:#}"
        ))),
        Ok(()) => Ok(Done::Without(format!("tests with {programs} are left out"))),
    }
}

fn missing(workspace: &Workspace) -> Vec<&'static Peer> {
    PEERS
        .iter()
        .filter(|peer| workspace.program(peer.program).is_none())
        .collect()
}

fn list(peers: &[&Peer], name: impl Fn(&Peer) -> &str) -> String {
    peers
        .iter()
        .map(|peer| name(peer))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Gets the peers that are missing, each from where it is to be had.
fn obtain(workspace: &Workspace, missing: &[&'static Peer]) -> anyhow::Result<()> {
    let (from_pypi, packaged): (Vec<&Peer>, Vec<&Peer>) = missing
        .iter()
        .partition(|peer| matches!(peer.delivery, Delivery::PyPi { .. }));
    let outcome = if packaged.is_empty() {
        Ok(())
    } else {
        obtain_packages(workspace, &packaged)
    };
    // Without the one the others may still be had.
    for peer in from_pypi {
        install_from_pypi(workspace, peer)?;
    }
    outcome
}

/// Installs or unpacks the packages of the peers that are missing.
fn obtain_packages(workspace: &Workspace, missing: &[&Peer]) -> anyhow::Result<()> {
    let sh = workspace.sh();
    if workspace.program("apt-get").is_none() {
        bail!("there is no apt-get to install them with");
    }
    let root = cmd!(sh, "id -u").quiet().read()? == "0";
    eprintln!(
        "getting {} with apt-get",
        list(missing, |peer| peer.package)
    );
    if root {
        cmd!(sh, "apt-get update --quiet=2").run()?;
    }
    for peer in missing {
        match peer.delivery {
            Delivery::Unpacked => unpack(workspace, peer.package)?,
            Delivery::Installed if root => install(workspace, peer.package)?,
            Delivery::Installed => bail!("installing {} takes root", peer.package),
            Delivery::PyPi { .. } => {}
        }
    }
    Ok(())
}

fn install(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    let sh = workspace.sh();
    let install = cmd!(
        sh,
        "apt-get install --yes --quiet=2 --no-install-recommends {package}"
    );
    Ok(install.env("DEBIAN_FRONTEND", "noninteractive").run()?)
}

/// Installs a program of Python's, and puts it, but not the environment's Python, among the peers.
fn install_from_pypi(workspace: &Workspace, peer: &Peer) -> anyhow::Result<()> {
    let Delivery::PyPi {
        command,
        requirements,
    } = peer.delivery
    else {
        return Ok(());
    };
    let (sh, peers) = (workspace.sh(), workspace.target().join("peers"));
    let (environment, programs) = (peers.join("python"), peers.join("usr/bin"));
    eprintln!("getting {} from PyPI", requirements.join(", "));
    let can_make_one = cmd!(sh, "python3 -c 'import ensurepip, venv'")
        .quiet()
        .ignore_stderr();
    if can_make_one.run().is_err() {
        install(workspace, peer.package)?;
    }
    cmd!(sh, "python3 -m venv --clear {environment}").run()?;
    let pip = environment.join("bin/pip");
    cmd!(
        sh,
        "{pip} install --quiet --disable-pip-version-check --no-compile {requirements...}"
    )
    .run()?;
    fs::create_dir_all(&programs).with_context(|| format!("creating {}", programs.display()))?;
    let link = programs.join(peer.program);
    let _ = fs::remove_file(&link);
    symlink(environment.join("bin").join(command), &link)
        .with_context(|| format!("linking {}", link.display()))
}

/// Takes a package's files out of it.
fn unpack(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    let sh = workspace.sh();
    let peers = workspace.target().join("peers");
    let download = peers.join(package);
    let _ = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).with_context(|| format!("creating {}", download.display()))?;
    let _directory = sh.push_dir(&download);
    // apt-get would hand the download to a user who may not write here.
    cmd!(
        sh,
        "apt-get download --quiet=2 -o APT::Sandbox::User=root {package}"
    )
    .run()?;
    for archive in sh.read_dir(".")? {
        cmd!(sh, "dpkg-deb --extract {archive} {peers}").run()?;
    }
    Ok(())
}
