//! Modes, owners, times and extended attributes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use regimg_tests::{Layer, Peer};
use regimg_unpack::{ErrorKind, Options, Ownership, Root, apply};

use crate::fixture::{Situation, refused, told, tree, unpack};

#[test]
fn modes_are_exact() {
    let layer = r#"
        file a 0400 "1"
        file b 07777 "2"
        file c 04711 "3"
        file d 02470 "4"
        file e 0100644 "5"
        dir f 01777
        dir g 02755
        dir h 0500
        dir i 0733
        file g/a 0644 "6"
        dir g/b 0755
        fifo j 0666
        "#;
    tree(
        &[layer],
        r#"
        a file 0400 "1"
        b file 7777 "2"
        c file 4711 "3"
        d file 2470 "4"
        e file 0644 "5"
        f dir 1777
        g dir 2755
        g/a file 0644 "6"
        g/b dir 0755
        h dir 0500
        i dir 0733
        j fifo 0666
        "#,
    );
}

/// Set-user-ID bits outlive the change of owner, and so do capabilities.
#[test]
fn owners_are_numbers() {
    for situation in Situation::as_root() {
        let layer = r#"
            file a 06755 1000:1001 uname=root gname=root "1"
            dir b 0755 3:4
            symlink c -> a 5:6
            fifo d 0600 7:8
            file e 4294967294:4294967294 "2"
            file f 2147483648:2097152 "3"
            dir setgid 02775 0:50
            file setgid/mine 0644 0:0 "4"
            dir setgid/dir 0755 0:0
            symlink setgid/link -> x 0:0
            file setgid/theirs 0644 9:50 "5"
            file pax 0644 pax:uid=12 pax:gid=13 "6"
            file base256 format=gnu at:108="\x80\0\0\0\0\x01\0\0" at:116="\x80\0\0\0\0\0\x01\x02" "7"
            "#;
        let unpacked = unpack(situation, &[layer], &Options::default());
        unpacked
            .outcome
            .as_ref()
            .unwrap_or_else(|error| panic!("{}", told(error)));
        for start in [
            "a file 6755 1000:1001 ",
            "b dir 0755 3:4 ",
            "c symlink 0777 5:6 ",
            "d fifo 0600 7:8 ",
            "e file 0644 4294967294:4294967294 ",
            "f file 0644 2147483648:2097152 ",
            "setgid dir 2775 0:50 ",
            "setgid/mine file 0644 0:0 ",
            "setgid/dir dir 0755 0:0 ",
            "setgid/link symlink 0777 0:0 ",
            "setgid/theirs file 0644 9:50 ",
            "pax file 0644 12:13 ",
            "base256 file 0644 65536:258 ",
        ] {
            let line = unpacked.line(start.split(' ').next().unwrap());
            assert!(line.starts_with(start), "{line} is not {start}");
        }
    }
}

#[test]
fn owners_can_be_left_out() {
    for situation in Situation::as_root() {
        let mut options = Options::default();
        options.ownership = Ownership::Ignore;
        let unpacked = unpack(situation, &["file a 04755 7:8 \"1\"\ndir b 9:9"], &options);
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line("a").starts_with("a file 4755 0:0 "));
        assert!(unpacked.line("b").starts_with("b dir 0755 0:0 "));
    }
    for situation in Situation::all().filter(|situation| situation.as_nobody) {
        let unpacked = unpack(situation, &["file a 04755 0:0 \"1\""], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(
            unpacked.line("a").starts_with("a file 4755 65534:65534 "),
            "the mode is kept whole"
        );
        let mut options = Options::default();
        options.ownership = Ownership::Keep;
        let unpacked = unpack(situation, &["file a 0:0 \"1\""], &options);
        assert_eq!(
            told(&unpacked.outcome.unwrap_err()),
            "layer 1: entry \"a\": cannot set the owner 0:0 (fchown): Operation not permitted (os error 1)"
        );
    }
}

