//! `in` onto a file system that is full, or takes nothing.

use std::fs::File;
use std::path::{Path, PathBuf};

use regimg_tests::registry::Registry;
use regimg_tests::{Image, Index, Layer, Peer, Process};
use rustix::process::geteuid;
use serde_json::json;

use super::{FORMATS, fetch, names, request, skipped};
use crate::driver;

/// A file system of its own, which only root can mount.
struct Mounted(PathBuf);

impl Mounted {
    /// In memory, with these options.
    fn tmpfs(directory: &Path, options: &str) -> Option<Self> {
        Self::mount(directory, &["-t", "tmpfs", "-o", options, "tmpfs"])
    }

    /// What mkfs.btrfs has made in a file.
    fn btrfs(directory: &Path, file: &Path) -> Option<Self> {
        let file = file.to_str()?;
        Self::mount(directory, &["-t", "btrfs", "-o", "loop", file])
    }

    fn mount(directory: &Path, what: &[&str]) -> Option<Self> {
        if !geteuid().is_root() {
            skipped("mounting takes root");
            return None;
        }
        let mount = Process::new("/bin/mount").args(what).arg(directory);
        let finished = mount.run().unwrap();
        if !finished.status.success() {
            skipped(&finished.stderr_text());
            return None;
        }
        Some(Self(directory.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A thread that was told to end may still hold a file for a moment.
        let umount = Process::new("/bin/umount").arg("--lazy");
        let unmounted = umount.arg(&self.0).run();
        assert!(unmounted.is_ok_and(|finished| finished.status.success()));
    }
}

/// Room for the layer as it comes, but not for the files; for neither; for all but the
/// smallest.
#[test]
fn a_full_disk_is_told_and_left_as_it_was() {
    let registry = Registry::start();
    let packed = Layer::parse("file zeros zeros=3000000\nfile noise random=400000");
    let image = Image::builder().layer(packed).build();
    let index = Index::builder().image(&image).build();
    registry.publish("app", "latest", &index);
    let cases = [
        ("rootfs", 1000),
        ("rootfs", 100),
        ("oci", 100),
        ("oci-layout", 200),
    ];
    for (format, kilobytes) in cases {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={kilobytes}k");
        let Some(mounted) = Mounted::tmpfs(directory.path(), &options) else {
            return;
        };
        let request = request(&registry, "app", &index, json!({"format": format}));
        let message = driver::get(&request, directory.path()).failure();
        assert!(message.contains("No space left on device"), "{message}");
        let digest = image.layers()[0].digest().to_string();
        assert!(message.contains(&digest), "{format}: {message}");
        assert!(names(directory.path()).is_empty(), "{format} in {options}");
        drop(mounted);
    }
}

/// As an operator bounds what each container may write. The volume itself has room enough.
#[test]
fn a_quota_that_is_used_up_is_told_as_a_full_disk_is() {
    let Some(btrfs) = Peer::find("btrfs") else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let (file, directory) = (made.path().join("volume"), made.path().join("mounted"));
    File::create(&file).unwrap().set_len(256 << 20).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let mkfs = Process::new("/sbin/mkfs.btrfs").arg("--quiet").arg(&file);
    mkfs.run().unwrap().expect_success();
    let Some(_mounted) = Mounted::btrfs(&directory, &file) else {
        return;
    };
    let btrfs = |arguments: &[&str], path: &Path| {
        let process = btrfs.process().args(arguments).arg(path);
        process.run().unwrap().expect_success();
    };
    btrfs(&["quota", "enable"], &directory);
    let registry = Registry::start();
    let layer = Layer::parse("file noise random=4000000");
    let image = Image::builder().layer(layer).build();
    let digest = image.layers()[0].digest().to_string();
    for format in FORMATS {
        let destination = directory.join(format);
        btrfs(&["subvolume", "create"], &destination);
        btrfs(&["qgroup", "limit", "2M"], &destination);
        let params = json!({"format": format});
        let message = fetch(&registry, &image, params, &destination).failure();
        assert!(message.contains("quota exceeded"), "{format}: {message}");
        assert!(message.contains(&digest), "{format}: {message}");
        assert!(names(&destination).is_empty(), "{format}");
    }
}

/// Each image may have as many files as it likes, a file system may not.
#[test]
fn a_disk_without_room_for_one_more_name_is_told() {
    let registry = Registry::start();
    let layer = (0..100).fold(Layer::new(), |layer, at| layer.file(&format!("f{at}"), "x"));
    let image = Image::builder().layer(layer).build();
    let directory = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::tmpfs(directory.path(), "nr_inodes=50") else {
        return;
    };
    let message = fetch(&registry, &image, json!({}), directory.path()).failure();
    assert!(message.contains("No space left on device"), "{message}");
    assert!(message.contains("entry \"f"), "{message}");
    assert!(names(directory.path()).is_empty());
    drop(mounted);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_told_before_anything_is_sent() {
    let registry = Registry::start();
    let directory = tempfile::tempdir().unwrap();
    let image = Image::with_text("one");
    let Some(mounted) = Mounted::tmpfs(directory.path(), "ro") else {
        return;
    };
    let message = fetch(&registry, &image, json!({}), directory.path()).failure();
    assert!(message.starts_with("create destination: "), "{message}");
    assert!(message.contains("Read-only file system"), "{message}");
    assert_eq!(registry.transcript(), "");
    drop(mounted);
}
