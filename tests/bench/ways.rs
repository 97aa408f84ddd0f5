//! Several ways to do the same, measured in turn.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

use std::time::Duration;

use anyhow::{Context, Result};

use super::measure::Figures;

/// How often everything runs unless there is a reason; the median counts.
pub(crate) const RUNS: usize = 3;

/// A way to do what is measured.
pub(crate) struct Way<'a> {
    pub(crate) name: &'static str,
    run: Box<dyn Fn() -> Result<Figures> + 'a>,
}

impl<'a> Way<'a> {
    pub(crate) fn new(name: &'static str, run: impl Fn() -> Result<Figures> + 'a) -> Self {
        let run = Box::new(run);
        Self { name, run }
    }
}

/// Runs all ways in turn, ours first, and prints what they took; returns it as well.
pub(crate) fn compare(title: &str, runs: usize, ways: &[Way<'_>]) -> Result<Vec<Figures>> {
    let mut taken = vec![Vec::new(); ways.len()];
    for _ in 0..runs {
        for (way, taken) in ways.iter().zip(&mut taken) {
            let figures = (way.run)().with_context(|| format!("{title}: {}", way.name))?;
            taken.push(figures);
        }
    }
    let medians: Vec<Figures> = taken.iter().map(|runs| median(runs)).collect();
    println!(
        "\n{title:32} {:>8} {:>8} {:>8} {:>7}",
        "wall s", "CPU s", "MiB", "ratio"
    );
    for (way, figures) in ways.iter().zip(&medians) {
        println!(
            "  {:30} {:>8.2} {:>8.2} {:>8.1} {:>6.2}x",
            way.name,
            figures.wall.as_secs_f64(),
            figures.cpu.as_secs_f64(),
            mebibytes(figures.peak),
            ratio(medians[0].wall, figures.wall),
        );
    }
    Ok(medians)
}

/// Takes the middle of each time, and the most memory of any run.
fn median(runs: &[Figures]) -> Figures {
    let middle = |time: fn(&Figures) -> Duration| {
        let mut times: Vec<Duration> = runs.iter().map(time).collect();
        times.sort();
        times[times.len() / 2]
    };
    Figures {
        wall: middle(|run| run.wall),
        cpu: middle(|run| run.cpu),
        peak: runs.iter().map(|run| run.peak).max().unwrap_or_default(),
    }
}

pub(crate) fn ratio(ours: Duration, other: Duration) -> f64 {
    ours.as_secs_f64() / other.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "one digit is printed")]
pub(crate) fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
