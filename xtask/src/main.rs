//! Automation of the regimg workspace: what a developer and CI call.
//!
//! `cargo xtask --help` lists the commands. The crate depends on little, so that it
//! compiles in seconds, and on none of the crates that it builds, so that it works
//! while they are broken.
#![expect(
    clippy::print_stderr,
    reason = "xtask talks to the person who called it"
)]

mod bench;
mod demo;
mod deny;
mod dist;
mod docs;
mod elf;
mod flags;
mod images;
mod peers;
mod steps;
mod test;
mod workspace;

use std::process::ExitCode;

use crate::flags::XtaskCmd;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let flags = flags::Xtask::from_env_or_exit();
    match run(flags.subcommand) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: XtaskCmd) -> anyhow::Result<()> {
    let workspace = Workspace::open()?;
    match command {
        XtaskCmd::Test(flags) => test::run(&workspace, &flags),
        XtaskCmd::Dist(flags) => dist::run(&workspace, &flags.out),
        XtaskCmd::Docs(flags) => docs::run(&workspace, flags.check),
        XtaskCmd::Bench(flags) => bench::run(&workspace, &flags),
        XtaskCmd::Demo(flags::Demo {}) => demo::run(&workspace),
        XtaskCmd::Images(flags) => images::run(&workspace, &flags.directory, &flags.names),
    }
}
