//! Decompression on a thread of its own, ahead of whoever applies the layers.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::decompress::{Decoded, Decoder};
use crate::options::Limits;
use crate::source::mark;

/// Bytes in one buffer, and how many of them are on their way at most: 16 MiB together.
/// More buys nothing, since what stands ready is read faster than files are written.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 64;

/// What the thread has to say, in order.
enum Message {
    Data(Vec<u8>),
    /// The layer ended, read to its last byte.
    End {
        trailing: u64,
    },
    Failed(io::Error),
}

/// The layers' archives, one after another.
#[derive(Debug)]
pub(crate) struct Ahead {
    messages: Receiver<Message>,
    /// Where buffers go when they have been read.
    emptied: Sender<Vec<u8>>,
}

impl Ahead {
    /// Starts the thread. It ends with the last layer, with the first error, or soon after
    /// `Ahead` is dropped: at its next buffer, since a reader cannot be interrupted.
    pub(crate) fn start<R, I>(layers: I, limits: &Limits) -> io::Result<Self>
    where
        R: Read,
        I: Iterator<Item = R> + Send + 'static,
    {
        let (sender, messages) = sync_channel(BUFFERS);
        let (emptied, empty) = channel();
        let limits = limits.clone();
        let work = Work {
            sender,
            empty,
            limits,
        };
        thread::Builder::new()
            .name("decompress".to_owned())
            .spawn(move || work.run(layers))?;
        Ok(Self { messages, emptied })
    }

    /// Begins the next layer. The one before it must have been read to its end.
    pub(crate) fn layer(&mut self) -> AheadLayer<'_> {
        AheadLayer {
            ahead: self,
            buffer: Vec::new(),
            at: 0,
            ended: None,
        }
    }
}

/// The thread's end of the channels.
struct Work {
    sender: SyncSender<Message>,
    empty: Receiver<Vec<u8>>,
    limits: Limits,
}

/// Nobody listens any more.
struct Hung;

impl Work {
    fn run<R: Read>(self, layers: impl Iterator<Item = R>) {
        for layer in layers {
            match self.decompress(layer) {
                Ok(Ok(())) => {}
                // When nobody listens to the failure either, nobody needs to know.
                Ok(Err(error)) => return drop(self.sender.send(Message::Failed(error))),
                Err(Hung) => return,
            }
        }
    }

    fn decompress(&self, layer: impl Read) -> Result<io::Result<()>, Hung> {
        let mut decoder = match Decoder::new(layer, &self.limits) {
            Ok(decoder) => decoder,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let mut buffer = self.empty.try_recv().unwrap_or_default();
            buffer.resize(BUFFER, 0);
            match fill(&mut decoder, &mut buffer) {
                Ok(0) => break,
                Ok(count) => buffer.truncate(count),
                Err(error) => return Ok(Err(error)),
            }
            self.send(Message::Data(buffer))?;
        }
        self.send(Message::End {
            trailing: decoder.trailing(),
        })?;
        Ok(Ok(()))
    }

    fn send(&self, message: Message) -> Result<(), Hung> {
        self.sender.send(message).map_err(|_| Hung)
    }
}

/// Fills the buffer as far as the data goes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// One layer's archive.
#[derive(Debug)]
pub(crate) struct AheadLayer<'a> {
    ahead: &'a mut Ahead,
    buffer: Vec<u8>,
    at: usize,
    /// How many bytes trailed, once the end was reached.
    ended: Option<u64>,
}

impl Decoded for AheadLayer<'_> {
    fn trailing(&self) -> u64 {
        self.ended.unwrap_or_default()
    }
}

impl Read for AheadLayer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for AheadLayer<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && self.ended.is_none() {
            // The thread may have ended: then it needs no buffers any more.
            let _ = self.ahead.emptied.send(std::mem::take(&mut self.buffer));
            self.at = 0;
            match self.ahead.messages.recv() {
                Ok(Message::Data(data)) => self.buffer = data,
                Ok(Message::End { trailing }) => self.ended = Some(trailing),
                Ok(Message::Failed(error)) => return Err(error),
                // The caller's layers were fewer than promised, or reading one has panicked.
                Err(_) => return Err(mark(io::Error::other("the decompressing thread has ended"))),
            }
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}
