//! `cargo xtask bench in`: images out of a registry, in every format.
//!
//! The registry, the slow line and the measuring are a program of the tests' crate, which
//! has them; xtask uses none of the workspace's crates.

use xshell::cmd;

use crate::flags;
use crate::workspace::Workspace;
use crate::{dist, images, peers};

/// Builds what is measured and what it is measured with, and measures.
pub(crate) fn run(workspace: &Workspace, flags: &flags::In) -> anyhow::Result<()> {
    let (target, sh) = (workspace.target(), workspace.sh());
    let images = flags.images.clone();
    let images = images.unwrap_or_else(|| target.join("images"));
    let is_built = |name: &String| images.join(name).join("index.json").exists();
    if !images.exists() || !flags.names.iter().all(is_built) {
        images::run(workspace, &images, &flags.names)?;
    }
    peers::provide(workspace, false)?;
    let programs = target.join("dist");
    dist::run(workspace, &programs)?;
    let names = &flags.names;
    let bench = "run --locked --quiet --release --package regimg-tests --bin bench-in --";
    let bench = cmd!(sh, "cargo").args(bench.split(' '));
    Ok(bench.arg(&programs).arg(&images).args(names).run()?)
}
