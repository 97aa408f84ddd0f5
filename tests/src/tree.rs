//! Directory trees as text, one line a file, for comparing what was unpacked with what was expected.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};

use crate::Digest;

/// What a listing leaves out.
///
/// ```
/// use regimg_tests::tree::Listing;
///
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("a"), "hello")?;
/// let lines = Listing::new().without_owners().without_times().lines(directory.path())?;
/// assert_eq!(lines[1], "a file 0644 5 sha256:2cf24dba5fb0");
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column, there or not"
)]
pub struct Listing {
    owners: bool,
    times: bool,
    attributes: bool,
    text: bool,
}

impl Listing {
    /// Lists everything: path, type, mode, owner, size, time, content, attributes, links.
    pub fn new() -> Self {
        Self {
            owners: true,
            times: true,
            attributes: true,
            text: false,
        }
    }

    /// Leaves out `uid:gid`, which only root can set.
    #[must_use]
    pub fn without_owners(mut self) -> Self {
        self.owners = false;
        self
    }

    /// Leaves out modification times.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.times = false;
        self
    }

    /// Leaves out extended attributes.
    #[must_use]
    pub fn without_attributes(mut self) -> Self {
        self.attributes = false;
        self
    }

    /// Shows files of up to 64 bytes as they are, quoted, instead of by size and digest.
    #[must_use]
    pub fn with_text(mut self) -> Self {
        self.text = true;
        self
    }

    /// Lists `root` itself as `.` and everything beneath it, sorted by path; nothing is followed.
    ///
    /// A line is `PATH TYPE MODE [UID:GID] [SIZE CONTENT | -> TARGET | MAJOR:MINOR] [mtime=…] [NAME="VALUE"…] [same as PATH]`,
    /// where CONTENT is the beginning of the SHA-256 digest, bytes that are no printable ASCII are escaped, and
    /// `same as` names the first path of a group of hard links.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn lines(self, root: impl AsRef<Path>) -> io::Result<Vec<String>> {
        let root = root.as_ref();
        let mut paths = vec![PathBuf::new()];
        collect(root, Path::new(""), &mut paths)?;
        paths.sort();
        let mut first: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
        let mut lines = Vec::with_capacity(paths.len());
        for path in paths {
            let full = if path.as_os_str().is_empty() {
                root.to_owned()
            } else {
                root.join(&path)
            };
            let metadata = fs::symlink_metadata(&full)?;
            let mut words = self.words(&full, &path, &metadata)?;
            if metadata.nlink() > 1 && !metadata.is_dir() {
                let inode = (metadata.dev(), metadata.ino());
                let group = first.entry(inode).or_insert_with(|| path.clone());
                if *group != path {
                    words.push(format!("same as {}", shown(group.as_os_str().as_bytes())));
                }
            }
            lines.push(words.join(" "));
        }
        Ok(lines)
    }

    /// The lines of [`Listing::lines`] as one text, for snapshots.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn text(self, root: impl AsRef<Path>) -> io::Result<String> {
        Ok(self
            .lines(root)?
            .into_iter()
            .map(|line| line + "\n")
            .collect())
    }

    fn words(self, full: &Path, path: &Path, metadata: &Metadata) -> io::Result<Vec<String>> {
        let name = match path.as_os_str().as_bytes() {
            b"" => ".".to_owned(),
            bytes => shown(bytes),
        };
        let mode = format!("{:04o}", metadata.mode() & 0o7777);
        let mut words = vec![name, kind(metadata).to_owned(), mode];
        if self.owners {
            words.push(format!("{}:{}", metadata.uid(), metadata.gid()));
        }
        words.extend(self.content(full, metadata)?);
        if self.times {
            words.push(format!("mtime={}", time(metadata)));
        }
        if self.attributes {
            let attributes = attributes(full)?.into_iter();
            words.extend(
                attributes
                    .map(|(name, value)| format!("{}=\"{}\"", shown(&name), value.escape_ascii())),
            );
        }
        Ok(words)
    }

    /// Size and digest of a file, target of a link, numbers of a device.
    fn content(self, full: &Path, metadata: &Metadata) -> io::Result<Option<String>> {
        let kind = metadata.file_type();
        Ok(if kind.is_symlink() {
            let target = fs::read_link(full)?;
            Some(format!("-> {}", shown(target.as_os_str().as_bytes())))
        } else if kind.is_file() && self.text && metadata.size() <= 64 {
            Some(format!("\"{}\"", fs::read(full)?.escape_ascii()))
        } else if kind.is_file() {
            let digest = Digest::sha256_of(File::open(full)?)?;
            let digest = &digest.as_str()[.."sha256:".len() + 12];
            Some(format!("{} {digest}", metadata.size()))
        } else if kind.is_char_device() || kind.is_block_device() {
            let device = metadata.rdev();
            let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
            Some(format!("{major}:{minor}"))
        } else {
            None
        })
    }
}

