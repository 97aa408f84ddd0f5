//! Reading archives: ustar, GNU, pax, star and v7, as Go's `archive/tar` reads them.
//!
//! The `tar` crate knows the fields of a header; what surrounds headers is read here,
//! since its entries do not let a pax size override a header's, take extended values with
//! a newline apart, and read a negative time or a huge size as what they are not.

mod blocks;
mod header;
mod number;
mod pax;
mod sparse;
mod time;

use std::collections::BTreeMap;
use std::io::BufRead;

use tar::Header;

use crate::error::Error;
use crate::options::Limits;

use blocks::{BLOCK, Blocks};
use pax::{Extensions, Map};

pub(crate) use sparse::Region;
pub(crate) use time::Time;

/// The most bytes that an extended header may have, as in Go's reader.
const EXTENSION_LIMIT: u64 = 1024 * 1024;

/// One entry of an archive, all its headers taken together.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) attributes: Attributes,
}

/// What an entry makes.
#[derive(Debug)]
pub(crate) enum Kind {
    File(FileContent),
    Directory,
    HardLink { target: Vec<u8> },
    Symlink { target: Vec<u8> },
    Fifo,
    Device { block: bool, major: u32, minor: u32 },
}

/// A file's size, and the parts of it that the archive holds.
#[derive(Debug)]
pub(crate) struct FileContent {
    pub(crate) size: u64,
    pub(crate) regions: Vec<Region>,
}

/// What is said about an entry besides its content.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: Time,
    pub(crate) atime: Option<Time>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// An archive, read once from its beginning.
#[derive(Debug)]
pub(crate) struct Archive<'a, R> {
    blocks: Blocks<R>,
    limits: &'a Limits,
    /// Content of the current entry that was not read.
    remaining: u64,
    /// What fills that entry's last block.
    padding: u64,
    /// Bytes that files may still have in holes.
    holes: u64,
}

/// Headers that describe the entry after them.
#[derive(Debug, Default)]
struct Pending {
    pax: Option<Extensions>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<'a, R: BufRead> Archive<'a, R> {
    pub(crate) fn new(reader: R, limits: &'a Limits) -> Self {
        Self {
            blocks: Blocks::new(reader, limits.bytes),
            limits,
            remaining: 0,
            padding: 0,
            holes: limits.bytes,
        }
    }

    /// Reads up to the next entry; at the archive's end, reads the reader to its end.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        self.blocks.skip(self.remaining + self.padding)?;
        (self.remaining, self.padding) = (0, 0);
        let mut pending = Pending::default();
        loop {
            let Some(header) = self.header()? else {
                pending.nothing_before("archive ends within an entry")?;
                self.blocks.drain()?;
                return Ok(None);
            };
            match header.as_bytes()[156] {
                b'x' => once(
                    &mut pending.pax,
                    Extensions::parse(&self.extension(&header)?)?,
                )?,
                b'g' => {
                    // Global records name a commit, at most; Go's reader skips them too.
                    pending.nothing_before("global header within an entry")?;
                    self.extension(&header)?;
                }
                b'L' => once(&mut pending.path, self.long_name(&header)?)?,
                b'K' => once(&mut pending.link, self.long_name(&header)?)?,
                _ => return self.entry(&header, pending).map(Some),
            }
        }
    }

    /// Returns the reader, at its end once there were no more entries.
    pub(crate) fn into_reader(self) -> R {
        self.blocks.into_reader()
    }

    /// Returns bytes of the current entry's content, at most `most`.
    pub(crate) fn content(&mut self, most: u64) -> Result<&[u8], Error> {
        self.blocks.content(most.min(self.remaining))
    }

    /// Marks bytes of the content as read.
    pub(crate) fn consume(&mut self, count: usize) -> Result<(), Error> {
        self.remaining -= count as u64;
        self.blocks.consume(count)
    }

