//! Layers read back with the `tar` crate, which shares nothing with the writer.

use std::io::Read;

use super::*;

/// Lists an archive as `type mode uid:gid size mtime path -> link`.
fn listing(layer: &Layer) -> Vec<String> {
    let tar = layer.tar();
    let mut archive = tar::Archive::new(&tar[..]);
    let line = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let entry = entry.unwrap();
        let header = entry.header();
        let link = entry
            .link_name_bytes()
            .map(|link| format!(" -> {}", link.escape_ascii()));
        format!(
            "{} {:04o} {}:{} {} {} {}{}",
            char::from(header.entry_type().as_byte()),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            entry.size(),
            header.mtime().unwrap(),
            entry.path_bytes().escape_ascii(),
            link.unwrap_or_default(),
        )
    };
    archive.entries().unwrap().map(line).collect()
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(listing(&Layer::parse(line)), [expected], "{line}");
}

#[test]
fn each_kind_of_line() {
    check(
        "dir etc 0700 1000:1001",
        "5 0700 1000:1001 0 1577836800 etc",
    );
    check("file a \"hi\\n\" mtime=12", "0 0644 0:0 3 12 a");
    check("file \"a \\xff\" 04755", "0 4755 0:0 0 1577836800 a \\xff");
    check("symlink a/b -> ../c", "2 0777 0:0 0 1577836800 a/b -> ../c");
    check("hardlink b -> a", "1 0644 0:0 0 1577836800 b -> a");
    check("whiteout a/b", "0 0000 0:0 0 1577836800 a/.wh.b");
    check("whiteout b", "0 0000 0:0 0 1577836800 .wh.b");
    check("opaque a", "0 0000 0:0 0 1577836800 a/.wh..wh..opq");
    check("fifo p 0600", "6 0600 0:0 0 1577836800 p");
    check("entry odd type=7 \"x\"", "7 0644 0:0 1 1577836800 odd");
    check("file z zeros=1000", "0 0644 0:0 1000 1577836800 z");
    check("file big 3000000:5", "0 0644 3000000:5 0 1577836800 big");
}

/// The reader that lists the others takes the type of the oldest archives for that of a file.
#[test]
fn the_type_of_the_oldest_archives_can_be_written() {
    let tar = Layer::parse("entry old/ type=\"\\0\"").tar();
    assert_eq!((&tar[..5], tar[156]), (&b"old/\0"[..], 0));
}

#[test]
fn devices_carry_their_numbers() {
    let tar = Layer::parse("char dev/null 0666 1:3 7:8").tar();
    let mut archive = tar::Archive::new(&tar[..]);
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.header().device_major().unwrap(), Some(1));
    assert_eq!(entry.header().device_minor().unwrap(), Some(3));
    assert_eq!(entry.header().uid().unwrap(), 7);
}

#[test]
fn long_names_survive_in_both_formats() {
    let long = "d/".repeat(80) + "f";
    for format in ["pax", "gnu"] {
        let layer = Layer::new().line(&format!("symlink {long} -> {long} format={format}"));
        assert_eq!(
            listing(&layer),
            [format!("2 0777 0:0 0 1577836800 {long} -> {long}")]
        );
    }
    let cut = Layer::new().line(&format!("file {long} format=v7"));
    assert!(listing(&cut)[0].ends_with(&long[..100]));
}

#[test]
fn records_hold_attributes_times_and_any_byte() {
    let layer = Layer::parse(r#"file a xattr:user.x="a\0\xffb" pax:comment=hi mtime=-1.5 "data""#);
    let tar = layer.tar();
    let mut archive = tar::Archive::new(&tar[..]);
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let records: Vec<(String, Vec<u8>)> = entry
        .pax_extensions()
        .unwrap()
        .unwrap()
        .map(|record| record.unwrap())
        .map(|record| {
            (
                record.key().unwrap().to_owned(),
                record.value_bytes().to_vec(),
            )
        })
        .collect();
    let expected: [(String, Vec<u8>); 3] = [
        ("SCHILY.xattr.user.x".into(), b"a\0\xffb".to_vec()),
        ("comment".into(), b"hi".to_vec()),
        ("mtime".into(), b"-1.5".to_vec()),
    ];
    assert_eq!(records, expected);
    let mut data = String::new();
    entry.read_to_string(&mut data).unwrap();
    assert_eq!(data, "data");
}

#[test]
fn hostile_archives_are_possible() {
    let bad_sum = Layer::parse("file a checksum=1").tar();
    let mut archive = tar::Archive::new(&bad_sum[..]);
    assert!(archive.entries().unwrap().next().unwrap().is_err());

    let lying = Layer::parse("file a header-size=4096 \"x\"")
        .ending_with_zeros(0)
        .tar();
    assert_eq!(lying.len(), 1024);

    let patched =
        Layer::parse("file b at:345=a at:124=\"\\x80\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\x03\" \"abc\"");
    assert_eq!(listing(&patched), ["0 0644 0:0 3 1577836800 a/b"]);

    let raw = Layer::new().raw(b"rubbish").ending_with_zeros(1).tar();
    assert_eq!(&raw[..], b"rubbish\0");
}

#[test]
fn every_compression_gives_the_archive_back() {
    let layer = Layer::parse("file noise random=5000\nfile text \"hello\"");
    let tar = layer.tar();
    let ungzip = |bytes: Bytes| {
        let mut out = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut out)
            .unwrap();
        out
    };
    assert_eq!(layer.compressed(Compression::None), tar);
    assert!(ungzip(layer.compressed(Compression::Gzip)) == tar);
    assert!(ungzip(layer.compressed(Compression::GzipMembers)) == tar);
    for zstd in [Compression::Zstd, Compression::ZstdFrames] {
        assert!(
            zstd::decode_all(&layer.compressed(zstd)[..]).unwrap() == tar,
            "{zstd:?}"
        );
    }
    let mut one = Vec::new();
    let members = layer.compressed(Compression::GzipMembers);
    flate2::read::GzDecoder::new(&members[..])
        .read_to_end(&mut one)
        .unwrap();
    assert!(one.len() < tar.len(), "there is more than one member");
}

#[test]
#[should_panic(expected = "layer line `sock a`: no kind of entry is called `sock`")]
fn a_wrong_line_is_named() {
    let _ = Layer::parse("dir ok\nsock a");
}
