//! What is pushed, and what became of it.

use std::io;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use regimg_core::Descriptor;

/// A blob that can be read again from any place, so that an upload can go on after a cut.
///
/// Pieces instead of `AsyncRead`, so that a file can be read in blocking threads.
pub trait BlobSource: Send + Sync {
    /// Returns media type, digest and size.
    fn descriptor(&self) -> &Descriptor;

    /// Opens the blob at `offset` bytes from its beginning; the pieces go on to its end.
    ///
    /// # Errors
    ///
    /// An error here or among the pieces ends the upload with
    /// [`ErrorKind::Source`](crate::ErrorKind::Source).
    fn open(&self, offset: u64)
    -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>>;
}

/// What became of a blob to push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobOutcome {
    /// The repository had it already; nothing was sent.
    Existed,
    /// The registry took it over from another of its repositories; nothing was sent.
    Mounted,
    /// It was sent.
    Uploaded {
        /// The blob's size.
        bytes: u64,
    },
}
