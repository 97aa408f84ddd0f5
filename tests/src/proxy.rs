//! An HTTP proxy that writes down what it is asked for and leads every host to one address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::background::{Background, bind};

/// A proxy on a free port of 127.0.0.1: `CONNECT` for TLS, absolute URLs for plain HTTP.
///
/// Whatever host a client names, the connection goes to one address, so that a test may speak to
/// `registry.example.com` and reach its own registry.
///
/// ```
/// use regimg_tests::Proxy;
/// use regimg_tests::registry::Registry;
///
/// let registry = Registry::start();
/// let proxy = Proxy::to(registry.addr());
/// assert!(proxy.url().starts_with("http://127.0.0.1:"));
/// assert!(proxy.requests().is_empty());
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _background: Background,
}

/// What a client asked a proxy for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// `CONNECT`, or the method of a plain request.
    pub method: String,
    /// `host:port`, or the absolute URL of a plain request.
    pub target: String,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<String>,
}

#[derive(Debug)]
struct Shared {
    conduct: Conduct,
    requests: Mutex<Vec<Proxied>>,
}

/// What a proxy does with a request.
#[derive(Debug)]
enum Conduct {
    /// Leads it to `target`, if `Proxy-Authorization` has the `required` value.
    Lead {
        target: SocketAddr,
        required: Option<String>,
    },
    /// Sends these bytes, whatever is asked, and hangs up.
    Say(Vec<u8>),
}

impl Proxy {
    /// Starts a proxy whose connections all go to `target`.
    pub fn to(target: SocketAddr) -> Self {
        Self::start(Conduct::Lead {
            target,
            required: None,
        })
    }

    /// Starts a proxy that leads nowhere: it sends these bytes to whoever asks, and hangs up.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(Conduct::Say(bytes.into()))
    }

    /// Starts a proxy that answers 407 unless `Proxy-Authorization` has this value.
    pub fn with_authorization(target: SocketAddr, value: &str) -> Self {
        Self::start(Conduct::Lead {
            target,
            required: Some(value.to_owned()),
        })
    }

    fn start(conduct: Conduct) -> Self {
        let (listener, address) = bind();
        let shared = Arc::new(Shared {
            conduct,
            requests: Mutex::default(),
        });
        let background = Background::start("proxy");
        background.spawn(serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _background: background,
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, as `HTTPS_PROXY` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, refused ones included.
    pub fn requests(&self) -> Vec<Proxied> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("the runtime drives sockets");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                // The client sees that something went wrong by the end of its connection.
                let _ = relay(stream, &shared).await;
            });
        }
    }
}

/// Handles one request; a connection is not used for a second one.
async fn relay(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some((head, rest)) = read_head(&mut client).await? else {
        return Ok(());
    };
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let authorization = header(&head, "proxy-authorization").map(str::to_owned);
    let request = Proxied {
        method: method.clone(),
        target: target.clone(),
        authorization: authorization.clone(),
    };
    shared
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    let (address, required) = match &shared.conduct {
        Conduct::Lead { target, required } => (target, required),
        Conduct::Say(bytes) => return client.write_all(bytes).await,
    };
    if required.is_some() && *required != authorization {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refusal.as_bytes()).await;
    }
    let mut server = TcpStream::connect(address).await?;
    if method == "CONNECT" {
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
    } else {
        server
            .write_all(forwarded(&head, &target).as_bytes())
            .await?;
    }
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The head up to its empty line, and what came behind it; none when the client left before.
async fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(border) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(border + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// The head for the server: a path in place of the URL, nothing meant for the proxy, one request only.
fn forwarded(head: &str, target: &str) -> String {
    let authority = target.split_once("://").map_or(target, |(_, rest)| rest);
    let path = authority.find('/').map_or("/", |slash| &authority[slash..]);
    let first = head
        .lines()
        .next()
        .unwrap_or_default()
        .replacen(target, path, 1);
    let ours = |line: &&str| {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        !name.starts_with("proxy-") && name != "connection"
    };
    let fields = head
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .filter(ours);
    let lines: Vec<&str> = [first.as_str()].into_iter().chain(fields).collect();
    format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::registry::Registry;

    fn ask(proxy: &Proxy, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(proxy.addr()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn plain_requests_are_forwarded_without_what_was_meant_for_the_proxy() {
        let registry = Registry::start();
        let proxy = Proxy::to(registry.addr());
        let answer = ask(
            &proxy,
            "GET http://registry.test:5000/v2/?x=1 HTTP/1.1\r\nHost: registry.test:5000\r\n\
             Proxy-Authorization: Basic eA==\r\nX-Mine: 1\r\n\r\n",
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let record = &registry.requests()[0];
        assert_eq!(record.target(), "/v2/?x=1");
        assert_eq!(record.header("host"), Some("registry.test:5000"));
        assert_eq!(
            (
                record.header("x-mine"),
                record.header("proxy-authorization")
            ),
            (Some("1"), None)
        );
        let proxied = Proxied {
            method: "GET".into(),
            target: "http://registry.test:5000/v2/?x=1".into(),
            authorization: Some("Basic eA==".into()),
        };
        assert_eq!(proxy.requests(), [proxied]);
    }

    #[test]
    fn tunnels_need_the_right_password() {
        let registry = Registry::start();
        let proxy = Proxy::with_authorization(registry.addr(), "Basic eA==");
        let connect = "CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n";
        let refused = ask(&proxy, &format!("{connect}\r\n"));
        assert!(refused.starts_with("HTTP/1.1 407"), "{refused}");
        let inner = "GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nConnection: close\r\n\r\n";
        let through = ask(
            &proxy,
            &format!("{connect}Proxy-Authorization: Basic eA==\r\n\r\n{inner}"),
        );
        assert!(through.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200"));
        assert_eq!(proxy.requests().len(), 2);
        assert_eq!(registry.requests().len(), 1);
    }
}
