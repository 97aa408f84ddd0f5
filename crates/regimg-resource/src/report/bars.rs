//! Progress bars that Concourse's log view shows well.
//!
//! Concourse stores every byte of a step's stderr and replays it in a view of any width
//! that knows carriage returns, cursor movements and erased lines. So every bar is a line
//! of its own that ends in a newline, the block of them is redrawn in place although
//! stderr is no terminal, and seldom, since each drawing stays in the stored log. A thread
//! of its own draws, and draws nothing anew before the last drawing has left: a reader of
//! stderr that is slow holds up no transfer, and is told no more than it can take.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bar::{Bar, Line};
use super::sink::Sink;

/// Time between two drawings at the beginning, and at most.
const INTERVAL: Duration = Duration::from_millis(500);
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// Share of the time so far that passes between two drawings: who has waited for an hour
/// needs no news every second, and would find all of them in the log.
const SHARE: u32 = 30;

/// Lines that the block takes at most. A terminal cannot move the cursor above its first
/// line, so a block higher than the window would be drawn again and again below itself.
const HEIGHT: usize = 20;

/// The bars of a command.
#[derive(Debug)]
pub(super) struct Bars {
    shared: Arc<Shared>,
    painter: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    block: Mutex<Block>,
    ended: Condvar,
}

impl Bars {
    pub(super) fn new(sink: Sink) -> Self {
        let block = Block {
            sink,
            bars: Vec::new(),
            lines: Vec::new(),
            is_live: true,
        };
        let shared = Shared {
            block: Mutex::new(block),
            ended: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            painter: Mutex::new(None),
        }
    }

    /// Draws no bars from now on.
    pub(super) fn hide(&self) {
        self.shared.lock().is_live = false;
        self.shared.ended.notify_all();
        let painter = lock(&self.painter).take();
        // A painter that panicked has nothing left to draw.
        let _ = painter.map(JoinHandle::join);
    }

    /// Draws the bars a last time as they stand, and no more: what follows comes below.
    pub(super) fn finish(&self) {
        let mut block = self.shared.lock();
        if block.is_live {
            block.paint(Instant::now());
            block.lines.clear();
        }
        drop(block);
        self.hide();
    }

    /// Says whether bars are drawn.
    pub(super) fn are_live(&self) -> bool {
        self.shared.lock().is_live
    }

    /// Waits until everything was written, or for the time given, and writes nothing any
    /// more.
    pub(super) fn close(&self, limit: Duration) {
        self.hide();
        let sink = self.shared.lock().sink.clone();
        sink.close(limit);
    }

    /// Writes lines above the bars.
    pub(super) fn write_above(&self, text: &str) {
        self.shared.lock().write_above(text, Instant::now());
    }

