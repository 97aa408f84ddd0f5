//! `cargo xtask bench`: regimg against other people's programs, side by side in one run.
//!
//! Seconds differ from machine to machine and from hour to hour; the ratios in a table are
//! of the same machine in the same minutes, and are what targets are about.

mod client;
mod measure;
mod resource;
mod unpack;

use crate::flags::{Bench, BenchCmd};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, flags: &Bench) -> anyhow::Result<()> {
    match &flags.subcommand {
        BenchCmd::Check(crate::flags::Check {}) => resource::check(workspace),
        BenchCmd::In(flags) => resource::get(workspace, flags),
        BenchCmd::Out(flags) => resource::put(workspace, flags),
        BenchCmd::Registry(crate::flags::Registry {}) => client::run(workspace),
        BenchCmd::Unpack(flags) => unpack::run(workspace, flags),
    }
}