/// In a user namespace root is root of the ids that are mapped, and of no others.
#[test]
fn unmapped_owners_are_explained() {
    let Some(unshare) = Peer::find("unshare") else {
        return;
    };
    let in_namespace = |program: &Path, arguments: &[&str]| {
        let process = unshare.process().args(["--user", "--map-root-user"]);
        let process = process.arg(program).args(arguments);
        process.env("TMPDIR", std::env::temp_dir()).run().unwrap()
    };
    if !in_namespace(Path::new("/bin/true"), &[]).status.success() {
        eprintln!("skipped: user namespaces are not allowed here");
        return;
    }
    let arguments = [
        "--exact",
        "metadata::an_owner_that_may_not_be_mapped",
        "--nocapture",
    ];
    let stdout = in_namespace(&std::env::current_exe().unwrap(), &arguments).expect_success();
    let said = "cannot set the owner 5:6, which this user namespace has no mapping for (fchown)";
    assert!(stdout.contains(said), "{stdout}");
}

/// Tells what happens to such an owner, here and in a user namespace.
#[test]
fn an_owner_that_may_not_be_mapped() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let layer = Layer::parse("file a 5:6").tar();
    let outcome = apply(&layer[..], &root, &Options::default(), &mut ());
    match outcome {
        Ok(outcome) => assert_eq!(outcome.entries, 1),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::System);
            println!("{}", told(&error));
        }
    }
}

#[test]
fn ids_out_of_range_are_refused() {
    // All ones is no id; to the system it means "leave it as it is".
    for id in ["4294967295", "4294967296", "9223372036854775807"] {
        for situation in Situation::as_root() {
            let unpacked = unpack(situation, &[&format!("file a {id}:0")], &Options::default());
            let error = unpacked.outcome.unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("layer 1: entry \"a\": user id {id} is out of range")
            );
        }
    }
    refused(&["file a pax:uid=-1"], ErrorKind::Archive, "no valid uid");
    let minus_one = r#"file a format=gnu at:108="\xff\xff\xff\xff\xff\xff\xff\xff""#;
    refused(&[minus_one], ErrorKind::Archive, "negative uid");
}

