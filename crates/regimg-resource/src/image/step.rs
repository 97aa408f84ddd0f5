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

    /// Directories on the way are passed and not read, which takes no more than the right to
    /// search them.
    fn walk(&self, real: &Path) -> io::Result<OwnedFd> {
        let pass = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let below = real.strip_prefix(&self.real).map_err(io::Error::other)?;
        let mut names = below.components();
        let Some(last) = names.next_back() else {
            return Ok(openat(CWD, &*self.real, open, Mode::empty())?);
        };
        let root = openat(CWD, &*self.real, pass, Mode::empty())?;
        let parent = names.try_fold(root, |directory, name| {
            openat(directory, name.as_os_str(), pass, Mode::empty())
        })?;
        Ok(openat(parent, last.as_os_str(), open, Mode::empty())?)
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
    use std::os::unix::fs::{PermissionsExt, symlink};

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

    /// Who may search a directory and not list it may open what he knows the name of; as root
    /// everybody may.
    #[test]
    fn a_directory_need_not_be_readable_to_be_passed() {
        let directory = tempfile::tempdir().unwrap();
        let way = directory.path().join("a/b");
        fs::create_dir_all(&way).unwrap();
        fs::write(way.join("file"), "in").unwrap();
        fs::create_dir(way.join("layout")).unwrap();
        let step = StepDirectory::new(directory.path()).unwrap();
        for closed in ["a", "a/b"] {
            let closed = directory.path().join(closed);
            fs::set_permissions(closed, fs::Permissions::from_mode(0o311)).unwrap();
        }
        for name in ["file", "layout"] {
            step.open(&way.join(name)).unwrap();
        }
        step.open(directory.path()).unwrap();
        let _ = fs::set_permissions(
            directory.path().join("a"),
            fs::Permissions::from_mode(0o700),
        );
        let _ = fs::set_permissions(way, fs::Permissions::from_mode(0o700));
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
        for (name, errno) in [("file", Errno::LOOP), ("directory/secret", Errno::NOTDIR)] {
            let refused = step.walk(&real(name)).unwrap_err();
            let errno = Some(errno.raw_os_error());
            assert_eq!(refused.raw_os_error(), errno, "{name}: {refused}");
        }
    }
}
