//! Shows the resource at work: `out`, `check` and `in` against a registry on loopback.
//!
//! `cargo xtask demo` calls this with the directory that holds the three programs. The
//! requests are those that Concourse would send; what the programs write to standard
//! error, progress bars among it, passes through as it comes.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the demonstration is what this prints"
)]

mod concourse;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // As the last line, where a log that was cut still has it.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let programs = std::env::args_os()
        .nth(1)
        .context("usage: demo DIRECTORY, the one that holds check, in and out")?;
    story::tell(&PathBuf::from(programs))
}
