//! `cargo xtask test`: the whole check, the same for a developer and for CI.

use xshell::cmd;

use crate::flags;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;
use crate::{demo, deny, dist, docs, peers};

/// Runs the steps one after another, quick ones first; the first that fails is the last.
pub(crate) fn run(workspace: &Workspace, flags: &flags::Test) -> anyhow::Result<()> {
    let cargo = |arguments| cargo(workspace, arguments);
    let resource = workspace.target().join("dist");
    let mut steps = Steps::start();
    steps.step("fmt", || cargo("fmt --all --check"))?;
    steps.step("guide", || docs::run(workspace, true))?;
    steps.step("peers", || get_peers(workspace, flags.ci))?;
    steps.step("clippy", || {
        cargo("clippy --locked --workspace --all-targets -- -D warnings")
    })?;
    steps.step("tests", || run_tests(workspace))?;
    steps.step("features", || {
        cargo("test --locked --package regimg-unpack --features tokio --quiet -- async")
    })?;
    steps.step("doctests", || {
        cargo("test --locked --workspace --doc --quiet")
    })?;
    steps.step("documents", || document(workspace))?;
    steps.step("dependencies", || deny::run(workspace, flags.ci))?;
    steps.step("dist", || dist::run(workspace, &resource))?;
    steps.step("suite on dist", || {
        // The image that the Dockerfile builds is no other program than this one.
        let _programs = workspace.sh().push_env("REGIMG_RESOURCE_DIR", &resource);
        cargo("test --locked --package regimg-tests --test it --quiet -- --skip dockerfile")
    })?;
    steps.step("demo", || demo::show(workspace, &resource))?;
    steps.summarize();
    Ok(())
}

fn cargo(workspace: &Workspace, arguments: &str) -> anyhow::Result<()> {
    let sh = workspace.sh();
    Ok(cmd!(sh, "cargo").args(arguments.split(' ')).run()?)
}

/// Gets the peers, and lets no test that needs one skip itself if all are there.
fn get_peers(workspace: &Workspace, required: bool) -> anyhow::Result<Done> {
    let done = peers::provide(workspace, required)?;
    if matches!(done, Done::Whole) {
        workspace.sh().set_var("REGIMG_PEERS", "required");
    }
    Ok(done)
}

/// Runs the tests of every crate, each in a process of its own where nextest is there.
fn run_tests(workspace: &Workspace) -> anyhow::Result<Done> {
    if workspace.program("cargo-nextest").is_some() {
        cargo(
            workspace,
            "nextest run --locked --workspace --config-file xtask/nextest.toml",
        )?;
        return Ok(Done::Whole);
    }
    cargo(workspace, "test --locked --workspace --all-targets --quiet")?;
    Ok(Done::With(
        "by cargo test; cargo-nextest would also end a test that hangs".to_owned(),
    ))
}

fn document(workspace: &Workspace) -> anyhow::Result<()> {
    let _flags = workspace.sh().push_env("RUSTDOCFLAGS", "-D warnings");
    cargo(workspace, "doc --locked --workspace --no-deps")
}
