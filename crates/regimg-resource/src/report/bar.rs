//! The progress of one blob, as a line of text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Reporter;

/// Characters between the brackets.
const WIDTH: usize = 32;

tokio::task_local! {
    /// The bar of the transfer that the running task is about.
    static CURRENT: Bar;
}

/// The progress of one blob. Clones move the same bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    size: u64,
    progress: Mutex<Progress>,
    /// Where each change is told as a line of its own, in place of a bar that is drawn.
    told: Option<Reporter>,
}

#[derive(Debug, Default)]
struct Progress {
    position: u64,
    /// What the transfer does.
    what: &'static str,
    /// Whether the transfer waits for another try.
    is_retrying: bool,
    /// What is done meanwhile with what has arrived.
    work: Option<&'static str>,
    /// How it ended.
    end: Option<&'static str>,
    /// When the first byte came.
    started: Option<Instant>,
    /// When the last byte came.
    arrived: Option<Instant>,
}

/// A bar as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether the bar will not change any more.
    pub(super) is_last: bool,
}

impl Bar {
    /// Starts at nothing of `size` bytes.
    pub(super) fn new(name: String, size: u64) -> Self {
        Self::build(name, size, None)
    }

    /// Starts at nothing, and tells its changes in lines.
    pub(super) fn told(name: String, size: u64, report: Reporter) -> Self {
        Self::build(name, size, Some(report))
    }

    /// Makes a bar that nobody sees.
    pub(crate) fn unseen() -> Self {
        Self::new(String::new(), 0)
    }

    fn build(name: String, size: u64, told: Option<Reporter>) -> Self {
        let progress = Progress {
            what: "waiting",
            ..Progress::default()
        };
        Self(Arc::new(Shared {
            name,
            size,
            progress: Mutex::new(progress),
            told,
        }))
    }

