//! Runs other programs, and writes down what they took.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use regimg_tests::process::peak_memory;

/// Between two looks at a process's memory.
const LOOK: Duration = Duration::from_millis(5);

/// What Linux counts a process's time in, on every machine.
const TICKS_PER_SECOND: u32 = 100;

/// What one way took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// The most memory at one time, of the program and what it started, in KiB.
    pub(crate) peak: u64,
}

impl Figures {
    /// One thing after another.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            peak: self.peak.max(next.peak),
        }
    }
}

/// Prepares a call with a `PATH` and a home that is nobody's.
pub(crate) fn call(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Runs a program that must succeed.
pub(crate) fn measure(command: &mut Command) -> Result<Figures> {
    let errors = tempfile::NamedTempFile::new()?;
    measure_with_log(command, errors.path())
}

/// Runs a program that must succeed, and keeps what it says on stderr in a file.
pub(crate) fn measure_with_log(command: &mut Command, log: &Path) -> Result<Figures> {
    let before = children_time()?;
    let started = Instant::now();
    let mut child = command.stderr(fs::File::create(log)?).spawn()?;
    let process = child.id();
    let (running, ended) = mpsc::channel();
    let watching = thread::spawn(move || watch(process, &ended));
    let status = child.wait()?;
    let wall = started.elapsed();
    drop(running);
    ensure!(
        status.success(),
        "{}: {}",
        command.get_program().display(),
        fs::read_to_string(log)?
    );
    let peak = watching.join().ok().context("nobody watched the memory")?;
    Ok(Figures {
        wall,
        cpu: children_time()?.saturating_sub(before),
        peak,
    })
}

/// Looks at a process's memory until the sender is dropped.
fn watch(process: u32, ended: &Receiver<()>) -> u64 {
    let mut peak = 0;
    loop {
        peak = peak.max(memory(process));
        if ended.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            return peak;
        }
    }
}

/// Adds up the most memory that a process and what it started had so far, in KiB. One that
/// has ended had none.
fn memory(process: u32) -> u64 {
    let own = peak_memory(process) / 1024;
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    own + children.map(memory).sum::<u64>()
}

/// Returns the time that all children took that have ended and were waited for.
fn children_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is a name in parentheses; the 16th and 17th are the children's times.
    let (_, fields) = stat.rsplit_once(") ").context("a process has a name")?;
    let times = fields.split(' ').skip(13).take(2);
    let ticks = times.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(Duration::from_secs(1) * ticks / TICKS_PER_SECOND)
}
