//! `cargo xtask dist`: the binary as the resource's image holds it.
//!
//! # Static, by glibc
//!
//! The target is the host's own `*-linux-gnu` with `crt-static`, so a plain Rust
//! installation and its C compiler suffice. Naming the target keeps the flag away from
//! proc macros and build scripts, which are loaded dynamically.
//!
//! The linker warns that `getaddrinfo` in a static program needs glibc's shared
//! libraries at run time. That holds for name services other than `files` and `dns`:
//! since glibc 2.34 these two are part of libc itself, and a system without
//! `/etc/nsswitch.conf`, as our image is, uses these two. So `/etc/hosts` and
//! `/etc/resolv.conf`, which the container's runtime writes, are all that resolving
//! a registry's name takes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use xshell::cmd;

use crate::elf::Executable;
use crate::workspace::Workspace;

/// The names that Concourse calls a resource by.
const COMMANDS: [&str; 3] = ["check", "in", "out"];

/// The binary may not grow beyond this without somebody deciding so. The libraries of AWS are 2.6 MB
/// of it.
const SIZE_LIMIT: usize = 14_000_000;

/// Builds the binary and installs it in a directory.
pub(crate) fn run(workspace: &Workspace, out: &Path) -> anyhow::Result<()> {
    let built = build(workspace)?;
    let bytes = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    Executable::parse(&bytes)
        .and_then(|executable| executable.ensure_static_and_stripped())
        .with_context(|| format!("checking {}", built.display()))?;
    ensure!(
        bytes.len() <= SIZE_LIMIT,
        "the binary has {} bytes; the limit is {SIZE_LIMIT}",
        bytes.len()
    );
    install(&built, out)?;
    eprintln!(
        "{}: {} bytes, static and stripped; check, in and out link to it",
        out.join("regimg").display(),
        bytes.len()
    );
    Ok(())
}

/// Builds the binary and returns where cargo left it.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let sh = workspace.sh();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let root = sh.current_dir();
    let cargo_home = match sh.var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => Path::new(&sh.var_os("HOME").unwrap_or_default()).join(".cargo"),
    };
    // Panic messages name source files. Where they lay on the builder's disk is no
    // user's business and would make two builds of the same sources differ.
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=regimg", root.display()),
        format!("--remap-path-prefix={}=cargo", cargo_home.display()),
    ];
    cmd!(
        sh,
        "cargo build --release --locked --package regimg-resource --bin regimg --target {target}"
    )
    .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
    .run()?;
    Ok(workspace.target().join(target).join("release/regimg"))
}

/// Copies the binary and puts the links beside it; what was there is replaced.
fn install(built: &Path, out: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    for name in COMMANDS.into_iter().chain(["regimg"]) {
        // A running program's file cannot be written to, but it can be unlinked.
        if let Err(error) = fs::remove_file(out.join(name))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("replacing {}", out.join(name).display()));
        }
    }
    fs::copy(built, out.join("regimg"))
        .with_context(|| format!("copying the binary to {}", out.display()))?;
    for command in COMMANDS {
        symlink("regimg", out.join(command)).with_context(|| format!("linking {command}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installing_twice_leaves_the_binary_and_three_links() {
        let sh = xshell::Shell::new().unwrap();
        let directory = sh.create_temp_dir().unwrap();
        let (built, out) = (
            directory.path().join("built"),
            directory.path().join("opt/resource"),
        );
        for content in ["first", "second"] {
            fs::write(&built, content).unwrap();
            install(&built, &out).unwrap();
            assert_eq!(fs::read_to_string(out.join("regimg")).unwrap(), content);
        }
        for command in COMMANDS {
            assert_eq!(
                fs::read_link(out.join(command)).unwrap(),
                Path::new("regimg")
            );
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
    }
}
