//! From a layer's bytes, compressed or not, to its archive.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::GzDecoder;

use crate::error::Error;

/// How much is asked of the caller's reader at a time.
const SOURCE_BUFFER: usize = 256 * 1024;
/// How much an archive's reader has before it.
const ARCHIVE_BUFFER: usize = 256 * 1024;
/// The largest window that a zstd frame may ask for, as a power of two: 128 MiB, zstd's own
/// limit for decoders that were told nothing else.
const WINDOW_LOG_MAX: u32 = 27;

/// A layer's archive, decompressed as it is read.
#[derive(Debug)]
pub(crate) struct Decompressed<R: Read>(BufReader<Decoder<R>>);

impl<R: Read> Decompressed<R> {
    /// Looks at the first bytes: they decide, whatever a media type says.
    pub(crate) fn new(layer: R) -> io::Result<Self> {
        Ok(Self(BufReader::with_capacity(
            ARCHIVE_BUFFER,
            Decoder::new(layer)?,
        )))
    }
}

/// A layer's archive in the hands of whoever applies it.
pub(crate) trait Decoded: BufRead {
    /// Returns how many bytes of no meaning came after the compressed data; once the end
    /// has been reached.
    fn trailing(&self) -> u64;
}

impl<R: Read> Decoded for Decompressed<R> {
    fn trailing(&self) -> u64 {
        self.0.get_ref().trailing()
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> BufRead for Decompressed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

type Source<R> = Chain<Cursor<Vec<u8>>, BufReader<Marked<R>>>;

/// Decompresses by what the data is: gzip, zstd or nothing of the kind.
pub(crate) enum Decoder<R: Read> {
    Plain(Source<R>),
    Gzip(Gzip<Source<R>>),
    Zstd(zstd::Decoder<'static, Source<R>>),
}

impl<R: Read> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl<R: Read> Decoder<R> {
    pub(crate) fn new(layer: R) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(SOURCE_BUFFER, Marked(layer));
        let mut magic = Vec::with_capacity(4);
        reader.by_ref().take(4).read_to_end(&mut magic)?;
        let (is_gzip, is_zstd) = (magic.starts_with(&[0x1f, 0x8b]), is_zstd(&magic));
        let source = Cursor::new(magic).chain(reader);
        Ok(if is_gzip {
            Self::Gzip(Gzip::new(source))
        } else if is_zstd {
            let mut decoder = zstd::Decoder::with_buffer(source)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Self::Zstd(decoder)
        } else {
            Self::Plain(source)
        })
    }

    pub(crate) fn trailing(&self) -> u64 {
        match self {
            Self::Gzip(gzip) => gzip.trailing,
            Self::Plain(_) | Self::Zstd(_) => 0,
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// A frame, or a skippable frame before one (RFC 8878, 3.1).
fn is_zstd(magic: &[u8]) -> bool {
    magic == [0x28, 0xb5, 0x2f, 0xfd] || matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Members one after another, as `pigz -i` and eStargz write them, each with its own sum.
pub(crate) struct Gzip<R> {
    /// `None` once the last member has ended.
    member: Option<GzDecoder<R>>,
    trailing: u64,
}

impl<R: BufRead> Gzip<R> {
    fn new(source: R) -> Self {
        Self {
            member: Some(GzDecoder::new(source)),
            trailing: 0,
        }
    }

    /// Goes on with the next member, if what follows begins like one. Anything else is
    /// padding or nobody's business, and is read because it belongs to the layer's digest.
    fn next_member(&mut self, mut source: R) -> io::Result<()> {
        if source.fill_buf()?.first() == Some(&0x1f) {
            self.member = Some(GzDecoder::new(source));
            return Ok(());
        }
        loop {
            let rest = source.fill_buf()?;
            if rest.is_empty() {
                return Ok(());
            }
            let count = rest.len();
            self.trailing += rest.iter().map(|&byte| u64::from(byte != 0)).sum::<u64>();
            source.consume(count);
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if let Some(ended) = self.member.take() {
                self.next_member(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

/// The caller's reader, its errors marked: they are not the data's fault.
#[derive(Debug)]
pub(crate) struct Marked<R>(R);

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, SourceError(error)),
        })
    }
}

#[derive(Debug)]
struct SourceError(io::Error);

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for SourceError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// Tells the caller's reader that failed from data that cannot be decompressed.
pub(crate) fn classify(error: io::Error) -> Error {
    let kind = error.kind();
    match error.downcast::<SourceError>() {
        Ok(SourceError(error)) => Error::source("cannot read the layer", error),
        Err(error) if kind == io::ErrorKind::UnexpectedEof => {
            Error::compression("compressed data ends early", error)
        }
        Err(error) => Error::compression("compressed data is damaged", error),
    }
}
