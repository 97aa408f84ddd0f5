//! `cargo xtask demo`: the resource at work, for somebody who sees it first.

use std::path::Path;

use xshell::cmd;

use crate::dist;
use crate::workspace::Workspace;

/// Builds the binary and shows it.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let resource = workspace.target().join("dist");
    dist::run(workspace, &resource)?;
    show(workspace, &resource)
}

/// Runs the demo program on the binary in a directory. The program belongs to the test
/// crate, which has the registry that it needs.
pub(crate) fn show(workspace: &Workspace, resource: &Path) -> anyhow::Result<()> {
    let sh = workspace.sh();
    cmd!(
        sh,
        "cargo run --quiet --locked --package regimg-tests --bin demo -- {resource}"
    )
    .run()?;
    Ok(())
}
