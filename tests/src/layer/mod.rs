//! Layers written one entry per line, and their bytes as a registry stores them.
//!
//! | line | entry |
//! | --- | --- |
//! | `dir etc 0755 1000:1000` | directory; mode and owner are optional everywhere |
//! | `file etc/motd 0644 "hello\n" mtime=12.5` | file with this text; `zeros=N` and `random=N` make content |
//! | `symlink etc/a -> ../b`, `hardlink b -> etc/a` | links; the target is written as it stands |
//! | `whiteout etc/old`, `opaque etc` | `etc/.wh.old`, `etc/.wh..wh..opq` |
//! | `char dev/null 0666 1:3`, `block dev/sda 8:0` | devices, `major:minor` and then perhaps an owner |
//! | `fifo run/pipe` | named pipe |
//! | `entry odd type=7 "text"` | any type flag |
//! | `pax comment="for all"` | global extended header |
//!
//! Every entry takes `mtime=SECONDS[.FRACTION]`, `uname=`, `gname=`, `xattr:NAME=VALUE`, `pax:KEY=VALUE`,
//! `format=pax|gnu|v7`, and, for archives that lie, `type=`, `header-size=N`, `at:OFFSET=BYTES` in the header, and
//! `checksum=N`. Words may be quoted; in quotes `\n`, `\t`, `\0`, `\"`, `\\` and `\xNN` stand for one byte, so a name may hold any byte.

mod compression;
mod entry;
mod line;

pub use compression::Compression;

use bytes::Bytes;

use crate::Digest;
use entry::Entry;

const BLOCK: usize = 512;

/// An uncompressed layer: a tar archive.
///
/// ```
/// use regimg_tests::Layer;
///
/// let layer = Layer::parse(
///     r#"
///     dir     etc          0755
///     file    etc/passwd   0644 "root:x:0:0:root:/root:/bin/sh\n"
///     symlink etc/mtab     -> ../proc/self/mounts
///     whiteout var/lib/old
///     "#,
/// );
/// assert_eq!(layer.tar().len() % 512, 0);
/// assert!(layer.diff_id().as_str().starts_with("sha256:"));
/// ```
#[derive(Clone, Debug)]
pub struct Layer {
    archive: Vec<u8>,
    end: usize,
}

impl Layer {
    /// Starts a layer without entries.
    pub fn new() -> Self {
        Self {
            archive: Vec::new(),
            end: 2 * BLOCK,
        }
    }

    /// Reads one entry a line; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Panics
    /// Names the line that cannot be read.
    #[track_caller]
    pub fn parse(lines: &str) -> Self {
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .fold(Self::new(), Self::line)
    }

    /// Adds the entry that `line` describes.
    ///
    /// # Panics
    /// When the line cannot be read.
    #[must_use]
    #[track_caller]
    pub fn line(mut self, line: &str) -> Self {
        match line::parse(line) {
            Ok(bytes) => self.archive.extend(bytes),
            Err(reason) => panic!("layer line `{line}`: {reason}"),
        }
        self
    }

    /// Adds a file with mode 0644 and these bytes.
    #[must_use]
    pub fn file(mut self, path: &str, data: impl Into<Vec<u8>>) -> Self {
        let entry = Entry {
            data: data.into(),
            ..Entry::new(b'0', path.into())
        };
        self.archive.extend(entry.encode());
        self
    }

    /// Adds these bytes as they are: hostile headers, rubbish, another archive.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.archive.extend(bytes);
        self
    }

    /// Ends the archive with this many zero bytes instead of two blocks of 512.
    #[must_use]
    pub fn ending_with_zeros(mut self, count: usize) -> Self {
        self.end = count;
        self
    }

    /// The archive's bytes.
    pub fn tar(&self) -> Bytes {
        let mut archive = self.archive.clone();
        archive.resize(archive.len() + self.end, 0);
        archive.into()
    }

    /// The digest of the archive, which an image's configuration lists.
    pub fn diff_id(&self) -> Digest {
        Digest::sha256(&self.tar())
    }

    /// The archive's bytes after `compression`.
    pub fn compressed(&self, compression: Compression) -> Bytes {
        compression.encode(&self.tar())
    }
}

impl Default for Layer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
