//! Who the client is to servers that ask for a certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use regimg_core::Secret;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use super::pem;
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
        let chain = pem::certificates(&self.certificate).map_err(unusable)?;
        let key = pem::key(self.key.expose()).map_err(unusable)?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| unusable(mismatch(&error)))
    }
}

/// Says why two texts that can be read are no identity.
fn mismatch(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate",
        rustls::Error::InvalidCertificate(_) => "what is in the PEM certificate is none",
        _ => "the key is of a kind that cannot be used, or damaged",
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
