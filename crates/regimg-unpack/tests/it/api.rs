//! The front doors: one layer, several, progress, errors, digests.

use std::error::Error as _;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::sync::mpsc;
use std::time::Duration;

use regimg_core::{Algorithm, Digest};
use regimg_tests::{Compression, Layer};
use regimg_unpack::{
    Error, ErrorKind, Options, Outcome, Progress, Root, Warning, apply, apply_all,
};

use crate::fixture::told;

fn root() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

/// Writes down what it hears.
#[derive(Default)]
struct Diary(Vec<String>);

impl Progress for Diary {
    fn layer_started(&mut self, index: usize) {
        self.0.push(format!("{index} started"));
    }
    fn layer_finished(&mut self, index: usize) {
        self.0.push(format!("{index} finished"));
    }
    fn warn(&mut self, index: usize, warning: &Warning) {
        self.0.push(format!("{index}: {warning}"));
    }
}

#[test]
fn layers_come_in_order_and_are_counted() {
    let (_directory, root) = root();
    let layers = [
        "file a \"12\"\nchar c 0600 1:3",
        "whiteout a\nfile \"\"",
        "",
    ];
    let layers = layers.map(|text| Cursor::new(Layer::parse(text).compressed(Compression::Gzip)));
    let mut diary = Diary::default();
    let outcome = apply_all(layers, &root, &Options::default(), &mut diary).unwrap();
    assert_eq!(
        (outcome.entries, outcome.bytes, outcome.skipped_devices),
        (4, 2, 1)
    );
    assert_eq!(
        diary.0,
        [
            "0 started",
            "0 finished",
            "1 started",
            "1: an entry without a name is skipped",
            "1 finished",
            "2 started",
            "2 finished",
        ]
    );
}

#[test]
fn no_layers_are_nothing() {
    let (_directory, root) = root();
    let none: [&[u8]; 0] = [];
    let outcome = apply_all(none, &root, &Options::default(), &mut ()).unwrap();
    assert_eq!(outcome, Outcome::default());
}

/// Fails after some bytes, once.
struct Breaks<R> {
    reader: io::Take<R>,
    error: Option<io::Error>,
}

impl<R: Read> Read for Breaks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer)? {
            0 => Err(self.error.take().expect("it is not asked again")),
            count => Ok(count),
        }
    }
}

#[test]
fn the_readers_own_error_comes_back() {
    let errors = [
        (io::ErrorKind::ConnectionReset, "the line is cut"),
        // Those that decoders know, too.
        (io::ErrorKind::WouldBlock, "the line is silent"),
        (io::ErrorKind::UnexpectedEof, "the line is short"),
        (io::ErrorKind::OutOfMemory, "the line takes too much memory"),
    ];
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let bytes = Layer::parse("file a random=300000").compressed(compression);
        for (length, (kind, message)) in [0, 2, 5, 600, 200_000]
            .into_iter()
            .flat_map(|length| errors.map(|error| (length, error)))
        {
            let (_directory, root) = root();
            let broken = || Breaks {
                reader: Cursor::new(bytes.clone()).take(length),
                error: Some(io::Error::new(kind, message)),
            };
            let check = |error: Error| {
                let what = format!("{compression:?} {length}: {}", told(&error));
                assert_eq!(error.kind(), ErrorKind::Source, "{what}");
                let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
                assert_eq!(source.kind(), kind, "{what}");
                let end = format!("cannot read the layer: {message}");
                assert!(what.ends_with(&end), "{what}");
            };
            check(apply(broken(), &root, &Options::default(), &mut ()).unwrap_err());
            check(apply_all([broken()], &root, &Options::default(), &mut ()).unwrap_err());
        }
    }
}

/// CVE-2021-20291 was a deadlock of this kind: nobody waits for the other side for ever.
#[test]
fn neither_side_waits_for_the_other() {
    /// Tells when it is dropped.
    struct Tells(mpsc::Sender<()>, Cursor<Vec<u8>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            // The test may have ended by now.
            let _ = self.0.send(());
        }
    }
    impl Read for Tells {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1.read(buffer)
        }
    }
    let (_directory, root) = root();
    // The writer fails at once, while the thread has more to say than fits its ring.
    let (sender, dropped) = mpsc::channel();
    let layer = Layer::parse("file .wh.\nfile a zeros=60000000")
        .tar()
        .to_vec();
    let layers = vec![Tells(sender, Cursor::new(layer))];
    let error = apply_all(layers, &root, &Options::default(), &mut ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Archive);
    dropped
        .recv_timeout(Duration::from_mins(1))
        .expect("the thread lets go of its layer");
    // The thread fails at once, and the writer hears of it.
    let error = apply_all(
        [&[0x1f_u8, 0x8b, 9][..]],
        &root,
        &Options::default(),
        &mut (),
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compression);
    // Fewer layers than promised.
    let error = apply_all(Promises(2), &root, &Options::default(), &mut ()).unwrap_err();
    assert_eq!(
        (error.kind(), error.layer()),
        (ErrorKind::Source, Some(1)),
        "{}",
        told(&error)
    );
}

