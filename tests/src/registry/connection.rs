//! A connection that a fault can end at once.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::body::Cut;
use super::fault::Ending;
use super::lock;
use super::record::Origin;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;
/// The last answer is complete.
const HANGING_UP: u8 = 3;
/// Reading finds the end.
const HUNG_UP: u8 = 4;
/// HTTP/2 says goodbye, and then the end is found.
const GOING_AWAY: u8 = 5;

/// What the answers on a connection share with its socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: usize,
    pub(super) origin: Origin,
    pub(super) tls: bool,
    state: AtomicU8,
    flushes: AtomicU64,
    flushed: Notify,
    leaving: Notify,
    /// Who waits for the client to send something.
    reader: Mutex<Option<Waker>>,
    /// The error code of GOAWAY.
    goodbye: AtomicU32,
}

impl Connection {
    pub(super) fn new(number: usize, origin: Origin, tls: bool) -> Arc<Self> {
        Arc::new(Self {
            number,
            origin,
            tls,
            state: AtomicU8::new(OPEN),
            flushes: AtomicU64::new(0),
            flushed: Notify::new(),
            leaving: Notify::new(),
            reader: Mutex::new(None),
            goodbye: AtomicU32::new(0),
        })
    }

    /// Waits until what was handed over so far is on its way: a cut at byte N is to come after byte N.
    pub(super) async fn flush(&self, version: Version) {
        if version == Version::HTTP_2 {
            return self.quiet().await;
        }
        let before = self.flushes.load(Ordering::SeqCst);
        loop {
            let notified = self.flushed.notified();
            if self.flushes.load(Ordering::SeqCst) > before {
                return;
            }
            notified.await;
        }
    }

    /// Waits until nothing was flushed for a moment: HTTP/2 sends a stream's data some time after it took them,
    /// and forgets what it still holds when the stream is reset.
    async fn quiet(&self) {
        for _ in 0..20 {
            let before = self.flushes.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self.flushes.load(Ordering::SeqCst) == before {
                return;
            }
        }
    }

    /// Ends the connection as soon as its socket is touched again, and gives what ends the stream at once.
    pub(super) async fn cut(&self, version: Version, ending: Ending) -> Cut {
        match ending {
            Ending::GoAway(code) if version == Version::HTTP_2 => {
                self.goodbye.store(code, Ordering::SeqCst);
                self.state.store(GOING_AWAY, Ordering::SeqCst);
                self.wake();
                // An error of the stream would be told before.
                std::future::pending::<()>().await;
            }
            Ending::Close | Ending::GoAway(_) => self.state.store(CLOSED, Ordering::SeqCst),
            Ending::Reset => self.state.store(RESET, Ordering::SeqCst),
            Ending::Stream(_) => {}
        }
        Cut::of(ending)
    }

    fn wake(&self) {
        if let Some(reader) = lock(&self.reader).take() {
            reader.wake();
        }
    }

    /// Closes the connection once the answer that is complete now has been flushed.
    pub(super) fn hang_up(&self) {
        self.state.store(HANGING_UP, Ordering::SeqCst);
    }

    fn on_flush(&self) {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.flushed.notify_waiters();
        let hung_up =
            self.state
                .compare_exchange(HANGING_UP, HUNG_UP, Ordering::SeqCst, Ordering::SeqCst);
        if hung_up.is_ok() {
            self.wake();
        }
    }

    /// Asks for a graceful end.
    pub(super) fn leave(&self) {
        self.leaving.notify_one();
    }

    /// Waits for [`Connection::leave`].
    pub(super) async fn leaving(&self) {
        self.leaving.notified().await;
    }

    fn check(&self) -> io::Result<()> {
        match self.state.load(Ordering::SeqCst) {
            CLOSED | RESET => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}

/// The socket itself.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.state.load(Ordering::SeqCst) == RESET {
            // A socket that is gone already cannot be reset, which is as good.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.connection.check()?;
        if self.connection.state.load(Ordering::SeqCst) == HUNG_UP {
            return Poll::Ready(Ok(()));
        }
        *lock(&self.connection.reader) = Some(context.waker().clone());
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.check()?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.connection.on_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What HTTP is spoken on, above TLS, so that GOAWAY can be slipped in between two frames.
#[derive(Debug)]
pub(super) struct Speaker<S> {
    stream: S,
    connection: Arc<Connection>,
    /// What is left to be sent of the goodbye.
    goodbye: Option<Vec<u8>>,
}

impl<S> Speaker<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>) -> Self {
        let goodbye = None;
        Self {
            stream,
            connection,
            goodbye,
        }
    }
}

/// GOAWAY that disowns all streams
/// ([RFC 9113, section 6.8](https://www.rfc-editor.org/rfc/rfc9113#section-6.8)).
fn go_away(code: u32) -> Vec<u8> {
    const HEAD: [u8; 9] = [0, 0, 8, 7, 0, 0, 0, 0, 0];
    [&HEAD[..], &[0; 4], &code.to_be_bytes()].concat()
}

impl<S: AsyncWrite + Unpin> Speaker<S> {
    fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let code = self.connection.goodbye.load(Ordering::SeqCst);
        let left = self.goodbye.get_or_insert_with(|| go_away(code));
        while !left.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, left))?;
            left.drain(..sent);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Speaker<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.state.load(Ordering::SeqCst) == GOING_AWAY {
            return self.poll_goodbye(context);
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Speaker<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
