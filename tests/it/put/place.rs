//! Which file `out` takes for the image.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use regimg_tests::Image;
use regimg_tests::registry::Registry;
use serde_json::json;

use super::{archive, push_from};
use regimg_tests::ArchiveLayers;

fn write_image(path: &Path) {
    let image = Image::with_text("placed");
    archive(&image, ArchiveLayers::Stored).write(path).unwrap();
}

#[test]
fn a_path_may_have_wildcards_and_links_that_stay_inside() {
    let directory = tempfile::tempdir().unwrap();
    let inside = |path: &str| directory.path().join(path);
    fs::create_dir_all(inside("build/[x]")).unwrap();
    write_image(&inside("build/image-1.tar"));
    write_image(&inside("build/[x]/.hidden"));
    symlink("build/image-1.tar", inside("link.tar")).unwrap();
    symlink(inside("build"), inside("absolute")).unwrap();
    for path in [
        "build/image-1.tar",
        "/build/image-1.tar",
        "./build//image-1.tar",
        "elsewhere/../build/image-1.tar",
        "build/*.tar",
        "b*/image-?.tar",
        "build/image-[0-9].tar",
        "buil**/image-1.tar",
        r"build/\[x]/*",
        "link.tar",
        "absolute/image-1.tar",
        "absolut?/*.tar",
    ] {
        let registry = Registry::start();
        push_from(&registry, directory.path(), &json!({"image": path})).answer();
        assert!(registry.tag_digest("app", "1.0").is_some(), "{path}");
    }
}

#[test]
fn paths_to_nothing_to_several_things_and_to_the_outside_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    write_image(&outside.path().join("image.tar"));
    let directory = tempfile::tempdir().unwrap();
    let inside = |path: &str| directory.path().join(path);
    fs::create_dir(inside("d")).unwrap();
    fs::write(inside("d/a.tar"), "").unwrap();
    fs::create_dir(inside("d/b.tar")).unwrap();
    symlink(outside.path().join("image.tar"), inside("out.tar")).unwrap();
    symlink("../".repeat(20) + "etc/passwd", inside("passwd")).unwrap();
    symlink(outside.path(), inside("out")).unwrap();
    symlink("dangling", inside("nowhere")).unwrap();
    symlink("round", inside("round")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, inside("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let several = format!(
        "too many files/directories match glob 'd/*': [{} {}]",
        inside("d/a.tar").display(),
        inside("d/b.tar").display()
    );
    let cases = [
        ("", "params.image: is missing"),
        ("none.tar", "no files match glob 'none.tar'"),
        ("d/*.zip", "no files match glob 'd/*.zip'"),
        ("d/a.tar/x", "no files match glob 'd/a.tar/x'"),
        ("[^d]*/b.tar", "leads out of the step's directory"),
        ("[!x]*/a.tar", "no files match glob '[!x]*/a.tar'"),
        ("d/*", several.as_str()),
        ("d/[", "failed to glob path 'd/[': syntax error in pattern"),
        (
            "../image.tar",
            "failed to glob path '../image.tar': the path leads out of the directory",
        ),
        (
            "d/../../x",
            "failed to glob path 'd/../../x': the path leads out of the directory",
        ),
        ("out.tar", "leads out of the step's directory"),
        ("passwd", "leads out of the step's directory"),
        ("out/image.tar", "leads out of the step's directory"),
        ("ou?/image.tar", "leads out of the step's directory"),
        ("nowhere", "could not load image from path '"),
        ("round", "could not load image from path '"),
        ("pipe", "is neither a file nor a directory"),
        ("d", "holds no index.json, so it is no OCI layout"),
        ("d/a.tar", "file manifest.json not found in tar"),
    ];
    let registry = Registry::start();
    for (path, problem) in cases {
        let failure = push_from(&registry, directory.path(), &json!({"image": path})).failure();
        assert!(failure.contains(problem), "{path}: {failure}");
    }
    assert_eq!(registry.transcript(), "");
}

#[test]
fn a_directory_that_holds_the_archive_says_so() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("image")).unwrap();
    write_image(&directory.path().join("image/image.tar"));
    let registry = Registry::start();
    let failure = push_from(&registry, directory.path(), &json!({"image": "image"})).failure();
    assert!(failure.contains("it holds image.tar"), "{failure}");
}
