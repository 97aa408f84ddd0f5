//! Entries that hide what lower layers have (image-spec, layer.md, "Whiteouts").
//!
//! Those apply to lower layers only, so that it must not matter where in its layer a whiteout
//! stands: the tree is the one that comes out when they stand first. (containerd goes by the
//! order of entries; there a whiteout that comes last removes what its own layer has put.)
//! Two cases are not covered, since they take knowing the whiteout beforehand: an entry that went
//! through a lower layer's link before the whiteout of that link stays where the link led; and a
//! hard link to a lower layer's file can be made before the whiteout of that file, and not after.

use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::error::Error;
use crate::path;
use crate::progress::{Progress, Warning};
use crate::tar::Entry;

use super::Layer;
use super::place::{is_absent, open_child};

/// What a whiteout's base name begins with.
pub(super) const PREFIX: &[u8] = b".wh.";
/// What is left of an opaque marker's base name, `.wh..wh..opq`.
const OPAQUE: &[u8] = b".wh..opq";
/// What AUFS kept beside the content, and some layers still carry.
const BOOKKEEPING: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.plnk", b".wh..wh.orph"];

/// Tells whether a path is, or is in, bookkeeping of AUFS.
pub(super) fn is_bookkeeping(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .any(|component| BOOKKEEPING.contains(&component))
}

impl<P: Progress> Layer<'_, P> {
    /// Applies a whiteout for `marked` in a directory. What lower layers have goes; what this
    /// layer has put there stays, whether its entry came before or comes after.
    pub(super) fn whiteout(
        &mut self,
        entry: &Entry,
        directory: &[u8],
        marked: &[u8],
    ) -> Result<(), Error> {
        match marked {
            OPAQUE => self.opaque(entry, directory),
            b"" | b"." | b".." => Err(Error::archive("whiteout of no name")),
            name => match self.places.find(directory)? {
                Some(directory) => self.places.remove_lower(&directory, name),
                None => Ok(()),
            },
        }
    }

    /// Hides everything that lower layers have in a directory. The directory itself is not
    /// looked for behind a link: a link is a lower layer's, and what it leads to is not what
    /// the marker speaks of.
    fn opaque(&mut self, entry: &Entry, path: &[u8]) -> Result<(), Error> {
        let (above, name) = path::split(path);
        let Some(above) = self.places.find(above)? else {
            return Ok(());
        };
        if name.is_empty() {
            return self.places.clear_lower(above.fd.as_fd());
        }
        match open_child(&above, name) {
            Ok(directory) => {
                let directory = self.places.keep_open(path, directory)?;
                self.places.clear_lower(directory.fd.as_fd())
            }
            Err(refused) if refused.errno == Errno::NOENT => Ok(()),
            Err(refused) if is_absent(refused) => {
                self.notes.warn(&Warning::OpaqueLink {
                    path: entry.path.clone(),
                });
                Ok(())
            }
            Err(refused) => Err(Error::system("cannot open what is marked opaque", refused)),
        }
    }
}
