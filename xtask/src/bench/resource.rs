//! `cargo xtask bench check` and `in`: the resource's commands, against other ways.
//!
//! What they are measured with belongs to the test crate, which has the registry.

use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::workspace::Workspace;
use crate::{dist, images, peers};

/// Measures `check` against one look-up after another.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    measure(workspace, "bench-check", &[])
}

/// Measures `in` against skopeo, umoci, podman and curl, as far as they are installed.
pub(crate) fn get(workspace: &Workspace, directory: Option<&Path>) -> anyhow::Result<()> {
    peers::provide(workspace, false)?;
    let directory = directory.map_or_else(|| workspace.target().join("images"), PathBuf::from);
    images::run(workspace, &directory, &[])?;
    measure(workspace, "bench-in", &[directory])
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
