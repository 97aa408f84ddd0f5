//! Extended attributes that nobody asked for: those of what was there before, and access
//! control lists that the system hands down from a directory to what is made in it.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, fgetxattr, flistxattr, fremovexattr, getxattr, openat};
use rustix::io::Errno;

use crate::error::{Calling, Refused};

/// The list that a file inherits, and a directory, and the one that only a directory does.
pub(crate) const ACLS: [&[u8]; 2] = [b"system.posix_acl_access", DEFAULT_ACL];
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";

/// Tells whether an attribute belongs to the machine that an archive was made on, rather
/// than to its content.
pub(crate) fn is_of_the_machine(name: &[u8]) -> bool {
    name == b"security.selinux"
        || name == b"system.nfs4_acl"
        || name.starts_with(b"trusted.overlay.")
}

/// Tells whether an attribute is one that a file system does not have, or a user may not set.
pub(crate) fn is_not_allowed(errno: Errno) -> bool {
    matches!(errno, Errno::NOTSUP | Errno::PERM | Errno::ACCESS)
}

/// Removes the attributes of a directory that are not to stay, unless that is not allowed.
pub(crate) fn remove_others(
    directory: BorrowedFd<'_>,
    stays: impl Fn(&[u8]) -> bool,
) -> Result<(), Refused> {
    let mut names = Vec::with_capacity(64 * 1024);
    match flistxattr(directory, rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(Errno::NOTSUP) => return Ok(()),
        Err(errno) => return Err(errno).calling("flistxattr"),
    }
    let names = names.split(|&byte| byte == 0);
    for name in names.filter(|name| !name.is_empty() && !is_of_the_machine(name)) {
        if !stays(name) {
            unless_absent(fremovexattr(directory, name)).calling("fremovexattr")?;
        }
    }
    Ok(())
}

/// Removes the lists that a new file or directory has inherited.
pub(crate) fn remove_acls(file: BorrowedFd<'_>) -> Result<(), Refused> {
    for name in ACLS {
        unless_absent(fremovexattr(file, name)).calling("fremovexattr")?;
    }
    Ok(())
}

/// Takes it that an attribute that cannot be removed is not there.
pub(crate) fn unless_absent(removed: Result<(), Errno>) -> Result<(), Errno> {
    match removed {
        Err(errno) if errno == Errno::NODATA || is_not_allowed(errno) => Ok(()),
        outcome => outcome,
    }
}

/// Tells whether what is made in a directory inherits an access control list from it.
pub(crate) fn hands_down_acls(directory: BorrowedFd<'_>) -> Result<bool, Refused> {
    let (call, found) = match fgetxattr(directory, DEFAULT_ACL, &mut [0; 0]) {
        // Opened as a path only.
        Err(Errno::BADF) => {
            let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
            ("getxattr", getxattr(path, DEFAULT_ACL, &mut [0; 0]))
        }
        found => ("fgetxattr", found),
    };
    match found {
        Ok(_) => Ok(true),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(false),
        // There is no /proc here.
        Err(Errno::NOENT | Errno::NOTDIR) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = openat(directory, c".", flags, Mode::empty()).calling("openat")?;
            Ok(fgetxattr(&directory, DEFAULT_ACL, &mut [0; 0]).is_ok())
        }
        Err(errno) => Err(errno).calling(call),
    }
}
