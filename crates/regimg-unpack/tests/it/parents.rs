//! Directories that entries go into.

use regimg_tests::Process;
use regimg_unpack::{ErrorKind, Options};

use crate::fixture::{Situation, refused, tree, unpack};

#[test]
fn missing_parents_are_made() {
    tree(
        &["file a/b/c \"1\"\nsymlink d/e -> f\nfifo g/h 0600"],
        r#"
        a dir 0755
        a/b dir 0755
        a/b/c file 0644 "1"
        d dir 0755
        d/e symlink 0777 -> f
        g dir 0755
        g/h fifo 0600
        "#,
    );
    tree(
        &["file x \"1\"\nhardlink a/b -> x"],
        "a dir 0755\na/b file 0644 \"1\"\nx file 0644 \"1\" same as a/b",
    );
    tree(&["whiteout a/b/c\nopaque d/e"], "");
}

/// The modes above, and those of files, in a process that takes all from others.
#[test]
fn the_umask_plays_no_part() {
    for test in [
        "parents::missing_parents_are_made",
        "metadata::modes_are_exact",
    ] {
        let child = Process::new("/bin/sh")
            .args([
                "-c",
                "umask 0077 && exec \"$0\" --exact \"$1\" --test-threads=1",
            ])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .env("TMPDIR", std::env::temp_dir());
        let stdout = child.run().unwrap().expect_success();
        assert!(stdout.contains("1 passed"), "{stdout}");
    }
}

/// Modes of parents that nobody wrote down do not depend on the umask, nor their owners on
/// the directory above.
#[test]
fn missing_parents_belong_to_whoever_unpacks() {
    for situation in Situation::as_root() {
        let layers = ["dir a 02775 7:8\nfile a/b/c \"1\""];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line("a").starts_with("a dir 2775 7:8 "));
        assert!(unpacked.line("a/b").starts_with("a/b dir 0755 0:0 "));
        assert!(unpacked.line("a/b/c").starts_with("a/b/c file 0644 0:0 "));
    }
}

#[test]
fn links_are_followed_within_the_root() {
    for target in ["real", "/real", "../../real", "./real/../real/.", "chain"] {
        let lower = format!("dir real 0700\nsymlink chain -> real\nsymlink link -> {target}");
        for layers in [
            &[&lower[..], "file link/f \"1\""][..],
            &[&format!("{lower}\nfile link/f \"1\"")],
        ] {
            tree(
                layers,
                &format!(
                    "chain symlink 0777 -> real\nlink symlink 0777 -> {target}\nreal dir 0700\nreal/f file 0644 \"1\""
                ),
            );
        }
    }
}

#[test]
fn dangling_links_lead_to_new_directories() {
    tree(
        &["symlink var/run -> /run\nfile var/run/x/pid \"1\""],
        r#"
        run dir 0755
        run/x dir 0755
        run/x/pid file 0644 "1"
        var dir 0755
        var/run symlink 0777 -> /run
        "#,
    );
}

