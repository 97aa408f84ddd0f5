//! The program `regimg` as a process: its name, its options, and signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod memory;

use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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

#[test]
fn a_signal_ends_it_and_its_temporary_files() {
    for (signal, code, format) in [
        ("TERM", 143, "rootfs"),
        ("INT", 130, "oci"),
        ("TERM", 143, "oci"),
    ] {
        let registry = Registry::start();
        let image = Image::builder()
            .layer(Layer::parse("file first random=200000"))
            .layer(Layer::parse("file second random=200000"))
            .build();
        registry.publish("app", "latest", &image);
        let second = format!("/v2/app/blobs/{}", image.layers()[1].digest());
        registry.fault(Match::get(&second), Fault::stall_at(100_000));
        let directory = tempfile::tempdir().unwrap();
        let request = format!(
            r#"{{"source": {{"repository": "{}/app"}}, "params": {{"format": "{format}"}},
                "version": {{"tag": "latest", "digest": "{}"}}}}"#,
            registry.host(),
            image.digest()
        );
        let mut child = start(
            Command::new(PROGRAM).arg("in").arg(directory.path()),
            &request,
        );
        eventually(|| registry.count("GET", &second) == 1);
        eventually(|| !names(directory.path()).is_empty());
        let kill = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(wait(&mut child).code(), Some(code), "{signal} {format}");
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains(&format!("interrupted by SIG{signal}")));
        assert!(
            names(directory.path()).is_empty(),
            "{signal} {format}: {:?}",
            names(directory.path())
        );
    }
}
