//! Reaching what is open by descriptor alone, through `/proc`.
//!
//! Some calls know no descriptor that was opened without access, and no flag to keep them
//! from following a link: for those, `/proc/self/fd/N` is the file itself.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, CWD, Mode, RawMode, XattrFlags, chmodat, lremovexattr, lsetxattr};
use rustix::io::Errno;

use crate::error::{Calling, Refused};

/// Changes the mode of a file that was opened as a path only.
pub(crate) fn chmod(file: BorrowedFd<'_>, mode: RawMode) -> Result<(), Refused> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::empty()).calling("fchmodat")
}

/// Sets an extended attribute of what stands in a directory, a link itself if it is one.
pub(crate) fn set_xattr(
    directory: BorrowedFd<'_>,
    name: &[u8],
    xattr: &[u8],
    value: &[u8],
) -> Result<(), Errno> {
    lsetxattr(path(directory, name), xattr, value, XattrFlags::empty())
}

/// Removes an extended attribute of what stands in a directory, a link itself if it is one.
pub(crate) fn remove_xattr(
    directory: BorrowedFd<'_>,
    name: &[u8],
    xattr: &[u8],
) -> Result<(), Errno> {
    lremovexattr(path(directory, name), xattr)
}

fn path(directory: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}
