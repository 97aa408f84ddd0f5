//! What goes out with a request.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use regimg_core::Descriptor;

use super::classify::SourceFailure;
use crate::blob::BlobSource;
use crate::sync::lock;

/// A body that can be sent again.
#[derive(Clone)]
pub(crate) enum Body<'a> {
    Empty,
    Bytes(Bytes),
    /// A form with a secret in it.
    Form(Bytes),
    /// `length` bytes of a blob from `offset` on.
    Blob {
        source: &'a dyn BlobSource,
        offset: u64,
        length: u64,
    },
}

impl Body<'_> {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) | Self::Form(bytes) => bytes.len() as u64,
            Self::Blob { length, .. } => *length,
        }
    }

    /// Opens the body for one sending.
    pub(crate) async fn open(&self, pulse: &Pulse) -> Result<reqwest::Body, SourceFailure> {
        match self {
            Self::Empty => Ok(reqwest::Body::default()),
            Self::Bytes(bytes) | Self::Form(bytes) => Ok(bytes.clone().into()),
            Self::Blob {
                source,
                offset,
                length,
            } => {
                let descriptor = source.descriptor();
                let opened = source.open(*offset).await;
                let pieces = opened.map_err(|error| unreadable(descriptor, &error.to_string()))?;
                let what = descriptor.digest.to_string();
                Ok(reqwest::Body::wrap_stream(exactly(
                    pieces,
                    *length,
                    what,
                    pulse.clone(),
                )))
            }
        }
    }
}

fn unreadable(descriptor: &Descriptor, why: &str) -> SourceFailure {
    SourceFailure(format!("blob {} cannot be read: {why}", descriptor.digest))
}

/// Passes exactly `length` bytes on: fewer are an error, and what follows them is not read.
fn exactly<S>(
    pieces: S,
    length: u64,
    what: String,
    pulse: Pulse,
) -> impl Stream<Item = Result<Bytes, SourceFailure>> + Send + 'static
where
    S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin + 'static,
{
    stream::try_unfold((pieces, length), move |(mut pieces, left)| {
        let (what, pulse) = (what.clone(), pulse.clone());
        async move {
            if left == 0 {
                return Ok(None);
            }
            let piece = match pieces.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => {
                    return Err(SourceFailure(format!(
                        "blob {what} cannot be read: {error}"
                    )));
                }
                None => {
                    return Err(SourceFailure(format!(
                        "blob {what} ended {left} bytes too early"
                    )));
                }
            };
            pulse.beat();
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            Ok(Some((piece.slice(..taken), (pieces, left - taken as u64))))
        }
    })
}

/// When the last byte was handed to the connection: silence is measured from there.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *lock(&self.0) = Instant::now();
    }

    pub(crate) fn last(&self) -> Instant {
        *lock(&self.0)
    }
}
