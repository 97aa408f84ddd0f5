//! What directories shall be like when a layer is done.
//!
//! Every entry that is made in a directory changes its time, and a directory without write
//! permission takes none from somebody who is not root: both are set right at the end.

use std::cmp::Reverse;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, RawMode, Stat, Timespec, Timestamps, fstat, futimens, statat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Calling, Doing, Error};
use crate::names::Name;
use crate::path;
use crate::proc;
use crate::root::{Access, Id};
use crate::tar::Attributes;

use super::attributes::timestamps;
use super::place::{Places, is_absent};

/// A directory's times, and its mode if it has another one for now.
#[derive(Debug)]
pub(super) struct Restore {
    name: Name,
    times: Timestamps,
    mode: Option<RawMode>,
}

impl Restore {
    /// Keeps a directory as it is.
    pub(super) fn of(name: Name, stat: &Stat, access: Access) -> Self {
        let mode = stat.st_mode & 0o7777;
        Self {
            name,
            times: Timestamps {
                last_access: Timespec {
                    tv_sec: stat.st_atime,
                    tv_nsec: stat.st_atime_nsec.cast_signed(),
                },
                last_modification: Timespec {
                    tv_sec: stat.st_mtime,
                    tv_nsec: stat.st_mtime_nsec.cast_signed(),
                },
            },
            mode: is_in_the_way(mode, access).then_some(mode),
        }
    }

    /// Gives a directory what an entry says.
    pub(super) fn to(name: Name, attributes: &Attributes, access: Access) -> Self {
        let mode = is_in_the_way(attributes.mode, access).then_some(attributes.mode);
        Self {
            name,
            times: timestamps(attributes),
            mode,
        }
    }
}

/// Tells whether a mode would keep the directory's owner from filling it.
pub(super) fn is_in_the_way(mode: RawMode, access: Access) -> bool {
    access == Access::Bound && mode & 0o700 != 0o700
}

impl Places<'_> {
    /// Sets right what the layer's entries have changed in passing.
    pub(super) fn restore(&mut self) -> Result<(), Error> {
        let mut restores: Vec<(Id, Restore)> = self.restores.drain().collect();
        // The deepest first, so that no directory is closed before what is in it is done;
        // neighbours together, so that the directory they are in is found once.
        restores.sort_unstable_by_key(|(_, restore)| Reverse(restore.name));
        for (id, restore) in &restores {
            let path = self.names.path(restore.name);
            self.restore_times(*id, &path, &restore.times)
                .map_err(|error| error.at(&path))?;
        }
        for (id, restore) in &restores {
            if let Some(mode) = restore.mode {
                let path = self.names.path(restore.name);
                self.restore_mode(*id, &path, mode)
                    .map_err(|error| error.at(&path))?;
            }
        }
        Ok(())
    }

    fn restore_times(&mut self, id: Id, path: &[u8], times: &Timestamps) -> Result<(), Error> {
        if path.is_empty() {
            return futimens(self.root, times)
                .calling("utimensat")
                .doing("cannot set times of the root");
        }
        let (directory, name) = path::split(path);
        let Some(directory) = self.find(directory)? else {
            return Ok(());
        };
        match statat(&directory.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if Id::of(&stat) == id => {
                utimensat(&directory.fd, name, times, AtFlags::SYMLINK_NOFOLLOW)
                    .calling("utimensat")
                    .doing("cannot set times")
            }
            // Something else stands there now, or a link does that led there.
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => match self.find_again(path, id)? {
                Some(directory) => utimensat(&directory, c".", times, AtFlags::empty())
                    .calling("utimensat")
                    .doing("cannot set times"),
                None => Ok(()),
            },
            refused => refused
                .map(drop)
                .calling("fstatat")
                .doing("cannot inspect a directory"),
        }
    }

    fn restore_mode(&self, id: Id, path: &[u8], mode: RawMode) -> Result<(), Error> {
        match self.find_again(path, id)? {
            Some(directory) => proc::chmod(directory.as_fd(), mode).doing("cannot set the mode"),
            None => Ok(()),
        }
    }

    /// Opens a directory that the layer has used, unless it is gone.
    fn find_again(&self, path: &[u8], id: Id) -> Result<Option<OwnedFd>, Error> {
        let directory = match self.root.find(path) {
            Ok(directory) => directory,
            Err(refused) if is_absent(refused) => return Ok(None),
            Err(refused) => return Err(Error::system("cannot open a directory", refused)),
        };
        let stat = fstat(&directory)
            .calling("fstat")
            .doing("cannot inspect a directory")?;
        Ok((Id::of(&stat) == id).then_some(directory))
    }
}
