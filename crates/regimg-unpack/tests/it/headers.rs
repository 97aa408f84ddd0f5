//! The archive's headers, as the dialects of tar write them.

use regimg_tests::Layer;
use regimg_unpack::{ErrorKind, Options, Root, apply};

use crate::fixture::{Situation, refused, told, tree, unpack_one};

#[test]
fn long_names_of_every_dialect() {
    let long = "long/".repeat(30) + "name";
    for format in ["pax", "gnu"] {
        let layer = format!(
            "file {long} \"1\" format={format}\nsymlink s -> {long} format={format}\nhardlink h -> {long} format={format}"
        );
        for situation in Situation::all() {
            let unpacked = crate::fixture::unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            assert!(unpacked.line(&long).contains(" \"1\" "), "{format}");
            assert!(
                unpacked.line("s").contains(&format!(" -> {long} ")),
                "{format}"
            );
            assert!(unpacked.line("h").contains(" \"1\" "), "{format}");
        }
    }
    let hundred = "n".repeat(100);
    tree(
        &[&format!("file {hundred} \"1\" format=v7")],
        &format!("{hundred} file 0644 \"1\""),
    );
    tree(
        &["file name \"1\" at:345=prefix"],
        "prefix dir 0755\nprefix/name file 0644 \"1\"",
    );
    // star keeps times behind its shorter prefix.
    tree(
        &["file name \"1\" at:345=prefix at:476=00000000000 at:508=\"tar\\0\""],
        "prefix dir 0755\nprefix/name file 0644 \"1\"",
    );
    // GNU has other fields there, and v7 nothing that it would speak of.
    for format in ["gnu", "v7"] {
        tree(
            &[&format!("file name \"1\" format={format} at:345=prefix")],
            "name file 0644 \"1\"",
        );
    }
}

/// Before there was a type for directories, a slash after the name made one; where there is a
/// type, it alone decides.
#[test]
fn a_slash_makes_a_directory_of_what_has_no_type() {
    for format in ["v7", "gnu", "pax"] {
        tree(
            &[&format!(
                r#"
                entry d/ type="\0" 0750 format={format}
                entry d/f type="\0" 0640 format={format} "1"
                entry e/ type="\0" 0700 header-size=512 format={format}
                entry f/ type=0 0600 format={format} "2"
                entry g/ type=7 0600 format={format} "3"
                "#
            )],
            r#"
            d dir 0750
            d/f file 0640 "1"
            e dir 0700
            f file 0600 "2"
            g file 0600 "3"
            "#,
        );
    }
    // The name is the whole name, wherever it stands.
    let long = "long/".repeat(30);
    for format in ["pax", "gnu"] {
        for situation in Situation::all() {
            let layer = format!("entry {long} type=\"\\0\" 0711 format={format}");
            let unpacked = crate::fixture::unpack(situation, &[&layer], &Options::default());
            unpacked.outcome.as_ref().unwrap();
            let line = unpacked.line(long.trim_end_matches('/'));
            assert!(line.contains(" dir 0711 "), "{line}");
        }
    }
}

/// Pax wins over GNU, GNU over ustar, whichever stands first.
#[test]
fn the_newer_dialect_wins() {
    tree(&["file short pax:path=long \"1\""], "long file 0644 \"1\"");
    tree(
        &["symlink a -> short pax:linkpath=long"],
        "a symlink 0777 -> long",
    );
    let gnu = "entry ././@LongLink type=L \"gnu\\0\"";
    tree(
        &[&format!("{gnu}\nfile ustar \"1\"")],
        "gnu file 0644 \"1\"",
    );
    tree(
        &[&format!("{gnu}\nfile ustar pax:path=pax \"1\"")],
        "pax file 0644 \"1\"",
    );
    let pax = "entry PaxHeader type=x \"12 path=pax\\n\"";
    tree(
        &[&format!("{pax}\n{gnu}\nfile ustar \"1\"")],
        "pax file 0644 \"1\"",
    );
    tree(
        &["entry ././@LongLink type=L \"\\0\"\nfile ustar \"1\""],
        "ustar file 0644 \"1\"",
    );
    // An empty value says nothing.
    tree(
        &["file ustar pax:path= pax:size= \"1\""],
        "ustar file 0644 \"1\"",
    );
}

