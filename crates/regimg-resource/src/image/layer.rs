//! Layers of a docker archive, made into blobs: compressed if they are not, and compared
//! with what the configuration says of their content.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use flate2::read::MultiGzDecoder;
use regimg_core::{Algorithm, Descriptor, Digest, Hasher, MediaType};

use super::archive::{Archive, Range};
use super::saved::SavedImage;
use super::{Compression, ImageError, Ready};

const BUFFER: usize = 256 * 1024;

/// The largest window of a zstd frame, as a power of two: what zstd itself allows.
const WINDOW_LOG_MAX: u32 = 27;

/// How bytes are compressed, by the first of them: names and media types in archives are
/// known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame before one, as zstd:chunked begins.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// Opens a decoder.
    pub(super) fn decode<'a>(self, bytes: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let bytes = BufReader::with_capacity(BUFFER, bytes);
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Self::Plain => Box::new(bytes),
        })
    }
}

impl From<Compression> for Encoding {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip(_) => Self::Gzip,
            Compression::Zstd(_) => Self::Zstd,
        }
    }
}

/// A layer as the archive has it.
#[derive(Debug)]
pub(super) enum Stored {
    /// It is in the archive.
    Here {
        name: String,
        range: Range,
        encoding: Encoding,
    },
    /// It is to be had elsewhere, and must not be pushed.
    Elsewhere(Box<Descriptor>),
}

/// A layer as it will be pushed.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) file: Arc<File>,
    pub(super) offset: u64,
}

/// Finds the layers, without reading more of them than their first bytes.
pub(super) fn locate(archive: &Archive, image: &SavedImage) -> Result<Vec<Stored>, ImageError> {
    let diff_ids = &image.config.rootfs.diff_ids;
    let layers = image.layers.iter().zip(diff_ids);
    let stored = layers.map(|(name, diff_id)| {
        if let Some(source) = image.foreign.get(diff_id) {
            return Ok(Stored::Elsewhere(Box::new(source.clone())));
        }
        let range = archive.find(name)?;
        let mut magic = Vec::new();
        let mut start = archive.reader(range).take(4);
        start
            .read_to_end(&mut magic)
            .map_err(ImageError::read(name))?;
        Ok(Stored::Here {
            name: name.clone(),
            range,
            encoding: Encoding::of(&magic),
        })
    });
    stored.collect()
}

/// One layer's worth of work.
struct Job<'a> {
    stored: &'a Stored,
    name: &'a str,
    range: Range,
    encoding: Encoding,
    diff_id: &'a Digest,
}

/// Lists what there is to do: each place in the archive once, however many layers are
/// there.
fn jobs<'a>(image: &'a SavedImage, stored: &'a [Stored]) -> Result<Vec<Job<'a>>, ImageError> {
    let mut known: HashMap<Range, &Digest> = HashMap::new();
    let mut jobs = Vec::new();
    for (layer, diff_id) in stored.iter().zip(&image.config.rootfs.diff_ids) {
        let Stored::Here {
            name,
            range,
            encoding,
        } = layer
        else {
            continue;
        };
        match known.insert(*range, diff_id) {
            None => jobs.push(Job {
                stored: layer,
                name,
                range: *range,
                encoding: *encoding,
                diff_id,
            }),
            Some(first) if first != diff_id => {
                return Err(ImageError::DiffId {
                    name: name.clone(),
                    actual: first.to_string(),
                    expected: diff_id.to_string(),
                });
            }
            Some(_) => {}
        }
    }
    Ok(jobs)
}

