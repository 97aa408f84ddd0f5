//! Layers that mean harm: each way out of a root, or to the end of memory, that somebody has
//! found in an unpacker before. What is outside the root is compared after every one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use regimg_tests::{Layer, Process};
use regimg_unpack::{Devices, ErrorKind, Options};
use rustix::fs::{Mode, OFlags, open};

use crate::fixture::{
    Sandbox, Situation, lines, quoted, refused, told, tree, unpack, unpack_bytes, unpack_one,
};

/// Unpacks in every situation; whether that is an error is not the question. Devices are
/// made where that is possible.
#[track_caller]
fn contained(layers: &[&str]) {
    let mut options = Options::default();
    options.devices = Devices::Create;
    for situation in Situation::all() {
        unpack(situation, layers, &options);
    }
}

/// As [`contained`], with layers that have to unpack, to this.
#[track_caller]
fn lands(layers: &[&str], expected: &str) {
    for situation in Situation::all() {
        let unpacked = unpack(situation, layers, &Options::default());
        if let Err(error) = &unpacked.outcome {
            panic!("{}: {layers:?}", told(error));
        }
        let expected = unpacked.sandbox.fill_in(expected);
        assert_eq!(
            unpacked.tree(),
            lines(&expected),
            "{situation:?}: {layers:?}"
        );
    }
}

/// CVE-2001-1267, CVE-2007-4131, CVE-2025-5981: names that lead up.
#[test]
fn a01_names_that_lead_up() {
    for name in [
        "../x",
        "../../../x",
        "/../x",
        "a/../../x",
        "./../x",
        "..//..//x",
        "a/b/../../../../x",
    ] {
        lands(&[&format!("file {name} \"1\"")], "x file 0644 \"1\"");
        lands(
            &[&format!("file x \"1\"\nhardlink y -> {name}")],
            "x file 0644 \"1\"\ny file 0644 \"1\" same as x",
        );
    }
    for name in [
        "../root-x/f",
        "../outside/file",
        "{outside}/file",
        "..",
        "../..",
        "/..",
    ] {
        for line in ["file", "dir", "fifo", "whiteout"] {
            contained(&[&format!("{line} {name}")]);
            contained(&[&format!("{line} {name} pax:path={name}")]);
        }
        contained(&[&format!("symlink {name} -> x")]);
        contained(&[&format!("hardlink x -> {name}")]);
    }
}

/// CVE-2026-17106, containerd's `TestBreakouts`: a link first, then a file through it.
#[test]
fn a02_links_planted_first() {
    let targets = [
        "{outside}",
        "../outside",
        "../../../../../../../../{outside}",
        "./../outside",
        "/./../outside/../outside",
        "hop",
        "/hop",
    ];
    for target in targets {
        let plant = format!("symlink hop -> ../outside\nsymlink l -> {target}");
        for through in [
            "file l/file \"evil\"",
            "file l/new \"evil\"",
            "dir l/dir 0700",
            "symlink l/link -> evil",
            "fifo l/dir/pipe",
            "char l/dir/x 0600 1:3",
            "hardlink l/hard -> l/file",
            "whiteout l/file",
            "opaque l/dir",
            "opaque l",
            "dir l 0700 mtime=5",
            "file l \"evil\"",
            "file l/../outside/file \"evil\"",
            "file l/dir/../file \"evil\"",
        ] {
            contained(&[&plant, through]);
            contained(&[&format!("{plant}\n{through}")]);
        }
    }
    // The last component is never followed.
    lands(
        &["symlink f -> {outside}/file", "file f \"1\""],
        "f file 0644 \"1\"",
    );
    // A link in the middle leads to the same name in the root.
    lands(
        &["symlink l -> ../outside", "file l/file \"1\""],
        "l symlink 0777 -> ../outside\noutside dir 0755\noutside/file file 0644 \"1\"",
    );
    // Kernel links of a mounted /proc would lead anywhere; as names they do not.
    contained(&[
        "symlink l -> /proc/self/cwd\nfile l/x \"1\"\nsymlink m -> /proc/self/root\nfile m/x \"1\"",
    ]);
}

