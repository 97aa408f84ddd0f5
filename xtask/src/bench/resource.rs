//! `cargo xtask bench check` and `in`: the resource's commands, against other ways.
//!
//! What they are measured with belongs to the test crate, which has the registry.

use std::path::PathBuf;

use xshell::cmd;

use crate::workspace::Workspace;
use crate::{dist, flags, images, peers};

/// Measures `check` against one look-up after another.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    measure(workspace, "bench-check", &[])
}

/// Measures `in` against skopeo, umoci, podman and curl, as far as they are installed.
pub(crate) fn get(workspace: &Workspace, flags: &flags::In) -> anyhow::Result<()> {
    let directory = flags.images.clone();
    let directory = directory.unwrap_or_else(|| workspace.target().join("images"));
    let is_built = |name: &String| directory.join(name).join("index.json").exists();
    if !directory.exists() || !flags.names.iter().all(is_built) {
        images::run(workspace, &directory, &flags.names)?;
    }
    peers::provide(workspace, false)?;
    let names = flags.names.iter().map(PathBuf::from);
    let arguments: Vec<_> = [directory].into_iter().chain(names).collect();
    measure(workspace, "bench-in", &arguments)
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
