//! What happens to what stands where an entry goes.

use regimg_unpack::{Devices, Options};

use crate::fixture::{Situation, tree, unpack};

/// What others see of each kind of thing called `x`, and the lines that make it.
const KINDS: [(&str, &str); 8] = [
    ("file x 0600 \"new\"", "x file 0600 \"new\""),
    ("dir x 0700", "x dir 0700"),
    (
        "dir x 0700\nfile x/child \"c\"",
        "x dir 0700\nx/child file 0644 \"c\"",
    ),
    ("symlink x -> target", "x symlink 0777 -> target"),
    ("symlink x -> directory", "x symlink 0777 -> directory"),
    ("symlink x -> nowhere", "x symlink 0777 -> nowhere"),
    (
        "hardlink x -> target",
        "x file 0644 \"kept\" same as target",
    ),
    ("fifo x 0600", "x fifo 0600"),
];

const BASE: &str = "file target \"kept\"\ndir directory\nfile directory/inside \"kept\"";
const BASE_TREE: &str =
    "directory dir 0755\ndirectory/inside file 0644 \"kept\"\ntarget file 0644 \"kept\"";

/// Every kind over every kind, from a lower layer or the same one: what is new is all there
/// is of it, and nothing else has changed.
#[test]
fn every_kind_over_every_kind() {
    for (old, _) in KINDS {
        for (new, seen) in KINDS {
            if old.contains("child") && new == "dir x 0700" {
                continue; // Merged, not replaced: see below.
            }
            let expected = format!("{BASE_TREE}\n{seen}");
            tree(&[&format!("{BASE}\n{old}"), new], &expected);
            tree(&[&format!("{BASE}\n{old}\n{new}")], &expected);
        }
    }
}

#[test]
fn directories_merge() {
    for situation in Situation::all() {
        let layers = [
            "dir x 0755 mtime=1\nfile x/child \"c\"",
            "dir x 0700 mtime=2",
            "file y \"1\"",
        ];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(
            unpacked.tree(),
            ["x dir 0700", "x/child file 0644 \"c\"", "y file 0644 \"1\""]
        );
        assert!(unpacked.line("x").contains(" mtime=2"));
    }
}

#[test]
fn the_last_of_duplicates_wins() {
    tree(
        &["file a 0600 \"1\"\nfile b \"2\"\nfile a 0644 \"3\"\nfile a \"4\""],
        "a file 0644 \"4\"\nb file 0644 \"2\"",
    );
}

/// An inode with another name keeps its content (upstream's test of layers that replace
/// symlinks with regular files, containerd's `DirectoryOverrideSymlinkAndHardlink`).
#[test]
fn nothing_is_written_through_a_name() {
    tree(
        &[
            "file a \"old\"\nhardlink b -> a\nsymlink c -> a",
            "file b \"new\"",
            "file c \"newer\"",
        ],
        "a file 0644 \"old\"\nb file 0644 \"new\"\nc file 0644 \"newer\"",
    );
}

#[test]
fn deep_trees_make_way() {
    let lower = |depth: usize| {
        let deep = vec!["d"; depth].join("/");
        format!("file x/{deep}/f \"1\"\ndir x/{deep} 0000")
    };
    tree(&[&lower(1200), "file x \"2\""], "x file 0644 \"2\"");
    tree(&[&lower(100), "whiteout x"], "");
    tree(&[&lower(100), "opaque x"], "x dir 0755");
}

#[test]
fn closed_trees_make_way() {
    let lower = "file x/a/b \"1\"\nsymlink x/l -> /\ndir x/a 0000\ndir x/e 0500\ndir x 0000";
    tree(&[lower, "file x \"2\""], "x file 0644 \"2\"");
    tree(&[lower, "whiteout x"], "");
    if rustix::process::geteuid().is_root() {
        tree(&[lower, "opaque x"], "x dir 0000");
    }
}

#[test]
fn devices_are_skipped_or_made() {
    let layers = [
        "char dev/null 0666 1:3\nblock dev/sda 0660 8:0 0:6\nfile dev/console \"file\"",
        "char dev/console 0620 5:1\nfile ok \"1\"",
    ];
    for situation in Situation::all() {
        let unpacked = unpack(situation, &layers, &Options::default());
        assert_eq!(unpacked.outcome.as_ref().unwrap().skipped_devices, 3);
        assert_eq!(
            unpacked.tree(),
            [
                "dev dir 0755",
                "dev/console file 0644 \"file\"",
                "ok file 0644 \"1\""
            ]
        );
    }
    for situation in Situation::as_root() {
        let mut options = Options::default();
        options.devices = Devices::Create;
        let unpacked = unpack(situation, &layers, &options);
        assert_eq!(unpacked.outcome.as_ref().unwrap().skipped_devices, 0);
        assert_eq!(
            unpacked.tree(),
            [
                "dev dir 0755",
                "dev/console char 0620 5:1",
                "dev/null char 0666 1:3",
                "dev/sda block 0660 8:0",
                "ok file 0644 \"1\"",
            ]
        );
        assert!(unpacked.line("dev/sda").contains(" 0:6 8:0 "));
        // A device is replaced by its name alone: nobody opens it.
        let over = [
            layers[0],
            layers[1],
            "file dev/null \"1\"\nsymlink dev/sda -> null",
        ];
        let unpacked = unpack(situation, &over, &options);
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line("dev/null").contains(" \"1\" "));
        // In overlayfs it is a whiteout.
        let unpacked = unpack(situation, &["char x 0600 0:0"], &options);
        let error = unpacked.outcome.unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer 1: entry \"x\": character device 0:0"
        );
    }
}
