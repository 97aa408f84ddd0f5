//! The step's directory, and the files below it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};

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

    /// Opens a file. What `follow` found is walked again without following a link, so that
    /// nobody who swaps one in meanwhile leads the way out.
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow); and what is neither a file nor a directory, such as a
    /// pipe, from which reading might never end.
    pub(crate) fn open(&self, path: &Path) -> io::Result<(File, Metadata)> {
        let real = self.follow(path)?;
        // To open a device may be to use it: look first, and again at what was opened.
        refuse_special(&fs::symlink_metadata(&real)?)?;
        let file = File::from(self.walk(&real)?);
        let metadata = file.metadata()?;
        refuse_special(&metadata)?;
        Ok((file, metadata))
    }

    fn walk(&self, real: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let below = real.strip_prefix(&self.real).map_err(io::Error::other)?;
        let root = openat(CWD, &*self.real, flags, Mode::empty())?;
        let file = below.components().try_fold(root, |directory, name| {
            openat(directory, name.as_os_str(), flags, Mode::empty())
        });
        Ok(file?)
    }
}

fn refuse_special(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() || metadata.is_dir() {
        Ok(())
    } else {
        Err(io::Error::other("is neither a file nor a directory"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::FileType;
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn links_are_followed_within_the_directory_only() {
        let directory = tempfile::tempdir().unwrap();
        let inside = |name: &str| directory.path().join(name);
        let step = inside("step");
        fs::create_dir_all(step.join("a/b")).unwrap();
        fs::write(step.join("a/b/file"), "in").unwrap();
        fs::write(inside("secret"), "out").unwrap();
        symlink("a/b", step.join("link")).unwrap();
        symlink("../secret", step.join("way-out")).unwrap();
        symlink("..", step.join("up")).unwrap();
        rustix::fs::mknodat(CWD, step.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let step = StepDirectory::new(&step).unwrap();
        let cases = [
            ("a/b/file", Ok(2)),
            ("link/file", Ok(2)),
            ("way-out", Err("leads out of the step's directory")),
            ("up/secret", Err("leads out of the step's directory")),
            ("pipe", Err("is neither a file nor a directory")),
            ("nothing", Err("No such file")),
        ];
        for (name, expected) in cases {
            let found = step.open(&step.path().join(name));
            match expected {
                Ok(length) => assert_eq!(found.unwrap().1.len(), length, "{name}"),
                Err(problem) => {
                    let message = found.unwrap_err().to_string();
                    assert!(message.contains(problem), "{name}: {message}");
                }
            }
        }
    }

    /// What `follow` returns is what was there then.
    #[test]
    fn a_link_that_appears_afterwards_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("secret"), "out").unwrap();
        let step = directory.path().join("step");
        fs::create_dir(&step).unwrap();
        let step = StepDirectory::new(&step).unwrap();
        let real = |name: &str| step.real.join(name);
        symlink("../secret", real("file")).unwrap();
        symlink("..", real("directory")).unwrap();
        for name in ["file", "directory/secret"] {
            let refused = step.walk(&real(name)).unwrap_err();
            let is_link = Some(Errno::LOOP.raw_os_error());
            assert_eq!(refused.raw_os_error(), is_link, "{name}: {refused}");
        }
    }
}
