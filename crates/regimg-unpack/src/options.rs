//! What a caller can choose.

use regimg_core::Digest;

/// How to apply layers. The default is what a container engine does: everything that the
/// archive says, except for devices, and owners only as root.
///
/// ```
/// use regimg_unpack::{Options, Ownership};
///
/// let mut options = Options::default();
/// options.ownership = Ownership::Ignore;
/// options.limits.bytes = 10 * 1024 * 1024 * 1024;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether files get the owners that the archive names.
    pub ownership: Ownership,
    /// What to do with entries for devices.
    pub devices: Devices,
    /// How much to take before calling it an attack.
    pub limits: Limits,
    /// Whether to wait, at the end, until everything is on the disk. Off: files of an image
    /// can be had again, and waiting costs more than unpacking.
    pub durable: bool,
    /// The digests that the layers' archives must have uncompressed, the lowest first: an
    /// image configuration's `rootfs.diff_ids`. `None` computes none, since a layer's own
    /// digest, of its compressed bytes, is checked more cheaply by whoever reads them.
    pub diff_ids: Option<Vec<Digest>>,
}

/// Whether files get the owners that the archive names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// As root, they do; otherwise files belong to whoever unpacks.
    #[default]
    IfRoot,
    /// They do, or it is an error.
    Keep,
    /// They belong to whoever unpacks.
    Ignore,
}

/// What to do with entries for devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Devices {
    /// They are counted and left out: a container gets its devices from its engine, and
    /// in a user namespace they cannot be made.
    #[default]
    Skip,
    /// They are made, which takes root.
    Create,
}

/// How much one layer may hold. The defaults are far beyond every honest image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Entries in a layer, and directories that are made because an entry needs them;
    /// 20 million.
    pub entries: u64,
    /// Bytes of a name or of a link's target; 64 KiB.
    pub name: usize,
    /// Bytes of all extended attributes of one entry, names included; 512 KiB.
    pub xattrs: usize,
    /// Uncompressed bytes of a layer's archive; and of its files with their holes, which the
    /// archive has no bytes for. 2^63 - 1, so none but the disk's own.
    pub bytes: u64,
    /// Uncompressed bytes for each compressed one, once a layer has more than 16 MiB; none.
    /// Files full of zeros reach 1000 with gzip and more with zstd.
    pub ratio: u64,
    /// Bytes of the window that a zstd frame may ask for, as a power of two; 128 MiB, zstd's
    /// own limit for decoders that were told nothing else.
    pub window: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 20_000_000,
            name: 64 * 1024,
            xattrs: 512 * 1024,
            bytes: i64::MAX as u64,
            ratio: u64::MAX,
            window: 1 << 27,
        }
    }
}
