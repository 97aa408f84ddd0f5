//! Bytes of a blob: in memory, or in a file when there are many of them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// More bytes than this go to a file, so that a large image does not fill the memory.
const MEMORY_LIMIT: usize = 1 << 20;

/// A cheaply cloned, immutable run of bytes.
#[derive(Clone, Debug)]
pub struct Content(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Memory(Bytes),
    File { file: Arc<File>, length: u64 },
}

impl Content {
    /// Serves the bytes of the file at `path`, which must not change from now on.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::of_file(File::open(path)?)
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
            Kind::File { length, .. } => *length,
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
            Kind::File { .. } => {
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
    fn reading_past_the_end_gives_nothing() {
        let content = Content::from(&b"abc"[..]);
        assert_eq!(content.read_at(1, 10).unwrap(), &b"bc"[..]);
        assert!(content.read_at(3, 10).unwrap().is_empty());
        assert!(content.read_at(u64::MAX, 10).unwrap().is_empty());
    }
}
