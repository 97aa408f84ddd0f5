//! Running programs and writing down what they took.

use std::fmt::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wait4::Wait4;

/// What one run of a program took, its own children included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    /// Time of all processors together, in the program and in the system for it.
    pub(crate) cpu: Duration,
    /// Bytes of memory at the most, of the largest process.
    pub(crate) peak: u64,
}

/// Runs a program to its end.
///
/// # Errors
///
/// When it cannot be started, or fails; what it printed is then part of the error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Taken> {
    let errors = tempfile()?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?);
    let started = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let used = child.wait4()?;
    let wall = started.elapsed();
    ensure!(
        used.status.success(),
        "{command:?} failed: {}",
        read_back(errors)?
    );
    Ok(Taken {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        peak: used.rusage.maxrss,
    })
}

/// A file that is gone once nobody has it open: a pipe would have to be emptied meanwhile.
fn tempfile() -> anyhow::Result<std::fs::File> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("xtask-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn read_back(mut file: std::fs::File) -> anyhow::Result<String> {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// A program's runs, and what to say about them besides.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) runs: Vec<Taken>,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            runs: Vec::new(),
            note: String::new(),
        }
    }

    /// Returns the run in the middle, by a measure.
    fn median<T: Ord>(&self, measure: impl Fn(&Taken) -> T) -> Option<T> {
        let mut values: Vec<T> = self.runs.iter().map(measure).collect();
        values.sort();
        let middle = values.len().checked_sub(1)? / 2;
        values.into_iter().nth(middle)
    }
}

/// Lays rows out, with ratios to the first of them.
pub(crate) fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}  {:>6}\n",
        "", "median", "best", "cpu", "peak", "ratio", "cpu"
    );
    let first = rows.first();
    for row in rows.iter().filter(|row| !row.runs.is_empty()) {
        let wall = row.median(|run| run.wall).unwrap_or_default();
        let best = row.runs.iter().map(|run| run.wall).min();
        let cpu = row.median(|run| run.cpu).unwrap_or_default();
        let peak = row
            .runs
            .iter()
            .map(|run| run.peak)
            .max()
            .unwrap_or_default();
        let base = |measure: fn(&Taken) -> Duration| first.and_then(|row| row.median(measure));
        let line = format!(
            "{:width$}  {:>6.2} s  {:>6.2} s  {:>6.2} s  {:>4} MiB  {:>6}  {:>6}  {}",
            row.name,
            wall.as_secs_f64(),
            best.unwrap_or_default().as_secs_f64(),
            cpu.as_secs_f64(),
            peak >> 20,
            ratio(wall, base(|run| run.wall)),
            ratio(cpu, base(|run| run.cpu)),
            row.note,
        );
        // A `String` takes everything.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn ratio(value: Duration, base: Option<Duration>) -> String {
    match base {
        Some(base) if !base.is_zero() => {
            format!("{:.2}", value.as_secs_f64() / base.as_secs_f64())
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_measured_with_its_children() {
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let alone = run(Command::new("sh").args(["-c", busy])).unwrap();
        assert!(alone.cpu > Duration::ZERO && alone.peak > 0);
        assert!(alone.wall > Duration::ZERO);
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let error = run(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().ends_with("failed: broken"), "{error}");
        assert!(run(&mut Command::new("/nonexistent/program")).is_err());
    }

    #[test]
    fn rows_have_ratios_to_the_first() {
        let taken = |seconds| Taken {
            wall: Duration::from_secs(seconds),
            cpu: Duration::from_secs(seconds * 2),
            peak: seconds << 20,
        };
        let mut ours = Row::new("regimg");
        ours.runs = [4, 2, 3].map(taken).into();
        let mut theirs = Row::new("tar");
        theirs.runs = vec![taken(6)];
        theirs.note = "no whiteouts".to_owned();
        let missing = Row::new("umoci");
        assert_eq!(
            table(&[ours, theirs, missing]),
            "          median      best       cpu      peak   ratio     cpu\n\
             regimg    3.00 s    2.00 s    6.00 s     4 MiB    1.00    1.00\n\
             tar       6.00 s    6.00 s   12.00 s     6 MiB    2.00    2.00  no whiteouts\n"
        );
    }
}
