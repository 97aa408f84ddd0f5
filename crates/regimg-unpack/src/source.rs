//! The caller's reader, buffered: it can be looked at before it is read, and its errors are
//! marked, since they are not the data's fault.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, BufRead, Read};

/// How much is asked of the caller's reader at a time.
const BUFFER: usize = 256 * 1024;

/// A layer's bytes as they arrive.
#[derive(Debug)]
pub(crate) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    received: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            received: 0,
        }
    }

    /// Returns how many bytes have come from the reader so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns what comes next and stays to be read: at least `count` bytes, unless the data
    /// ends before.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < count && self.receive()? > 0 {}
        Ok(&self.buffer[self.start..self.end])
    }

    fn receive(&mut self) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    self.received += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(mark(error)),
            }
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
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

/// Marks an error as one of the caller's reader.
pub(crate) fn mark(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Marked(error))
}

/// Returns the error as the caller's reader gave it, or the other one that it is.
pub(crate) fn unmark(error: io::Error) -> Result<io::Error, io::Error> {
    error.downcast::<Marked>().map(|Marked(error)| error)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Read};

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
        let mut source = Source::new(Drops(b"abcdef"));
        assert_eq!(source.peek(4).unwrap(), b"abcd");
        source.consume(3);
        assert_eq!(source.peek(2).unwrap(), b"de");
        assert_eq!(source.peek(9).unwrap(), b"def");
        let mut rest = String::new();
        source.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), source.received()), ("def", 6));
        assert_eq!(source.peek(1).unwrap(), b"");
    }
}