    /// Reads a header, or finds the end: two blocks of zeros, or one and nothing more, or
    /// nothing at all.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let Some(block) = self.blocks.next_block()? else {
            return Ok(None);
        };
        if block == [0; BLOCK] {
            return match self.blocks.next_block()? {
                Some(second) if second != [0; BLOCK] => {
                    Err(Error::archive("lone block of zeros before an entry"))
                }
                _ => Ok(None),
            };
        }
        header::verify_checksum(&block)?;
        Ok(Some(Header::from_byte_slice(&block).clone()))
    }

    /// Reads the body of a header that describes the entry after it. Its size is its own:
    /// no extended header applies to it (GHSA-fp55-jw48-c537).
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let size = header::size(header)?;
        let Some(length) = usize::try_from(size)
            .ok()
            .filter(|_| size <= EXTENSION_LIMIT)
        else {
            return Err(Error::limit(format!(
                "extended header has {size} bytes, more than {EXTENSION_LIMIT}"
            )));
        };
        let bytes = self.blocks.bytes(length)?;
        self.blocks.skip(padding(size))?;
        Ok(bytes)
    }

    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let name = self.extension(header)?;
        Ok(number::cut_at_nul(&name).to_owned())
    }

    fn entry(&mut self, header: &Header, pending: Pending) -> Result<Entry, Error> {
        let mut pax = pending.pax.unwrap_or_default();
        // The old GNU format has a map of its own, and needs no stand-in for the name.
        let is_gnu_sparse = header.as_bytes()[156] == b'S';
        let sparse_name = if is_gnu_sparse {
            None
        } else {
            pax.sparse.name()?
        };
        // An empty long name is none, as in Go's reader.
        let (long_path, long_link) = (
            pending.path.filter(|path| !path.is_empty()),
            pending.link.filter(|link| !link.is_empty()),
        );
        let name = sparse_name.or(pax.path.take()).or(long_path);
        let path = name.unwrap_or_else(|| header::path(header));
        let link = pax.link.take().or(long_link);
        let link = link.unwrap_or_else(|| header::link(header));
        self.within_limits(&path, &link, &pax)
            .map_err(|error| error.at(&path))?;
        let kind = self
            .kind(header, &path, link, &pax)
            .map_err(|error| error.at(&path))?;
        let attributes = header::attributes(header, pax).map_err(|error| error.at(&path))?;
        Ok(Entry {
            path,
            kind,
            attributes,
        })
    }

    fn within_limits(&self, path: &[u8], link: &[u8], pax: &Extensions) -> Result<(), Error> {
        if path.len().max(link.len()) > self.limits.name {
            return Err(Error::limit(format!(
                "name is longer than {} bytes",
                self.limits.name
            )));
        }
        let xattrs: usize = pax
            .xattrs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if xattrs > self.limits.xattrs {
            return Err(Error::limit(format!(
                "extended attributes have more than {} bytes",
                self.limits.xattrs
            )));
        }
        Ok(())
    }

    fn kind(
        &mut self,
        header: &Header,
        path: &[u8],
        target: Vec<u8>,
        pax: &Extensions,
    ) -> Result<Kind, Error> {
        let flag = header.as_bytes()[156];
        if matches!(flag, b'1'..=b'6') && pax.sparse.map()?.is_some() {
            return Err(Error::archive("sparse map of something that is no file"));
        }
        // Headers alone, whatever size they state (as Go's reader has it).
        match flag {
            b'1' => Ok(Kind::HardLink { target }),
            b'2' => Ok(Kind::Symlink { target }),
            b'3' => header::device(header, false),
            b'4' => header::device(header, true),
            b'5' => Ok(Kind::Directory),
            b'6' => Ok(Kind::Fifo),
            b'S' => self.gnu_sparse(header, pax).map(Kind::File),
            // Before there was a flag for directories, a slash made one.
            b'\0' if path.ends_with(b"/") => Ok(Kind::Directory),
            b'\0' | b'0' | b'7' => self.file(header, pax).map(Kind::File),
            other => Err(Error::archive(format!(
                "unknown type '{}'",
                char::from(other).escape_default()
            ))),
        }
    }

    /// Reads a regular file's layout. A size in an extended header overrides the header's,
    /// whatever that one says (CVE-2025-62518).
    fn file(&mut self, header: &Header, pax: &Extensions) -> Result<FileContent, Error> {
        self.begin(pax.size.map_or_else(|| header::size(header), Ok)?);
        let regions = match pax.sparse.map()? {
            Some(Map::Content) => {
                let (map, taken) = sparse::pax_map(&mut self.blocks, self.remaining)?;
                self.remaining -= taken;
                map
            }
            Some(Map::Records(map)) => map,
            None => {
                let size = self.remaining;
                let whole = Region {
                    offset: 0,
                    length: size,
                };
                return Ok(FileContent {
                    size,
                    regions: vec![whole],
                });
            }
        };
        let size = pax.sparse.size;
        let size = size.ok_or_else(|| Error::archive("sparse file without a size"))?;
        self.sparse(size, regions)
    }

    fn gnu_sparse(&mut self, header: &Header, pax: &Extensions) -> Result<FileContent, Error> {
        let size = header::sparse_size(header)?;
        let regions = sparse::gnu_map(header, &mut self.blocks)?;
        self.begin(pax.size.map_or_else(|| header::size(header), Ok)?);
        self.sparse(size, regions)
    }

    fn sparse(&mut self, size: u64, mut regions: Vec<Region>) -> Result<FileContent, Error> {
        sparse::validate(&regions, size, self.remaining)?;
        let holes = self.holes.checked_sub(size - self.remaining);
        self.holes = holes.ok_or_else(|| {
            Error::limit(format!(
                "files have more than {} bytes in holes",
                self.limits.bytes
            ))
        })?;
        regions.retain(|region| region.length > 0);
        Ok(FileContent { size, regions })
    }

    fn begin(&mut self, size: u64) {
        (self.remaining, self.padding) = (size, padding(size));
    }
}

impl Pending {
    /// Refuses what cannot stand between an entry's headers. After a global one some readers
    /// forget what came before it, and others do not.
    fn nothing_before(&self, otherwise: &'static str) -> Result<(), Error> {
        if self.pax.is_some() || self.path.is_some() || self.link.is_some() {
            return Err(Error::archive(otherwise));
        }
        Ok(())
    }
}

/// Keeps what a header says of the entry after it. When two say the same kind of thing,
/// readers do not agree on which of them counts (GHSA-3cv2-h65g-fgmm), and no writer does it.
fn once<T>(pending: &mut Option<T>, value: T) -> Result<(), Error> {
    match pending.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::archive("two headers of a kind for one entry")),
    }
}

/// Returns how many bytes fill the last block of something of `size` bytes.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
