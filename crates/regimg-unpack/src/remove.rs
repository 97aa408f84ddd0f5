//! Removing what is in the way, or whited out, without ever following a link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    Access, AtFlags, Dir, FileType, Mode, OFlags, accessat, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Calling, Refused};
use crate::root::{Id, PATH};
use crate::walk::open_up;

/// Removes something that is not a directory.
pub(crate) fn file(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    unlinkat(parent, name, AtFlags::empty())
}

/// What must stay, by the directory that it is in and its name.
pub(crate) trait Keep {
    fn keeps(&self, directory: Id, name: &[u8]) -> bool;

    /// Hears of a directory that would have gone, had there not been something in it to keep.
    fn stays(&mut self, parent: Id, name: &[u8], directory: BorrowedFd<'_>) -> Result<(), Refused>;

    /// Hears of a directory that has gone. The next one to be made may get its inode's number.
    fn gone(&mut self, directory: Id);
}

/// Nothing stays. The function hears of the directories that have gone.
pub(crate) struct Nothing<F>(pub(crate) F);

impl<F: FnMut(Id)> Keep for Nothing<F> {
    fn keeps(&self, _: Id, _: &[u8]) -> bool {
        false
    }

    /// Somebody has made something in it since it was emptied.
    fn stays(&mut self, _: Id, _: &[u8], _: BorrowedFd<'_>) -> Result<(), Refused> {
        Err(Errno::NOTEMPTY).calling("unlinkat")
    }

    fn gone(&mut self, directory: Id) {
        self.0(directory);
    }
}

/// A directory on the way down, to be found again on the way up.
struct Level {
    id: Id,
    name: Vec<u8>,
    /// Directories in it that are yet to be emptied.
    pending: Vec<Vec<u8>>,
}

/// Removes what stands at a name: a tree, or what `keep` lets go of it. Directories with
/// something to keep stay, and `keep` is told.
///
/// However deep a tree is, one directory is open at a time; the way up is checked to lead to
/// where the way down began, should somebody move directories meanwhile.
pub(crate) fn anything(
    parent: BorrowedFd<'_>,
    name: &[u8],
    keep: &mut impl Keep,
) -> Result<(), Refused> {
    match file(parent, name) {
        Err(Errno::ISDIR) => {}
        outcome => return outcome.calling("unlinkat"),
    }
    let here = openat(parent, c".", PATH, Mode::empty()).calling("openat")?;
    let id = id(&here)?;
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
pub(crate) fn children(directory: BorrowedFd<'_>, keep: &mut impl Keep) -> Result<(), Refused> {
    let here = openat(directory, c".", READ, Mode::empty()).calling("openat")?;
    let mut removal = Removal {
        keep,
        levels: Vec::new(),
        here,
    };
    let level = removal.empty(Vec::new())?;
    removal.run(level)
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Removal<'k, K> {
    keep: &'k mut K,
    levels: Vec<Level>,
    here: OwnedFd,
}

impl<K: Keep> Removal<'_, K> {
    fn run(mut self, first: Level) -> Result<(), Refused> {
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
    fn empty(&mut self, name: Vec<u8>) -> Result<Level, Refused> {
        let id = id(&self.here)?;
        let mut pending = Vec::new();
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.here).calling("openat")? {
            let entry = entry.calling("getdents64")?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if is_directory(self.here.as_fd(), name, entry.file_type())? {
                pending.push(name.to_owned());
            } else if !self.keep.keeps(id, name) {
                files.push(name.to_owned());
            }
        }
        for name in files {
            file(self.here.as_fd(), &name).calling("unlinkat")?;
        }
        Ok(Level { id, name, pending })
    }

    /// Goes up from an emptied directory, and removes it unless it keeps something.
    fn leave(&mut self, done: &Level) -> Result<(), Refused> {
        let Some(above) = self.levels.last() else {
            return Ok(());
        };
        let parent = openat(&self.here, c"..", PATH, Mode::empty()).calling("openat")?;
        if id(&parent)? != above.id {
            return Err(Errno::STALE).calling("openat");
        }
        let directory = std::mem::replace(&mut self.here, parent);
        if self.keep.keeps(above.id, &done.name) {
            return Ok(());
        }
        match unlinkat(&self.here, done.name.as_slice(), AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.keep.stays(above.id, &done.name, directory.as_fd())
            }
            Err(errno) => Err(errno).calling("unlinkat"),
            Ok(()) => {
                self.keep.gone(done.id);
                Ok(())
            }
        }
    }
}

/// Tells whether an entry of a listing is a directory. Some file systems do not say: then the
/// entry is asked, since one that has to stay may have something in it that has to go.
fn is_directory(parent: BorrowedFd<'_>, name: &[u8], listed: FileType) -> Result<bool, Refused> {
    if listed != FileType::Unknown {
        return Ok(listed == FileType::Directory);
    }
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        refused => refused.map(|_| false).calling("fstatat"),
    }
}

fn id(directory: &OwnedFd) -> Result<Id, Refused> {
    fstat(directory).calling("fstat").map(|stat| Id::of(&stat))
}

/// Opens a directory to be emptied, and makes way if its own mode keeps its owner out.
fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Refused> {
    let outcome = openat(parent, name, READ, Mode::empty());
    let needs_access = match &outcome {
        Ok(directory) => {
            accessat(directory, c".", Access::WRITE_OK, AtFlags::EACCESS) == Err(Errno::ACCESS)
        }
        Err(errno) => *errno == Errno::ACCESS,
    };
    if !needs_access {
        return outcome.calling("openat");
    }
    let path = openat(parent, name, PATH, Mode::empty()).calling("openat")?;
    open_up(path.as_fd(), &fstat(&path).calling("fstat")?)?;
    openat(parent, name, READ, Mode::empty()).calling("openat")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use rustix::fs::FileType;

    use super::is_directory;

    /// As a file system without types in its listings has them, XFS of old or some of FUSE's.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes what it looks at")]
    fn what_a_listing_does_not_say_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir(path.join("directory")).unwrap();
        fs::write(path.join("file"), "").unwrap();
        symlink("directory", path.join("link")).unwrap();
        let parent = File::open(path).unwrap();
        for (name, expected) in [("directory", true), ("file", false), ("link", false)] {
            let is_directory =
                |listed| is_directory(parent.as_fd(), name.as_bytes(), listed).unwrap();
            assert_eq!(is_directory(FileType::Unknown), expected, "{name}");
            assert!(is_directory(FileType::Directory), "a listing is believed");
        }
        assert!(is_directory(parent.as_fd(), b"gone", FileType::Unknown).is_err());
    }
}
