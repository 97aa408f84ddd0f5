//! Runs a program with a clean environment, an input and a deadline.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// A program to be run once; its environment is empty but for what is given.
///
/// ```
/// use regimg_tests::Process;
///
/// let done = Process::new("/bin/sh").args(["-c", "read line; echo \"got $line\""]).input("x\n").run()?;
/// assert_eq!(done.stdout_text(), "got x\n");
/// assert!(done.status.success());
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    user: Option<u32>,
    input: Vec<u8>,
    deadline: Duration,
}

/// How a program ended, and what it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit status; a program that was killed at its deadline has a signal in it.
    pub status: ExitStatus,
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: Vec<u8>,
    /// Whether the deadline passed and the program was killed.
    pub timed_out: bool,
    /// How long it ran.
    pub elapsed: Duration,
    /// The most memory that it was seen to hold (`VmHWM` of proc(5)), in bytes. It is looked at
    /// all the time, so what is missed is what was added in the last hundredth of a second.
    pub peak: u64,
}

impl Finished {
    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Gives standard output after a success.
    ///
    /// # Panics
    /// With both outputs when the program failed.
    #[track_caller]
    pub fn expect_success(self) -> String {
        let (stdout, stderr) = (self.stdout_text(), self.stderr_text());
        assert!(self.status.success(), "{}\n{stdout}\n{stderr}", self.status);
        stdout
    }
}

impl Process {
    /// Names the program: a path, or a name that is looked up in the `PATH` that [`Process::env`] gives.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            user: None,
            input: Vec::new(),
            deadline: Duration::from_mins(1),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Runs it as another user and the group of the same number, without further groups,
    /// which only root can.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets what the program reads from standard input, which ends after it.
    #[must_use]
    pub fn input(mut self, input: impl AsRef<[u8]>) -> Self {
        input.as_ref().clone_into(&mut self.input);
        self
    }

    /// Sets after which time the program is killed; a minute unless said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs the program to its end or its deadline.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn run(self) -> io::Result<Finished> {
        self.start()?.finish()
    }

    /// Starts the program and leaves it running, until [`Running::finish`] or its deadline.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(self) -> io::Result<Running> {
        let started = Instant::now();
        let mut child = self.command().spawn()?;
        let stdin = child.stdin.take();
        let input = self.input;
        // A program that does not read all of its input closes the pipe, which is its right.
        thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let stdout = Some(collect(child.stdout.take()));
        let stderr = Some(collect(child.stderr.take()));
        Ok(Running {
            child,
            stdout,
            stderr,
            started,
            deadline: self.deadline,
            peak: 0,
        })
    }

    fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        // A group of its own, so that what it starts can be ended with it.
        command.process_group(0);
        command
    }
}

/// A program under way; it is killed, with everything that it started, when this is dropped.
///
/// ```
/// use regimg_tests::Process;
///
/// let mut running = Process::new("/bin/sh").args(["-c", "exec sleep 60"]).start()?;
/// running.terminate();
/// assert_eq!(running.finish()?.status.code(), None);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    started: Instant,
    deadline: Duration,
    peak: u64,
}

impl Running {
    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The status when it has ended by itself.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends SIGTERM, as Concourse does when a step is aborted.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    /// To the program alone, and only while its number is certainly its own.
    fn signal(&mut self, signal: Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end this very moment, which is what was wanted.
            let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Waits for the end or the deadline, at which the program and what it started are killed.
    ///
    /// # Errors
    /// When the system cannot tell how it ended.
    pub fn finish(mut self) -> io::Result<Finished> {
        let (status, timed_out) = self.wait()?;
        let elapsed = self.started.elapsed();
        let (stdout, stderr) = (join(self.stdout.take()), join(self.stderr.take()));
        Ok(Finished {
            status,
            stdout,
            stderr,
            timed_out,
            elapsed,
            peak: self.peak,
        })
    }

    fn wait(&mut self) -> io::Result<(ExitStatus, bool)> {
        let mut pause = Duration::from_micros(200);
        loop {
            self.peak = self.peak.max(peak_memory(self.child.id()));
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, false));
            }
            if self.started.elapsed() >= self.deadline {
                self.kill();
                return Ok((self.child.wait()?, true));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Kills the group, whose number cannot be another's before its leader was waited for.
    fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Both fail only when everything has ended meanwhile.
            let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.kill();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // Only a program that was waited for before cannot be waited for.
        let _ = self.child.wait();
    }
}

