//! The same archives read by GNU tar and by Python's `tarfile`: the same trees, or an error.
//!
//! Where one of the others reads something else without an error, this reader refuses the
//! archive, or the case says why it is right.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use regimg_tests::tree::Listing;
use regimg_tests::{Layer, Peer};
use regimg_unpack::{Options, Root, apply};

use crate::fixture::quoted;

const PYTHON: &str = r#"
import sys, tarfile
with tarfile.open(sys.argv[1], "r:", encoding="utf-8", errors="surrogateescape") as archive:
    try:
        archive.extractall(sys.argv[2], filter="fully_trusted")
    except TypeError:
        archive.extractall(sys.argv[2])
"#;

/// Other people's readers, as far as they are installed.
struct Readers {
    tar: Option<Peer>,
    python: Option<Peer>,
}

impl Readers {
    #[track_caller]
    fn find() -> Self {
        Self {
            tar: Peer::find("tar"),
            python: Peer::find("python3"),
        }
    }
}

/// What a reader made of an archive; nothing if it reported an error.
type Seen = Option<Vec<String>>;

fn ours(archive: &[u8]) -> (Seen, String) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    match apply(archive, &root, &Options::default(), &mut ()) {
        Ok(_) => (Some(listing(directory.path())), String::new()),
        Err(error) => (None, error.to_string()),
    }
}

fn theirs(peer: &Peer, arguments: &[&str], archive: &Path) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = arguments.iter().map(|argument| match *argument {
        "ARCHIVE" => path(archive),
        "DIRECTORY" => path(directory.path()),
        other => other.to_owned(),
    });
    let finished = peer.process().args(arguments).run().unwrap();
    let is_success = finished.status.success();
    is_success.then(|| listing(directory.path()))
}

fn gnu_tar(peer: &Peer, archive: &Path) -> Seen {
    let arguments = [
        "--extract",
        "--preserve-permissions",
        "--no-same-owner",
        "--file",
        "ARCHIVE",
        "--directory",
        "DIRECTORY",
    ];
    theirs(peer, &arguments, archive)
}

fn python(peer: &Peer, archive: &Path) -> Seen {
    theirs(peer, &["-c", PYTHON, "ARCHIVE", "DIRECTORY"], archive)
}

/// Everything but owners, and times of files alone: the others set those of directories that
/// they made for themselves, or of no links.
fn listing(root: &Path) -> Vec<String> {
    let listing = Listing::new().without_owners().without_attributes();
    let lines = listing.lines(root).unwrap();
    let cut = |line: String| match line.split_once(" mtime=") {
        Some((start, _)) if !line.contains(" file ") => start.to_owned(),
        // Python counts in floating point, and GNU's own format in whole seconds.
        Some((start, time)) => {
            let end = time.find(['.', ' ']).unwrap_or(time.len());
            let seconds = &time[..end];
            let rest = time.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{start} mtime={seconds} {rest}")
        }
        None => line,
    };
    lines
        .into_iter()
        .filter(|line| !line.starts_with(". "))
        .map(cut)
        .collect()
}