#[test]
fn loops_are_errors() {
    for layer in [
        "symlink a -> a\nfile a/x \"1\"",
        "symlink a -> b\nsymlink b -> a\nfile a/x \"1\"",
        "symlink a -> a/b\nfile a/x \"1\"",
    ] {
        refused(
            &[layer],
            ErrorKind::System,
            "Too many levels of symbolic links",
        );
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let chain = |count: usize| -> String {
        let links = (0..count).map(|link| format!("symlink l{link} -> l{}\n", link + 1));
        let links: String = links.collect();
        format!("dir l{count}\n{links}file l0/x \"1\"")
    };
    for situation in Situation::all() {
        let unpacked = unpack(situation, &[&chain(40)], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line("l40/x").contains(" \"1\" "));
    }
    refused(
        &[&chain(41)],
        ErrorKind::System,
        "Too many levels of symbolic links",
    );
}

#[test]
fn what_is_no_directory_makes_way() {
    for line in ["file a \"old\"", "fifo a"] {
        for layers in [
            &[line, "file a/b \"1\""][..],
            &[&format!("{line}\nfile a/b \"1\"")],
        ] {
            tree(layers, "a dir 0755\na/b file 0644 \"1\"");
        }
    }
    tree(
        &["file f \"old\"\nsymlink l -> f", "file l/b \"1\""],
        "f dir 0755\nf/b file 0644 \"1\"\nl symlink 0777 -> f",
    );
}

#[test]
fn closed_directories_take_children() {
    for mode in ["0555", "0000", "0400"] {
        let lower = format!("dir a {mode}\ndir a/b {mode}");
        let layers = [&lower[..], "file a/b/c \"1\"\nfile a/d/e \"2\""];
        let expected = format!(
            "a dir {mode}\na/b dir {mode}\na/b/c file 0644 \"1\"\na/d dir 0755\na/d/e file 0644 \"2\""
        );
        closed_tree(&layers, &expected);
        let same_layer = format!("{lower}\nfile a/b/c \"1\"\nfile a/d/e \"2\"");
        closed_tree(&[&same_layer], &expected);
        // The way leads through a link, too.
        let linked = format!("{lower}\nsymlink l -> a/b\nfile l/c \"1\"\nfile a/d/e \"2\"");
        closed_tree(&[&linked], &format!("{expected}\nl symlink 0777 -> a/b"));
    }
}

/// A directory that is reached by a link is closed before the ones that it is really in.
#[test]
fn closed_directories_behind_links_are_closed_in_order() {
    let lower = "dir d\ndir d/e 0555\nsymlink l -> d/e";
    let expected = "d dir 0000\nd/e dir 0555\nd/e/x file 0644 \"1\"\nl symlink 0777 -> d/e";
    for upper in [
        "file l/x \"1\"\ndir d 0000",
        "dir d 0000\nfile l/x \"1\"",
        "whiteout l/y\nfile l/x \"1\"\ndir d 0000",
    ] {
        closed_tree(&[lower, upper], expected);
        closed_tree(&[&format!("{lower}\n{upper}")], expected);
    }
}

#[test]
fn a_closed_root_takes_children() {
    let layers = [
        "dir . 0000\nfile a \"1\"",
        "file b/c \"2\"\nwhiteout a",
        "dir . 0500\nfile d \"3\"",
        "opaque b\nhardlink e -> d\nfile .wh.d",
    ];
    for situation in Situation::all() {
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line(".").starts_with(". dir 0500 "));
        assert_eq!(unpacked.tree(), ["b dir 0755", "e file 0644 \"3\""]);
        let path = unpacked.sandbox.path();
        situation.run(|| situation.root(&path).clear().unwrap());
        assert!(unpacked.tree().is_empty());
    }
}

/// As [`tree`]; the listing is made by whoever runs the tests, whom modes may not bind.
#[track_caller]
fn closed_tree(layers: &[&str], expected: &str) {
    if rustix::process::geteuid().is_root() {
        tree(layers, expected);
    } else {
        for situation in Situation::all() {
            unpack(situation, layers, &Options::default())
                .outcome
                .unwrap();
        }
    }
}

#[test]
fn filling_a_directory_leaves_its_time_alone() {
    let lower = r#"
        dir a mtime=11.25
        dir a/b mtime=12
        dir usr mtime=13
        dir usr/lib mtime=14
        symlink lib -> usr/lib
        file a/b/old "0"
        file a/b/gone "0"
        "#;
    let upper = r#"
        file a/b/new "1"
        file a/b/old "1"
        whiteout a/b/gone
        file a/c/deep "2"
        file lib/x "3"
        "#;
    for situation in Situation::all() {
        for layers in [&[lower, upper][..], &[&format!("{lower}\n{upper}")]] {
            let unpacked = unpack(situation, layers, &Options::default());
            unpacked.outcome.as_ref().unwrap();
            for (name, time) in [
                ("a", "11.250000000"),
                ("a/b", "12"),
                ("usr", "13"),
                ("usr/lib", "14"),
            ] {
                let line = unpacked.line(name);
                assert!(
                    line.contains(&format!(" mtime={time}")),
                    "{situation:?}: {line}"
                );
            }
        }
    }
}