/// Returns the most memory that a process has held so far (`VmHWM` of proc(5)), in bytes; nothing
/// if it has ended.
pub fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still of use to whoever looks at the outcome.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn join(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn shell(script: &str) -> Process {
        Process::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn memory_is_that_of_the_program() {
        let held = |bytes: &str| {
            let script = format!("x=$(head -c {bytes} /dev/zero | tr '\\0' x); sleep 0.1");
            shell(&script)
                .env("PATH", "/usr/bin:/bin")
                .run()
                .unwrap()
                .peak
        };
        let (little, much) = (held("1"), held("20000000"));
        assert!(little > 0 && little < 20_000_000, "{little} bytes");
        assert!(much > 20_000_000, "{much} bytes");
    }

    #[test]
    fn outputs_status_and_environment() {
        let done = shell("echo out $A $HOME; echo err >&2; pwd; exit 3")
            .env("A", "1")
            .directory("/")
            .run()
            .unwrap();
        assert_eq!(done.stdout_text(), "out 1\n/\n");
        assert_eq!(done.stderr_text(), "err\n");
        assert_eq!((done.status.code(), done.timed_out), (Some(3), false));
    }

    #[test]
    fn much_input_and_output_at_once() {
        let input = vec![b'x'; 1 << 20];
        let done = Process::new("cat")
            .env("PATH", "/bin:/usr/bin")
            .input(&input)
            .run()
            .unwrap();
        assert!(done.stdout == input);
        let unread = shell("exit 0").input(&input).run().unwrap();
        assert!(unread.status.success());
    }

    #[test]
    fn a_deadline_kills() {
        let done = shell("echo before; exec sleep 60")
            .deadline(Duration::from_millis(100))
            .run()
            .unwrap();
        assert!(done.timed_out && done.elapsed < Duration::from_secs(10));
        assert_eq!(done.status.signal(), Some(9));
        assert_eq!(done.stdout_text(), "before\n");
    }

    #[test]
    fn a_deadline_kills_what_the_program_started_too() {
        let script = "sleep 60 & echo $!; wait";
        let done = shell(script)
            .deadline(Duration::from_millis(100))
            .run()
            .unwrap();
        assert!(done.timed_out && done.elapsed < Duration::from_secs(10));
        let child = PathBuf::from(format!("/proc/{}/exe", done.stdout_text().trim()));
        assert!(
            std::fs::read_link(child).is_err(),
            "the program's child is gone or dead"
        );
    }

    #[test]
    fn signals_reach_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready");
        let script = "trap 'echo ended; exit 7' TERM; : > ready; while :; do sleep 0.01; done";
        let process = shell(script)
            .env("PATH", "/bin:/usr/bin")
            .directory(&directory);
        let mut running = process.deadline(Duration::from_secs(20)).start().unwrap();
        while !ready.exists() && running.ended().unwrap().is_none() {
            thread::yield_now();
        }
        running.terminate();
        let done = running.finish().unwrap();
        assert_eq!(
            (done.stdout_text().as_str(), done.status.code()),
            ("ended\n", Some(7))
        );
    }

    /// A shell without job control starts background jobs with SIGINT ignored, and children inherit that.
    fn interrupts_are_ignored() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .unwrap()
            .trim();
        u64::from_str_radix(mask, 16).unwrap() & 0b10 != 0
    }

    #[test]
    fn interrupts_reach_the_program() {
        let deadline = Duration::from_secs(if interrupts_are_ignored() { 0 } else { 20 });
        let mut running = shell("exec sleep 60").deadline(deadline).start().unwrap();
        running.interrupt();
        let expected = if interrupts_are_ignored() { 9 } else { 2 };
        assert_eq!(running.finish().unwrap().status.signal(), Some(expected));
    }

    #[test]
    fn what_runs_in_the_background_ends_with_its_owner() {
        let mut running = shell("exec sleep 60").start().unwrap();
        let path = PathBuf::from(format!("/proc/{}", running.id()));
        assert!(path.exists());
        assert_eq!(running.ended().unwrap(), None);
        drop(running);
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(Process::new("/nonexistent").run().is_err());
    }
}
