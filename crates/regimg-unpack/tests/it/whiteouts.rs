//! Whiteouts and opaque directories (image-spec, layer.md).

use regimg_unpack::{ErrorKind, Options};

use crate::fixture::{Situation, refused, tree, unpack};

#[test]
fn whiteouts_of_every_kind_of_thing() {
    let lower = r#"
        file file "1"
        file target "kept"
        symlink link -> target
        dir tree
        file tree/deep/f "1"
        symlink tree/out -> /target
        fifo fifo
        dir real
        file real/a "1"
        file real/b "2"
        symlink via -> real
        "#;
    tree(
        &[
            lower,
            "
            whiteout file
            whiteout link
            whiteout tree
            whiteout fifo
            whiteout missing
            whiteout no/such/parent
            whiteout target/x
            whiteout via/a
            ",
        ],
        r#"
        real dir 0755
        real/b file 0644 "2"
        target file 0644 "kept"
        via symlink 0777 -> real
        "#,
    );
}

#[test]
fn what_the_same_layer_has_survives() {
    let lower =
        "file a \"old\"\ndir d 0700\nfile d/old \"old\"\nfile d/s/old \"old\"\nfile d/both \"old\"";
    for upper in ["whiteout a\nfile a \"new\"", "file a \"new\"\nwhiteout a"] {
        tree(&["file a \"old\"", upper], "a file 0644 \"new\"");
    }
    let survives = "d dir 0755\nd/both file 0644 \"new\"\nd/s dir 0755\nd/s/new file 0644 \"new\"";
    let entries = "dir d\nfile d/both \"new\"\ndir d/s\nfile d/s/new \"new\"";
    let before = format!("whiteout a\nwhiteout d\n{entries}");
    let after = format!("{entries}\nwhiteout a\nwhiteout d");
    let between =
        "whiteout a\ndir d\nfile d/both \"new\"\nwhiteout d\ndir d/s\nfile d/s/new \"new\"";
    for upper in [&before[..], &after, between] {
        tree(&[lower, upper], survives);
    }
}

/// A lower directory that the layer passes through, without an entry for it, goes with its
/// whiteout: what the layer's own entries need is made anew, wherever the whiteout stands.
#[test]
fn a_directory_without_an_entry_is_made_anew() {
    let lower = r#"
        dir d 02700 5:6 mtime=7 xattr:user.old=1
        file d/old "old"
        dir d/s 0710 5:6 mtime=7 xattr:user.old=1
        file d/s/old "old"
        dir d/gone/deep
        dir e 0700 mtime=7
        "#;
    let both = "d dir 0755\nd/s dir 0755\nd/s/x file 0644 \"new\"\ne dir 0700";
    let merged = "d dir 0711\nd/s dir 0755\nd/s/x file 0644 \"new\"\ne dir 0700";
    let opaque = "d dir 2700\nd/s dir 0755\nd/s/x file 0644 \"new\"\ne dir 0700";
    let nothing = "d dir 2700\nd/gone dir 0755\nd/gone/deep dir 0755\nd/old file 0644 \"old\"\nd/s dir 0755\nd/s/x file 0644 \"new\"\ne dir 0700";
    for (entries, expected) in [
        (&["whiteout d", "file d/s/x \"new\""][..], both),
        (&["whiteout d", "whiteout d/s", "file d/s/x \"new\""], both),
        (&["whiteout d", "opaque d/s", "file d/s/x \"new\""], both),
        (&["whiteout d", "dir d 0711", "file d/s/x \"new\""], merged),
        (&["opaque d", "file d/s/x \"new\""], opaque),
        (&["whiteout d/s", "file d/s/x \"new\""], nothing),
    ] {
        for upper in orders(entries) {
            let layers = [lower, &upper.join("\n")];
            tree(&layers, expected);
            for situation in Situation::all() {
                let unpacked = unpack(situation, &layers, &Options::default());
                let us = if situation.as_nobody {
                    "65534:65534"
                } else {
                    "0:0"
                };
                let line = unpacked.line("d/s");
                assert!(
                    !rustix::process::geteuid().is_root() || line.contains(us),
                    "of whoever unpacks: {line}, after {upper:?}"
                );
                assert!(!line.contains("user.old"), "{line}, after {upper:?}");
                assert!(!line.contains(" mtime=7"), "{line}, after {upper:?}");
                assert!(unpacked.line("e").contains(" mtime=7"), "after {upper:?}");
            }
        }
    }
}

