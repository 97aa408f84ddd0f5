//! Where entries go: open directories, and what this layer has put into them.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use crate::error::{Calling, Doing, Error, Refused};
use crate::names::{Name, Names};
use crate::remove::{self, Keep};
use crate::root::{Access, Directory, Id, PATH, Root};
use crate::walk::{Touched, Walked, make_plain, open_up};

use super::restore::{Restore, is_in_the_way};

/// How many directories are kept open. Nearly every entry's directory is the one of the
/// entry before it, or one that was used shortly before.
const OPEN: usize = 32;

/// The directories of a root while one layer is applied to it.
pub(super) struct Places<'r> {
    pub(super) root: &'r Root,
    pub(super) access: Access,
    /// By clean path, the one used last at the end. Paths may lead through links, so they
    /// all are forgotten when anything but a plain entry is removed.
    pub(super) open: Vec<(Vec<u8>, Rc<Directory>)>,
    /// What this layer has made: whiteouts leave it alone, wherever they stand in the layer.
    pub(super) upper: Upper,
    /// What the directories that were changed shall be like in the end.
    pub(super) restores: HashMap<Id, Restore>,
    /// The paths of those directories.
    pub(super) names: Names,
    /// How many directories were made for want of an entry.
    pub(super) implied: u64,
}

/// Entries of the layer that is being applied, by the directory that they are in.
#[derive(Debug, Default)]
pub(super) struct Upper(HashMap<Id, HashSet<Box<[u8]>>>);

impl Upper {
    pub(super) fn insert(&mut self, directory: Id, name: &[u8]) {
        self.0.entry(directory).or_default().insert(name.into());
    }

    fn has(&self, directory: Id, name: &[u8]) -> bool {
        let names = self.0.get(&directory);
        names.is_some_and(|names| names.contains(name))
    }
}

/// Lets go of what lower layers have.
struct Lower<'p> {
    upper: &'p mut Upper,
    restores: &'p mut HashMap<Id, Restore>,
}

impl Keep for Lower<'_> {
    fn keeps(&self, directory: Id, name: &[u8]) -> bool {
        self.upper.has(directory, name)
    }

    /// A directory that this layer put something into, without an entry for itself. Had the
    /// whiteout come first, it would have gone and been made anew for want of an entry: now it
    /// becomes what it would be then.
    fn stays(&mut self, parent: Id, name: &[u8], directory: BorrowedFd<'_>) -> Result<(), Refused> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(directory, c".", flags, Mode::empty()).calling("openat")?;
        make_plain(directory.as_fd())?;
        let id = Id::of(&fstat(&directory).calling("fstat")?);
        self.restores.remove(&id);
        self.upper.insert(parent, name);
        Ok(())
    }

    fn gone(&mut self, directory: Id) {
        forget(self.upper, self.restores, directory);
    }
}

/// Forgets what is known by the number of a directory's inode: the file system gives the
/// number to another one.
fn forget(upper: &mut Upper, restores: &mut HashMap<Id, Restore>, directory: Id) {
    upper.0.remove(&directory);
    restores.remove(&directory);
}

impl<'r> Places<'r> {
    pub(super) fn new(root: &'r Root, access: Access) -> Self {
        Self {
            root,
            access,
            open: Vec::new(),
            upper: Upper::default(),
            restores: HashMap::new(),
            names: Names::default(),
            implied: 0,
        }
    }

    /// Opens the directory that an entry goes into, and makes what is missing of it.
    pub(super) fn make(&mut self, path: &[u8]) -> Result<Rc<Directory>, Error> {
        if let Some(directory) = self.known(path) {
            return Ok(directory);
        }
        let Walked {
            directory,
            created,
            touched,
        } = match self.root.find(path) {
            Ok(directory) if !self.is_closed(&directory)? => {
                return self.keep_open(path, directory);
            }
            _ => self
                .root
                .make(path, self.access, &mut self.names)
                .doing("cannot make a parent directory")?,
        };
        for Touched { name, stat } in touched {
            self.remember(name, &stat);
        }
        if created.iter().any(|created| created.replaced) {
            self.open.clear();
        }
        self.implied += created.len() as u64;
        for created in created {
            self.upper.insert(created.parent, &created.name);
        }
        self.keep_open(path, directory)
    }

    /// Opens the directory that an entry would be in, if there is one.
    pub(super) fn find(&mut self, path: &[u8]) -> Result<Option<Rc<Directory>>, Error> {
        if let Some(directory) = self.known(path) {
            return Ok(Some(directory));
        }
        match self.root.find(path) {
            Ok(directory) if self.is_closed(&directory)? => self.make(path).map(Some),
            Ok(directory) => self.keep_open(path, directory).map(Some),
            Err(refused) if is_absent(refused) => Ok(None),
            // Somebody's mode keeps us out: the long way gives access as it goes. It makes
            // nothing, since everything is there.
            Err(refused) if refused.errno == Errno::ACCESS && self.access == Access::Bound => {
                self.make(path).map(Some)
            }
            Err(refused) => Err(Error::system("cannot open the directory", refused)),
        }
    }