/// CVE-2021-29136: the root itself made a link.
#[test]
fn a03_the_root_replaced() {
    for name in [".", "/", "./", "./."] {
        for line in [
            "symlink {} -> {outside}",
            "file {} \"x\"",
            "fifo {}",
            "hardlink {} -> {outside}/file",
        ] {
            let line = line.replacen("{}", name, 1);
            for situation in Situation::all() {
                let unpacked = unpack(
                    situation,
                    &[&line, "file passwd \"evil\""],
                    &Options::default(),
                );
                assert_eq!(
                    unpacked.outcome.unwrap_err().kind(),
                    ErrorKind::Archive,
                    "{line}"
                );
            }
        }
        contained(&[&format!("whiteout {name}"), "file x \"1\""]);
        contained(&[&format!("opaque {name}"), "file x \"1\""]);
    }
}

/// CVE-2026-50163: hard links to files of the host.
#[test]
fn a04_hard_links_to_the_host() {
    for target in [
        "{outside}/file",
        "../outside/file",
        "../root-x/f",
        "/etc/passwd",
        "Cargo.toml",
        "l/file",
        "m",
    ] {
        let plant = "symlink l -> {outside}\nsymlink m -> {outside}/file";
        for situation in Situation::all() {
            let layer = format!("{plant}\nhardlink x -> {target}\nfile x2 \"after\"");
            let unpacked = unpack(situation, &[&layer], &Options::default());
            match unpacked.outcome {
                // To the link itself, which is in the root.
                Ok(_) => assert_eq!(target, "m"),
                Err(error) => assert!(told(&error).contains("No such file"), "{}", told(&error)),
            }
            // Never a copy instead.
            assert!(!unpacked.sandbox.path().join("x").is_file() || target == "m");
        }
    }
}

/// CVE-2021-32760: a hard link to a link, and then attributes through it.
#[test]
fn a05_attributes_through_links() {
    let layers = [
        "symlink l -> {outside}/file",
        "hardlink h -> l 0777 0:0 mtime=1 xattr:user.canary=evil",
        "symlink l2 -> {outside}/file 0777 7:7 mtime=1 xattr:user.canary=evil",
    ];
    lands(
        &layers,
        "h symlink 0777 -> {outside}/file\nl symlink 0777 -> {outside}/file same as h\nl2 symlink 0777 -> {outside}/file",
    );
}

/// CVE-2026-33056: a directory over a link, and then attributes of what the link leads to.
#[test]
fn a06_directories_over_links() {
    for target in [
        "{outside}",
        "{outside}/dir",
        "../outside",
        "{outside}/file",
        "nowhere",
    ] {
        let entry = "dir d 0777 7:7 mtime=1 xattr:user.canary=evil\nfile d/x \"1\"";
        for layers in [
            &[&format!("symlink d -> {target}"), entry][..],
            &[&format!("symlink d -> {target}\n{entry}")],
        ] {
            lands(layers, "d dir 0777\nd/x file 0644 \"1\"");
        }
    }
}

#[test]
fn a07_whiteouts_that_lead_out() {
    for name in [
        ".wh.",
        ".wh..",
        ".wh...",
        "a/.wh...",
        "a/../.wh...",
        "../.wh.outside",
        "../.wh..wh..opq",
    ] {
        contained(&["file a/b \"1\"", &format!("file {name}")]);
    }
    for target in ["{outside}", "../outside", "/../outside", ".."] {
        for marker in [
            "whiteout l/file",
            "whiteout l/dir",
            "opaque l",
            "opaque l/dir",
            "whiteout l",
            "whiteout l/outside",
        ] {
            contained(&[&format!("symlink l -> {target}"), marker]);
            // Links within what is removed are removed, and not followed.
            contained(&[
                &format!("symlink d/l -> {target}\nsymlink d/e/l -> {target}"),
                "whiteout d",
            ]);
        }
    }
    lands(
        &[
            "dir d\nsymlink d/l -> {outside}\nfile d/f \"1\"",
            "whiteout d",
        ],
        "",
    );
}

