//! Headings, timings and the summary of a run that has several steps.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How a step ended that did not fail.
pub(crate) enum Done {
    /// It did all it should.
    Whole,
    /// It did all it should, and there is something to say about it.
    With(String),
    /// It was left out, or a part of it was: the reason.
    Without(String),
}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self::Whole
    }
}

/// A run of steps; the first that fails ends it.
pub(crate) struct Steps {
    started: Instant,
    rows: Vec<Row>,
}

struct Row {
    status: &'static str,
    name: &'static str,
    took: Duration,
    note: String,
}

impl Steps {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            rows: Vec::new(),
        }
    }

    /// Runs a step under a heading.
    pub(crate) fn step<T: Into<Done>>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let outcome = work().map(Into::into);
        let (status, note) = match &outcome {
            Ok(Done::Whole) => ("ok", String::new()),
            Ok(Done::With(note)) => ("ok", note.clone()),
            Ok(Done::Without(reason)) => ("partial", reason.clone()),
            Err(_) => ("FAILED", String::new()),
        };
        let row = Row {
            status,
            name,
            took: started.elapsed(),
            note,
        };
        eprintln!("== {row}");
        self.rows.push(row);
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                self.summarize();
                Err(error).context(format!("step `{name}` failed"))
            }
        }
    }

    /// Prints what was done and how long it took.
    pub(crate) fn summarize(&self) {
        eprintln!("\n== summary");
        for row in &self.rows {
            eprintln!("{row}");
        }
        eprintln!("total: {}", seconds(self.started.elapsed()));
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:8} {:14} {:>9}",
            self.status,
            self.name,
            seconds(self.took)
        )?;
        if self.note.is_empty() {
            Ok(())
        } else {
            write!(f, "  {}", self.note)
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_named() {
        let mut steps = Steps::start();
        steps.step("one", || Ok(())).unwrap();
        let error = steps
            .step("two", || -> anyhow::Result<()> { anyhow::bail!("broken") })
            .unwrap_err();
        assert_eq!(format!("{error:#}"), "step `two` failed: broken");
        assert_eq!(
            steps.rows.iter().map(|row| row.status).collect::<Vec<_>>(),
            ["ok", "FAILED"]
        );
    }

    #[test]
    fn rows_line_up() {
        let row = |status, note: &str| Row {
            status,
            name: "clippy",
            took: Duration::from_millis(12_340),
            note: note.to_owned(),
        };
        assert_eq!(
            row("ok", "").to_string(),
            "ok       clippy            12.3 s"
        );
        assert_eq!(
            row("partial", "no deny").to_string(),
            "partial  clippy            12.3 s  no deny"
        );
    }
}