    /// Runs a transfer whose warnings are about this bar.
    pub(crate) fn around<F: Future>(self, transfer: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, transfer)
    }

    /// Marks the running task's bar, if it has one: the client is about to try again.
    /// Returns the bar's name.
    pub(super) fn retry_current() -> Option<String> {
        let name = CURRENT.try_with(|bar| {
            bar.change(|progress| progress.is_retrying = true);
            bar.0.name.clone()
        });
        name.ok().filter(|name| !name.is_empty())
    }

    /// Moves the bar to `position` bytes.
    pub(crate) fn set_position(&self, position: u64) {
        self.change(|progress| progress.move_to(position, self.0.size));
    }

    /// Moves the bar on by some bytes.
    pub(crate) fn advance(&self, bytes: u64) {
        self.change(|progress| progress.move_to(progress.position + bytes, self.0.size));
    }

    /// Says what the transfer does now.
    pub(crate) fn say(&self, what: &'static str) {
        self.change(|progress| {
            progress.what = what;
            progress.is_retrying = false;
        });
    }

    /// Says what is done with the bytes, which shows once all of them have arrived.
    pub(crate) fn work(&self, what: &'static str) {
        self.change(|progress| progress.work = Some(what));
    }

    /// Says how it ended; the bar does not move any more.
    pub(crate) fn done(&self, how: &'static str) {
        self.change(|progress| progress.end = progress.end.or(Some(how)));
    }

    /// Ends the bar of a transfer that failed.
    pub(crate) fn fail(&self) {
        self.done("failed");
    }

    /// Ends the bar of a transfer that nobody waits for any more, if it has not ended.
    pub(crate) fn give_up(&self) {
        self.done("given up");
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress();
        let before = progress.state();
        change(&mut progress);
        let after = progress.state();
        if let Some(report) = &self.0.told
            && before != after
        {
            let (position, size) = (bytes(progress.position), bytes(self.0.size));
            let rate = progress.rate(Instant::now());
            let rate = rate.map_or_else(String::new, |rate| format!(", {rate}"));
            drop(progress);
            let name = &self.0.name;
            report.debug(&format!("{name}: {after}, {position} of {size}{rate}"));
        }
    }

    pub(super) fn line(&self, now: Instant) -> Line {
        let Shared { name, size, .. } = &*self.0;
        let progress = self.progress();
        let filled = filled(progress.position, *size);
        let bar = "=".repeat(filled) + if filled < WIDTH { ">" } else { "" };
        let (position, size) = (bytes(progress.position), bytes(*size));
        let (rate, what) = (progress.rate(now).unwrap_or_default(), progress.state());
        let text = format!("{name} [{bar:WIDTH$}] {position:>10} / {size:<10} {rate:>12}  {what}");
        Line {
            text,
            is_last: progress.end.is_some(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        let progress = self.0.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Names what matters most: what is done meanwhile waits for the transfer.
    fn state(&self) -> &'static str {
        let retrying = self.is_retrying.then_some("retrying");
        let work = self.work.filter(|_| self.arrived.is_some());
        let stages = [self.end, retrying, work];
        stages.into_iter().flatten().next().unwrap_or(self.what)
    }

    fn move_to(&mut self, position: u64, size: u64) {
        let now = Instant::now();
        self.is_retrying = false;
        self.started.get_or_insert(now);
        self.position = position;
        self.arrived = (position >= size).then_some(now);
    }

    /// Returns the rate since the first byte, until the last one.
    fn rate(&self, now: Instant) -> Option<String> {
        let took = self.arrived.unwrap_or(now) - self.started?;
        // Of less time a rate says nothing.
        if took < Duration::from_millis(20) {
            return None;
        }
        let rate = u128::from(self.position) * 1_000_000 / took.as_micros();
        Some(format!("{}/s", bytes(u64::try_from(rate).ok()?)))
    }
}

fn filled(position: u64, size: u64) -> usize {
    let filled = u128::from(position.min(size)) * WIDTH as u128;
    let filled = filled.checked_div(u128::from(size));
    filled.map_or(WIDTH, |filled| usize::try_from(filled).unwrap_or(WIDTH))
}

/// Writes a number of bytes with one decimal, in the largest unit that it fills.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let fits = |exponent: &usize| count >> (10 * exponent) >= 1;
    let Some(exponent) = (1..=UNITS.len()).rev().find(fits) else {
        return format!("{count} B");
    };
    let tenths = (u128::from(count) * 10) >> (10 * exponent);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[exponent - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "16383.9 PiB"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

    #[test]
    fn a_line_says_how_much_how_fast_and_what() {
        let bar = Bar::new("0123456789ab".to_owned(), 4096);
        bar.say("waiting");
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let text = |seconds| bar.line(after(seconds)).text;
        assert_eq!(
            text(1),
            "0123456789ab [>                               ]        0 B / 4.0 KiB                  waiting"
        );
        bar.say("downloading");
        bar.advance(2048);
        bar.progress().started = Some(start);
        assert_eq!(
            text(2),
            "0123456789ab [================>               ]    2.0 KiB / 4.0 KiB       1.0 KiB/s  downloading"
        );
        bar.advance(2048);
        bar.done("done");
        bar.progress().arrived = Some(after(4));
        assert_eq!(
            bar.line(after(60)),
            Line {
                text: "0123456789ab [================================]    4.0 KiB / 4.0 KiB       1.0 KiB/s  done"
                    .to_owned(),
                is_last: true,
            }
        );
    }

    #[test]
    fn an_empty_blob_is_full() {
        assert!(
            Bar::new(String::new(), 0)
                .line(Instant::now())
                .text
                .contains(&"=".repeat(WIDTH))
        );
    }

    #[test]
    fn the_state_that_matters_most_is_shown() {
        let bar = Bar::new(String::new(), 10);
        let state = || bar.progress().state();
        assert_eq!(state(), "waiting");
        bar.work("unpacking");
        bar.say("downloading");
        assert_eq!(state(), "downloading", "the work waits for it");
        bar.change(|progress| progress.is_retrying = true);
        assert_eq!(state(), "retrying");
        bar.advance(3);
        assert_eq!(state(), "downloading");
        bar.advance(7);
        bar.say("downloaded");
        assert_eq!(state(), "unpacking");
        bar.done("done");
        bar.give_up();
        assert_eq!(state(), "done", "what has ended stays as it ended");
    }
}
