//! Who the client is to servers that ask for a certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use regimg_core::Secret;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::{Error, ErrorKind};

/// What a client shows to registries that ask for a certificate.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate in PEM, followed by the ones between it and its authority, if there are any.
    pub certificate: String,
    /// Its private key in PEM, not encrypted.
    pub key: Secret,
}

impl ClientIdentity {
    /// Sees whether certificate and key can be used, which a client does when it is made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when one of them is not PEM or they do not belong together;
    /// the error holds nothing of the key.
    pub fn check(&self) -> Result<(), Error> {
        self.read(&rustls::crypto::aws_lc_rs::default_provider())
            .map(drop)
    }

    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| unusable(&error.to_string()))?;
        if chain.is_empty() {
            return Err(unusable("there is no PEM certificate"));
        }
        // The parser's own words might repeat a piece of the key.
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes())
            .map_err(|_| unusable("there is no private key in PEM that can be read"))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| unusable(&error.to_string()))
    }
}

fn unusable(why: &str) -> Error {
    let message = format!("the client certificate cannot be used: {why}");
    Error::new(ErrorKind::Configuration, message)
}

/// Answers servers that ask for a certificate, and remembers that one did.
///
/// A server that misses one refuses it only after the handshake, when all that is left to be seen
/// is a connection that closes.
#[derive(Debug)]
pub(super) struct Answer {
    key: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl Answer {
    pub(super) fn new(
        identity: Option<&ClientIdentity>,
        provider: &CryptoProvider,
        asked: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let key = identity.map(|identity| identity.read(provider));
        let key = key.transpose()?.map(Arc::new);
        Ok(Self { key, asked })
    }
}

impl ResolvesClientCert for Answer {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}
