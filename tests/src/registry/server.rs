//! Listeners and connections.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, Socket, Speaker};
use super::record::Origin;
use super::service::Service;
use crate::tls::Protocols;

/// What every TLS client sends first: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// What Go's servers say to plain HTTP on a TLS port.
const NOT_TLS: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How one listener speaks.
#[derive(Clone)]
pub(super) struct Speech {
    pub(super) tls: Option<Tls>,
    pub(super) protocols: Protocols,
}

#[derive(Clone)]
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// Whether plain HTTP is served on the same port.
    pub(super) plain_too: bool,
    /// How long a handshake has to wait.
    pub(super) delay: Duration,
}

/// Accepts connections until the runtime ends.
pub(super) async fn serve(
    listener: TcpListener,
    origin: Origin,
    speech: Speech,
    service: Arc<Service>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime drives sockets");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without it small answers wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        let (speech, service) = (speech.clone(), Arc::clone(&service));
        tokio::spawn(connection(stream, origin, speech, service));
    }
}

async fn connection(stream: TcpStream, origin: Origin, speech: Speech, service: Arc<Service>) {
    let number = service.diary.connect(origin);
    let Some(tls) = speech.tls else {
        let connection = Connection::new(number, origin, false);
        let socket = Socket::new(stream, Arc::clone(&connection));
        return talk(socket, speech.protocols, connection, service).await;
    };
    let mut first = [0];
    let handshake = stream.peek(&mut first).await.is_ok() && first[0] == HANDSHAKE;
    let connection = Connection::new(number, origin, handshake);
    let socket = Socket::new(stream, Arc::clone(&connection));
    if handshake {
        tokio::time::sleep(tls.delay).await;
        // A client that refuses the certificate is what some tests want; there is nobody to tell.
        if let Ok(stream) = tls.acceptor.accept(socket).await {
            talk(stream, speech.protocols, connection, service).await;
        }
    } else if tls.plain_too {
        talk(socket, speech.protocols, connection, service).await;
    } else {
        refuse(socket).await;
    }
}

/// Reads what there is first, because closing a socket with unread bytes would reset it.
async fn refuse(mut socket: Socket) {
    let _ = socket.read(&mut vec![0; 16 * 1024]).await;
    let _ = socket.write_all(NOT_TLS).await;
    let _ = socket.shutdown().await;
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    protocols: Protocols,
    connection: Arc<Connection>,
    service: Arc<Service>,
) {
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match protocols {
        Protocols::Both => builder,
        Protocols::Http1 => builder.http1_only(),
        Protocols::Http2 => builder.http2_only(),
    };
    let leaving = Arc::clone(&connection);
    let stream = Speaker::new(stream, Arc::clone(&connection));
    let handler =
        service_fn(move |request| Arc::clone(&service).handle(Arc::clone(&connection), request));
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), handler));
    // Connections end in errors when faults cut them and when clients leave; both are part of the tests.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = leaving.leaving() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