/// Compares what the readers see. `differs` names those that are known to see something else
/// than what is right.
fn compare(readers: &Readers, archive: &[u8], differs: &[&str]) -> Result<(), String> {
    let (Some(ours), _) = ours(archive) else {
        return Ok(());
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar");
    fs::write(&path, archive).unwrap();
    let tar = readers.tar.as_ref().and_then(|peer| gnu_tar(peer, &path));
    let python = readers.python.as_ref().and_then(|peer| python(peer, &path));
    for (name, theirs) in [("GNU tar", tar), ("tarfile", python)] {
        if let Some(theirs) = theirs
            && !differs.contains(&name)
            && theirs != ours
        {
            return Err(format!(
                "{name} reads\n{}\nand we\n{}",
                theirs.join("\n"),
                ours.join("\n")
            ));
        }
    }
    Ok(())
}

/// One generated entry: lines, in a directory of its own so that entries do not meet.
fn entry(index: usize) -> impl Strategy<Value = String> {
    let size = prop_oneof![Just(0_usize), 1..600_usize, Just(512), Just(1024)];
    (0..16_u32, size, any::<u32>(), 0..1000_u32).prop_map(move |(shape, size, time, fraction)| {
        let directory = format!("e{index}");
        let text = "x".repeat(size);
        let mtime = time / 2;
        let long = format!("{directory}/{}", "long/".repeat(25) + "name");
        let other = if size == 0 { 7 } else { size - 1 };
        match shape {
            0 => format!("file {directory}/f 0640 mtime={mtime} \"{text}\""),
            1 => format!("file {directory}/f mtime={mtime}.{fraction:03} \"{text}\""),
            2 => format!("file {long} mtime={mtime} \"{text}\""),
            3 => format!("file {long} format=gnu mtime={mtime} \"{text}\""),
            4 => format!("file f at:345={directory}/prefix mtime={mtime} \"{text}\""),
            5 => format!("file {directory}/header pax:path={directory}/pax mtime={mtime} \"{text}\""),
            6 => format!("file {directory}/f pax:size={size} header-size=0 mtime={mtime} \"{text}\""),
            7 => format!("file {directory}/f pax:size={size} header-size={other} mtime={mtime} \"{text}\""),
            8 => {
                let number = [&[0x80, 0, 0, 0][..], &(size as u64).to_be_bytes()].concat();
                let number = quoted(&number);
                format!("file {directory}/f format=gnu at:124={number} mtime={mtime} \"{text}\"")
            }
            9 => format!("dir {directory}/d 0751\nsymlink {directory}/l -> {}", "t".repeat(size.clamp(1, 250))),
            10 => format!("symlink {directory}/l -> {long} format=gnu\nfifo {directory}/p 0600"),
            // tarfile takes the time of the link's header, which is not the file's own.
            11 => format!(
                "file {directory}/f mtime={mtime} \"{text}\"\nhardlink {directory}/h -> {directory}/f mtime={mtime}"
            ),
            12 => sparse(&directory, size, time),
            13 => format!("dir {directory}/d/ 01777\nentry {directory}/o/ type=\"\\0\" 0755\nentry {directory}/7 type=7 mtime={mtime} \"{text}\""),
            14 => format!("pax comment=x\nentry ././@LongLink type=L format=gnu \"{directory}/g\\0\"\nfile {directory}/u format=gnu mtime={mtime} \"{text}\""),
            _ => format!("file \"{directory}/\\xc3\\xa9 \\xe2\\x82\\xac\" mtime={mtime} \"{text}\""),
        }
    })
}

/// A file of one region between holes, in one of three dialects.
fn sparse(directory: &str, size: usize, choice: u32) -> String {
    let (offset, whole) = (4096, 8192 + size);
    let text = "s".repeat(size);
    let name = format!("pax:GNU.sparse.name={directory}/sparse");
    match choice % 3 {
        0 => format!(
            "file {directory}/GNUSparseFile.0/f {name} pax:GNU.sparse.major=0 pax:GNU.sparse.minor=1 pax:GNU.sparse.size={whole} pax:GNU.sparse.numblocks=2 pax:GNU.sparse.map={offset},{size},{whole},0 mtime=7 \"{text}\""
        ),
        1 => {
            let map = format!("2\n{offset}\n{size}\n{whole}\n0\n");
            let escaped = map.replace('\n', "\\n") + &"\\0".repeat(512 - map.len());
            format!(
                "file {directory}/GNUSparseFile.0/f {name} pax:GNU.sparse.major=1 pax:GNU.sparse.minor=0 pax:GNU.sparse.realsize={whole} mtime=7 \"{escaped}{text}\""
            )
        }
        _ => format!(
            "entry {directory}/sparse format=gnu type=S mtime=7 at:386=\"{offset:011o}\\0{size:011o}\\0{whole:011o}\\0{:011o}\\0\" at:483=\"{whole:011o}\\0\" \"{text}\"",
            0
        ),
    }
}

/// What somebody may do to an archive after it was written.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    ZeroBlock(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => Just(Damage::None),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => index().prop_map(Damage::Cut),
        1 => index().prop_map(Damage::ZeroBlock),
        1 => (index(), index()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(mut archive: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let blocks = archive.len() / 512;
    match damage {
        Damage::None => {}
        Damage::Byte(at, byte) => {
            let at = at.index(archive.len());
            archive[at] = *byte;
        }
        Damage::Cut(at) => archive.truncate(at.index(archive.len())),
        Damage::ZeroBlock(at) => {
            let at = at.index(blocks) * 512;
            archive.splice(at..at, [0; 512]);
        }
        Damage::Repeat(from, to) => {
            let (from, to) = (from.index(blocks) * 512, to.index(blocks) * 512);
            let block: Vec<u8> = archive[from..from + 512].to_vec();
            archive.splice(to..to, block);
        }
    }
    archive
}

#[test]
fn generated_archives() {
    let readers = Readers::find();
    if readers.tar.is_none() && readers.python.is_none() {
        return;
    }
    let config = Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    };
    let archives = (
        prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        damage(),
    );
    let strategy = archives.prop_flat_map(|(entries, damage)| {
        let entries: Vec<_> = (0..entries.len()).map(entry).collect();
        (entries, Just(damage))
    });
    let outcome = TestRunner::new(config).run(&strategy, |(entries, damage)| {
        let archive = Layer::parse(&entries.join("\n")).tar().to_vec();
        let archive = damaged(archive, &damage);
        if matches!(damage, Damage::None) {
            let (seen, error) = ours(&archive);
            prop_assert!(seen.is_some(), "{}", error);
        }
        compare(&readers, &archive, &[]).map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Confusions that were advisories, each in the form that some reader took differently.
#[test]
fn confusions() {
    let readers = Readers::find();
    let inner = Layer::parse("file hidden \"evil\"")
        .ending_with_zeros(0)
        .tar();
    let content = quoted(&inner);
    let size = inner.len();
    let pax = |records: &str| format!("entry PaxHeader type=x \"{records}\"");
    let gnu = |kind: char, name: &str| {
        format!("entry ././@LongLink type={kind} format=gnu \"{name}\\0\"")
    };
    // The layer, whether we read it, and who is known to read something else.
    let cases: Vec<(&str, String, bool, &[&str])> = vec![
        ("CVE-2025-62518: a pax size over zero", format!("file outer pax:size={size} header-size=0 {content}\nfile z \"1\""), true, &[]),
        ("CVE-2025-62518: a pax size over a larger one", format!("file outer pax:size={size} header-size=99999 {content}\nfile z \"1\""), true, &[]),
        ("a pax size of zero over content", format!("file outer pax:size=0 header-size={size} {content}\nfile z \"1\""), true, &[]),
        ("GHSA-fp55-jw48-c537: a pax size before a long name", format!("{}\n{}\nfile a header-size=0 \"123456789\"", pax("10 size=9\\n"), gnu('L', "gnu")), true, &[]),
        ("a pax name before a GNU one", format!("{}\n{}\nfile a \"1\"", pax("12 path=pax\\n"), gnu('L', "gnu")), true, &[]),
        // tarfile applies what stands nearest to the entry first, so that the outer one wins.
        ("a GNU name before a pax one", format!("{}\n{}\nfile a \"1\"", gnu('L', "gnu"), pax("12 path=pax\\n")), true, &["tarfile"]),
        ("two pax headers", format!("{}\n{}\nfile a \"1\"", pax("9 path=b\\n"), pax("9 path=c\\n")), false, &[]),
        ("two GNU names", format!("{}\n{}\nfile a \"1\"", gnu('L', "b"), gnu('L', "c")), false, &[]),
        ("a global header between", format!("{}\npax comment=x\nfile a \"1\"", pax("9 path=b\\n")), false, &[]),
        ("a directory with a size", "dir d header-size=512\nfile z \"1\"".to_owned(), true, &[]),
        ("a link with a size", "symlink l -> t header-size=512\nfile z \"1\"".to_owned(), true, &[]),
        ("a number behind a NUL", "file a at:124=\"\\0\\0\\0\\0\\0\\0\\x30\\x30\\x30\\x30\\x31\\0\" \"1\"\nfile z \"1\"".to_owned(), false, &[]),
        ("a negative size", "file a format=gnu at:124=\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\"".to_owned(), false, &[]),
        ("a wrong checksum", "file a \"1\"\nfile b checksum=1 \"2\"\nfile c \"3\"".to_owned(), false, &[]),
        // The others take the name, Go's reader does not.
        ("a sparse name without a map", "file a pax:GNU.sparse.name=b \"1\"".to_owned(), false, &[]),
        ("a sparse version nobody knows", "file a pax:GNU.sparse.major=3 pax:GNU.sparse.minor=0 \"1\"".to_owned(), false, &[]),
        // A slash makes a directory of what has no type, for Go and here; for GNU tar of every file.
        ("a file with a slash", "file a/ \"\"".to_owned(), true, &["GNU tar"]),
    ];
    for (what, text, is_read, differs) in cases {
        let archive = Layer::parse(&text).tar();
        let (seen, error) = ours(&archive);
        assert_eq!(seen.is_some(), is_read, "{what}: {error}");
        if let Err(difference) = compare(&readers, &archive, differs) {
            panic!("{what}: {difference}");
        }
    }
}

/// The other way round: what GNU tar writes, we read.
#[test]
fn what_tar_writes() {
    let Some(tar) = Peer::find("tar") else { return };
    let source = tempfile::tempdir().unwrap();
    let (path, deep) = (source.path(), "deep/".repeat(40));
    fs::create_dir_all(path.join(&deep)).unwrap();
    fs::write(path.join(&deep).join("f"), "1").unwrap();
    fs::hard_link(path.join(&deep).join("f"), path.join("hard")).unwrap();
    std::os::unix::fs::symlink(format!("{deep}f"), path.join("soft")).unwrap();
    fs::write(path.join("näme with spaces"), "2").unwrap();
    let sparse = fs::File::create(path.join("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", 5 << 20).unwrap();
    drop(sparse);
    Command::new("mkfifo")
        .arg(path.join("pipe"))
        .status()
        .unwrap();
    for format in ["--format=gnu", "--format=pax", "--format=oldgnu"] {
        for version in [
            &[][..],
            &["--sparse"],
            &["--sparse", "--sparse-version=0.0"],
            &["--sparse", "--sparse-version=0.1"],
        ] {
            let archive = tempfile::NamedTempFile::new().unwrap();
            let arguments = [&["--create", format], version, &["--file"]].concat();
            let process = tar
                .process()
                .args(arguments)
                .arg(archive.path())
                .arg("--directory")
                .arg(path)
                .arg(".");
            process.run().unwrap().expect_success();
            let (seen, error) = ours(&fs::read(archive.path()).unwrap());
            assert_eq!(
                seen.unwrap_or_else(|| panic!("{format} {version:?}: {error}")),
                listing(path),
                "{format} {version:?}"
            );
        }
    }
}
