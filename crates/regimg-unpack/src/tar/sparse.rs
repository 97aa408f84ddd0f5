//! Files with holes: which parts of them the archive holds.

use std::io::BufRead;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use crate::error::Error;

use super::blocks::{BLOCK, Blocks};
use super::number::unsigned;
use super::pax::digits;

/// The most regions that a map may have. An honest file of this many would be in pieces
/// of a few KiB each; maps without end were CVE-2025-58183.
const REGIONS: usize = 65_536;

/// A part of a file that is not a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Reads the map of the old GNU format, which stands in the header and, when it is long,
/// in blocks between the header and the content.
pub(super) fn gnu_map<R: BufRead>(
    header: &Header,
    blocks: &mut Blocks<R>,
) -> Result<Vec<Region>, Error> {
    let header = header
        .as_gnu()
        .ok_or_else(|| Error::archive("sparse file without a GNU header"))?;
    let mut map = Vec::new();
    extend(&mut map, &header.sparse)?;
    let mut more = header.isextended[0] != 0;
    while more {
        let mut block = GnuExtSparseHeader::new();
        block.as_mut_bytes().copy_from_slice(&blocks.block()?);
        extend(&mut map, &block.sparse)?;
        more = block.isextended[0] != 0;
    }
    Ok(map)
}

fn extend(map: &mut Vec<Region>, headers: &[GnuSparseHeader]) -> Result<(), Error> {
    for header in headers.iter().take_while(|header| header.offset[0] != 0) {
        let offset = unsigned(&header.offset, "sparse offset")?;
        let length = unsigned(&header.numbytes, "sparse length")?;
        map.push(Region { offset, length });
    }
    within_limit(map.len())
}

/// Reads the map of pax version 1.0, which stands before the content: decimal numbers on
/// lines of their own, padded to a block. Returns it with the number of bytes it took.
pub(super) fn pax_map<R: BufRead>(
    blocks: &mut Blocks<R>,
    size: u64,
) -> Result<(Vec<Region>, u64), Error> {
    let mut numbers = Numbers {
        blocks,
        text: Vec::new(),
        at: 0,
        taken: 0,
        size,
    };
    let count = numbers.next()?;
    within_limit(usize::try_from(count).unwrap_or(usize::MAX))?;
    let map = (0..count)
        .map(|_| {
            Ok(Region {
                offset: numbers.next()?,
                length: numbers.next()?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok((map, numbers.taken))
}

pub(super) fn within_limit(regions: usize) -> Result<(), Error> {
    if regions > REGIONS {
        return Err(Error::limit(format!(
            "sparse map has more than {REGIONS} regions"
        )));
    }
    Ok(())
}

/// Numbers on lines of their own, read block by block out of an entry's content.
struct Numbers<'a, R> {
    blocks: &'a mut Blocks<R>,
    text: Vec<u8>,
    at: usize,
    taken: u64,
    size: u64,
}

impl<R: BufRead> Numbers<'_, R> {
    fn next(&mut self) -> Result<u64, Error> {
        loop {
            let unread = &self.text[self.at..];
            if let Some(end) = unread.iter().position(|&byte| byte == b'\n') {
                let number = digits(&unread[..end]);
                self.at += end + 1;
                return number.ok_or_else(|| Error::archive("sparse map holds no number"));
            }
            // A number has at most 19 digits, so one block more always brings its end.
            if unread.len() > 20 {
                return Err(Error::archive("sparse map holds no number"));
            }
            self.taken += BLOCK as u64;
            if self.taken > self.size {
                return Err(Error::archive("sparse map is longer than its entry"));
            }
            self.text.drain(..self.at);
            self.at = 0;
            self.text.extend_from_slice(&self.blocks.block()?);
        }
    }
}

/// Checks that regions follow one another within a file of `size` bytes, and that the
/// archive holds exactly as many bytes as they have.
pub(super) fn validate(map: &[Region], size: u64, held: u64) -> Result<(), Error> {
    let mut end = 0;
    let mut sum = 0_u64;
    for region in map {
        let next = region
            .offset
            .checked_add(region.length)
            .filter(|&next| next <= size && region.offset >= end);
        end = next.ok_or_else(|| {
            Error::archive("sparse map has regions out of order or beyond the file's end")
        })?;
        sum += region.length;
    }
    if sum != held {
        return Err(Error::archive(format!(
            "sparse map speaks of {sum} bytes, the entry holds {held}"
        )));
    }
    Ok(())
}
