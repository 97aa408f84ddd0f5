//! The step's directory, and the files below it.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory that a step may read from. What is opened through it lies in it, wherever
/// links point: an image from elsewhere must not bring the worker's own files along.
#[derive(Clone, Debug)]
pub(crate) struct StepDirectory {
    /// As it was given, for messages.
    path: Arc<Path>,
    /// Without links.
    real: Arc<Path>,
}

impl StepDirectory {
    /// Takes a directory that exists.
    ///
    /// # Errors
    ///
    /// It does not, or cannot be read.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.into(),
            real: fs::canonicalize(path)?.into(),
        })
    }

    /// Returns the path that was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Follows the links in a path.
    ///
    /// # Errors
    ///
    /// There is nothing at its end, or it is not in the directory.
    pub(crate) fn follow(&self, path: &Path) -> io::Result<PathBuf> {
        let real = fs::canonicalize(path)?;
        if real.starts_with(&self.real) {
            Ok(real)
        } else {
            Err(io::Error::other(format!(
                "{} leads out of the step's directory, to {}",
                path.display(),
                real.display()
            )))
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow); and what is neither a file nor a directory, such as a
    /// pipe, from which reading might never end.
    pub(crate) fn open(&self, path: &Path) -> io::Result<(File, Metadata)> {
        let real = self.follow(path)?;
        let metadata = fs::metadata(&real)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(io::Error::other("is neither a file nor a directory"));
        }
        Ok((File::open(real)?, metadata))
    }
}
