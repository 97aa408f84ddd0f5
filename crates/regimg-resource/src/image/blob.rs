//! Blobs of an image on disk, as the client uploads them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use regimg_core::{Descriptor, Digest, Hasher};
use regimg_registry::BlobSource;

use super::{ImageError, StepDirectory};

/// How much is read, off the asynchronous threads, at a time.
const CHUNK: u64 = 256 * 1024;

/// From how far back an upload that goes on after a cut reads again, at most.
const STRIDE: u64 = 8 << 20;

/// A blob and where its bytes are.
///
/// They are hashed on their way: whoever reads it gets its last bytes only after the
/// digest was found right, so that nothing can be committed under a digest that lies, nor
/// what a file became meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    descriptor: Descriptor,
    content: Content,
    /// Repositories that have the blob, as the image says.
    origins: Vec<String>,
    checkpoints: Checkpoints,
}

/// Where a blob's bytes are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Memory(Bytes),
    /// Bytes of a file from this offset on.
    File(Arc<File>, u64),
    /// A file that is opened to be read.
    Path(StepDirectory, Arc<Path>),
}

/// The state of the hash after each [`STRIDE`], so that reading can begin near any offset.
type Checkpoints = Arc<Mutex<Vec<Hasher>>>;

impl Blob {
    /// Describes bytes that are in memory and have been hashed.
    pub(super) fn in_memory(descriptor: Descriptor, bytes: Bytes) -> Self {
        Self::new(descriptor, Content::Memory(bytes))
    }

    /// Describes bytes of a file, from `offset` for as long as the descriptor says.
    pub(super) fn in_file(descriptor: Descriptor, file: Arc<File>, offset: u64) -> Self {
        Self::new(descriptor, Content::File(file, offset))
    }

    /// Describes content of `length` bytes that nobody has looked at.
    ///
    /// # Errors
    ///
    /// The length is not the descriptor's; or the content is empty, which leaves nothing
    /// to hold back, and the digest is that of something else.
    pub(super) fn unverified(
        descriptor: Descriptor,
        content: Content,
        length: u64,
    ) -> Result<Self, ImageError> {
        let digest = &descriptor.digest;
        if length != descriptor.size {
            let problem = format!("has {length} bytes, not the {} it should", descriptor.size);
            return Err(ImageError::malformed(digest.as_str(), problem));
        }
        if length == 0 && *digest != Digest::of(digest.algorithm(), b"") {
            return Err(ImageError::malformed(digest.as_str(), "is empty"));
        }
        Ok(Self::new(descriptor, content))
    }

    fn new(descriptor: Descriptor, content: Content) -> Self {
        let start = Hasher::new(descriptor.digest.algorithm());
        Self {
            descriptor,
            content,
            origins: Vec::new(),
            checkpoints: Arc::new(Mutex::new(vec![start])),
        }
    }

    /// Adds what the image says about where the blob comes from.
    pub(super) fn with_origins(mut self, origins: Vec<String>) -> Self {
        self.origins = origins;
        self
    }

    /// Lists the repositories that have the blob, as far as the image knows.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
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
        let opened = match &self.content {
            Content::Memory(bytes) => {
                let start =
                    usize::try_from(offset).map_or(bytes.len(), |start| start.min(bytes.len()));
                let stream = stream::iter([Ok(bytes.slice(start..))]).boxed();
                return Box::pin(std::future::ready(Ok(stream)));
            }
            Content::File(file, base) => {
                let pieces = self.read_from(offset, Arc::clone(file), *base);
                return Box::pin(std::future::ready(Ok(pieces)));
            }
            Content::Path(step, path) => {
                let (step, path) = (step.clone(), Arc::clone(path));
                tokio::task::spawn_blocking(move || step.open(&path))
            }
        };
        Box::pin(async move {
            let (file, _) = opened.await.map_err(io::Error::other)??;
            Ok(self.read_from(offset, Arc::new(file), 0))
        })
    }
}

impl Blob {
    /// Streams the bytes of a file from `offset` on, after hashing those before it.
    fn read_from(
        &self,
        offset: u64,
        file: Arc<File>,
        base: u64,
    ) -> BoxStream<'static, io::Result<Bytes>> {
        let reading = Reading::near(offset, self, file, base);
        let pieces = stream::try_unfold(reading, move |mut reading| async move {
            let read = tokio::task::spawn_blocking(move || {
                let piece = reading.next_from(offset)?;
                Ok::<_, io::Error>(piece.map(|piece| (piece, reading)))
            });
            read.await.map_err(io::Error::other)?
        });
        pieces.boxed()
    }
}

/// One reading of a blob's file.
#[derive(Debug)]
struct Reading {
    file: Arc<File>,
    base: u64,
    digest: Digest,
    size: u64,
    position: u64,
    hasher: Hasher,
    checkpoints: Checkpoints,
}