/// No entry writes into a file that has another name, or stands there already.
#[test]
fn a08_files_with_other_names() {
    lands(
        &[
            "file a \"old\"\nhardlink b -> a\nsymlink c -> a",
            "file a \"new\" 04755 mtime=5\nfile c \"newer\"",
        ],
        "a file 4755 \"new\"\nb file 0644 \"old\"\nc file 0644 \"newer\"",
    );
    // A link to a file of the host that somebody has put there before.
    for situation in Situation::all() {
        let sandbox = Sandbox::new(situation);
        let path = sandbox.path();
        fs::hard_link(path.join("../outside/file"), path.join("f")).unwrap();
        let layer = Layer::parse("file f 0777 \"evil\"").tar().to_vec();
        unpack_bytes(situation, sandbox, vec![layer], &Options::default())
            .outcome
            .unwrap();
    }
}

// A9, others who move directories meanwhile: see race.rs.

/// CVE-2025-62518: where a file ends decides what is an entry and what is content.
#[test]
fn a10_sizes_that_differ() {
    let inner = Layer::parse("file hidden \"evil\"")
        .ending_with_zeros(0)
        .tar();
    let content = quoted(&inner);
    // The header says nothing, the extended header tells of the archive inside.
    for size in [0, 1, 512, 100_000] {
        let layer = format!(
            "file outer pax:size={} header-size={size} {content}\nfile after \"1\"",
            inner.len()
        );
        for situation in Situation::all() {
            let unpacked = unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            let names: Vec<_> = unpacked
                .tree()
                .iter()
                .map(|line| line.split(' ').next().unwrap().to_owned())
                .collect();
            assert_eq!(names, ["after", "outer"], "header says {size}");
        }
    }
    // The other way round, it would be an entry and not content, for everybody.
    let layer = format!(
        "file outer pax:size=0 header-size={} {content}\nfile after \"1\"",
        inner.len()
    );
    tree(
        &[&layer],
        "after file 0644 \"1\"\nhidden file 0644 \"evil\"\nouter file 0644 \"\"",
    );
}

/// GHSA-3cv2-h65g-fgmm, GHSA-fp55-jw48-c537: whose header is it.
#[test]
fn a11_headers_of_headers() {
    let pax = |records: &str| format!("entry PaxHeader type=x \"{records}\"");
    let (long, record) = ("entry ././@LongLink type=L \"gnu\\0\"", "10 size=9\\n");
    // The size is not the long name's.
    tree(
        &[&format!(
            "{}\n{long}\nfile a header-size=0 \"123456789\"",
            pax(record)
        )],
        "gnu file 0644 \"123456789\"",
    );
    tree(
        &[&format!(
            "{long}\n{}\nfile a header-size=0 \"123456789\"",
            pax(record)
        )],
        "gnu file 0644 \"123456789\"",
    );
    for twice in [
        format!(
            "{}\n{}\nfile a \"1\"",
            pax("8 path=\\n"),
            pax("9 path=b\\n")
        ),
        format!("{long}\n{long}\nfile a \"1\""),
        format!(
            "{0}\n{0}\nsymlink a -> b",
            "entry ././@LongLink type=K \"gnu\\0\""
        ),
    ] {
        refused(&[&twice], ErrorKind::Archive, "two headers of a kind");
    }
    let across = format!("{}\npax comment=x\nfile a \"1\"", pax("9 path=b\\n"));
    refused(
        &[&across],
        ErrorKind::Archive,
        "global header within an entry",
    );
    for dangling in [pax("9 path=b\\n"), long.to_owned()] {
        refused(
            &[&format!("file a \"1\"\n{dangling}")],
            ErrorKind::Archive,
            "ends within an entry",
        );
    }
    for malformed in [
        "8 path=b\\n",
        "99 path=b\\n",
        "path=b\\n",
        "9 path=b ",
        "0 =\\n",
        "-9 path=b\\n",
    ] {
        refused(
            &[&format!("{}\nfile a", pax(malformed))],
            ErrorKind::Archive,
            "malformed extended header",
        );
    }
}

