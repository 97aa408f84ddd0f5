//! What an archive comes in: gzip, zstd or nothing.

use std::io::{Cursor, Write};

use flate2::GzBuilder;
use flate2::write::GzEncoder;
use regimg_tests::{Compression, Layer};
use regimg_unpack::{ErrorKind, Options, Root, apply};

use crate::fixture::{Drops, Heard, Situation, told, unpack_one};

const TREE: [&str; 3] = ["a file 0644 \"1\"", "d dir 0755", "d/b file 0644 \"2\""];

fn layer() -> Layer {
    Layer::parse("file a \"1\"\ndir d\nfile d/b \"2\"")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn skippable(magic: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&[magic, 0x2a, 0x4d, 0x18], &length[..], data].concat()
}

#[track_caller]
fn check(what: &str, bytes: &[u8], warnings: &[&str]) {
    for situation in Situation::all() {
        let unpacked = unpack_one(situation, bytes);
        if let Err(error) = &unpacked.outcome {
            panic!("{what}: {}", told(error));
        }
        assert_eq!(unpacked.tree(), TREE, "{what}");
        assert_eq!(unpacked.warnings, warnings, "{what}");
    }
}

#[track_caller]
fn refused(what: &str, bytes: &[u8], kind: ErrorKind) {
    let situation = Situation::all().next().unwrap();
    let unpacked = unpack_one(situation, bytes);
    let error = unpacked.outcome.expect_err(what);
    assert_eq!(error.kind(), kind, "{what}: {}", told(&error));
}

#[test]
fn what_it_is_decides() {
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::GzipMembers,
        Compression::Zstd,
        Compression::ZstdFrames,
    ] {
        check(
            &format!("{compression:?}"),
            &layer().compressed(compression),
            &[],
        );
    }
}

#[test]
fn gzip_headers_and_members() {
    let tar = layer().tar();
    let dressed = GzBuilder::new()
        .extra(b"AB\x02\0xy".as_slice())
        .filename("layer.tar")
        .comment("a comment")
        .mtime(7);
    let mut dressed = dressed.write(Vec::new(), flate2::Compression::best());
    dressed.write_all(&tar).unwrap();
    check("extra, name and comment", &dressed.finish().unwrap(), &[]);
    check("a header's sum", &with_header_sum(&tar), &[]);
    let empty = gzip(b"");
    let members = [
        &empty[..],
        &gzip(&tar[..700]),
        &empty,
        &empty,
        &gzip(&tar[700..]),
        &empty,
    ]
    .concat();
    check("empty members", &members, &[]);
    // eStargz has a member for each file and another for its table of contents.
    let each: Vec<u8> = tar.chunks(512).flat_map(gzip).collect();
    check("a member a block", &each, &[]);
    check("padding", &[&gzip(&tar)[..], &[0; 777]].concat(), &[]);
    check(
        "garbage",
        &[&gzip(&tar)[..], b"\0garbage"].concat(),
        &["0: 7 bytes after the end of the gzip stream are ignored"],
    );
    check(
        "garbage that begins like a member",
        &[&gzip(&tar)[..], b"\x1f"].concat(),
        &["0: 1 bytes after the end of the gzip stream are ignored"],
    );
}

