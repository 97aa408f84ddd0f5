//! Credential helpers: programs that are asked for a login
//! ([protocol](https://github.com/docker/docker-credential-helpers#development)).

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use regimg_core::Secret;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::Login;
use crate::CredentialError;
use crate::json::Object;

/// Bytes of an answer that are read.
const ANSWER_LIMIT: u64 = 1 << 20;

/// Where credential helpers are, and how they are run.
#[derive(Clone)]
pub struct Helpers {
    /// The directories in which `docker-credential-…` is looked for, in this order, as `PATH`
    /// lists them. Those that are not absolute are passed over.
    pub directories: Vec<PathBuf>,
    /// The whole environment of a helper, such as `HOME`.
    pub environment: Vec<(OsString, OsString)>,
    /// After which time a helper is killed.
    pub time_limit: Duration,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: Secret,
}

impl Helpers {
    /// Looks for helpers in the directories of `path`, which is a value of `PATH`. They get half a
    /// minute and an environment of `PATH` alone.
    pub fn in_path(path: &std::ffi::OsStr) -> Self {
        Self {
            directories: std::env::split_paths(path).collect(),
            environment: vec![("PATH".into(), path.to_owned())],
            time_limit: Duration::from_secs(30),
        }
    }

    /// Asks a helper for the login at a server; `None` when it has none.
    pub(super) async fn ask(
        &self,
        name: &str,
        server: &str,
    ) -> Result<Option<Login>, CredentialError> {
        let program = self.find(name)?;
        let failed = |error: io::Error| format!("the credential helper {name:?} failed: {error}");
        let run = run(self.command(&program), server);
        let (succeeded, answer) = tokio::time::timeout(self.time_limit, run)
            .await
            .map_err(|_| {
                format!(
                    "the credential helper {name:?} took longer than {:?}",
                    self.time_limit
                )
            })?
            .map_err(failed)?;
        if !succeeded {
            return not_found(name, &answer);
        }
        // Whatever it is, a part of it may be secret.
        let Object(wire): Object<Wire> = serde_json::from_slice(&answer).map_err(|_| {
            format!("the answer of the credential helper {name:?} is not understood")
        })?;
        let login = Login {
            username: wire.username,
            secret: wire.secret,
        };
        Ok(Some(login).filter(|login| !login.secret.is_empty()))
    }

    /// The name stands in a file that others may have written, so it may only name a program.
    fn find(&self, name: &str) -> Result<PathBuf, String> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !name.bytes().all(is_plain) {
            return Err(format!("{name:?} is not the name of a credential helper"));
        }
        let file = format!("docker-credential-{name}");
        let absolute = self
            .directories
            .iter()
            .filter(|directory| directory.is_absolute());
        let mut paths = absolute.map(|directory| directory.join(&file));
        paths
            .find(|path| path.is_file())
            .ok_or_else(|| format!("{file} is in none of the directories for helpers"))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("get").env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// The environment may hold keys, so only its names are shown.
impl fmt::Debug for Helpers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.environment.iter().map(|(name, _)| name);
        f.debug_struct("Helpers")
            .field("directories", &self.directories)
            .field("environment", &names.collect::<Vec<_>>())
            .field("time_limit", &self.time_limit)
            .finish()
    }
}

/// Runs a helper to its end; says whether it succeeded, and what it wrote.
async fn run(mut command: Command, server: &str) -> io::Result<(bool, Vec<u8>)> {
    let mut child = command.spawn()?;
    let written = write(&mut child, server);
    let mut answer = Vec::new();
    // A helper that does not read its input has that right.
    let _ = written.await;
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), answer))
}

async fn write(child: &mut Child, server: &str) -> io::Result<()> {
    let Some(mut stdin) = child.stdin.take() else {
        return Ok(());
    };
    stdin.write_all(format!("{server}\n").as_bytes()).await?;
    stdin.shutdown().await
}

/// Helpers that have no login fail with one of a few texts, of which every client knows the first.
fn not_found(name: &str, answer: &[u8]) -> Result<Option<Login>, CredentialError> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim();
    let none = [
        "credentials not found",
        "no credentials server URL",
        "no credentials username",
    ];
    if none.iter().any(|none| text.contains(none)) {
        return Ok(None);
    }
    // An answer in JSON may be a login after all.
    let why: String = if text.contains('{') {
        String::new()
    } else {
        let printable = text.chars().filter(|character| !character.is_control());
        printable.take(200).collect()
    };
    Err(format!("the credential helper {name:?} failed: {why}").into())
}
