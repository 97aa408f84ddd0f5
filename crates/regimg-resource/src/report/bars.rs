//! Progress bars that Concourse's log view shows well.
//!
//! Concourse stores every byte of a step's stderr and replays it in a view that
//! understands cursor movements, so bars are redrawn in place although stderr is no
//! terminal, and seldom.

use std::io;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::sink::Sink;

/// Redraws a second. Each costs a line per layer in the stored log.
const REFRESH_RATE: u8 = 4;

/// Columns that a bar's line may take: fits beside the step's header in Concourse.
const WIDTH: u16 = 100;

/// Lines that the bars may take together; images have 127 layers at most.
const HEIGHT: u16 = 200;

const STYLE: &str = "{prefix:12} [{bar:32}] {bytes:>10} / {total_bytes:<10} {msg}";

/// The bars of a command.
#[derive(Debug)]
pub(super) struct Bars {
    multi: MultiProgress,
}

impl Bars {
    pub(super) fn new(sink: Sink) -> Self {
        let target =
            ProgressDrawTarget::term_like_with_hz(Box::new(LogView { sink }), REFRESH_RATE);
        let multi = MultiProgress::with_draw_target(target);
        multi.set_move_cursor(false);
        Self { multi }
    }

    pub(super) fn hide(&self) {
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Writes something between two drawings of the bars.
    pub(super) fn around(&self, write: impl FnOnce()) {
        self.multi.suspend(write);
    }

    pub(super) fn add(&self, name: String, size: u64) -> Bar {
        let style = ProgressStyle::with_template(STYLE).expect("the template is a constant");
        let bar = ProgressBar::new(size)
            .with_style(style.progress_chars("=> "))
            .with_prefix(name);
        Bar {
            bar: self.multi.add(bar),
        }
    }

    pub(super) fn finish(&self) {
        // Bars keep what they last drew; forgetting them here means that a later line
        // is written below instead of through them.
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// The progress of one blob. Clones move the same bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Moves the bar to `position` bytes.
    pub(crate) fn set_position(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Moves the bar on by some bytes.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Draws the bar a last time, at its end.
    pub(crate) fn done(&self, what: &'static str) {
        self.bar.finish_with_message(what);
    }
}

/// What indicatif takes for a terminal: escape sequences straight to the log.
#[derive(Debug)]
struct LogView {
    sink: Sink,
}

impl LogView {
    fn escape(&self, count: usize, code: char) -> io::Result<()> {
        match count {
            0 => Ok(()),
            _ => self.write_str(&format!("\x1b[{count}{code}")),
        }
    }
}

impl TermLike for LogView {
    fn width(&self) -> u16 {
        WIDTH
    }

    fn height(&self) -> u16 {
        HEIGHT
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.escape(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.escape(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.escape(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.escape(n, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(&format!("{line}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.sink.write(text.as_bytes());
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
