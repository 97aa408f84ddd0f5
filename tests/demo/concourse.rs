//! Calls the programs of a resource as Concourse does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

/// Calls `check`, `in` or `out` in `programs`, shows what goes in and what comes out, and
/// returns the answer.
pub(crate) fn call(
    programs: &Path,
    name: &str,
    directory: Option<&Path>,
    request: &Value,
) -> anyhow::Result<Value> {
    let argument = directory
        .map(|directory| format!(" {}", directory.display()))
        .unwrap_or_default();
    println!("$ /opt/resource/{name}{argument} <<'EOF'\n{request:#}\nEOF");
    let program = programs.join(name);
    let started = Instant::now();
    let mut child = Command::new(&program)
        .args(directory)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    let sent = stdin.write_all(request.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{name} failed: {}", output.status);
    sent.with_context(|| format!("sending {name} its request"))?;
    let answer: Value =
        serde_json::from_slice(&output.stdout).context("stdout is one JSON value")?;
    println!("{answer:#}");
    println!("({:.2} s)", started.elapsed().as_secs_f64());
    Ok(answer)
}
