//! The dependencies: licences, advisories, duplicates, where they come from.

use xshell::cmd;

use crate::steps::Done;
use crate::workspace::Workspace;

/// The release of cargo-deny that reads our `deny.toml`.
const VERSION: &str = "^0.20";

/// Checks `Cargo.lock` against `deny.toml` with cargo-deny, where it is installed.
///
/// The licences, the bans and the sources follow from the lock file. The advisories
/// come from a repository on GitHub; a machine that cannot reach it checks the rest.
/// With `required` a missing cargo-deny is compiled, which takes minutes.
///
/// # Errors
///
/// A dependency breaks a rule, or a required cargo-deny cannot be had.
pub(crate) fn run(workspace: &Workspace, required: bool) -> anyhow::Result<Done> {
    let sh = workspace.sh();
    let tools = workspace.target().join("tools");
    workspace.prepend_path(&tools.join("bin"))?;
    if workspace.program("cargo-deny").is_none() {
        if !required {
            return Ok(Done::Without(
                "cargo-deny is not installed (cargo install --locked cargo-deny)".to_owned(),
            ));
        }
        cmd!(
            sh,
            "cargo install --locked --quiet --root {tools} --version {VERSION} cargo-deny"
        )
        .run()?;
    }
    cmd!(
        sh,
        "cargo deny --workspace --locked check bans licenses sources"
    )
    .run()?;
    if cmd!(sh, "cargo deny fetch db")
        .ignore_stderr()
        .run()
        .is_err()
    {
        return Ok(Done::Without(
            "the advisory database is out of reach".to_owned(),
        ));
    }
    cmd!(
        sh,
        "cargo deny --workspace --locked check --disable-fetch advisories"
    )
    .run()?;
    Ok(Done::Whole)
}
