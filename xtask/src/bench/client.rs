//! `cargo xtask bench registry`: the registry client alone, against other people's programs.
//!
//! What it is measured with belongs to the test crate, which has the registries.

use xshell::cmd;

use crate::peers;
use crate::workspace::Workspace;

/// Measures the client's example program, built as it is released.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    peers::provide(workspace, false)?;
    let sh = workspace.sh();
    cmd!(
        sh,
        "cargo build --locked --release --package regimg-registry --example transfer"
    )
    .run()?;
    let transfer = workspace.target().join("release/examples/transfer");
    cmd!(
        sh,
        "cargo run --release --quiet --locked --package regimg-tests --bin bench-registry -- {transfer}"
    )
    .run()?;
    Ok(())
}
