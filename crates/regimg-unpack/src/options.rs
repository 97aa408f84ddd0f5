//! What a caller can choose.

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
    /// Entries in a layer; 20 million.
    pub entries: u64,
    /// Bytes of a name or of a link's target; 64 KiB.
    pub name: usize,
    /// Bytes of all extended attributes of one entry, names included; 512 KiB.
    pub xattrs: usize,
    /// Uncompressed bytes of a layer's archive, and of its files if that is more, as for
    /// sparse files it can be; 2^63 - 1, so none but the disk's own.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 20_000_000,
            name: 64 * 1024,
            xattrs: 512 * 1024,
            bytes: i64::MAX as u64,
        }
    }
}