impl Default for Listing {
    fn default() -> Self {
        Self::new()
    }
}

fn collect(root: &Path, directory: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let path = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, paths)?;
        }
        paths.push(path);
    }
    Ok(())
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "dir"
    } else if kind.is_symlink() {
        "symlink"
    } else if kind.is_file() {
        "file"
    } else if kind.is_fifo() {
        "fifo"
    } else if kind.is_char_device() {
        "char"
    } else if kind.is_block_device() {
        "block"
    } else {
        "socket"
    }
}

/// Seconds, and nanoseconds when there are any.
fn time(metadata: &Metadata) -> String {
    match metadata.mtime_nsec() {
        0 => metadata.mtime().to_string(),
        nanoseconds => format!("{}.{nanoseconds:09}", metadata.mtime()),
    }
}

/// The extended attributes of a path, sorted; none where the file system has none.
fn attributes(full: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; 64 * 1024];
    let length = match llistxattr(full, &mut names[..]) {
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        result => result?,
    };
    names.truncate(length);
    let mut attributes = Vec::new();
    for name in names
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 64 * 1024];
        let key = std::ffi::OsString::from_vec(name.to_vec());
        let length = lgetxattr(full, key.as_os_str(), &mut value[..])?;
        value.truncate(length);
        attributes.push((name.to_vec(), value));
    }
    attributes.sort();
    Ok(attributes)
}

/// Escapes what would make a line ambiguous.
fn shown(bytes: &[u8]) -> String {
    let escaped = bytes.escape_ascii().to_string();
    escaped.replace(' ', "\\x20")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_tree_in_lines() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(root.join("b")).unwrap();
        fs::write(root.join("b/one"), "1").unwrap();
        fs::hard_link(root.join("b/one"), root.join("b/two")).unwrap();
        fs::write(root.join("a b"), "").unwrap();
        symlink("../x", root.join("c")).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(root.join("d"))
                .status()
                .unwrap()
                .success()
        );
        for (path, mode) in [
            ("b", 0o1777),
            ("b/one", 0o4755),
            ("a b", 0o600),
            ("d", 0o640),
        ] {
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let text = Listing::new()
            .without_owners()
            .without_times()
            .text(root)
            .unwrap();
        assert_eq!(
            text,
            ". dir 0755\n\
             a\\x20b file 0600 0 sha256:e3b0c44298fc\n\
             b dir 1777\n\
             b/one file 4755 1 sha256:6b86b273ff34\n\
             b/two file 4755 1 sha256:6b86b273ff34 same as b/one\n\
             c symlink 0777 -> ../x\n\
             d fifo 0640\n"
        );
    }

    #[test]
    fn times_owners_and_attributes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(12, 500))
            .unwrap();
        let value = rustix::fs::XattrFlags::empty();
        let attribute = rustix::fs::lsetxattr(&path, "user.note", b"x\xff", value).is_ok();
        let line = Listing::new().lines(directory.path()).unwrap().remove(1);
        let owner = format!(
            "{}:{}",
            file.metadata().unwrap().uid(),
            file.metadata().unwrap().gid()
        );
        assert!(line.contains(&format!(" {owner} 0 ")), "{line}");
        assert!(line.contains(" mtime=12.000000500"), "{line}");
        assert_eq!(line.contains(r#" user.note="x\xff""#), attribute, "{line}");
        assert!(
            Listing::new().with_text().lines(directory.path()).unwrap()[1].contains(" \"\" mtime")
        );
        let plain = Listing::new()
            .without_attributes()
            .lines(directory.path())
            .unwrap()
            .remove(1);
        assert!(!plain.contains("user.note"));
    }
}
