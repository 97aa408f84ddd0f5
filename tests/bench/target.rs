//! What our way is to keep to.
#![expect(clippy::print_stdout, reason = "the figures are what this prints")]

use std::time::Duration;

use super::measure::Figures;
use super::ways::{mebibytes, ratio};

/// What a way is to keep to.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// How much longer than the least it may take.
    pub(crate) times: f64,
    /// The memory that it may take, in KiB.
    pub(crate) memory: u64,
}

/// Says whether ours keeps to its target, of `least`, which is what `what` takes.
pub(crate) fn judge(ours: &Figures, what: &str, least: Duration, target: Target) {
    let time = ratio(ours.wall, least);
    let Target { times, memory } = target;
    println!(
        "  {time:.2}x of {what}, target {times}x: {}; {:.1} MiB, target {:.0} MiB: {}",
        verdict(time <= times),
        mebibytes(ours.peak),
        mebibytes(memory),
        verdict(ours.peak <= memory),
    );
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