/// Prepares the layers, as many at once as there are cores, and hands each to `done` when
/// it is ready.
///
/// Returns them by where they are in the archive.
pub(super) fn prepare(
    archive: &Archive,
    image: &SavedImage,
    stored: &[Stored],
    compression: Compression,
    ready: &Ready,
    done: impl Fn(&Stored, &Layer) + Sync,
) -> Result<HashMap<Range, Layer>, ImageError> {
    let jobs = jobs(image, stored)?;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = cores.min(jobs.len());
    let busy = AtomicUsize::new(workers);
    // Whoever has nothing left to do leaves its core to the others.
    let helpers = || cores.div_ceil(busy.load(Ordering::Relaxed).max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut finished = Vec::new();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            match job.run(archive, compression, &helpers, ready) {
                Ok(layer) => {
                    done(job.stored, &layer);
                    finished.push((job.range, layer));
                }
                Err(error) => {
                    // Nobody needs the rest.
                    next.store(jobs.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        busy.fetch_sub(1, Ordering::Relaxed);
        Ok(finished)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut layers = HashMap::new();
        for worker in workers {
            layers.extend(worker.join().expect("preparing a layer does not panic")?);
        }
        Ok(layers)
    })
}

impl Job<'_> {
    fn run(
        &self,
        archive: &Archive,
        compression: Compression,
        helpers: &(impl Fn() -> usize + Sync),
        ready: &Ready,
    ) -> Result<Layer, ImageError> {
        let (layer, content) = match self.encoding {
            Encoding::Plain => self.compress(archive, compression, helpers, ready)?,
            Encoding::Gzip | Encoding::Zstd => self.take(archive, ready)?,
        };
        if content != *self.diff_id {
            return Err(ImageError::DiffId {
                name: self.name.to_owned(),
                actual: content.to_string(),
                expected: self.diff_id.to_string(),
            });
        }
        Ok(layer)
    }

    /// Compresses a layer into a file without a name.
    fn compress(
        &self,
        archive: &Archive,
        compression: Compression,
        helpers: &(impl Fn() -> usize + Sync),
        ready: &Ready,
    ) -> Result<(Layer, Digest), ImageError> {
        let failed = |source| ImageError::Compress {
            name: self.name.to_owned(),
            source,
        };
        let shown = Descriptor::new(
            MediaType::OCTET_STREAM,
            self.diff_id.clone(),
            self.range.length,
        );
        let bar = ready.bar(&shown);
        bar.say("compressing");
        let file = tempfile::tempfile().map_err(failed)?;
        let mut output = HashingWriter::new(&file);
        let watched = ready.watch(archive.reader(self.range), Some(&bar));
        let mut content = HashingReader::new(watched, self.diff_id.algorithm());
        compression
            .compress(&mut content, &mut output, helpers)
            .map_err(failed)?;
        bar.done("compressed");
        let (digest, size) = output.finish();
        let layer = Layer {
            digest,
            size,
            file: Arc::new(file),
            offset: 0,
        };
        Ok((layer, content.finish()))
    }

    /// Takes a compressed layer with its exact bytes: the digest that it was pulled with
    /// is the digest that it is pushed with.
    fn take(&self, archive: &Archive, ready: &Ready) -> Result<(Layer, Digest), ImageError> {
        let failed = || ImageError::read(self.name);
        let watched = ready.watch(archive.reader(self.range), None);
        let mut bytes = HashingReader::new(watched, Algorithm::Sha256);
        let decoder = self.encoding.decode(&mut bytes).map_err(failed())?;
        let mut content = HashingReader::new(decoder, self.diff_id.algorithm());
        let mut pieces = BufReader::with_capacity(BUFFER, &mut content);
        io::copy(&mut pieces, &mut io::sink()).map_err(failed())?;
        let content = content.finish();
        // What follows the compressed stream is part of the blob all the same.
        io::copy(&mut bytes, &mut io::sink()).map_err(failed())?;
        let layer = Layer {
            digest: bytes.finish(),
            size: self.range.length,
            file: Arc::clone(archive.file()),
            offset: self.range.offset,
        };
        Ok((layer, content))
    }
}

/// Hashes what is read through it.
struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    fn new(inner: R, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
        }
    }

    fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Hashes and counts what is written through it.
struct HashingWriter<W> {
    inner: W,
    hasher: Hasher,
    written: u64,
}

impl<W: Write> HashingWriter<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Hasher::new(Algorithm::Sha256),
            written: 0,
        }
    }

    fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.written)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
