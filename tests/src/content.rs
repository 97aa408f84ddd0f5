//! Bytes of a blob: in memory, in a file when there are many of them, or made on the fly.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// More bytes than this go to a file, so that a large image does not fill the memory.
const MEMORY_LIMIT: usize = 1 << 20;

/// The length of the pattern of [`Content::repeated`]: a prime number, so that it falls into step
/// with no other.
const REPEATED: u64 = 1_048_573;

/// A cheaply cloned, immutable run of bytes.
#[derive(Clone, Debug)]
pub struct Content(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Memory(Bytes),
    File {
        file: Arc<File>,
        length: u64,
    },
    /// `pattern` over and over.
    Repeated {
        pattern: Bytes,
        length: u64,
    },
}

impl Content {
    /// Serves the bytes of the file at `path`, which must not change from now on.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::of_file(File::open(path)?)
    }

    /// Makes `length` bytes on the fly, for blobs larger than memory and disk should hold. No two
    /// pieces of 64 KiB that follow each other are the same, nor any shifted by a little.
    pub fn repeated(length: u64) -> Self {
        let mut state = 1_u32;
        let pattern = (0..REPEATED).map(|_| {
            // Numbers of a linear congruential generator (Numerical Recipes, section 7.1).
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        let pattern = pattern.collect::<Vec<u8>>().into();
        Self(Kind::Repeated { pattern, length })
    }

    fn of_file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let file = Arc::new(file);
        Ok(Self(Kind::File { file, length }))
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kind::Memory(bytes) => bytes.len() as u64,
            Kind::File { length, .. } | Kind::Repeated { length, .. } => *length,
        }
    }

    /// Says whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at most `limit` bytes from `offset` on; none means that the end is reached.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn read_at(&self, offset: u64, limit: usize) -> io::Result<Bytes> {
        match &self.0 {
            Kind::Memory(bytes) => {
                let start = usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
                let end = start.saturating_add(limit).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Kind::File { file, .. } => {
                let mut buffer = vec![0; limit];
                let count = file.read_at(&mut buffer, offset)?;
                buffer.truncate(count);
                Ok(buffer.into())
            }
            Kind::Repeated { pattern, length } => {
                let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
                let start = usize::try_from(offset % REPEATED).unwrap_or_default();
                let count = limit.min(left).min(pattern.len() - start);
                Ok(pattern.slice(start..start + count))
            }
        }
    }

    /// Reads from the first byte to the last.
    pub fn reader(&self) -> impl Read + use<> {
        Reader {
            content: self.clone(),
            offset: 0,
        }
    }

    /// Collects all bytes in memory.
    ///
    /// # Panics
    /// When the file behind it cannot be read.
    pub fn bytes(&self) -> Bytes {
        match &self.0 {
            Kind::Memory(bytes) => bytes.clone(),
            Kind::File { .. } | Kind::Repeated { .. } => {
                let mut bytes = Vec::new();
                self.reader()
                    .read_to_end(&mut bytes)
                    .expect("a stored blob can be read");
                bytes.into()
            }
        }
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self(Kind::Memory(bytes.into()))
    }
}

struct Reader {
    content: Content,
    offset: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.content.read_at(self.offset, buffer.len())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// Collects bytes that arrive one after another, spilling into an unnamed file when they get many.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Spool {
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > MEMORY_LIMIT {
            let mut file = tempfile::tempfile()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<Content> {
        match self.file {
            Some(file) => Content::of_file(file),
            None => Ok(self.memory.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_keeps_every_byte_in_memory_or_in_a_file() {
        for size in [0, 10, MEMORY_LIMIT, MEMORY_LIMIT + 1, 3 * MEMORY_LIMIT] {
            let bytes: Vec<u8> = (0..size)
                .map(|at| u8::try_from(at % 251).unwrap())
                .collect();
            let mut spool = Spool::default();
            for part in bytes.chunks(100_000) {
                spool.append(part).unwrap();
            }
            assert_eq!(spool.len(), size as u64);
            let content = spool.finish().unwrap();
            assert_eq!(content.len(), size as u64);
            assert!(content.bytes() == bytes, "{size} bytes come back");
            let spilled = matches!(content.0, Kind::File { .. });
            assert_eq!(spilled, size > MEMORY_LIMIT);
        }
    }

    #[test]
    fn repeated_bytes_are_the_same_wherever_reading_begins() {
        let length = 2 * REPEATED + 10;
        let content = Content::repeated(length);
        assert_eq!(content.len(), length);
        let whole = content.bytes();
        assert_eq!(whole.len() as u64, length);
        for offset in [
            0,
            1,
            65_536,
            REPEATED - 1,
            REPEATED,
            2 * REPEATED,
            length - 1,
        ] {
            let at = usize::try_from(offset).unwrap();
            let got = content.read_at(offset, 1000).unwrap();
            assert!(!got.is_empty() && whole[at..].starts_with(&got), "{offset}");
        }
        assert!(content.read_at(length, 1).unwrap().is_empty());
        assert_ne!(whole[..65_536], whole[65_536..131_072]);
    }

    #[test]
    fn reading_past_the_end_gives_nothing() {
        let content = Content::from(&b"abc"[..]);
        assert_eq!(content.read_at(1, 10).unwrap(), &b"bc"[..]);
        assert!(content.read_at(3, 10).unwrap().is_empty());
        assert!(content.read_at(u64::MAX, 10).unwrap().is_empty());
    }
}
