//! Everything people read: log lines and progress bars on stderr.

mod bar;
mod bars;
mod layer;
mod sink;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regimg_core::Descriptor;
use tracing::Dispatch;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) use bar::{Bar, bytes};
pub use sink::Captured;

use bars::Bars;
use layer::EventLayer;
use sink::Sink;

/// How serious a line is, with the name and the colour that logrus gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}

impl Severity {
    fn name_and_colour(self) -> (&'static str, u8) {
        match self {
            Self::Debug => ("DEBU", 37),
            Self::Info => ("INFO", 36),
            Self::Warning => ("WARN", 33),
            Self::Error => ("ERRO", 31),
        }
    }
}

/// Writes to stderr for people. Clones write to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    debug: AtomicBool,
    bars: Bars,
}

/// Characters of a message that are written; what others send ends up in messages.
const MESSAGE_LIMIT: usize = 8 * 1024;

impl Reporter {
    /// Starts the clock that the lines show.
    pub(crate) fn new(stderr: impl Write + Send + 'static) -> Self {
        let shared = Shared {
            started: Instant::now(),
            debug: AtomicBool::new(false),
            bars: Bars::new(Sink::new(stderr)),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Switches to debug output: every request is a line, and no bars are drawn
    /// between the lines.
    pub(crate) fn set_debug(&self, debug: bool) {
        self.shared.debug.store(debug, Ordering::Relaxed);
        if debug {
            self.shared.bars.hide();
        }
    }

    /// Writes one line as logrus would: colour, seconds since the start, and the
    /// message padded to 44 columns, which log scrapers have learnt to expect.
    pub(crate) fn log(&self, severity: Severity, message: &str) {
        if severity == Severity::Debug && !self.shared.debug.load(Ordering::Relaxed) {
            return;
        }
        let (name, colour) = severity.name_and_colour();
        let seconds = self.shared.started.elapsed().as_secs();
        let message = one_line(message);
        self.plain(&format!(
            "\x1b[{colour}m{name}\x1b[0m[{seconds:04}] {message:<44} "
        ));
    }

    /// Writes a line about a detail, if the source asks for details.
    pub(crate) fn debug(&self, message: &str) {
        self.log(Severity::Debug, message);
    }

    /// Writes a line about something that went as wished.
    pub(crate) fn info(&self, message: &str) {
        self.log(Severity::Info, message);
    }

    /// Writes a line about something that the user may want to mend.
    pub(crate) fn warn(&self, message: &str) {
        self.log(Severity::Warning, message);
    }

    /// Writes the last line of a command that failed, and advice if there is some.
    pub(crate) fn failure(&self, message: &str, hint: Option<&str>) {
        self.log(Severity::Error, message);
        if let Some(hint) = hint {
            self.log(Severity::Info, &format!("hint: {hint}"));
        }
    }

    /// Writes a line without ornaments.
    pub(crate) fn plain(&self, line: &str) {
        self.shared.bars.write_above(line);
    }

    /// Adds a progress bar for a blob, under the part of its digest that people compare by
    /// eye. Where no bars are drawn, its changes are lines about details.
    pub(crate) fn bar(&self, blob: &Descriptor) -> Bar {
        let name = blob.digest.hex().chars().take(12).collect();
        if self.shared.bars.are_live() {
            self.shared.bars.add(name, blob.size)
        } else {
            Bar::told(name, blob.size, self.clone())
        }
    }

    /// Draws the bars a last time as they stand, so that what follows comes after them.
    pub(crate) fn finish(&self) {
        self.shared.bars.finish();
    }

    /// Waits until everything was written, or for the time given. Nothing more can be said.
    pub(crate) fn close(&self, limit: Duration) {
        self.shared.bars.close(limit);
    }

    /// Returns a subscriber that turns the events of our crates into lines.
    pub(crate) fn subscriber(&self) -> Dispatch {
        Dispatch::new(Registry::default().with(EventLayer::new(self.clone())))
    }
}

/// Makes a message one line of a bounded length without control characters. A registry
/// or an archive may have had a hand in it, and would otherwise write lines of its own.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(MESSAGE_LIMIT));
    let mut characters = message.chars();
    for character in characters.by_ref().take(MESSAGE_LIMIT) {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            control if control.is_control() => line.extend(control.escape_unicode()),
            other => line.push(other),
        }
    }
    match characters.count() {
        0 => line,
        more => format!("{line}... ({more} more characters)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_writes_lines() {
        let forged = "no image\r\n\x1b[31mERRO\x1b[0m[0000] all is lost";
        assert_eq!(
            one_line(forged),
            "no image  \\u{1b}[31mERRO\\u{1b}[0m[0000] all is lost"
        );
        let long = one_line(&"x".repeat(20_000_000));
        assert!(long.len() < 2 * MESSAGE_LIMIT, "{}", long.len());
        assert!(long.ends_with("x... (19991808 more characters)"));
        assert_eq!(one_line("Grüße"), "Grüße");
    }

    #[test]
    fn lines_look_as_logrus_writes_them() {
        let stderr = Captured::default();
        let report = Reporter::new(stderr.clone());
        report.log(Severity::Debug, "hidden");
        report.failure("no such image", Some("check the tag"));
        report.set_debug(true);
        report.log(Severity::Debug, "shown");
        report.close(Duration::from_mins(1));
        let padded = |text: &str| format!("{text:<44} \n");
        assert_eq!(
            stderr.text(),
            [
                "\x1b[31mERRO\x1b[0m[0000] ",
                &padded("no such image"),
                "\x1b[36mINFO\x1b[0m[0000] ",
                &padded("hint: check the tag"),
                "\x1b[37mDEBU\x1b[0m[0000] ",
                &padded("shown"),
            ]
            .concat()
        );
    }
}