#[test]
fn types_of_old_and_unknown_kinds() {
    tree(
        &["entry a type=7 \"1\"\nentry b type=\"\\0\" \"2\""],
        "a file 0644 \"1\"\nb file 0644 \"2\"",
    );
    tree(&["entry d/ type=\"\\0\" 0755"], "d dir 0755");
    tree(
        &["pax path=other comment=x\nfile a \"1\"\nfile b \"2\""],
        "a file 0644 \"1\"\nb file 0644 \"2\"",
    );
    for flag in ["A", "V", "D", "M", "X", "8"] {
        refused(
            &[&format!("entry a type={flag}")],
            ErrorKind::Archive,
            &format!("unknown type '{flag}'"),
        );
    }
}

#[test]
fn sizes_of_headers_alone_carry_no_data() {
    for line in [
        "dir a header-size=512",
        "symlink a -> b header-size=512",
        "fifo a header-size=100000",
        "char a 0600 1:3 header-size=512",
    ] {
        for situation in Situation::all() {
            let layer = format!("{line}\nfile z \"1\"");
            let unpacked = crate::fixture::unpack(situation, &[&layer], &Options::default());
            assert!(unpacked.outcome.is_ok(), "{line}");
            assert!(unpacked.line("z").contains(" \"1\" "));
        }
    }
}

#[test]
fn ends_of_archives() {
    let layer = Layer::parse("file a \"1\"");
    let archive = layer.clone().ending_with_zeros(0).tar();
    let junk = vec![b'x'; 3000];
    let more = Layer::parse("file b \"hidden\"").tar();
    let accepted = [
        ("no end marker", archive.to_vec()),
        (
            "one block",
            layer.clone().ending_with_zeros(512).tar().to_vec(),
        ),
        ("two blocks", layer.clone().tar().to_vec()),
        (
            "GNU's blocking",
            layer.clone().ending_with_zeros(10_240).tar().to_vec(),
        ),
        ("junk", [&layer.tar()[..], &junk].concat()),
        ("an archive", [&layer.tar()[..], &more].concat()),
    ];
    for (what, bytes) in accepted {
        for situation in Situation::all() {
            let unpacked = unpack_one(situation, &bytes);
            assert!(unpacked.outcome.is_ok(), "{what}");
            assert_eq!(unpacked.tree(), [r#"a file 0644 "1""#], "{what}");
        }
    }
    let refused = [
        (
            "a lone block of zeros",
            [&archive[..], &[0; 512], &more].concat(),
        ),
        ("within a header", archive[..300].to_vec()),
        ("within content", archive[..513].to_vec()),
        ("within padding", archive[..700].to_vec()),
        ("within an end marker", [&archive[..], &[0; 700]].concat()),
        ("no archive", b"<html>".repeat(100)),
    ];
    for (what, bytes) in refused {
        for situation in Situation::all() {
            let unpacked = unpack_one(situation, &bytes);
            let error = unpacked.outcome.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Archive, "{what}: {}", told(&error));
        }
    }
}

#[test]
fn empty_layers() {
    for bytes in [&[][..], &[0; 512], &[0; 1024], &[0; 10_240]] {
        for situation in Situation::all() {
            let unpacked = unpack_one(situation, bytes);
            assert_eq!(unpacked.outcome.unwrap().entries, 0);
        }
    }
}

/// An archive that is cut anywhere is an error, unless the cut is between two entries, where
/// an archive without an end marker ends.
#[test]
fn truncated_anywhere() {
    let layer = Layer::parse("file a \"1\"\ndir d\nfile d/long pax:comment=x \"2\"");
    let archive = layer.ending_with_zeros(0).tar();
    let between = [0, 1024, 1536, archive.len()];
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    for length in 0..=archive.len() {
        let outcome = apply(&archive[..length], &root, &Options::default(), &mut ());
        assert_eq!(
            outcome.is_ok(),
            between.contains(&length),
            "cut at {length}"
        );
    }
}
