//! What is being written, out of sight until it is whole.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::files;

/// How the names of directories begin that are not to be looked into.
const PREFIX: &str = ".regimg-";

/// Everything that a get step gives a name in its directory, in the order in which it
/// appears there. A later step that waits for `digest` finds the rest.
const NAMES: [&str; 11] = [
    super::rootfs::NAME,
    super::tarball::NAME,
    super::layout::NAME,
    files::METADATA,
    files::LABELS,
    files::ANNOTATIONS,
    files::CONFIG,
    files::MANIFEST,
    files::REPOSITORY,
    files::TAG,
    files::DIGEST,
];

/// A directory inside the destination, so on the same volume, that is removed with
/// everything in it when the last owner lets go. Whoever writes into it, on whatever
/// thread, owns a share of it: the directory is not removed under its feet.
#[derive(Debug)]
pub(super) struct Staging {
    destination: PathBuf,
    directory: TempDir,
}

impl Staging {
    pub(super) fn create(destination: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
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

    /// Moves everything that was built to the destination; all of it, or nothing.
    pub(super) fn publish(&self) -> io::Result<()> {
        let mut published = Vec::new();
        for name in NAMES {
            match fs::rename(self.join(name), self.destination.join(name)) {
                Ok(()) => published.push(name),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.take_back(&published);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Hides what does not belong to a whole result. That it was there a moment ago was
    /// the news; that it cannot be hidden any more would be none that helps.
    fn take_back(&self, names: &[&str]) {
        for name in names {
            let _ = fs::rename(self.destination.join(name), self.join(name));
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !rustix::process::geteuid().is_root() {
            open_up(self.path());
        }
    }
}

/// Makes the destination as if no get step had ever run in it: results of an earlier one
/// go, and what one left that was killed.
///
/// # Errors
///
/// It cannot be made, written to, or rid of what is there.
pub(super) fn clear(destination: &Path) -> io::Result<()> {
    fs::create_dir_all(destination)?;
    let bin = Staging::create(destination)?;
    for name in NAMES {
        match fs::rename(destination.join(name), bin.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for entry in fs::read_dir(destination)? {
        let entry = entry?;
        let is_left_over = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes());
        if is_left_over && entry.path() != bin.path() {
            fs::rename(entry.path(), bin.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Lets this user remove what is in a directory: an image may hold directories that their
/// owner may not write to, which only root disregards.
fn open_up(directory: &Path) {
    // What resists stays, and the removal that follows fails on it.
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_is_published_or_nothing() {
        let destination = tempfile::tempdir().unwrap();
        let staging = Staging::create(destination.path()).unwrap();
        for name in ["tag", "digest"] {
            fs::write(staging.join(name), name).unwrap();
        }
        // A directory cannot be replaced by a file.
        fs::create_dir(destination.path().join("digest")).unwrap();
        assert!(staging.publish().is_err());
        assert!(!destination.path().join("tag").exists());
        fs::remove_dir(destination.path().join("digest")).unwrap();
        staging.publish().unwrap();
        drop(staging);
        assert_eq!(names(destination.path()), ["digest", "tag"]);
    }

    #[test]
    fn what_is_left_of_an_earlier_step_goes_and_nothing_else() {
        let destination = tempfile::tempdir().unwrap();
        let inside = |name: &str| destination.path().join(name);
        for directory in ["rootfs/a", ".regimg-killed/rootfs", "mine"] {
            fs::create_dir_all(inside(directory)).unwrap();
        }
        for file in ["image.tar", "rootfs/a/b", "own"] {
            fs::write(inside(file), "").unwrap();
        }
        clear(destination.path()).unwrap();
        assert_eq!(names(destination.path()), ["mine", "own"]);
    }
}