/// What has no content has none, whatever its header says.
#[test]
fn a12_sizes_of_what_has_no_content() {
    for line in ["dir a", "symlink a -> b", "hardlink a -> z", "fifo a"] {
        let layer = format!("file z \"1\"\n{line} header-size=512\nfile inner \"2\"");
        for situation in Situation::all() {
            let unpacked = unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            assert!(unpacked.line("inner").contains("\"2\""), "{line}");
        }
    }
}

/// What some readers take for the end, others skip.
#[test]
fn a13_stray_zeros() {
    let (first, second) = (
        Layer::parse("file a \"1\"").ending_with_zeros(0).tar(),
        Layer::parse("file b \"2\"").tar(),
    );
    let lone = [&first[..], &[0; 512], &second].concat();
    let hidden = [&first[..], &[0; 1024], &second].concat();
    for situation in Situation::all() {
        let unpacked = unpack_one(situation, &lone);
        let error = unpacked.outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Archive);
        assert!(told(&error).contains("lone block of zeros"));
        let unpacked = unpack_one(situation, &hidden);
        unpacked.outcome.as_ref().unwrap();
        assert_eq!(unpacked.tree(), ["a file 0644 \"1\""]);
    }
}

#[test]
fn a14_checksums_and_numbers() {
    refused(&["file a checksum=0"], ErrorKind::Archive, "wrong checksum");
    refused(
        &["file a \"1\"\nfile b checksum=12345"],
        ErrorKind::Archive,
        "wrong checksum",
    );
    // Old programs took the sum of signed bytes: 256 less for each byte of the name.
    let name = "\\xff\\xff";
    let unsigned = Layer::parse(&format!("file \"{name}\" \"1\"")).tar();
    let sum: u64 = unsigned[..512]
        .iter()
        .enumerate()
        .map(|(at, &byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u64::from(byte)
            }
        })
        .sum();
    tree(
        &[&format!("file \"{name}\" checksum={} \"1\"", sum - 512)],
        r#"\xff\xff file 0644 "1""#,
    );
    let fields = [
        (
            "124=\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\"",
            "negative size",
        ),
        (
            "124=\"\\x80\\0\\0\\0\\x80\\0\\0\\0\\0\\0\\0\\0\"",
            "no valid size",
        ),
        (
            "124=\"\\xbf\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\"",
            "no valid size",
        ),
        ("124=\"-0000000001\\0\"", "no valid size"),
        ("124=\"0000000008\\0\\0\"", "no valid size"),
        ("124=\"\\0\\0\\00000001\\0\\0\"", "no valid size"),
        ("100=\"rw-r--r-\"", "no valid mode"),
        ("136=\"0000x000000\\0\"", "no valid mtime"),
        ("108=\"000 000\\0\"", "no valid uid"),
    ];
    for (field, said) in fields {
        refused(
            &[&format!("file a format=gnu at:{field}")],
            ErrorKind::Archive,
            said,
        );
    }
    // As large as can be: the archive ends before, and nothing overflows.
    for size in [
        "\\x80\\0\\0\\0\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff",
        "\\x80\\0\\0\\0\\x7f\\xff\\xff\\xff\\xff\\xff\\xfe\\0",
    ] {
        refused(
            &[&format!("file a format=gnu at:124=\"{size}\" \"1\"")],
            ErrorKind::Archive,
            "ends within",
        );
    }
    refused(
        &["file a pax:size=9223372036854775807 \"1\""],
        ErrorKind::Archive,
        "ends within",
    );
    refused(
        &["file a pax:size=9223372036854775808"],
        ErrorKind::Archive,
        "no valid size",
    );
    // Types of extended headers in an archive that has none.
    contained(&["entry a type=L format=v7 \"evil\"\nfile b \"1\" format=v7"]);
}

