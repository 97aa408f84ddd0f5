//! Configures and starts a registry.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::Registry;
use super::access::Tokens;
use super::auth::Auth;
use super::elsewhere::Signatures;
use super::fault::Fault;
use super::record::{Diary, Origin};
use super::rule::{Faults, Match};
use super::server::{self, Speech};
use super::service::{Service, Urls};
use super::store::Store;
use super::tags::Paging;
use super::uploads::UploadLocation;
use crate::background::{Background, bind};
use crate::tls::{Authority, Identity, LOCAL_NAMES, Protocols, server_config};

/// What a registry is to be like; the default is plain HTTP, open to everyone.
#[derive(Debug)]
pub struct Builder {
    auth: Auth,
    paging: Paging,
    upload_location: UploadLocation,
    minimal_chunk: Option<u64>,
    protocols: Protocols,
    tls: Option<Tls>,
    host: String,
    latency: Duration,
    faults: Faults,
}

#[derive(Debug)]
struct Tls {
    identity: Identity,
    ca_pem: String,
    client_roots: Option<String>,
    plain_too: bool,
    delay: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            auth: Auth::none(),
            paging: Paging::default(),
            upload_location: UploadLocation::default(),
            minimal_chunk: None,
            protocols: Protocols::default(),
            tls: None,
            host: "127.0.0.1".to_owned(),
            latency: Duration::ZERO,
            faults: Faults::default(),
        }
    }
}

impl Builder {
    /// Sets how clients authenticate.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets how tag lists are paged.
    #[must_use]
    pub fn paging(mut self, paging: Paging) -> Self {
        self.paging = paging;
        self
    }

    /// Sets the form of the location of uploads.
    #[must_use]
    pub fn upload_location(mut self, location: UploadLocation) -> Self {
        self.upload_location = location;
        self
    }

    /// Announces a least length of chunks by `OCI-Chunk-Min-Length`.
    #[must_use]
    pub fn minimal_chunk(mut self, bytes: u64) -> Self {
        self.minimal_chunk = Some(bytes);
        self
    }

    /// Restricts the versions of HTTP.
    #[must_use]
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = protocols;
        self
    }

    /// Speaks TLS with a certificate for localhost that a new authority signed.
    #[must_use]
    pub fn tls(self) -> Self {
        let authority = Authority::new();
        self.tls_with(authority.server(&LOCAL_NAMES), authority.pem())
    }

    /// Speaks TLS with this certificate; `ca_pem` is what [`Registry::ca_pem`] then gives.
    ///
    /// Plain HTTP on the same port is answered as Go's servers do, with 400.
    #[must_use]
    pub fn tls_with(mut self, identity: Identity, ca_pem: &str) -> Self {
        let ca_pem = ca_pem.to_owned();
        let (client_roots, plain_too, delay) = (None, false, Duration::ZERO);
        self.tls = Some(Tls {
            identity,
            ca_pem,
            client_roots,
            plain_too,
            delay,
        });
        self
    }

    /// Requires of clients a certificate that one of `roots` signed.
    ///
    /// # Panics
    /// When TLS was not chosen before.
    #[must_use]
    #[track_caller]
    pub fn require_client_certificate(self, roots: &str) -> Self {
        self.with_tls(|tls| tls.client_roots = Some(roots.to_owned()))
    }

    /// Serves plain HTTP on the same port, for tests of which one a client prefers; [`Record::tls`](super::Record::tls)
    /// tells them apart.
    ///
    /// # Panics
    /// When TLS was not chosen before.
    #[must_use]
    #[track_caller]
    pub fn plain_beside_tls(self) -> Self {
        self.with_tls(|tls| tls.plain_too = true)
    }

    /// Lets every TLS handshake wait.
    ///
    /// # Panics
    /// When TLS was not chosen before.
    #[must_use]
    #[track_caller]
    pub fn tls_delay(self, time: Duration) -> Self {
        self.with_tls(|tls| tls.delay = time)
    }

    #[track_caller]
    fn with_tls(mut self, change: impl FnOnce(&mut Tls)) -> Self {
        change(self.tls.as_mut().expect("TLS is chosen first"));
        self
    }

    /// Calls itself `host` in URLs instead of `127.0.0.1`, for example `localhost`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Lets every request wait this long, as if the registry were far away.
    #[must_use]
    pub fn latency(mut self, time: Duration) -> Self {
        self.latency = time;
        self
    }

    /// Adds a fault before the registry starts.
    #[must_use]
    pub fn fault(self, rule: Match, fault: Fault) -> Self {
        self.faults.add(rule, fault);
        self
    }

    /// Binds three free ports of 127.0.0.1 and serves on them from a runtime of its own.
    ///
    /// # Panics
    /// When the machine has no free port or starts no thread.
    pub fn start(self) -> Registry {
        let listeners = [Origin::Registry, Origin::Elsewhere, Origin::Tokens].map(|origin| {
            let (listener, address) = bind();
            (listener, address, origin)
        });
        let [registry, elsewhere, tokens] = [0, 1, 2].map(|at| self.url(listeners[at].1.port()));
        let address = listeners[0].1;
        let speech = self.speech();
        let ca_pem = self.tls.as_ref().map(|tls| tls.ca_pem.clone());
        let host = self.host.clone();
        let service = Arc::new(self.service(Urls {
            registry,
            elsewhere,
            tokens,
        }));
        let background = Background::start("registry");
        for (listener, _, origin) in listeners {
            let (speech, service) = (speech.clone(), Arc::clone(&service));
            background.spawn(server::serve(listener, origin, speech, service));
        }
        Registry {
            service,
            address,
            host,
            ca_pem,
            _background: background,
        }
    }

    fn url(&self, port: u16) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{port}", self.host)
    }

    fn speech(&self) -> Speech {
        let tls = self.tls.as_ref().map(|tls| {
            let roots = tls.client_roots.as_deref();
            let config = server_config(&tls.identity, roots, self.protocols);
            let acceptor = TlsAcceptor::from(Arc::new(config));
            server::Tls {
                acceptor,
                plain_too: tls.plain_too,
                delay: tls.delay,
            }
        });
        Speech {
            tls,
            protocols: self.protocols,
        }
    }

    fn service(self, urls: Urls) -> Service {
        Service {
            store: Mutex::new(Store::default()),
            trust: Mutex::default(),
            diary: Arc::new(Diary::default()),
            faults: self.faults,
            latency: self.latency,
            auth: Mutex::new(self.auth),
            tokens: Tokens::default(),
            paging: Mutex::new(self.paging),
            upload_location: self.upload_location,
            minimal_chunk: self.minimal_chunk,
            signatures: Signatures::default(),
            urls,
        }
    }
}
