//! A tar archive as a set of named byte ranges, indexed in one pass.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tar::EntryType;

use super::ImageError;

/// Links in a row before an archive counts as circular.
const LINK_LIMIT: usize = 16;

/// A tar archive whose files can be read in any order.
#[derive(Debug)]
pub(super) struct Archive {
    file: Arc<File>,
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    File(Range),
    /// Another name for the file of this name, from the archive's root.
    Link(String),
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Archive {
    /// Reads the headers, skipping the contents.
    pub(super) fn index(file: File) -> Result<Self, ImageError> {
        refuse_compressed(&file)?;
        let length = file
            .metadata()
            .map_err(ImageError::read("the archive"))?
            .len();
        let mut entries = HashMap::new();
        let mut archive = tar::Archive::new(BufReader::new(&file));
        for entry in archive
            .entries_with_seek()
            .map_err(ImageError::NotAnArchive)?
        {
            let entry = entry.map_err(ImageError::NotAnArchive)?;
            if let Some((name, entry)) = read_entry(&entry, length)? {
                // Of two entries with one name tar extracts the last.
                entries.insert(name, entry);
            }
        }
        drop(archive);
        Ok(Self {
            file: Arc::new(file),
            entries,
        })
    }

    /// Finds a file, through links.
    pub(super) fn find(&self, name: &str) -> Result<Range, ImageError> {
        let mut current = clean(name);
        for _ in 0..LINK_LIMIT {
            match self.entries.get(&current) {
                Some(Entry::File(range)) => return Ok(*range),
                Some(Entry::Link(target)) => current.clone_from(target),
                None => return Err(ImageError::Missing(name.to_owned())),
            }
        }
        Err(ImageError::malformed(name, "is a link to itself"))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Reads a small file whole.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let range = self.find(name)?;
        if range.length > limit {
            return Err(ImageError::malformed(
                name,
                format!("is larger than {limit} bytes"),
            ));
        }
        let mut content = Vec::new();
        self.reader(range)
            .read_to_end(&mut content)
            .map_err(ImageError::read(name))?;
        Ok(content)
    }

    /// Opens a reader over one file's bytes.
    pub(super) fn reader(&self, range: Range) -> RangeReader {
        RangeReader {
            file: Arc::clone(&self.file),
            range,
        }
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }
}

/// Reads a range of a file without moving the file's own position.
#[derive(Debug)]
pub(super) struct RangeReader {
    file: Arc<File>,
    range: Range,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted =
            usize::try_from(self.range.length).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let read = self
            .file
            .read_at(&mut buffer[..wanted], self.range.offset)?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.range.offset += read as u64;
        self.range.length -= read as u64;
        Ok(read)
    }
}

fn read_entry<R: Read>(
    entry: &tar::Entry<'_, R>,
    archive_length: u64,
) -> Result<Option<(String, Entry)>, ImageError> {
    let path = entry.path_bytes();
    let name = clean(&String::from_utf8_lossy(&path));
    let kind = entry.header().entry_type();
    let entry = match kind {
        EntryType::Regular | EntryType::Continuous => {
            let range = Range {
                offset: entry.raw_file_position(),
                length: entry.size(),
            };
            if range
                .offset
                .checked_add(range.length)
                .is_none_or(|end| end > archive_length)
            {
                return Err(ImageError::malformed(
                    &name,
                    "is cut off: the archive ends inside it",
                ));
            }
            Entry::File(range)
        }
        EntryType::Symlink | EntryType::Link => {
            let target = entry.link_name_bytes().unwrap_or_default();
            Entry::Link(target_of(&name, &String::from_utf8_lossy(&target), kind))
        }
        _ => return Ok(None),
    };
    Ok(Some((name, entry)))
}

/// Resolves a link's target to a name from the root. `docker save` used to link equal
/// layers: `b/layer.tar -> ../a/layer.tar`.
fn target_of(name: &str, target: &str, kind: EntryType) -> String {
    match name.rsplit_once('/') {
        Some((directory, _)) if kind == EntryType::Symlink && !target.starts_with('/') => {
            clean(&format!("{directory}/{target}"))
        }
        _ => clean(target),
    }
}

/// Writes a path as `a/b/c`, without leaving the root.
fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn refuse_compressed(mut file: &File) -> Result<(), ImageError> {
    let mut magic = [0; 4];
    let read = file
        .read_at(&mut magic, 0)
        .map_err(ImageError::read("the archive"))?;
    file.rewind().map_err(ImageError::read("the archive"))?;
    match super::layer::Encoding::of(&magic[..read]) {
        super::layer::Encoding::Gzip => Err(ImageError::Compressed("gzip")),
        super::layer::Encoding::Zstd => Err(ImageError::Compressed("zstd")),
        super::layer::Encoding::Plain => Ok(()),
    }
}