/// Lines in every order.
fn orders<'a>(lines: &[&'a str]) -> Vec<Vec<&'a str>> {
    let Some((first, rest)) = lines.split_first() else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<&'a str>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, first);
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

/// Whoever is not root opens directories up to empty them: what stays has its own mode again.
#[test]
fn what_stays_is_closed_again() {
    let lower = "dir d 0555\nfile d/old \"1\"\ndir d/s 0500\nfile d/s/old \"2\"\ndir d/t 0\nfile d/t/old \"3\"";
    let entries = ["dir d 0555", "dir d/s 0500", "file d/s/x \"4\""];
    let expected = "d dir 0555\nd/s dir 0500\nd/s/x file 0644 \"4\"";
    for marker in ["whiteout d", "opaque d", "file .wh..wh..opq"] {
        for place in 0..=entries.len() {
            let mut upper = entries.to_vec();
            upper.insert(place, marker);
            tree(&[lower, &upper.join("\n")], expected);
        }
    }
    tree(
        &[
            lower,
            "file d/s/x \"4\"\nopaque d/s\nwhiteout d/t/old\nwhiteout d/old",
        ],
        "d dir 0555\nd/s dir 0500\nd/s/x file 0644 \"4\"\nd/t dir 0000",
    );
}

#[test]
fn an_opaque_directory_keeps_what_its_layer_has() {
    let lower = "dir d 0700 mtime=7\nfile d/old \"old\"\nfile d/s/old \"old\"\nsymlink d/l -> s\nfile d/both \"old\"\nfile e \"kept\"";
    let entries = [
        "dir d 0711 mtime=8",
        "file d/both \"new\"",
        "dir d/s",
        "file d/s/new \"new\"",
    ];
    let expected = "d dir 0711\nd/both file 0644 \"new\"\nd/s dir 0755\nd/s/new file 0644 \"new\"\ne file 0644 \"kept\"";
    for place in 0..=entries.len() {
        let mut upper = entries.to_vec();
        upper.insert(place, "opaque d");
        tree(&[lower, &upper.join("\n")], expected);
        upper.insert(place, "whiteout d/old");
        upper.push("whiteout d/both");
        tree(&[lower, &upper.join("\n")], expected);
    }
    for situation in Situation::all() {
        let unpacked = unpack(situation, &[lower, "opaque d"], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        let line = unpacked.line("d");
        assert!(
            line.contains(" 0700 ") && line.contains(" mtime=7"),
            "the directory stays as it was: {line}"
        );
        assert_eq!(unpacked.tree(), ["d dir 0700", "e file 0644 \"kept\""]);
    }
}

#[test]
fn opaque_in_nested_missing_and_root_directories() {
    tree(
        &[
            "file a/b/c/old \"1\"\nfile a/x \"2\"",
            "opaque a/b\nfile a/b/c/new \"3\"",
        ],
        "a dir 0755\na/b dir 0755\na/b/c dir 0755\na/b/c/new file 0644 \"3\"\na/x file 0644 \"2\"",
    );
    tree(
        &["file a \"1\"", "opaque missing\nopaque a/b"],
        "a file 0644 \"1\"",
    );
    tree(
        &[
            "file a \"1\"\nfile d/e \"2\"",
            "file f \"3\"\nfile .wh..wh..opq\nfile g \"4\"",
        ],
        "f file 0644 \"3\"\ng file 0644 \"4\"",
    );
    for situation in Situation::all() {
        let layers = ["dir . 0755 mtime=9\nfile a \"1\"", "file .wh..wh..opq"];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line(".").contains(" mtime=9"), "the root's time");
        assert!(unpacked.tree().is_empty());
    }
}

