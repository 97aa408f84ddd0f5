//! The program `regimg`; see the crate `regimg-resource` for what it does.

use std::io;
use std::process::ExitCode;

use regimg_resource::{Action, Exit, Invocation, parse_arguments, print_help, print_version, run};

fn main() -> ExitCode {
    let outcome = match parse_arguments(std::env::args_os()) {
        Ok(Action::Run(command, directory)) => {
            let invocation = Invocation::new(command, io::stdin(), io::stdout(), io::stderr())
                .directory(directory)
                .environment(environment())
                .obeying_signals();
            return run(invocation).into();
        }
        Ok(Action::Help) => print_help(io::stdout()),
        Ok(Action::Version) => print_version(io::stdout()),
        Err(error) => Err(io::Error::other(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::Write::write_fmt(&mut io::stderr(), format_args!("regimg: {error}\n"));
            Exit::USAGE.into()
        }
    }
}

/// Reads the environment here and nowhere else. Variables that are not UTF-8 cannot be
/// ones that matter.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