/// Layers, of which only the first is there.
struct Promises(usize);

impl Iterator for Promises {
    type Item = &'static [u8];
    fn next(&mut self) -> Option<&'static [u8]> {
        self.0 = self.0.checked_sub(1)?;
        (self.0 == 1).then_some(&[][..])
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0, Some(self.0))
    }
}

impl ExactSizeIterator for Promises {}

#[test]
fn errors_name_layer_entry_and_system_call() {
    let (_directory, root) = root();
    let layers = [
        "file a \"1\"",
        "dir d\nhardlink d/\"b\\n\" -> \"\\x1b[2Jnone\"",
    ];
    let layers = layers.map(|text| Cursor::new(Layer::parse(text).tar()));
    let error = apply_all(layers, &root, &Options::default(), &mut ()).unwrap_err();
    assert_eq!(
        told(&error),
        r#"layer 2: entry "d/b\n": cannot link to "\u{1b}[2Jnone" (fstatat): No such file or directory (os error 2)"#
    );
    assert_eq!(error.layer(), Some(1));
    assert_eq!(error.path(), Some(&b"d/b\n"[..]));
    assert_eq!(error.system_call(), Some("fstatat"));
    assert!(format!("{error:?}").contains("fstatat"));
}

#[test]
fn a_failed_root_can_be_cleared() {
    let (directory, root) = root();
    let layer =
        Layer::parse("file a \"1\"\nfile d/e/f \"2\"\nsymlink l -> /\ndir d 0000\nfile .wh..")
            .tar();
    apply(&layer[..], &root, &Options::default(), &mut ()).unwrap_err();
    assert!(
        fs::read_dir(directory.path()).unwrap().count() > 0,
        "a part of it is there"
    );
    root.clear().unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn diff_ids_are_compared() {
    let (_directory, root) = root();
    // What follows the archive's end belongs to its digest.
    let layers = [
        Layer::parse("file a \"1\""),
        Layer::parse("file b \"2\"").ending_with_zeros(20_000),
    ];
    let ids = layers
        .clone()
        .map(|layer| Digest::parse(layer.diff_id().as_str()).unwrap());
    let run = |diff_ids: &[Digest]| {
        let mut options = Options::default();
        options.diff_ids = Some(diff_ids.to_vec());
        let layers = layers
            .clone()
            .map(|layer| Cursor::new(layer.compressed(Compression::GzipMembers)));
        apply_all(layers, &root, &options, &mut ())
    };
    run(&ids).unwrap();
    let sha512 = Digest::of(Algorithm::Sha512, &layers[1].tar());
    run(&[ids[0].clone(), sha512]).unwrap();
    let error = run(&[ids[0].clone(), ids[0].clone()]).unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Digest, Some(1)));
    assert_eq!(
        error.to_string(),
        format!("layer 2: layer's archive is {}, not {}", ids[1], ids[0])
    );
    let error = run(&ids[..1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Digest);
    assert_eq!(error.to_string(), "there are 2 layers, but diff_ids of 1");
    let mut options = Options::default();
    options.diff_ids = Some(vec![ids[0].clone()]);
    apply(&layers[0].tar()[..], &root, &options, &mut ()).unwrap();
    apply(&layers[1].tar()[..], &root, &options, &mut ()).unwrap_err();
}

#[test]
fn durable_waits_for_the_disk() {
    let (directory, root) = root();
    let mut options = Options::default();
    options.durable = true;
    apply(
        &Layer::parse("file a \"1\"").tar()[..],
        &root,
        &options,
        &mut (),
    )
    .unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"1");
}

#[test]
fn roots_are_directories() {
    let (directory, root) = root();
    fs::write(directory.path().join("file"), "").unwrap();
    let error = Root::open(directory.path().join("file")).unwrap_err();
    assert_eq!(
        told(&error),
        "cannot open the root (openat): Not a directory (os error 20)"
    );
    let error = Root::from_fd(File::open(directory.path().join("file")).unwrap()).unwrap_err();
    assert_eq!(error.system_call(), Some("openat"));
    let same = Root::from_fd(File::open(directory.path()).unwrap()).unwrap();
    drop(root);
    apply(
        &Layer::parse("file a \"1\"").tar()[..],
        &same,
        &Options::default(),
        &mut (),
    )
    .unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"1");
}

/// Once open, a root is where it is: its path may be moved or taken by something else.
#[test]
fn the_roots_path_plays_no_part() {
    let parent = tempfile::tempdir().unwrap();
    let (path, moved) = (parent.path().join("root"), parent.path().join("moved"));
    fs::create_dir(&path).unwrap();
    let root = Root::open(&path).unwrap();
    fs::rename(&path, &moved).unwrap();
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    apply(
        &Layer::parse("file a \"1\"").tar()[..],
        &root,
        &Options::default(),
        &mut (),
    )
    .unwrap();
    assert_eq!(fs::read(moved.join("a")).unwrap(), b"1");
}
