//! Certificates and the choice of protocol.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::registry::{Origin, Registry};
use crate::tls::{Authority, Identity, LOCAL_NAMES, Protocols, certificates, root_store};

struct Client<'a> {
    roots: &'a str,
    identity: Option<&'a Identity>,
    name: &'static str,
}

impl<'a> Client<'a> {
    fn trusting(roots: &'a str) -> Self {
        Self {
            roots,
            identity: None,
            name: "localhost",
        }
    }

    async fn connect(&self, registry: &Registry) -> io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(root_store(self.roots));
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(identity.certificate_pem());
                let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(registry.addr()).await?;
        let name = ServerName::try_from(self.name).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// Asks for `/v2/` in the protocol that was agreed upon.
    async fn ping(&self, registry: &Registry) -> Result<(StatusCode, Version), String> {
        let stream = self
            .connect(registry)
            .await
            .map_err(|error| error.to_string())?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let uri = format!("{}/v2/", registry.url(Origin::Registry));
        let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        let response = if h2 {
            let io = TokioIo::new(stream);
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = response.map_err(|error| error.to_string())?;
        Ok((response.status(), response.version()))
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_upon() {
    for (protocols, version) in [
        (Protocols::Both, Version::HTTP_2),
        (Protocols::Http2, Version::HTTP_2),
        (Protocols::Http1, Version::HTTP_11),
    ] {
        let registry = Registry::builder().tls().protocols(protocols).start();
        assert!(
            registry
                .url(Origin::Registry)
                .starts_with("https://127.0.0.1:")
        );
        let client = Client::trusting(registry.ca_pem());
        assert_eq!(client.ping(&registry).await, Ok((StatusCode::OK, version)));
        assert_eq!(registry.requests()[0].version, version);
    }
}

#[tokio::test]
async fn only_the_right_authority_name_and_time_are_accepted() {
    let authority = Authority::new();
    let other = Authority::new();
    let registry = Registry::builder()
        .tls_with(authority.server(&LOCAL_NAMES), authority.pem())
        .host("localhost")
        .start();
    assert!(registry.host().starts_with("localhost:"));
    assert!(
        Client::trusting(authority.pem())
            .ping(&registry)
            .await
            .is_ok()
    );
    let by_address = Client {
        name: "127.0.0.1",
        ..Client::trusting(authority.pem())
    };
    assert!(by_address.ping(&registry).await.is_ok());
    let refused = Client::trusting(other.pem())
        .ping(&registry)
        .await
        .unwrap_err();
    assert!(
        refused.contains("UnknownIssuer") || refused.contains("BadSignature"),
        "{refused}"
    );
    let elsewhere = Client {
        name: "example.com",
        ..Client::trusting(authority.pem())
    };
    let refused = elsewhere.ping(&registry).await.unwrap_err();
    assert!(refused.contains("not valid for name"), "{refused}");
    assert_eq!(
        registry.requests().len(),
        2,
        "nothing is asked before the certificate is accepted"
    );

    let expired = authority.expired_server(&LOCAL_NAMES);
    let registry = Registry::builder()
        .tls_with(expired, authority.pem())
        .start();
    let refused = Client::trusting(authority.pem())
        .ping(&registry)
        .await
        .unwrap_err();
    assert!(refused.contains("expired"), "{refused}");
}

#[tokio::test]
async fn self_signed_certificates_are_their_own_roots() {
    let plain = Identity::self_signed(&LOCAL_NAMES);
    let authority = Identity::self_signed_authority(&LOCAL_NAMES);
    for (identity, complaint) in [(plain, None), (authority, Some("CaUsedAsEndEntity"))] {
        let pem = identity.certificate_pem().to_owned();
        let registry = Registry::builder().tls_with(identity, &pem).start();
        let result = Client::trusting(registry.ca_pem()).ping(&registry).await;
        match complaint {
            None => assert!(result.is_ok(), "{result:?}"),
            Some(complaint) => assert!(result.unwrap_err().contains(complaint)),
        }
    }
}

#[tokio::test]
async fn a_client_certificate_can_be_required() {
    let clients = Authority::new();
    let registry = Registry::builder()
        .tls()
        .require_client_certificate(clients.pem())
        .start();
    let known = clients.client("someone");
    let stranger = Authority::new().client("someone");
    for (identity, accepted) in [
        (Some(&known), true),
        (Some(&stranger), false),
        (None, false),
    ] {
        let client = Client {
            identity,
            ..Client::trusting(registry.ca_pem())
        };
        assert_eq!(
            client.ping(&registry).await.is_ok(),
            accepted,
            "{identity:?}"
        );
    }
    assert_eq!(registry.requests().len(), 1);
}

/// Asks over plain HTTP on the port of a registry that speaks TLS.
fn plainly(registry: &Registry) -> (u16, String) {
    let base = format!("http://{}", registry.addr());
    let answer = super::client::send_to(&base, "GET", "/v2/", &["Connection: close"], b"");
    (answer.status, answer.text())
}

#[tokio::test]
async fn plain_http_on_a_tls_port() {
    let registry = Registry::builder().tls().start();
    let refused = "Client sent an HTTP request to an HTTPS server.\n".to_owned();
    assert_eq!(plainly(&registry), (400, refused));
    assert!(registry.requests().is_empty());

    let delay = Duration::from_millis(50);
    let registry = Registry::builder()
        .tls()
        .plain_beside_tls()
        .tls_delay(delay)
        .start();
    assert_eq!(plainly(&registry), (200, "{}".to_owned()));
    let start = Instant::now();
    assert!(
        Client::trusting(registry.ca_pem())
            .ping(&registry)
            .await
            .is_ok()
    );
    assert!(start.elapsed() >= delay);
    let by_tls: Vec<bool> = registry
        .requests()
        .iter()
        .map(|record| record.tls)
        .collect();
    assert_eq!(by_tls, [false, true]);
}
