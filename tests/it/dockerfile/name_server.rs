//! A name server for which every name is 127.0.0.1.

use std::net::UdpSocket;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

/// The server, on a thread of its own. Resolvers know no other port than 53, so it has
/// an address of its own on loopback.
pub(super) struct NameServer {
    socket: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// What `/etc/resolv.conf` is to name.
    pub(super) const ADDRESS: &str = "127.0.53.53";

    /// Starts answering.
    pub(super) fn start() -> Result<Self> {
        let socket = UdpSocket::bind((Self::ADDRESS, 53)).context("listening as a name server")?;
        let answering = socket.try_clone()?;
        let thread = thread::spawn(move || answer_queries(&answering));
        Ok(Self {
            socket,
            thread: Some(thread),
        })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // An empty message is no query and ends the thread.
        if self.socket.send_to(&[], (Self::ADDRESS, 53)).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

fn answer_queries(socket: &UdpSocket) {
    let mut query = [0; 512];
    while let Ok((length, asker)) = socket.recv_from(&mut query) {
        let Some(reply) = reply(&query[..length]) else {
            return;
        };
        // An asker who is gone has no need of the answer.
        let _ = socket.send_to(&reply, asker);
    }
}

/// Answers a query (RFC 1035, section 4): 127.0.0.1 for type A, nothing for others.
fn reply(query: &[u8]) -> Option<Vec<u8>> {
    const A: [u8; 2] = [0, 1];
    let name = query.get(12..)?.iter().position(|&byte| byte == 0)?;
    let question = query.get(12..12 + name + 5)?;
    let records = u8::from(question[name + 1..name + 3] == A);
    // The header: the query's id; a response, recursion available; one question.
    let mut reply = [&query[..2], &[0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0]].concat();
    reply.extend_from_slice(question);
    if records == 1 {
        // The name by reference to the question, A, IN, 60 seconds, four bytes.
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(reply)
}
