//! Hard links.

use regimg_tests::tree::Listing;
use regimg_unpack::{ErrorKind, Options};

use crate::fixture::{Situation, refused, tree, unpack};

#[test]
fn targets_of_this_layer_and_of_lower_ones() {
    let linked = "a file 0644 \"1\"\nb file 0644 \"1\" same as a";
    tree(&["file a \"1\"\nhardlink b -> a"], linked);
    tree(&["file a \"1\"", "hardlink b -> a"], linked);
    tree(&["file a \"1\"", "hardlink a -> a"], "a file 0644 \"1\"");
    for target in ["/a", "./a", "../../a", "x/../a", "//a"] {
        tree(
            &["file a \"1\"", &format!("hardlink b -> {target}")],
            linked,
        );
        // Again, as layers that were copied have it.
        tree(
            &[
                "file a \"1\"\nhardlink b -> a",
                &format!("hardlink b -> {target}"),
            ],
            linked,
        );
    }
    tree(
        &["dir d\nfile d/a \"1\"\nsymlink l -> /d\nhardlink b -> l/a"],
        "b file 0644 \"1\"\nd dir 0755\nd/a file 0644 \"1\" same as b\nl symlink 0777 -> /d",
    );
}

#[test]
fn targets_that_change_or_go() {
    tree(
        &["file a \"1\"", "file a \"2\"\nhardlink b -> a"],
        "a file 0644 \"2\"\nb file 0644 \"2\" same as a",
    );
    tree(
        &["file a \"1\"", "hardlink b -> a\nfile a \"2\""],
        "a file 0644 \"2\"\nb file 0644 \"1\"",
    );
    tree(
        &["file a \"1\"\nhardlink b -> a", "whiteout a"],
        "b file 0644 \"1\"",
    );
    tree(
        &[
            "file a \"1\"\nhardlink b -> a\nhardlink c -> b",
            "whiteout a",
            "hardlink d -> c",
        ],
        "b file 0644 \"1\"\nc file 0644 \"1\" same as b\nd file 0644 \"1\" same as b",
    );
}

#[test]
fn what_stands_in_the_way_is_replaced() {
    for line in [
        "file b \"old\"",
        "dir b\nfile b/c \"old\"",
        "symlink b -> a",
        "fifo b",
    ] {
        tree(
            &[line, "file a \"1\"\nhardlink b -> a"],
            "a file 0644 \"1\"\nb file 0644 \"1\" same as a",
        );
    }
}

#[test]
fn a_link_is_linked_itself() {
    for target in ["a", "nowhere"] {
        tree(
            &[&format!(
                "file a \"1\"\nsymlink l -> {target}\nhardlink b -> l"
            )],
            &format!(
                "a file 0644 \"1\"\nb symlink 0777 -> {target}\nl symlink 0777 -> {target} same as b"
            ),
        );
    }
    tree(
        &["fifo a 0600\nhardlink b -> a"],
        "a fifo 0600\nb fifo 0600 same as a",
    );
}

#[test]
fn what_cannot_be_linked_to() {
    let cases = [
        (
            "dir d\nhardlink b -> d",
            "cannot link to \"d\" (linkat): Is a directory",
        ),
        (
            "hardlink b -> a",
            "entry \"b\": cannot link to \"a\" (fstatat): No such file",
        ),
        (
            "hardlink b -> a/b/c",
            "cannot link to \"a/b/c\" (openat): No such file",
        ),
        ("hardlink b -> .", "cannot link to \".\""),
        ("hardlink b -> a\nfile a \"1\"", "cannot link to \"a\""),
        ("file a \"1\"\nhardlink b -> a/x", "cannot link to \"a/x\""),
        ("hardlink b -> \"\"", "cannot link to \"\""),
    ];
    for (layer, said) in cases {
        refused(&[layer], ErrorKind::System, said);
    }
}

/// What a header says besides is the target's affair, and so are bytes that it promises.
#[test]
fn attributes_stay_with_the_file() {
    for situation in Situation::all() {
        let layers = [
            "file a 0640 mtime=5 xattr:user.a=1 \"1\"\nsymlink l -> a mtime=6",
            "hardlink b -> a 0777 9:9 mtime=99 xattr:user.b=2 header-size=512\nhardlink m -> l 0600 8:8 mtime=98",
        ];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        let alone = unpack(situation, &layers[..1], &Options::default());
        for name in ["a", "l"] {
            let linked = unpacked.line(name);
            assert!(linked.starts_with(&alone.line(name)), "{linked}");
        }
        let all = unpacked.list(Listing::new());
        assert_eq!(
            all.iter().filter(|line| line.contains("same as")).count(),
            2
        );
    }
}
