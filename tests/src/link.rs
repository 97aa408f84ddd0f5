//! A slow network: a relay with a bandwidth and a delay.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::background::{Background, bind};

/// Bytes that are on their way in one piece.
const PIECE: usize = 16 * 1024;

/// Pieces on their way on one connection, in one direction; more wait with the sender, as
/// they do at the ends of a real line.
const WINDOW: usize = 256;

/// A line to a server, on a free port of 127.0.0.1. All connections share its bandwidth.
///
/// ```
/// use std::time::Duration;
/// use regimg_tests::Link;
/// use regimg_tests::registry::Registry;
///
/// let registry = Registry::start();
/// // 100 Mbit/s, 20 ms there and back.
/// let link = Link::to(registry.addr(), 12_500_000, Duration::from_millis(10));
/// assert_ne!(link.addr(), registry.addr());
/// ```
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    _background: Background,
}

/// One direction of a line.
#[derive(Debug)]
struct Line {
    bytes_per_second: u64,
    delay: Duration,
    /// When it has sent what was given to it.
    free: Mutex<Instant>,
}

impl Link {
    /// Opens a line to `target` that carries so many bytes a second in each direction, each
    /// for as long as `delay`.
    pub fn to(target: SocketAddr, bytes_per_second: u64, delay: Duration) -> Self {
        let (listener, address) = bind();
        let lines = [(); 2].map(|()| {
            Arc::new(Line {
                bytes_per_second,
                delay,
                free: Mutex::new(Instant::now()),
            })
        });
        let background = Background::start("link");
        background.spawn(serve(listener, target, lines));
        Self {
            address,
            _background: background,
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

impl Line {
    /// Takes a piece and returns when it arrives.
    fn send(&self, length: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = length as u64 * 1_000_000_000 / self.bytes_per_second;
        *free = Instant::now().max(*free) + Duration::from_nanos(takes);
        *free + self.delay
    }
}

async fn serve(listener: std::net::TcpListener, target: SocketAddr, lines: [Arc<Line>; 2]) {
    let listener = TcpListener::from_std(listener).expect("the runtime drives sockets");
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let [up, down] = lines.clone();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(
                carry(from_client, to_server, up),
                carry(from_server, to_client, down)
            );
        });
    }
}

/// Carries bytes in one direction until either end is closed.
async fn carry(mut from: OwnedReadHalf, to: OwnedWriteHalf, line: Arc<Line>) {
    let (sender, receiver) = mpsc::channel(WINDOW);
    let delivery = tokio::spawn(deliver(receiver, to));
    loop {
        let mut piece = vec![0; PIECE];
        let Ok(length @ 1..) = from.read(&mut piece).await else {
            break;
        };
        piece.truncate(length);
        if sender.send((line.send(length), piece)).await.is_err() {
            break;
        }
    }
    drop(sender);
    // It ends with what is on its way.
    let _ = delivery.await;
}

async fn deliver(mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((arrival, piece)) = pieces.recv().await {
        tokio::time::sleep_until(arrival.into()).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// No upper bound: the machine may be busy.
    #[test]
    fn bytes_arrive_whole_and_not_too_soon() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Link::to(
            listener.local_addr().unwrap(),
            1_000_000,
            Duration::from_millis(20),
        );
        let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let started = Instant::now();
        let client = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(link.addr()).unwrap();
            stream.write_all(b"go").unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            (received, started.elapsed())
        });
        let (mut server, _) = listener.accept().unwrap();
        server.read_exact(&mut [0; 2]).unwrap();
        server.write_all(&sent).unwrap();
        drop(server);
        let (received, elapsed) = client.join().unwrap();
        assert!(received == sent);
        assert!(
            elapsed >= Duration::from_millis(100 + 2 * 20),
            "{elapsed:?}"
        );
    }
}
