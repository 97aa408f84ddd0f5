//! From a layer's bytes, compressed or not, to its archive.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use crate::error::Error;
use crate::options::Limits;
use crate::pipe::BUFFER;
use crate::source::{Source, is_marked, unmark};

/// How much an archive may have before its ratio to the layer's bytes matters: the first
/// blocks of an honest one are full of zeros, and those of a small one no danger.
const RATIO_MATTERS: u64 = 16 * 1024 * 1024;
/// What every gzip member begins with (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A layer's archive, decompressed as it is read.
#[derive(Debug)]
pub(crate) struct Decompressed<R: Read>(BufReader<Decoder<BufReader<R>>>);

impl<R: Read> Decompressed<R> {
    /// Looks at the first bytes: they decide, whatever a media type says.
    pub(crate) fn new(layer: R, limits: &Limits) -> io::Result<Self> {
        let layer = BufReader::with_capacity(BUFFER, layer);
        let decoder = Decoder::new(layer, limits)?;
        Ok(Self(BufReader::with_capacity(BUFFER, decoder)))
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

/// Decompresses by what the data is: gzip, zstd or nothing of the kind.
pub(crate) struct Decoder<R: BufRead> {
    format: Format<R>,
    limits: Limits,
    produced: u64,
}

enum Format<R: BufRead> {
    Plain(Source<R>),
    Gzip(Box<Gzip<R>>),
    Zstd(zstd::Decoder<'static, Source<R>>),
}

impl<R: BufRead> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.format {
            Format::Plain(_) => "Plain",
            Format::Gzip(_) => "Gzip",
            Format::Zstd(_) => "Zstd",
        })
    }
}

impl<R: BufRead> Decoder<R> {
    pub(crate) fn new(layer: R, limits: &Limits) -> io::Result<Self> {
        let mut source = Source::new(layer);
        let magic = source.peek(4)?;
        let (is_gzip, is_zstd) = (magic.starts_with(&GZIP), is_zstd(magic));
        let format = if is_gzip {
            Format::Gzip(Box::new(Gzip::new(source)))
        } else if is_zstd {
            let mut decoder = zstd::Decoder::with_buffer(source)?;
            decoder.window_log_max(window_log(limits.window))?;
            Format::Zstd(decoder)
        } else {
            Format::Plain(source)
        };
        Ok(Self {
            format,
            limits: limits.clone(),
            produced: 0,
        })
    }

    pub(crate) fn trailing(&self) -> u64 {
        match &self.format {
            Format::Gzip(gzip) => gzip.trailing,
            Format::Plain(_) | Format::Zstd(_) => 0,
        }
    }

    fn received(&self) -> u64 {
        match &self.format {
            Format::Plain(source) => source.received(),
            Format::Gzip(gzip) => gzip.received(),
            Format::Zstd(decoder) => decoder.get_ref().received(),
        }
    }

    fn within_ratio(&self) -> io::Result<()> {
        let ratio = self.limits.ratio;
        let most = self.received().saturating_mul(ratio).max(RATIO_MATTERS);
        if self.produced > most {
            return Err(limit(format!(
                "layer grows to more than {ratio} times its compressed size"
            )));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.format {
            Format::Plain(source) => source.read(buffer),
            Format::Gzip(gzip) => gzip.read(buffer),
            Format::Zstd(decoder) => decoder
                .read(buffer)
                .map_err(|error| name_window(error, self.limits.window)),
        }?;
        self.produced += count as u64;
        self.within_ratio()?;
        Ok(count)
    }
}

/// A frame, or a skippable frame before one (RFC 8878, 3.1).
fn is_zstd(magic: &[u8]) -> bool {
    magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Returns a window's size as zstd wants it told: as a power of two, of which the library
/// knows those from 2^10 to 2^31.
fn window_log(bytes: u64) -> u32 {
    bytes.max(1).ilog2().clamp(10, 31)
}

/// Says which limit is meant, which zstd does not know by our name.
fn name_window(error: io::Error, window: u64) -> io::Error {
    if !is_marked(&error) && error.to_string().contains("too much memory") {
        return limit(format!(
            "zstd frame wants a window of more than {window} bytes"
        ));
    }
    error
}

/// Members one after another, as `pigz -i` and eStargz write them, each with its own sum.
struct Gzip<R> {
    /// The current member, or the last one; `None` only while one takes another's place.
    member: Option<GzDecoder<Source<R>>>,
    has_ended: bool,
    trailing: u64,
}

impl<R: BufRead> Gzip<R> {
    fn new(source: Source<R>) -> Self {
        Self {
            member: Some(GzDecoder::new(source)),
            has_ended: false,
            trailing: 0,
        }
    }

    fn received(&self) -> u64 {
        let member = self.member.as_ref();
        member.map_or(0, |member| member.get_ref().received())
    }

    /// Goes on with the next member, if what follows begins like one. Anything else is
    /// padding or nobody's business, and is read because it belongs to the layer's digest.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(mut member) = self.member.take() else {
            return Ok(());
        };
        if member.get_mut().peek(GZIP.len())?.starts_with(&GZIP) {
            member = GzDecoder::new(member.into_inner());
        } else {
            self.has_ended = true;
            self.trailing = count_trailing(member.get_mut())?;
        }
        self.member = Some(member);
        Ok(())
    }
}

/// Reads to the end and counts what is no padding.
fn count_trailing(source: &mut impl BufRead) -> io::Result<u64> {
    let mut trailing = 0;
    loop {
        let rest = source.fill_buf()?;
        let count = rest.len();
        if count == 0 {
            return Ok(trailing);
        }
        trailing += rest.iter().map(|&byte| u64::from(byte != 0)).sum::<u64>();
        source.consume(count);
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.has_ended {
            let Some(member) = &mut self.member else {
                break;
            };
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

/// A limit that the compressed bytes exceed.
#[derive(Debug)]
struct LimitExceeded(String);

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for LimitExceeded {}

fn limit(message: String) -> io::Error {
    io::Error::other(LimitExceeded(message))
}

/// Tells the caller's reader that failed from data that cannot be decompressed, and both
/// from data that is too much.
pub(crate) fn classify(error: io::Error) -> Error {
    let error = match unmark(error) {
        Ok(error) => return Error::source("cannot read the layer", error),
        Err(error) => error,
    };
    let kind = error.kind();
    match error.downcast::<LimitExceeded>() {
        Ok(LimitExceeded(message)) => Error::limit(message),
        Err(error) if kind == io::ErrorKind::UnexpectedEof => {
            Error::compression("compressed data ends early", error)
        }
        Err(error) => Error::compression("compressed data is damaged", error),
    }
}
