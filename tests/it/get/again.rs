//! `in` in a directory that was used before, or is another user's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use regimg_tests::registry::{Fault, Match, Registry};
use regimg_tests::tree::Listing;
use regimg_tests::{Image, Layer};
use serde_json::json;

use super::{FORMATS, fetch, names, read, request, skipped};
use crate::driver;

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
