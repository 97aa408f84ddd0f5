//! From a process's streams to a command and back.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tracing::instrument::WithSubscriber;

use crate::cli::Command;
use crate::error::{During, Error, describe, hint};
use crate::protocol::{self, CheckRequest, GetRequest, PutRequest};
use crate::report::Reporter;
use crate::resolve::Settings;
use crate::watch::Watch;
use crate::{check, get, put};

/// How long blocking work may take to notice that the program ends. It notices at its
/// next read of a layer, so this bounds one write to a disk that hangs.
pub(crate) const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// How long the last lines wait for whoever reads stderr, and how long after a signal.
const CLOSE_LIMIT: Duration = Duration::from_mins(1);
const INTERRUPTED_CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Requests are configuration; whoever sends more has connected the wrong stream.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// One call of the resource: a command and everything it may touch.
pub struct Invocation<'a> {
    command: Command,
    directory: Option<PathBuf>,
    environment: HashMap<String, String>,
    stdin: Box<dyn Read + 'a>,
    stdout: Box<dyn Write + 'a>,
    stderr: Box<dyn Write + Send>,
    obeys_signals: bool,
}

impl fmt::Debug for Invocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("command", &self.command)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl<'a> Invocation<'a> {
    /// Describes a call with an empty environment, no directory, and no interest in
    /// signals.
    pub fn new(
        command: Command,
        stdin: impl Read + 'a,
        stdout: impl Write + 'a,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        Self {
            command,
            directory: None,
            environment: HashMap::new(),
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            obeys_signals: false,
        }
    }

    /// Sets the directory that `in` writes to and `out` reads from.
    #[must_use]
    pub fn directory(mut self, directory: Option<PathBuf>) -> Self {
        self.directory = directory;
        self
    }

    /// Sets the environment variables: the proxy settings (`HTTPS_PROXY`,
    /// `HTTP_PROXY`, `NO_PROXY` in either case), and `TEST=true`, which shortens the
    /// first wait between retries to 5 ms. The clouds' own variables are read as their
    /// libraries read them, if the request asks for a login of theirs.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// Ends the command at SIGTERM and SIGINT, with its temporary files removed, and the
    /// process too if the command does not end in time, for example because nobody reads
    /// its answer. The handlers stay installed for the life of the process.
    #[must_use]
    pub fn obeying_signals(mut self) -> Self {
        self.obeys_signals = true;
        self
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// The command line was wrong.
    pub const USAGE: Self = Self(2);
    /// The command did what was asked.
    pub const SUCCESS: Self = Self(0);
    /// The command failed and said why on standard error.
    pub const FAILURE: Self = Self(1);

    /// Returns the process's exit status.
    pub fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Runs one command: reads the request, does what it asks, and writes the answer.
///
/// Nothing is written to stdout unless the command succeeded. Starts and stops its
/// own tokio runtime, so call it from a thread that runs none.
pub fn run(invocation: Invocation<'_>) -> Exit {
    let Invocation {
        command,
        directory,
        environment,
        mut stdin,
        mut stdout,
        stderr,
        obeys_signals,
    } = invocation;
    let report = Reporter::new(stderr);
    // It lasts as long as something is written that nobody may be reading.
    let (mut watch, started) = match obeys_signals.then(Watch::start) {
        None => (None, Ok(())),
        Some(Ok(watch)) => (Some(watch), Ok(())),
        Some(Err(error)) => (None, Err(error)),
    };
    let started = started.during("installing signal handlers");
    let outcome = started.and_then(|()| {
        let call = Call {
            command,
            directory,
            request: read_request(&mut stdin)?,
            settings: Settings::from_environment(&environment)?,
            report: report.clone(),
        };
        let answer = block_on(call, watch.as_mut())?;
        watch.iter_mut().for_each(Watch::command_is_over);
        write_answer(&mut stdout, &answer)
    });
    report.finish();
    let (exit, patience) = match outcome {
        Ok(()) => (Exit::SUCCESS, CLOSE_LIMIT),
        Err(error) => {
            report.failure(&describe(&error), hint(&error));
            let patience = match error {
                Error::Interrupted(_) => INTERRUPTED_CLOSE_LIMIT,
                _ => CLOSE_LIMIT,
            };
            (Exit(error.exit_code()), patience)
        }
    };
    report.close(patience);
    exit
}

/// Reads until the first JSON value is whole. Like Go's decoder it does not wait for
/// the end of stdin, which a caller may keep open.
fn read_request(stdin: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut request = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    let mut looked_at = 0;
    while request.len() <= REQUEST_LIMIT {
        match stdin.read(&mut chunk) {
            Ok(0) => return Ok(request),
            Ok(read) => request.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).during("reading the request from stdin"),
        }
        // Looking each time would take time that grows with the square of the length.
        let may_be_whole = request.trim_ascii_end().ends_with(b"}");
        if may_be_whole || request.len() >= 2 * looked_at {
            looked_at = request.len();
            if protocol::is_complete(&request) {
                return Ok(request);
            }
        }
    }
    Err(Error::Field {
        field: "stdin",
        problem: format!("more than {REQUEST_LIMIT} bytes of request"),
    })
}

