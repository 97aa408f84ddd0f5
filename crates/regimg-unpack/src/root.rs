//! The directory that everything stays in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

use crate::error::{Calling, Doing, Error, Refused};
use crate::names::Names;
use crate::remove;
use crate::walk::{Missing, Walk, Walked, open_up};
use crate::xattrs;

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
        openat(CWD, path.as_ref(), READ, Mode::empty())
            .calling("openat")
            .doing("cannot open the root")
            .map(Self::of)
    }

    /// Uses the directory that a descriptor was opened for.
    ///
    /// # Errors
    ///
    /// When it is not a directory's, or it cannot be read.
    pub fn from_fd(directory: impl AsFd) -> Result<Self, Error> {
        openat(directory, c".", READ, Mode::empty())
            .calling("openat")
            .doing("cannot open the root")
            .map(Self::of)
    }

    fn of(directory: OwnedFd) -> Self {
        Self {
            // A kernel may not have it, and a sandbox may refuse it, with an error of its choice.
            has_openat2: open_in_root(&directory, b".").is_ok(),
            directory,
        }
    }

    /// Resolves every name step by step, as is done where the kernel (before Linux 5.6) or
    /// a sandbox has no `openat2`. Just as safe, and a little slower.
    #[must_use]
    pub fn without_openat2(mut self) -> Self {
        self.has_openat2 = false;
        self
    }

    /// Removes everything in the directory, which stays: what is there after a failure is no
    /// image. Links are removed and not followed.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let root = regimg_unpack::Root::open(directory.path())?;
    /// let truncated = &[0x1f, 0x8b, 0x08][..];
    /// if regimg_unpack::apply(truncated, &root, &Default::default(), &mut ()).is_err() {
    ///     root.clear()?;
    /// }
    /// assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn clear(&self) -> Result<(), Error> {
        let cleared = || {
            open_up(self.as_fd(), &fstat(&self.directory).calling("fstat")?)?;
            remove::children(self.as_fd(), &mut remove::Nothing(|_| {}))
        };
        cleared().doing("cannot clear the root")
    }

    /// Writes everything on the directory's file system to the disk, for which otherwise
    /// nothing waits.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        rustix::fs::syncfs(&self.directory)
            .calling("syncfs")
            .doing("cannot write the file system to the disk")
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        let directory = self.reopen().doing("cannot open the root")?;
        Ok(Self {
            directory,
            has_openat2: self.has_openat2,
        })
    }

    /// Opens a directory by its clean path, links followed within the root.
    pub(crate) fn find(&self, path: &[u8]) -> Result<OwnedFd, Refused> {
        if self.has_openat2 {
            match open_in_root(&self.directory, if path.is_empty() { b"." } else { path }) {
                // The path is longer than the kernel takes at once, or somebody is moving
                // directories about, for which it asks to try again, or it does not follow
                // somebody else's link in a directory like /tmp (fs.protected_symlinks).
                Err(
                    Errno::NAMETOOLONG | Errno::AGAIN | Errno::XDEV | Errno::NOSYS | Errno::ACCESS,
                ) => {}
                outcome => return outcome.calling("openat2"),
            }
        }
        let walked = Walk::new(self, Missing::Fail, &mut Names::default()).to(path)?;
        Ok(walked.directory)
    }

    /// Opens a directory by its clean path and makes what is missing of it.
    pub(crate) fn make(
        &self,
        path: &[u8],
        access: Access,
        names: &mut Names,
    ) -> Result<Walked, Refused> {
        Walk::new(self, Missing::Create(access), names).to(path)
    }

    /// Opens the root itself once more, to be read.
    pub(crate) fn reopen(&self) -> Result<OwnedFd, Refused> {
        openat(&self.directory, c".", READ, Mode::empty()).calling("openat")
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// How a directory is opened to go on from it, and no link to one.
pub(crate) const PATH: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens a directory below the root.
///
/// Mount points are crossed: what somebody mounts below the root, they want filled. `NO_XDEV`
/// would keep parents from crossing, and nothing else: entries for a mount point itself, and
/// removals, open their last component by itself. Nor could the walk do the same, since only
/// Linux 5.8 tells two mounts of one file system apart.
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
    /// Whether they inherit an access control list.
    pub(crate) hands_down_acls: bool,
}

impl Directory {
    pub(crate) fn of(fd: OwnedFd) -> Result<(Self, Stat), Refused> {
        let hands_down_acls = xattrs::hands_down_acls(fd.as_fd())?;
        Self::with(fd, hands_down_acls)
    }

    pub(crate) fn with(fd: OwnedFd, hands_down_acls: bool) -> Result<(Self, Stat), Refused> {
        let stat = fstat(&fd).calling("fstat")?;
        Ok((
            Self {
                fd,
                id: Id::of(&stat),
                gid: stat.st_gid,
                hands_down_acls,
            },
            stat,
        ))
    }
}
