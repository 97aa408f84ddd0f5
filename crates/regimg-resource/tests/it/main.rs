//! The program `regimg` as a process: its name, its options, and signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod memory;

use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use regimg_resource::{Captured, Exit, Invocation};
use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::{Artifact, Image, Layer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_regimg");

/// Starts the program with nothing in its environment but what upstream's suite sets.
fn start(command: &mut Command, stdin: &str) -> Child {
    let mut child = command
        .env_clear()
        .env("TEST", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    child
}

fn run(command: &mut Command, stdin: &str) -> Output {
    start(command, stdin).wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_and_version_are_on_stdout() {
    let help = run(Command::new(PROGRAM).arg("--help"), "");
    assert!(help.status.success());
    for word in ["check", "in DIRECTORY", "out DIRECTORY", "/opt/resource"] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    let version = run(Command::new(PROGRAM).arg("--version"), "");
    assert_eq!(
        text(&version.stdout),
        concat!("regimg ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failed_command() {
    for arguments in [&[][..], &["pull"], &["check", "--colour"]] {
        let output = run(Command::new(PROGRAM).args(arguments), "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains("see regimg --help"));
    }
    let output = run(Command::new(PROGRAM).arg("check"), "{}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_name_it_is_called_by_is_the_command() {
    let registry = Registry::start();
    let image = Image::with_text("one");
    registry.publish("app", "latest", &image);
    let directory = tempfile::tempdir().unwrap();
    let request = format!(
        r#"{{"source": {{"repository": "{}/app", "tag": "latest"}}}}"#,
        registry.host()
    );
    let answer = format!(
        "[{{\"tag\":\"latest\",\"digest\":\"{}\"}}]\n",
        image.digest()
    );
    let link = directory.path().join("check");
    symlink(PROGRAM, &link).unwrap();
    assert_eq!(
        text(&run(&mut Command::new(&link), &request).stdout),
        answer
    );
    assert_eq!(
        text(&run(Command::new(PROGRAM).arg("check"), &request).stdout),
        answer
    );
    assert_eq!(
        text(&run(Command::new(PROGRAM).arg0("/opt/resource/check"), &request).stdout),
        answer
    );
}

/// A caller may keep stdin open; the request is whole when its JSON is.
#[test]
fn the_answer_does_not_wait_for_the_end_of_stdin() {
    let mut command = Command::new(PROGRAM);
    let mut child = command
        .arg("check")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(br#"{"source": {"colour": 1}}"#).unwrap();
    assert_eq!(wait(&mut child).code(), Some(1));
    drop(stdin);
}

fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Waits for something that has to happen; the bound only keeps a broken program from
/// hanging the suite.
fn eventually(mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !happened() {
        assert!(Instant::now() < deadline, "it never happened");
        thread::sleep(Duration::from_millis(5));
    }
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let mut status = None;
    eventually(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Nobody reads the answer, which is larger than a pipe holds.
#[test]
fn a_signal_ends_it_while_nobody_reads() {
    let registry = Registry::start();
    let digest = registry.push("app", &Image::with_text("one"));
    for number in 0..2000 {
        registry.tag("app", &format!("build-{number}"), &digest);
    }
    let request = format!(
        r#"{{"source": {{"repository": "{}/app", "tag_regex": "^build-"}}}}"#,
        registry.host()
    );
    let mut child = start(Command::new(PROGRAM).arg("check"), &request);
    eventually(|| registry.count("HEAD", "/v2/app/manifests/") == 2000);
    // Its last look-up was asked for, so it will be writing soon and for good.
    thread::sleep(Duration::from_millis(200));
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(wait(&mut child).code(), Some(143));
}

/// An image whose second layer stops in the middle, and the request that fetches it.
struct Stalled {
    registry: Registry,
    second: String,
    image: Image,
    directory: tempfile::TempDir,
}

impl Stalled {
    fn new(fault: Fault) -> Self {
        let registry = Registry::start();
        let image = Image::builder()
            .layer(Layer::parse("file first random=200000"))
            .layer(Layer::parse("file second random=200000"))
            .build();
        registry.publish("app", "latest", &image);
        let second = format!("/v2/app/blobs/{}", image.layers()[1].digest());
        registry.fault(Match::get(&second), fault);
        Self {
            registry,
            second,
            image,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn request(&self, format: &str) -> String {
        format!(
            r#"{{"source": {{"repository": "{}/app"}}, "params": {{"format": "{format}"}},
                "version": {{"tag": "latest", "digest": "{}"}}}}"#,
            self.registry.host(),
            self.image.digest()
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("in").arg(self.directory.path());
        command
    }

    /// Starts the step and waits until it waits.
    fn start(&self, format: &str) -> Child {
        let child = start(&mut self.command(), &self.request(format));
        eventually(|| self.registry.count("GET", &self.second) >= 1);
        eventually(|| !names(self.directory.path()).is_empty());
        child
    }

    fn names(&self) -> Vec<String> {
        names(self.directory.path())
    }
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(child.id().to_string())
        .status();
    assert!(kill.unwrap().success());
}

#[test]
fn a_signal_ends_it_and_its_temporary_files() {
    // It waits for bytes, or for the time of another try.
    let stall = || Fault::stall_at(100_000);
    let busy = || Fault::status(429).header("retry-after", "300");
    for (signal, code, format, fault) in [
        ("TERM", 143, "rootfs", stall()),
        ("INT", 130, "oci", stall()),
        ("TERM", 143, "oci-layout", stall()),
        ("TERM", 143, "rootfs", busy()),
    ] {
        let stalled = Stalled::new(fault);
        let mut child = stalled.start(format);
        send(signal, &child);
        assert_eq!(wait(&mut child).code(), Some(code), "{signal} {format}");
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains(&format!("interrupted by SIG{signal}")));
        assert!(
            stalled.names().is_empty(),
            "{signal} {format}: {:?}",
            stalled.names()
        );
    }
}

/// Nobody can clean up after SIGKILL but the next step in the same directory.
#[test]
fn what_a_killed_step_left_does_not_disturb_the_next() {
    for format in ["rootfs", "oci", "oci-layout"] {
        let stalled = Stalled::new(Fault::stall_at(100_000));
        let mut child = stalled.start(format);
        send("KILL", &child);
        assert_eq!(wait(&mut child).code(), None);
        let left = stalled.names();
        assert!(
            left.iter().all(|name| name.starts_with(".regimg-")),
            "{left:?}"
        );
        assert!(!left.is_empty());

        stalled.registry.clear_faults();
        let output = run(&mut stalled.command(), &stalled.request(format));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let names = stalled.names();
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
        assert!(names.iter().any(|name| name == "digest"), "{names:?}");
    }
}

/// A stderr that takes nothing, until it is let go.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar)>);

impl Stuck {
    fn let_go(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (is_free, changed) = &*self.0;
        drop(changed.wait_while(is_free.lock().unwrap(), |is_free| !*is_free));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bars, warnings and requests are told to whoever reads stderr, and wait for nobody.
#[test]
fn a_reader_of_stderr_that_takes_nothing_holds_up_nothing() {
    for debug in [true, false] {
        let stalled = Stalled::new(Fault::answer());
        let retried = Match::get(&stalled.second).times(3);
        stalled.registry.clear_faults();
        stalled.registry.fault(retried, Fault::cut_at(30_000));
        let request = stalled.request("rootfs");
        let request = request.replace("/app\"", &format!("/app\", \"debug\": {debug}"));
        let (stderr, stdout) = (Stuck::default(), Captured::default());
        let running = {
            let (stderr, stdout) = (stderr.clone(), stdout.clone());
            let directory = stalled.directory.path().to_owned();
            let command = regimg_resource::Command::Get;
            thread::spawn(move || {
                let invocation = Invocation::new(command, request.as_bytes(), stdout, stderr)
                    .directory(Some(directory))
                    .environment([("TEST".to_owned(), "true".to_owned())]);
                regimg_resource::run(invocation)
            })
        };
        eventually(|| stdout.text().ends_with('\n'));
        assert!(stalled.names().iter().any(|name| name == "digest"));
        stderr.let_go();
        assert_eq!(running.join().unwrap(), Exit::SUCCESS);
    }
}
