//! Blobs of an image on disk, as the client uploads them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use regimg_core::Descriptor;
use regimg_registry::BlobSource;

/// How much is read, off the asynchronous threads, at a time.
const CHUNK: u64 = 256 * 1024;

/// A blob and where its bytes are.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    descriptor: Descriptor,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    /// Bytes of a file from this offset on.
    File(Arc<File>, u64),
}

impl Blob {
    /// Describes bytes that are in memory.
    pub(super) fn in_memory(descriptor: Descriptor, bytes: Bytes) -> Self {
        Self {
            descriptor,
            content: Content::Memory(bytes),
        }
    }

    /// Describes bytes of a file, from `offset` for as long as the descriptor says.
    pub(super) fn in_file(descriptor: Descriptor, file: Arc<File>, offset: u64) -> Self {
        Self {
            descriptor,
            content: Content::File(file, offset),
        }
    }
}

impl BlobSource for Blob {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        let stream = match &self.content {
            Content::Memory(bytes) => {
                let start =
                    usize::try_from(offset).map_or(bytes.len(), |start| start.min(bytes.len()));
                stream::iter([Ok(bytes.slice(start..))]).boxed()
            }
            Content::File(file, base) => {
                file_stream(Arc::clone(file), base + offset, base + self.descriptor.size)
            }
        };
        Box::pin(std::future::ready(Ok(stream)))
    }
}

/// Streams the bytes between two offsets of a file.
fn file_stream(file: Arc<File>, start: u64, end: u64) -> BoxStream<'static, io::Result<Bytes>> {
    stream::try_unfold((file, start), move |(file, position)| async move {
        if position >= end {
            return Ok(None);
        }
        let reader = Arc::clone(&file);
        let chunk = tokio::task::spawn_blocking(move || {
            read_chunk(&reader, position, CHUNK.min(end - position))
        });
        let chunk = chunk.await.map_err(io::Error::other)??;
        let next = position + chunk.len() as u64;
        Ok(Some((chunk, (file, next))))
    })
    .boxed()
}

fn read_chunk(file: &File, position: u64, length: u64) -> io::Result<Bytes> {
    let mut chunk = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut chunk, position)?;
    Ok(chunk.into())
}
