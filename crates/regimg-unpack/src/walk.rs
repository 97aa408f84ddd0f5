//! Resolving a path one component at a time, each by descriptor, and never out of the root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, Stat, fchmod, fchown, fstat, mkdirat, openat,
    readlinkat, statat,
};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::path;
use crate::proc;
use crate::remove;
use crate::root::{Access, Id, Root};

/// Links followed before a path is called a loop, as the kernel counts.
const LINKS: usize = 40;

/// What to do about a component that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Missing {
    Fail,
    /// Make it a directory; replace what is neither a directory nor a link.
    Create(Access),
}

/// Where a walk has led, and what it has changed on its way.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) directory: OwnedFd,
    /// Directories that were made.
    pub(crate) created: Vec<Created>,
    /// Directories that were there, and were changed: entries made, or access given.
    pub(crate) touched: Vec<Touched>,
}

/// A directory that was made.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) parent: Id,
    pub(crate) name: Vec<u8>,
    /// Whether it took the place of something else.
    pub(crate) replaced: bool,
}

/// A directory as it was before it was changed.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) path: Vec<u8>,
    pub(crate) stat: Stat,
}

/// What a walk ended at.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) operation: &'static str,
    pub(crate) errno: Errno,
}

fn refused(operation: &'static str) -> impl Fn(Errno) -> Refused {
    move |errno| Refused { operation, errno }
}

/// A walk from the root.
///
/// Holds one directory open at a time, so that no depth exhausts descriptors: `..` starts
/// over from the root along the names that led here, none of which was a link.
pub(crate) struct Walk<'r> {
    root: &'r Root,
    missing: Missing,
    /// Where the walk is; `None` at the root.
    directory: Option<OwnedFd>,
    /// The names that lead there.
    names: Vec<u8>,
    links: usize,
    created: Vec<Created>,
    touched: Vec<Touched>,
}

impl<'r> Walk<'r> {
    pub(crate) fn new(root: &'r Root, missing: Missing) -> Self {
        let (created, touched) = (Vec::new(), Vec::new());
        Self {
            root,
            missing,
            directory: None,
            names: Vec::new(),
            links: 0,
            created,
            touched,
        }
    }

    /// Walks to a directory.
    pub(crate) fn to(mut self, path: &[u8]) -> Result<Walked, Refused> {
        // The next component is last.
        let mut pending: Vec<Vec<u8>> = Vec::new();
        push_reversed(&mut pending, path);
        while let Some(component) = pending.pop() {
            match component.as_slice() {
                b"" | b"." => {}
                b".." => self.up().map_err(refused("cannot open a directory"))?,
                name => {
                    if let Some(target) = self.down(name)? {
                        if target.first() == Some(&b'/') {
                            self.directory = None;
                            self.names.clear();
                        }
                        push_reversed(&mut pending, &target);
                    }
                }
            }
        }
        let directory = match self.directory {
            Some(directory) => directory,
            None => self
                .root
                .reopen()
                .map_err(refused("cannot open the root"))?,
        };
        Ok(Walked {
            directory,
            created: self.created,
            touched: self.touched,
        })
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.directory
            .as_ref()
            .map_or_else(|| self.root.as_fd(), AsFd::as_fd)
    }

    fn up(&mut self) -> Result<(), Errno> {
        self.names.truncate(path::split(&self.names).0.len());
        let mut directory: Option<OwnedFd> = None;
        for name in self
            .names
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty())
        {
            let from = directory
                .as_ref()
                .map_or_else(|| self.root.as_fd(), AsFd::as_fd);
            directory = Some(open(from, name)?);
        }
        self.directory = directory;
        Ok(())
    }

    /// Enters a directory, or returns a link's target.
    fn down(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        match open(self.here(), name) {
            Ok(directory) => self.enter(directory, name)?,
            Err(Errno::NOTDIR | Errno::LOOP) => match self.link(name)? {
                Some(target) => return Ok(Some(target)),
                None => self.create(name, true)?,
            },
            Err(Errno::NOENT) if matches!(self.missing, Missing::Create(_)) => {
                self.create(name, false)?
            }
            Err(errno) => return Err(refused("cannot open a parent directory")(errno)),
        }
        Ok(None)
    }

    fn link(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let failed = refused("cannot follow a link");
        let stat = statat(self.here(), name, AtFlags::SYMLINK_NOFOLLOW).map_err(&failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return if matches!(self.missing, Missing::Fail) {
                Err(failed(Errno::NOTDIR))
            } else {
                Ok(None)
            };
        }
        self.links += 1;
        if self.links > LINKS {
            return Err(failed(Errno::LOOP));
        }
        readlinkat(self.here(), name, Vec::new())
            .map(|target| Some(target.into_bytes()))
            .map_err(failed)
    }

    fn enter(&mut self, directory: OwnedFd, name: &[u8]) -> Result<(), Refused> {
        path::push(&mut self.names, name);
        if matches!(self.missing, Missing::Create(Access::Bound)) {
            let stat = fstat(&directory).map_err(refused("cannot open a parent directory"))?;
            let opened = open_up(directory.as_fd(), &stat);
            if opened.map_err(refused("cannot gain access to a parent directory"))? {
                self.touched.push(Touched {
                    path: self.names.clone(),
                    stat,
                });
            }
        }
        self.directory = Some(directory);
        Ok(())
    }

    /// Makes a directory that the archive has no entry for.
    fn create(&mut self, name: &[u8], replace: bool) -> Result<(), Refused> {
        let stat = fstat(self.here()).map_err(refused("cannot open a parent directory"))?;
        self.touched.push(Touched {
            path: self.names.clone(),
            stat,
        });
        if replace {
            remove::file(self.here(), name)
                .map_err(refused("cannot replace a parent by a directory"))?;
        }
        self.created.push(Created {
            parent: Id::of(&stat),
            name: name.to_owned(),
            replaced: replace,
        });
        let directory =
            make(self.here(), name).map_err(refused("cannot create a parent directory"))?;
        path::push(&mut self.names, name);
        self.directory = Some(directory);
        Ok(())
    }
}

fn push_reversed(pending: &mut Vec<Vec<u8>>, path: &[u8]) {
    pending.extend(path.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
}

fn open(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Makes a directory of mode 0755 that belongs to whoever unpacks, whatever the umask and
/// the directory above say.
fn make(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    mkdirat(parent, name, Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    if fstat(&directory)?.st_gid != getegid().as_raw() {
        fchown(&directory, Some(geteuid()), Some(getegid()))?;
    }
    fchmod(&directory, Mode::from_raw_mode(0o755))?;
    Ok(directory)
}

/// Gives the owner full access to a directory of their own. Returns whether it changed.
pub(crate) fn open_up(directory: BorrowedFd<'_>, stat: &Stat) -> Result<bool, Errno> {
    const FULL: RawMode = 0o700;
    if stat.st_mode & FULL == FULL || stat.st_uid != geteuid().as_raw() {
        return Ok(false);
    }
    proc::chmod(directory, (stat.st_mode & 0o7777) | FULL)?;
    Ok(true)
}
