//! What directories shall be like when a layer is done.
//!
//! Every entry that is made in a directory changes its time, and a directory without write
//! permission takes none from somebody who is not root: both are set right at the end.

use std::cmp::Reverse;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Mode, RawMode, Stat, Timespec, Timestamps, fstat, futimens, openat, statat, utimensat,
};

use crate::error::{Calling, Doing, Error};
use crate::names::Name;
use crate::proc;
use crate::root::{Access, Id, PATH};
use crate::tar::Attributes;

use super::attributes::timestamps;
use super::place::{Places, is_absent};
use super::tour::Tour;

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
        self.open.clear();
        let mut restores: Vec<(Id, Restore)> = self.restores.drain().collect();
        // The deepest first, so that no directory is closed before what is in it is done;
        // neighbours together, so that it is not far from one to the next.
        let order = self.names.preorder();
        restores.sort_unstable_by_key(|(_, restore)| Reverse(order.of(restore.name)));
        let mut tour = Tour::new(self.root, &self.names);
        for (id, restore) in &restores {
            self.restore_times(&mut tour, *id, restore)
                .map_err(|error| error.at(&self.names.path(restore.name)))?;
        }
        for (id, restore) in &restores {
            if let Some(mode) = restore.mode {
                self.restore_mode(&mut tour, *id, restore.name, mode)
                    .map_err(|error| error.at(&self.names.path(restore.name)))?;
            }
        }
        Ok(())
    }

    fn restore_times(&self, tour: &mut Tour<'_>, id: Id, restore: &Restore) -> Result<(), Error> {
        const FAILED: &str = "cannot set times";
        let times = &restore.times;
        if restore.name == Name::ROOT {
            return futimens(self.root, times)
                .calling("utimensat")
                .doing("cannot set times of the root");
        }
        let (above, component) = self.names.split(restore.name);
        if let Some(above) = tour.go(above).doing(CANNOT_OPEN)?
            && let Ok(stat) = statat(above, component, AtFlags::SYMLINK_NOFOLLOW)
            && Id::of(&stat) == id
        {
            return utimensat(above, component, times, AtFlags::SYMLINK_NOFOLLOW)
                .calling("utimensat")
                .doing(FAILED);
        }
        // A link led there, or something else stands there now.
        match self.find_again(restore.name, id)? {
            Some(directory) => utimensat(&directory, c".", times, AtFlags::empty())
                .calling("utimensat")
                .doing(FAILED),
            None => Ok(()),
        }
    }

    fn restore_mode(
        &self,
        tour: &mut Tour<'_>,
        id: Id,
        name: Name,
        mode: RawMode,
    ) -> Result<(), Error> {
        let found = match self.names.split(name) {
            (above, component) if name != Name::ROOT => tour
                .go(above)
                .doing(CANNOT_OPEN)?
                .and_then(|above| openat(above, component, PATH, Mode::empty()).ok()),
            _ => None,
        };
        let found = found.filter(|found| fstat(found).is_ok_and(|stat| Id::of(&stat) == id));
        let directory = match found {
            Some(directory) => Some(directory),
            None => self.find_again(name, id)?,
        };
        match directory {
            Some(directory) => proc::chmod(directory.as_fd(), mode).doing("cannot set the mode"),
            None => Ok(()),
        }
    }

    /// Opens a directory that the layer has used, unless it is gone.
    fn find_again(&self, name: Name, id: Id) -> Result<Option<OwnedFd>, Error> {
        let directory = match self.root.find(&self.names.path(name)) {
            Ok(directory) => directory,
            Err(refused) if is_absent(refused) => return Ok(None),
            Err(refused) => return Err(Error::system(CANNOT_OPEN, refused)),
        };
        let stat = fstat(&directory)
            .calling("fstat")
            .doing("cannot inspect a directory")?;
        Ok((Id::of(&stat) == id).then_some(directory))
    }
}

const CANNOT_OPEN: &str = "cannot open a directory";
