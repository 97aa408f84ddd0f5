//! What directories shall be like when a layer is done.
//!
//! Every entry that is made in a directory changes its time, and a directory without write
//! permission takes none from somebody who is not root: both are set right at the end.

use rustix::fs::{
    AtFlags, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, openat, statat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::path;
use crate::proc;
use crate::root::{Access, Id};
use crate::tar::Attributes;

use super::attributes::timestamps;
use super::place::Places;

/// A directory's times, and its mode if it has another one for now.
#[derive(Debug)]
pub(super) struct Restore {
    path: Vec<u8>,
    times: Timestamps,
    mode: Option<RawMode>,
}

impl Restore {
    /// Keeps a directory as it is.
    pub(super) fn of(path: Vec<u8>, stat: &Stat, access: Access) -> Self {
        let mode = stat.st_mode & 0o7777;
        Self {
            path,
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
    pub(super) fn to(path: Vec<u8>, attributes: &Attributes, access: Access) -> Self {
        let mode = is_in_the_way(attributes.mode, access).then_some(attributes.mode);
        Self {
            path,
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
        restores.sort_by(|(_, a), (_, b)| b.path.cmp(&a.path));
        for (id, restore) in &restores {
            self.restore_times(*id, restore)
                .map_err(|error| error.at(&restore.path))?;
        }
        for (id, restore) in &restores {
            if let Some(mode) = restore.mode {
                self.restore_mode(*id, &restore.path, mode)
                    .map_err(|error| error.at(&restore.path))?;
            }
        }
        Ok(())
    }

    fn restore_times(&mut self, id: Id, restore: &Restore) -> Result<(), Error> {
        if restore.path.is_empty() {
            return rustix::fs::futimens(self.root, &restore.times)
                .doing("cannot set times of the root");
        }
        let (directory, name) = path::split(&restore.path);
        let Some(directory) = self.find(directory)? else {
            return Ok(());
        };
        match statat(&directory.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if Id::of(&stat) == id => utimensat(
                &directory.fd,
                name,
                &restore.times,
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .doing("cannot set times"),
            // Something else stands there now, or it was reached through a link.
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(errno) => Err(Error::system("cannot inspect a directory", errno)),
        }
    }

    fn restore_mode(&self, id: Id, path: &[u8], mode: RawMode) -> Result<(), Error> {
        let directory = match self.root.find(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(Error::system("cannot open a directory", errno)),
        };
        let directory = openat(
            &directory,
            c".",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let directory = directory.doing("cannot open a directory")?;
        let stat = rustix::fs::fstat(&directory).doing("cannot inspect a directory")?;
        if Id::of(&stat) != id {
            return Ok(());
        }
        proc::chmod(std::os::fd::AsFd::as_fd(&directory), mode).doing("cannot set the mode")
    }
}
