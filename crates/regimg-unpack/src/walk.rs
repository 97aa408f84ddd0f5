//! Resolving a path one component at a time, each by descriptor, and never out of the root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, Stat, fchmod, fchown, fstat, mkdirat, openat,
    readlinkat, statat,
};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::error::{Calling, Refused};
use crate::names::{Name, Names};
use crate::proc;
use crate::remove;
use crate::root::{Access, Id, PATH, Root};
use crate::xattrs;

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
    pub(crate) name: Name,
    pub(crate) stat: Stat,
}

/// A walk from the root.
///
/// Holds one directory open at a time, so that no depth exhausts descriptors. `..` is the
/// directory that the walk came from, or the walk fails: somebody has moved directories.
pub(crate) struct Walk<'r> {
    root: &'r Root,
    missing: Missing,
    names: &'r mut Names,
    /// The directories between the root and where the walk is, each with the one it is in.
    above: Vec<(Id, Name)>,
    /// Where the walk is; `None` at the root.
    directory: Option<OwnedFd>,
    name: Name,
    /// Whether it was the walk that made the directory.
    is_new: bool,
    links: usize,
    created: Vec<Created>,
    touched: Vec<Touched>,
}

impl<'r> Walk<'r> {
    pub(crate) fn new(root: &'r Root, missing: Missing, names: &'r mut Names) -> Self {
        let (created, touched) = (Vec::new(), Vec::new());
        Self {
            root,
            missing,
            names,
            above: Vec::new(),
            directory: None,
            name: Name::ROOT,
            is_new: false,
            links: 0,
            created,
            touched,
        }
    }

    /// Walks to a directory.
    pub(crate) fn to(mut self, path: &[u8]) -> Result<Walked, Refused> {
        self.open_up(Name::ROOT)?;
        // The next component is last.
        let mut pending: Vec<Vec<u8>> = Vec::new();
        push_reversed(&mut pending, path);
        while let Some(component) = pending.pop() {
            match component.as_slice() {
                b"" | b"." => {}
                b".." => self.up()?,
                name => {
                    if let Some(target) = self.down(name)? {
                        if target.first() == Some(&b'/') {
                            self.start_over();
                        }
                        push_reversed(&mut pending, &target);
                    }
                }
            }
        }
        let directory = match self.directory {
            Some(directory) => directory,
            None => self.root.reopen()?,
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

    fn start_over(&mut self) {
        self.above.clear();
        self.directory = None;
        self.name = Name::ROOT;
        self.is_new = false;
    }

    fn up(&mut self) -> Result<(), Refused> {
        let Some((id, name)) = self.above.pop() else {
            return Ok(());
        };
        if self.above.is_empty() {
            self.start_over();
            return Ok(());
        }
        let directory = open(self.here(), b"..")?;
        if Id::of(&fstat(&directory).calling("fstat")?) != id {
            return Err(Errno::STALE).calling("openat");
        }
        self.directory = Some(directory);
        self.name = name;
        self.is_new = false;
        Ok(())
    }

    /// Enters a directory, or returns a link's target.
    fn down(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let creates = matches!(self.missing, Missing::Create(_));
        match open(self.here(), name).map_err(|refused| (refused.errno, refused)) {
            Ok(directory) => self.enter(directory, name)?,
            Err((Errno::NOTDIR | Errno::LOOP, refused)) => match self.link(name)? {
                Some(target) => return Ok(Some(target)),
                None if creates => self.create(name, true)?,
                None => return Err(refused),
            },
            Err((Errno::NOENT, _)) if creates => self.create(name, false)?,
            Err((_, refused)) => return Err(refused),
        }
        Ok(None)
    }

    /// Reads a link, if it is one.
    fn link(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let stat = statat(self.here(), name, AtFlags::SYMLINK_NOFOLLOW).calling("fstatat")?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        self.links += 1;
        if self.links > LINKS {
            return Err(Errno::LOOP).calling("openat");
        }
        let target = readlinkat(self.here(), name, Vec::new()).calling("readlinkat")?;
        Ok(Some(target.into_bytes()))
    }

    fn enter(&mut self, directory: OwnedFd, name: &[u8]) -> Result<(), Refused> {
        self.descend(directory, name)?;
        self.open_up(self.name)
    }

    /// Gains access to the directory that the walk is in, where it takes that to go on.
    fn open_up(&mut self, name: Name) -> Result<(), Refused> {
        if matches!(self.missing, Missing::Create(Access::Bound)) {
            let stat = fstat(self.here()).calling("fstat")?;
            if open_up(self.here(), &stat)? {
                self.touched.push(Touched { name, stat });
            }
        }
        Ok(())
    }

    /// Goes down into a directory that is open already.
    fn descend(&mut self, directory: OwnedFd, name: &[u8]) -> Result<(), Refused> {
        let here = fstat(self.here()).calling("fstat")?;
        self.above.push((Id::of(&here), self.name));
        if matches!(self.missing, Missing::Create(_)) {
            self.name = self.names.child(self.name, name);
        }
        self.directory = Some(directory);
        self.is_new = false;
        Ok(())
    }

    /// Makes a directory that the archive has no entry for.
    fn create(&mut self, name: &[u8], replaced: bool) -> Result<(), Refused> {
        let stat = fstat(self.here()).calling("fstat")?;
        if !self.is_new {
            let name = self.name;
            self.touched.push(Touched { name, stat });
        }
        if replaced {
            remove::file(self.here(), name).calling("unlinkat")?;
        }
        self.created.push(Created {
            parent: Id::of(&stat),
            name: name.to_owned(),
            replaced,
        });
        let directory = make(self.here(), name)?;
        self.descend(directory, name)?;
        self.is_new = true;
        Ok(())
    }
}

fn push_reversed(pending: &mut Vec<Vec<u8>>, path: &[u8]) {
    pending.extend(path.split(|&byte| byte == b'/').rev().map(<[u8]>::to_vec));
}

fn open(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Refused> {
    openat(directory, name, PATH, Mode::empty()).calling("openat")
}

fn make(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Refused> {
    mkdirat(parent, name, Mode::RWXU).calling("mkdirat")?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty()).calling("openat")?;
    make_plain(directory.as_fd())?;
    Ok(directory)
}

/// Makes a directory what it is when no entry says what it should be: of mode 0755, of
/// whoever unpacks, without extended attributes, whatever the umask, the directory above or
/// an older layer say.
pub(crate) fn make_plain(directory: BorrowedFd<'_>) -> Result<(), Refused> {
    let stat = fstat(directory).calling("fstat")?;
    if (stat.st_uid, stat.st_gid) != (geteuid().as_raw(), getegid().as_raw()) {
        fchown(directory, Some(geteuid()), Some(getegid())).calling("fchown")?;
    }
    xattrs::remove_others(directory, |_| false)?;
    fchmod(directory, Mode::from_raw_mode(0o755)).calling("fchmod")
}

/// Gives the owner full access to a directory of their own. Returns whether it changed.
pub(crate) fn open_up(directory: BorrowedFd<'_>, stat: &Stat) -> Result<bool, Refused> {
    const FULL: RawMode = 0o700;
    if stat.st_mode & FULL == FULL || stat.st_uid != geteuid().as_raw() {
        return Ok(false);
    }
    proc::chmod(directory, (stat.st_mode & 0o7777) | FULL)?;
    Ok(true)
}
