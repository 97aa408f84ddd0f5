//! Files with holes, in the four ways that archives describe them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use regimg_unpack::{ErrorKind, Options};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::fixture::{Situation, refused, unpack};

/// A region of 512 bytes at 1 MiB, one of 3 bytes at 2 MiB, and a hole to 3 MiB.
const SIZE: usize = 3 << 20;
const REGIONS: [(usize, usize); 2] = [(1 << 20, 512), (2 << 20, 3)];

fn content() -> Vec<u8> {
    let mut content = vec![0; SIZE];
    for (offset, length) in REGIONS {
        content[offset..offset + length].fill(b'd');
    }
    content
}

/// The regions' bytes, quoted.
fn held() -> String {
    format!("\"{}\"", "d".repeat(515))
}

/// Lines for the same file in each dialect.
fn dialects() -> [(&'static str, String); 4] {
    let [(a, b), (c, d)] = REGIONS;
    let octal = |number: usize| format!("{number:011o}\\0");
    let old_gnu = format!(
        "entry f format=gnu type=S at:386=\"{}{}{}{}\" at:483=\"{}\" {}",
        octal(a),
        octal(b),
        octal(c),
        octal(d),
        octal(SIZE),
        held(),
    );
    let version = |records: &str| {
        format!(
            "file GNUSparseFile.0/f {records} pax:GNU.sparse.name=f {}",
            held()
        )
    };
    let pax_0_0 = version(&format!(
        "pax:GNU.sparse.size={SIZE} pax:GNU.sparse.numblocks=2 pax:GNU.sparse.offset={a} pax:GNU.sparse.numbytes={b} pax:GNU.sparse.offset={c} pax:GNU.sparse.numbytes={d}"
    ));
    let pax_0_1 = version(&format!(
        "pax:GNU.sparse.size={SIZE} pax:GNU.sparse.numblocks=2 pax:GNU.sparse.map={a},{b},{c},{d}"
    ));
    let map = format!("2\\n{a}\\n{b}\\n{c}\\n{d}\\n");
    let length = map.len() - map.matches("\\n").count();
    let pax_1_0 = format!(
        "file GNUSparseFile.0/f pax:GNU.sparse.major=1 pax:GNU.sparse.minor=0 pax:GNU.sparse.realsize={SIZE} pax:GNU.sparse.name=f \"{map}{}{}\"",
        "\\0".repeat(512 - length),
        "d".repeat(515),
    );
    [
        ("old GNU", old_gnu),
        ("0.0", pax_0_0),
        ("0.1", pax_0_1),
        ("1.0", pax_1_0),
    ]
}

/// Counts what is no hole. The blocks that a file takes do not tell: XFS reserves some.
fn data(file: &File) -> u64 {
    let (mut data, mut at) = (0, 0);
    loop {
        match seek(file, SeekFrom::Data(at)) {
            Ok(start) => {
                at = seek(file, SeekFrom::Hole(start)).unwrap();
                data += at - start;
            }
            Err(Errno::NXIO) => return data,
            Err(errno) => panic!("{errno}"),
        }
    }
}

#[test]
fn holes_stay_holes() {
    for (dialect, line) in dialects() {
        for situation in Situation::all() {
            let unpacked = unpack(
                situation,
                &[&format!("{line}\nfile after \"1\"")],
                &Options::default(),
            );
            let outcome = unpacked
                .outcome
                .as_ref()
                .unwrap_or_else(|error| panic!("{dialect}: {error}"));
            assert_eq!((outcome.entries, outcome.bytes), (2, 516), "{dialect}");
            let path = unpacked.sandbox.path().join("f");
            assert!(fs::read(&path).unwrap() == content(), "{dialect}");
            let data = data(&File::open(&path).unwrap());
            assert!(data < 32 * 1024, "{dialect}: {data} bytes are no hole");
            assert!(unpacked.line("after").contains(" \"1\" "), "{dialect}");
        }
    }
}

/// More regions than a header has room for go on in blocks of their own.
#[test]
fn long_maps_of_the_old_format() {
    let octal = |number: usize| format!("{number:011o}\\0");
    let regions: String = (0..4)
        .map(|region| octal(region * 4096) + &octal(1))
        .collect();
    let more: String = (4..25)
        .map(|region| octal(region * 4096) + &octal(1))
        .collect();
    let last = octal(25 * 4096) + &octal(1);
    for situation in Situation::all() {
        // The blocks of the map stand between the header and the 26 bytes of content.
        let line = format!(
            "entry f format=gnu type=S header-size=26 at:386=\"{regions}\\x01\" at:483=\"{}\" \"{more}\\x01{}{last}{}{}\"",
            octal(30 * 4096),
            "\\0".repeat(7),
            "\\0".repeat(488),
            "x".repeat(26),
        );
        let unpacked = unpack(situation, &[&line, "file after \"1\""], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        let content = fs::read(unpacked.sandbox.path().join("f")).unwrap();
        assert_eq!(content.len(), 30 * 4096);
        let filled = content.iter().enumerate().filter(|(_, byte)| **byte != 0);
        let places: Vec<usize> = filled.map(|(place, _)| place).collect();
        assert_eq!(
            places,
            (0..26).map(|region| region * 4096).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_file_of_holes_alone() {
    for situation in Situation::all() {
        let line = "file f pax:GNU.sparse.major=0 pax:GNU.sparse.minor=1 pax:GNU.sparse.size=1099511627776 pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=1099511627776,0";
        let unpacked = unpack(situation, &[line], &Options::default());
        unpacked.outcome.as_ref().unwrap();
        let metadata = fs::metadata(unpacked.sandbox.path().join("f")).unwrap();
        assert_eq!((metadata.size(), metadata.blocks()), (1 << 40, 0));
    }
}

/// CVE-2025-58183 and its kind.
#[test]
fn maps_that_lie() {
    let map = |records: &str| format!("file f pax:GNU.sparse.size=10 {records} \"12345\"");
    for (records, said) in [
        (
            "pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=0,6",
            "speaks of 6 bytes, the entry holds 5",
        ),
        (
            "pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=6,5",
            "beyond the file's end",
        ),
        (
            "pax:GNU.sparse.numblocks=2 pax:GNU.sparse.map=4,2,0,3",
            "out of order",
        ),
        (
            "pax:GNU.sparse.numblocks=2 pax:GNU.sparse.map=0,3,2,2",
            "out of order",
        ),
        (
            "pax:GNU.sparse.numblocks=9 pax:GNU.sparse.map=0,5",
            "another number of regions",
        ),
        (
            "pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=9223372036854775807,9223372036854775807",
            "beyond the file's end",
        ),
        (
            "pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=-1,5",
            "no valid sparse map",
        ),
        (
            "pax:GNU.sparse.major=7 pax:GNU.sparse.minor=0",
            "unknown version",
        ),
        (
            "pax:GNU.sparse.major=1 pax:GNU.sparse.minor=0",
            "longer than its entry",
        ),
    ] {
        refused(&[&map(records)], ErrorKind::Archive, said);
    }
    let hole = "pax:GNU.sparse.size=10 pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=0,0";
    refused(
        &[&format!("dir d {hole}")],
        ErrorKind::Archive,
        "something that is no file",
    );
}

#[test]
fn maps_without_end() {
    let many = 70_000;
    let line = format!(
        "file f pax:GNU.sparse.size=10 pax:GNU.sparse.numblocks={many} pax:GNU.sparse.map={}",
        vec!["0,0"; many].join(","),
    );
    refused(&[&line], ErrorKind::Limit, "more than 65536 regions");
    let line =
        "file f pax:GNU.sparse.major=1 pax:GNU.sparse.minor=0 pax:GNU.sparse.realsize=10 zeros=512";
    refused(&[line], ErrorKind::Archive, "holds no number");
    let huge = format!(
        "file f pax:GNU.sparse.major=1 pax:GNU.sparse.minor=0 pax:GNU.sparse.realsize=10 \"9999999999\\n{}\"",
        "\\0".repeat(501)
    );
    refused(&[&huge], ErrorKind::Limit, "more than 65536 regions");
}
