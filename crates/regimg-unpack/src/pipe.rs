//! Streams of bytes, one after another, from a thread of their own to whoever reads them.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread;

use crate::decompress::Decoded;
use crate::source::mark;

/// Bytes in one buffer.
pub(crate) const BUFFER: usize = 256 * 1024;

/// Starts a thread that writes streams, at most `buffers` ahead of their reader.
///
/// It ends with its work, with its first error, or soon after the [`Outlet`] is dropped: at
/// its next buffer, since a reader cannot be interrupted.
pub(crate) fn spawn<W>(name: &str, buffers: usize, work: W) -> io::Result<Outlet>
where
    W: FnOnce(&Inlet) -> Result<(), Stop> + Send + 'static,
{
    let (sender, messages) = sync_channel(buffers);
    let (emptied, empty) = channel();
    let inlet = Inlet { sender, empty };
    let run = move || {
        if let Err(Stop::Failed(error)) = work(&inlet) {
            // When nobody listens to the failure either, nobody needs to know.
            let _ = inlet.send(Message::Failed(error));
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(Outlet { messages, emptied })
}

/// What the thread has to say, in order.
enum Message {
    /// As many bytes at the buffer's beginning.
    Data(Vec<u8>, usize),
    /// The stream ended.
    End {
        trailing: u64,
    },
    Failed(io::Error),
}

/// Why the thread ends early.
pub(crate) enum Stop {
    /// Nobody listens any more.
    Hung,
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// The thread's end.
pub(crate) struct Inlet {
    sender: SyncSender<Message>,
    empty: Receiver<Vec<u8>>,
}

impl Inlet {
    /// Passes on what the reader has, to its end: no less than `least` bytes at a time, as long
    /// as there are as many, and no more than a buffer.
    pub(crate) fn pass(&self, reader: &mut impl Read, least: usize) -> Result<(), Stop> {
        loop {
            let mut buffer = self.buffer()?;
            let (filled, ended) = fill(&mut buffer, reader, least);
            if filled > 0 {
                self.send(Message::Data(buffer, filled))?;
            }
            if let Some(outcome) = ended {
                return outcome.map_err(Stop::Failed);
            }
        }
    }

    fn buffer(&self) -> Result<Vec<u8>, Stop> {
        match self.empty.try_recv() {
            Ok(buffer) => Ok(buffer),
            Err(TryRecvError::Empty) => Ok(vec![0; BUFFER]),
            Err(TryRecvError::Disconnected) => Err(Stop::Hung),
        }
    }

    /// Ends the stream, and says how many bytes without a meaning came at its end.
    pub(crate) fn end(&self, trailing: u64) -> Result<(), Stop> {
        self.send(Message::End { trailing })
    }

    fn send(&self, message: Message) -> Result<(), Stop> {
        self.sender.send(message).map_err(|_| Stop::Hung)
    }
}

/// Fills the buffer with `least` bytes. Returns how far that went, and how the reader ended if
/// it did.
fn fill(
    buffer: &mut [u8],
    reader: &mut impl Read,
    least: usize,
) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < least {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Outlet {
    messages: Receiver<Message>,
    /// Where buffers go when they have been read.
    emptied: Sender<Vec<u8>>,
}

impl Outlet {
    /// Begins the next stream. The one before it must have been read to its end.
    pub(crate) fn stream(&mut self) -> Stream<'_> {
        Stream {
            outlet: self,
            buffer: None,
            at: 0,
            end: 0,
            ended: None,
        }
    }
}

/// One of the streams.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    outlet: &'a mut Outlet,
    /// What has yet to be read stands in it from `at` to `end`.
    buffer: Option<Vec<u8>>,
    at: usize,
    end: usize,
    /// How many bytes trailed, once the end was reached.
    ended: Option<u64>,
}

impl Decoded for Stream<'_> {
    fn trailing(&self) -> u64 {
        self.ended.unwrap_or_default()
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end && self.ended.is_none() {
            if let Some(buffer) = self.buffer.take() {
                // The thread may have ended: then it needs no buffers any more.
                let _ = self.outlet.emptied.send(buffer);
            }
            (self.at, self.end) = (0, 0);
            match self.outlet.messages.recv() {
                Ok(Message::Data(buffer, count)) => {
                    self.buffer = Some(buffer);
                    self.end = count;
                }
                Ok(Message::End { trailing }) => self.ended = Some(trailing),
                Ok(Message::Failed(error)) => return Err(error),
                // The caller's layers were fewer than promised, or reading one has panicked.
                Err(_) => return Err(mark(io::Error::other("the thread that reads it has ended"))),
            }
        }
        let buffer = self.buffer.as_deref().unwrap_or_default();
        Ok(&buffer[self.at..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and sometimes none yet; fails in the end.
    struct Drops(usize);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            if self.0.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            buffer[0] = 1;
            Ok(1)
        }
    }

    #[test]
    fn buffers_are_as_full_as_is_asked_for() {
        let work = |inlet: &Inlet| {
            inlet.pass(&mut io::repeat(1).take(10), BUFFER)?;
            inlet.end(3)?;
            inlet.pass(&mut Drops(3).take(2), 1)?;
            inlet.end(0)?;
            inlet.pass(&mut Drops(3 * BUFFER), BUFFER)
        };
        let mut outlet = spawn("test", 2, work).unwrap();
        let mut stream = outlet.stream();
        assert_eq!(stream.fill_buf().unwrap(), [1; 10]);
        stream.consume(10);
        assert_eq!(stream.fill_buf().unwrap(), b"");
        assert_eq!(stream.trailing(), 3);
        let mut stream = outlet.stream();
        for rest in [&[1][..], &[1], &[]] {
            assert_eq!(stream.fill_buf().unwrap(), rest);
            stream.consume(rest.len());
        }
        let mut stream = outlet.stream();
        for _ in 0..2 {
            assert_eq!(stream.fill_buf().unwrap().len(), BUFFER);
            stream.consume(BUFFER);
        }
        let error = stream.fill_buf().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
