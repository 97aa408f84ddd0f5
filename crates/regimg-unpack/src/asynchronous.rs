//! A layer that arrives through an asynchronous reader.
//!
//! Decompression and files stay where they are, on threads that may block: files have no
//! other calls on Linux, and a second decoder would be a second place for members, sums and
//! limits to go wrong. What crosses is compressed bytes, a quarter of a MiB at a time.

use std::io::{self, Cursor, Read};
use std::pin::pin;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

use crate::apply::apply_all;
use crate::error::Error;
use crate::options::Options;
use crate::progress::{Outcome, Progress};
use crate::root::Root;

/// Bytes that cross at a time, and how many times that may be on their way.
const CHUNK: usize = 256 * 1024;
const CHUNKS: usize = 8;

/// Applies one layer, compressed or not, as its bytes arrive.
///
/// As [`apply`](crate::apply), on threads as [`apply_all`] has them; takes a Tokio runtime.
/// The reader is polled by the caller's task alone, so it need be neither `Send` nor
/// `'static`. When the future is dropped, the work ends with the bytes it has got, soon but
/// not at once: the directory then holds a part of the layer.
///
/// ```
/// use regimg_unpack::{Options, Root, apply_async};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let root = Root::open(directory.path())?;
/// let response: &[u8] = &[]; // the body of an HTTP response, say
/// let outcome = apply_async(response, &root, &Options::default(), ()).await?;
/// assert_eq!(outcome.entries, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`apply`](crate::apply).
pub async fn apply_async(
    layer: impl AsyncRead,
    root: &Root,
    options: &Options,
    mut progress: impl Progress + Send + 'static,
) -> Result<Outcome, Error> {
    let (sender, receiver) = channel(CHUNKS);
    let (root, options) = (root.try_clone()?, options.clone());
    let work =
        spawn_blocking(move || apply_all([Chunks::new(receiver)], &root, &options, &mut progress));
    pass_on(layer, sender).await;
    match work.await {
        Ok(outcome) => outcome.map_err(Error::without_layer),
        Err(error) => Err(Error::source(
            "unpacking has ended",
            io::Error::other(error),
        )),
    }
}

/// What crosses to the thread.
enum Message {
    Data(Vec<u8>),
    End,
    Failed(io::Error),
}

/// Reads to the end, or until nobody listens any more.
async fn pass_on(layer: impl AsyncRead, sender: Sender<Message>) {
    let mut layer = pin!(layer);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let message = match layer.read_buf(&mut chunk).await {
            Ok(0) => Message::End,
            Ok(_) => Message::Data(chunk),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Message::Failed(error),
        };
        let goes_on = matches!(message, Message::Data(_));
        if sender.send(message).await.is_err() || !goes_on {
            return;
        }
    }
}

/// The thread's end.
struct Chunks {
    receiver: Receiver<Message>,
    chunk: Cursor<Vec<u8>>,
    has_ended: bool,
}

impl Chunks {
    fn new(receiver: Receiver<Message>) -> Self {
        Self {
            receiver,
            chunk: Cursor::default(),
            has_ended: false,
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = Read::read(&mut self.chunk, buffer)?;
            if count > 0 || self.has_ended || buffer.is_empty() {
                return Ok(count);
            }
            match self.receiver.blocking_recv() {
                Some(Message::Data(chunk)) => self.chunk = Cursor::new(chunk),
                Some(Message::End) => self.has_ended = true,
                Some(Message::Failed(error)) => return Err(error),
                // Silence is no end: the future was dropped before the layer was through.
                None => return Err(io::Error::other("the caller has given up")),
            }
        }
    }
}
