//! Entries that make something.

use std::io::{BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, SeekFrom, fstat, ftruncate, linkat, makedev, mkdirat, mknodat,
    openat, seek, statat, symlinkat,
};
use rustix::io::Errno;

use crate::error::{Calling, Doing, Error, Quoted, Refused};
use crate::options::Devices;
use crate::path;
use crate::proc;
use crate::progress::Progress;
use crate::root::{Directory, Id};
use crate::tar::{Archive, Entry, FileContent, Kind};
use crate::xattrs;

use super::Layer;
use super::attributes::CANNOT_REMOVE;
use super::restore::{Restore, is_in_the_way};

impl<P: Progress> Layer<'_, P> {
    /// Makes what an entry describes, in place of whatever stood there.
    pub(super) fn create(
        &mut self,
        entry: &Entry,
        within: &[u8],
        name: &[u8],
        archive: &mut Archive<'_, impl BufRead>,
    ) -> Result<(), Error> {
        if matches!(entry.kind, Kind::Device { .. }) && self.options.devices == Devices::Skip {
            self.outcome.skipped_devices += 1;
            return Ok(());
        }
        let parent = self.places.make(within)?;
        match &entry.kind {
            Kind::File(content) => self.file(entry, &parent, name, content, archive)?,
            Kind::Directory => self.directory(entry, &parent, within, name)?,
            Kind::HardLink { target } => self.hard_link(&parent, name, target)?,
            Kind::Symlink { target } => self.symlink(entry, &parent, name, target)?,
            Kind::Fifo => self.node(entry, &parent, name, FileType::Fifo, 0)?,
            Kind::Device {
                block,
                major,
                minor,
            } => {
                let kind = if *block {
                    FileType::BlockDevice
                } else {
                    FileType::CharacterDevice
                };
                self.node(entry, &parent, name, kind, makedev(*major, *minor))?;
            }
        }
        self.places.upper.insert(parent.id, name);
        Ok(())
    }

    /// Makes something that must not be there, after removing what is.
    fn make<T>(
        &mut self,
        parent: &Directory,
        name: &[u8],
        doing: &'static str,
        make: impl Fn() -> Result<T, Refused>,
    ) -> Result<T, Error> {
        match make() {
            Err(refused) if refused.errno == Errno::EXIST => {
                self.places.remove(parent, name)?;
                make().doing(doing)
            }
            outcome => outcome.doing(doing),
        }
    }

    /// Never through an existing file: it may have other names, or be a link or a device.
    fn file(
        &mut self,
        entry: &Entry,
        parent: &Directory,
        name: &[u8],
        content: &FileContent,
        archive: &mut Archive<'_, impl BufRead>,
    ) -> Result<(), Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.make(parent, name, "cannot create the file", || {
            openat(&parent.fd, name, flags, Mode::RUSR | Mode::WUSR).calling("openat")
        })?;
        let file = std::fs::File::from(file);
        self.write(&file, content, archive)?;
        self.finish_file(file.as_fd(), parent, entry)
    }

    /// Writes a file's content, straight out of the reader's buffer; holes stay holes.
    fn write(
        &mut self,
        mut file: &std::fs::File,
        content: &FileContent,
        archive: &mut Archive<'_, impl BufRead>,
    ) -> Result<(), Error> {
        let mut end = 0;
        for region in &content.regions {
            if region.offset != end {
                seek(file, SeekFrom::Start(region.offset))
                    .calling("lseek")
                    .doing("cannot seek in the file")?;
            }
            let mut remaining = region.length;
            while remaining > 0 {
                let data = archive.content(remaining)?;
                let count = data.len();
                file.write_all(data).map_err(|error| {
                    let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                    let call = "write";
                    Error::system("cannot write the file", Refused { call, errno })
                })?;
                archive.consume(count)?;
                remaining -= count as u64;
                self.outcome.bytes += count as u64;
            }
            end = region.offset + region.length;
        }
        if end != content.size {
            ftruncate(file, content.size)
                .calling("ftruncate")
                .doing("cannot set the file's size")?;
        }
        Ok(())
    }

    /// A directory that is there stays with what is in it, and takes the new attributes.
    fn directory(
        &mut self,
        entry: &Entry,
        parent: &Directory,
        within: &[u8],
        name: &[u8],
    ) -> Result<(), Error> {
        let mut path = within.to_owned();
        path::push(&mut path, name);
        let make = || mkdirat(&parent.fd, name, Mode::RWXU).calling("mkdirat");
        let mut is_new = true;
        match make() {
            Err(refused) if refused.errno == Errno::EXIST => {
                let stat = statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW)
                    .calling("fstatat")
                    .doing("cannot inspect what is there")?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    is_new = false;
                    // Gives access to a directory that denies it, for now.
                    self.places.find(&path)?;
                } else {
                    self.places.remove(parent, name)?;
                    make().doing("cannot create the directory")?;
                }
            }
            outcome => outcome.doing("cannot create the directory")?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(&parent.fd, name, flags, Mode::empty())
            .calling("openat")
            .doing("cannot open the directory")?;
        self.adopt(entry, directory, is_new.then_some(parent), &path)
    }

    /// Gives a directory its entry's attributes. `within` is where it was made, if it was.
    fn adopt(
        &mut self,
        entry: &Entry,
        directory: OwnedFd,
        within: Option<&Directory>,
        path: &[u8],
    ) -> Result<(), Error> {
        let access = self.places.access;
        let mode = entry.attributes.mode;
        let mode_for_now = if is_in_the_way(mode, access) {
            mode | 0o700
        } else {
            mode
        };
        if within.is_none() {
            let stays = |name: &[u8]| entry.attributes.xattrs.contains_key(name);
            xattrs::remove_others(directory.as_fd(), stays).doing(CANNOT_REMOVE)?;
        }
        self.finish_directory(directory.as_fd(), mode_for_now, within, entry)?;
        // Whatever a new directory has inherited is gone, so that it has what its entry says.
        let opened = if within.is_some() && entry.attributes.xattrs.is_empty() {
            Directory::with(directory, false)
        } else {
            Directory::of(directory)
        };
        let (directory, _) = opened.doing("cannot inspect the directory")?;
        let name = self.places.names.of(path);
        let restore = Restore::to(name, &entry.attributes, access);
        self.places.restores.insert(directory.id, restore);
        self.places.forget(directory.id);
        self.places.insert(path, directory);
        Ok(())
    }

    /// Gives the root its entry's attributes.
    pub(super) fn merge_root(&mut self, entry: &Entry) -> Result<(), Error> {
        // Gives access to a root that denies it, for now.
        self.places.find(b"")?;
        let root = self.places.root.reopen().doing("cannot open the root")?;
        self.adopt(entry, root, None, b"")
    }

    /// Links to what the target's name leads to, not following it if it is a link itself.
    /// The header's attributes are not applied: the file has its own, from its own entry.
    fn hard_link(&mut self, parent: &Directory, name: &[u8], target: &[u8]) -> Result<(), Error> {
        let failed = |refused| Error::system(format!("cannot link to {}", Quoted(target)), refused);
        let failed_because = |call, errno| failed(Refused { call, errno });
        let path = path::clean(target)?;
        let (directory, base) = path::split(&path);
        let source = self
            .places
            .find(directory)?
            .ok_or_else(|| failed_because("openat", Errno::NOENT))?;
        let inspect = |fd, name: &[u8]| {
            statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)
                .calling("fstatat")
                .map_err(failed)
        };
        let stat = inspect(&source.fd, base)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(failed_because("linkat", Errno::ISDIR));
        }
        let link =
            || linkat(&source.fd, base, &parent.fd, name, AtFlags::empty()).calling("linkat");
        match link() {
            Err(refused) if refused.errno == Errno::EXIST => {}
            outcome => return outcome.map_err(failed),
        }
        if Id::of(&inspect(&parent.fd, name)?) == Id::of(&stat) {
            return Ok(());
        }
        self.places.remove(parent, name)?;
        link().map_err(failed)
    }

    fn symlink(
        &mut self,
        entry: &Entry,
        parent: &Directory,
        name: &[u8],
        target: &[u8],
    ) -> Result<(), Error> {
        if target.is_empty() || target.contains(&0) {
            return Err(Error::archive("symbolic link to no name"));
        }
        self.make(parent, name, "cannot create the symbolic link", || {
            symlinkat(target, &parent.fd, name).calling("symlinkat")
        })?;
        self.finish_in_place(parent, name, entry)
    }

    fn node(
        &mut self,
        entry: &Entry,
        parent: &Directory,
        name: &[u8],
        kind: FileType,
        device: u64,
    ) -> Result<(), Error> {
        if kind == FileType::CharacterDevice && device == 0 {
            // In overlayfs this is a whiteout, and a device it can never be.
            return Err(Error::archive("character device 0:0"));
        }
        self.make(parent, name, "cannot create the special file", || {
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(&parent.fd, name, kind, mode, device).calling("mknodat")
        })?;
        self.finish_in_place(parent, name, entry)?;
        // Not by name, which whoever races us could have made a link meanwhile.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = openat(&parent.fd, name, flags, Mode::empty())
            .calling("openat")
            .doing("cannot open the special file")?;
        let stat = fstat(&node)
            .calling("fstat")
            .doing("cannot inspect the special file")?;
        if FileType::from_raw_mode(stat.st_mode) != kind {
            return Err(Errno::STALE)
                .calling("openat")
                .doing("cannot set the mode of the special file");
        }
        proc::chmod(node.as_fd(), entry.attributes.mode)
            .doing("cannot set the mode of the special file")
    }
}
