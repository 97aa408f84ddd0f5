//! The stream behind the log lines and the progress bars.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes that wait for a reader at most. What comes then is left out: it is not read
/// anyway, and neither memory nor the command waits for a log.
const BACKLOG: usize = 4 << 20;

/// Shares one stream between log lines and bars.
///
/// A thread of its own writes, so that whoever has something to say goes on at once: a
/// reader of stderr that is slow, or that has stopped, holds up nothing but what it reads.
#[derive(Clone)]
pub(super) struct Sink(Arc<Queue>);

struct Queue {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    backlog: Mutex<Backlog>,
    changed: Condvar,
}

#[derive(Default)]
struct Backlog {
    waiting: Vec<u8>,
    is_writing: bool,
    is_closed: bool,
}

impl Sink {
    pub(super) fn new(stream: impl Write + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.write_to(stream))
        };
        Self(Arc::new(Queue {
            shared,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Puts a text behind those that wait to be written.
    pub(super) fn write(&self, text: &str) {
        let mut backlog = self.0.shared.lock();
        if backlog.waiting.len() < BACKLOG {
            backlog.waiting.extend_from_slice(text.as_bytes());
        }
        drop(backlog);
        self.0.shared.changed.notify_all();
    }

    /// Says whether everything was written.
    pub(super) fn is_idle(&self) -> bool {
        self.0.shared.lock().is_idle()
    }

    /// Waits until everything was written, or for the time given.
    #[cfg(test)]
    pub(super) fn flush(&self, limit: Duration) {
        self.0.shared.wait_until_idle(limit);
    }

    /// Writes what waits, for as long as said, and ends the thread. Nothing is written any
    /// more.
    pub(super) fn close(&self, limit: Duration) {
        let is_idle = self.0.shared.wait_until_idle(limit);
        self.0.shared.close();
        let writer = lock(&self.0.writer).take();
        if is_idle {
            // A writer that panicked has nothing left to write.
            let _ = writer.map(JoinHandle::join);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Backlog> {
        lock(&self.backlog)
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn wait_until_idle(&self, limit: Duration) -> bool {
        let idle = self
            .changed
            .wait_timeout_while(self.lock(), limit, |backlog| !backlog.is_idle());
        idle.unwrap_or_else(PoisonError::into_inner).0.is_idle()
    }

    /// Writes whatever comes, until the queue is closed. A stderr that is closed must not
    /// fail the command: what it does does not depend on somebody watching.
    fn write_to(&self, mut stream: impl Write) {
        loop {
            let waited = self.changed.wait_while(self.lock(), |backlog| {
                backlog.waiting.is_empty() && !backlog.is_closed
            });
            let mut backlog = waited.unwrap_or_else(PoisonError::into_inner);
            if backlog.is_closed {
                return;
            }
            let bytes = std::mem::take(&mut backlog.waiting);
            backlog.is_writing = true;
            drop(backlog);
            let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

impl Backlog {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::sync::mpsc::{Receiver, sync_channel};

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
    fn a_stream_that_blocks_keeps_nobody_waiting_and_costs_little() {
        let (release, stuck) = sync_channel(0);
        let captured = Captured::default();
        let sink = Sink::new(Stuck(stuck, captured.clone()));
        let line = "x".repeat(BACKLOG / 64);
        for _ in 0..1000 {
            sink.write(&line);
        }
        sink.flush(Duration::ZERO);
        assert_eq!(captured.text(), "");
        assert!(!sink.is_idle());
        drop(release);
        sink.close(Duration::from_mins(1));
        let written = captured.text().len();
        assert!(written <= 2 * (BACKLOG + line.len()), "{written} bytes");
    }
}
