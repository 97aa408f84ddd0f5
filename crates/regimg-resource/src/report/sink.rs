//! The stream behind the log lines and the progress bars.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Texts that may wait for a reader who is slow. Beyond them some are left out: neither
/// memory nor the command waits for a log.
const QUEUE: usize = 4096;

/// How often a full queue is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Shares one stream between log lines and bars. A thread of its own writes, so that a
/// stream that blocks keeps neither a transfer nor a signal waiting.
#[derive(Clone)]
pub(super) struct Sink(SyncSender<Message>);

enum Message {
    Text(Vec<u8>),
    /// Somebody wants to know when everything before this is written.
    Flush(SyncSender<()>),
}

impl Sink {
    pub(super) fn new(stream: impl Write + Send + 'static) -> Self {
        let (sender, messages) = sync_channel(QUEUE);
        thread::spawn(move || write_all(stream, &messages));
        Self(sender)
    }

    /// Writes in turn; waits for nothing.
    pub(super) fn write(&self, text: &str) {
        // What does not fit is missed by nobody who does not read.
        let _ = self.0.try_send(Message::Text(text.as_bytes().to_owned()));
    }

    /// Waits until everything is written, or for the time given.
    pub(super) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let (written, done) = sync_channel(1);
        let mut message = Message::Flush(written);
        while let Err(TrySendError::Full(back)) = self.0.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            thread::sleep(POLL);
            message = back;
        }
        let _ = done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Writes until every sink is gone. A closed stream must not fail the command: what it
/// does does not depend on somebody watching.
fn write_all(mut stream: impl Write, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            Message::Text(text) => drop(stream.write_all(&text)),
            Message::Flush(written) => {
                let _ = stream.flush();
                let _ = written.send(());
            }
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// Keeps what is written to it, for callers of [`run`](crate::run) that want stderr as
/// text. Clones keep it in the same place.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Returns what was written so far.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that takes nothing until it is told to.
    struct Stuck(Receiver<()>, Captured);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_that_blocks_keeps_nobody_waiting() {
        let (release, stuck) = sync_channel(0);
        let captured = Captured::default();
        let sink = Sink::new(Stuck(stuck, captured.clone()));
        for number in 0..QUEUE * 2 {
            sink.write(&format!("{number}\n"));
        }
        sink.flush(Duration::ZERO);
        assert_eq!(captured.text(), "");
        drop(release);
        sink.flush(Duration::from_mins(1));
        let text = captured.text();
        assert!(text.starts_with("0\n1\n"), "the first lines are kept");
        assert!(
            text.lines().count() <= QUEUE + 1,
            "the last ones are left out"
        );
    }
}
