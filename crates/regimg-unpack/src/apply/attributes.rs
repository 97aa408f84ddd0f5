//! Owners, modes, extended attributes and times, set in the order in which none undoes
//! another: a new owner clears set-user-ID bits and capabilities, a write changes times.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr, futimens,
    utimensat,
};
use rustix::io::Errno;

use crate::error::{Calling, Doing, Error, Quoted, Refused};
use crate::proc;
use crate::progress::{Progress, Warning};
use crate::root::Directory;
use crate::tar::{Attributes, Entry};
use crate::xattrs::{self, ACLS, is_not_allowed, is_of_the_machine};

use super::Layer;

/// File capabilities, which nothing may come after that changes the file.
const CAPABILITY: &[u8] = b"security.capability";

pub(super) const CANNOT_REMOVE: &str = "cannot remove an extended attribute";

/// When an extended attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Before the mode, which may deny its owner to write: those of users take permission.
    BeforeMode,
    /// After it, which would change access control lists.
    AfterMode,
}

impl Turn {
    fn of(name: &[u8]) -> Self {
        if name.starts_with(b"user.") {
            Self::BeforeMode
        } else {
            Self::AfterMode
        }
    }
}

/// Returns the times that an entry asks for. Without one for access, a file has been read
/// when it was written.
pub(super) fn timestamps(attributes: &Attributes) -> Timestamps {
    let mtime = attributes.mtime;
    let atime = attributes.atime.map_or(mtime, |atime| atime.max(mtime));
    Timestamps {
        last_access: atime.into(),
        last_modification: mtime.into(),
    }
}

