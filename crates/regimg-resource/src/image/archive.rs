//! A tar archive as a set of named byte ranges, indexed in one pass.

mod scan;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::ImageError;
use scan::{Kind, Member, Scan};

/// Links in a row before an archive counts as circular.
const LINK_LIMIT: usize = 16;

/// Bytes that the names of an archive's files may take in the index. An image has a few
/// files for each layer; an archive with a hundred thousand is a root filesystem, or wants
/// to fill the memory.
const NAMES_LIMIT: usize = 8 << 20;

/// What a name takes besides its letters, at least.
const NAME_OVERHEAD: usize = 96;

/// A tar archive whose files can be read in any order.
#[derive(Debug)]
pub(super) struct Archive {
    file: Arc<File>,
    entries: HashMap<String, Entry>,
}

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    File(Range),
    /// Another name for the file of this name, from the archive's root; `None` for a link
    /// that leads out of it.
    Link(Option<String>),
    /// Several members have this name, and different contents.
    Ambiguous,
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Archive {
    /// Reads the headers, skipping the contents.
    pub(super) fn index(file: File) -> Result<Self, ImageError> {
        let metadata = file.metadata().map_err(ImageError::read("the archive"))?;
        let mut archive = Self {
            file: Arc::new(file),
            entries: HashMap::new(),
        };
        let file = Arc::clone(&archive.file);
        let mut scan = Scan::new(&file, metadata.len());
        let mut names = 0;
        while let Some(member) = scan.next()? {
            names += member.name.len() + NAME_OVERHEAD;
            if names > NAMES_LIMIT {
                return Err(ImageError::TooManyFiles(archive.entries.len()));
            }
            archive.add(member)?;
        }
        Ok(archive)
    }

    /// Finds a file, through links.
    pub(super) fn find(&self, name: &str) -> Result<Range, ImageError> {
        let missing = || ImageError::Missing(name.to_owned());
        let mut current = clean(name).ok_or_else(missing)?;
        for _ in 0..LINK_LIMIT {
            match self.entries.get(&current).ok_or_else(missing)? {
                Entry::File(range) => return Ok(*range),
                Entry::Link(Some(target)) => current.clone_from(target),
                Entry::Link(None) => {
                    return Err(ImageError::malformed(
                        name,
                        "is a link that leads out of the archive",
                    ));
                }
                Entry::Ambiguous => {
                    return Err(ImageError::malformed(
                        name,
                        "is in the archive more than once, with different contents",
                    ));
                }
            }
        }
        Err(ImageError::malformed(name, "is a link without end"))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
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

    fn add(&mut self, member: Member) -> Result<(), ImageError> {
        let problem = "has .. in its name, which no image's file has";
        let name =
            clean(&member.name).ok_or_else(|| ImageError::malformed(&member.name, problem))?;
        let entry = match member.kind {
            Kind::File(range) => Entry::File(range),
            Kind::Symlink(target) => Entry::Link(beside(&name, &target)),
            Kind::HardLink(target) => Entry::Link(clean(&target)),
            Kind::Other => return Ok(()),
        };
        match self.entries.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => {
                if !is_same(&self.file, slot.get(), &entry)? {
                    slot.insert(Entry::Ambiguous);
                }
            }
        }
        Ok(())
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

/// Says whether two members of one name are the same. Programs disagree on which of two
/// counts, so others are not chosen between.
fn is_same(file: &File, one: &Entry, other: &Entry) -> Result<bool, ImageError> {
    match (one, other) {
        (Entry::File(one), Entry::File(other)) => {
            same_content(file, *one, *other).map_err(ImageError::read("the archive"))
        }
        _ => Ok(one == other),
    }
}

fn same_content(file: &File, one: Range, other: Range) -> io::Result<bool> {
    if one.length != other.length {
        return Ok(false);
    }
    let mut buffers = [vec![0; 64 * 1024], vec![0; 64 * 1024]];
    let mut done = 0;
    while done < one.length {
        let size = usize::try_from(one.length - done).map_or(64 * 1024, |left| left.min(64 * 1024));
        for (buffer, range) in buffers.iter_mut().zip([one, other]) {
            file.read_exact_at(&mut buffer[..size], range.offset + done)?;
        }
        if buffers[0][..size] != buffers[1][..size] {
            return Ok(false);
        }
        done += size as u64;
    }
    Ok(true)
}

/// Resolves a link's target to a name from the root. `docker save` used to link equal
/// layers: `b/layer.tar -> ../a/layer.tar`.
fn beside(name: &str, target: &str) -> Option<String> {
    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
    let start = if target.starts_with('/') {
        ""
    } else {
        directory
    };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Writes a path as `a/b/c`; `None` for one with `..` in it.
fn clean(path: &str) -> Option<String> {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<_> = parts.collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}