    /// Adds a bar below the others.
    pub(super) fn add(&self, name: String, size: u64) -> Bar {
        let bar = Bar::new(name, size);
        let mut block = self.shared.lock();
        if block.is_live {
            block.bars.push(bar.clone());
            lock(&self.painter).get_or_insert_with(|| self.shared.start_painter());
        }
        bar
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.hide();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Block> {
        lock(&self.block)
    }

    fn start_painter(self: &Arc<Self>) -> JoinHandle<()> {
        let shared = Arc::clone(self);
        thread::spawn(move || shared.paint_regularly())
    }

    fn paint_regularly(&self) {
        let started = Instant::now();
        let mut block = self.lock();
        while block.is_live {
            let interval = interval(started.elapsed());
            let waited = self
                .ended
                .wait_timeout_while(block, interval, |block| block.is_live);
            block = waited.unwrap_or_else(PoisonError::into_inner).0;
            if block.is_live && block.sink.is_idle() {
                block.paint(Instant::now());
            }
        }
    }
}

fn interval(elapsed: Duration) -> Duration {
    (elapsed / SHARE).clamp(INTERVAL, LONGEST_INTERVAL)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is drawn, with the cursor at the start of the line below it.
#[derive(Debug)]
struct Block {
    sink: Sink,
    /// The first one that is not done, and all behind it.
    bars: Vec<Bar>,
    /// What was drawn of them.
    lines: Vec<Line>,
    is_live: bool,
}

impl Block {
    fn paint(&mut self, now: Instant) {
        let lines = self.render(now);
        if lines == self.lines {
            return;
        }
        let mut text = self.cursor_up();
        for (at, line) in lines.iter().enumerate() {
            // What stands there already is passed over.
            let is_there = self.lines.get(at).is_some_and(|old| old.text == line.text);
            text += &in_place(is_there, &line.text);
        }
        self.sink.write(&text);
        self.keep(lines);
    }

    /// Remembers what was drawn, but for those that are done: they stay as they stand, above
    /// the block from now on.
    fn keep(&mut self, lines: Vec<Line>) {
        self.lines = lines;
        let done = self.lines.iter().take_while(|line| line.is_last).count();
        self.lines.drain(..done);
        self.bars.drain(..done);
    }

    fn render(&self, now: Instant) -> Vec<Line> {
        let count = self.bars.len();
        let shown = if count > HEIGHT { HEIGHT - 1 } else { count };
        let mut lines: Vec<_> = self.bars[..shown].iter().map(|bar| bar.line(now)).collect();
        if shown < count {
            lines.push(Line {
                text: format!("... and {} more", count - shown),
                is_last: false,
            });
        }
        lines
    }

    /// Writes lines above the block, which is drawn anew below them as it stands by now.
    fn write_above(&mut self, text: &str, now: Instant) {
        if self.lines.is_empty() {
            return self.sink.write(&format!("{text}\n"));
        }
        let lines = self.render(now);
        let block = lines.iter().map(|line| line.text.as_str());
        let text = text.lines().chain(block);
        let text: String = text.map(|line| in_place(false, line)).collect();
        self.sink.write(&(self.cursor_up() + &text));
        self.keep(lines);
    }

    fn cursor_up(&self) -> String {
        match self.lines.len() {
            0 => String::new(),
            count => format!("\x1b[{count}A"),
        }
    }
}

/// Writes a line over what may stand there, unless it is there.
fn in_place(is_there: bool, line: &str) -> String {
    if is_there {
        return "\n".to_owned();
    }
    format!("\r\x1b[2K{line}\n")
}

#[cfg(test)]
mod tests {
    use super::super::Captured;
    use super::*;

    /// A block, and what it wrote.
    fn block(names: impl IntoIterator<Item = String>) -> (Block, Captured) {
        let stderr = Captured::default();
        let block = Block {
            sink: Sink::new(stderr.clone()),
            bars: names.into_iter().map(|name| Bar::new(name, 10)).collect(),
            lines: Vec::new(),
            is_live: true,
        };
        (block, stderr)
    }

    /// Shows text as a view does that knows what Concourse's knows; of each line the first
    /// word and the last.
    fn view(text: &str) -> Vec<String> {
        let (mut rows, mut row) = (vec![String::new()], 0);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(tail) = rest.strip_prefix("\x1b[2K") {
                rows[row].clear();
                rest = tail;
                continue;
            }
            if let Some((count, tail)) = rest
                .strip_prefix("\x1b[")
                .and_then(|rest| rest.split_once('A'))
            {
                row -= count.parse::<usize>().unwrap();
                rest = tail;
                continue;
            }
            match first {
                '\r' => {}
                '\n' => {
                    row += 1;
                    rows.resize_with(rows.len().max(row + 1), String::new);
                }
                other => rows[row].push(other),
            }
            rest = &rest[first.len_utf8()..];
        }
        let ends = |row: &String| {
            let mut words = row.split_whitespace();
            [words.next(), words.next_back()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        };
        rows.iter()
            .map(ends)
            .filter(|row| !row.is_empty())
            .collect()
    }

    /// Returns what a block wrote.
    fn text(block: &Block, stderr: &Captured) -> String {
        block.sink.flush(Duration::from_mins(1));
        stderr.text()
    }

    fn names(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
        range.map(|number| format!("layer{number}"))
    }

    #[test]
    fn the_log_shows_each_bar_once_in_its_last_state() {
        let (mut block, stderr) = block(names(0..3));
        let now = Instant::now();
        let bars = block.bars.clone();
        for bar in &bars {
            bar.say("waiting");
        }
        block.paint(now);
        bars[1].done("done");
        block.write_above("a warning", now);
        block.paint(now);
        assert_eq!(
            view(&text(&block, &stderr)),
            [
                "a warning",
                "layer0 waiting",
                "layer1 done",
                "layer2 waiting"
            ]
        );
        bars[0].done("done");
        block.paint(now);
        block.write_above("another warning", now);
        bars[2].say("downloading");
        block.paint(now);
        assert_eq!(
            view(&text(&block, &stderr)),
            [
                "a warning",
                "layer0 done",
                "layer1 done",
                "another warning",
                "layer2 downloading"
            ]
        );
    }

    /// A line that comes when all is done must not bring back how it looked before.
    #[test]
    fn what_is_written_last_shows_the_bars_as_they_are() {
        let (mut block, stderr) = block(names(0..2));
        let now = Instant::now();
        block.paint(now);
        for bar in block.bars.clone() {
            bar.done("done");
        }
        for line in ["pushed a", "pushed b"] {
            block.write_above(line, now);
        }
        assert_eq!(
            view(&text(&block, &stderr)),
            ["pushed a", "layer0 done", "layer1 done", "pushed b"]
        );
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let (mut block, stderr) = block(names(0..3));
        let now = Instant::now();
        block.paint(now);
        let written = text(&block, &stderr);
        block.paint(now);
        assert_eq!(text(&block, &stderr), written);
    }

    #[test]
    fn only_lines_that_changed_are_written_and_ever_more_seldom() {
        let (mut block, stderr) = block(names(0..3));
        let now = Instant::now();
        block.paint(now);
        let before = text(&block, &stderr).len();
        block.bars[1].say("downloading");
        block.paint(now);
        let after = text(&block, &stderr);
        let change = &after[before..];
        assert!(
            change.starts_with("\x1b[3A\n\r\x1b[2Klayer1 "),
            "{change:?}"
        );
        assert!(change.ends_with("downloading\n\n"), "{change:?}");

        let seconds = |seconds| interval(Duration::from_secs(seconds));
        assert_eq!(seconds(1), INTERVAL);
        assert_eq!(seconds(60), Duration::from_secs(2));
        assert_eq!(seconds(3600), LONGEST_INTERVAL);
    }

    #[test]
    fn a_block_is_no_higher_than_a_window() {
        let (mut block, stderr) = block(names(0..50));
        let now = Instant::now();
        block.paint(now);
        assert_eq!(block.lines.len(), HEIGHT);
        assert_eq!(view(&text(&block, &stderr))[HEIGHT - 1], "... more");
        for bar in block.bars.clone() {
            bar.done("done");
            block.paint(now);
        }
        let all: Vec<_> = names(0..50).map(|name| format!("{name} done")).collect();
        assert_eq!(view(&text(&block, &stderr)), all);
    }

    #[test]
    fn hidden_bars_write_nothing() {
        let stderr = Captured::default();
        let bars = Bars::new(Sink::new(stderr.clone()));
        bars.hide();
        bars.add("layer".to_owned(), 10).done("done");
        bars.finish();
        bars.write_above("line");
        bars.close(Duration::from_mins(1));
        assert_eq!(stderr.text(), "line\n");
    }

    #[test]
    fn the_last_drawing_shows_the_end() {
        let stderr = Captured::default();
        let bars = Bars::new(Sink::new(stderr.clone()));
        bars.add("layer".to_owned(), 10).done("done");
        bars.finish();
        bars.write_above("line");
        bars.close(Duration::from_mins(1));
        assert_eq!(view(&stderr.text()), ["layer done", "line"]);
    }
}
