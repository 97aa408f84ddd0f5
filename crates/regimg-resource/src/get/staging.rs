//! What is being written, out of sight until it is whole.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Cause, During, Error};

use super::files;

/// How the names of directories begin that are not to be looked into.
const PREFIX: &str = ".regimg-";

/// The permission bit by which the owner may write.
const OWNER_WRITES: u32 = 0o200;

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
    ///
    /// # Errors
    ///
    /// The name that cannot be given.
    pub(super) fn publish(&self) -> Result<(), Error> {
        let mut published = Vec::new();
        for name in NAMES {
            match rename(&self.join(name), &self.destination.join(name)) {
                Ok(()) => published.push(name),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.take_back(&published);
                    return Err(error).during(name);
                }
            }
        }
        Ok(())
    }

    /// Hides what does not belong to a whole result. That it was there a moment ago was
    /// the news; that it cannot be hidden any more would be none that helps.
    fn take_back(&self, names: &[&str]) {
        for name in names {
            let _ = rename(&self.destination.join(name), &self.join(name));
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
pub(super) fn clear(destination: &Path) -> Result<(), Cause> {
    fs::create_dir_all(destination).during(shown(destination))?;
    // That error names the path itself.
    let bin = Staging::create(destination)?;
    for name in left_over(&bin).during(shown(destination))? {
        match rename(&destination.join(&name), &bin.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).during(shown(Path::new(&name)))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Lists what an earlier step may have given a name.
fn left_over(bin: &Staging) -> io::Result<Vec<OsString>> {
    let mut names: Vec<_> = NAMES.map(OsString::from).into();
    for entry in fs::read_dir(&bin.destination)? {
        let name = entry?.file_name();
        let is_ours = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        // By name, since one of the two paths may be relative.
        if is_ours && bin.path().file_name() != Some(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Moves a file or directory on one volume. Who gives a directory another parent writes to
/// its `..`, which an image's root may forbid its owner, and only root disregards.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let refused = match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error,
        outcome => return outcome,
    };
    let metadata = fs::symlink_metadata(from)?;
    let mode = metadata.permissions().mode();
    if !metadata.is_dir() || mode & OWNER_WRITES != 0 {
        return Err(refused);
    }
    fs::set_permissions(from, fs::Permissions::from_mode(mode | OWNER_WRITES))?;
    let renamed = fs::rename(from, to);
    let place = if renamed.is_ok() { to } else { from };
    renamed.and(fs::set_permissions(place, metadata.permissions()))
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
    use crate::error::describe;

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
        let refused = describe(&staging.publish().unwrap_err());
        assert!(refused.starts_with("digest: "), "{refused}");
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