impl<P: Progress> Layer<'_, P> {
    /// Sets everything on a file that this layer has made and filled.
    pub(super) fn finish_file(
        &mut self,
        file: BorrowedFd<'_>,
        within: &Directory,
        entry: &Entry,
    ) -> Result<(), Error> {
        let attributes = &entry.attributes;
        if within.hands_down_acls {
            xattrs::remove_acls(file).doing(CANNOT_REMOVE)?;
        }
        if let Some((uid, gid)) = self.owner(within, attributes)? {
            fchown(file, Some(uid), Some(gid))
                .calling("fchown")
                .map_err(|refused| refused_owner(uid, gid, refused))?;
        }
        let set = |name: &[u8], value: &[u8]| {
            fsetxattr(file, name, value, XattrFlags::empty()).calling("fsetxattr")
        };
        self.set_xattrs(entry, Turn::BeforeMode, set)?;
        fchmod(file, Mode::from_raw_mode(attributes.mode))
            .calling("fchmod")
            .doing("cannot set the mode")?;
        self.set_xattrs(entry, Turn::AfterMode, set)?;
        futimens(file, &timestamps(attributes))
            .calling("utimensat")
            .doing("cannot set times")
    }

    /// Sets everything on a directory but its times, which what goes into it would change.
    pub(super) fn finish_directory(
        &mut self,
        directory: BorrowedFd<'_>,
        mode: u32,
        within: Option<&Directory>,
        entry: &Entry,
    ) -> Result<(), Error> {
        if within.is_some_and(|within| within.hands_down_acls) {
            xattrs::remove_acls(directory).doing(CANNOT_REMOVE)?;
        }
        let owner = match within {
            Some(within) => self.owner(within, &entry.attributes)?,
            None => self.any_owner(&entry.attributes)?,
        };
        if let Some((uid, gid)) = owner {
            fchown(directory, Some(uid), Some(gid))
                .calling("fchown")
                .map_err(|refused| refused_owner(uid, gid, refused))?;
        }
        let set = |name: &[u8], value: &[u8]| {
            fsetxattr(directory, name, value, XattrFlags::empty()).calling("fsetxattr")
        };
        self.set_xattrs(entry, Turn::BeforeMode, set)?;
        fchmod(directory, Mode::from_raw_mode(mode))
            .calling("fchmod")
            .doing("cannot set the mode")?;
        self.set_xattrs(entry, Turn::AfterMode, set)
    }

    /// Sets everything but a mode on what has no content to be opened for: a link, which has
    /// no mode, or a special file, which is opened by path only.
    pub(super) fn finish_in_place(
        &mut self,
        within: &Directory,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Error> {
        if within.hands_down_acls {
            for acl in ACLS {
                xattrs::unless_absent(proc::remove_xattr(within.fd.as_fd(), name, acl))
                    .calling("lremovexattr")
                    .doing(CANNOT_REMOVE)?;
            }
        }
        if let Some((uid, gid)) = self.owner(within, &entry.attributes)? {
            let (flags, owner) = (AtFlags::SYMLINK_NOFOLLOW, (Some(uid), Some(gid)));
            chownat(&within.fd, name, owner.0, owner.1, flags)
                .calling("fchownat")
                .map_err(|refused| refused_owner(uid, gid, refused))?;
        }
        let set = |xattr: &[u8], value: &[u8]| {
            proc::set_xattr(within.fd.as_fd(), name, xattr, value).calling("lsetxattr")
        };
        self.set_xattrs(entry, Turn::BeforeMode, set)?;
        self.set_xattrs(entry, Turn::AfterMode, set)?;
        let times = timestamps(&entry.attributes);
        utimensat(&within.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .calling("utimensat")
            .doing("cannot set times")
    }

    /// Returns the owner to set, unless a new file in this directory has it already: whether
    /// it takes its maker's group or its directory's, they are the same.
    fn owner(
        &self,
        within: &Directory,
        attributes: &Attributes,
    ) -> Result<Option<(Uid, Gid)>, Error> {
        let owner = self.any_owner(attributes)?;
        Ok(owner.filter(|&(uid, gid)| {
            let is_ours = (uid, gid) == self.user && gid.as_raw() == within.gid;
            !is_ours
        }))
    }

    fn any_owner(&self, attributes: &Attributes) -> Result<Option<(Uid, Gid)>, Error> {
        if !self.owners {
            return Ok(None);
        }
        let (uid, gid) = (id(attributes.uid, "user")?, id(attributes.gid, "group")?);
        Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid))))
    }

    /// Sets the extended attributes whose turn it is, capabilities last. One that is not
    /// allowed here is left out with a warning: no image depends on it who could run without.
    fn set_xattrs(
        &mut self,
        entry: &Entry,
        turn: Turn,
        set: impl Fn(&[u8], &[u8]) -> Result<(), Refused>,
    ) -> Result<(), Error> {
        let xattrs = &entry.attributes.xattrs;
        let capability = xattrs.get_key_value(CAPABILITY);
        let others = xattrs.iter().filter(|(name, _)| *name != CAPABILITY);
        for (name, value) in others.chain(capability) {
            if Turn::of(name) != turn || is_of_the_machine(name) {
                continue;
            }
            match set(name, value) {
                Ok(()) => {}
                Err(refused) if is_not_allowed(refused.errno) => {
                    self.notes.warn(&Warning::Xattr {
                        path: entry.path.clone(),
                        name: name.clone(),
                    });
                }
                Err(refused) => {
                    let operation = format!("cannot set extended attribute {}", Quoted(name));
                    return Err(Error::system(operation, refused));
                }
            }
        }
        Ok(())
    }
}

/// Takes an id as the system does: the highest one is no id but stands for "leave it".
fn id(id: u64, of: &str) -> Result<u32, Error> {
    u32::try_from(id)
        .ok()
        .filter(|&id| id != u32::MAX)
        .ok_or_else(|| Error::archive(format!("{of} id {id} is out of range")))
}

fn refused_owner(uid: Uid, gid: Gid, refused: Refused) -> Error {
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    let hint = if refused.errno == Errno::INVAL {
        ", which this user namespace has no mapping for"
    } else {
        ""
    };
    Error::system(format!("cannot set the owner {uid}:{gid}{hint}"), refused)
}
