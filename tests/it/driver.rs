//! Calls the resource as Concourse does, in this process or as a program.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regimg_resource::{Captured, Command, Invocation, run};
use regimg_tests::process::{Finished, Process};
use serde_json::Value;

/// How a call ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// The most memory that the program held, in bytes; none of a call in this process.
    pub(crate) peak: Option<u64>,
}

impl Outcome {
    fn of(finished: &Finished) -> Self {
        Self {
            code: finished.status.code().expect("it was not killed"),
            stdout: finished.stdout_text(),
            stderr: finished.stderr_text(),
            peak: Some(finished.peak),
        }
    }

    /// Returns the answer of a call that must have succeeded.
    #[track_caller]
    pub(crate) fn answer(&self) -> Value {
        assert_eq!(self.code, 0, "{self:#?}");
        assert!(self.stdout.ends_with('\n'), "{self:#?}");
        serde_json::from_str(&self.stdout).expect("stdout is one JSON value")
    }

    /// Returns the message of a call that must have failed: what the last error line
    /// says, without its ornaments.
    #[track_caller]
    pub(crate) fn failure(&self) -> String {
        assert_eq!(self.code, 1, "{self:#?}");
        assert_eq!(self.stdout, "", "nothing is on stdout after an error");
        let line = self.stderr.lines().rev().find(|line| line.contains("ERRO"));
        let line = line.unwrap_or_else(|| panic!("no error line in {self:#?}"));
        let (_, message) = line.split_once("] ").expect("a line has a time");
        message.trim_end().to_owned()
    }
}

/// Calls `check`.
pub(crate) fn check(request: &Value) -> Outcome {
    call(Command::Check, &request.to_string(), None)
}

/// Calls `in`.
pub(crate) fn get(request: &Value, destination: &Path) -> Outcome {
    call(Command::Get, &request.to_string(), Some(destination))
}

/// Calls `out`.
pub(crate) fn put(request: &Value, source: &Path) -> Outcome {
    call(Command::Put, &request.to_string(), Some(source))
}

/// Calls `in` as a user without privileges; none where that cannot be: a process that runs
/// as root and the resource in itself cannot give it up for one call alone.
pub(crate) fn get_unprivileged(request: &Value, destination: &Path) -> Option<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Some(get(request, destination));
    }
    let programs = installed()?;
    // Where the programs are may be out of the user's reach, as root's home is.
    let reachable = tempfile::tempdir().expect("a directory");
    let program = reachable.path().join("in");
    std::fs::copy(programs.join("in"), &program).expect("a copy");
    for path in [reachable.path(), &program] {
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("its owner's right");
    }
    std::os::unix::fs::chown(destination, Some(NOBODY), Some(NOBODY)).expect("root's right");
    let process = Process::new(program).arg(destination).user(NOBODY);
    let finished = process.env("TEST", "true").input(request.to_string()).run();
    Some(Outcome::of(&finished.expect("the program starts")))
}

/// The user whom nothing belongs to.
const NOBODY: u32 = 65_534;

/// Calls a command with any text on stdin.
pub(crate) fn call(command: Command, stdin: &str, directory: Option<&Path>) -> Outcome {
    call_in(&[], command, stdin, directory)
}

/// Calls a command with more in its environment than `TEST=true`.
pub(crate) fn call_in(
    environment: &[(&str, &str)],
    command: Command,
    stdin: &str,
    directory: Option<&Path>,
) -> Outcome {
    let environment = [&[("TEST", "true")], environment].concat();
    match installed() {
        Some(programs) => call_program(&programs, &environment, command, stdin, directory),
        None => call_here(&environment, command, stdin, directory),
    }
}

/// Says whether the cases run against installed programs.
pub(crate) fn is_program() -> bool {
    installed().is_some()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no main that could pass the environment"
)]
fn installed() -> Option<PathBuf> {
    std::env::var_os("REGIMG_RESOURCE_DIR").map(PathBuf::from)
}

fn call_here(
    environment: &[(&str, &str)],
    command: Command,
    stdin: &str,
    directory: Option<&Path>,
) -> Outcome {
    let stderr = Captured::default();
    let mut stdout = Vec::new();
    let invocation = Invocation::new(command, stdin.as_bytes(), &mut stdout, stderr.clone())
        .directory(directory.map(Path::to_owned))
        .environment(
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
    let exit = run(invocation);
    Outcome {
        code: exit.code().into(),
        stdout: String::from_utf8(stdout).expect("stdout is UTF-8"),
        stderr: stderr.text(),
        peak: None,
    }
}

fn call_program(
    programs: &Path,
    environment: &[(&str, &str)],
    command: Command,
    stdin: &str,
    directory: Option<&Path>,
) -> Outcome {
    let name = match command {
        Command::Check => "check",
        Command::Get => "in",
        Command::Put => "out",
    };
    let process = Process::new(programs.join(name)).args(directory);
    let finished = environment
        .iter()
        .fold(process, |process, (name, value)| process.env(name, value))
        .input(stdin)
        .run()
        .expect("the program starts");
    Outcome::of(&finished)
}
