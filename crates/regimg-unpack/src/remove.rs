//! Removing what is in the way, or whited out, without ever following a link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, unlinkat};
use rustix::io::Errno;

use crate::root::Id;
use crate::walk::open_up;

/// Removes something that is not a directory.
pub(crate) fn file(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    unlinkat(parent, name, AtFlags::empty())
}

/// What must stay, by the directory that it is in and its name.
pub(crate) trait Keep {
    fn keeps(&self, directory: Id, name: &[u8]) -> bool;
}

/// Nothing stays.
pub(crate) struct Nothing;

impl Keep for Nothing {
    fn keeps(&self, _: Id, _: &[u8]) -> bool {
        false
    }
}

/// A directory on the way down, to be found again on the way up.
struct Level {
    id: Id,
    name: Vec<u8>,
    /// Directories in it that are yet to be emptied.
    pending: Vec<Vec<u8>>,
}

/// Removes what stands at a name: a tree, or what `keep` lets go of it. Directories that
/// keep something stay.
///
/// However deep a tree is, one directory is open at a time; the way up is checked to lead to
/// where the way down began, should somebody move directories meanwhile.
pub(crate) fn anything(parent: BorrowedFd<'_>, name: &[u8], keep: &impl Keep) -> Result<(), Errno> {
    match file(parent, name) {
        Err(Errno::ISDIR) => {}
        outcome => return outcome,
    }
    let here = openat(parent, c".", PATH, Mode::empty())?;
    let id = Id::of(&fstat(&here)?);
    let removal = Removal {
        keep,
        levels: Vec::new(),
        here,
    };
    removal.run(Level {
        id,
        name: Vec::new(),
        pending: vec![name.to_owned()],
    })
}

/// Removes what a directory holds, or what `keep` lets go of it; the directory stays.
pub(crate) fn children(directory: BorrowedFd<'_>, keep: &impl Keep) -> Result<(), Errno> {
    let here = openat(directory, c".", READ, Mode::empty())?;
    let mut removal = Removal {
        keep,
        levels: Vec::new(),
        here,
    };
    let level = removal.empty(Vec::new())?;
    removal.run(level)
}

const PATH: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Removal<'k, K> {
    keep: &'k K,
    levels: Vec<Level>,
    here: OwnedFd,
}

impl<K: Keep> Removal<'_, K> {
    fn run(mut self, first: Level) -> Result<(), Errno> {
        self.levels.push(first);
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.pending.pop() {
                self.here = open(self.here.as_fd(), &name)?;
                let level = self.empty(name)?;
                self.levels.push(level);
            } else if let Some(done) = self.levels.pop() {
                self.leave(&done)?;
            }
        }
        Ok(())
    }

    /// Removes the files of the directory that was just opened, and lists its directories.
    fn empty(&mut self, name: Vec<u8>) -> Result<Level, Errno> {
        let id = Id::of(&fstat(&self.here)?);
        let mut pending = Vec::new();
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.here)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            match entry.file_type() {
                FileType::Directory => pending.push(name.to_owned()),
                _ if self.keep.keeps(id, name) => {}
                _ => files.push(name.to_owned()),
            }
        }
        for name in files {
            match file(self.here.as_fd(), &name) {
                // A file system that does not tell types in its listings.
                Err(Errno::ISDIR) => pending.push(name),
                outcome => outcome?,
            }
        }
        Ok(Level { id, name, pending })
    }

    /// Goes up from an emptied directory, and removes it unless it keeps something.
    fn leave(&mut self, done: &Level) -> Result<(), Errno> {
        let Some(above) = self.levels.last() else {
            return Ok(());
        };
        let parent = openat(&self.here, c"..", PATH, Mode::empty())?;
        if Id::of(&fstat(&parent)?) != above.id {
            return Err(Errno::STALE);
        }
        self.here = parent;
        if self.keep.keeps(above.id, &done.name) {
            return Ok(());
        }
        match unlinkat(&self.here, done.name.as_slice(), AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Opens a directory to be emptied, and makes way if its own mode keeps its owner out.
fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let outcome = openat(parent, name, READ, Mode::empty());
    let needs_access = match &outcome {
        Ok(directory) => rustix::fs::accessat(
            directory,
            c".",
            rustix::fs::Access::WRITE_OK,
            AtFlags::EACCESS,
        )
        .is_err(),
        Err(errno) => *errno == Errno::ACCESS,
    };
    if !needs_access {
        return outcome;
    }
    let path = openat(parent, name, PATH, Mode::empty())?;
    open_up(path.as_fd(), &fstat(&path)?)?;
    openat(parent, name, READ, Mode::empty())
}