#[test]
fn times_have_nanoseconds_and_signs() {
    let cases = [
        ("0", "0"),
        ("1577836800", "1577836800"),
        ("12.5", "12.500000000"),
        ("12.123456789", "12.123456789"),
        ("12.1234567899", "12.123456789"),
        ("-1.25", "-2.750000000"),
        ("-86400", "-86400"),
        ("4294967296", "4294967296"),
        ("8589934592", "8589934592"),
    ];
    for (time, expected) in cases {
        for situation in Situation::all() {
            let layer = format!(
                "file a mtime={time} \"1\"\ndir d mtime={time}\nfile d/x \"2\"\nsymlink s -> a mtime={time}\nfifo f mtime={time}"
            );
            let unpacked = unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            for name in ["a", "d", "s", "f"] {
                let line = unpacked.line(name);
                assert!(line.ends_with(&format!(" mtime={expected}")), "{line}");
            }
        }
    }
    let base_256 = r#"file a format=gnu at:136="\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe""#;
    for situation in Situation::all() {
        let unpacked = unpack(situation, &[base_256], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert!(unpacked.line("a").ends_with(" mtime=-2"));
    }
    refused(&["file a mtime=soon"], ErrorKind::Archive, "no valid mtime");
}

/// A file that nobody has read since has been read when it was written.
#[test]
fn access_times_are_no_earlier_than_changes() {
    for situation in Situation::all() {
        let layer = "file a mtime=50\nfile b mtime=50 pax:atime=60.5\nfile c mtime=50 pax:atime=40\ndir d mtime=50\nsymlink s -> a mtime=50";
        let unpacked = unpack(situation, &[layer], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        for (name, atime) in [("a", (50, 0)), ("b", (60, 500_000_000)), ("c", (50, 0))] {
            let metadata = fs::symlink_metadata(unpacked.sandbox.path().join(name)).unwrap();
            assert_eq!((metadata.atime(), metadata.atime_nsec()), atime, "{name}");
        }
    }
}

#[test]
fn extended_attributes_are_kept() {
    let layer = r#"
        file a xattr:user.text=1 xattr:user.binary="a\0\xff\n=b" xattr:user.empty= "1"
        dir d xattr:user.dir=2
        dir merged xattr:user.stale=3 xattr:user.changed=4
        file LIBARCHIVE pax:LIBARCHIVE.xattr.user.b="MQ=="
        file twice xattr:user.x=1 xattr:user.x=2
        file closed 0444 xattr:user.x=1
        dir shut 0500 xattr:user.x=1
        "#;
    let upper = "dir merged xattr:user.changed=5\nfile a2 \"1\"";
    for situation in Situation::all() {
        let unpacked = unpack(situation, &[layer, upper], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        if unpacked
            .warnings
            .iter()
            .any(|warning| warning.contains("user.text"))
        {
            eprintln!("skipped: the file system of temporary directories has no user attributes");
            return;
        }
        let attributes = |name: &str| {
            let line = unpacked.line(name);
            let (_, rest) = line.split_once(" mtime=").unwrap();
            rest.split_once(' ')
                .map(|(_, attributes)| attributes.to_owned())
                .unwrap_or_default()
        };
        assert_eq!(
            attributes("a"),
            r#"user.binary="a\x00\xff\n=b" user.empty="" user.text="1""#
        );
        assert_eq!(attributes("d"), r#"user.dir="2""#);
        assert_eq!(attributes("merged"), r#"user.changed="5""#);
        assert_eq!(attributes("LIBARCHIVE"), "");
        assert_eq!(attributes("closed"), r#"user.x="1""#);
        assert_eq!(attributes("shut"), r#"user.x="1""#);
        assert_eq!(attributes("twice"), r#"user.x="2""#);
    }
}

/// Version 2 of `struct vfs_cap_data`: `cap_net_raw+ep`.
const CAPABILITY: &str =
    r#"xattr:security.capability="\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0""#;

#[test]
fn capabilities_are_set_after_the_owner() {
    for situation in Situation::as_root() {
        let layer = format!("file ping 0755 5:6 {CAPABILITY} xattr:user.a=1 \"1\"");
        let unpacked = unpack(situation, &[&layer], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        if unpacked.warnings.is_empty() {
            let line = unpacked.line("ping");
            assert!(line.starts_with("ping file 0755 5:6 "), "{line}");
            assert!(
                line.contains("security.capability=\"\\x01\\x00\\x00\\x02\\x00 \\x00"),
                "{line}"
            );
        } else {
            eprintln!("skipped: {:?}", unpacked.warnings);
        }
    }
}

/// One warning for each name, however many files have it; no error, since what is lost is
/// nothing that could be had here.
#[test]
fn attributes_that_are_not_allowed_are_warnings() {
    for situation in Situation::all() {
        let layers = [
            "symlink s -> a xattr:user.a=1\nsymlink t -> a xattr:user.a=1 xattr:unknown.b=2\nfile x xattr:unknown.b=3",
            "symlink u -> a xattr:user.a=1 xattr:unknown.c=4",
        ];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(
            unpacked.warnings,
            [
                "0: entry \"s\": extended attribute \"user.a\" is not allowed here",
                "0: entry \"t\": extended attribute \"unknown.b\" is not allowed here",
                "1: entry \"u\": extended attribute \"unknown.c\" is not allowed here",
            ]
        );
    }
    for situation in Situation::all().filter(|situation| situation.as_nobody) {
        let layer = format!("file a 0755 {CAPABILITY} \"1\"");
        let unpacked = unpack(situation, &[&layer], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(
            unpacked.warnings,
            ["0: entry \"a\": extended attribute \"security.capability\" is not allowed here"]
        );
    }
}

/// What belongs to the machine that made the archive is not content, and not worth a word.
#[test]
fn attributes_of_another_machine_are_skipped() {
    for situation in Situation::all() {
        let layer = r#"
            file a xattr:security.selinux=label xattr:system.nfs4_acl=x xattr:trusted.overlay.opaque=y "1"
            dir d xattr:trusted.overlay.opaque=y
            "#;
        let unpacked = unpack(situation, &[layer], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(unpacked.warnings, [""; 0]);
        for name in ["a", "d"] {
            let line = unpacked.line(name);
            assert!(
                !line.contains("overlay") && !line.contains("nfs4") && !line.contains("label"),
                "{line}"
            );
        }
    }
}

#[test]
fn attributes_go_with_what_they_were_on() {
    for situation in Situation::all() {
        let layers = [
            "file a xattr:user.a=1 \"1\"\ndir d xattr:user.a=1",
            "file a \"2\"\nwhiteout d",
            "dir d",
        ];
        let unpacked = unpack(situation, &layers, &Options::default());
        unpacked.outcome.as_ref().unwrap();
        for name in ["a", "d"] {
            assert!(!unpacked.line(name).contains("user.a"));
        }
    }
}

/// `user::rwx,user:5:rwx,group::---,mask::rwx,other::---`, as the system stores it.
const ACL: &str = r#""\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x07\0\x05\0\0\0\x04\0\0\0\xff\xff\xff\xff\x10\0\x07\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff""#;

/// What is made in a directory with a default access control list inherits it, unless it is
/// taken away: a file has what its entry says.
#[test]
fn access_control_lists_are_not_inherited() {
    let lower = format!("dir d 0750 xattr:system.posix_acl_default={ACL}");
    let entries = r#"
        file d/f 0640 "1"
        file d/x 0604 xattr:user.a=1 "2"
        dir d/s 0705
        file d/s/f 0640 "3"
        fifo d/p 0606
        symlink d/l -> f
        hardlink d/h -> d/f
        file d/i/j/f 0604 "4"
        dir link/s2 0770
        "#;
    let own = format!("file d/a 0770 xattr:system.posix_acl_access={ACL} \"5\"");
    let own = format!(
        "{own}\ndir d/da 0750 xattr:system.posix_acl_default={ACL}\nfile d/da/f 0604 \"6\""
    );
    let alias = "symlink link -> d";
    for situation in Situation::all() {
        for layers in [
            &[
                &format!("{lower}\n{alias}")[..],
                &format!("{entries}\n{own}"),
            ][..],
            &[&format!("{lower}\n{alias}\n{entries}\n{own}")],
            // The list of the upper layer's entry is merged into a directory that was open.
            &[&format!(
                "{alias}\ndir d 0750\nfile d/0\n{lower}\n{entries}\n{own}"
            )],
        ] {
            let unpacked = unpack(situation, layers, &Options::default());
            unpacked.outcome.as_ref().unwrap();
            if !unpacked.warnings.is_empty() {
                eprintln!("skipped: {:?}", unpacked.warnings);
                return;
            }
            assert!(unpacked.line("d").contains("posix_acl_default"));
            for (name, mode) in [
                ("d/f", "0640"),
                ("d/x", "0604"),
                ("d/s", "0705"),
                ("d/s/f", "0640"),
                ("d/p", "0606"),
                ("d/l", "0777"),
                ("d/i", "0755"),
                ("d/i/j", "0755"),
                ("d/i/j/f", "0604"),
                ("d/s2", "0770"),
                ("d/da/f", "0604"),
            ] {
                let line = unpacked.line(name);
                assert!(line.contains(&format!(" {mode} ")), "{situation:?}: {line}");
                assert!(!line.contains("posix_acl"), "{situation:?}: {line}");
            }
            assert!(unpacked.line("d/a").contains("posix_acl_access"));
            assert!(!unpacked.line("d/a").contains("posix_acl_default"));
            assert!(unpacked.line("d/da").contains("posix_acl_default"));
            assert!(!unpacked.line("d/da").contains("posix_acl_access"));
        }
    }
}