impl Reading {
    /// Begins at the last checkpoint before `offset`.
    fn near(offset: u64, blob: &Blob, file: Arc<File>, base: u64) -> Self {
        let checkpoints = lock(&blob.checkpoints);
        let wanted = usize::try_from(offset / STRIDE).unwrap_or(usize::MAX);
        let at = wanted.min(checkpoints.len() - 1);
        Self {
            file,
            base,
            digest: blob.descriptor.digest.clone(),
            size: blob.descriptor.size,
            position: at as u64 * STRIDE,
            hasher: checkpoints[at].clone(),
            checkpoints: Arc::clone(&blob.checkpoints),
        }
    }

    /// Reads the next piece that is not before `offset`.
    fn next_from(&mut self, offset: u64) -> io::Result<Option<Bytes>> {
        while self.position < self.size {
            let start = self.position;
            let end = (start / CHUNK + 1) * CHUNK;
            let end = end.min(self.size);
            // What is before the offset and what is not are read as two pieces.
            let end = if start < offset { end.min(offset) } else { end };
            let piece = self.read_to(end)?;
            if start >= offset {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn read_to(&mut self, end: u64) -> io::Result<Bytes> {
        let length = usize::try_from(end - self.position).map_err(io::Error::other)?;
        let mut piece = vec![0; length];
        self.file
            .read_exact_at(&mut piece, self.base + self.position)?;
        self.hasher.update(&piece);
        self.position = end;
        if end == self.size {
            self.verify()?;
        } else if end.is_multiple_of(STRIDE) {
            self.remember();
        }
        Ok(piece.into())
    }

    fn remember(&self) {
        let mut checkpoints = lock(&self.checkpoints);
        let at = usize::try_from(self.position / STRIDE).unwrap_or(usize::MAX);
        // What was read last is what was sent last.
        if at < checkpoints.len() {
            checkpoints[at] = self.hasher.clone();
        } else if at == checkpoints.len() {
            checkpoints.push(self.hasher.clone());
        }
    }

    fn verify(&self) -> io::Result<()> {
        let actual = self.hasher.clone().finish();
        if actual == self.digest {
            return Ok(());
        }
        let message = format!("its content has the digest {actual}");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The state is consistent after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use regimg_core::Algorithm;

    use super::*;

    fn blob(content: &[u8], digest: Digest) -> Blob {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(content).unwrap();
        file.write_all(b"behind").unwrap();
        let media_type = regimg_core::MediaType::OCTET_STREAM;
        let descriptor = Descriptor::new(media_type, digest, content.len() as u64);
        Blob::in_file(descriptor, Arc::new(file), 6)
    }

    /// Reads a blob to its end or its failure.
    fn read(blob: &Blob, offset: u64) -> (Vec<u8>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut pieces = blob.open(offset).await.unwrap();
            let mut read = Vec::new();
            while let Some(piece) = pieces.next().await {
                match piece {
                    Ok(piece) => read.extend_from_slice(&piece),
                    Err(_) => return (read, false),
                }
            }
            (read, true)
        })
    }

    #[test]
    fn a_blob_is_read_from_any_offset_in_any_order() {
        let content: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
        let blob = blob(&content, Digest::of(Algorithm::Sha256, &content));
        let offsets = [
            19_999_999,
            0,
            1,
            300_000,
            8 << 20,
            (16 << 20) - 1,
            20_000_000,
            17 << 20,
        ];
        for offset in offsets {
            let (read, whole) = read(&blob, offset as u64);
            assert!(whole && read == content[offset..], "from {offset}");
        }
    }

    #[test]
    fn the_end_of_a_blob_with_another_digest_is_never_handed_out() {
        let content = vec![7; 9_000_000];
        let blob = blob(&content, Digest::of(Algorithm::Sha256, b"other"));
        for offset in [0, 8_500_000, 8_999_999] {
            let (read, whole) = read(&blob, offset);
            assert!(
                !whole && (read.len() as u64) < 9_000_000 - offset,
                "from {offset}"
            );
        }
    }

    #[test]
    fn what_a_file_became_meanwhile_is_not_handed_out() {
        let content = vec![7; 9_000_000];
        let blob = blob(&content, Digest::of(Algorithm::Sha256, &content));
        assert!(read(&blob, 0).1);
        let Content::File(file, base) = &blob.content else {
            panic!("it is in a file");
        };
        // Behind the last checkpoint and before it.
        for at in [8_999_999, 8_400_000, 5] {
            file.write_all_at(b"x", base + at).unwrap();
            for offset in [0, at.saturating_sub(1000)] {
                assert!(!read(&blob, offset).1, "byte {at}, from {offset}");
            }
            file.write_all_at(&[7], base + at).unwrap();
            assert!(read(&blob, 0).1);
        }
    }
}
