//! The named files of an image, in an archive or in a directory.

use std::io::{self, Read};
use std::path::PathBuf;

use super::archive::{Archive, Range};
use super::blob::Content;
use super::{ImageError, StepDirectory};

/// Where an image's files are.
#[derive(Debug)]
pub(super) enum Files<'a> {
    Archive(&'a Archive),
    /// A directory below the step's.
    Directory(StepDirectory, PathBuf),
}

impl Files<'_> {
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Archive(archive) => archive.contains(name),
            Self::Directory(step, path) => step.follow(&path.join(name)).is_ok(),
        }
    }

    /// Reads a small file whole.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let (mut reader, length): (Box<dyn Read>, u64) = match self {
            Self::Archive(archive) => {
                let range = archive.find(name)?;
                (Box::new(archive.reader(range)), range.length)
            }
            Self::Directory(step, path) => {
                let (file, metadata) = step.open(&path.join(name)).map_err(missing(name))?;
                (Box::new(file), metadata.len())
            }
        };
        let mut content = Vec::new();
        if length <= limit {
            let mut bounded = (&mut reader).take(limit + 1);
            bounded
                .read_to_end(&mut content)
                .map_err(ImageError::read(name))?;
        }
        if length > limit || content.len() as u64 > limit {
            let problem = format!("is larger than {} MiB", limit >> 20);
            return Err(ImageError::malformed(name, problem));
        }
        Ok(content)
    }

    /// Finds a file that is read later, and its length.
    pub(super) fn find(&self, name: &str) -> Result<(Content, u64), ImageError> {
        match self {
            Self::Archive(archive) => {
                let Range { offset, length } = archive.find(name)?;
                Ok((Content::File(archive.file().clone(), offset), length))
            }
            // Opened only when it is read: a layout may have more blobs than a process may
            // have files.
            Self::Directory(step, path) => {
                let path = path.join(name);
                let (_, metadata) = step.open(&path).map_err(missing(name))?;
                Ok((Content::Path(step.clone(), path.into()), metadata.len()))
            }
        }
    }
}

fn missing(name: &str) -> impl FnOnce(io::Error) -> ImageError {
    let name = name.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound => ImageError::NotInLayout(name),
        _ => ImageError::Read { name, source },
    }
}
