//! The least client that can be: HTTP/1.1 by hand over one socket, so that a test sees every byte and every end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::registry::Registry;

/// How an answer came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All that was declared has arrived.
    Complete,
    /// The server closed the connection before that.
    Closed,
    /// The server reset the connection.
    Reset,
    /// Nothing came for half a second.
    Stalled,
}

#[derive(Debug)]
pub(super) struct Answer {
    /// 0 when not even a head arrived.
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    pub(super) end: End,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on a connection of its own.
pub(super) fn send(
    registry: &Registry,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    send_to(
        registry.url(crate::registry::Origin::Registry),
        method,
        target,
        headers,
        body,
    )
}

/// Sends one request to the server at `base`.
pub(super) fn send_to(
    base: &str,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for line in headers {
        head.extend([line, "\r\n"]);
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // The server may stop reading early, which is seen in the answer.
    let _ = stream.write_all(body);
    receive(&mut stream, method == "HEAD")
}

fn receive(stream: &mut TcpStream, is_head: bool) -> Answer {
    let mut bytes = Vec::new();
    let mut end = None;
    loop {
        if let Some(answer) = parse(&bytes, is_head, end) {
            return answer;
        }
        let mut buffer = [0; 16 * 1024];
        match stream.read(&mut buffer) {
            Ok(0) => end = Some(End::Closed),
            Ok(count) => bytes.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => end = Some(End::Reset),
            Err(_) => end = Some(End::Stalled),
        }
    }
}

/// Gives the answer when it is complete or nothing more will come.
fn parse(bytes: &[u8], is_head: bool, end: Option<End>) -> Option<Answer> {
    let Some(border) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        let end = end?;
        return Some(Answer {
            status: 0,
            head: String::new(),
            body: Vec::new(),
            end,
        });
    };
    let head = String::from_utf8(bytes[..border].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer {
        status,
        head,
        body: bytes[border + 4..].to_vec(),
        end: End::Complete,
    };
    let complete = if is_head || status == 204 {
        true
    } else if answer.header("transfer-encoding").is_some() {
        let (body, complete) = unchunk(&answer.body);
        answer.body = body;
        complete
    } else {
        // Without a length the end of the connection is the end of the body.
        match answer.header("content-length") {
            Some(length) => answer.body.len() >= length.parse().unwrap(),
            None => end == Some(End::Closed),
        }
    };
    answer.end = if complete { End::Complete } else { end? };
    Some(answer)
}

fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = bytes.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let length = std::str::from_utf8(&bytes[..line]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let rest = &bytes[line + 2..];
        body.extend(&rest[..length.min(rest.len())]);
        let Some(next) = rest.get(length + 2..) else {
            return (body, false);
        };
        bytes = next;
    }
}
