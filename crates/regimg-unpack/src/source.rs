//! The caller's reader: it can be looked at before it is read, and its errors are marked,
//! since they are not the data's fault.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, BufRead, Read};

/// A layer's bytes as they arrive.
#[derive(Debug)]
pub(crate) struct Source<R> {
    reader: R,
    /// What was looked at and did not lie in one piece; from `at` on it has yet to be read.
    held: Vec<u8>,
    at: usize,
    received: u64,
}

impl<R: BufRead> Source<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            held: Vec::new(),
            at: 0,
            received: 0,
        }
    }

    /// Returns how many bytes have been taken from the reader so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns what comes next and stays to be read: `count` bytes, unless the data ends
    /// before.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.held.drain(..self.at);
        self.at = 0;
        while self.held.len() < count {
            let next = available(&mut self.reader)?;
            let taken = next.len().min(count - self.held.len());
            if taken == 0 {
                break;
            }
            self.held.extend_from_slice(&next[..taken]);
            self.reader.consume(taken);
            self.received += taken as u64;
        }
        Ok(&self.held)
    }
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.held.len() {
            return Ok(&self.held[self.at..]);
        }
        available(&mut self.reader)
    }

    fn consume(&mut self, count: usize) {
        if self.at < self.held.len() {
            self.at += count;
        } else {
            self.reader.consume(count);
            self.received += count as u64;
        }
    }
}

/// Returns what the reader has next; nothing at its end.
fn available(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            // The end is not asked for twice: what comes behind it is not ours.
            Ok([]) => return Ok(&[]),
            // Twice, because the borrow checker would keep the first for the whole function.
            Ok(_) => return reader.fill_buf(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(mark(error)),
        }
    }
}

/// An error of the caller's reader.
#[derive(Debug)]
struct Marked(io::Error);

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Marked {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// Marks an error as one of the caller's reader. The mark has no kind of its own: a decoder
/// would read once more after `WouldBlock`, and find another error than the first.
pub(crate) fn mark(error: io::Error) -> io::Error {
    io::Error::other(Marked(error))
}

pub(crate) fn is_marked(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(error) if error.is::<Marked>())
}

/// Returns the error as the caller's reader gave it, or the other one that it is.
pub(crate) fn unmark(error: io::Error) -> Result<io::Error, io::Error> {
    error.downcast::<Marked>().map(|Marked(error)| error)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::Source;

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn what_was_looked_at_is_still_read() {
        let mut source = Source::new(BufReader::new(Drops(b"abcdef")));
        assert_eq!(source.peek(4).unwrap(), b"abcd");
        source.consume(3);
        assert_eq!(source.peek(2).unwrap(), b"de");
        assert_eq!(source.peek(9).unwrap(), b"def");
        let mut rest = String::new();
        source.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), source.received()), ("def", 6));
        assert_eq!(source.peek(1).unwrap(), b"");
    }

    #[test]
    fn the_end_is_heard_the_first_time() {
        struct Ends(bool);
        impl Read for Ends {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                assert!(!std::mem::replace(&mut self.0, true), "it is asked again");
                Ok(0)
            }
        }
        let mut source = Source::new(BufReader::new(Ends(false)));
        assert_eq!(source.fill_buf().unwrap(), b"");
    }
}
