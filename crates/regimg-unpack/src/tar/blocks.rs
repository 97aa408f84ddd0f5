//! The archive as blocks of 512 bytes, counted.

use std::io::{self, BufRead};

use crate::decompress;
use crate::error::Error;

pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

/// Reads an archive block by block, and what lies between as it comes.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    reader: R,
    /// Bytes that may be read, and how many of them are left.
    limit: u64,
    budget: u64,
}

impl<R: BufRead> Blocks<R> {
    pub(super) fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            limit,
            budget: limit,
        }
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// Reads a block that must be there.
    pub(super) fn block(&mut self) -> Result<Block, Error> {
        self.next_block()?
            .ok_or_else(|| Error::archive("archive ends within an entry"))
    }

    /// Reads a block, or finds that the archive ends where one would begin.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, Error> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let available = self.peek()?;
            if available.is_empty() {
                break;
            }
            let taken = available.len().min(BLOCK - filled);
            block[filled..filled + taken].copy_from_slice(&available[..taken]);
            self.consume(taken)?;
            filled += taken;
        }
        match filled {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(Error::archive("archive ends within a block")),
        }
    }

    /// Reads exactly `size` bytes into memory.
    pub(super) fn bytes(&mut self, size: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            let wanted = size - bytes.len();
            let available = self.content(wanted as u64)?;
            bytes.extend_from_slice(available);
            let taken = available.len();
            self.consume(taken)?;
        }
        Ok(bytes)
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 {
            let taken = self.content(count)?.len();
            self.consume(taken)?;
            count -= taken as u64;
        }
        Ok(())
    }

    /// Returns the bytes at hand, at least one and at most `most`.
    pub(super) fn content(&mut self, most: u64) -> Result<&[u8], Error> {
        let available = self.peek()?;
        if available.is_empty() {
            return Err(Error::archive("archive ends within an entry's content"));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(&available[..available.len().min(most)])
    }

    /// Marks bytes that were looked at as read.
    pub(super) fn consume(&mut self, count: usize) -> Result<(), Error> {
        self.reader.consume(count);
        self.budget = self.budget.checked_sub(count as u64).ok_or_else(|| {
            let limit = self.limit;
            Error::limit(format!("layer has more than {limit} uncompressed bytes"))
        })?;
        Ok(())
    }

    /// Reads to the end. What follows an archive's end marker is padding or nobody's
    /// business, but its bytes belong to the layer's digest and checksums.
    pub(super) fn drain(&mut self) -> Result<(), Error> {
        loop {
            let count = self.peek()?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count)?;
        }
    }

    fn peek(&mut self) -> Result<&[u8], Error> {
        // Twice, because the borrow checker would keep the first for the whole function.
        loop {
            match self.reader.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(decompress::classify(error)),
            }
        }
        self.reader.fill_buf().map_err(decompress::classify)
    }
}