#[test]
fn a15_headers_without_end() {
    let huge = 1024 * 1024 + 1;
    for kind in ["x", "g", "L", "K"] {
        refused(
            &[&format!("entry a type={kind} header-size={huge}")],
            ErrorKind::Limit,
            "more than 1048576",
        );
        // Nothing is set aside for what only a header promises.
        refused(
            &[&format!("entry a type={kind} header-size=1048576")],
            ErrorKind::Archive,
            "ends within",
        );
    }
    let long = "n/".repeat(40_000);
    refused(
        &[&format!("file a pax:path={long} \"1\"")],
        ErrorKind::Limit,
        "name is longer than 65536 bytes",
    );
    refused(
        &[&format!("symlink a -> {long}")],
        ErrorKind::Limit,
        "name is longer than 65536 bytes",
    );
    refused(
        &[&format!("file a xattr:user.a={}", "v".repeat(600_000))],
        ErrorKind::Limit,
        "extended attributes",
    );
    refused(
        &[&"entry L type=L \"n\"\n".repeat(1000)],
        ErrorKind::Archive,
        "two headers of a kind",
    );
    let globals = format!("{}\nfile a \"1\"", "pax comment=x\n".repeat(1000));
    lands(&[&globals], "a file 0644 \"1\"");
}

// A16, maps of holes without end: see sparse.rs. A17, bombs: see limits.rs.

/// Layers of many entries, long names and deep trees; more memory than a page for each would
/// show.
#[test]
fn a18_memory_is_bounded() {
    for test in ["many_files", "many_directories", "deep_names"] {
        let child = Process::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &format!("attacks::heavy_layers::{test}"),
                "--nocapture",
                "--test-threads=1",
            ])
            .env("TMPDIR", std::env::temp_dir())
            .deadline(Duration::from_mins(5));
        let stdout = child.run().unwrap().expect_success();
        let peak = stdout
            .split("peak KiB: ")
            .nth(1)
            .expect("the child tells its peak");
        let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
        assert!(peak < 96 * 1024, "{test}: {peak} KiB");
    }
}

/// Run by themselves these tell how much memory they took at most.
mod heavy_layers {
    use std::io::Read;

    use super::*;
    use regimg_unpack::{Root, apply};

    /// An archive that is made as it is read.
    struct Lines<F> {
        line: F,
        next: usize,
        count: usize,
        at_hand: std::io::Cursor<Vec<u8>>,
    }

    impl<F: FnMut(usize) -> String> Read for Lines<F> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            loop {
                let read = self.at_hand.read(buffer)?;
                if read > 0 || self.next == self.count {
                    return Ok(read);
                }
                let layer = Layer::parse(&(self.line)(self.next)).ending_with_zeros(0);
                self.at_hand = std::io::Cursor::new(layer.tar().to_vec());
                self.next += 1;
            }
        }
    }

    fn run(count: usize, line: impl FnMut(usize) -> String) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap().without_openat2();
        let layer = Lines {
            line,
            next: 0,
            count,
            at_hand: std::io::Cursor::default(),
        };
        let outcome = apply(layer, &root, &Options::default(), &mut ()).unwrap();
        assert_eq!(outcome.entries, count as u64);
        root.clear().unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        println!("peak KiB: {}", peak.trim());
    }

    #[test]
    fn many_files() {
        let name = "n".repeat(80);
        // A file system may have no more than 65,000 links to one file.
        run(80_000, move |index| match index % 50_000 {
            0 => format!("file f{} \"1\"", index / 50_000),
            _ => format!(
                "hardlink d/{}/{index}{name} -> f{}",
                index / 1000,
                index / 50_000
            ),
        });
    }

    #[test]
    fn many_directories() {
        run(5_000, |index| {
            format!("dir {}/{index}{}", index % 100, "n".repeat(100))
        });
    }

    /// Names of 4,000 bytes, each of another directory.
    #[test]
    fn deep_names() {
        let deep = "d/".repeat(2_000);
        run(500, move |index| format!("dir {deep}{index}"));
    }
}

// A19, one side waiting for the other for ever: see api.rs.

/// CVE-2026-41567: programs that are found by name, perhaps in an image.
#[test]
fn a20_no_program_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("called");
    for name in [
        "gzip", "gunzip", "pigz", "unpigz", "igzip", "zstd", "unzstd", "xz", "tar", "sh",
    ] {
        let path = directory.path().join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\necho {name} >> {}\nexit 1\n", marker.display()),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let child = Process::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "containers::what_it_is_decides",
            "--test-threads=1",
        ])
        .env("PATH", directory.path())
        .deadline(Duration::from_mins(1));
    let stdout = child.run().unwrap().expect_success();
    assert!(stdout.contains("1 passed"), "{stdout}");
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());
}

