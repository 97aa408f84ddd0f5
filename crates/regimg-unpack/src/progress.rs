//! What a caller is told while layers are applied, and at the end.

use std::fmt;

use crate::error::Quoted;

/// Hears how the work goes; `()` does not listen.
///
/// Layers are counted from zero. No call may be relied upon for correctness: errors are
/// returned, never only reported here.
pub trait Progress {
    /// A layer's first byte is about to be read.
    fn layer_started(&mut self, index: usize) {
        let _ = index;
    }

    /// A layer is applied, and read to its last byte.
    fn layer_finished(&mut self, index: usize) {
        let _ = index;
    }

    /// Something was left out that does not make the result wrong, but that a person who
    /// looks for it would like to be told about. At most once for each kind, and once for
    /// each name of an extended attribute; the layer is the first that it happened in.
    fn warn(&mut self, index: usize, warning: &Warning) {
        let _ = (index, warning);
    }
}

impl Progress for () {}

impl<P: Progress + ?Sized> Progress for &mut P {
    fn layer_started(&mut self, index: usize) {
        (**self).layer_started(index);
    }

    fn layer_finished(&mut self, index: usize) {
        (**self).layer_finished(index);
    }

    fn warn(&mut self, index: usize, warning: &Warning) {
        (**self).warn(index, warning);
    }
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An extended attribute that the file system, or this user's rights, do not allow.
    Xattr {
        /// The entry, as the archive spells it.
        path: Vec<u8>,
        /// The attribute.
        name: Vec<u8>,
    },
    /// Bookkeeping of AUFS (`.wh..wh.aufs`, `.wh..wh.plnk`, `.wh..wh.orph`), which is
    /// neither content nor a whiteout.
    Bookkeeping {
        /// The entry, as the archive spells it.
        path: Vec<u8>,
    },
    /// An entry without a name.
    Unnamed,
    /// An opaque marker for a path that is a symbolic link: there is nothing to hide.
    OpaqueLink {
        /// The marker, as the archive spells it.
        path: Vec<u8>,
    },
    /// Bytes after the last member of a gzip stream.
    TrailingBytes {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xattr { path, name } => {
                write!(
                    f,
                    "entry {}: extended attribute {} is not allowed here",
                    Quoted(path),
                    Quoted(name)
                )
            }
            Self::Bookkeeping { path } => {
                write!(f, "entry {}: bookkeeping of AUFS is skipped", Quoted(path))
            }
            Self::Unnamed => f.write_str("an entry without a name is skipped"),
            Self::OpaqueLink { path } => {
                write!(f, "entry {}: marks a symbolic link as opaque", Quoted(path))
            }
            Self::TrailingBytes { count } => write!(
                f,
                "{count} bytes after the end of the gzip stream are ignored"
            ),
        }
    }
}

/// What one layer held, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Entries of all kinds, whiteouts and skipped ones included.
    pub entries: u64,
    /// Bytes written to files.
    pub bytes: u64,
    /// Devices left out.
    pub skipped_devices: u64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
        self.skipped_devices += other.skipped_devices;
    }
}
