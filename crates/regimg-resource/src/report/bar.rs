//! The progress of one blob, as a line of text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Characters between the brackets.
const WIDTH: usize = 32;

/// The progress of one blob. Clones move the same bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    size: u64,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    position: u64,
    what: &'static str,
    /// When the first byte came.
    started: Option<Instant>,
    /// When the last byte came.
    arrived: Option<Instant>,
    is_done: bool,
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
        Self(Arc::new(Shared {
            name,
            size,
            progress: Mutex::default(),
        }))
    }

    /// Moves the bar to `position` bytes.
    pub(crate) fn set_position(&self, position: u64) {
        self.progress().move_to(position, self.0.size);
    }

    /// Moves the bar on by some bytes.
    pub(crate) fn advance(&self, bytes: u64) {
        let mut progress = self.progress();
        let position = progress.position + bytes;
        progress.move_to(position, self.0.size);
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, what: &'static str) {
        self.progress().what = what;
    }

    /// Says how it ended; the bar does not move any more.
    pub(crate) fn done(&self, what: &'static str) {
        let mut progress = self.progress();
        progress.what = what;
        progress.is_done = true;
    }

    pub(super) fn line(&self, now: Instant) -> Line {
        let Shared { name, size, .. } = &*self.0;
        let progress = self.progress();
        let filled = filled(progress.position, *size);
        let bar = "=".repeat(filled) + if filled < WIDTH { ">" } else { "" };
        let (position, size) = (bytes(progress.position), bytes(*size));
        let (rate, what) = (progress.rate(now).unwrap_or_default(), progress.what);
        let text = format!("{name} [{bar:WIDTH$}] {position:>10} / {size:<10} {rate:>12}  {what}");
        Line {
            text,
            is_last: progress.is_done,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        let progress = self.0.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn move_to(&mut self, position: u64, size: u64) {
        let now = Instant::now();
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
}
