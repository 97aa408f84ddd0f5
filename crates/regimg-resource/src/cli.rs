//! The command line: which command, in which directory.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lexopt::Arg;

/// What `regimg --help` prints.
const HELP: &str = "\
regimg - the registry-image resource of Concourse

Usage:
  regimg check             print the versions that the source asks for
  regimg in DIRECTORY      fetch a version's image into DIRECTORY
  regimg out DIRECTORY     push the image that params.image names below DIRECTORY
  regimg --help | --version

Called by the name check, in or out (a link to this program, as /opt/resource has
them) it is that command. The request is read as JSON from standard input; the answer
is one JSON value on standard output; everything for people goes to standard error.
The exit status is 0, 1 when the command failed, 2 when the command line is wrong,
130 or 143 when a signal ended it.

Example:
  echo '{\"source\": {\"repository\": \"alpine\", \"tag\": \"latest\"}}' | regimg check
";

/// Names one of the three commands of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Finds versions.
    Check,
    /// Fetches a version; Concourse calls it `in`.
    Get,
    /// Pushes an image; Concourse calls it `out`.
    Put,
}

impl Command {
    fn named(name: &str) -> Option<Self> {
        match name {
            "check" => Some(Self::Check),
            "in" => Some(Self::Get),
            "out" => Some(Self::Put),
            _ => None,
        }
    }
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run a command, in the directory given.
    Run(Command, Option<PathBuf>),
    /// Explain the program.
    Help,
    /// Name the program's version.
    Version,
}

/// Says what is wrong with a command line.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see regimg --help", self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads a command line, the program's own name first.
///
/// Arguments after the directory are ignored, as the Go resource ignores them.
///
/// # Errors
///
/// An unknown command or option, or none at all.
pub fn parse_arguments(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Action, UsageError> {
    let mut parser = lexopt::Parser::from_iter(arguments);
    let mut command = parser
        .bin_name()
        .and_then(|name| Command::named(file_name(name)));
    let mut directory = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Action::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Action::Version),
            Arg::Value(name) if command.is_none() => {
                let name = name.to_string_lossy();
                command = Some(
                    Command::named(&name)
                        .ok_or_else(|| UsageError(format!("unknown command {name:?}")))?,
                );
            }
            Arg::Value(path) => directory = directory.or(Some(PathBuf::from(path))),
            Arg::Short(_) | Arg::Long(_) => return Err(argument.unexpected().into()),
        }
    }
    let command = command.ok_or_else(|| UsageError("no command given".to_owned()))?;
    Ok(Action::Run(command, directory))
}

/// Writes what `regimg --help` says.
///
/// # Errors
///
/// The stream is closed.
pub fn print_help(mut stdout: impl Write) -> io::Result<()> {
    stdout.write_all(HELP.as_bytes())
}

/// Writes what `regimg --version` says.
///
/// # Errors
///
/// The stream is closed.
pub fn print_version(mut stdout: impl Write) -> io::Result<()> {
    writeln!(stdout, "regimg {}", env!("CARGO_PKG_VERSION"))
}

fn file_name(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let actual = match parse_arguments(line.split_whitespace().map(OsString::from)) {
            Ok(action) => format!("{action:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected, "{line}");
    }

    #[test]
    fn commands_come_from_the_name_or_the_first_argument() {
        check("/opt/resource/check", "Run(Check, None)");
        check(
            "/opt/resource/in /tmp/build/get",
            r#"Run(Get, Some("/tmp/build/get"))"#,
        );
        check("regimg out /src ignored", r#"Run(Put, Some("/src"))"#);
        check("in", "Run(Get, None)");
        check("/usr/bin/regimg --help", "Help");
        check("regimg check -V", "Version");
        check("regimg", "no command given; see regimg --help");
        check(
            "regimg pull x",
            r#"unknown command "pull"; see regimg --help"#,
        );
        check(
            "regimg check --colour",
            "invalid option '--colour'; see regimg --help",
        );
    }
}
