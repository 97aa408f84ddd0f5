//! The members of a tar archive, header after header.
//!
//! The headers are walked here rather than by `tar`'s own iterator because an archive to
//! push may be hostile: that iterator reads a long name of any length into memory, and
//! joins the pieces of a sparse file that random access could not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tar::{EntryType, Header, PaxExtensions};

use super::{ImageError, Range};

const BLOCK: u64 = 512;

/// Bytes of a long name or of a header's extensions.
const EXTENSION_LIMIT: u64 = 1 << 20;

/// What an archive says about one of its members.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What a member is, as far as an image has a use for it.
#[derive(Debug)]
pub(super) enum Kind {
    File(Range),
    /// A symbolic link, and its target as it is written.
    Symlink(String),
    /// Another name for the member of this name.
    HardLink(String),
    /// A directory or a device.
    Other,
}

/// Walks over an archive.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    file: &'a File,
    length: u64,
    position: u64,
    extensions: Extensions,
}

/// What members before a member say about it.
#[derive(Debug, Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<'a> Scan<'a> {
    /// Starts at the first header of an archive of `length` bytes.
    pub(super) fn new(file: &'a File, length: u64) -> Self {
        Self {
            file,
            length,
            position: 0,
            extensions: Extensions::default(),
        }
    }

    /// Finds the next member; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ImageError> {
        while let Some(header) = self.header()? {
            let kind = header.entry_type();
            let content = self.pass_content(&header)?;
            match kind {
                EntryType::GNULongName => self.extensions.name = Some(self.text(content)?),
                EntryType::GNULongLink => self.extensions.link = Some(self.text(content)?),
                EntryType::XHeader => self.extend(content)?,
                EntryType::XGlobalHeader => {}
                _ => return self.member(&header, content).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads a header. An archive may end without the blocks of zeros that mark its end.
    fn header(&mut self) -> Result<Option<Header>, ImageError> {
        if self.position == self.length {
            return Ok(None);
        }
        if self.length - self.position < BLOCK {
            return Err(self.broken("ends inside a header"));
        }
        let mut header = Header::new_old();
        self.file
            .read_exact_at(header.as_mut_bytes(), self.position)
            .map_err(ImageError::read("the archive"))?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if header.cksum().ok() != Some(checksum(&header)) {
            return Err(self.broken("has no valid header"));
        }
        Ok(Some(header))
    }

    /// Moves on to the next header and returns where this member's content is.
    fn pass_content(&mut self, header: &Header) -> Result<Range, ImageError> {
        let has_content = !matches!(
            header.entry_type(),
            EntryType::Link
                | EntryType::Symlink
                | EntryType::Char
                | EntryType::Block
                | EntryType::Directory
                | EntryType::Fifo
        );
        let stated = match (has_content, is_extension(header.entry_type())) {
            (false, _) => 0,
            (true, true) => header
                .entry_size()
                .map_err(|_| self.broken("has no size"))?,
            (true, false) => match self.extensions.size {
                Some(size) => size,
                None => header
                    .entry_size()
                    .map_err(|_| self.broken("has no size"))?,
            },
        };
        let range = Range {
            offset: self.position + BLOCK,
            length: stated,
        };
        let end = range.offset.checked_add(range.length);
        let Some(end) = end.filter(|end| *end <= self.length) else {
            let name = self.name(header);
            return Err(ImageError::malformed(
                &name,
                "is cut off: the archive ends inside it",
            ));
        };
        // The padding of the last member may be missing.
        self.position = end.next_multiple_of(BLOCK).min(self.length);
        Ok(range)
    }

    fn member(&mut self, header: &Header, content: Range) -> Result<Member, ImageError> {
        let name = self.name(header);
        if self.extensions.sparse || header.entry_type() == EntryType::GNUSparse {
            return Err(sparse(&name));
        }
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if name.ends_with('/') => Kind::Other,
            EntryType::Regular | EntryType::Continuous => Kind::File(content),
            EntryType::Symlink => Kind::Symlink(self.link(header)),
            EntryType::Link => Kind::HardLink(self.link(header)),
            _ => Kind::Other,
        };
        self.extensions = Extensions::default();
        Ok(Member { name, kind })
    }

    fn name(&self, header: &Header) -> String {
        let own = || header.path_bytes().into_owned();
        lossy(&self.extensions.name.clone().unwrap_or_else(own))
    }

    fn link(&self, header: &Header) -> String {
        let own = || header.link_name_bytes().unwrap_or_default().into_owned();
        lossy(&self.extensions.link.clone().unwrap_or_else(own))
    }

    /// Reads GNU's long name or long link.
    fn text(&self, content: Range) -> Result<Vec<u8>, ImageError> {
        let mut text = self.content(content)?;
        if let Some(end) = text.iter().position(|byte| *byte == 0) {
            text.truncate(end);
        }
        Ok(text)
    }

    /// Reads the records of a pax header.
    fn extend(&mut self, content: Range) -> Result<(), ImageError> {
        let records = self.content(content)?;
        for record in PaxExtensions::new(&records) {
            let record = record.map_err(|_| self.broken("has extensions that cannot be read"))?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.extensions.name = Some(value.to_vec()),
                b"linkpath" => self.extensions.link = Some(value.to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|value| value.parse().ok());
                    let size = size.ok_or_else(|| self.broken("has no size"))?;
                    self.extensions.size = Some(size);
                }
                key if key.starts_with(b"GNU.sparse.") => self.extensions.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn content(&self, content: Range) -> Result<Vec<u8>, ImageError> {
        if content.length > EXTENSION_LIMIT {
            return Err(self.broken("has a name or extensions of more than 1 MiB"));
        }
        let mut bytes = vec![0; usize::try_from(content.length).unwrap_or_default()];
        self.file
            .read_exact_at(&mut bytes, content.offset)
            .map_err(ImageError::read("the archive"))?;
        Ok(bytes)
    }

    fn broken(&self, what: &str) -> ImageError {
        let message = format!("it {what} at byte {}", self.position);
        ImageError::NotAnArchive(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

fn is_extension(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::GNULongName
            | EntryType::GNULongLink
            | EntryType::XHeader
            | EntryType::XGlobalHeader
    )
}

/// Adds the header's bytes up, the checksum's own counted as blanks.
fn checksum(header: &Header) -> u32 {
    let bytes = header.as_bytes();
    let own = 148..156;
    let others = bytes.iter().enumerate().filter(|(at, _)| !own.contains(at));
    others.map(|(_, byte)| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ')
}

fn sparse(name: &str) -> ImageError {
    ImageError::malformed(
        name,
        "is stored as a sparse file: write the archive without that",
    )
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