fn write_answer(stdout: &mut dyn Write, answer: &str) -> Result<(), Error> {
    writeln!(stdout, "{answer}")
        .and_then(|()| stdout.flush())
        .during("writing the answer to stdout")
}

/// Runs a command on a runtime of its own, until it ends or a signal comes.
fn block_on(call: Call, watch: Option<&mut Watch>) -> Result<String, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .during("starting the asynchronous runtime")?;
    let subscriber = call.report.subscriber();
    let limit = call.shutdown_limit();
    let command = call.answer();
    let outcome = runtime.block_on(
        async {
            let Some(watch) = watch else {
                return command.await;
            };
            tokio::select! {
                outcome = command => outcome,
                signal = watch.signal() => Err(Error::Interrupted(signal)),
            }
        }
        .with_subscriber(subscriber),
    );
    // The command's future is gone by now, and with it the downloads: blocking work
    // ends at its next read and takes its temporary files along.
    runtime.shutdown_timeout(limit);
    outcome
}

/// A command with its request still in bytes.
struct Call {
    command: Command,
    directory: Option<PathBuf>,
    request: Vec<u8>,
    settings: Settings,
    report: Reporter,
}

impl Call {
    /// Says how long to wait for work that blocks. Only `in` leaves something behind that
    /// has to be removed; what `out` has on disk has no name.
    fn shutdown_limit(&self) -> Duration {
        match self.command {
            Command::Get => SHUTDOWN_LIMIT,
            Command::Check | Command::Put => Duration::ZERO,
        }
    }

    /// Decodes the request, runs the command, and encodes what it returns.
    async fn answer(self) -> Result<String, Error> {
        let Self {
            command,
            directory,
            request,
            settings,
            report,
        } = self;
        match command {
            Command::Check => {
                let request: CheckRequest = decode(&request)?;
                report.set_debug(request.source.debug);
                Ok(protocol::to_json(
                    &check::check(&request, &settings, &report).await?,
                ))
            }
            Command::Get => {
                let request: GetRequest = decode(&request)?;
                report.set_debug(request.source.debug);
                let directory = directory.ok_or(Error::MissingDirectory)?;
                Ok(protocol::to_json(
                    &get::get(&request, &directory, &settings, &report).await?,
                ))
            }
            Command::Put => {
                let request: PutRequest = decode(&request)?;
                report.set_debug(request.source.debug);
                let directory = directory.ok_or(Error::MissingDirectory)?;
                Ok(protocol::to_json(
                    &put::put(&request, &directory, &settings, &report).await?,
                ))
            }
        }
    }
}

fn decode<T: serde::de::DeserializeOwned>(request: &[u8]) -> Result<T, Error> {
    protocol::from_slice(request).map_err(Error::Payload)
}
