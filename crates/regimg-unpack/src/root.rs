//! The directory that everything stays in.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::walk::{Missing, Walk, Walked};

/// A directory to apply layers to.
///
/// Holds the directory open: once opened, its path plays no part any more, and no name in
/// a layer, no symbolic link in it, and nobody who moves directories meanwhile leads to
/// anything outside.
///
/// ```
/// use regimg_unpack::{Options, Root};
///
/// let directory = tempfile::tempdir()?;
/// let root = Root::open(directory.path())?;
/// let outcome = regimg_unpack::apply(&[][..], &root, &Options::default(), &mut ())?;
/// assert_eq!(outcome.entries, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    has_openat2: bool,
}

impl Root {
    /// Opens an existing directory.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            openat(CWD, path.as_ref(), flags, Mode::empty()).doing("cannot open the root")?;
        let has_openat2 = open_in_root(&directory, b".").is_ok();
        Ok(Self {
            directory,
            has_openat2,
        })
    }

    /// Uses the directory that a descriptor was opened for.
    ///
    /// # Errors
    ///
    /// When it is not a directory's.
    pub fn from_fd(directory: impl Into<OwnedFd>) -> Result<Self, Error> {
        let directory = directory.into();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            openat(&directory, c".", flags, Mode::empty()).doing("cannot open the root")?;
        let has_openat2 = open_in_root(&directory, b".").is_ok();
        Ok(Self {
            directory,
            has_openat2,
        })
    }

    /// Resolves every name step by step, as is done where the kernel (before Linux 5.6) or
    /// a sandbox has no `openat2`. Just as safe, and a little slower.
    #[must_use]
    pub fn without_openat2(mut self) -> Self {
        self.has_openat2 = false;
        self
    }

    /// Opens a directory by its clean path, links followed within the root.
    pub(crate) fn find(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        if self.has_openat2 {
            match open_in_root(&self.directory, if path.is_empty() { b"." } else { path }) {
                // The path is longer than the kernel takes at once, or somebody is moving
                // directories about, for which it asks to try again.
                Err(Errno::NAMETOOLONG | Errno::AGAIN | Errno::XDEV | Errno::NOSYS) => {}
                outcome => return outcome,
            }
        }
        Ok(Walk::new(self, Missing::Fail)
            .to(path)
            .map_err(|refused| refused.errno)?
            .directory)
    }

    /// Opens a directory by its clean path and makes what is missing of it.
    pub(crate) fn make(&self, path: &[u8], access: Access) -> Result<Walked, Error> {
        let walked = Walk::new(self, Missing::Create(access)).to(path);
        walked.map_err(|refused| Error::system(refused.operation, refused.errno))
    }

    /// Opens the root itself once more, to be read.
    pub(crate) fn reopen(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.directory, c".", flags, Mode::empty())
    }

    /// Writes everything below to the disk; by default nothing waits for that.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        rustix::fs::syncfs(&self.directory).doing("cannot sync the file system")
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl From<Root> for File {
    fn from(root: Root) -> Self {
        root.directory.into()
    }
}

fn open_in_root(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

/// What stands in the way of somebody who is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: permission bits do not bind root.
    Privileged,
    /// Permission bits, even of one's own directories.
    Bound,
}

/// What tells one file from every other, while it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// An open directory, and what was true of it then.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) fd: OwnedFd,
    pub(crate) id: Id,
    /// The group that new files in it may inherit.
    pub(crate) gid: u32,
}

impl Directory {
    pub(crate) fn of(fd: OwnedFd) -> Result<(Self, Stat), Errno> {
        let stat = fstat(&fd)?;
        Ok((
            Self {
                fd,
                id: Id::of(&stat),
                gid: stat.st_gid,
            },
            stat,
        ))
    }
}
