//! What is being written, out of sight until it is whole.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory inside the destination, so on the same volume, that is removed with
/// everything in it when the last owner lets go. Blocking work owns a share of it: the
/// directory is not removed under its feet.
#[derive(Debug)]
pub(super) struct Staging {
    destination: PathBuf,
    directory: TempDir,
}

impl Staging {
    pub(super) fn create(destination: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(".regimg-")
            .tempdir_in(destination)?;
        Ok(Self {
            destination: destination.to_owned(),
            directory,
        })
    }

    /// Returns the directory, for files without a name.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns where to build what will be `name` in the destination.
    pub(super) fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.directory.path().join(name.as_ref())
    }

    /// Moves `name` to the destination. What stood there is moved out of the way first
    /// and goes with the staging directory, so that a step run twice in a directory
    /// leaves what a step run once leaves.
    pub(super) fn publish(&self, name: &str) -> io::Result<()> {
        let target = self.destination.join(name);
        match fs::rename(&target, self.join(format!("{name}.replaced"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(self.join(name), target)
    }
}