// A21, digests that nobody reads far enough to check: see containers.rs, `everything_is_read`,
// and api.rs, `diff_ids_are_compared`. A22, tables of contents: see containers.rs.

/// Devices and set-user-ID files of an image are no gift to the host's other users: the
/// former are not there by default, the latter are as closed as the root.
#[test]
fn a23_devices_are_left_out() {
    for situation in Situation::all() {
        let layer = "dir . 0700\nchar mem 0666 1:1\nblock sda 0666 8:0\nfile su 04755 \"1\"";
        let unpacked = unpack(situation, &[layer], &Options::default());
        assert_eq!(unpacked.outcome.as_ref().unwrap().skipped_devices, 2);
        assert_eq!(unpacked.tree(), ["su file 4755 \"1\""]);
        assert!(unpacked.line(".").starts_with(". dir 0700 "));
    }
}

/// CVE-2024-9676: opening what is there may block for ever, or reach a device.
#[test]
fn a24_nothing_there_is_opened() {
    for new in [
        "file p \"1\"",
        "dir p",
        "symlink p -> x",
        "hardlink p -> f",
        "fifo p 0600",
        "file p/x \"1\"",
        "whiteout p",
        "opaque p",
    ] {
        for situation in Situation::all() {
            let unpacked = unpack(
                situation,
                &["fifo p\nfile f \"1\"", new],
                &Options::default(),
            );
            unpacked.outcome.unwrap();
        }
    }
    // Somebody waits to be written to.
    for situation in Situation::all() {
        let sandbox = Sandbox::new(situation);
        let pipe = sandbox.path().join("p");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::from_raw_mode(0o666)).unwrap();
        let reader = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let layer = Layer::parse("file p \"evil\"").tar().to_vec();
        unpack_bytes(situation, sandbox, vec![layer], &Options::default())
            .outcome
            .unwrap();
        let mut buffer = [0; 8];
        assert_eq!(
            rustix::io::read(&reader, &mut buffer).unwrap(),
            0,
            "nothing was written to it"
        );
    }
}

/// What failed half-way is an error to the end, and can be cleared away.
#[test]
fn a25_half_a_root_is_no_success() {
    for situation in Situation::all() {
        for broken in [
            "file b header-size=5000",
            "file .wh..",
            "hardlink b -> nowhere",
        ] {
            let layers = [
                "file a \"1\"",
                &format!("file c \"2\"\n{broken}"),
                "file d \"3\"",
            ];
            let unpacked = unpack(situation, &layers, &Options::default());
            let error = unpacked.outcome.as_ref().unwrap_err();
            assert_eq!(error.layer(), Some(1));
            assert!(
                !unpacked.tree().iter().any(|line| line.starts_with("d ")),
                "no later layer is applied"
            );
            let path = unpacked.sandbox.path();
            situation.run(|| situation.root(&path).clear().unwrap());
            assert!(unpacked.tree().is_empty());
        }
    }
}

/// Names reach people through logs and terminals.
#[test]
fn a26_names_are_printed_escaped() {
    for name in [
        "\\x1b]0;evil\\x07",
        "a\\nlayer 7: fine",
        "\\xff\\xfe",
        "\\xe2\\x80\\xae",
    ] {
        for situation in Situation::all() {
            let layer = format!(
                "symlink \"{name}\" -> x xattr:user.a=1\nhardlink \"{name}\" -> \"no{name}\""
            );
            let unpacked = unpack(situation, &[&layer], &Options::default());
            let said = [
                told(&unpacked.outcome.unwrap_err()),
                unpacked.warnings.concat(),
            ]
            .concat();
            assert!(
                said.chars()
                    .all(|char| !char.is_control() && char != '\u{202e}'),
                "{said:?}"
            );
            assert!(
                said.contains("\\u{1b}")
                    || said.contains("\\n")
                    || said.contains("\\xff")
                    || said.contains("\\u{202e}"),
                "{said}"
            );
        }
    }
}
