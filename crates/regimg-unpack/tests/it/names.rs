//! Names of entries.

use std::os::fd::OwnedFd;

use regimg_tests::Layer;
use regimg_unpack::{ErrorKind, Options};
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::fixture::{Sandbox, Situation, refused, tree, unpack, unpack_bytes};

#[test]
fn spellings_of_one_name() {
    for name in [
        "a",
        "./a",
        "/a",
        "//a",
        "a/",
        "x/../a",
        "../../a",
        "./../a",
        "x/y/../../a",
    ] {
        tree(&[&format!("file {name} \"1\"")], r#"a file 0644 "1""#);
        tree(&[&format!("dir {name}")], "a dir 0755");
    }
    for name in ["a/b", "a//b", "a/./b", "/a/b/", "a/x/../b", "../a/../a/b"] {
        tree(
            &[&format!("file {name} \"1\"")],
            "a dir 0755\na/b file 0644 \"1\"",
        );
    }
}

#[test]
fn names_are_bytes() {
    tree(
        &[r#"
        file "\xff\xfe" "latin"
        file "new\nline" "1"
        file "\x1b[31m" "2"
        file A "upper"
        file a "lower"
        file "\xc3\xa9" "composed"
        file "e\xcc\x81" "decomposed"
        file ... "dots"
        "#],
        r#"
        \x1b[31m file 0644 "2"
        ... file 0644 "dots"
        A file 0644 "upper"
        a file 0644 "lower"
        e\xcc\x81 file 0644 "decomposed"
        new\nline file 0644 "1"
        \xc3\xa9 file 0644 "composed"
        \xff\xfe file 0644 "latin"
        "#,
    );
}

#[test]
fn the_root_takes_attributes_of_a_directory() {
    for name in [".", "./", "/", "./.", "a/.."] {
        for situation in Situation::all() {
            let layer = format!("dir {name} 0710 mtime=12.5\nfile x \"1\"");
            let unpacked = unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            let line = unpacked.line(".");
            assert!(line.starts_with(". dir 0710 "), "{name}: {line}");
            assert!(line.contains(" mtime=12.500000000"), "{name}: {line}");
        }
    }
}

#[test]
fn the_root_is_nothing_but_a_directory() {
    for line in [
        "symlink . -> /etc",
        "file / \"x\"",
        "hardlink ./ -> a",
        "fifo ..",
        "char . 0600 1:3",
    ] {
        let layer = format!("file a \"1\"\n{line}");
        refused(
            &[&layer],
            ErrorKind::Archive,
            "the root can only be a directory",
        );
    }
}

#[test]
fn an_entry_without_a_name_is_skipped() {
    for situation in Situation::all() {
        let layers = ["file \"\" \"content\"\nfile a \"1\""];
        let unpacked = unpack(situation, &layers, &Options::default());
        assert_eq!(unpacked.outcome.as_ref().unwrap().entries, 2);
        assert_eq!(unpacked.warnings, ["0: an entry without a name is skipped"]);
        assert_eq!(unpacked.tree(), [r#"a file 0644 "1""#]);
    }
}

#[test]
fn components_have_the_systems_lengths() {
    let longest = "n".repeat(255);
    tree(
        &[&format!("file {longest} \"1\"")],
        &format!("{longest} file 0644 \"1\""),
    );
    let layer = format!("file {longest}n \"1\"");
    refused(&[&layer], ErrorKind::System, "(openat): File name too long");
    let layer = format!("file {longest}n/a \"1\"");
    refused(&[&layer], ErrorKind::System, "File name too long");
    refused(
        &[r#"file a pax:path="x\0y""#],
        ErrorKind::Archive,
        "holds a NUL",
    );
}

/// The whole path may be longer than the system takes at once.
#[test]
fn a_path_may_be_longer_than_path_max() {
    let component = "d".repeat(200);
    let directory = vec![component.as_str(); 40].join("/");
    for situation in Situation::all() {
        let text = format!(
            "file {directory}/f \"1\"\nhardlink {directory}/g -> {directory}/f\nsymlink {directory}/s -> f\nwhiteout {directory}/x"
        );
        let layers = vec![
            Layer::parse(&format!("file {directory}/x \"0\""))
                .tar()
                .to_vec(),
            Layer::parse(&text).tar().to_vec(),
        ];
        let unpacked = unpack_bytes(
            situation,
            Sandbox::new(situation),
            layers,
            &Options::default(),
        );
        unpacked.outcome.as_ref().unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut at: OwnedFd = openat(CWD, unpacked.sandbox.path(), flags, Mode::empty()).unwrap();
        for _ in 0..40 {
            at = openat(&at, component.as_str(), flags, Mode::empty()).unwrap();
        }
        let exists =
            |name: &str| openat(&at, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).is_ok();
        assert_eq!(["f", "g", "s", "x"].map(exists), [true, true, true, false]);
    }
}