    /// Tells whether a directory's mode has to give way to what goes into it, and has not yet.
    /// Then it matters what its path is without links: it has to be closed again before the
    /// directories that it is in.
    fn is_closed(&self, directory: &OwnedFd) -> Result<bool, Error> {
        if self.access == Access::Privileged {
            return Ok(false);
        }
        let stat = fstat(directory)
            .calling("fstat")
            .doing("cannot inspect a directory")?;
        let is_known = self.restores.contains_key(&Id::of(&stat));
        Ok(!is_known && is_in_the_way(stat.st_mode, self.access))
    }

    fn known(&mut self, path: &[u8]) -> Option<Rc<Directory>> {
        let index = self.open.iter().rposition(|(known, _)| known == path)?;
        let entry = self.open.remove(index);
        let directory = Rc::clone(&entry.1);
        self.open.push(entry);
        Some(directory)
    }

    /// Notes what a directory that was opened by a path is like, and keeps it at hand.
    pub(super) fn keep_open(&mut self, path: &[u8], fd: OwnedFd) -> Result<Rc<Directory>, Error> {
        let (directory, stat) = Directory::of(fd).doing("cannot inspect a directory")?;
        if self.access == Access::Bound {
            open_up(directory.fd.as_fd(), &stat).doing("cannot gain access to a directory")?;
        }
        if !self.restores.contains_key(&directory.id) {
            let name = self.names.of(path);
            self.remember(name, &stat);
        }
        Ok(self.insert(path, directory))
    }

    pub(super) fn insert(&mut self, path: &[u8], directory: Directory) -> Rc<Directory> {
        if self.open.len() == OPEN {
            self.open.remove(0);
        }
        let directory = Rc::new(directory);
        self.open.push((path.to_owned(), Rc::clone(&directory)));
        directory
    }

    /// Forgets a directory whose attributes have changed.
    pub(super) fn forget(&mut self, id: Id) {
        self.open.retain(|(_, directory)| directory.id != id);
    }

    /// Notes what a directory was like before anything in it changed, unless it is known
    /// what it shall be like.
    fn remember(&mut self, name: Name, stat: &Stat) {
        self.restores
            .entry(Id::of(stat))
            .or_insert_with(|| Restore::of(name, stat, self.access));
    }

    /// Removes what stands at a name, all of it.
    pub(super) fn remove(&mut self, directory: &Directory, name: &[u8]) -> Result<(), Error> {
        self.open.clear();
        let forget = |gone| forget(&mut self.upper, &mut self.restores, gone);
        remove::anything(directory.fd.as_fd(), name, &mut remove::Nothing(forget))
            .doing("cannot remove what is in the way")
    }

    /// Removes what stands at a name and comes from lower layers.
    pub(super) fn remove_lower(&mut self, directory: &Directory, name: &[u8]) -> Result<(), Error> {
        if self.upper.has(directory.id, name) {
            return match open_child(directory, name) {
                Ok(child) => self.clear_lower(child.as_fd()),
                // No directory: then it is this layer's, and stays.
                Err(refused) if is_absent(refused) => Ok(()),
                Err(refused) => Err(Error::system("cannot open what is whited out", refused)),
            };
        }
        self.open.clear();
        match remove::anything(directory.fd.as_fd(), name, &mut self.lower()) {
            Err(refused) if is_absent(refused) => Ok(()),
            outcome => outcome.doing("cannot remove what is whited out"),
        }
    }

    /// Removes what a directory holds from lower layers.
    pub(super) fn clear_lower(&mut self, directory: BorrowedFd<'_>) -> Result<(), Error> {
        self.open.clear();
        remove::children(directory, &mut self.lower()).doing("cannot remove what is hidden")
    }

    fn lower(&mut self) -> Lower<'_> {
        let (upper, restores) = (&mut self.upper, &mut self.restores);
        Lower { upper, restores }
    }
}

/// Opens a directory in a directory, and no link to one.
pub(super) fn open_child(directory: &Directory, name: &[u8]) -> Result<OwnedFd, Refused> {
    openat(&directory.fd, name, PATH, Mode::empty()).calling("openat")
}

/// Tells whether a call was refused because no directory stands at a path, nor anything that
/// leads to one.
pub(super) fn is_absent(refused: Refused) -> bool {
    matches!(refused.errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a removed directory was like must not become what its successor is like, should
    /// that one get the same inode number, as it does on ext4 and XFS.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes what it looks at")]
    fn a_directory_is_forgotten_when_it_goes() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Root::open(temporary.path()).unwrap();
        for is_whiteout in [false, true] {
            let deep = temporary.path().join("d/lower/deep");
            std::fs::create_dir_all(&deep).unwrap();
            let mut places = Places::new(&root, Access::Privileged);
            let top = places.find(b"").unwrap().unwrap();
            for path in [&b"d"[..], b"d/lower", b"d/lower/deep"] {
                places.find(path).unwrap().unwrap();
            }
            assert_eq!(
                places.restores.len(),
                4,
                "the root and what was looked into"
            );
            if is_whiteout {
                places.remove_lower(&top, b"d").unwrap();
            } else {
                let made = places.make(b"d/upper").unwrap();
                places.upper.insert(made.id, b"file");
                places.remove(&top, b"d").unwrap();
            }
            assert!(!deep.exists());
            assert!(
                places.restores.keys().eq([&top.id]),
                "whiteout: {is_whiteout}"
            );
            assert!(places.upper.0.is_empty(), "whiteout: {is_whiteout}");
        }
    }
}
