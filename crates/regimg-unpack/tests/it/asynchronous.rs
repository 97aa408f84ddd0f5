//! Layers that arrive through an asynchronous reader (feature `tokio`).

use std::error::Error as _;
use std::fs;
use std::io;
use std::time::Duration;

use regimg_tests::{Compression, Layer};
use regimg_unpack::{ErrorKind, Options, Root, apply_async};
use tokio::io::{AsyncWriteExt, duplex};

use crate::fixture::told;

fn root() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

#[tokio::test]
async fn bytes_are_applied_as_they_arrive() {
    for compression in [
        Compression::None,
        Compression::GzipMembers,
        Compression::Zstd,
    ] {
        let (directory, root) = root();
        let bytes = Layer::parse("file a random=3000000\nfile b \"1\"").compressed(compression);
        let (mut near, far) = duplex(1000);
        let write = async move {
            for piece in bytes.chunks(777) {
                near.write_all(piece).await.unwrap();
            }
        };
        let options = Options::default();
        let (outcome, ()) = tokio::join!(apply_async(far, &root, &options, ()), write);
        let outcome = outcome.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!((outcome.entries, outcome.bytes), (2, 3_000_001));
        assert_eq!(fs::read(directory.path().join("b")).unwrap(), b"1");
    }
}

#[tokio::test]
async fn errors_come_back() {
    let (_directory, root) = root();
    let options = Options::default();
    let layer = Layer::parse("file .wh.\nfile a zeros=50000000").tar();
    let error = apply_async(&layer[..], &root, &options, ())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.layer()), (ErrorKind::Archive, None));
    let error = apply_async(&layer[..700], &root, &options, ())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Archive, "{}", told(&error));

    let broken = failing(io::ErrorKind::ConnectionReset);
    let error = apply_async(broken, &root, &options, ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
}

/// Fails at once.
fn failing(kind: io::ErrorKind) -> impl tokio::io::AsyncRead {
    struct Fails(io::ErrorKind);
    impl tokio::io::AsyncRead for Fails {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Err(self.0.into()))
        }
    }
    Fails(kind)
}

/// A future that is dropped leaves no thread behind that waits for more, and what it had is
/// no whole layer to anybody.
#[test]
fn giving_up_ends_the_work() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let (_directory, root) = root();
    runtime.block_on(async {
        let (mut near, far) = duplex(4096);
        let tar = Layer::parse("file a zeros=100").tar();
        near.write_all(&tar[..1024]).await.unwrap();
        let options = Options::default();
        let work = apply_async(far, &root, &options, ());
        let patience = Duration::from_millis(50);
        tokio::time::timeout(patience, work)
            .await
            .expect_err("the rest never comes");
    });
    // Returns only once the blocking work has.
    drop(runtime);
}
