//! A way through the directories of a layer that comes by each of them once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, fstat, openat};
use rustix::io::Errno;

use crate::error::{Calling, Refused};
use crate::names::{Name, Names};
use crate::root::{Id, PATH, Root};

/// Where the way has led so far, with one directory open.
///
/// Going on to a neighbour costs a step up and a step down, wherever in the tree it is; to
/// resolve every path from the root would cost its depth each time, and a hostile layer's
/// directories are tens of thousands deep.
#[derive(Debug)]
pub(super) struct Tour<'t> {
    root: &'t Root,
    names: &'t Names,
    /// The directories from the root to this one, without the root.
    above: Vec<(Name, Id)>,
    /// The one that is open; `None` at the root.
    here: Option<OwnedFd>,
    #[cfg(test)]
    steps: usize,
}

impl<'t> Tour<'t> {
    pub(super) fn new(root: &'t Root, names: &'t Names) -> Self {
        Self {
            root,
            names,
            above: Vec::new(),
            here: None,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Goes to a directory; to none if its path leads through a link, or is gone.
    pub(super) fn go(&mut self, name: Name) -> Result<Option<BorrowedFd<'_>>, Refused> {
        let mut ahead = Vec::new();
        let mut at = name;
        while at != self.name() {
            if self.name() > at {
                // A directory's name is greater than those above it, so this is none of them.
                self.up()?;
            } else {
                let (parent, component) = self.names.split(at);
                ahead.push((at, component));
                at = parent;
            }
        }
        while let Some((name, component)) = ahead.pop() {
            if !self.down(name, component)? {
                return Ok(None);
            }
        }
        Ok(Some(self.here()))
    }

    fn name(&self) -> Name {
        self.above.last().map_or(Name::ROOT, |&(name, _)| name)
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.here
            .as_ref()
            .map_or_else(|| self.root.as_fd(), AsFd::as_fd)
    }

    /// Goes up; all the way to the root if somebody has moved the directory meanwhile.
    fn up(&mut self) -> Result<(), Refused> {
        self.above.pop();
        self.here = match self.above.last() {
            None => None,
            Some(&(_, id)) => {
                let parent = openat(self.here(), c"..", PATH, Mode::empty()).calling("openat")?;
                let is_it = Id::of(&fstat(&parent).calling("fstat")?) == id;
                is_it.then_some(parent)
            }
        };
        if self.here.is_none() {
            self.above.clear();
        }
        self.step();
        Ok(())
    }

    /// Goes down, if there is a directory of that name.
    fn down(&mut self, name: Name, component: &[u8]) -> Result<bool, Refused> {
        match openat(self.here(), component, PATH, Mode::empty()) {
            Ok(directory) => {
                let id = Id::of(&fstat(&directory).calling("fstat")?);
                self.above.push((name, id));
                self.here = Some(directory);
                self.step();
                Ok(true)
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(false),
            Err(errno) => Err(errno).calling("openat"),
        }
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests count"))]
    fn step(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use rustix::fs::{Mode, mkdirat, symlinkat};

    use super::Tour;
    use crate::names::{Name, Names};
    use crate::root::{Access, Id, Root};

    /// Two arms, each longer than any path may be, that come up in turn.
    #[test]
    fn a_tour_takes_two_steps_for_a_directory() {
        const DEPTH: usize = 3000;
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let mut names = Names::default();
        for arm in [&b"a/"[..], b"b/"] {
            root.make(&arm.repeat(DEPTH), Access::Privileged, &mut names)
                .unwrap();
        }
        let mut names = Names::default();
        let (mut a, mut b) = (Name::ROOT, Name::ROOT);
        let mut all = Vec::new();
        for _ in 0..DEPTH {
            (a, b) = (names.child(a, b"a"), names.child(b, b"b"));
            all.extend([a, b]);
        }
        let order = names.preorder();
        all.sort_unstable_by_key(|name| Reverse(order.of(*name)));
        let mut tour = Tour::new(&root, &names);
        for name in &all {
            assert!(tour.go(*name).unwrap().is_some());
        }
        // Down and up again, and one way of the last.
        assert!(tour.steps <= 4 * DEPTH, "{} steps", tour.steps);
        root.clear().unwrap();
        assert!(tour.go(a).unwrap().is_none(), "what is gone is not found");
    }

    #[test]
    fn a_tour_takes_no_links_and_no_moved_directories() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for path in ["a", "a/b", "c"] {
            mkdirat(&root, path, Mode::RWXU).unwrap();
        }
        symlinkat("a", &root, "link").unwrap();
        let mut names = Names::default();
        let (link, a, c) = (names.of(b"link/b"), names.of(b"a"), names.of(b"c"));
        let b = names.of(b"a/b");
        let mut tour = Tour::new(&root, &names);
        assert!(tour.go(link).unwrap().is_none());
        assert!(tour.go(b).unwrap().is_some());
        rustix::fs::renameat(&root, "a/b", &root, "c/b").unwrap();
        for (name, path) in [(a, "a"), (c, "c"), (Name::ROOT, ".")] {
            let found = tour.go(name).unwrap().expect("it is there");
            let expected = root.find(path.as_bytes()).unwrap();
            let id = |fd: std::os::fd::BorrowedFd<'_>| Id::of(&rustix::fs::fstat(fd).unwrap());
            assert_eq!(id(found), id(std::os::fd::AsFd::as_fd(&expected)), "{path}");
        }
        assert!(tour.go(b).unwrap().is_none());
    }
}