/// Wherever a member ends in the buffers of 256 KiB that layers are read in, what follows it is
/// found.
#[test]
fn members_across_buffers() {
    let tar = Layer::parse("file a random=220000\nfile b \"2\"").tar();
    let situation = Situation::all().next().unwrap();
    let member = |data: &[u8], name: usize| {
        let builder = GzBuilder::new().filename(vec![b'n'; name]);
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let rest = gzip(&tar[220_000..]);
    for (data, then, warnings) in [
        (&tar[..220_000], &rest[..], 0),
        (&tar[..], b"\x1f", 1),
        (&tar[..], b"\x1f\x8c", 1),
    ] {
        let plain = member(data, 0).len();
        for end in (256 << 10) - 12..=(256 << 10) + 9 {
            let member = member(data, end - plain);
            assert_eq!(member.len(), end);
            let unpacked = unpack_one(situation, &[&member, then].concat());
            let outcome = unpacked.outcome.expect("all members are there");
            assert_eq!((outcome.entries, outcome.bytes), (2, 220_001), "{end}");
            assert_eq!(unpacked.warnings.len(), warnings, "{end} {then:?}");
        }
    }
}

/// A member with FHCRC, which `GzBuilder` does not write.
fn with_header_sum(data: &[u8]) -> Vec<u8> {
    let mut member = gzip(data);
    member[3] |= 2;
    let mut sum = flate2::Crc::new();
    sum.update(&member[..10]);
    let sum = u16::try_from(sum.sum() & 0xffff).unwrap().to_le_bytes();
    member.splice(10..10, sum);
    member
}

#[test]
fn damaged_gzip() {
    let whole = gzip(&layer().tar());
    let damaged = |from_end: usize| {
        let mut bytes = whole.clone();
        let index = bytes.len() - from_end;
        bytes[index] ^= 0x10;
        bytes
    };
    refused("CRC32", &damaged(8), ErrorKind::Compression);
    refused("ISIZE", &damaged(1), ErrorKind::Compression);
    let mut method = whole.clone();
    method[2] = 7;
    refused("an unknown method", &method, ErrorKind::Compression);
    let second = [&whole[..], &whole[..20]].concat();
    refused("a second member cut short", &second, ErrorKind::Compression);
}

#[test]
fn zstd_frames() {
    let tar = layer().tar();
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let mut checked = zstd::Encoder::new(Vec::new(), 3).unwrap();
    checked.include_checksum(true).unwrap();
    checked.include_contentsize(false).unwrap();
    checked.write_all(&tar).unwrap();
    let checked = checked.finish().unwrap();
    check("a sum and no size", &checked, &[]);
    for magic in 0x50..=0x5f {
        let led = [&skippable(magic, b"toc")[..], &frame(&tar)].concat();
        check("a skippable frame first", &led, &[]);
    }
    let mixed = [
        &frame(&tar[..1000])[..],
        &skippable(0x50, b""),
        &frame(b""),
        &frame(&tar[1000..]),
        &skippable(0x5f, &[7; 5000]),
    ];
    check("skippable frames anywhere", &mixed.concat(), &[]);
    let mut damaged = checked.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refused("a wrong sum", &damaged, ErrorKind::Compression);
    refused(
        "garbage",
        &[&frame(&tar)[..], b"garbage"].concat(),
        ErrorKind::Compression,
    );
    let dictionary = [0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x01, 0x01, 0x00, 0x00];
    refused("a dictionary", &dictionary, ErrorKind::Compression);
}

/// Frames may ask for windows of 8 MiB without being asked back (RFC 8878, 3.1.1.1.2).
#[test]
fn zstd_windows() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&layer().tar()).unwrap();
    check("27", &encoder.finish().unwrap(), &[]);
    for log in [28, 31, 41] {
        // A frame header with nothing but a window descriptor, and one empty last block.
        let frame = [
            0x28,
            0xb5,
            0x2f,
            0xfd,
            0x00,
            (log - 10) << 3,
            0x01,
            0x00,
            0x00,
        ];
        refused(&format!("2^{log}"), &frame, ErrorKind::Limit);
    }
}

/// Cut anywhere, a compressed layer is an error, except where zstd's frames end, which say
/// nothing about being the last.
#[test]
fn truncated_anywhere() {
    let situation = Situation::all().next().unwrap();
    let layer = layer();
    for (compression, whole) in [
        (Compression::Gzip, layer.compressed(Compression::Gzip)),
        (Compression::Zstd, layer.compressed(Compression::Zstd)),
    ] {
        for length in 1..whole.len() {
            let unpacked = unpack_one(situation, &whole[..length]);
            assert!(unpacked.outcome.is_err(), "{compression:?} cut at {length}");
        }
    }
}

/// However the bytes come, and whatever follows the archive's end: all of them are read, so
/// that a reader which compares a digest at its end has seen them.
#[test]
fn everything_is_read() {
    let tar = layer().tar();
    let ends = [
        ("plain", [&tar[..], b"junk"].concat()),
        ("gzip", [&gzip(&tar)[..], b"junk"].concat()),
        (
            "gzip padding",
            [&gzip(&[&tar[..], &vec![0; 100_000]].concat())[..], &[0; 9]].concat(),
        ),
        (
            "zstd",
            [
                &zstd::encode_all(&tar[..], 1).unwrap()[..],
                &skippable(0x51, b"end"),
            ]
            .concat(),
        ),
    ];
    for (what, bytes) in ends {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let mut reader = Cursor::new(&bytes);
        apply(
            Drops(&mut reader),
            &root,
            &Options::default(),
            &mut Heard::default(),
        )
        .unwrap();
        assert_eq!(reader.position(), bytes.len() as u64, "{what}");
    }
}

/// Layers of builders that add a table of contents are archives like others; the table is
/// not trusted with anything.
#[test]
fn seekable_formats_are_streams() {
    let toc = "file stargz.index.json \"{\\\"entries\\\": [{\\\"name\\\": \\\"evil\\\", \\\"type\\\": \\\"reg\\\"}]}\"";
    let tar = Layer::parse(&format!(
        "file a \"1\"\nfile .no.prefetch.landmark \"x\"\n{toc}"
    ))
    .tar();
    let footer = gzip(b"");
    let members = [
        &tar.chunks(512).flat_map(gzip).collect::<Vec<_>>()[..],
        &footer,
    ]
    .concat();
    let situation = Situation::all().next().unwrap();
    let unpacked = unpack_one(situation, &members);
    unpacked.outcome.as_ref().unwrap();
    let names: Vec<String> = unpacked
        .tree()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, [".no.prefetch.landmark", "a", "stargz.index.json"]);
}
