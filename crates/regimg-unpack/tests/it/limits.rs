//! How much is too much.

use std::io::{Read, Write};

use regimg_tests::Layer;
use regimg_unpack::{ErrorKind, Limits, Options, Root, apply};

use crate::fixture::{Sandbox, Situation, told, unpack, unpack_bytes};

/// Unpacks with limits changed, and expects an error that names the limit.
#[track_caller]
fn check(layer: &str, change: impl Fn(&mut Limits), said: &str) {
    let mut options = Options::default();
    change(&mut options.limits);
    for situation in Situation::all() {
        let allowed = unpack(situation, &[layer], &Options::default());
        assert!(
            allowed.outcome.is_ok(),
            "{}",
            told(&allowed.outcome.unwrap_err())
        );
        let unpacked = unpack(situation, &[layer], &options);
        let error = unpacked.outcome.expect_err(said);
        assert_eq!(error.kind(), ErrorKind::Limit, "{}", told(&error));
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn each_limit_is_named() {
    check(
        "file a\nfile b\nfile c",
        |limits| limits.entries = 2,
        "layer has more than 2 entries",
    );
    check(
        "file a/b/c/d",
        |limits| limits.entries = 3,
        "layer has more than 3 entries",
    );
    check(
        "file abcdefghijk",
        |limits| limits.name = 10,
        "name is longer than 10 bytes",
    );
    check(
        "symlink a -> abcdefghijk",
        |limits| limits.name = 10,
        "name is longer than 10 bytes",
    );
    check(
        "file a xattr:user.a=12345 xattr:user.b=12345",
        |limits| limits.xattrs = 21,
        "extended attributes have more than 21 bytes",
    );
    check(
        "file a zeros=10000",
        |limits| limits.bytes = 10_000,
        "layer has more than 10000 uncompressed bytes",
    );
    let sparse =
        "pax:GNU.sparse.size=600000 pax:GNU.sparse.numblocks=1 pax:GNU.sparse.map=600000,0";
    check(
        &format!("file a {sparse}\nfile b {sparse}"),
        |limits| limits.bytes = 1_000_000,
        "files have more than 1000000 bytes in holes",
    );
}

#[test]
fn the_ratio_counts_from_16_mib_on() {
    let layer = |megabytes: usize| {
        let tar = Layer::parse(&format!("file zeros zeros={}", megabytes << 20)).tar();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    };
    let mut options = Options::default();
    options.limits.ratio = 100;
    for situation in Situation::all() {
        let run = |bytes: Vec<u8>, options: &Options| {
            unpack_bytes(situation, Sandbox::new(situation), vec![bytes], options).outcome
        };
        assert!(run(layer(15), &options).is_ok());
        assert!(run(layer(17), &Options::default()).is_ok());
        let error = run(layer(17), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert_eq!(
            error.to_string(),
            "layer 1: entry \"zeros\": layer grows to more than 100 times its compressed size"
        );
    }
}

#[test]
fn the_window_is_a_limit_too() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder
        .write_all(&Layer::parse("file a random=100000").tar())
        .unwrap();
    let bytes = encoder.finish().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let mut options = Options::default();
    apply(&bytes[..], &root, &options, &mut ()).unwrap();
    options.limits.window = 1 << 20;
    let error = apply(&bytes[..], &root, &options, &mut ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(
        error.to_string(),
        "zstd frame wants a window of more than 1048576 bytes"
    );
}

/// A layer without end stops at a limit, and not at the end of memory.
#[test]
fn endless_layers_end() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    let mut options = Options::default();
    options.limits.bytes = 64 << 20;
    for what in ["zeros in one file", "zeros after the end", "empty members"] {
        let start = match what {
            "zeros in one file" => Layer::parse("file a header-size=1000000000")
                .ending_with_zeros(0)
                .tar(),
            "zeros after the end" => Layer::parse("file a").tar(),
            _ => Vec::new().into(),
        };
        let endless: Box<dyn Read> = if start.is_empty() {
            let member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let member = member.finish().unwrap();
            Box::new(std::io::Cursor::new(member.repeat(1_000_000)))
        } else {
            Box::new(std::io::Cursor::new(start).chain(std::io::repeat(0)))
        };
        let outcome = apply(endless, &root, &options, &mut ());
        match outcome {
            // A million of empty members is an empty layer, read at leisure.
            Ok(outcome) => assert_eq!((what, outcome.entries), ("empty members", 0)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Limit, "{what}: {}", told(&error)),
        }
    }
}
