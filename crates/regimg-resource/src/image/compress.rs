//! Compression of layers that came without: the same bytes for the same content, whatever
//! the machine and however many threads help.

use std::io::{self, Read, Write};
use std::thread;

use flate2::{Compress, Crc, FlushCompress, Status};

/// What one thread compresses at a time. Each block may refer to the end of the one before
/// it, so that cutting costs less than a thousandth.
const BLOCK: usize = 256 * 1024;

/// How far back deflate can refer.
const WINDOW: usize = 32 * 1024;

/// Threads that help with one layer at most: each takes about a megabyte.
const MAX_THREADS: usize = 16;

/// How layers are compressed that are not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// At a level from 0 to 9.
    Gzip(u32),
    /// At a level from 1 to 19.
    Zstd(i32),
}

impl Compression {
    /// The level of zlib-rs that gives the size of Go's `BestSpeed`, which the Go resource
    /// compresses with, at twice the speed of level 6, which makes Debian's /usr 7 %
    /// smaller.
    pub(crate) const GZIP: Self = Self::Gzip(2);

    /// The level that zstd itself takes.
    pub(crate) const ZSTD: Self = Self::Zstd(3);

    /// Compresses all of `content` into `output`. `threads` says, again and again, how many
    /// threads may help.
    pub(super) fn compress(
        self,
        content: impl Read,
        output: impl Write,
        threads: impl Fn() -> usize,
    ) -> io::Result<()> {
        let threads = || threads().clamp(1, MAX_THREADS);
        match self {
            Self::Gzip(level) => gzip(content, output, level, threads),
            Self::Zstd(level) => zstd::stream::copy_encode(content, output, level),
        }
    }
}

/// A piece of the content, and what precedes it.
struct Block {
    before: Vec<u8>,
    content: Vec<u8>,
    is_last: bool,
}

/// Compresses blocks side by side into one gzip member ([RFC 1952]).
///
/// [RFC 1952]: https://www.rfc-editor.org/rfc/rfc1952
fn gzip(
    content: impl Read,
    mut output: impl Write,
    level: u32,
    threads: impl Fn() -> usize,
) -> io::Result<()> {
    // No time, no name, an unknown system: nothing that differs between two runs.
    output.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
    let mut blocks = Blocks::new(content)?;
    let mut batch = blocks.take(threads())?;
    let mut check = Crc::new();
    while !batch.is_empty() {
        let (done, next) = thread::scope(|scope| {
            let work = batch
                .iter()
                .map(|block| scope.spawn(|| deflate(block, level)));
            let work: Vec<_> = work.collect();
            let next = blocks.take(threads());
            let done = work.into_iter().map(|work| {
                work.join()
                    .map_err(|_| io::Error::other("a thread that compresses failed"))?
            });
            (done.collect::<io::Result<Vec<_>>>(), next)
        });
        for (bytes, crc) in done? {
            output.write_all(&bytes)?;
            check.combine(&crc);
        }
        batch = next?;
    }
    output.write_all(&check.sum().to_le_bytes())?;
    output.write_all(&check.amount().to_le_bytes())
}

/// Compresses one block so that the next one's bytes can follow.
fn deflate(block: &Block, level: u32) -> io::Result<(Vec<u8>, Crc)> {
    let mut check = Crc::new();
    check.update(&block.content);
    let mut deflate = Compress::new(flate2::Compression::new(level), false);
    if !block.before.is_empty() {
        deflate.set_dictionary(&block.before)?;
    }
    let flush = if block.is_last {
        FlushCompress::Finish
    } else {
        FlushCompress::Sync
    };
    let mut bytes = Vec::with_capacity(block.content.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
        let status = deflate.compress_vec(&block.content[taken..], &mut bytes, flush)?;
        let is_done = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            // Room that is left over says that nothing is held back.
            _ => bytes.len() < bytes.capacity(),
        };
        if is_done {
            return Ok((bytes, check));
        }
        bytes.reserve(BLOCK / 4);
    }
}

/// Cuts content into blocks of one size, whatever sizes it is read in.
struct Blocks<R> {
    content: R,
    /// The end of what was handed out last.
    before: Vec<u8>,
    /// What comes next; `None` after the last block.
    next: Option<Vec<u8>>,
}

impl<R: Read> Blocks<R> {
    fn new(mut content: R) -> io::Result<Self> {
        let next = Some(read_block(&mut content)?);
        Ok(Self {
            content,
            before: Vec::new(),
            next,
        })
    }

    /// Takes up to `count` blocks. Content without bytes is one block.
    fn take(&mut self, count: usize) -> io::Result<Vec<Block>> {
        let mut blocks = Vec::with_capacity(count);
        while blocks.len() < count
            && let Some(content) = self.next.take()
        {
            let following = if content.len() < BLOCK {
                Vec::new()
            } else {
                read_block(&mut self.content)?
            };
            let window = content.len().saturating_sub(WINDOW);
            let before = std::mem::replace(&mut self.before, content[window..].to_vec());
            blocks.push(Block {
                before,
                content,
                is_last: following.is_empty(),
            });
            self.next = Some(following).filter(|following| !following.is_empty());
        }
        Ok(blocks)
    }
}

fn read_block(content: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    content
        .by_ref()
        .take(BLOCK as u64)
        .read_to_end(&mut block)?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(content: &[u8], level: u32, threads: usize) -> Vec<u8> {
        let mut output = Vec::new();
        Compression::Gzip(level)
            .compress(content, &mut output, || threads)
            .unwrap();
        output
    }

    #[test]
    fn threads_make_no_difference_and_nothing_is_lost() {
        let text: Vec<u8> = (0..900_000_u64)
            .flat_map(|n| (n * n).to_string().into_bytes())
            .collect();
        let sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3_000_000];
        for size in sizes {
            for level in [0, 1, 2, 6, 9] {
                let content = &text[..size];
                let bytes = compressed(content, level, 1);
                assert_eq!(bytes, compressed(content, level, 3), "{size} at {level}");
                let mut read = Vec::new();
                // A decoder of single members: there is one only.
                let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
                decoder.read_to_end(&mut read).unwrap();
                assert!(read == content, "{size} at {level}");
                assert_eq!(decoder.into_inner().len(), 0, "{size} at {level}");
            }
        }
    }
}
