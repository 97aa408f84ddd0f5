//! An archive's digest, taken as it is read.

use std::io::{self, BufRead, Read};

use regimg_core::{Digest, Hasher};

use crate::decompress::Decoded;
use crate::error::Error;

/// An archive that may have to be the one that a digest names.
#[derive(Debug)]
pub(super) struct Checked<'a, R> {
    archive: R,
    expected: Option<(&'a Digest, Hasher)>,
}

impl<'a, R: Decoded> Checked<'a, R> {
    pub(super) fn new(archive: R, diff_id: Option<&'a Digest>) -> Self {
        Self {
            archive,
            expected: diff_id.map(|diff_id| (diff_id, Hasher::new(diff_id.algorithm()))),
        }
    }

    /// Compares, once everything was read. Returns how many bytes of no meaning came after
    /// the compressed data.
    pub(super) fn finish(self) -> Result<u64, Error> {
        if let Some((expected, hasher)) = self.expected {
            let found = hasher.finish();
            if found != *expected {
                return Err(Error::digest(format!(
                    "layer's archive is {found}, not {expected}"
                )));
            }
        }
        Ok(self.archive.trailing())
    }
}

impl<R: BufRead> Read for Checked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Checked<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.archive.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Some((_, hasher)) = &mut self.expected {
            // What is at hand is returned once more, without any input.
            if let Ok(data) = self.archive.fill_buf() {
                hasher.update(&data[..count.min(data.len())]);
            }
        }
        self.archive.consume(count);
    }
}
