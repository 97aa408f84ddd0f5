//! `cargo xtask bench check`, `in` and `out`: the resource's commands, against other ways.
//!
//! What they are measured with belongs to the test crate, which has the registry.

use std::path::PathBuf;

use anyhow::ensure;
use xshell::cmd;

use crate::workspace::Workspace;
use crate::{dist, flags, images, peers};

/// Measures `check` against one look-up after another.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    measure(workspace, "bench-check", &[])
}

/// Measures `in` against skopeo, umoci, podman and curl, as far as they are installed.
pub(crate) fn get(workspace: &Workspace, flags: &flags::In) -> anyhow::Result<()> {
    let line = flags.line.as_deref().unwrap_or("both");
    ensure!(
        ["full", "slow", "both"].contains(&line),
        "{line:?} is no line: there are full and slow"
    );
    measure_images(
        workspace,
        "bench-in",
        flags.images.as_ref(),
        &[line],
        &flags.names,
    )
}

/// Measures `out` against skopeo and curl.
pub(crate) fn put(workspace: &Workspace, flags: &flags::Out) -> anyhow::Result<()> {
    measure_images(
        workspace,
        "bench-out",
        flags.images.as_ref(),
        &[],
        &flags.names,
    )
}

/// Measures with images, which are built if they are not there.
fn measure_images(
    workspace: &Workspace,
    program: &str,
    directory: Option<&PathBuf>,
    options: &[&str],
    names: &[String],
) -> anyhow::Result<()> {
    let directory = match directory {
        Some(directory) => directory.clone(),
        None => workspace.target().join("images"),
    };
    let is_built = |name: &String| directory.join(name).join("index.json").exists();
    if !directory.exists() || !names.iter().all(is_built) {
        images::run(workspace, &directory, names)?;
    }
    peers::provide(workspace, false)?;
    let options = options.iter().map(PathBuf::from);
    let names = names.iter().map(PathBuf::from);
    let arguments: Vec<_> = [directory]
        .into_iter()
        .chain(options)
        .chain(names)
        .collect();
    measure(workspace, program, &arguments)
}

fn measure(workspace: &Workspace, program: &str, arguments: &[PathBuf]) -> anyhow::Result<()> {
    let resource = workspace.target().join("dist");
    dist::run(workspace, &resource)?;
    let sh = workspace.sh();
    cmd!(
        sh,
        "cargo run --release --quiet --locked --package regimg-tests --bin {program} -- {resource} {arguments...}"
    )
    .run()?;
    Ok(())
}
