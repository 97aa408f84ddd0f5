//! `in` in a directory that was used before, or that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::tree::Listing;
use regimg_tests::{Image, Index, Layer, Process};
use rustix::process::geteuid;
use serde_json::json;

use super::{fetch, names, read, request};
use crate::driver;

const FORMATS: [&str; 3] = ["rootfs", "oci", "oci-layout"];

fn image(text: &str) -> Image {
    Image::builder()
        .layer(Layer::parse("file large random=300000"))
        .layer(Layer::new().file(text, text))
        .label("text", text)
        .build()
}

fn listing(directory: &Path) -> Vec<String> {
    Listing::new().without_times().lines(directory).unwrap()
}

/// Whatever a step finds in its directory of an earlier one, it leaves what it would have
/// left in an empty one, and what is not its own.
#[test]
fn a_directory_that_was_used_ends_like_a_new_one() {
    let registry = Registry::start();
    let (first, second) = (image("first"), image("second"));
    for before in FORMATS {
        for after in FORMATS {
            let [used, new] = [(); 2].map(|()| tempfile::tempdir().unwrap());
            fs::write(used.path().join("own"), "mine").unwrap();
            let earlier = json!({"format": before});
            fetch(&registry, &first, earlier, used.path()).answer();
            // What a step leaves that is killed.
            fs::create_dir_all(used.path().join(".regimg-killed/rootfs/etc")).unwrap();
            for directory in [&used, &new] {
                let params = json!({"format": after});
                fetch(&registry, &second, params, directory.path()).answer();
            }
            assert_eq!(read(used.path().join("own")), "mine");
            fs::remove_file(used.path().join("own")).unwrap();
            let [used, new] = [&used, &new].map(|it| listing(it.path()));
            assert_eq!(used, new, "{before}, then {after}");
        }
    }
    let used = tempfile::tempdir().unwrap();
    fetch(&registry, &first, json!({}), used.path()).answer();
    fetch(
        &registry,
        &second,
        json!({"skip_download": true}),
        used.path(),
    )
    .answer();
    assert_eq!(names(used.path()), ["digest", "repository", "tag"]);
}

/// What an earlier step left is not this step's result.
#[test]
fn a_step_that_fails_leaves_no_result_of_another() {
    let registry = Registry::start();
    let (first, second) = (image("first"), image("second"));
    registry.publish("app", "latest", &second);
    let layer = format!("/v2/app/blobs/{}", second.layers()[1].digest());
    registry.fault(Match::get(&layer), Fault::corrupt_at(20));
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        fetch(
            &registry,
            &first,
            json!({"format": format}),
            directory.path(),
        )
        .answer();
        let params = json!({"format": format});
        fetch(&registry, &second, params, directory.path()).failure();
        assert!(names(directory.path()).is_empty(), "{format}");
        // A request that cannot be meant has not begun.
        fetch(
            &registry,
            &first,
            json!({"format": format}),
            directory.path(),
        )
        .answer();
        let before = names(directory.path());
        fetch(&registry, &first, json!({"format": "f"}), directory.path()).failure();
        assert_eq!(names(directory.path()), before, "{format}");
    }
}

/// An image may say that not even the owner writes to its root, which holds back everybody
/// but root from giving the directory another place.
#[test]
fn a_root_that_its_owner_may_not_write_to_comes_and_goes() {
    let registry = Registry::start();
    let image = Image::builder()
        .layer(Layer::parse(
            "dir . 0555\nfile a \"a\"\ndir d 0555\nfile d/b \"b\"",
        ))
        .build();
    registry.publish("app", "latest", &image);
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let request = request(&registry, "app", &image, json!({}));
        let Some(outcome) = driver::get_unprivileged(&request, directory.path()) else {
            skipped("needs an installed resource where it is root's");
            return;
        };
        outcome.answer();
        let root = directory.path().join("rootfs");
        let mode = fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o555);
        assert_eq!(read(root.join("d/b")), "b");
    }
    let request = request(&registry, "app", &image, json!({"skip_download": true}));
    let outcome = driver::get_unprivileged(&request, directory.path());
    outcome.expect("as before").answer();
    assert_eq!(names(directory.path()), ["digest", "repository", "tag"]);
}

/// As a person in a shell names it. The directory that this process works in is nobody's to
/// change, so the way leads from there.
#[test]
fn a_relative_destination_is_one() {
    let registry = Registry::start();
    let depth = std::env::current_dir().unwrap().components().count() - 1;
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let up = "../".repeat(depth);
        let absolute = directory.path().strip_prefix("/").unwrap();
        let relative = Path::new(&up).join(absolute);
        fs::create_dir(directory.path().join(".regimg-killed")).unwrap();
        for text in ["first", "second"] {
            let params = json!({"format": format});
            fetch(&registry, &image(text), params, &relative).answer();
        }
        let hidden = names(directory.path());
        assert!(
            !hidden.iter().any(|name| name.starts_with('.')),
            "{hidden:?}"
        );
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test has no other way to say so"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// A file system of its own, which only root can mount.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(directory: &'a Path, options: &str) -> Option<Self> {
        if !geteuid().is_root() {
            skipped("mounting takes root");
            return None;
        }
        let mount = Process::new("/bin/mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(directory);
        let finished = mount.run().unwrap();
        if !finished.status.success() {
            skipped(&finished.stderr_text());
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // A thread that was told to end may still hold a file for a moment.
        let umount = Process::new("/bin/umount").arg("--lazy");
        let unmounted = umount.arg(self.0).run();
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
        let Some(mounted) = Mounted::new(directory.path(), &options) else {
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

/// Each image may have as many files as it likes, a file system may not.
#[test]
fn a_disk_without_room_for_one_more_name_is_told() {
    let registry = Registry::start();
    let layer = (0..100).fold(Layer::new(), |layer, at| layer.file(&format!("f{at}"), "x"));
    let image = Image::builder().layer(layer).build();
    let directory = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(directory.path(), "nr_inodes=50") else {
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
    let Some(mounted) = Mounted::new(directory.path(), "ro") else {
        return;
    };
    let message = fetch(&registry, &image("one"), json!({}), directory.path()).failure();
    assert!(message.starts_with("create destination: "), "{message}");
    assert!(message.contains("Read-only file system"), "{message}");
    assert_eq!(registry.transcript(), "");
    drop(mounted);
}