/// The marker is for the directory of its own layer; what a lower layer's link leads to is
/// another (anchore/stereoscope#694).
#[test]
fn opaque_never_looks_behind_a_link() {
    let lower = "file real/kept \"1\"\nsymlink link -> real";
    tree(
        &[lower, "dir link\nopaque link\nfile link/new \"2\""],
        "link dir 0755\nlink/new file 0644 \"2\"\nreal dir 0755\nreal/kept file 0644 \"1\"",
    );
    for situation in Situation::all() {
        let unpacked = unpack(situation, &[lower, "opaque link"], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(
            unpacked.tree(),
            [
                "link symlink 0777 -> real",
                "real dir 0755",
                "real/kept file 0644 \"1\""
            ]
        );
        assert_eq!(
            unpacked.warnings,
            ["1: entry \"link/.wh..wh..opq\": marks a symbolic link as opaque"]
        );
    }
    // A link above it is a way like any other.
    tree(
        &[
            "file real/d/old \"1\"\nsymlink link -> real",
            "opaque link/d",
        ],
        "link symlink 0777 -> real\nreal dir 0755\nreal/d dir 0755",
    );
}

/// Only the whole name is the marker (anchore/stereoscope#696), and only the last component
/// of a path can be one (containerd's `WhiteoutDirectoryName`).
#[test]
fn names_that_are_nearly_markers() {
    tree(
        &[
            "file d/a \"1\"",
            "file d/.wh..wh..opqX\nfile .wh.etc/somefile \"2\"\nfile wh.a \"3\"\nfile .wha \"4\"",
        ],
        r#"
        .wh.etc dir 0755
        .wh.etc/somefile file 0644 "2"
        .wha file 0644 "4"
        d dir 0755
        d/a file 0644 "1"
        wh.a file 0644 "3"
        "#,
    );
}

#[test]
fn whiteouts_of_no_name_are_refused() {
    for name in [
        ".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh...", "./.wh...",
    ] {
        let layer = format!("file d/kept \"1\"\nfile {name}");
        refused(&[&layer], ErrorKind::Archive, "whiteout of no name");
    }
}

#[test]
fn bookkeeping_is_skipped() {
    for situation in Situation::all() {
        let layers = [
            "file a \"1\"",
            "file .wh..wh.aufs\ndir .wh..wh.plnk 0700\nfile .wh..wh.plnk/1.2 \"x\"\ndir d/.wh..wh.orph\nfile b \"2\"",
        ];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(unpacked.tree(), ["a file 0644 \"1\"", "b file 0644 \"2\""]);
        assert_eq!(
            unpacked.warnings,
            ["1: entry \".wh..wh.aufs\": bookkeeping of AUFS is skipped"]
        );
    }
}

/// What a marker is besides its name says nothing.
#[test]
fn markers_of_any_kind_and_in_the_first_layer() {
    for marker in [
        "file .wh.a 0777 \"content\"",
        "dir .wh.a",
        "symlink .wh.a -> b",
        "hardlink .wh.a -> b",
        "char .wh.a 0600 0:0",
        "fifo .wh.a",
    ] {
        tree(&["file a \"1\"\nfile b \"2\"", marker], "b file 0644 \"2\"");
        tree(
            &[&format!("{marker}\nfile .wh..wh..opq\nfile b \"2\"")],
            "b file 0644 \"2\"",
        );
    }
}

#[test]
fn the_same_layers_again() {
    let (lower, upper) = (
        "file a \"1\"\nfile d/x \"2\"",
        "whiteout a\nopaque d\nfile d/y \"3\"",
    );
    tree(
        &[lower, lower],
        "a file 0644 \"1\"\nd dir 0755\nd/x file 0644 \"2\"",
    );
    tree(
        &[lower, upper, upper, "", upper],
        "d dir 0755\nd/y file 0644 \"3\"",
    );
    let many = [&[lower][..], &["whiteout a"; 130], &["file z \"4\""]].concat();
    tree(&many, "d dir 0755\nd/x file 0644 \"2\"\nz file 0644 \"4\"");
}
