//! The way from the threads that prepare blobs to the uploads.

use std::io::{self, Read};

use regimg_core::Descriptor;
use tokio::sync::mpsc::UnboundedSender;

use super::Blob;
use crate::report::{Bar, Reporter};

/// Takes blobs as soon as they can be uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    blobs: UnboundedSender<Blob>,
    report: Reporter,
}

impl Ready {
    /// Sends blobs to whoever receives from the other end.
    pub(crate) fn new(blobs: UnboundedSender<Blob>, report: Reporter) -> Self {
        Self { blobs, report }
    }

    /// Hands a blob over. Nobody may want it any more; then [`watch`](Self::watch) ends
    /// the work.
    pub(super) fn send(&self, blob: Blob) {
        let _ = self.blobs.send(blob);
    }

    pub(super) fn bar(&self, content: &Descriptor) -> Bar {
        self.report.bar(content)
    }

    /// Reads for somebody who shows how far it is, and only as long as the result is
    /// wanted.
    pub(super) fn watch<R: Read>(&self, inner: R, bar: Option<&Bar>) -> impl Read {
        Watched {
            inner,
            bar: bar.cloned(),
            blobs: self.blobs.clone(),
        }
    }
}

struct Watched<R> {
    inner: R,
    bar: Option<Bar>,
    blobs: UnboundedSender<Blob>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.blobs.is_closed() {
            return Err(io::Error::other("the push was given up"));
        }
        let read = self.inner.read(buffer)?;
        if let Some(bar) = &self.bar {
            bar.advance(read as u64);
        }
        Ok(read)
    }
}
